package scenario

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
)

// A change reaches Gainsight within the stated bound while a first load of many
// people takes all that is left of Gainsight's quota, for days: companies, people
// that were loaded already, people that were not, and new ones.
func TestEveryChangeArrivesInTimeBesideAFirstLoad(t *testing.T) {
	const contacts = 200_000
	if raced || testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	for _, tt := range []struct {
		window, bound time.Duration
	}{{time.Minute, 90 * time.Second}, {5 * time.Second, 15 * time.Second}} {
		t.Run(tt.window.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, hubspotsim.Options{Latency: 300 * time.Millisecond, IndexLag: hubspotsim.Lag(1, 0, 15*time.Minute)}, 0)
				w.window = tt.window
				w.start()
				w.companies(20)
				w.advance(20 * time.Minute)
				ended(t, "companies", w.run(companySync).Runs)
				for i := range contacts {
					w.portal.Create("contacts", map[string]string{
						"hs_object_id": fmt.Sprint(100_001 + i), "email": fmt.Sprintf("c%d@a.example", i), "firstname": "F", "lastname": "L",
						"associatedcompanyid": fmt.Sprint(1 + i%20),
					})
				}
				w.advance(20 * time.Minute)
				if err := w.sys.Machines.Start(t.Context(), "first-load", fmt.Appendf(nil, `{"chain":%q}`, chain.Chain)); err != nil {
					t.Fatal(err)
				}
				defer w.sys.Close()
				w.advance(time.Hour)
				b := w.backlog(syncPeople)
				before := w.target.Count("person")
				if len(b.Spans) == 0 || before == 0 {
					t.Fatalf("there is no backlog at work: %+v, %d people", b, before)
				}

				w.listen(hubspotsim.Webhooks{Gather: time.Second, Shuffle: true, Duplicate: 4})
				began := time.Now()
				lags := w.freshness(t, 240, 9*time.Second, contacts)
				took := time.Since(began)
				w.silence()
				loaded := w.target.Count("person") - before

				slices.Sort(lags)
				p95 := lags[len(lags)*95/100]
				t.Logf("p50 %s, p95 %s, last %s; %d people meanwhile", lags[len(lags)/2], p95, lags[len(lags)-1], loaded)
				if p95 > tt.bound {
					t.Errorf("p95 is %s, want at most %s", p95, tt.bound)
				}
				// The load goes on: at least half of what a minute has, all the time.
				if least := int(took.Minutes()) * 50; loaded < least {
					t.Errorf("%d people were loaded in %s, want at least %d", loaded, took, least)
				}
				if n := w.source.Throttled() + w.target.Throttled(); n > 0 {
					t.Errorf("%d calls met a spent quota, want none", n) // Guarantee 8
				}
			})
		})
	}
}

var freshName = regexp.MustCompile(`Fresh [0-9]+\b`)

// freshness makes n changes, one per period, to companies and to some of so many
// contacts, and returns how long each took to be written.
func (w *world) freshness(t *testing.T, n int, period time.Duration, contacts int) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var lags []time.Duration
	begun := map[string]time.Time{} // :: name → when a record got it
	w.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/query/") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for _, name := range freshName.FindAllString(body(r), -1) {
			if at, waits := begun[name]; waits {
				lags = append(lags, time.Since(at))
				delete(begun, name)
			}
		}
		return nil
	})
	for i := range n {
		name := fmt.Sprintf("Fresh %d", i)
		mu.Lock()
		begun[name] = time.Now()
		mu.Unlock()
		switch i % 4 {
		case 0:
			w.portal.Set("companies", fmt.Sprint(1+i%20), map[string]string{"name": name})
		case 1: // loaded already
			w.portal.Set("contacts", fmt.Sprint(100_001+i), map[string]string{"firstname": name})
		case 2: // will be loaded in days
			w.portal.Set("contacts", fmt.Sprint(100_001+contacts-1-i), map[string]string{"firstname": name})
		default:
			w.portal.Create("contacts", map[string]string{
				"email": fmt.Sprintf("fresh%d@a.example", i), "firstname": name, "lastname": "L", "associatedcompanyid": "3",
			})
		}
		w.advance(period)
	}
	w.advance(3 * time.Minute)
	mu.Lock()
	defer mu.Unlock()
	for name := range begun {
		t.Errorf("%s never arrived", name)
	}
	return lags
}

// A run of marked records takes the target as it was described minutes ago, unless
// its plan is wrong with that, as when another process saves a job with a new field.
func TestMarkedRunsHaveTheTargetDescribedOnceInFiveMinutes(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.portal.DefineProperty("companies", hubspotsim.Property{Name: "fax", Label: "Fax"})
		w.companies(1)
		w.advance(2 * time.Hour)
		w.only(t, syncCompanies)
		other := w.sys
		w.start()
		for i, tt := range []struct {
			after    time.Duration
			newField bool
			asked    int
		}{
			{after: time.Minute, asked: 1}, // the first of this process
			{after: 4*time.Minute + 59*time.Second, asked: 0},
			{after: time.Second, asked: 1},
			{after: time.Minute, newField: true, asked: 1},
			{after: time.Minute, asked: 0},
		} {
			w.advance(tt.after)
			if tt.newField {
				w.target.AddField("company", textField("Fax__gc"))
				j := w.job(syncCompanies)
				j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: "fax"})
				j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "fax", To: "Fax__gc"})
				if _, err := other.Jobs.Save(t.Context(), j, "tester"); err != nil {
					t.Fatal(err)
				}
			}
			name := fmt.Sprintf("Name %d", i)
			w.portal.Set("companies", "1", map[string]string{"name": name, "fax": name})
			w.mark([]string{"1"}, nil)
			w.calls = w.counters()
			ended(t, name, w.run(run.Input{Mode: run.ModeMarked}).Runs)
			if n := w.since()["gainsight.describe"]; n != tt.asked {
				t.Errorf("%s: the target was described %d times, want %d", name, n, tt.asked)
			}
			if got := w.values("company", accountID, "Name")["1"]; got != name {
				t.Errorf("the company is called %q, want %q", got, name)
			}
		}
		if got := w.values("company", accountID, "Fax__gc")["1"]; got != "Name 4" {
			t.Errorf("the new field holds %q, want %q", got, "Name 4")
		}
	})
}
