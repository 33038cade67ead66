package run_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/meter"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// world is a store whose clock the test sets.
type world struct {
	*run.Store
	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: start}
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	w.Store = &run.Store{Table: items, Leases: &lease.Store{Table: items, Now: w.clock}, Now: w.clock}
	return w
}

// open stores a round of one planned run of job j1 and returns the run.
func (w *world) open(t *testing.T, id run.ID) run.Run {
	t.Helper()
	r := run.Run{ID: id, Execution: "e" + string(id), Round: 1, Job: "j1", JobName: "Company Sync", Lane: run.Changes, Status: run.Planned, Started: w.clock()}
	round := run.Round{Execution: r.Execution, Round: 1, Jobs: []run.ID{id}, Status: run.Running, Started: w.clock()}
	if _, err := w.Open(t.Context(), round, []run.Run{r}); err != nil {
		t.Fatal(err)
	}
	return w.get(t, id)
}

func (w *world) get(t *testing.T, id run.ID) run.Run {
	t.Helper()
	r, err := w.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// taken returns a run that holds the lease.
func (w *world) taken(t *testing.T, id run.ID) run.Run {
	t.Helper()
	r, holder, err := w.Take(t.Context(), w.open(t, id))
	if err != nil || holder != "" {
		t.Fatalf("take run %s: holder %q, %v", id, holder, err)
	}
	return r
}

// overtaken returns a run whose lease another run has taken since.
func (w *world) overtaken(t *testing.T) run.Run {
	t.Helper()
	r := w.taken(t, "01A")
	w.advance(time.Hour)
	w.taken(t, "01B")
	return r
}

var unexported = cmpopts.IgnoreUnexported(run.Run{}, run.Round{}, run.Part{})

func TestOpenTwiceAnswersAsFirstStored(t *testing.T) {
	w := newWorld(t)
	first := run.Round{Execution: "e1", Round: 1, Chain: "C", OnFailure: "stop", Jobs: []run.ID{"01A"}, Status: run.Running, Started: start}
	if _, err := w.Open(t.Context(), first, []run.Run{{ID: "01A", Job: "j1"}}); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Jobs, second.OnFailure = []run.ID{"01B"}, "continue"
	got, err := w.Open(t.Context(), second, []run.Run{{ID: "01B", Job: "j1"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got, unexported); diff != "" {
		t.Errorf("second Open (-want +got):\n%s", diff)
	}
	if _, err := w.Get(t.Context(), "01B"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the run of the second Open: %v, want NotFound", err)
	}
	stored, err := w.Round(t.Context(), "e1", 1)
	if diff := cmp.Diff(first, stored, unexported); err != nil || diff != "" {
		t.Errorf("stored (-want +got):\n%s%v", diff, err)
	}
}

func TestOpensAtOnceAgree(t *testing.T) {
	w := newWorld(t)
	answers := make([]run.ID, 16)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			id := run.ID(fmt.Sprintf("01A%02d", i))
			got, err := w.Open(t.Context(), run.Round{Execution: "e1", Round: 1, Jobs: []run.ID{id}}, []run.Run{{ID: id}})
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = got.Jobs[0]
		})
	}
	group.Wait()
	for _, got := range answers {
		if got != answers[0] {
			t.Fatalf("different answers: %v", answers)
		}
	}
	runs, err := w.List(t.Context(), 100)
	if err != nil || len(runs) != 1 || runs[0].ID != answers[0] {
		t.Errorf("stored runs %v, %v, want only %s", runs, err, answers[0])
	}
}

func TestARoundIsOpenUntilItIsClosed(t *testing.T) {
	w := newWorld(t)
	w.open(t, "01A")
	w.open(t, "01B")
	open := func() (names []string) {
		rounds, err := w.OpenRounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rounds {
			names = append(names, r.Execution)
		}
		return names
	}
	if diff := cmp.Diff([]string{"e01A", "e01B"}, open()); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	r, err := w.Round(t.Context(), "e01A", 1)
	if err != nil {
		t.Fatal(err)
	}
	stale := r
	r.Status = run.Partial
	if err := w.SaveRound(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"e01B"}, open()); diff != "" {
		t.Errorf("open after closing (-want +got):\n%s", diff)
	}
	stale.Status = run.Failed
	if err := w.SaveRound(t.Context(), stale); !fault.Is(err, fault.Conflict) {
		t.Errorf("saving what was read before the change: %v, want Conflict", err)
	}
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	w := newWorld(t)
	for _, id := range []run.ID{"01A", "01C", "01B"} {
		w.open(t, id)
	}
	runs, err := w.List(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 2 || runs[0].ID != "01C" || runs[1].ID != "01B" {
		t.Errorf("runs %v, want 01C and 01B", runs)
	}
}

