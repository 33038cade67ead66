package scenario

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/budget"
	jobchain "hubspotconnector/internal/chain"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/truth"
)

const (
	syncPeople = "Company Person Sync_HS"
)

// account fills HubSpot with companies, each with some contacts.
func (w *world) account(companies, contacts int) {
	w.companies(companies)
	for i := range contacts {
		w.portal.Create("contacts", map[string]string{
			"hs_object_id": fmt.Sprint(100_001 + i), "email": fmt.Sprintf("c%d@a.example", i), "firstname": "F", "lastname": "L",
			"associatedcompanyid": fmt.Sprint(1 + i%companies),
		})
	}
}

// scaled is a world with Gainsight's limits divided, so that what takes weeks with
// a million records takes as long with fewer.
func scaled(t testing.TB, minute, day int) *world {
	w := unauthorizedWorld(t, hubspotsim.Options{}, 500)
	w.limits.Gainsight = budget.Window{Calls: minute, Per: time.Minute, Fixed: true}
	w.limits.GainsightDay = budget.Window{Calls: day, Per: 24 * time.Hour, Fixed: true}
	w.start()
	w.authorize()
	return w
}

// agree fails the test where both sides differ.
func (w *world) agree() {
	w.t.Helper()
	problems := truth.Compare(w.portal, w.target, false).Problems
	if len(problems) > 0 {
		w.t.Errorf("%d differences, the first: %s", len(problems), problems[0])
	}
}

// backlog is what a job has in its backlog lane.
func (w *world) backlog(name string) run.Backlog {
	w.t.Helper()
	b, err := w.sys.Runs.Backlog(w.t.Context(), w.job(name).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// A first load that is too much for one run is done in slices, behind a run of
// changes that says so. The same execution does all of them.
func TestEverySliceOfALargeFirstLoadIsDone(t *testing.T) {
	if raced {
		t.Skip("takes minutes with the race detector; make test runs it without")
	}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := scaled(t, 10, 10_000)
		w.account(20, 5000)
		w.advance(time.Minute)
		res := w.run(chain)
		for _, line := range w.lines {
			t.Log(line)
		}
		if n := len(res.Runs); n < 3 {
			t.Errorf("%d runs", n)
		}
		w.agree()
	})
}

// open puts all records of a job into its backlog lane, as a weekly comparison does.
func (w *world) open(name string) {
	w.t.Helper()
	b := w.backlog(name)
	b.Opened, b.Spans = time.Now(), []run.Span{{Opened: time.Now()}}
	if err := w.bolt.Write(w.t.Context(), []table.Op{run.BacklogOp(b)}); err != nil {
		w.t.Fatal(err)
	}
}

// Chains that have the same jobs in opposite order keep no backlog from being done.
func TestBacklogsOfJobsInOppositeOrderAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := smallWorld(t)
		ended(t, "first", w.run(chain).Runs)
		other := jobchain.Chain{Name: "The other way", Jobs: []string{w.job(syncPeople).ID, w.job(syncCompanies).ID}}
		if _, err := w.sys.Chains.Save(t.Context(), other, "tester"); err != nil {
			t.Fatal(err)
		}
		w.open(syncCompanies)
		w.open(syncPeople)
		w.advance(time.Minute)
		for _, mode := range []run.Input{{Chain: chain.Chain, Mode: run.ModeBacklog}, {Chain: "The other way", Mode: run.ModeBacklog}} {
			w.run(mode)
		}
		for _, name := range []string{syncCompanies, syncPeople} {
			if left := w.backlog(name).Spans; len(left) != 0 {
				t.Errorf("%s has %d spans left, want none", name, len(left))
			}
		}
	})
}

// lanes are records that both lanes come to in the same second.
var lanes = []struct {
	name   string
	first  func(w *world) // before the run that begins
	second func(w *world) // in the middle of it, before the other one
	want   map[string]string
}{
	{
		"a change",
		func(w *world) { w.portal.Set("companies", "2", map[string]string{"name": "First"}) },
		func(w *world) { w.portal.Set("companies", "2", map[string]string{"name": "Second"}) },
		map[string]string{"1": "Company 1", "2": "Second", "3": "Company 3"},
	},
	{
		"a new record",
		func(w *world) {
			w.portal.Create("companies", map[string]string{"hs_object_id": "4", "name": "First"})
		},
		func(w *world) { w.portal.Set("companies", "4", map[string]string{"name": "Second"}) },
		map[string]string{"1": "Company 1", "2": "Company 2", "3": "Company 3", "4": "Second"},
	},
	{
		"one value and back",
		func(w *world) { w.portal.Set("companies", "2", map[string]string{"name": "First"}) },
		func(w *world) { w.portal.Set("companies", "2", map[string]string{"name": "Company 2"}) },
		map[string]string{"1": "Company 1", "2": "Company 2", "3": "Company 3"},
	},
	{
		"a deletion",
		func(w *world) {
			w.whenDeleted(job.WhenDeleted{Do: job.DoDelete})
			w.portal.Set("companies", "3", map[string]string{"name": "First"})
		},
		func(w *world) { w.portal.Archive("companies", "3") },
		map[string]string{"1": "Company 1", "2": "Company 2"},
	},
}

