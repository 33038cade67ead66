package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/run"
)

// R20: two processes share one account. Together they use at least nine tenths of
// its quota of searches while there is work, and hardly ever meet a 429.
func TestProcessesShareOneQuota(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		const records = 4000 // 20 searches for each job
		jobs := []string{"Nothing 1", "Nothing 2"}
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		for _, name := range jobs {
			j := w.things(name, "company", "name")
			j.Mapping.Filter = condition.Filter{Conditions: []condition.Condition{{Field: "name", Op: "isNull"}}}
			w.save(j)
			w.only(t, name)
		}
		w.companies(records)
		w.advance(time.Minute)
		var mu sync.Mutex
		var at []time.Time
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if searching(r, "0-2") {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
			}
			return nil
		})
		one := w.sys
		w.start()
		var group sync.WaitGroup
		for i, sys := range []*inprocess.System{one, w.sys} {
			group.Go(func() { execute(t, sys, fmt.Sprintf("shared-%d", i), fmt.Sprintf(`{"job":%q}`, jobs[i])) })
		}
		group.Wait()
		for _, name := range jobs {
			if counts := w.lastRun(name).Counts; counts.Filtered != records {
				t.Errorf("%s: %+v, want %d filtered", name, counts, records)
			}
		}
		const perSecond = 5
		took := at[len(at)-1].Sub(at[0]).Seconds()
		if rate := float64(len(at)-1) / took; len(at) < 40 || rate < 0.9*perSecond {
			t.Errorf("%d searches at %.2f a second, want at least nine tenths of %d", len(at), rate, perSecond)
		}
		if n := w.source.Throttled(); n*100 > len(at) {
			t.Errorf("%d of %d searches met a 429, want less than one in a hundred", n, len(at))
		}
	})
}

// execute starts an execution of the chain machine and waits for its end, as
// Step Functions does it: without a look at what others have open.
func execute(t *testing.T, sys *inprocess.System, name, input string) {
	t.Helper()
	if err := sys.Machines.Start(t.Context(), name, []byte(input)); err != nil {
		t.Error(err)
		return
	}
	if _, err := sys.Machines.Wait(t.Context(), name); err != nil {
		t.Error(err)
	}
}

// lastRun is the newest run of a job.
func (w *world) lastRun(jobName string) run.Run {
	w.t.Helper()
	runs, err := (&run.Store{Table: w.bolt}).List(w.t.Context(), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range runs {
		if r.JobName == jobName {
			return r
		}
	}
	w.t.Fatalf("no run of %s", jobName)
	return run.Run{}
}

// R20: a 429 of any policy, with and without the header that says when, makes the
// run wait about as long as it must, for reads by GET and by POST.
func TestEveryPolicyOf429IsWaitedFor(t *testing.T) {
	for _, tt := range []struct {
		policy, after string
		least, most   time.Duration
	}{
		{"SECONDLY", "", 3 * time.Second, time.Minute},
		{"TEN_SECONDLY_ROLLING", "", 30 * time.Second, 2 * time.Minute},
		{"DAILY", "", time.Hour, 25 * time.Hour}, // the quota returns at a midnight that is not named
		{"SECONDLY", "7", 21 * time.Second, time.Minute},
		{"TEN_SECONDLY_ROLLING", "20", time.Minute, 3 * time.Minute},
		{"DAILY", "7200", 6 * time.Hour, 7 * time.Hour},
	} {
		for _, kind := range []string{"list", "search"} {
			t.Run(kind+" "+tt.policy+" "+tt.after, func(t *testing.T) {
				bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
					w.advance(time.Minute)
					if kind == "search" {
						w.only(t, syncCompanies)
					}
					w.companies(3)
					w.advance(time.Minute)
					met := 0
					w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
						if (listing(r, "0-2") || searching(r, "0-2")) && met < 3 {
							met++
							f := hubspotsim.TooMany(tt.policy)
							if tt.after != "" {
								f.Header.Set("Retry-After", tt.after)
							}
							return f
						}
						return nil
					})
					start := time.Now()
					if r := w.only(t, syncCompanies); r.Counts.Inserted != 3 {
						t.Errorf("%+v, want 3 inserted", r.Counts)
					}
					if took := time.Since(start); took < tt.least || took > tt.most {
						t.Errorf("three refusals took %s, want %s to %s", took, tt.least, tt.most)
					}
					if met != 3 {
						t.Errorf("%d calls were refused, want 3", met)
					}
				})
			})
		}
	}
}

