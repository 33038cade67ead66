package finish_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/finish"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

var (
	start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	mark  = start.Add(-5 * time.Second)
)

// dying is a table whose process dies at a write: that one happens if done is
// true, and none behind it.
type dying struct {
	table.Table
	writes, at int
	done       bool
}

func (d *dying) Write(ctx context.Context, ops []table.Op) error {
	d.writes++
	if d.at > 0 && (d.writes > d.at || d.writes == d.at && !d.done) {
		return fault.New(fault.Transient, "The process is dead.")
	}
	if err := d.Table.Write(ctx, ops); err != nil {
		return err
	}
	if d.writes == d.at {
		return fault.New(fault.Transient, "The process is dead.")
	}
	return nil
}

type world struct {
	*finish.Finisher
	t     *testing.T
	table *dying
	now   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, now: start}
	clock := func() time.Time { return w.now }
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w.table = &dying{Table: items}
	w.Finisher = &finish.Finisher{
		Runs:    &run.Store{Table: w.table, Leases: &lease.Store{Table: w.table, Now: clock}, Now: clock},
		Staging: &staging.Store{Bucket: bucket}, Bucket: bucket,
		Activity: &activity.Store{Table: w.table, Now: clock}, Now: clock,
	}
	return w
}

func plan(id run.ID) staging.Plan {
	return staging.Plan{
		Run: id, PortalID: 4711, Watermark: mark, Job: job.Job{ID: "j1", Name: "Company Sync", Mapping: mapping.Config{
			Source: "company", Target: "company", Fields: []mapping.Field{{Name: "name", Label: "Company name"}, {Name: "=zip"}},
			Cases: []mapping.Case{{Name: "tier"}},
		}},
	}
}

