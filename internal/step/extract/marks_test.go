package extract_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/table"
)

// marked gives the world marks, and a run 01M of a mode that serves them.
func (w *world) marked(t *testing.T, mode run.Mode, marks ...mark.Mark) {
	t.Helper()
	w.Marked = &step.Marked{Marks: &mark.Store{Table: w.Runs.Table}, Delta: &delta.Store{Table: w.Runs.Table}}
	for i := range marks {
		marks[i].Job = "j1"
	}
	if err := w.Marked.Marks.Put(t.Context(), "0-2", marks); err != nil {
		t.Fatal(err)
	}
	p := staging.Plan{Run: "01M", PartSize: 30, Query: query(), Mode: mode, Turn: 5}
	p.Job.ID = "j1"
	if mode == run.ModeMarked || mode == run.ModeRejected {
		p.Query.Since = query().Since
	}
	if err := w.Staging.PutPlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r := run.Run{ID: "01M", Execution: "em", Job: "j1", JobName: "Company Sync", Connection: "c1", Lane: run.Changes, Mode: mode, Status: run.Planned, Started: w.Now()}
	if _, err := w.Runs.Open(t.Context(), run.Round{Execution: "em", Round: 1, Jobs: []run.ID{"01M"}}, []run.Run{r}); err != nil {
		t.Fatal(err)
	}
}

