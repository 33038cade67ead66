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
	"hubspotconnector/internal/record"
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

func TestExtractionMovesByCompareAndSwap(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	one := run.Extraction{Cursor: "c1", Parts: 1, Count: 10}
	two := run.Extraction{Cursor: "c2", Parts: 2, Count: 20}
	steps := []struct {
		name           string
		from, to, want run.Extraction
	}{
		{"the first part", run.Extraction{}, one, one},
		{"a copy that begins", run.Extraction{}, run.Extraction{Cursor: "other", Parts: 1, Count: 9}, one},
		{"the second part", one, two, two},
		{"a copy that is one part behind", one, run.Extraction{Parts: 2, Done: true}, two},
		{"the end", two, run.Extraction{Cursor: "c2", Parts: 2, Count: 20, Done: true}, run.Extraction{Cursor: "c2", Parts: 2, Count: 20, Done: true}},
	}
	for _, s := range steps {
		got, err := w.Extracted(t.Context(), r, s.from, s.to)
		stored, readErr := w.Extraction(t.Context(), "01A")
		if err != nil || readErr != nil || got != s.want || stored != s.want {
			t.Errorf("%s: got %+v, stored %+v, want %+v (%v, %v)", s.name, got, stored, s.want, err, readErr)
		}
	}
}