// open stores a round e1 of planned runs, each with its plan and its own job.
func (w *world) open(ids ...run.ID) {
	w.t.Helper()
	runs := make([]run.Run, len(ids))
	for i, id := range ids {
		if err := w.Staging.PutPlan(w.t.Context(), plan(id)); err != nil {
			w.t.Fatal(err)
		}
		runs[i] = run.Run{
			ID: id, Execution: "e1", Round: 1, Job: "j" + string(id), JobName: "Job " + string(id), Lane: run.Changes, Status: run.Planned,
			Started: start, Calls: map[string]int{"Gainsight": 2}, Cause: "manual execution", Connection: "c1",
		}
	}
	if _, err := w.Runs.Open(w.t.Context(), run.Round{Execution: "e1", Round: 1, Jobs: ids, Status: run.Running, Started: start}, runs); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(id run.ID) run.Run {
	w.t.Helper()
	r, err := w.Runs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) take(id run.ID) run.Run {
	w.t.Helper()
	r, _, err := w.Runs.Take(w.t.Context(), w.get(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// extracted takes the lease and says what the extraction came to.
func (w *world) extracted(id run.ID, to run.Extraction) {
	w.t.Helper()
	if _, err := w.Runs.Extracted(w.t.Context(), w.take(id), run.Extraction{}, to); err != nil {
		w.t.Fatal(err)
	}
}

// rows stages the entries of a pass.
func (w *world) rows(id run.ID, part, pass int, entries ...staging.Entry) {
	w.t.Helper()
	d := staging.NewDraft()
	for _, e := range entries {
		if err := d.Add(e); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.Staging.PutRows(w.t.Context(), id, part, pass, d); err != nil {
		w.t.Fatal(err)
	}
}

// settle moves a part of the run to where it is said to stand.
func (w *world) settle(id run.ID, to run.Part, rejects ...record.Reject) {
	w.t.Helper()
	from, err := w.Runs.Part(w.t.Context(), id, to.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	if to.Pass == 0 {
		to.Pass = 1
	}
	if _, ok, err := w.Runs.Settle(w.t.Context(), w.get(id), from, to, rejects, nil); err != nil || !ok {
		w.t.Fatalf("settle: %v, %v", ok, err)
	}
}

func (w *world) job(in finish.Input) finish.Output {
	w.t.Helper()
	in.Scope, in.Run = "job", "A"
	out, err := w.Close(w.t.Context(), in)
	if err != nil || out.Status != step.Done {
		w.t.Fatalf("%+v, %v, want DONE", out, err)
	}
	return out
}

func (w *world) watermark(id run.ID) time.Time {
	w.t.Helper()
	got, err := w.Runs.Watermark(w.t.Context(), "j"+string(id), run.Changes)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.At
}

// wantFree checks that the next run of the job gets its lease at once.
func (w *world) wantFree(id run.ID) {
	w.t.Helper()
	l, err := w.Runs.Leases.Acquire(w.t.Context(), w.get(id).LeaseName(), "the next run")
	if err != nil {
		w.t.Errorf("the next run of %s gets no lease: %v", id, err)
		return
	}
	_ = w.Runs.Leases.Release(w.t.Context(), l)
}

func (w *world) activities() []activity.Execution {
	w.t.Helper()
	list, _, err := w.Activity.Executions(w.t.Context(), start, 0, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func extractDone() finish.Input {
	var in finish.Input
	decode(`{"extract":{"status":"DONE","parts":1}}`, &in)
	return in
}

func TestARunWithoutTroubleIsASuccess(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Parts: 2, Count: 10, Done: true})
	w.settle("A", run.Part{Number: 1, At: 6, Done: true, Counts: run.Counts{Filtered: 1, Inserted: 2, Updated: 3}})
	w.settle("A", run.Part{Number: 2, At: 4, Done: true, Counts: run.Counts{Unchanged: 4}})
	w.now = start.Add(time.Hour)
	if out := w.job(extractDone()); out.Outcome != run.Success || out.Again {
		t.Errorf("%+v, want Success", out)
	}
	r := w.get("A")
	want := run.Counts{Extracted: 10, Filtered: 1, Inserted: 2, Updated: 3, Unchanged: 4}
	if r.Status != run.Success || r.Counts != want || r.ErrorFile != "" || r.Reason != "" || !r.Ended.Equal(w.now) || r.Calls["Gainsight"] != 2 {
		t.Errorf("run %+v", r)
	}
	if !w.watermark("A").Equal(mark) {
		t.Errorf("watermark %s, want %s", w.watermark("A"), mark)
	}
	w.wantFree("A")
	diff := cmp.Diff([]activity.Execution{{
		RunID: "A", JobID: "jA", Job: "Job A", Connection: "c1", Cause: "manual execution", Status: "Success", Started: r.Started, Ended: w.now,
		Counts: activity.Counts{Extracted: 10, Filtered: 1, Inserted: 2, Updated: 3, Unchanged: 4},
	}}, w.activities())
	if diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}

func TestNothingToReadIsASuccess(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Done: true})
	if out := w.job(extractDone()); out.Outcome != run.Success || !w.watermark("A").Equal(mark) {
		t.Errorf("%+v, watermark %s", out, w.watermark("A"))
	}
}

func TestARecordWithoutOutcomeFailsTheRun(t *testing.T) {
	all := run.Extraction{Parts: 1, Count: 3, Done: true}
	three := run.Counts{Inserted: 3}
	tests := []struct {
		name string
		ext  run.Extraction
		part run.Part
	}{
		{"a part that is not done", all, run.Part{Number: 1, At: 2, Counts: run.Counts{Inserted: 2}}},
		{"a part that never began", run.Extraction{Parts: 2, Count: 3, Done: true}, run.Part{Number: 1, At: 3, Done: true, Counts: three}},
		{"an extraction that is not done", run.Extraction{Parts: 1, Count: 3, Cursor: "c"}, run.Part{Number: 1, At: 3, Done: true, Counts: three}},
		{"a sum that is too small", all, run.Part{Number: 1, At: 3, Done: true, Counts: run.Counts{Inserted: 2}}},
		{"a sum that is too large", all, run.Part{Number: 1, At: 3, Done: true, Counts: run.Counts{Inserted: 4}}},
		{"deferred rows without a second pass", all, run.Part{Number: 1, At: 3, Done: true, Deferred: true, Counts: three}},
		{"a second pass that is not done", all, run.Part{Number: 1, Pass: 2, At: 0, Deferred: true, Counts: three}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("A")
			w.extracted("A", tt.ext)
			w.settle("A", tt.part)
			if out := w.job(extractDone()); out.Outcome != run.Failed || w.get("A").Reason == "" {
				t.Errorf("%+v, reason %q, want Failed with one", out, w.get("A").Reason)
			}
			if !w.watermark("A").IsZero() {
				t.Errorf("watermark %s, want none", w.watermark("A"))
			}
			w.wantFree("A")
		})
	}
}

func TestTheReasonOfAFailureIsWhatWasWrittenForPeople(t *testing.T) {
	const long = `{"errorMessage":"Gainsight has refused the access key for the third time today. Set another one under Destination and run the job again.","errorType":"Invalid"}`
	const ours = "Something went wrong on our side. The run was stopped and nothing was lost."
	tests := []struct{ name, in, want string }{
		{"extraction", `{"extract":{"status":"FAILED","error":"Reauthorize","cause":"{\"errorMessage\":\"The connection is revoked.\",\"errorType\":\"Reauthorize\"}"}}`, "The connection is revoked."},
		{"a part", `{"extract":{"status":"DONE","parts":1},"failed":1,"first":{"part":1,"status":"FAILED","error":"Invalid","cause":"{\"errorMessage\":\"No.\",\"errorType\":\"Invalid\"}"}}`, "1 of 1 parts were not finished. No."},
		{"the machine", `{"extract":{"status":"DONE","parts":1},"broken":{"error":"Fenced","cause":"{\"errorMessage\":\"Taken over.\",\"errorType\":\"Fenced\"}"}}`, "Taken over."},
		{"a timeout", `{"broken":{"error":"States.Timeout","cause":""}}`, "A step took too long or was stopped. Run the job again; it goes on where it stood."},
		{"no JSON", `{"broken":{"error":"States.Runtime","cause":"canary at line 3"}}`, ours},
		{"no message", `{"broken":{"error":"Boom","cause":"{\"canary\":1}"}}`, ours},
		{"nothing at all", `{"broken":{"error":"Boom","cause":""}}`, ours},
		{"a cause cut behind the message", `{"broken":{"error":"Invalid","cause":` + quoted(long[:len(long)-8]) + `}}`, "Gainsight has refused the access key for the third time today. Set another one under Destination and run the job again."},
		{"a cause cut in the message", `{"broken":{"error":"Invalid","cause":` + quoted(long[:60]) + `}}`, "Gainsight has refused the access key for …"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("A")
			w.extracted("A", run.Extraction{Parts: 1, Count: 1, Done: true})
			var in finish.Input
			decode(tt.in, &in)
			if out := w.job(in); out.Outcome != run.Failed || w.get("A").Reason != tt.want {
				t.Errorf("%s, reason %q, want Failed and %q", out.Outcome, w.get("A").Reason, tt.want)
			}
			if !w.watermark("A").IsZero() {
				t.Error("the watermark moved")
			}
			w.wantFree("A")
		})
	}
}

func TestASkippedRunKeepsItsReasonAndNeverFreesAnothersLease(t *testing.T) {
	w := newWorld(t)
	w.open("A", "B")
	l, err := w.Runs.Leases.Acquire(t.Context(), w.get("A").LeaseName(), "B")
	if err != nil {
		t.Fatal(err)
	}
	r := w.get("A")
	r.Reason = "Run B is at work."
	if _, err := w.Runs.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var in finish.Input
	decode(`{"extract":{"status":"SKIPPED"}}`, &in)
	if out := w.job(in); out.Outcome != run.Skipped || w.get("A").Reason != "Run B is at work." {
		t.Errorf("%+v, reason %q", out, w.get("A").Reason)
	}
	if err := w.Runs.Leases.Renew(t.Context(), l); err != nil {
		t.Errorf("the lease of the run at work: %v", err)
	}
}

func TestFieldsThatWereSkippedMakeTheRunPartial(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	p := plan("B")
	p.Run, p.Skipped = "B", []string{"Fax is gone.", "Zip is gone."}
	if err := w.Staging.PutPlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Runs.Open(t.Context(), run.Round{Execution: "e2", Round: 1, Jobs: []run.ID{"B"}}, []run.Run{{ID: "B", Job: "jB", Lane: run.Changes}}); err != nil {
		t.Fatal(err)
	}
	w.extracted("B", run.Extraction{Done: true})
	out, err := w.Close(t.Context(), finish.Input{Scope: "job", Run: "B"})
	if err != nil || out.Outcome != run.Partial || !strings.Contains(w.get("B").Reason, "Fax is gone. Zip is gone.") || !w.watermark("B").Equal(mark) {
		t.Errorf("%+v, %v, reason %q", out, err, w.get("B").Reason)
	}
}

func TestAClosedRunAnswersTheSame(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Done: true})
	first := w.job(extractDone())
	before := w.get("A")
	w.now = w.now.Add(time.Hour)
	var late finish.Input
	decode(`{"broken":{"error":"Boom","cause":""}}`, &late)
	if again := w.job(late); again.Outcome != first.Outcome {
		t.Errorf("again %+v, want %+v", again, first)
	}
	if diff := cmp.Diff(before, w.get("A"), cmp.AllowUnexported(run.Run{})); diff != "" {
		t.Errorf("the closed run changed (-before +after):\n%s", diff)
	}
	if n := len(w.activities()); n != 1 {
		t.Errorf("%d activities, want 1", n)
	}
}

