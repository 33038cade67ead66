package budget_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// start is the start of a minute and of a day.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// counting counts the calls of a table.
type counting struct {
	table.Table
	gets, puts int
	put        func(next func() (table.Item, error)) (table.Item, error) // nil = next
}

func (c *counting) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.gets++
	return c.Table.Get(ctx, key)
}

func (c *counting) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	c.puts++
	next := func() (table.Item, error) { return c.Table.Put(ctx, item, cond) }
	if c.put != nil {
		return c.put(next)
	}
	return next()
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// open returns an empty table in the folder.
func open(t tester, dir string, now func() time.Time) (*counting, func()) {
	t.Helper()
	opened, err := bolttable.Open(filepath.Join(dir, "data.db"), bolttable.Options{Now: now, NoSync: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return &counting{Table: opened}, func() { _ = opened.Close() }
}

// one returns a budget of the windows at start.
func one(t *testing.T, windows ...budget.Window) (*budget.Budget, *clock, *counting) {
	t.Helper()
	c := &clock{at: start}
	tab, closeTable := open(t, t.TempDir(), c.now)
	t.Cleanup(closeTable)
	return &budget.Budget{Table: tab, Name: "test", Windows: windows, Now: c.now}, c, tab
}

// drain takes all calls there are now; it returns how many and when the next is.
func drain(t *testing.T, b *budget.Budget) (calls int, next time.Time) {
	t.Helper()
	for {
		err := b.Take(t.Context())
		if fault.Is(err, fault.Throttled) {
			return calls, fault.ResumeAt(err)
		}
		if err != nil {
			t.Fatalf("take: %v", err)
		}
		calls++
	}
}

func TestFixedWindowGivesItsPlannedCallsAtOnce(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 100, Per: time.Minute, Fixed: true})
	b.Vendor = "Gainsight"
	c.at = start.Add(40 * time.Second)
	calls, next := drain(t, b)
	if want := start.Add(time.Minute); calls != 96 || !next.Equal(want) {
		t.Errorf("%d calls, the next at %v; want 96 and %v", calls, next, want)
	}
	if got, want := fault.MessageOf(b.Take(t.Context())), "Gainsight's call quota is spent until 00:01:00."; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	c.at = next
	if calls, _ := drain(t, b); calls != 96 {
		t.Errorf("%d calls in the next window, want 96", calls)
	}
}

func TestFixedWindowGivesNothingInItsLastHalfSecond(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 100, Per: time.Minute, Fixed: true})
	c.at = start.Add(59*time.Second + 500*time.Millisecond)
	if calls, next := drain(t, b); calls != 0 || !next.Equal(start.Add(time.Minute)) {
		t.Errorf("%d calls, the next at %v; want none before the next window", calls, next)
	}
	c.at = c.at.Add(-time.Millisecond)
	b.Lease = 5
	if err := b.Take(t.Context()); err != nil {
		t.Fatalf("just before: %v", err)
	}
	c.at = c.at.Add(time.Millisecond)
	if err := b.Take(t.Context()); !fault.Is(err, fault.Throttled) {
		t.Errorf("a leased call in the last half second: %v, want Throttled", err)
	}
}

func TestRollingWindowGivesAllItsCallsOncePerWindow(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 110, Per: 10 * time.Second})
	first, next := drain(t, b)
	if first != 110 {
		t.Errorf("%d calls at the start, want 110", first)
	}
	if after := next.Sub(start); after < 10*time.Second || after > 10500*time.Millisecond {
		t.Errorf("the next call after %v, want the margin of 4 %% after 10 s", after)
	}
	c.at = next.Add(-time.Millisecond)
	if calls, again := drain(t, b); calls != 0 || !again.Equal(next) {
		t.Errorf("%d calls before the announced time", calls)
	}
	c.at = next
	if calls, _ := drain(t, b); calls != 110 {
		t.Errorf("%d calls at the announced time, want 110", calls)
	}
}

