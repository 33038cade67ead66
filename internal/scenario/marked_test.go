package scenario

import (
	"cmp"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/job"
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
		w.markOf(name, object, ids...)
	}
}

func (w *world) markOf(jobName, object string, ids ...string) {
	w.t.Helper()
	var marks []mark.Mark
	for _, id := range ids {
		marks = append(marks, mark.Mark{Job: w.job(jobName).ID, ID: id, Kind: mark.Changed, At: time.Now()})
	}
	if err := (&mark.Store{Table: w.bolt}).Put(w.t.Context(), object, marks); err != nil {
		w.t.Fatal(err)
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

// disturbed are runs of marked records whose writes are lost.
var disturbed = []struct {
	name string
	// before brings the world to where the run starts.
	before func(w *world)
	want   map[string]string // :: company → name
}{
	{"edits", func(w *world) {
		w.edited()
		w.mark([]string{"2", "3"}, []string{"12", "13", "21", "22"})
	}, map[string]string{"1": "Company 1", "2": "Company 2 Group", "3": "Company 3"}},
	{"rows are deleted", func(w *world) {
		w.whenDeleted(job.WhenDeleted{Do: job.DoDelete})
		w.portal.Archive("companies", "3")
		w.portal.Purge("companies", "2")
		w.mark([]string{"2", "3"}, nil)
	}, map[string]string{"1": "Company 1"}},
	{"a field says so", func(w *world) {
		w.whenDeleted(job.WhenDeleted{Do: job.DoSet, Field: "Name2__gc", Value: "gone"})
		w.portal.Archive("companies", "3")
		w.mark([]string{"3"}, nil)
	}, map[string]string{"1": "Company 1", "2": "Company 2", "3": "Company 3"}},
	{"a merge", func(w *world) {
		w.whenDeleted(job.WhenDeleted{Do: job.DoDelete})
		w.names["survivor"] = w.portal.Merge("companies", "1", "2")
		w.mark([]string{"1", "2", w.names["survivor"]}, nil)
	}, map[string]string{"survivor": "Company 1", "3": "Company 3"}},
}

func (w *world) whenDeleted(do job.WhenDeleted) {
	if do.Field != "" {
		w.target.AddField("company", gainsightsim.Field{Name: do.Field, Label: "State", DataType: "STRING", Nillable: true})
	}
	j := w.job(syncCompanies)
	j.Options.WhenDeleted = do
	w.save(j)
}

// TestEveryWriteOfAMarkedRunCanBeLost loses each write of a run of marked records
// in each way. Nothing is lost: behind the next run both sides agree, no mark is
// left, and another run writes nothing.
func TestEveryWriteOfAMarkedRunCanBeLost(t *testing.T) {
	for _, tt := range disturbed {
		disturb := func(t *testing.T, what string, at int, loss Loss) (writes int) {
			synctest.Test(t, func(t *testing.T) {
				w := smallWorld(t)
				ended(t, what, w.run(chain).Runs)
				w.advance(2 * time.Hour) // out of the window of the next run
				tt.before(w)
				w.at, w.loss = at, loss
				w.run(run.Input{Mode: run.ModeMarked})
				writes = w.gate.writes
				ended(t, what, w.run(chain).Runs)
				for _, problem := range truth.Compare(w.portal, w.target, false).Problems {
					t.Errorf("%s: %s", what, problem)
				}
				want := map[string]string{}
				for id, name := range tt.want {
					want[cmp.Or(w.names[id], id)] = name
				}
				if d := gocmp.Diff(want, w.values("company", accountID, "Name")); d != "" {
					t.Errorf("%s: companies (-want +got):\n%s", what, d)
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
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			writes := disturb(t, "undisturbed", 0, "")
			if writes < 8 {
				t.Fatalf("a run has %d writes, that cannot be all", writes)
			}
			for n := 1; n <= writes; n++ {
				for i, loss := range losses {
					if turn(n, i) && (n+i)%2 == 0 { // the whole matrix takes minutes
						disturb(t, fmt.Sprintf("write %d: %s", n, loss), n, loss)
					}
				}
			}
		})
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