// R22: five calls in a hundred to either vendor fail in every way, and the process
// dies now and then. The run goes on behind its last page, nothing is lost, and no
// row is written twice.
func TestRandomFailuresAndDeaths(t *testing.T) {
	for seed := range 3 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 100, func(t *testing.T, w *world) {
				w.companies(600)
				for i := 1; i <= 300; i++ {
					w.portal.Create("contacts", map[string]string{
						"hs_object_id": fmt.Sprint(i), "email": fmt.Sprintf("c%d@a.example", i),
						"firstname": "F", "lastname": fmt.Sprint(i), "associatedcompanyid": fmt.Sprint(i),
					})
				}
				w.advance(time.Minute)
				var mu sync.Mutex
				calls, deaths, spoiled, pages := seed, 0, 0, 0
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					mu.Lock()
					defer mu.Unlock()
					if calls++; listing(r, "0-2") || listing(r, "0-1") {
						pages++
					}
					switch {
					case calls%6 == 4 && deaths < 4:
						deaths++
						w.kill(nil)
						return &hubspotsim.Fault{Before: true}
					case calls%5 == 2 && !strings.HasPrefix(r.URL.Path, "/oauth"):
						spoiled++
						return hubspotKind([]string{"502", "504", "520", "524", "reset", "lost", "cut5"}[calls/5%7])
					}
					return nil
				})
				var arrived atomic.Int64
				w.target.SetFault(func(*http.Request, int) *gainsightsim.Fault {
					if n := int(arrived.Add(1)); n%20 == 3 {
						return gainsightKind([]string{"500", "502", "503", "reset", "lost", "cut2"}[n/20%6])
					}
					return nil
				})
				ended(t, "first", w.run(chain).Runs)
				w.source.SetFault(nil)
				w.target.SetFault(nil)
				w.correct(t)
				if deaths < 2 || spoiled < 2 {
					t.Errorf("%d deaths and %d failed calls, so nothing was tested", deaths, spoiled)
				}
				// 6 pages of companies, 3 of contacts, and the page in hand at each mishap.
				if most := 9 + spoiled + deaths; pages > most {
					t.Errorf("%d pages were asked for, want at most %d", pages, most)
				}
				writes := w.target.Writes()
				w.advance(time.Minute)
				ended(t, "again", w.run(chain).Runs)
				if n := w.target.Writes() - writes; n != 0 {
					t.Errorf("a second run made %d writes, want none", n)
				}
			})
		})
	}
}

// R23: each second answer of both vendors is cut off at another eighth, or is a
// page of HTML. Nothing of it is taken for an empty page.
func TestNoAnswerThatIsCutOffIsTaken(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(700)
		for i := 1; i <= 40; i++ {
			w.portal.Create("contacts", map[string]string{
				"hs_object_id": fmt.Sprint(i), "email": fmt.Sprintf("c%d@a.example", i),
				"firstname": "F", "lastname": fmt.Sprint(i), "associatedcompanyid": fmt.Sprint(i),
			})
		}
		w.advance(time.Minute)
		kinds := []string{"cut1", "cut2", "cut3", "cut4", "cut5", "cut6", "cut7", "html"}
		var ofSource, ofTarget atomic.Int64
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if n := ofSource.Add(1); n%2 == 1 && !strings.HasPrefix(r.URL.Path, "/oauth") {
				return hubspotKind(kinds[n/2%8])
			}
			return nil
		})
		w.target.SetFault(func(*http.Request, int) *gainsightsim.Fault {
			if n := ofTarget.Add(1); n%3 == 1 {
				return gainsightKind(kinds[n/3%8])
			}
			return nil
		})
		for range 2 { // all of them, then the changes
			ended(t, "spoiled", w.run(chain).Runs)
			w.correct(t)
			for i := 1; i <= 450; i++ {
				w.portal.Set("companies", fmt.Sprint(i), map[string]string{"name": fmt.Sprintf("Company %d b", i)})
			}
			w.advance(time.Minute)
		}
		ended(t, "changes", w.run(chain).Runs)
		w.correct(t)
	})
}

// R24: a token is good for three calls, and the calls of one page, its batches
// and its associations all come across the end of one.
func TestATokenLivesForThreeCalls(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(450)
		for i := 1; i <= 250; i++ {
			w.portal.Create("contacts", map[string]string{"hs_object_id": fmt.Sprint(i), "firstname": "F" + fmt.Sprint(i)})
			w.portal.Associate("contacts", fmt.Sprint(i), "companies", fmt.Sprint(i), hubspotsim.Primary)
		}
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		w.save(w.things("Things", "contact", "firstname", association("company", "")))
		w.advance(time.Minute)
		w.calls = w.counters()
		var calls atomic.Int64
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if !strings.HasPrefix(r.URL.Path, "/oauth") && calls.Add(1)%4 == 0 {
				w.portal.ExpireTokens()
			}
			return nil
		})
		w.only(t, syncCompanies)
		if r := w.only(t, "Things"); r.Counts.Inserted != 250 {
			t.Errorf("%+v, want 250 inserted", r.Counts)
		}
		if got := w.values("thing__gc", "Thing_ID__gc", "Company__gc")["250"]; got != "250" {
			t.Errorf("the company of contact 250 is %q", got)
		}
		w.correct(t)
		refreshed := w.since()["hubspot.oauth"]
		if n := int(calls.Load()); refreshed < n/4-1 || refreshed > n/4+1 {
			t.Errorf("%d refreshes for %d calls, want one for each four", refreshed, n)
		}
	})
}
