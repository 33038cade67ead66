package privacy_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/privacy"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table/bolttable"
)

type world struct {
	*privacy.Eraser
	t  *testing.T
	at time.Time
}

func newWorld(t *testing.T) *world {
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
	w := &world{t: t, at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.at }
	w.Eraser = &privacy.Eraser{
		Table: items, Bucket: bucket, Staging: &staging.Store{Bucket: bucket}, Now: now,
		Runs: &run.Store{Table: items, Leases: &lease.Store{Table: items, Now: now}, Now: now},
	}
	return w
}

// run stages a run with the records 11 and 12 of an object.
func (w *world) run(id run.ID, object string, status run.Status) {
	w.t.Helper()
	ctx := w.t.Context()
	r := run.Run{ID: id, Execution: "e" + string(id), Round: 1, Job: "j", Status: status}
	if _, err := w.Runs.Open(ctx, run.Round{Execution: r.Execution, Round: 1, Jobs: []run.ID{id}}, []run.Run{r}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Staging.PutPlan(ctx, staging.Plan{Run: id, Query: record.Query{Object: object}, Now: w.at}); err != nil {
		w.t.Fatal(err)
	}
	parts, rows := staging.NewDraft(), staging.NewDraft()
	for _, one := range []string{"11", "12"} {
		value := "canary-" + one
		for draft, line := range map[*staging.Draft]any{
			parts: record.Record{ID: one, Version: 5, Values: map[string]*string{"email": &value}},
			rows:  staging.Entry{Row: &record.Row{SourceID: one, Fields: map[string]any{"Email": value}}},
		} {
			if err := draft.Add(line); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if _, err := w.Staging.PutPart(ctx, id, 1, parts, "next"); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Staging.PutRows(ctx, id, 1, 1, rows); err != nil {
		w.t.Fatal(err)
	}
}

// staged are the values that a run still holds.
func (w *world) staged(id run.ID) []string {
	w.t.Helper()
	all := []string{}
	err := w.Staging.Part(w.t.Context(), id, 1, func(r record.Record) error { all = append(all, r.ID+" "+r.Text("email")); return nil })
	if err == nil {
		err = w.Staging.Rows(w.t.Context(), id, 1, 1, func(e staging.Entry) error {
			value := ""
			if e.Row != nil {
				value, _ = e.Row.Fields["Email"].(string)
			}
			all = append(all, e.ID()+" "+value)
			return nil
		})
	}
	t, trailerErr := w.Staging.PartTrailer(w.t.Context(), id, 1)
	if err != nil || trailerErr != nil || t.Next != "next" || t.Count != 2 {
		w.t.Fatalf("run %s: %v, %+v, %v", id, err, t, trailerErr)
	}
	return all
}

func (w *world) ask(ids ...string) {
	w.t.Helper()
	if err := w.Ask(w.t.Context(), "0-1", ids); err != nil {
		w.t.Fatal(err)
	}
	if err := w.All(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestNothingOfARecordStaysInTheFilesOfRuns(t *testing.T) {
	w := newWorld(t)
	w.run("01A", "0-1", run.Success)
	w.run("01B", "0-2", run.Success) // of another object, with the same ids
	w.at = w.at.Add(time.Hour)
	w.ask("11")
	if d := cmp.Diff([]string{"11 ", "12 canary-12", "11 ", "12 canary-12"}, w.staged("01A")); d != "" {
		t.Errorf("01A (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"11 canary-11", "12 canary-12", "11 canary-11", "12 canary-12"}, w.staged("01B")); d != "" {
		t.Errorf("01B (-want +got):\n%s", d)
	}
}

func TestARequestWaitsForRunsThatAreOpen(t *testing.T) {
	w := newWorld(t)
	w.run("01A", "0-1", run.Running)
	w.at = w.at.Add(time.Hour)
	w.ask("11")
	if got := w.staged("01A")[0]; got != "11 canary-11" {
		t.Errorf("the files of an open run were changed: %q", got)
	}
	r, err := w.Runs.Get(t.Context(), "01A")
	if err != nil {
		t.Fatal(err)
	}
	r.Status = run.Success
	if _, err := w.Runs.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds no request any more
		if err := w.All(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.staged("01A")[0]; got != "11 " {
		t.Errorf("after the run has ended: %q", got)
	}
	w.run("01C", "0-1", run.Success)
	if err := w.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.staged("01C")[0]; got != "11 canary-11" {
		t.Error("a request was served although it is closed")
	}
}

func TestLinesOfErrorFilesAreErased(t *testing.T) {
	w := newWorld(t)
	head := "\uFEFFHubSpot record id,Link,Reason\r\n"
	link := "https://app.hubspot.com/contacts/90210/record/"
	line := func(object, id string) string {
		return id + "," + link + object + "/" + id + ",\"one, \"\"two\"\"\"\r\n"
	}
	write := func(name, text string) {
		if err := w.Bucket.Create(t.Context(), name, func(out io.Writer) error { _, err := io.WriteString(out, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	write("errors/a.csv", head+line("0-1", "11")+line("0-1", "12")+line("0-1", "111"))
	write("errors/b.csv", head+line("0-2", "11"))
	w.ask("11", "13")
	for name, want := range map[string]string{
		"errors/a.csv": head + line("0-1", "12") + line("0-1", "111"),
		"errors/b.csv": head + line("0-2", "11"),
	} {
		f, err := w.Bucket.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(want, "\r\n"), strings.Split(string(got), "\r\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
