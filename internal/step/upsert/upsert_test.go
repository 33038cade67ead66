package upsert_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/upsert"
)

func TestPart(t *testing.T) {
	tests := []struct {
		name  string
		rows  int
		slow  time.Duration
		calls int
		at    int
		want  step.Status
	}{
		{name: "empty part", want: step.Done},
		{name: "one row", rows: 1, calls: 2, at: 1, want: step.Done},
		{name: "one batch exactly", rows: 50, calls: 2, at: 50, want: step.Done},
		{name: "one row over", rows: 51, calls: 4, at: 51, want: step.Done},
		{name: "one stretch exactly", rows: 500, calls: 20, at: 500, want: step.Done},
		{name: "one stretch over", rows: 501, calls: 22, at: 501, want: step.Done},
		{name: "short of time", rows: 500, slow: 25 * time.Second, calls: 6, at: 150, want: step.More},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
				defer cancel()
				w := newWorld(t, companies())
				w.begin(some(tt.rows, "a")...)
				w.target.slow = tt.slow
				out, err := w.Part(ctx, w.input)
				if err != nil || out.Status != tt.want {
					t.Fatalf("%+v, %v, want %s", out, err, tt.want)
				}
				at, err := w.Runs.Part(t.Context(), w.run.ID, 1)
				if calls := w.target.took(); err != nil || len(calls) != tt.calls || at.At != tt.at || at.Done != (tt.want == step.Done) {
					t.Errorf("at %+v after %q, want %d after %d calls", at, calls, tt.at, tt.calls)
				}
				w.want(run.Counts{Inserted: tt.at})
				if out.Status == step.Done {
					w.part()
					w.wantCalls()
				}
			})
		})
	}
}

func TestUnchangedRowsCostNoCallAndNoPrint(t *testing.T) {
	w := newWorld(t, companies())
	w.begin(some(120, "a")...)
	w.part()
	w.begin(some(120, "a")...)
	w.part()
	w.wantCalls()
	w.want(run.Counts{Unchanged: 120})
	if w.table.prints != 0 || w.table.claims != 0 || w.table.settles != 1 {
		t.Errorf("%d prints, %d claims in %d settlements, want none in 1", w.table.prints, w.table.claims, w.table.settles)
	}
	changed := some(120, "a")
	changed[7], changed[119] = company("7", "b"), company("119", "b")
	w.begin(changed...)
	w.part()
	w.wantCalls("update company 2")
	w.want(run.Counts{Unchanged: 118, Updated: 2})
}

// A lost request and a lost answer look the same to the caller. After either, at
// any call, running the part again ends with one row per record, and each record
// counted once.
func TestPartRunsAgainAfterAnyFailure(t *testing.T) {
	tests := []struct {
		what    string
		arrives bool
		again   int // calls that are made again, at most
		updated int // rows that were inserted before, as far as the part knows
	}{
		{"find", false, 1, 0},
		{"insert", false, 12, 0},
		{"insert", true, 12, 50},
		{"claim", false, 0, 0},
		{"claim", true, 0, 0},
		{"print", false, 0, 0},
		{"print", true, 0, 0},
		{"settle", false, 1, 0},
		{"settle", true, 1, 0},
	}
	for _, tt := range tests {
		for call := range 3 {
			t.Run(fmt.Sprintf("%s %d, arrives %v", tt.what, call, tt.arrives), func(t *testing.T) {
				w := newWorld(t, companies())
				w.begin(some(1200, "a")...)
				var at atomic.Int64
				w.target.fail = func(_ int, what string) (bool, error) {
					if strings.HasPrefix(what, tt.what) && at.Add(1) == int64(call+1) {
						return tt.arrives, lost()
					}
					return true, nil
				}
				w.table.fail = func(what string, n int) (bool, error) {
					if what == tt.what && n == call {
						return tt.arrives, lost()
					}
					return true, nil
				}
				_, err := w.Part(t.Context(), w.input)
				if err != nil { // no other call of the stretch was answered
					wantKind(t, err, fault.Transient)
				}
				w.part()
				if n := len(w.target.took()); n < 48 || n > 48+tt.again { // a find and an insert for each 50
					t.Errorf("%d calls, want 48 and at most %d again", n, tt.again)
				}
				w.want(run.Counts{Inserted: 1200 - tt.updated, Updated: tt.updated})
				if n := len(w.target.rows["company"]); n != 1200 {
					t.Errorf("%d rows, want 1,200", n)
				}
				w.table.fail = nil
				w.begin(some(1200, "a")...)
				w.part()
				w.wantCalls()
			})
		}
	}
}

