package scenario

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/ootb"
)

var million = flag.Bool("million", false, "load a million contacts at Gainsight's own limits; takes some minutes")

// load is a first load that takes weeks, beside which HubSpot changes every day.
type load struct {
	contacts, companies int
	minute, day         int // calls to Gainsight
	edits               int // a day
	partSize            int
}

// A first load of as many people as fill three weeks ends within them. The changes
// of every day arrive on that day, no quota is exceeded, and what the connector
// remembers in memory does not grow.
func TestEveryDaysChangesArriveBesideALoadOfWeeks(t *testing.T) {
	if raced || testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		weeks(t, load{contacts: 20_000, companies: 50, minute: 100, day: 1000, edits: 12, partSize: 500})
	})
}

// The same at full size.
func TestAMillionContactsAreLoadedInThreeWeeks(t *testing.T) {
	if !*million {
		t.Skip("give -million")
	}
	synctest.Test(t, func(t *testing.T) {
		weeks(t, load{contacts: 1_000_000, companies: 1000, minute: 100, day: 50_000, edits: 200})
	})
}

func weeks(t *testing.T, l load) {
	w := unauthorizedWorld(t, hubspotsim.Options{Latency: 50 * time.Millisecond}, l.partSize)
	w.limits.GainsightDay.Calls, w.limits.GainsightDay.Per, w.limits.GainsightDay.Fixed = l.day, 24*time.Hour, true
	w.start()
	w.advance(7 * time.Hour) // of the day
	w.authorize()
	w.account(l.companies, l.contacts)
	w.advance(2 * time.Hour)
	calls := w.perDay()
	w.source.SetFault(nil)
	start := time.Now()
	begin(t, w, "load")
	defer w.sys.Close()

	var took time.Duration
	var heap [3]uint64 // after 3 days, after 10, and at the end
	for days := 1; took == 0 && days <= 23; days++ {
		want := w.editContacts(l, days)
		w.advance(3 * time.Hour)
		begin(t, w, fmt.Sprint("day-", days))
		w.advance(6 * time.Hour)
		got := w.values("person", "Email", "FirstName")
		missing := 0
		for email, name := range want {
			if got[email] != name {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("day %d: %d of %d changes did not arrive", days, missing, len(want))
		}
		b := w.backlog(syncPeople)
		if days%5 == 1 {
			t.Logf("day %d: %d of %d read, %d people, %d a day", days, b.Read, b.Total, len(got), b.PerDay)
		}
		if days == 3 || days == 10 {
			heap[days/10] = used()
		}
		for range 15 {
			if b := w.backlog(syncPeople); took == 0 && len(b.Spans) == 0 {
				took = time.Since(start)
			}
			w.advance(time.Hour)
		}
	}
	heap[2] = used()
	if perRow := int(heap[2]-heap[1]) / (l.contacts / 2); perRow > 2000 { // the simulators hold the rows
		t.Errorf("memory grew by %d bytes with each person", perRow)
	}
	if took == 0 || took > 21*24*time.Hour {
		t.Errorf("the load took %s, want at most 21 days", took)
	}
	if took < 15*24*time.Hour {
		t.Errorf("the load took %s: it was not bound by the quota", took)
	}
	for day, n := range calls() {
		if n > l.day {
			t.Errorf("%d calls on %s, the quota has %d", n, day, l.day)
		}
	}
	if n := w.source.Throttled() + w.target.Throttled(); n > 0 {
		t.Errorf("%d calls met a spent quota, want none", n) // Guarantee 8
	}
	w.advance(time.Hour)
	w.agree()
	t.Logf("heap in MB: %d after 3 days, %d after 10, %d at the end, after %.1f days", heap[0]>>20, heap[1]>>20, heap[2]>>20, took.Hours()/24)
}

func begin(t *testing.T, w *world, name string) {
	t.Helper()
	if err := w.sys.Machines.Start(t.Context(), name, fmt.Appendf(nil, `{"chain":%q}`, ootb.ChainName)); err != nil {
		t.Fatal(err)
	}
}

// used is the memory that is reachable.
func used() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perDay counts the calls to Gainsight. :: day → calls
func (w *world) perDay() func() map[string]int {
	var mu sync.Mutex
	counts := map[string]int{}
	w.target.SetFault(func(*http.Request, int) *gainsightsim.Fault {
		mu.Lock()
		defer mu.Unlock()
		counts[time.Now().UTC().Format(time.DateOnly)]++
		return nil
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return counts
	}
}

// editContacts edits some contacts all over the account, those that are loaded and
// those that are not, and creates one. It returns the names that must arrive. ::
// e-mail → first name
func (w *world) editContacts(l load, day int) map[string]string {
	want := map[string]string{}
	for i := range l.edits {
		n := (i*l.contacts/l.edits + day*37) % l.contacts
		name := fmt.Sprintf("Day %d", day)
		w.portal.Set("contacts", fmt.Sprint(100_001+n), map[string]string{"firstname": name})
		want[fmt.Sprintf("c%d@a.example", n)] = name
	}
	email := fmt.Sprintf("new%d@a.example", day)
	w.portal.Create("contacts", map[string]string{"email": email, "firstname": "New", "lastname": "L", "associatedcompanyid": "1"})
	want[email] = "New"
	return want
}
