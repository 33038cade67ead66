package scenario

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

// mark marks records of both jobs of the chain, as webhooks do.
func (w *world) mark(companies, contacts []string) {
	w.t.Helper()
	for object, ids := range map[string][]string{"0-2": companies, "0-1": contacts} {
		name := syncCompanies
		if object == "0-1" {
			name = "Company Person Sync_HS"
		}
		var marks []mark.Mark
		for _, id := range ids {
			marks = append(marks, mark.Mark{Job: w.job(name).ID, ID: id, Kind: mark.Changed, At: time.Now()})
		}
		if err := (&mark.Store{Table: w.bolt}).Put(w.t.Context(), object, marks); err != nil {
			w.t.Fatal(err)
		}
	}
}

// marks counts the marks of both jobs that are not of rejected records.
func (w *world) marks() int {
	w.t.Helper()
	n := 0
	for object, name := range map[string]string{"0-2": syncCompanies, "0-1": "Company Person Sync_HS"} {
		counts, err := (&mark.Store{Table: w.bolt}).Counts(w.t.Context(), object, w.job(name).ID)
		if err != nil {
			w.t.Fatal(err)
		}
		for kind, some := range counts {
			if kind != mark.Rejected {
				n += some
			}
		}
	}
	return n
}

// TestEveryWriteOfAMarkedRunCanBeLost loses each write of a run of marked records
// in each way. Nothing is lost: behind the next run both sides agree, no mark is
// left, and another run writes nothing.
func TestEveryWriteOfAMarkedRunCanBeLost(t *testing.T) {
	t.Parallel()
	disturb := func(what string, at int, loss Loss) (writes int) {
		synctest.Test(t, func(t *testing.T) {
			w := smallWorld(t)
			ended(t, what, w.run(chain).Runs)
			w.advance(2 * time.Hour) // out of the window of the next run
			w.edited()
			w.mark([]string{"2", "3"}, []string{"12", "13", "21", "22"})
			w.at, w.loss = at, loss
			w.run(run.Input{Mode: run.ModeMarked})
			writes = w.gate.writes
			ended(t, what, w.run(chain).Runs)
			for _, problem := range truth.Compare(w.portal, w.target, false).Problems {
				t.Errorf("%s: %s", what, problem)
			}
			if n := w.marks(); n != 0 {
				t.Errorf("%s: %d marks are left", what, n)
			}
			n := w.target.Writes()
			ended(t, what, w.run(chain).Runs)
			if n = w.target.Writes() - n; n != 0 {
				t.Errorf("%s: with nothing changed, another run made %d writes at Gainsight", what, n)
			}
		})
		return writes
	}
	writes := disturb("undisturbed", 0, "")
	if writes < 10 {
		t.Fatalf("a run has %d writes, that cannot be all", writes)
	}
	for n := 1; n <= writes; n++ {
		for i, loss := range losses {
			if turn(n, i) {
				disturb(fmt.Sprintf("write %d: %s", n, loss), n, loss)
			}
		}
	}
}

// A mark that is set again while its record is at work stays, and makes another
// round: what happened meanwhile is read.
func TestAChangeDuringAMarkedRunIsReadOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := smallWorld(t)
		ended(t, "first", w.run(chain).Runs)
		w.advance(2 * time.Hour)
		w.portal.Set("companies", "2", map[string]string{"name": "Second"})
		w.mark([]string{"2"}, nil)
		w.gainsightFault.add(&spoil{path: "PUT /v1/data/objects/company", nth: 1, last: 1, then: func() {
			w.portal.Set("companies", "2", map[string]string{"name": "Third"})
			w.mark([]string{"2"}, nil)
		}})
		w.run(run.Input{Mode: run.ModeMarked})
		if got := w.values("company", accountID, "Name")["2"]; got != "Third" {
			t.Errorf("the company is called %q, want the name it got during the run", got)
		}
		if n := w.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// A run of changes waits for a run of marked records of its job, and is not skipped.
func TestAScheduledRunWaitsForAMarkedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := smallWorld(t)
		ended(t, "first", w.run(chain).Runs)
		w.mark([]string{"2"}, nil)
		w.gainsightFault.add(&spoil{path: "PUT /v1/data/objects/company", nth: 1, last: 1, kind: "slow"})
		w.portal.Set("companies", "2", map[string]string{"name": "Second"})
		one := w.sys
		w.start()
		done := make(chan struct{})
		go func() {
			defer close(done)
			execute(t, one, "marked", `{"mode":"marked"}`)
		}()
		w.advance(2 * time.Second)
		if held, err := w.sys.Runs.Leases.Held(t.Context(), w.job(syncCompanies).ID+"#changes"); err != nil || !held {
			t.Fatalf("the marked run is not at work: %v", err)
		}
		ended(t, "scheduled", w.run(run.Input{Job: syncCompanies}).Runs)
		<-done
		if w.values("company", accountID, "Name")["2"] != "Second" {
			t.Error("the change did not arrive")
		}
	})
}