func TestPartGoesOnBehindAFasterCopy(t *testing.T) {
	w := newWorld(t, companies())
	w.begin(some(150, "a")...)
	w.target.fail = func(call int, _ string) (bool, error) {
		if call == 0 {
			w.part() // the other copy does all of it while this one waits
		}
		return true, nil
	}
	w.part()
	w.want(run.Counts{Inserted: 150})
	if n := len(w.target.rows["company"]); n != 150 {
		t.Errorf("%d rows, want 150", n)
	}
}

func TestPartStopsWhenTheRunLostItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(some(50, "a")...)
		w.target.fail = func(_ int, what string) (bool, error) {
			if what == "insert company 50" {
				time.Sleep(time.Hour)
				if _, err := w.Runs.Leases.Acquire(t.Context(), w.run.LeaseName(), "another run"); err != nil {
					t.Error(err)
				}
			}
			return true, nil
		}
		_, err := w.Part(t.Context(), w.input)
		wantKind(t, err, fault.Fenced)
		w.wantCalls("find company 50", "insert company 50")
		w.want(run.Counts{})
		if p := w.print("0"); p.Outcome != "" {
			t.Errorf("print %+v, want none", p)
		}
		_, err = w.Part(t.Context(), w.input)
		wantKind(t, err, fault.Fenced)
		w.wantCalls()
	})
}

func TestPartWaitsForQuotaBehindWhatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(some(120, "a")...)
		until := time.Now().Add(time.Minute)
		spent := true
		w.target.fail = func(_ int, what string) (bool, error) {
			if what == "insert company 20" && spent {
				time.Sleep(time.Second) // the others are answered meanwhile
				return false, fmt.Errorf("insert: %w", fault.Until(until, "Spent."))
			}
			return true, nil
		}
		out, err := w.Part(t.Context(), w.input)
		if err != nil || out.Status != step.Wait || out.ResumeAt == nil || !out.ResumeAt.Equal(until) {
			t.Fatalf("%+v, %v, want WAIT until %s", out, err, until)
		}
		w.want(run.Counts{Inserted: 100})
		if p := w.print("119"); p.Stored != 0 {
			t.Errorf("print %+v of a row that was not sent, want none", p)
		}
		spent = false
		w.target.took()
		w.part()
		w.wantCalls("find company 20", "insert company 20")
		w.want(run.Counts{Inserted: 120})
	})
}

// A row without an answer must not count as delivered, and must not be tried
// forever.
func TestPartNeedsAnAnswerForEachRow(t *testing.T) {
	tests := map[string]func([]record.Result) []record.Result{
		"one result too few": func(r []record.Result) []record.Result { return r[:len(r)-1] },
		"one is not done":    func(r []record.Result) []record.Result { r[len(r)-1] = record.Result{}; return r },
		"none":               func([]record.Result) []record.Result { return nil },
	}
	for name, answers := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, companies())
			w.begin(some(10, "a")...)
			w.target.answers = answers
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.target.fail = func(call int, _ string) (bool, error) {
				if call > 20 {
					return false, context.Canceled
				}
				return true, nil
			}
			_, err := w.Part(ctx, w.input)
			wantKind(t, err, fault.Transient)
			if calls := w.target.took(); len(calls) > 4 {
				t.Errorf("%d calls, want it to stop: %q", len(calls), calls)
			}
			w.target.answers = nil
			w.part()
			if at, err := w.Runs.Part(t.Context(), w.run.ID, 1); err != nil || at.Counts.Settled() != 10 {
				t.Errorf("%+v, %v, want 10 settled", at, err)
			}
		})
	}
}

func TestSettledWithoutACall(t *testing.T) {
	w := newWorld(t, companies())
	reject := record.Reject{SourceID: "2", Step: "transform", Code: record.BadValue, Reason: "R.", Fix: "F."}
	entries := []staging.Entry{{Filtered: "1"}, {Reject: &reject}}
	w.begin(entries...)
	w.part()
	w.wantCalls()
	w.want(run.Counts{Filtered: 1, Rejected: 1})
	if rejects, err := w.Runs.Rejects(t.Context(), w.run.ID, 1); err != nil || len(rejects) != 0 {
		t.Errorf("stored rejects %v, %v, want none: those of transform are staged", rejects, err)
	}
	if p := w.print("2"); p.Outcome != run.Rejected || p.Code != record.BadValue || p.Reason != "R." || p.Fix != "F." || p.Run != w.run.ID {
		t.Errorf("print %+v", p)
	}
	w.begin(entries...)
	w.part()
	if w.table.prints != 0 {
		t.Errorf("%d prints for the same outcomes again", w.table.prints)
	}
	w.want(run.Counts{Filtered: 1, Rejected: 1})
}