func TestCallsSatisfyAllWindows(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 10, Per: time.Minute, Fixed: true}, budget.Window{Calls: 26, Per: 24 * time.Hour, Fixed: true})
	var got []int
	for range 4 {
		calls, _ := drain(t, b)
		got = append(got, calls)
		c.at = c.at.Add(time.Minute)
	}
	if diff := cmp.Diff([]int{9, 9, 6, 0}, got); diff != "" { // 96 % of 10 and of 26
		t.Errorf("calls per minute (-want +got):\n%s", diff)
	}
	_, next := drain(t, b)
	if want := start.Add(24 * time.Hour); !next.Equal(want) {
		t.Errorf("the next at %v, want the next day", next)
	}
	if got, want := fault.MessageOf(b.Take(t.Context())), "test's call quota is spent until 00:00 on 6 January."; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func TestLoweredBudgetPausesHalvesAndRecovers(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 100, Per: time.Minute, Fixed: true}, budget.Window{Calls: 50_000, Per: 24 * time.Hour, Fixed: true})
	if err := b.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // three calls were refused at once
		if err := b.Lower(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if calls, next := drain(t, b); calls != 0 || !next.Equal(start.Add(time.Minute)) {
		t.Errorf("%d calls after a refusal, the next at %v; want none in this window", calls, next)
	}
	var got []int
	for range 7 {
		c.at = c.at.Add(time.Minute)
		calls, _ := drain(t, b)
		got = append(got, calls)
	}
	if diff := cmp.Diff([]int{48, 57, 67, 76, 86, 96, 96}, got); diff != "" {
		t.Errorf("calls per minute (-want +got):\n%s", diff)
	}
}