// Wherever the process dies: if the run is closed its lease is free, and if it
// is not, running Finish again closes it.
func TestFinishMayDieAtEachWrite(t *testing.T) {
	for at := 1; at <= 4; at++ {
		for _, done := range []bool{false, true} {
			w := newWorld(t)
			w.open("A")
			w.extracted("A", run.Extraction{Done: true})
			w.table.writes, w.table.at, w.table.done = 0, at, done
			_, err := w.Close(t.Context(), finish.Input{Scope: "job", Run: "A"})
			died := w.table.writes >= at
			w.table.at = 0
			if died && err == nil {
				t.Errorf("write %d: no error of a dead process", at)
			}
			if w.get("A").Status.Closed() {
				w.wantFree("A")
			}
			if out := w.job(extractDone()); out.Outcome != run.Success || len(w.activities()) != 1 || !w.watermark("A").Equal(mark) {
				t.Errorf("write %d, done %v: again %+v", at, done, out)
			}
			w.wantFree("A")
		}
	}
}

func TestARunThatLostItsLeaseMovesNoWatermark(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Done: true})
	w.now = start.Add(time.Hour)
	l, err := w.Runs.Leases.Acquire(t.Context(), w.get("A").LeaseName(), "another run")
	if err != nil {
		t.Fatal(err)
	}
	if out := w.job(extractDone()); out.Outcome != run.Failed || !strings.Contains(w.get("A").Reason, "taken over") {
		t.Errorf("%+v, reason %q", out, w.get("A").Reason)
	}
	if !w.watermark("A").IsZero() || len(w.activities()) != 1 || w.activities()[0].Status != "Failed" {
		t.Errorf("watermark %s, activities %+v", w.watermark("A"), w.activities())
	}
	if err := w.Runs.Leases.Renew(t.Context(), l); err != nil {
		t.Errorf("the lease of the other run: %v", err)
	}
}

