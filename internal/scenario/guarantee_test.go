package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/run"
)

// Guarantee 7: nothing changed costs no write at Gainsight and none of a print,
// whether the changes are read or everything, with rejected records too.
func TestUnchangedRecordsCostNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := smallWorld(t)
		ended(t, "users", w.run(userSync).Runs)
		ended(t, "chain", w.run(chain).Runs)
		for _, mode := range []run.Mode{run.ModeChanges, run.ModeFull} {
			w.advance(time.Minute)
			writes, prints := w.target.Writes(), w.printWrites()
			for _, in := range []run.Input{userSync, chain} {
				in.Mode = mode
				for _, r := range w.run(in).Runs {
					if c := r.Counts; c.Extracted == 0 || c.Unchanged+c.Rejected != c.Extracted {
						t.Errorf("%s of %s: %+v, want all unchanged or rejected as before", mode, r.JobName, c)
					}
				}
			}
			if n := w.target.Writes() - writes; n != 0 {
				t.Errorf("%s: %d writes at Gainsight, want none", mode, n)
			}
			if n := w.printWrites() - prints; n != 0 {
				t.Errorf("%s: %d writes of prints, want none", mode, n)
			}
		}
	})
}

// Guarantee 4: of two systems over one storage, the second run of a job is
// Skipped and names the first; the first is not disturbed.
func TestTheSecondRunOfAJobIsSkipped(t *testing.T) {
	bubble(t, hubspotsim.Options{Latency: time.Second}, 0, func(t *testing.T, w *world) {
		w.companies(2000)
		w.advance(time.Minute)
		one := w.sys
		w.start()
		done := make(chan struct{})
		go func() {
			defer close(done)
			execute(t, one, "first", fmt.Sprintf(`{"job":%q}`, syncCompanies))
		}()
		w.advance(5 * time.Second)
		calls := w.target.Writes()
		execute(t, w.sys, "second", fmt.Sprintf(`{"job":%q}`, syncCompanies))
		second := w.lastRun(syncCompanies)
		if w.target.Writes() != calls {
			t.Fatal("the first run was writing already, so the test shows nothing")
		}
		<-done
		round, err := w.sys.Runs.Round(t.Context(), "first", 1)
		if err != nil {
			t.Fatal(err)
		}
		first, err := w.sys.Runs.Get(t.Context(), round.Jobs[0])
		if err != nil {
			t.Fatal(err)
		}
		if second.Status != run.Skipped || !strings.Contains(second.Reason, string(first.ID)) || second.Counts != (run.Counts{}) {
			t.Errorf("the second run: %s, %+v, %q; want it skipped because of %s", second.Status, second.Counts, second.Reason, first.ID)
		}
		if first.Status != run.Success || first.Counts.Inserted != 2000 {
			t.Errorf("the first run: %s, %+v", first.Status, first.Counts)
		}
		if mark := w.watermark(syncCompanies); mark.Run != first.ID {
			t.Errorf("the watermark is by %s, want %s", mark.Run, first.ID)
		}
		w.correct(t)
	})
}

// Guarantees 3 and 4: a run that loses its lease while it writes settles nothing
// and moves nothing. What it still sent is found by its key by the next run.
func TestARunThatLostItsLeaseMovesNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		loses func(r *http.Request) bool // at this call to a vendor
	}{
		{"while it extracts", func(r *http.Request) bool { return listing(r, "0-2") && strings.Contains(r.URL.RawQuery, "after=") }},
		{"while it writes", func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.URL.Path == "/v1/data/objects/company"
		}},
		{"while it looks up", func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/data/objects/query/company") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 100, func(t *testing.T, w *world) {
				w.companies(150)
				w.advance(time.Minute)
				leases := &lease.Store{Table: w.bolt}
				var mu sync.Mutex // several calls may be in flight
				var taken *lease.Lease
				var stood run.Extraction
				lose := func(r *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					if taken != nil || !tt.loses(r) {
						return
					}
					var err error
					if stood, err = w.sys.Runs.Extraction(t.Context(), w.newest().ID); err != nil {
						t.Error(err)
					}
					held := w.newest().Lease()
					if err := leases.Release(t.Context(), held); err != nil {
						t.Error(err)
					}
					l, err := leases.Acquire(t.Context(), held.Name, "another-run")
					if err != nil {
						t.Error(err)
					}
					taken = &l
				}
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault { lose(r); return nil })
				w.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault { lose(r); return nil })
				r := w.failed(t, syncCompanies, "has taken over")
				if taken == nil {
					t.Fatal("the lease was never lost")
				}
				for id, p := range w.prints(r.Job) { // that a row is sent may be noted
					if p.Run != "" {
						t.Errorf("record %s was settled: %+v", id, p)
					}
				}
				if at, err := w.sys.Runs.Extraction(t.Context(), r.ID); err != nil || at != stood {
					t.Errorf("the extraction moved from %+v to %+v, %v", stood, at, err)
				}
				if r.Counts.Settled() != 0 || !w.watermark(syncCompanies).At.IsZero() {
					t.Errorf("%+v, watermark %v, want nothing moved", r.Counts, w.watermark(syncCompanies))
				}
				if err := leases.Renew(t.Context(), *taken); err != nil {
					t.Errorf("the other run's lease was touched: %v", err)
				}
				if err := leases.Release(t.Context(), *taken); err != nil {
					t.Fatal(err)
				}
				if next := w.only(t, syncCompanies); next.Counts.Extracted != 150 {
					t.Errorf("%+v, want 150 read", next.Counts)
				}
				w.correct(t) // no company has two rows
			})
		})
	}
}
