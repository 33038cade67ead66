package scenario

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

var companySync = run.Input{Job: "Company Sync_HS"}

// correct fails the test where both simulators differ.
func (w *world) correct(t *testing.T) {
	t.Helper()
	problems := truth.Compare(w.portal, w.target, false).Problems
	if len(problems) > 0 {
		t.Fatalf("%d differences, the first: %s", len(problems), problems[0])
	}
}

// fill creates n companies in one millisecond.
func (w *world) fill(n int) {
	for i := range n {
		w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("Company %d", i)})
	}
}

// R2, R3: more records than a search can page through by an offset, and all of
// them with one modified time.
func TestAnyNumberOfChangesOfOneMillisecondArrives(t *testing.T) {
	for _, n := range []int{9_999, 10_001, 25_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, hubspotsim.Options{}, 0)
				w.advance(time.Minute)
				ended(t, "empty", w.run(companySync).Runs)
				w.fill(n)
				w.advance(time.Minute)
				w.calls = w.counters()
				runs := w.run(companySync).Runs
				ended(t, "changes", runs)
				if got := runs[0].Counts.Inserted; got != n {
					t.Errorf("%d inserted, want %d", got, n)
				}
				// A page holds 200 records; the last one may be empty.
				if got, most := w.since()["hubspot.search"], n/200+2; got > most {
					t.Errorf("%d searches, want at most %d", got, most)
				}
				w.correct(t)
			})
		})
	}
}

// R5, R8: while a run reads, a record that it has read already changes at every
// page, others are created and one is archived. Nothing is lost.
func TestEditsDuringARunLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{}, 0)
		w.advance(time.Minute)
		ended(t, "empty", w.run(companySync).Runs)
		w.fill(3000)
		w.advance(time.Minute)
		var ids []string
		w.portal.Each("companies", func(r hubspotsim.Record) { ids = append(ids, r.ID) })
		var page atomic.Int64
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if strings.HasSuffix(r.URL.Path, "/search") {
				n := int(page.Add(1))
				w.portal.Set("companies", ids[n], map[string]string{"name": fmt.Sprintf("Edited %d", n)})
				w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("During %d", n)})
				w.portal.Archive("companies", ids[len(ids)-1-n])
			}
			return nil
		})
		ended(t, "edited", w.run(companySync).Runs)
		w.source.SetFault(nil)
		if page.Load() < 10 {
			t.Fatalf("only %d pages were read while edits were made", page.Load())
		}
		w.advance(time.Minute)
		ended(t, "next", w.run(companySync).Runs)
		w.correct(t)
	})
}

// R20, R22: five calls in a hundred fail, and the quotas of both vendors are
// real. The run ends right, and few calls meet a spent quota.
func TestRandomFailuresAndRealQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{Latency: 300 * time.Millisecond}, 0)
		w.fill(12_000)
		kinds := []string{"502", "reset", "cut3", "503", "html"}
		var calls atomic.Int64
		w.source.SetFault(func(r *http.Request, call int) *hubspotsim.Fault {
			calls.Add(1)
			if call%20 == 7 && r.Method == http.MethodGet {
				return hubspotKind(kinds[call/20%len(kinds)])
			}
			return nil
		})
		w.advance(time.Minute)
		ended(t, "first", w.run(companySync).Runs)
		w.correct(t)
		if throttled := w.source.Throttled() + w.target.Throttled(); throttled > 0 {
			t.Errorf("%d calls met a spent quota, want none", throttled) // Guarantee 8
		}
		// 120 pages and their repeats.
		if n := calls.Load(); n > 150 {
			t.Errorf("%d calls to HubSpot, want at most 150", n)
		}
	})
}

// R19: a job of 1,500 properties never asks for a URL that is too long.
func TestVeryManyProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{}, 0)
		j, err := w.sys.Jobs.Find(t.Context(), "Company Sync_HS")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1500 {
			name := fmt.Sprintf("a_property_with_a_long_name_%04d", i)
			w.portal.DefineProperty("companies", hubspotsim.Property{Name: name, Label: name})
			j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: name})
		}
		if _, err := w.sys.Jobs.Save(t.Context(), j, "tester"); err != nil {
			t.Fatal(err)
		}
		w.fill(200)
		w.advance(time.Minute)
		ended(t, "list", w.run(companySync).Runs)
		w.correct(t)
		w.portal.Set("companies", first(w), map[string]string{"name": "Changed"})
		w.advance(time.Minute)
		ended(t, "search", w.run(companySync).Runs)
		w.correct(t)
	})
}

func first(w *world) string {
	id := ""
	w.portal.Each("companies", func(r hubspotsim.Record) {
		if id == "" {
			id = r.ID
		}
	})
	return id
}

// R24: a token that lives for some seconds is refreshed as often as it takes.
func TestShortTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{TokenLife: 2 * time.Second, Latency: 500 * time.Millisecond}, 0)
		w.fill(1500)
		w.advance(time.Minute)
		ended(t, "first", w.run(companySync).Runs)
		w.correct(t)
		if n := w.counters()["hubspot.oauth"]; n < 4 {
			t.Errorf("%d calls of OAuth, the token was never refreshed", n)
		}
	})
}

// Guarantee 4: of two processes over one storage, the second run of a job is
// skipped while the first is at work.
func TestTwoProcessesOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{Latency: time.Second}, 0)
		w.fill(2000)
		w.advance(time.Minute)
		one := w.sys
		w.start()
		two := w.sys
		type ending struct {
			runs []run.Run
			err  error
		}
		ends := make(chan ending, 1)
		go func() {
			res, err := one.Run(t.Context(), companySync, nil)
			ends <- ending{res.Runs, err}
		}()
		w.advance(5 * time.Second)
		j, err := two.Jobs.Find(t.Context(), "Company Sync_HS")
		if err != nil {
			t.Fatal(err)
		}
		_, held := two.Runs.Leases.Acquire(t.Context(), j.ID+"#changes", "another")
		if held == nil {
			t.Error("the lease of a job at work was given to another run")
		}
		end := <-ends
		if end.err != nil {
			t.Fatal(end.err)
		}
		ended(t, "first", end.runs)
		w.correct(t)
	})
}