func TestTheWatermarkNeverMovesBack(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Done: true})
	later := start.Add(time.Hour) // a run that was planned later has ended before
	if err := w.table.Write(t.Context(), []table.Op{w.Runs.WatermarkOp(run.Run{ID: "B", Job: "jA", Lane: run.Changes}, later)}); err != nil {
		t.Fatal(err)
	}
	if out := w.job(extractDone()); out.Outcome != run.Success || !w.watermark("A").Equal(later) {
		t.Errorf("%+v, watermark %s, want %s", out, w.watermark("A"), later)
	}
}

// A process can die between taking the lease and noting it in the run.
func TestALeaseThatTheRunDoesNotKnowOfIsFreedToo(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	if _, err := w.Runs.Leases.Acquire(t.Context(), w.get("A").LeaseName(), "A"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(t.Context(), finish.Input{Scope: "round", Execution: "e1", Round: 1}); err != nil {
		t.Fatal(err)
	}
	if got := w.get("A").Status; got != run.Failed {
		t.Errorf("status %s", got)
	}
	w.wantFree("A")
}

// cells reads the run's error file, and checks how it is written.
func (w *world) cells() [][]string {
	w.t.Helper()
	f, err := w.Bucket.Open(w.t.Context(), w.get("A").ErrorFile)
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	text, ok := bytes.CutPrefix(file, []byte("\xEF\xBB\xBF"))
	if !ok || !bytes.HasSuffix(text, []byte("\r\n")) {
		w.t.Errorf("the file has no mark, or no CRLF at its end: %q", file)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}
