package upsert_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

func TestRefusedRowsAreRejectedAndTheOthersStored(t *testing.T) {
	tests := []struct {
		code string
		want record.Code
	}{
		{"GSOBJ_1001", record.TooLong}, {"GSOBJ_1012", record.UnknownItem}, {"GSOBJ_VDTPKLST1002", record.UnknownItem}, {"GSOBJ_9999", record.RefusedByTarget},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			w := newWorld(t, companies())
			w.target.refuse = func(row map[string]any) *record.Refusal {
				if row["HS_ID"] != "k7" {
					return nil
				}
				return &record.Refusal{Code: tt.code, Field: "Name", Value: strings.Repeat("ä", 2000), Message: "canary says no"}
			}
			w.begin(some(60, "a")...)
			w.part()
			w.want(run.Counts{Inserted: 59, Rejected: 1})
			r := w.wantReject("7", tt.want)
			if r.Field != "Name" || !strings.Contains(r.Reason, "canary says no") || len([]rune(r.Value)) > 1001 {
				t.Errorf("reject %+v", r)
			}
			at, err := w.Runs.Part(t.Context(), w.run.ID, 1)
			if err != nil || at.Rejects[tt.want] != 1 {
				t.Errorf("rejects by code %v, %v", at.Rejects, err)
			}
			w.target.took()
			w.target.refuse = nil
			w.begin(some(60, "a")...) // the next run tries it again
			w.part()
			w.wantCalls("find company 1", "insert company 1")
			w.want(run.Counts{Inserted: 1, Unchanged: 59})
		})
	}
}

