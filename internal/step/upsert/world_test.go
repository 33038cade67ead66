package upsert_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/upsert"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// lossy is a table that can lose a write, or its answer.
type lossy struct {
	table.Table
	claims, settles int // writes so far
	prints          int // pages of prints
	// fail, if set, decides what becomes of a write of claims, of a page of prints, or of
	// a settlement.
	fail func(what string, call int) (stored bool, err error)
	mu   sync.Mutex
}

func (l *lossy) Put(ctx context.Context, item table.Item, cond table.Condition) (stored table.Item, err error) {
	put := func() (err error) {
		stored, err = l.Table.Put(ctx, item, cond)
		return err
	}
	if !strings.HasPrefix(item.Partition, "PRINT#") {
		err = put()
		return stored, err
	}
	l.mu.Lock()
	call := l.prints
	l.prints++
	l.mu.Unlock()
	return stored, l.lose("print", call, put)
}

// lose writes, if fail does not say otherwise.
func (l *lossy) lose(what string, call int, write func() error) error {
	if l.fail == nil {
		return write()
	}
	stored, err := l.fail(what, call)
	if stored {
		if err := write(); err != nil {
			return err
		}
	}
	return err
}

func (l *lossy) Write(ctx context.Context, ops []table.Op) error {
	var what string
	var call int
	for _, op := range ops {
		switch {
		case strings.HasPrefix(op.Item.Partition, "CLAIM#"):
			what = "claim"
		case strings.HasPrefix(op.Item.Sort, "part-"):
			what = "settle"
		case strings.HasPrefix(op.Item.Partition, "PRINT#"):
			l.prints++
		}
	}
	switch what {
	case "claim":
		call, l.claims = l.claims, l.claims+1
	case "settle":
		call, l.settles = l.settles, l.settles+1
	default:
		return l.Table.Write(ctx, ops)
	}
	return l.lose(what, call, func() error { return l.Table.Write(ctx, ops) })
}

// world is an Upserter with all it works on.
type world struct {
	*upsert.Upserter
	t      *testing.T
	target *target
	table  *lossy
	job    job.Job
	mode   run.Mode
	lane   run.Lane
	keys   []string // resolution keys
	unique bool     // the source keeps the job's identifiers unique
	runs   int
	run    run.Run // the run at work
	input  upsert.Input
}

func newWorld(t *testing.T, j job.Job) *world {
	t.Helper()
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	j.ID = "j1"
	w := &world{t: t, target: newTarget(t), table: &lossy{Table: items}, job: j, mode: run.ModeChanges, lane: run.Changes, keys: []string{"Email"}}
	w.Upserter = &upsert.Upserter{
		Target: w.target, Runs: &run.Store{Table: w.table, Leases: &lease.Store{Table: w.table}}, Staging: &staging.Store{Bucket: bucket},
		Delta: &delta.Store{Table: w.table}, Avatars: &avatar.Store{Table: w.table}, Now: time.Now,
	}
	return w
}

func companies() job.Job {
	return job.Job{Name: "Company Sync", Connection: "c1", Mapping: mapping.Config{
		Source: "company", Target: "company", Direct: []mapping.Direct{{From: "id", To: "HS_ID", Identifier: true}, {From: "name", To: "Name"}},
	}}
}

func people() job.Job {
	return job.Job{Name: "Company Person Sync", Connection: "c1", Mapping: mapping.Config{
		Source: "contact", Target: "company_person", Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}},
	}}
}

func users() job.Job {
	return job.Job{Name: "User Sync", Connection: "c1", Mapping: mapping.Config{
		Source: "owner", Target: "gsuser", Direct: []mapping.Direct{{From: "email", To: "SFDCUserName", Identifier: true}, {From: "email", To: "Email"}},
	}}
}

