package scenario

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
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
	w.advance(time.Minute)
	return w
}

var (
	userSync = run.Input{Job: "User Sync_HS"}
	chain    = run.Input{Chain: ootb.ChainName}
)

// edited changes some records, so that a second run has updates, an insert and
// an unchanged record.
func (w *world) edited() {
	w.portal.Set("companies", "2", map[string]string{"name": "Company 2 Group"})
	w.portal.Set("contacts", "12", map[string]string{"firstname": ""})
	w.portal.Create("contacts", map[string]string{
		"hs_object_id": "21", "email": "new@a.example", "firstname": "New", "lastname": "L", "associatedcompanyid": "2",
	})
	w.advance(time.Minute)
}

// holds checks every guarantee after a run that was disturbed.
func (w *world) holds(t *testing.T, what string, owners bool) {
	t.Helper()
	for _, problem := range truth.Compare(w.portal, w.target, owners).Problems {
		t.Errorf("%s: %s", what, problem)
	}
	if n := len(w.errors); n > 0 {
		seen := map[string]int{}
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.errors[n-1], "\uFEFF"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			if seen[line[0]]++; seen[line[0]] > 1 {
				t.Errorf("%s: record %s is in the error file twice", what, line[0])
			}
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

// TestEveryWriteCanBeLost loses each write of a run in each way: the request,
// the answer, or the process with it. After the run has gone on, all guarantees
// hold, and another run finds nothing to write.
func TestEveryWriteCanBeLost(t *testing.T) {
	for _, phase := range []struct {
		name string
		in   run.Input
		// before brings the world to where the disturbed run starts.
		before func(*world)
		owners bool
	}{
		{"first chain", chain, func(*world) {}, false},
		{"users", userSync, func(w *world) { w.run(chain) }, true},
		{"changes", chain, func(w *world) { w.run(chain); w.edited() }, false},
	} {
		t.Run(phase.name, func(t *testing.T) {
			writes := 0
			synctest.Test(t, func(t *testing.T) {
				w := smallWorld(t)
				phase.before(w)
				ended(t, "undisturbed", w.run(phase.in).Runs)
				writes = w.gate.writes
			})
			if writes < 10 {
				t.Fatalf("a run has %d writes, that cannot be all", writes)
			}
			for n := 1; n <= writes; n++ {
				for _, loss := range losses {
					synctest.Test(t, func(t *testing.T) { disturb(t, phase.in, phase.before, phase.owners, n, loss) })
				}
			}
		})
	}
}

func disturb(t *testing.T, in run.Input, before func(*world), owners bool, n int, loss Loss) {
	what := fmt.Sprintf("write %d: %s", n, loss)
	w := smallWorld(t)
	before(w)
	w.at, w.loss = n, loss
	res := w.run(in)
	ended(t, what, res.Runs)
	w.holds(t, what, owners)
	w.calls = w.counters()
	again := w.run(in)
	ended(t, what+", again", again.Runs)
	w.holds(t, what+", again", owners)
	for class, calls := range w.since() {
		if class == "gainsight.insert" || class == "gainsight.update" || class == "gainsight.people" || class == "gainsight.users" {
			t.Errorf("%s: with nothing changed, a second run made %d calls of %s", what, calls, class) // Guarantee 7
		}
	}
}
