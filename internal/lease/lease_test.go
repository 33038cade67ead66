package lease_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// world is a store with a clock of its own.
type world struct {
	*lease.Store
	at    time.Time
	table *bolttable.Table
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func open(t tester, dir string) *world {
	t.Helper()
	w := &world{at: time.Date(2026, 1, 5, 12, 0, 0, 300e6, time.UTC)}
	now := func() time.Time { return w.at }
	opened, err := bolttable.Open(filepath.Join(dir, "data.db"), bolttable.Options{Now: now, NoSync: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	w.table = opened
	w.Store = &lease.Store{Table: opened, Now: now}
	return w
}

func start(t *testing.T) *world {
	w := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := w.table.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) acquire(t *testing.T, owner string, fence int64) lease.Lease {
	t.Helper()
	l, err := w.Acquire(t.Context(), "job#changes", owner)
	if err != nil || l != (lease.Lease{Name: "job#changes", Owner: owner, Fence: fence}) {
		t.Fatalf("acquire for %s: %+v, %v; want fence %d", owner, l, err, fence)
	}
	return l
}

func (w *world) wantHeld(t *testing.T, owner, by string) {
	t.Helper()
	_, err := w.Acquire(t.Context(), "job#changes", owner)
	held, ok := errors.AsType[*lease.HeldError](err)
	if !fault.Is(err, fault.Conflict) || !ok || held.Owner != by {
		t.Errorf("acquire for %s: %v, want it held by %s", owner, err, by)
	}
}

// guarded writes an item under the lease.
func (w *world) guarded(l lease.Lease) error {
	item := table.New(table.Key{Partition: "WORK", Sort: "a"}, l.Owner)
	return w.Table.Write(context.Background(), []table.Op{l.Check(), {Verb: table.Put, Item: item}})
}

func TestLeaseIsForOneOwner(t *testing.T) {
	w := start(t)
	w.acquire(t, "a", 1)
	w.wantHeld(t, "b", "a")
	w.acquire(t, "a", 1) // again
	if _, err := w.Acquire(t.Context(), "other#changes", "b"); err != nil {
		t.Errorf("another lease: %v", err)
	}
}

func TestExpiredLeaseIsTakenByAnother(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	w.at = w.at.Add(20 * time.Minute).Add(-time.Millisecond)
	w.wantHeld(t, "b", "a")
	w.at = w.at.Add(time.Second)
	b := w.acquire(t, "b", 2)

	if err := w.guarded(a); !lease.Lost(err) {
		t.Errorf("write of the former owner: %v, want its lease lost", err)
	}
	if err := w.Renew(t.Context(), a); !fault.Is(err, fault.Fenced) {
		t.Errorf("renewal of the former owner: %v, want Fenced", err)
	}
	if err := w.Release(t.Context(), a); err != nil {
		t.Errorf("release of the former owner: %v", err)
	}
	w.wantHeld(t, "a", "b")
	if err := w.guarded(b); err != nil {
		t.Errorf("write of the owner: %v", err)
	}
}

func TestCheckHoldsThroughRenewals(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	for range 3 {
		w.at = w.at.Add(15 * time.Minute)
		if err := w.Renew(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.acquire(t, "a", 1)
		if err := w.guarded(a); err != nil {
			t.Fatalf("write after a renewal: %v", err)
		}
	}
	w.wantHeld(t, "b", "a")
}

func TestExpiredLeaseThatNobodyTookGoesOn(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	w.at = w.at.Add(24 * time.Hour)
	if err := w.guarded(a); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := w.Renew(t.Context(), a); err != nil {
		t.Errorf("renew: %v", err)
	}
	w.wantHeld(t, "b", "a")
	w.at = w.at.Add(24 * time.Hour)
	w.acquire(t, "a", 1)
}

func TestLeaseOfAnOwner(t *testing.T) {
	w := start(t)
	want := func(owner string, fence int64) {
		t.Helper()
		l, err := w.Of(t.Context(), "job#changes", owner)
		if err != nil || l.Fence != fence || fence > 0 && l.Owner != owner {
			t.Errorf("lease of %s: %+v, %v; want fence %d", owner, l, err, fence)
		}
	}
	want("a", 0)
	a := w.acquire(t, "a", 1)
	want("a", 1)
	want("b", 0)
	w.at = w.at.Add(time.Hour)
	want("a", 1) // expired, and nobody took it
	w.acquire(t, "b", 2)
	want("a", 0)
	want("b", 2)
	if err := w.Release(t.Context(), lease.Lease{Name: a.Name, Owner: "b", Fence: 2}); err != nil {
		t.Fatal(err)
	}
	want("b", 0)
}

func TestLeaseCanBeGivenBackWithinAnotherWrite(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	write := func(l lease.Lease, what string) error {
		item := table.New(table.Key{Partition: "WORK", Sort: what}, 1)
		return w.Table.Write(t.Context(), append(l.ReleaseOps(), table.Op{Verb: table.Put, Item: item}))
	}
	if err := write(a, "first"); err != nil {
		t.Fatal(err)
	}
	w.acquire(t, "b", 3) // at once
	if err := write(a, "second"); !lease.Lost(err) {
		t.Errorf("once more: %v, want the lease lost", err)
	}
	if _, err := w.Table.Get(t.Context(), table.Key{Partition: "WORK", Sort: "second"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("the write of a lost lease: %v, want NotFound", err)
	}
	w.wantHeld(t, "a", "b")
}

func TestReleasedLeaseIsFreeAndItsOwnerIsFenced(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	for range 2 { // the second time it is released already
		if err := w.Release(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.guarded(a); !lease.Lost(err) {
		t.Errorf("write after the release: %v, want its lease lost", err)
	}
	if err := w.Renew(t.Context(), a); !fault.Is(err, fault.Fenced) {
		t.Errorf("renewal after the release: %v, want Fenced", err)
	}
	again := w.acquire(t, "a", 3) // the release counts too
	if err := w.guarded(again); err != nil {
		t.Errorf("write: %v", err)
	}
	w.wantHeld(t, "b", "a")
}

func TestOtherFailuresAreNoLostLease(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	key := table.Key{Partition: "WORK", Sort: "fence"}
	err := w.Table.Write(t.Context(), []table.Op{a.Check(), {Verb: table.Check, Item: table.Item{Key: key}, If: table.VersionIs(1)}})
	if !fault.Is(err, fault.Conflict) || lease.Lost(err) {
		t.Errorf("another condition failed: %v, and the lease counts as lost", err)
	}
	if lease.Lost(nil) || lease.Lost(errors.New("x")) {
		t.Error("an error without a condition counts as a lost lease")
	}
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	for _, before := range []string{"free", "expired", "released"} {
		t.Run(before, func(t *testing.T) {
			w := start(t)
			if before != "free" {
				l := w.acquire(t, "old", 1)
				w.at = w.at.Add(time.Hour)
				if before == "released" {
					if err := w.Release(t.Context(), l); err != nil {
						t.Fatal(err)
					}
				}
			}
			var (
				group  sync.WaitGroup
				errs   [30]error
				leases [30]lease.Lease
			)
			for i := range errs { // each owner asks twice
				group.Go(func() {
					leases[i], errs[i] = w.Acquire(t.Context(), "job#changes", string(rune('a'+i/2)))
				})
			}
			group.Wait()
			var winner lease.Lease
			got := 0
			for i, err := range errs {
				if err == nil {
					winner, got = leases[i], got+1
				}
			}
			for i, err := range errs {
				held, ok := errors.AsType[*lease.HeldError](err)
				if err == nil && leases[i] != winner || err != nil && (!ok || held.Owner != winner.Owner) {
					t.Errorf("%+v, %v; want all to agree on %+v", leases[i], err, winner)
				}
			}
			if got != 2 {
				t.Errorf("%d of 30 got the lease, want one owner, twice", got)
			}
		})
	}
}

// Whatever owners do, at any times: at most one of them can write at a time, and
// fences only grow.
func TestOnlyTheNewestFenceWrites(t *testing.T) {
	dir, n := t.TempDir(), 0
	w := open(t, dir)
	defer func() { _ = w.table.Close() }()
	rapid.Check(t, func(t *rapid.T) {
		n++
		name := "law" + string(rune('0'+n%10)) + time.Duration(n).String()
		leases, newest, ctx := []lease.Lease{}, int64(0), context.Background()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			owner := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "owner")
			if l, err := w.Acquire(ctx, name, owner); err == nil {
				if l.Fence < newest {
					t.Fatalf("fence %d after %d", l.Fence, newest)
				}
				leases, newest = append(leases, l), l.Fence
			} else if _, held := errors.AsType[*lease.HeldError](err); !held {
				t.Fatalf("acquire: %v", err)
			}
			if l := leases[rapid.IntRange(0, len(leases)-1).Draw(t, "lease")]; rapid.Bool().Draw(t, "release") {
				if err := w.Release(ctx, l); err != nil {
					t.Fatalf("release: %v", err)
				}
			} else if err := w.Renew(ctx, l); err == nil && l.Fence != newest {
				t.Fatalf("fence %d is renewed after %d", l.Fence, newest)
			}
			writers := map[int64]bool{}
			for _, l := range leases {
				if err := w.guarded(l); err == nil {
					writers[l.Fence] = true
				} else if !lease.Lost(err) {
					t.Fatalf("write: %v", err)
				}
			}
			delete(writers, newest)
			if len(writers) > 0 {
				t.Fatalf("former owners write: %v, newest %d", writers, newest)
			}
			w.at = w.at.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
		}
	})
}

// lossy loses the answer of each first try of a Write.
type lossy struct {
	table.Table
	lose bool
}

func (l *lossy) Write(ctx context.Context, ops []table.Op) error {
	err := l.Table.Write(ctx, ops)
	if l.lose = !l.lose; l.lose && err == nil {
		return fault.New(fault.Transient, "lost")
	}
	return err
}

func TestLostAnswersAreRepeated(t *testing.T) {
	w := start(t)
	w.Table = &lossy{Table: w.table}
	again := func(what string, call func() error) {
		t.Helper()
		if err := call(); !fault.Is(err, fault.Transient) {
			t.Fatalf("%s: %v, want the lost answer", what, err)
		}
		if err := call(); err != nil {
			t.Fatalf("%s again: %v", what, err)
		}
	}
	var l lease.Lease
	again("acquire", func() (err error) { l, err = w.Acquire(t.Context(), "job#changes", "a"); return err })
	if l.Fence != 1 {
		t.Errorf("fence %d, want 1", l.Fence)
	}
	again("renew", func() error { return w.Renew(t.Context(), l) })
	again("release", func() error { return w.Release(t.Context(), l) })
}

// costly counts calls.
type costly struct {
	table.Table
	calls int
}

func (c *costly) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.calls++
	return c.Table.GetMany(ctx, keys)
}

func (c *costly) Write(ctx context.Context, ops []table.Op) error {
	c.calls++
	return c.Table.Write(ctx, ops)
}

func TestLeaseCostsTwoCallsAndARenewalOne(t *testing.T) {
	w := start(t)
	cost := &costly{Table: w.table}
	w.Table = cost
	for range 2 {
		cost.calls = 0
		l := w.acquire(t, "a", 1)
		if cost.calls != 2 {
			t.Errorf("acquire cost %d calls, want 2", cost.calls)
		}
		cost.calls = 0
		if err := w.Renew(t.Context(), l); err != nil || cost.calls != 1 {
			t.Errorf("renew cost %d calls, %v; want 1", cost.calls, err)
		}
	}
}

// between does something between the reading and the writing of an Acquire.
type between struct {
	table.Table
	do func()
}

func (b *between) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	items, err := b.Table.GetMany(ctx, keys)
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return items, err
}

func TestRenewalAtTheLastMomentKeepsTheLease(t *testing.T) {
	w := start(t)
	a := w.acquire(t, "a", 1)
	w.at = w.at.Add(time.Hour)
	slow := &lease.Store{Now: w.Now, Table: &between{Table: w.table, do: func() {
		if err := w.Renew(t.Context(), a); err != nil {
			t.Errorf("renew: %v", err)
		}
	}}}
	_, err := slow.Acquire(t.Context(), "job#changes", "b")
	if held, ok := errors.AsType[*lease.HeldError](err); !ok || held.Owner != "a" {
		t.Errorf("acquire of a lease that was just renewed: %v, want it held by a", err)
	}
	if err := w.guarded(a); err != nil {
		t.Errorf("write of the owner: %v", err)
	}
}

func TestKeepRenewsWhenAQuarterOfTheTimeIsOver(t *testing.T) {
	w := start(t)
	l, err := w.Acquire(t.Context(), "j1", "r1")
	if err != nil {
		t.Fatal(err)
	}
	end := func() time.Time {
		item, err := w.table.Get(t.Context(), table.Key{Partition: "LEASE#j1", Sort: "held"})
		if err != nil {
			t.Fatal(err)
		}
		return item.Expires
	}
	first := end()
	for _, tt := range []struct {
		after time.Duration
		moved bool
	}{{4 * time.Minute, false}, {2 * time.Minute, true}, {time.Hour, true}} {
		w.at = w.at.Add(tt.after)
		if err := w.Keep(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if now := end(); now.After(first) != tt.moved {
			t.Errorf("after %s more it ends at %s, was %s", tt.after, now, first)
		}
		first = end()
	}
	if err := w.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Acquire(t.Context(), "j1", "r2"); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(t.Context(), l); !fault.Is(err, fault.Fenced) {
		t.Errorf("of another owner: %v, want Fenced", err)
	}
	if err := w.Holds(t.Context(), l); !fault.Is(err, fault.Fenced) {
		t.Errorf("Holds of another owner: %v, want Fenced", err)
	}
}