func TestOnlyWhatWeFilledIsCleared(t *testing.T) {
	w := newWorld(t, companies())
	row := func(fields map[string]any) staging.Entry {
		fields["HS_ID"] = "k1"
		return entry("1", fields)
	}
	w.target.add("company", "G1", map[string]any{"HS_ID": "k1", "Typed": "by people", "Zip": "by people"})
	w.begin(row(map[string]any{"Name": "a", "Size": json.Number("5"), "Typed": nil, "Zip": nil}))
	w.part()
	w.wantCalls("find company 1", "update company 1")
	w.begin(row(map[string]any{"Name": nil, "Size": nil, "Typed": nil, "Zip": "1000"}))
	w.part()
	want := []map[string]any{{"Gsid": "G1", "HS_ID": "k1", "Name": nil, "Size": nil, "Typed": "by people", "Zip": "1000"}}
	if diff := cmp.Diff(want, w.target.with("company", "HS_ID", "k1")); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// Where the target tells upper from lower case, asking for a key with letters
// would miss rows, and a second one would appear.
func TestARowThatDiffersInCaseAloneIsFoundInAnExactTarget(t *testing.T) {
	for _, tt := range []struct {
		name, key, stored string
		calls             []string
	}{
		{"letters", "Acme", "ACME", []string{"scan company", "update company 1"}},
		{"digits", "42", "42", []string{"find company 1", "update company 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, companies())
			w.target.exact = true
			w.target.add("company", "G1", map[string]any{"HS_ID": tt.stored})
			w.begin(entry("1", map[string]any{"HS_ID": tt.key, "Name": "a"}))
			w.part()
			w.wantCalls(tt.calls...)
			w.want(run.Counts{Updated: 1})
		})
	}
}

// The index was read before the insert, so what the insert stored is asked for.
func TestALostInsertIsFoundInAnExactTarget(t *testing.T) {
	w := newWorld(t, companies())
	w.target.exact = true
	w.begin(entry("1", map[string]any{"HS_ID": "Acme", "Name": "a"}))
	w.target.fail = func(_ int, what string) (bool, error) {
		if what == "insert company 1" {
			return true, lost()
		}
		return true, nil
	}
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	w.target.fail = nil
	w.part()
	w.wantCalls("scan company", "insert company 1", "find company 2", "update company 1")
	w.want(run.Counts{Updated: 1}) // the row was there when it was asked for
	if n := len(w.target.rows["company"]); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestALargeFullRunReadsTheTargetOnce(t *testing.T) {
	w := newWorld(t, companies())
	w.mode, w.IndexFrom = run.ModeFull, 100
	for i := range 60 {
		w.target.add("company", fmt.Sprintf("G%02d", i), map[string]any{"HS_ID": fmt.Sprint("K", i, " ")}) // compared without case and outer spaces
	}
	w.begin(some(100, "a")...)
	w.part()
	w.wantCallsAtOnce("insert company 40", "scan company", "update company 10", "update company 50")
	w.want(run.Counts{Inserted: 40, Updated: 60})
	w.mode = run.ModeChanges
	w.begin(some(101, "b")[100:]...)
	w.part()
	w.wantCalls("find company 1", "insert company 1")
}

// An insert may have happened although its index was read before it.
func TestARowThatMayBeThereIsLookedUpAfresh(t *testing.T) {
	w := newWorld(t, companies())
	w.mode, w.IndexFrom = run.ModeFull, 10
	w.begin(some(10, "a")...)
	w.target.fail = func(_ int, what string) (bool, error) {
		if strings.HasPrefix(what, "insert") {
			return true, lost()
		}
		return true, nil
	}
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	w.target.fail = nil
	w.part()
	w.wantCalls("scan company", "insert company 10", "find company 10", "update company 10")
}

func TestSeveralRowsOfOneIdentifierAreNotGuessed(t *testing.T) {
	w := newWorld(t, companies())
	w.target.add("company", "G1", map[string]any{"HS_ID": "k1"})
	w.target.add("company", "G2", map[string]any{"HS_ID": "k1"})
	w.begin(company("1", "a"), company("2", "a"))
	w.part()
	w.wantCalls("find company 2", "insert company 1")
	w.want(run.Counts{Inserted: 1, Rejected: 1})
	w.wantReject("1", record.MultipleMatches)
}

func TestARowThatVanishedIsMadeAnew(t *testing.T) {
	w := newWorld(t, companies())
	w.begin(some(3, "a")...)
	w.part()
	gsid := w.print("1").GSID
	delete(w.target.rows["company"], gsid)
	w.begin(some(3, "b")...)
	w.part()
	w.wantCalls("update company 3", "find company 1", "insert company 1")
	w.want(run.Counts{Updated: 2, Inserted: 1})
	if p := w.print("1"); p.GSID == gsid || p.GSID == "" {
		t.Errorf("GSID %q, was %q", p.GSID, gsid)
	}
}

// A target that finds rows which it then says are gone must not keep the part
// busy forever.
func TestRowsThatKeepVanishingFailThePart(t *testing.T) {
	w := newWorld(t, companies())
	w.target.add("company", "G1", map[string]any{"HS_ID": "k1"})
	w.target.refuse = func(map[string]any) *record.Refusal { return &record.Refusal{Code: "GSOBJ_1011"} }
	w.target.fail = func(call int, _ string) (bool, error) {
		if call > 20 {
			return false, context.Canceled
		}
		return true, nil
	}
	w.begin(company("1", "a"))
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	if calls := w.target.took(); len(calls) > 4 {
		t.Errorf("%d calls: %q", len(calls), calls)
	}
}

func TestDuplicatesByIdentifier(t *testing.T) {
	same := func(id, key string) staging.Entry { return entry(id, map[string]any{"HS_ID": key, "Name": id}) }
	t.Run("the one that came first keeps the row", func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(same("1", "k"), same("2", " K "), same("3", "other"))
		w.part()
		w.want(run.Counts{Inserted: 2, Rejected: 1})
		if r := w.wantReject("2", record.DuplicateIdentifier); !strings.Contains(r.Reason, "record 1 ") {
			t.Errorf("reason %q does not name record 1", r.Reason)
		}
	})
	t.Run("also behind another batch and in a later run", func(t *testing.T) {
		w := newWorld(t, companies())
		entries := append([]staging.Entry{same("first", "k")}, some(60, "a")...)
		w.begin(append(entries, same("second", "K"))...)
		w.part()
		w.want(run.Counts{Inserted: 61, Rejected: 1})
		w.wantReject("second", record.DuplicateIdentifier)
		w.begin(same("third", "k"))
		w.part()
		w.want(run.Counts{Rejected: 1})
		w.wantReject("third", record.DuplicateIdentifier)
		if rows := w.target.with("company", "HS_ID", "k"); len(rows) != 1 || rows[0]["Name"] != "first" {
			t.Errorf("rows %v, want that of the first", rows)
		}
	})
	t.Run("an identifier that its holder gave up is free", func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(same("1", "k"))
		w.part()
		w.begin(same("1", "moved"))
		w.part()
		w.begin(same("2", "k"))
		w.part()
		w.want(run.Counts{Inserted: 1})
	})
	t.Run("also if the process died before it was released", func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(same("1", "k"))
		w.part()
		p := w.print("1")
		p.Keys = []string{"another"} // as delivered since, with the claim left behind
		if err := w.Delta.Book("j1").Put(t.Context(), map[string]*delta.Print{"1": &p}); err != nil {
			t.Fatal(err)
		}
		clear(w.target.rows["company"])
		w.begin(same("2", "k"))
		w.part()
		w.want(run.Counts{Inserted: 1})
	})
	t.Run("two that swap their identifiers end with one row each", func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(same("1", "k1"), same("2", "k2"))
		w.part()
		w.begin(same("1", "k2"), same("2", "k1"))
		w.part()
		if at, err := w.Runs.Part(t.Context(), w.run.ID, 1); err != nil || at.Counts.Settled() != 2 {
			t.Errorf("%+v, %v, want 2 settled", at, err)
		}
	})
	t.Run("a merged record takes over what its losers held", func(t *testing.T) {
		w := newWorld(t, companies())
		w.begin(same("1", "k"))
		w.part()
		winner := same("9", "k")
		winner.Row.Merged = []string{"1", "2"}
		w.begin(winner)
		w.part()
		w.wantCalls("update company 1")
		w.want(run.Counts{Updated: 1})
	})
}
