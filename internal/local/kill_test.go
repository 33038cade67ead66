package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// TestKilledAtRandomMomentsItEndsRight kills the process, gives the same command
// again until it comes to its end, changes HubSpot, and so on. The moment is a
// random call to a vendor and up to some milliseconds more, so that writes to the
// data folder between two calls are hit too.
func TestKilledAtRandomMomentsItEndsRight(t *testing.T) {
	tests := []struct {
		name   string
		size   hubspotsim.DemoOptions
		kills  int
		calls  int64 // within which a kill comes
		args   []string
		change func(w *world, n int, chance *rand.Rand)
	}{
		{"the chain", hubspotsim.DemoOptions{Companies: 150, Contacts: 250}, 50, 60, []string{"sync"}, (*world).change},
		// Users are few: Gainsight has 100 calls an hour for them.
		{"users", hubspotsim.DemoOptions{Owners: 60}, 10, 8, []string{"sync", "-job", "User Sync_HubSpot"}, (*world).changeOwners},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(20261124 + i)
			chance := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, hubspotsim.Options{
				Latency: 2 * time.Millisecond,
				// A run leaves the last seconds to the next one. Here every edit is older.
				Now: func() time.Time { return time.Now().Add(-time.Minute) },
			}, test.size)
			owners := test.size.Owners > 0
			ends, continued := 0, 0
			for killed := 0; killed < test.kills; {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd, stdout, stderr := w.command(ctx, test.args...)
				n, later := 1+chance.Int64N(test.calls), time.Duration(chance.Int64N(int64(8*time.Millisecond)))
				w.strike(cmd, n, func(p *os.Process) {
					time.AfterFunc(later, func() { _ = p.Kill() })
				})
				switch code := cmd.ProcessState.ExitCode(); {
				case ctx.Err() != nil:
					t.Fatalf("seed %d: after %d kills it does not end\n%s%s", seed, killed, stdout, stderr)
				case code == -1:
					killed++
					continue
				case code != 0:
					t.Fatalf("seed %d: after %d kills it ended with %d\n%s%s", seed, killed, code, stdout, stderr)
				}
				ends++
				if strings.Contains(stdout.String(), "This continues a run that had been cut off.") {
					continued++
				}
				w.right(owners)
				test.change(w, ends, chance)
			}
			w.succeed(test.args...)
			w.right(owners)
			writes := w.target.Writes()
			w.succeed(test.args...)
			if got := w.target.Writes() - writes; got != 0 {
				t.Errorf("nothing changed, but %d calls wrote", got)
			}
			t.Logf("%d kills, %d runs came to their end, %d of them after a kill", test.kills, ends, continued)
		})
	}
}

// change edits some records and adds some.
func (w *world) change(n int, chance *rand.Rand) {
	live := func(object, property string) []string {
		var ids []string
		w.portal.Each(object, func(r hubspotsim.Record) {
			// A company that had no name was rejected, and its contacts with it: they are
			// not read again when it gets one.
			if v, _ := r.Value(property); v != "" && !r.Archived && r.MergedInto == "" {
				ids = append(ids, r.ID)
			}
		})
		return ids
	}
	companies, contacts := live("companies", "name"), live("contacts", "email")
	for i := range 30 {
		w.portal.Set("companies", companies[chance.IntN(len(companies))], map[string]string{"name": fmt.Sprintf("Renamed %d-%d", n, i)})
		w.portal.Set("contacts", contacts[chance.IntN(len(contacts))], map[string]string{"lastname": fmt.Sprintf("Renamed %d-%d", n, i)})
	}
	for i := range 20 {
		id := w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("New %d-%d", n, i)})
		w.portal.Create("contacts", map[string]string{
			"email": fmt.Sprintf("new%d-%d@example.com", n, i), "firstname": "Nia", "lastname": "New", "associatedcompanyid": id,
		})
	}
}

// changeOwners renames some owners and adds some.
func (w *world) changeOwners(n int, chance *rand.Rand) {
	owners := w.portal.Owners()
	for i := range 2 {
		w.portal.SetOwner(owners[chance.IntN(len(owners))].ID, func(o *hubspotsim.Owner) { o.LastName = fmt.Sprintf("Renamed %d-%d", n, i) })
	}
	for i := range 10 {
		w.portal.AddOwner(hubspotsim.Owner{Email: fmt.Sprintf("owner%d-%d@customer.example", n, i), FirstName: "Nia", LastName: "New"})
	}
}