func TestARecordThatComesBackIsWhatItWas(t *testing.T) {
	w := newWorld(t, companies())
	w.begin(company("1", "a"))
	w.part()
	for _, between := range []staging.Entry{
		{Filtered: "1"},
		{Reject: &record.Reject{SourceID: "1", Step: "transform", Code: record.BadValue}},
	} {
		w.begin(between)
		w.part()
		w.begin(company("1", "a"))
		w.part()
		w.wantCalls()
		w.want(run.Counts{Unchanged: 1})
		if p := w.print("1"); p.Outcome != run.Unchanged || p.GSID == "" {
			t.Errorf("print %+v, want unchanged with its GSID", p)
		}
	}
}

func TestAnOlderReadingIsNotWritten(t *testing.T) {
	w := newWorld(t, companies())
	version := func(name string, v int64) staging.Entry {
		e := company("1", name)
		e.Row.Version = v
		return e
	}
	w.begin(version("new", 20))
	w.part()
	w.begin(version("old", 10))
	w.part()
	w.wantCalls()
	w.want(run.Counts{Unchanged: 1})
	w.begin(version("newer", 30))
	w.part()
	w.wantCalls("update company 1")
	if rows := w.target.with("company", "Name", "newer"); len(rows) != 1 {
		t.Errorf("rows %v", rows)
	}
}

func TestPassesAreOneAfterTheOther(t *testing.T) {
	w := newWorld(t, companies())
	w.begin(some(3, "a")...)
	if _, err := w.Part(t.Context(), upsert.Input{Run: w.run.ID, Part: 1, Pass: 2}); err == nil {
		t.Error("the second pass began before the first was over")
	}
	w.wantCalls()
	w.part()
	w.target.took()
	w.stage(1, 2, some(60, "b")...)
	w.target.fail = func(_ int, what string) (bool, error) {
		if what == "find company 50" {
			return false, lost()
		}
		return true, nil
	}
	second := upsert.Input{Run: w.run.ID, Part: 1, Pass: 2}
	_, err := w.Part(t.Context(), second)
	wantKind(t, err, fault.Transient)
	w.target.fail = nil
	w.target.took()
	w.part() // a late copy of the first pass
	w.wantCalls()
	if out, err := w.Part(t.Context(), second); err != nil || out.Status != step.Done {
		t.Errorf("%+v, %v", out, err)
	}
	w.wantCallsAtOnce("find company 50", "find company 7", "insert company 50", "insert company 7", "update company 3")
}

func TestDeferredRowsAreCountedByTheSecondPass(t *testing.T) {
	deferred := func(e staging.Entry, parent string) staging.Entry {
		e.Row.Defer = map[string][]string{"Parent": {parent}}
		return e
	}
	resolved := func(id, parent string) staging.Entry {
		return entry(id, map[string]any{"HS_ID": "k" + id, "Name": "a", "Parent": parent})
	}
	w := newWorld(t, companies())
	w.begin(company("1", "a"), deferred(company("2", "a"), "k1"), deferred(company("3", "a"), "k9"))
	if out := w.part(); !out.Deferred {
		t.Errorf("%+v, want deferred", out)
	}
	w.wantCalls("find company 3", "insert company 3")
	w.want(run.Counts{Inserted: 1})
	w.stage(1, 2, resolved("2", "G1"), staging.Entry{Reject: &record.Reject{SourceID: "3", Step: "transform", Code: record.NoMatch}})
	w.input.Pass = 2
	w.part()
	w.wantCalls("update company 1")
	w.want(run.Counts{Inserted: 2, Rejected: 1})
	w.begin(company("1", "a"), resolved("2", "G1"))
	w.part()
	w.wantCalls()
	w.want(run.Counts{Unchanged: 2})

	w.begin(deferred(company("2", "b"), "k1")) // known by now: written once, by the second pass
	w.part()
	w.wantCalls()
	e := resolved("2", "G1")
	e.Row.Fields["Name"] = "b"
	w.stage(1, 2, e)
	w.input.Pass = 2
	w.part()
	w.wantCalls("update company 1")
	w.want(run.Counts{Updated: 1})
}

func TestPartWithoutItsRowsFails(t *testing.T) {
	w := newWorld(t, companies())
	w.begin()
	_, err := w.Part(t.Context(), upsert.Input{Run: w.run.ID, Part: 2, Pass: 1})
	wantKind(t, err, fault.NotFound)
	_, err = w.Part(t.Context(), upsert.Input{Run: "nobody", Part: 1, Pass: 1})
	wantKind(t, err, fault.NotFound)
}
