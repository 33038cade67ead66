package run_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

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
