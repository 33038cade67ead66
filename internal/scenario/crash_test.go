package scenario

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

// losses are all that can become of a write.
var losses = []Loss{RequestLost, AnswerLost, Dead, DeadBefore}

// smallWorld has records of every outcome: two owners, three companies, and five
// contacts of which one has no company.
func smallWorld(t *testing.T) *world {
	w := newWorld(t, hubspotsim.Options{}, 2) // parts of two records, so that there are several
	for _, id := range []string{"71", "72"} {
		w.portal.AddOwner(hubspotsim.Owner{ID: id, Email: "o" + id + "@us.example", FirstName: "O" + id, LastName: "Lee"})
	}
	for _, id := range []string{"1", "2", "3"} {
		w.portal.Create("companies", map[string]string{"hs_object_id": id, "name": "Company " + id})
	}
	for i, company := range []string{"1", "2", "3", "1", "999"} {
		id := fmt.Sprint(11 + i)
		w.portal.Create("contacts", map[string]string{
			"hs_object_id": id, "email": "c" + id + "@a.example", "firstname": "F" + id, "lastname": "L", "associatedcompanyid": company,
		})
	}
	w.sharedEmails()
	w.advance(time.Minute)
	return w
}

// sharedEmails lets several contacts have one e-mail, as far as the job of people
// knows: it identifies them by a formula, which nobody keeps unique.
func (w *world) sharedEmails() {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), "Company Person Sync_HS")
	if err != nil {
		w.t.Fatal(err)
	}
	j.Mapping.Formulas = append(j.Mapping.Formulas, mapping.Formula{Name: "address", Type: "string", Expression: "email"})
	for i := range j.Mapping.Direct {
		if j.Mapping.Direct[i].To == "Person::Email" {
			j.Mapping.Direct[i].From = "address"
		}
	}
	if _, err := w.sys.Jobs.Save(w.t.Context(), j, "tester"); err != nil {
		w.t.Fatal(err)
	}
}

var (
	userSync = run.Input{Job: "User Sync_HS"}
	chain    = run.Input{Chain: ootb.ChainName}
)

// edited changes some records, so that a second run has updates, an insert, an
// unchanged record, and a contact that is rejected at Gainsight's side only: its
// e-mail belongs to another one.
func (w *world) edited() {
	w.portal.Set("companies", "2", map[string]string{"name": "Company 2 Group"})
	w.portal.Set("contacts", "12", map[string]string{"firstname": ""})
	for id, email := range map[string]string{"21": "new@a.example", "22": "C11@a.example"} {
		w.portal.Create("contacts", map[string]string{
			"hs_object_id": id, "email": email, "firstname": "New", "lastname": "L", "associatedcompanyid": "2",
		})
	}
	w.advance(time.Minute)
}

// holds checks every guarantee after a run that was disturbed. It knows that all
// records of the small world are in the window of each run.
func (w *world) holds(t *testing.T, what string, owners bool, runs []run.Run) {
	t.Helper()
	for _, problem := range truth.Compare(w.portal, w.target, owners).Problems {
		t.Errorf("%s: %s", what, problem)
	}
	for _, r := range runs {
		outcomes := map[run.Outcome]int{}
		rejected := map[string]int{} // :: source id → lines in the error file
		for id, p := range w.prints(r.Job) {
			if p.Outcome == run.Rejected {
				rejected[id] = 1
			}
			if p.Run == r.ID {
				outcomes[p.Outcome]++
			}
		}
		if c := r.Counts; outcomes[run.Inserted] != c.Inserted || outcomes[run.Updated] != c.Updated || len(rejected) != c.Rejected {
			t.Errorf("%s: %s counts %+v, but remembers %v and %d rejected", what, r.JobName, c, outcomes, len(rejected))
		}
		if mark := w.watermark(r.JobName); mark.Run != r.ID {
			t.Errorf("%s: %s has the watermark of run %q, want its own", what, r.JobName, mark.Run)
		}
		listed := map[string]int{}
		if r.ErrorFile != "" {
			listed = w.errorIDs(r.ErrorFile)
		}
		if d := cmp.Diff(rejected, listed); d != "" {
			t.Errorf("%s: rejects and lines of the error file of %s (-want +got):\n%s", what, r.JobName, d)
		}
	}
}

// ended checks that each run of a result is over and that its sums add up.
func ended(t *testing.T, what string, runs []run.Run) {
	t.Helper()
	if len(runs) == 0 {
		t.Errorf("%s: nothing ran", what)
	}
	for _, r := range runs {
		if r.Status != run.Success && r.Status != run.Partial {
			t.Errorf("%s: %s ended as %s: %s", what, r.JobName, r.Status, r.Reason)
		}
		if r.Counts.Settled() != r.Counts.Extracted { // Guarantee 1
			t.Errorf("%s: %s read %d records and settled %d", what, r.JobName, r.Counts.Extracted, r.Counts.Settled())
		}
	}
}