func TestLoweredBudgetWaitsAsLongAsTheVendorSays(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 100, Per: 10 * time.Second})
	if err := b.Lower(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, next := drain(t, b); !next.Equal(start.Add(time.Second)) {
		t.Errorf("a rolling window goes on at %v, want one second later", next)
	}
	until := start.Add(17*time.Second + 300*time.Millisecond)
	if err := b.Lower(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	if err := b.Lower(t.Context(), time.Time{}); err != nil { // a shorter pause ends none
		t.Fatal(err)
	}
	if calls, next := drain(t, b); calls != 0 || !next.Equal(until) {
		t.Errorf("%d calls, the next at %v; want %v", calls, next, until)
	}
	c.at = until
	if calls, _ := drain(t, b); calls != 50 {
		t.Errorf("%d calls after it, want half of 100", calls)
	}
}

func TestLoweringEndsTheLease(t *testing.T) {
	b, _, _ := one(t, budget.Window{Calls: 100, Per: 10 * time.Second})
	b.Lease = 10
	if err := errors.Join(b.Take(t.Context()), b.Take(t.Context()), b.Lower(t.Context(), time.Time{})); err != nil {
		t.Fatal(err) // the second is the first of a lease of two
	}
	if err := b.Take(t.Context()); !fault.Is(err, fault.Throttled) {
		t.Errorf("a leased call after a refusal: %v, want Throttled", err)
	}
	if used, err := b.Usage(t.Context()); err != nil || used[0].Calls != 2 {
		t.Errorf("%+v used, %v; want the two that were sent", used, err)
	}
}

func TestLeaseGrowsWithItsUseAndGivesBackWhatIsNotUsed(t *testing.T) {
	b, c, tab := one(t, budget.Window{Calls: 100, Per: 10 * time.Second})
	b.Lease = 10
	for range 20 {
		if err := b.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if tab.gets != 1 || tab.puts != 5 { // 1, 2, 4, 8 and 10 calls
		t.Errorf("20 calls cost %d reads and %d writes, want 1 and 5", tab.gets, tab.puts)
	}
	used := 20
	for range 9 { // a slow worker uses one call of each lease
		c.at = c.at.Add(1001 * time.Millisecond)
		if err := b.Take(t.Context()); err != nil {
			t.Fatalf("after %d calls: %v", used, err)
		}
		used++
	}
	got, err := b.Usage(t.Context())
	if err != nil || got[0].Calls != used {
		t.Errorf("%+v used, %v; want %d", got, err, used)
	}
}

func TestCallsOfALostAnswerStayTaken(t *testing.T) {
	b, _, tab := one(t, budget.Window{Calls: 10, Per: 10 * time.Second})
	lost := fault.New(fault.Transient, "The table did not answer.")
	tab.put = func(next func() (table.Item, error)) (table.Item, error) {
		if _, err := next(); err != nil {
			return table.Item{}, err
		}
		tab.put = nil
		return table.Item{}, lost
	}
	if err := b.Take(t.Context()); !errors.Is(err, lost) {
		t.Errorf("take: %v, want the table's error", err)
	}
	if calls, _ := drain(t, b); calls != 9 {
		t.Errorf("%d calls after a lost answer, want 9 of 10", calls)
	}
}

func TestSlowTableDelaysNoCallIntoTheNextWindow(t *testing.T) {
	b, c, tab := one(t, budget.Window{Calls: 10, Per: time.Minute, Fixed: true})
	c.at = start.Add(59 * time.Second)
	tab.put = func(next func() (table.Item, error)) (table.Item, error) {
		item, err := next()
		c.at = c.at.Add(700 * time.Millisecond)
		tab.put = nil
		return item, err
	}
	if err := b.Take(t.Context()); !fault.Is(err, fault.Throttled) {
		t.Errorf("a call that the table gave too late: %v, want Throttled", err)
	}
	c.at = start.Add(time.Minute)
	if calls, _ := drain(t, b); calls != 9 {
		t.Errorf("%d calls in the next window, want all 9", calls)
	}
}

func TestItemIsSmall(t *testing.T) {
	b, c, tab := one(t, budget.Window{Calls: 110, Per: 10 * time.Second}, budget.Window{Calls: 250_000, Per: 24 * time.Hour, Fixed: true})
	for range 1000 {
		if err := b.Take(t.Context()); err != nil && !fault.Is(err, fault.Throttled) {
			t.Fatal(err)
		}
		c.at = c.at.Add(91 * time.Millisecond)
	}
	item, err := tab.Get(t.Context(), table.Key{Partition: "BUDGET#test", Sort: "calls"})
	if err != nil || len(item.Doc) > 700 {
		t.Errorf("the item has %d bytes, %v; want ≤ 700: %s", len(item.Doc), err, item.Doc)
	}
}

// server counts arrivals as the vendor does.
type server struct {
	windows  []budget.Window
	arrivals []time.Time
}

// most returns the most calls that arrived in any window w.
func (s *server) most(w budget.Window) int {
	sorted := slices.SortedFunc(slices.Values(s.arrivals), time.Time.Compare)
	most, first := 0, 0
	for i, at := range sorted {
		for w.Fixed && sorted[first].UnixNano()/int64(w.Per) != at.UnixNano()/int64(w.Per) || !w.Fixed && at.Sub(sorted[first]) >= w.Per {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Any processes, at any times, with calls that arrive later by any time within
// the margin: the vendor never sees more calls than it allows.
func TestNoWindowIsEverExceeded(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		c := &clock{at: start.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start")))}
		tab, closeTable := open(t, filepath.Dir(filepath.Join(dir, fmt.Sprint(n))), c.now)
		defer closeTable()
		windows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) budget.Window {
			return budget.Window{
				Calls: rapid.IntRange(1, 30).Draw(t, "calls"), Fixed: rapid.Bool().Draw(t, "fixed"),
				Per: time.Duration(rapid.IntRange(1, 60).Draw(t, "per")) * time.Second,
			}
		}), 1, 3).Draw(t, "windows")
		late := 499 * time.Millisecond // no call may arrive later
		for _, w := range windows {
			late = min(late, w.Per/26) // 1/0.96 − 1 of a rolling, 1/20 of a fixed window
		}
		var processes []*budget.Budget
		for range rapid.IntRange(1, 3).Draw(t, "processes") {
			processes = append(processes, &budget.Budget{
				Table: tab, Name: fmt.Sprint("law", n), Windows: windows, Now: c.now,
				Lease: rapid.IntRange(0, 7).Draw(t, "lease"),
			})
		}
		s := &server{windows: windows}
		for range rapid.IntRange(10, 300).Draw(t, "steps") {
			b := rapid.SampledFrom(processes).Draw(t, "process")
			switch err := b.Take(context.Background()); {
			case err == nil:
				s.arrivals = append(s.arrivals, c.at.Add(time.Duration(rapid.Int64Range(0, int64(late)).Draw(t, "late"))))
			case !fault.Is(err, fault.Throttled):
				t.Fatalf("take: %v", err)
			case !fault.ResumeAt(err).After(c.at):
				t.Fatalf("throttled at %v until %v", c.at, fault.ResumeAt(err))
			case rapid.Bool().Draw(t, "wait"):
				c.at = fault.ResumeAt(err)
			}
			if rapid.IntRange(0, 3).Draw(t, "pass") == 0 {
				c.at = c.at.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "time")))
			}
			if rapid.IntRange(0, 60).Draw(t, "refused") == 0 {
				if err := b.Lower(context.Background(), time.Time{}); err != nil {
					t.Fatalf("lower: %v", err)
				}
			}
		}
		for _, w := range windows {
			if most := s.most(w); most > w.Calls {
				t.Fatalf("%d calls arrived in a window of %+v", most, w)
			}
		}
	})
}

