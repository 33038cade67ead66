package scenario

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
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

// equal fails the test where both sides differ.
func (w *world) equal() {
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
func TestALargeFirstLoadIsDoneInSlices(t *testing.T) {
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
		w.equal()
	})
}