// phase is a run that is disturbed.
type phase struct {
	name string
	in   run.Input
	// before brings the world to where the run starts.
	before func(*world)
	owners bool
}

func phases() []phase {
	return []phase{
		{"first chain", chain, func(*world) {}, false},
		{"users", userSync, func(w *world) { w.run(chain) }, true},
		{"with an index of all rows", companySync, func(w *world) {
			for i := range 5 {
				w.portal.Archive("contacts", fmt.Sprint(11+i))
			}
			w.indexFrom = 1
			w.start()
		}, false},
		{"changes", chain, func(w *world) { w.run(chain); w.edited() }, false},
	}
}

// TestEveryWriteCanBeLost loses each write of a run in each way: the request,
// the answer, or the process with it. After the run has gone on, all guarantees
// hold, and another run finds nothing to write.
func TestEveryWriteCanBeLost(t *testing.T) {
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			writes := 0
			p.disturb(t, "undisturbed", func(*world) {}, func(w *world) { writes = w.gate.writes })
			if writes < 10 {
				t.Fatalf("a run has %d writes, that cannot be all", writes)
			}
			for n := 1; n <= writes; n++ {
				for i, loss := range losses {
					if !turn(n, i) {
						continue
					}
					what := fmt.Sprintf("write %d: %s", n, loss)
					p.disturb(t, what, func(w *world) { w.at, w.loss = n, loss }, func(*world) {})
				}
			}
		})
	}
}

// TestEveryCallToGainsightCanFail spoils each single call of a run to Gainsight,
// in each way that leaves open whether it had an effect.
func TestEveryCallToGainsightCanFail(t *testing.T) {
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			p.disturb(t, "undisturbed", func(w *world) { calls = w.arrivals(nil)() }, func(w *world) { calls = w.arrivals(nil)() - calls })
			if calls < 3 {
				t.Fatalf("a run has %d calls to Gainsight, that cannot be all", calls)
			}
			for n := 1; n <= calls; n++ {
				for i, kind := range []string{"lost", "reset", "502", "cut4"} {
					if !turn(n, i) {
						continue
					}
					what := fmt.Sprintf("call %d: %s", n, kind)
					p.disturb(t, what, func(w *world) { w.arrivals(map[int]string{n: kind}) }, func(*world) {})
				}
			}
		})
	}
}

// turn reports whether the nth place is disturbed in the way i of four. Under the
// race detector, which is slow, each place is disturbed in one of them.
func turn(n, i int) bool { return !raced || (n+i)%4 == 0 }

// arrivals spoils the nth calls to Gainsight from now on, and returns a function
// that tells how many calls there were since the world began.
func (w *world) arrivals(spoiled map[int]string) func() int {
	var mu sync.Mutex
	n := 0
	w.target.SetFault(func(*http.Request, int) *gainsightsim.Fault {
		mu.Lock()
		defer mu.Unlock()
		n++
		return gainsightKind(spoiled[n])
	})
	return func() int {
		all := 0
		for class, calls := range w.counters() {
			if strings.HasPrefix(class, "gainsight.") && class != "gainsight.throttled" {
				all += calls
			}
		}
		return all
	}
}

// disturb runs the phase in a small world of its own that spoil has prepared, and
// checks all that is guaranteed, and that another run writes nothing. done sees
// the world right behind the disturbed run.
func (p phase) disturb(t *testing.T, what string, spoil, done func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := smallWorld(t)
		p.before(w)
		spoil(w)
		res := w.run(p.in)
		done(w)
		ended(t, what, res.Runs)
		w.holds(t, what, p.owners, res.Runs)
		writes, prints := w.target.Writes(), w.printWrites()
		remembered := map[string]any{}
		for _, r := range res.Runs {
			remembered[r.Job] = maps.Clone(w.prints(r.Job))
		}
		w.advance(time.Minute)
		again := w.run(p.in)
		ended(t, what+", again", again.Runs)
		for _, problem := range truth.Compare(w.portal, w.target, p.owners).Problems {
			t.Errorf("%s, again: %s", what, problem)
		}
		if n := w.target.Writes() - writes; n != 0 { // Guarantee 7
			t.Errorf("%s: with nothing changed, a second run made %d writes at Gainsight", what, n)
		}
		if n := w.printWrites() - prints; n != 0 {
			t.Errorf("%s: with nothing changed, a second run wrote %d prints", what, n)
		}
		for _, r := range again.Runs {
			if d := cmp.Diff(remembered[r.Job], any(w.prints(r.Job))); d != "" {
				t.Errorf("%s: what is remembered of %s changed in a second run:\n%s", what, r.JobName, d)
			}
		}
	})
}
