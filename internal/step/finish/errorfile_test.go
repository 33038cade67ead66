package finish_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

func decode(text string, v any) {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		panic(err)
	}
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func text(s string) *string { return &s }

func row(id string) staging.Entry {
	return staging.Entry{Row: &record.Row{SourceID: id, Fields: map[string]any{}, Source: map[string]*string{"name": text("N" + id)}}}
}

func reject(id, step string) record.Reject {
	return record.Reject{SourceID: id, Step: step, Field: "Name", Value: "v" + id, Code: record.TooLong, Reason: "R" + id + ".", Fix: "F."}
}

func rejected(id string) staging.Entry {
	r := reject(id, "transform")
	r.Source = map[string]*string{"name": text("N" + id)}
	return staging.Entry{Reject: &r}
}

// ids returns the record ids of the error file, in its order.
func (w *world) ids() (ids []string) {
	for _, line := range w.cells()[1:] {
		ids = append(ids, line[0])
	}
	return ids
}

func TestErrorFileHasEveryRejectOnceWithItsColumns(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Parts: 3, Count: 7, Done: true})
	w.rows("A", 1, 1, row("1"), rejected("2"), row("3"), staging.Entry{Filtered: "4"})
	w.settle("A", run.Part{Number: 1, At: 4, Done: true, Counts: run.Counts{Inserted: 1, Filtered: 1, Rejected: 2}, Rejects: map[record.Code]int{record.TooLong: 2}}, reject("3", "upsert"))
	w.rows("A", 2, 1, row("5"))
	w.settle("A", run.Part{Number: 2, At: 1, Done: true, Counts: run.Counts{Updated: 1}})
	w.rows("A", 3, 1, rejected("6"), row("7"))
	w.settle("A", run.Part{Number: 3, At: 2, Done: true, Counts: run.Counts{Unchanged: 1, Rejected: 1}, Rejects: map[record.Code]int{record.TooLong: 1}})
	if out := w.job(extractDone()); out.Outcome != run.Partial {
		t.Fatalf("%+v, want Partial Success", out)
	}
	r := w.get("A")
	if r.ErrorFile != "errors/A.csv" || r.Rejects[record.TooLong] != 3 || !w.watermark("A").Equal(mark) {
		t.Errorf("run %+v", r)
	}
	const record = "https://app.hubspot.com/contacts/4711/record/0-2/"
	want := [][]string{
		{"HubSpot record id", "Link", "Step", "Field", "Value", "Code", "Reason", "How to fix", "Company name", "'=zip", "tier"},
		{"2", record + "2", "transform", "Name", "v2", "TOO_LONG", "R2.", "F.", "N2", "", ""},
		{"3", record + "3", "upsert", "Name", "v3", "TOO_LONG", "R3.", "F.", "N3", "", ""},
		{"6", record + "6", "transform", "Name", "v6", "TOO_LONG", "R6.", "F.", "N6", "", ""},
	}
	if diff := cmp.Diff(want, w.cells()); diff != "" {
		t.Errorf("error file (-want +got):\n%s", diff)
	}
}

func TestFormulasInTheErrorFileAreNeutralised(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	values := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "|x", "%x", "plain", "a=b", "", `say "hi", twice`, "two\nlines"}
	var entries []staging.Entry
	for i, v := range values {
		r := reject(fmt.Sprint(i), "transform")
		r.Value, r.Source = v, map[string]*string{"name": text(v), "=zip": nil, "tier": text("gold")}
		entries = append(entries, staging.Entry{Reject: &r})
	}
	w.extracted("A", run.Extraction{Parts: 1, Count: len(values), Done: true})
	w.rows("A", 1, 1, entries...)
	w.settle("A", run.Part{Number: 1, At: len(values), Done: true, Counts: run.Counts{Rejected: len(values)}})
	w.job(extractDone())
	for i, line := range w.cells()[1:] {
		want := values[i]
		if i < 7 {
			want = "'" + want
		}
		if line[4] != want || line[8] != want || line[10] != "gold" {
			t.Errorf("line %d: %q, want %q as value and column", i, line, want)
		}
	}
}

func TestRejectsOfAPartThatStoppedAreListedAsFarAsItCame(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Parts: 1, Count: 4, Done: true})
	w.rows("A", 1, 1, rejected("1"), row("2"), rejected("3"), row("4"))
	w.settle("A", run.Part{Number: 1, At: 2, Counts: run.Counts{Rejected: 2}}, reject("2", "upsert"))
	if out := w.job(extractDone()); out.Outcome != run.Failed {
		t.Errorf("%+v, want Failed", out)
	}
	if got := w.ids(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("rejects %q, want 1 and 2, which are counted", got)
	}
}

func TestRejectsOfBothPassesAreListedOnce(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Parts: 1, Count: 5, Done: true})
	deferred := func(id string) staging.Entry {
		e := row(id)
		e.Row.Defer = map[string][]string{"Parent": {"k"}}
		return e
	}
	w.rows("A", 1, 1, rejected("1"), deferred("2"), deferred("3"), deferred("4"), row("5"))
	w.settle("A", run.Part{Number: 1, At: 5, Done: true, Deferred: true, Counts: run.Counts{Rejected: 2, Inserted: 1}}, reject("2", "upsert"))
	w.rows("A", 1, 2, rejected("2"), rejected("3"), row("4")) // 2 was refused already, 3 found no parent
	w.settle("A", run.Part{Number: 1, Pass: 2, At: 3, Done: true, Deferred: true, Counts: run.Counts{Rejected: 4, Inserted: 1}}, reject("4", "upsert"))
	if out := w.job(extractDone()); out.Outcome != run.Partial {
		t.Errorf("%+v, want Partial Success", out)
	}
	got := w.ids()
	slices.Sort(got)
	if !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("rejects %q, want 1 to 4", got)
	}
}

func TestRejectsOfASecondPassThatStoppedAreListedAsFarAsItCame(t *testing.T) {
	w := newWorld(t)
	w.open("A")
	w.extracted("A", run.Extraction{Parts: 1, Count: 3, Done: true})
	w.rows("A", 1, 1, rejected("1"), row("2"), row("3"))
	w.settle("A", run.Part{Number: 1, At: 3, Done: true, Deferred: true, Counts: run.Counts{Rejected: 1}})
	w.rows("A", 1, 2, rejected("2"), rejected("3"))
	w.settle("A", run.Part{Number: 1, Pass: 2, At: 1, Deferred: true, Counts: run.Counts{Rejected: 2}})
	if out := w.job(extractDone()); out.Outcome != run.Failed {
		t.Errorf("%+v, want Failed", out)
	}
	if got := w.ids(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("rejects %q, want 1 and 2, which are counted", got)
	}
}
