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
)

// A change reaches Gainsight within the stated bound while a first load of many
// people takes all that is left of Gainsight's quota, for days: companies, people
// that were loaded already, people that were not, and new ones.
func TestChangesArriveInTimeBesideAFirstLoad(t *testing.T) {
	contacts := 200_000
	if raced || testing.Short() {
		contacts = 10_000
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
				w.advance(time.Hour)
				b := w.backlog("Company Person Sync_HS")
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
				w.sys.Close()

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