// staged are the staged records of the run 01M, as "id", or "id how into".
func (w *world) staged(t *testing.T) []string {
	t.Helper()
	var all []string
	for n := 1; ; n++ {
		out, err := w.Slice(t.Context(), extract.Input{Run: "01M"})
		if err != nil || n > 10 {
			t.Fatalf("slice %d: %+v, %v", n, out, err)
		}
		if out.Status == step.Done {
			for part := range *out.Parts {
				err := w.Staging.Part(t.Context(), "01M", part+1, func(r record.Record) error {
					line := r.ID
					if r.Gone != "" {
						line += " " + string(r.Gone)
					}
					if r.Into != "" {
						line += " " + r.Into
					}
					all = append(all, line)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			return all
		}
	}
}

func TestARunOfMarkedRecordsReadsThemAlone(t *testing.T) {
	w := newWorld(t, 100)
	w.source.gone = map[string]record.Record{
		"7": {Gone: record.Archived}, "8": {Gone: record.Merged, Into: "90"}, "9": {Gone: record.Deleted}, "10": {Gone: record.Deleted},
	}
	w.marked(
		t, run.ModeMarked, mark.Mark{ID: "30", Kind: mark.Changed}, mark.Mark{ID: "4", Kind: mark.Changed},
		mark.Mark{ID: "7", Kind: mark.Deleted}, mark.Mark{ID: "8", Kind: mark.Changed}, mark.Mark{ID: "9", Kind: mark.Changed},
		mark.Mark{ID: "10", Kind: mark.Deleted}, mark.Mark{ID: "10", Kind: mark.Privacy},
		mark.Mark{ID: "50", Kind: mark.Rejected, Due: 1}, mark.Mark{ID: "51", Kind: mark.Rejected},
	)
	want := []string{"4", "30", "7 archived", "8 merged 90", "9 deleted", "10 private"}
	if d := cmp.Diff(want, w.staged(t)); d != "" {
		t.Errorf("staged (-want +got):\n%s", d)
	}
	if d := cmp.Diff([][]string{{"4", "7", "8", "9", "10", "30"}}, w.source.byID); d != "" {
		t.Errorf("asked by id (-want +got):\n%s", d)
	}
	if len(w.source.calls) != 0 {
		t.Errorf("%d pages were read, want none", len(w.source.calls))
	}
}

func TestMarkedRecordsAreReadAHundredACall(t *testing.T) {
	w := newWorld(t, 1)
	var marks []mark.Mark
	want := []string{}
	for i := range 250 {
		marks = append(marks, mark.Mark{ID: fmt.Sprint(1000 + i), Kind: mark.Changed})
		want = append(want, fmt.Sprint(1000+i))
	}
	w.marked(t, run.ModeMarked, marks...)
	if d := cmp.Diff(want, w.staged(t)); d != "" {
		t.Errorf("staged (-want +got):\n%s", d)
	}
	if n := len(w.source.byID); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestARunOfChangesServesItsMarksFirstAndReadsThemOnce(t *testing.T) {
	w := newWorld(t, 45)
	w.marked(
		t, run.ModeChanges, mark.Mark{ID: "3", Kind: mark.Changed}, mark.Mark{ID: "44", Kind: mark.Rejected, Due: 5},
		mark.Mark{ID: "45", Kind: mark.Rejected, Due: 6}, mark.Mark{ID: "77", Kind: mark.Changed},
	)
	want := []string{"3", "44", "77"}
	for id := 1; id <= 45; id++ {
		if id != 3 && id != 44 {
			want = append(want, strconv.Itoa(id))
		}
	}
	if d := cmp.Diff(want, w.staged(t)); d != "" {
		t.Errorf("staged (-want +got):\n%s", d)
	}
}

func TestRetryingRejectedRecordsTakesAllOfThem(t *testing.T) {
	w := newWorld(t, 45)
	w.marked(
		t, run.ModeRejected, mark.Mark{ID: "3", Kind: mark.Changed}, mark.Mark{ID: "44", Kind: mark.Rejected, Due: 50},
		mark.Mark{ID: "45", Kind: mark.Rejected},
	)
	if d := cmp.Diff([]string{"44", "45"}, w.staged(t)); d != "" {
		t.Errorf("staged (-want +got):\n%s", d)
	}
}

func TestMarksAreClaimedOnce(t *testing.T) {
	w := newWorld(t, 45)
	w.marked(t, run.ModeMarked, mark.Mark{ID: "3", Kind: mark.Changed})
	w.staged(t)
	if err := w.Marked.Marks.Put(t.Context(), "0-2", []mark.Mark{{Job: "j1", ID: "3", Kind: mark.Changed}, {Job: "j1", ID: "4", Kind: mark.Changed}}); err != nil {
		t.Fatal(err)
	}
	w.staged(t)
	claimed, err := w.Staging.Marks(t.Context(), "01M")
	if err != nil || len(claimed) != 1 || claimed[0].ID != "3" || claimed[0].Version != 1 {
		t.Errorf("claimed %+v, %v; want 3 as it was first", claimed, err)
	}
}

// A value that one of our jobs has written since wakes the records that wait for it.
func TestARecordIsWokenByTheValueItWaitsFor(t *testing.T) {
	w := newWorld(t, 45)
	fields := []string{"Account__gc"}
	wait := func(value string) *mark.Wait {
		return &mark.Wait{Object: "company", Fields: fields, Hash: delta.Identifier(fields, []string{value})}
	}
	w.marked(
		t, run.ModeMarked, mark.Mark{ID: "1", Kind: mark.Rejected, Due: 9, Waits: wait("81001")}, mark.Mark{ID: "2", Kind: mark.Rejected, Due: 9, Waits: wait("81002")},
		mark.Mark{ID: "3", Kind: mark.Rejected, Due: 9},
	)
	plan, err := w.Staging.Plan(t.Context(), "01M")
	if err != nil {
		t.Fatal(err)
	}
	plan.Writers = []staging.Writer{{Job: "writer", Object: "company", Fields: fields}}
	if pending, err := w.Marked.Pending(t.Context(), plan); pending || err != nil {
		t.Errorf("pending %v, %v before the value was written", pending, err)
	}
	claims := map[string]delta.Claim{delta.Identifier(fields, []string{"81002"}): {Source: "81002"}}
	if err := w.Marked.Delta.Claim(t.Context(), "writer", guard(), claims, nil); err != nil {
		t.Fatal(err)
	}
	if pending, err := w.Marked.Pending(t.Context(), plan); !pending || err != nil {
		t.Errorf("pending %v, %v behind it", pending, err)
	}
	claimed, err := w.Marked.Claim(t.Context(), plan)
	ids := []string{}
	for _, m := range claimed {
		if !m.Woken {
			t.Errorf("%s was claimed and not woken", m.ID)
		}
		ids = append(ids, m.ID)
	}
	if err != nil || !slices.Equal(ids, []string{"2"}) {
		t.Errorf("claimed %q, %v; want 2", ids, err)
	}
}

// guard is a condition that holds.
func guard() table.Op {
	return table.Op{Verb: table.Check, Item: table.Item{Key: table.Key{Partition: "LEASE#none", Sort: "fence"}}, If: table.Absent()}
}