// Both lanes write one record in the same second, in every order: a run of the one
// lane begins, and before each of its writes a run of the other one comes in
// between. No lane undoes the other, and no row is there twice.
func TestNoLaneUndoesTheOther(t *testing.T) {
	slice, marked := run.Input{Job: syncCompanies, Mode: run.ModeBacklog}, run.Input{Job: syncCompanies, Mode: run.ModeMarked}
	for _, tt := range lanes {
		for _, order := range []struct {
			name          string
			begins, comes run.Input
		}{{"slice first", slice, marked}, {"change first", marked, slice}} {
			meet := func(t *testing.T, at int) (writes int) {
				synctest.Test(t, func(t *testing.T) {
					w := smallWorld(t)
					ended(t, "first", w.run(chain).Runs)
					w.advance(2 * time.Hour)
					tt.first(w)
					w.mark([]string{"2", "3", "4"}, nil)
					w.open(syncCompanies)
					w.advance(time.Second)
					done := make(chan struct{})
					met := at == 0
					w.gate.mu.Lock()
					w.gate.met, w.gate.meetAt, w.gate.meet = 0, at, func() {
						met = true
						w.advance(time.Millisecond) // no call takes less
						tt.second(w)
						w.mark([]string{"2", "3", "4"}, nil)
						input, _ := json.Marshal(order.comes)
						go func() {
							defer close(done)
							execute(t, w.sys, "other", string(input))
						}()
						w.advance(time.Second)
					}
					w.gate.mu.Unlock()
					if at == 0 {
						close(done)
					}
					w.run(order.begins)
					if writes = w.gate.metSoFar(); !met {
						return
					}
					<-done
					w.advance(time.Minute)
					w.run(marked) // what was marked meanwhile
					w.run(slice)
					w.advance(time.Minute)
					w.run(marked)
					if at == 0 {
						return
					}
					if d := cmp.Diff(tt.want, w.values("company", accountID, "Name")); d != "" {
						t.Errorf("write %d: companies (-want +got):\n%s", at, d)
					}
					rows := 0
					for range w.target.Rows("company") {
						rows++
					}
					if rows != len(tt.want) {
						t.Errorf("write %d: %d rows, want %d", at, rows, len(tt.want))
					}
					if n := w.marks(); n != 0 {
						t.Errorf("write %d: %d marks are left", at, n)
					}
					if b := w.backlog(syncCompanies); len(b.Spans) > 0 {
						t.Errorf("write %d: backlog %+v is left", at, b)
					}
				})
				return writes
			}
			t.Run(tt.name+", "+order.name, func(t *testing.T) {
				t.Parallel()
				writes := meet(t, 0)
				if writes < 8 {
					t.Fatalf("a run has %d writes, that cannot be all", writes)
				}
				for n := 1; n <= writes; n++ {
					meet(t, n)
				}
			})
		}
	}
}

// A backlog pauses while the permission is revoked and while no process runs, and
// goes on where it stood: the sweep sees to that.
func TestEveryPausedBacklogGoesOn(t *testing.T) {
	if raced {
		t.Skip("takes minutes with the race detector; make test runs it without")
	}
	t.Parallel()
	for _, tt := range []struct {
		name          string
		pause, resume func(t *testing.T, w *world)
	}{
		{"revoked", func(t *testing.T, w *world) {
			if _, err := w.sys.Connections.Revoke(t.Context(), w.connection, "tester"); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, w *world) {
			if err := w.consent(""); err != nil {
				t.Fatal(err)
			}
		}},
		{"deployed anew", func(_ *testing.T, w *world) { w.sys.Close() }, func(_ *testing.T, w *world) { w.start() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := scaled(t, 10, 10_000)
				w.account(20, 6000)
				w.advance(time.Minute)
				execute := func(name string) {
					begin(t, w, name)
					w.advance(9 * time.Hour)
				}
				execute("load")
				stood := w.backlog(syncPeople)
				if stood.Read == 0 || stood.Read >= stood.Total || stood.PerDay == 0 {
					t.Fatalf("the backlog is not at work: %+v", stood)
				}
				tt.pause(t, w)
				w.advance(12 * time.Hour)
				if b := w.backlog(syncPeople); b.Read >= b.Total {
					t.Fatalf("the backlog did not pause: %+v", b)
				}
				tt.resume(t, w)
				defer w.sys.Close()
				before := w.target.Count("person")
				if _, err := w.sys.Sweep.All(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.advance(24 * time.Hour)
				if b := w.backlog(syncPeople); len(b.Spans) > 0 {
					t.Errorf("left: %+v", b)
				}
				w.agree()
				// What the broken slice had delivered is not sent again.
				if sent := w.since()["gainsight.people"]; sent < 6000 || sent > 6000+200 {
					t.Errorf("%d people were sent, want 6,000 and few again; %d were there", sent, before)
				}
			})
		})
	}
}