func TestPlentyOfWorkUsesNearlyAllCalls(t *testing.T) {
	tests := []struct {
		name      string
		window    budget.Window
		processes int
		lease     int
	}{
		{"rolling, one process", budget.Window{Calls: 110, Per: 10 * time.Second}, 1, 1},
		{"rolling, one process, leases", budget.Window{Calls: 110, Per: 10 * time.Second}, 1, 5},
		{"rolling, three processes, leases", budget.Window{Calls: 190, Per: 10 * time.Second}, 3, 5},
		{"rolling, a second", budget.Window{Calls: 5, Per: time.Second}, 1, 1},
		{"fixed, one process", budget.Window{Calls: 100, Per: time.Minute, Fixed: true}, 1, 1},
		{"fixed, three processes, leases", budget.Window{Calls: 100, Per: time.Minute, Fixed: true}, 3, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				tab, closeTable := open(t, dir, time.Now)
				defer closeTable()
				var (
					s     = &server{windows: []budget.Window{tt.window}}
					mu    sync.Mutex
					group sync.WaitGroup
				)
				const windows = 20
				time.Sleep(time.Until(time.Now().Truncate(tt.window.Per).Add(tt.window.Per)))
				end := time.Now().Add(windows * tt.window.Per)
				for range tt.processes {
					b := &budget.Budget{Table: tab.Table, Name: "work", Windows: s.windows, Lease: tt.lease}
					for range 6 { // workers with calls of 300 ms
						group.Go(func() {
							for time.Now().Before(end) {
								err := b.Take(t.Context())
								if at := fault.ResumeAt(err); !at.IsZero() {
									time.Sleep(time.Until(at))
									continue
								}
								if err != nil {
									t.Error(err)
									return
								}
								mu.Lock()
								s.arrivals = append(s.arrivals, time.Now())
								mu.Unlock()
								time.Sleep(300 * time.Millisecond)
							}
						})
					}
				}
				group.Wait()
				if most := s.most(tt.window); most > tt.window.Calls {
					t.Errorf("%d calls in a window of %d", most, tt.window.Calls)
				}
				if want := windows * tt.window.Calls * 95 / 100; len(s.arrivals) < want {
					t.Errorf("%d calls in %d windows of %d, want at least %d", len(s.arrivals), windows, tt.window.Calls, want)
				}
			})
		})
	}
}

func TestUsageCountsEachWindow(t *testing.T) {
	b, c, _ := one(t, budget.Window{Calls: 50, Per: 10 * time.Second}, budget.Window{Calls: 1000, Per: time.Hour, Fixed: true})
	for range 3 {
		if err := b.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(5 * time.Second)
	}
	got, err := b.Usage(t.Context())
	want := []budget.Used{{Window: b.Windows[0], Calls: 2}, {Window: b.Windows[1], Calls: 3}}
	c.at = c.at.Add(-2 * time.Second)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("usage: %v (-want +got):\n%s", err, diff)
	}
}

func TestBrokenItemIsAnError(t *testing.T) {
	b, _, tab := one(t, budget.Window{Calls: 50, Per: 10 * time.Second})
	key := table.Key{Partition: "BUDGET#test", Sort: "calls"}
	for _, doc := range []string{`{`, `{"w":{"r10s":[1]}}`} {
		if _, err := tab.Table.Put(t.Context(), table.Item{Key: key, Doc: []byte(doc)}, table.Condition{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Take(t.Context()); err == nil || !strings.Contains(err.Error(), "share budget test") {
			t.Errorf("take from %s: %v, want an error", doc, err)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	for _, lease := range []int{1, 10} {
		b.Run(fmt.Sprintf("Lease=%d", lease), func(b *testing.B) {
			c := &clock{at: start}
			tab, closeTable := open(b, b.TempDir(), c.now)
			defer closeTable()
			budget := &budget.Budget{
				Table: tab, Name: "bench", Lease: lease, Now: c.now,
				Windows: []budget.Window{{Calls: 110, Per: 10 * time.Second}, {Calls: 1 << 40, Per: 24 * time.Hour, Fixed: true}},
			}
			for b.Loop() {
				if err := budget.Take(b.Context()); err != nil {
					b.Fatal(err)
				}
				c.at = c.at.Add(100 * time.Millisecond)
			}
		})
	}
}