func TestCopiesThatMoveTheExtractionAtOnceAgree(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	got := make([]run.Extraction, 16)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			var err error
			if got[i], err = w.Extracted(t.Context(), r, run.Extraction{}, run.Extraction{Cursor: fmt.Sprint("c", i), Parts: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stored, err := w.Extraction(t.Context(), "01A")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range got {
		if one != stored {
			t.Errorf("a copy stands at %+v, stored is %+v", one, stored)
		}
	}
}

func TestARunThatLostItsLeaseMovesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.overtaken(t)
	if _, err := w.Extracted(t.Context(), r, run.Extraction{}, run.Extraction{Parts: 1}); !fault.Is(err, fault.Fenced) {
		t.Errorf("extraction: %v, want Fenced", err)
	}
	from, err := w.Part(t.Context(), r.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	to := from
	to.At = 1
	extra := table.Key{Partition: "P", Sort: "s"}
	_, ok, err := w.Settle(t.Context(), r, from, to, []record.Reject{{SourceID: "7"}}, []table.Op{{Verb: table.Put, Item: table.New(extra, 1)}})
	if ok || !fault.Is(err, fault.Fenced) {
		t.Errorf("settle: ok %v, %v, want Fenced", ok, err)
	}
	rejects, err := w.Rejects(t.Context(), r.ID, 1)
	if len(rejects) != 0 || err != nil {
		t.Errorf("rejects %v, %v", rejects, err)
	}
	if _, err := w.Table.Get(t.Context(), extra); !fault.Is(err, fault.NotFound) {
		t.Errorf("extra write: %v, want NotFound", err)
	}
	if e, err := w.Extraction(t.Context(), r.ID); err != nil || e != (run.Extraction{}) {
		t.Errorf("extraction %+v, %v", e, err)
	}
}

func TestSettleIsOneWriteAndAFasterCopyWins(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	from, err := w.Part(t.Context(), r.ID, 3)
	if diff := cmp.Diff(run.Part{Number: 3, Pass: 1}, from, unexported); err != nil || diff != "" {
		t.Fatalf("a part before it began (-want +got):\n%s%v", diff, err)
	}
	fast := from
	fast.At, fast.Counts.Inserted, fast.Counts.Rejected = 2, 1, 1
	put := func(n int) []table.Op {
		return []table.Op{{Verb: table.Put, Item: table.New(table.Key{Partition: "P", Sort: "s"}, n)}}
	}
	at, ok, err := w.Settle(t.Context(), r, from, fast, []record.Reject{{SourceID: "7", Code: record.TooLong}}, put(1))
	if err != nil || !ok || at.At != 2 {
		t.Fatalf("settle: %+v, %v, %v", at, ok, err)
	}
	slow := from
	slow.At = 1
	got, ok, err := w.Settle(t.Context(), r, from, slow, []record.Reject{{SourceID: "8"}}, put(2))
	if err != nil || ok {
		t.Fatalf("the slower copy: ok %v, %v", ok, err)
	}
	if diff := cmp.Diff(fast, got, unexported); diff != "" {
		t.Errorf("where the faster copy stands (-want +got):\n%s", diff)
	}
	var n int
	if _, err := table.Load(t.Context(), w.Table, table.Key{Partition: "P", Sort: "s"}, &n); err != nil || n != 1 {
		t.Errorf("extra write is %d, %v, want that of the faster copy", n, err)
	}
	rejects, err := w.Rejects(t.Context(), r.ID, 3)
	if diff := cmp.Diff(map[string]record.Reject{"7": {SourceID: "7", Code: record.TooLong}}, rejects); err != nil || diff != "" {
		t.Errorf("rejects (-want +got):\n%s%v", diff, err)
	}
	next := got // the slower copy goes on from there
	next.At, next.Done = 3, true
	if _, ok, err := w.Settle(t.Context(), r, got, next, nil, nil); err != nil || !ok {
		t.Errorf("going on: %v, %v", ok, err)
	}
	if _, ok, err := w.Settle(t.Context(), r, at, next, nil, nil); err != nil || ok {
		t.Errorf("the first one's next, late: ok %v, %v", ok, err)
	}
	parts, err := w.Parts(t.Context(), r.ID)
	if diff := cmp.Diff([]run.Part{next}, parts, unexported); err != nil || diff != "" {
		t.Errorf("parts (-want +got):\n%s%v", diff, err)
	}
}

func TestSettleHasRoomForItsExtraWrites(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	var extra []table.Op
	for i := range run.SettleOps {
		extra = append(extra, table.Op{Verb: table.Put, Item: table.New(table.Key{Partition: "P", Sort: fmt.Sprint("s", i)}, i)})
	}
	to := run.Part{Number: 1, Pass: 1, At: 1}
	if _, ok, err := w.Settle(t.Context(), r, run.Part{Number: 1, Pass: 1}, to, []record.Reject{{SourceID: "7"}}, extra); err != nil || !ok {
		t.Errorf("settle with %d extra writes: %v, %v", len(extra), ok, err)
	}
}

func TestRejectsOfTheSecondPassReplaceThoseOfTheFirst(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	at := run.Part{Number: 1, Pass: 1}
	settle := func(pass, to int, rejects ...record.Reject) {
		t.Helper()
		next := at
		if pass > at.Pass {
			at.At = 0
		}
		next.Pass, next.At = pass, to
		var ok bool
		var err error
		if at, ok, err = w.Settle(t.Context(), r, at, next, rejects, nil); err != nil || !ok {
			t.Fatalf("settle: %v, %v", ok, err)
		}
	}
	settle(1, 10, record.Reject{SourceID: "7", Code: record.TooLong}, record.Reject{SourceID: "8", Code: record.TooLong})
	settle(1, 11, record.Reject{SourceID: "9", Code: record.TooLong})
	settle(2, 1, record.Reject{SourceID: "8", Code: record.NoMatch})
	settle(2, 2, record.Reject{SourceID: "10", Code: record.NoMatch})
	got, err := w.Rejects(t.Context(), r.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]record.Reject{
		"7": {SourceID: "7", Code: record.TooLong}, "8": {SourceID: "8", Code: record.NoMatch},
		"9": {SourceID: "9", Code: record.TooLong}, "10": {SourceID: "10", Code: record.NoMatch},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
	if other, err := w.Rejects(t.Context(), r.ID, 10); err != nil || len(other) != 0 {
		t.Errorf("rejects of part 10: %v, %v, want none", other, err)
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

func TestWatermarkIsOfAJobAndLane(t *testing.T) {
	w := newWorld(t)
	r := w.taken(t, "01A")
	if got, err := w.Watermark(t.Context(), "j1", run.Changes); err != nil || !got.At.IsZero() || got.Run != "" {
		t.Errorf("before any run: %+v, %v, want none", got, err)
	}
	at := start.Add(-5 * time.Second)
	if err := w.Table.Write(t.Context(), []table.Op{r.Lease().Check(), w.WatermarkOp(r, at)}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Watermark(t.Context(), "j1", run.Changes)
	if err != nil || !got.At.Equal(at) || got.Run != "01A" {
		t.Errorf("watermark %+v, %v, want %s by 01A", got, err, at)
	}
	for _, other := range []struct {
		job  string
		lane run.Lane
	}{{"j2", run.Changes}, {"j1", "backlog"}} {
		if got, err := w.Watermark(t.Context(), other.job, other.lane); err != nil || !got.At.IsZero() {
			t.Errorf("%s in %s: %+v, %v, want none", other.job, other.lane, got, err)
		}
	}
	w.advance(2 * 365 * 24 * time.Hour) // unlike runs it never expires
	if got, err := w.Watermark(t.Context(), "j1", run.Changes); err != nil || !got.At.Equal(at) {
		t.Errorf("two years later: %+v, %v", got, err)
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