func TestSaveRefusesAStaleRunWithAllThatBelongsToIt(t *testing.T) {
	w := newWorld(t)
	stale := w.open(t, "01A")
	fresh := w.get(t, "01A")
	fresh.Reason = "first"
	fresh, err := w.Save(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	extra := table.Key{Partition: "P", Sort: "s"}
	stale.Reason = "second"
	if _, err := w.Save(t.Context(), stale, table.Op{Verb: table.Put, Item: table.New(extra, 1)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("stale save: %v, want Conflict", err)
	}
	if _, err := w.Table.Get(t.Context(), extra); !fault.Is(err, fault.NotFound) {
		t.Errorf("the extra write of a refused save: %v, want NotFound", err)
	}
	fresh.Reason = "third" // a saved run can be saved again
	if _, err := w.Save(t.Context(), fresh); err != nil || w.get(t, "01A").Reason != "third" {
		t.Errorf("second save: %v, reason %q", err, w.get(t, "01A").Reason)
	}
}

func TestTakeStartsTheRunOnce(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, "01A")
	w.advance(time.Minute)
	first, holder, err := w.Take(t.Context(), r)
	if err != nil || holder != "" || first.Status != run.Running || first.Fence < 1 || !first.Started.Equal(start.Add(time.Minute)) {
		t.Fatalf("first take: %+v, holder %q, %v", first, holder, err)
	}
	w.advance(time.Minute)
	for _, again := range []run.Run{r, w.get(t, "01A")} { // a copy with what it read before, and a later call
		got, holder, err := w.Take(t.Context(), again)
		if err != nil || holder != "" || got.Fence != first.Fence || got.Status != run.Running || !got.Started.Equal(first.Started) {
			t.Errorf("again: %+v, holder %q, %v, want %+v", got, holder, err, first)
		}
	}
}

func TestTakeRenewsTheLease(t *testing.T) {
	w := newWorld(t)
	r, other := w.taken(t, "01A"), w.open(t, "01B")
	for range 3 {
		w.advance(15 * time.Minute) // of 20
		if _, holder, err := w.Take(t.Context(), r); err != nil || holder != "" {
			t.Fatalf("the same run: holder %q, %v", holder, err)
		}
		if _, holder, err := w.Take(t.Context(), other); holder != "01A" || !fault.Is(err, fault.Conflict) {
			t.Fatalf("another run: holder %q, %v, want Conflict by 01A", holder, err)
		}
	}
	if got := w.get(t, "01B"); got.Status != run.Planned || got.Fence != 0 {
		t.Errorf("the run that did not get it: %s with fence %d", got.Status, got.Fence)
	}
}

func TestAnOvertakenRunIsFencedAndKeepsNobodyOut(t *testing.T) {
	w := newWorld(t)
	r := w.overtaken(t)
	if _, holder, err := w.Take(t.Context(), r); holder != "01B" || !fault.Is(err, fault.Conflict) {
		t.Errorf("while the other is at work: holder %q, %v, want Conflict by 01B", holder, err)
	}
	if err := w.Leases.Release(t.Context(), w.get(t, "01B").Lease()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Take(t.Context(), r); !fault.Is(err, fault.Fenced) {
		t.Errorf("after the other's end: %v, want Fenced", err)
	}
	if _, holder, err := w.Take(t.Context(), w.open(t, "01C")); err != nil || holder != "" {
		t.Errorf("the next run: holder %q, %v, want the lease", holder, err)
	}
}

func TestMeteredCountsAlsoWhatFailed(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("broken")
	work := func(n int, err error) func(context.Context) error {
		return func(ctx context.Context) error {
			for range n {
				meter.Count(ctx, "HubSpot")
			}
			meter.Count(ctx, "Gainsight")
			return err
		}
	}
	if err := w.Metered(t.Context(), "01A", work(2, nil)); err != nil {
		t.Error(err)
	}
	if err := w.Metered(t.Context(), "01A", work(3, broken)); !errors.Is(err, broken) {
		t.Errorf("err = %v, want that of the work", err)
	}
	if err := w.Metered(t.Context(), "01B", work(1, nil)); err != nil {
		t.Error(err)
	}
	calls, err := w.Calls(t.Context(), "01A")
	if diff := cmp.Diff(map[string]int{"HubSpot": 5, "Gainsight": 2}, calls); err != nil || diff != "" {
		t.Errorf("calls (-want +got):\n%s%v", diff, err)
	}
}

func TestMeteredCountsWorkThatRunsAtOnce(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			err := w.Metered(t.Context(), "01A", func(ctx context.Context) error {
				meter.Count(ctx, "Gainsight")
				meter.Count(ctx, "Gainsight")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if calls, err := w.Calls(t.Context(), "01A"); err != nil || calls["Gainsight"] != 40 {
		t.Errorf("calls %v, %v, want 40", calls, err)
	}
}

func TestWorkWithoutCallsStoresNothing(t *testing.T) {
	w := newWorld(t)
	if err := w.Metered(t.Context(), "01A", func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	page, err := w.Table.Query(t.Context(), "RUN#01A", table.Range{}, 0, "", false)
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%d items, %v, want none", len(page.Items), err)
	}
}

func TestCountsAddUp(t *testing.T) {
	var c, sum run.Counts
	for i, o := range []run.Outcome{run.Filtered, run.Inserted, run.Updated, run.Unchanged, run.Rejected} {
		c.Add(o, i+1)
	}
	want := run.Counts{Filtered: 1, Inserted: 2, Updated: 3, Unchanged: 4, Rejected: 5}
	if c != want || c.Settled() != 15 {
		t.Errorf("counts %+v of %d, want %+v of 15", c, c.Settled(), want)
	}
	sum.Extracted = 30
	sum.Sum(c)
	sum.Sum(c)
	if want := (run.Counts{Extracted: 30, Filtered: 2, Inserted: 4, Updated: 6, Unchanged: 8, Rejected: 10}); sum != want {
		t.Errorf("sum %+v, want %+v", sum, want)
	}
}