// begin ends the run at work, if there is one, and begins the next with the
// entries as its part 1.
func (w *world) begin(entries ...staging.Entry) {
	w.t.Helper()
	ctx := w.t.Context()
	if w.run.ID != "" {
		if err := w.Runs.Leases.Release(ctx, w.run.Lease()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.runs++
	r := run.Run{
		ID: run.ID(fmt.Sprint("r", w.runs)), Execution: fmt.Sprint("e", w.runs), Round: 1, Job: "j1", JobName: w.job.Name, Connection: "c1",
		Lane: w.lane, Mode: w.mode, Status: run.Planned,
	}
	if err := w.Staging.PutPlan(ctx, staging.Plan{Run: r.ID, Job: w.job, ResolutionKeys: w.keys, Unique: w.unique}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Runs.Open(ctx, run.Round{Execution: r.Execution, Round: 1, Jobs: []run.ID{r.ID}}, []run.Run{r}); err != nil {
		w.t.Fatal(err)
	}
	r, err := w.Runs.Get(ctx, r.ID)
	if err == nil {
		w.run, _, err = w.Runs.Take(ctx, r)
	}
	if err == nil {
		_, err = w.Runs.Extracted(ctx, w.run, run.Extraction{}, run.Extraction{Parts: 1, Count: len(entries), Done: true})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.stage(1, 1, entries...)
	w.input = upsert.Input{Run: r.ID, Part: 1, Pass: 1}
	w.target.took()
	w.table.claims, w.table.settles, w.table.prints = 0, 0, 0
}

func (w *world) stage(part, pass int, entries ...staging.Entry) {
	w.t.Helper()
	d := staging.NewDraft()
	for _, e := range entries {
		if err := d.Add(e); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.Staging.PutRows(w.t.Context(), w.run.ID, part, pass, d); err != nil {
		w.t.Fatal(err)
	}
}

// part delivers the part and wants it done.
func (w *world) part() upsert.Output {
	w.t.Helper()
	out, err := w.Part(w.t.Context(), w.input)
	if err != nil || out.Status != step.Done {
		w.t.Fatalf("%+v, %v, want DONE", out, err)
	}
	return out
}

// want checks the part's counts.
func (w *world) want(want run.Counts) {
	w.t.Helper()
	at, err := w.Runs.Part(w.t.Context(), w.run.ID, w.input.Part)
	if err != nil || at.Counts != want {
		w.t.Errorf("counts %+v, %v, want %+v", at.Counts, err, want)
	}
}

// wantCalls checks the calls since the last look.
func (w *world) wantCalls(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.target.took()); diff != "" {
		w.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// wantCallsAtOnce checks the calls since the last look, in any order; want is sorted.
func (w *world) wantCallsAtOnce(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(w.target.took()))); diff != "" {
		w.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// wantReject checks the only reject of the part that upsert stored.
func (w *world) wantReject(id string, code record.Code) record.Reject {
	w.t.Helper()
	rejects, err := w.Runs.Rejects(w.t.Context(), w.run.ID, w.input.Part)
	r := rejects[id]
	if err != nil || len(rejects) != 1 || r.Code != code || r.Step != "upsert" || r.Reason == "" || r.Fix == "" {
		w.t.Errorf("rejects %+v, %v, want one of %s with %s", rejects, err, id, code)
	}
	return r
}

func (w *world) print(id string) delta.Print {
	w.t.Helper()
	prints, err := w.Delta.Prints(w.t.Context(), "j1", []string{id})
	if err != nil {
		w.t.Fatal(err)
	}
	return prints[id]
}

func entry(id string, fields map[string]any) staging.Entry {
	return staging.Entry{Row: &record.Row{SourceID: id, Fields: fields}}
}

// company is the row of a company; its identifier is k and the id.
func company(id, name string) staging.Entry {
	return entry(id, map[string]any{"HS_ID": "k" + id, "Name": name})
}

// some returns companies with the ids 0 to n-1.
func some(n int, name string) (entries []staging.Entry) {
	for i := range n {
		entries = append(entries, company(fmt.Sprint(i), name))
	}
	return entries
}

func contact(id, email, company string) staging.Entry {
	fields := map[string]any{"Person::Email": email, "Person::FirstName": "F" + id, "Person::LastName": "L" + id, "Company_ID": nil}
	if company != "" {
		fields["Company_ID"] = company
	}
	return entry(id, fields)
}

func owner(id, email string) staging.Entry {
	return entry(id, map[string]any{"SFDCUserName": email, "Email": email, "FirstName": "F" + id, "LastName": "L" + id})
}

func archived(e staging.Entry) staging.Entry {
	e.Archived = true
	return e
}

// wantKind checks an error's kind.
func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || !fault.Is(err, kind) {
		t.Fatalf("err = %v, want %s", err, kind)
	}
}
