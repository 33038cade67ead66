package upsert_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

func TestIdentifiersThatTheSourceKeepsUniqueAreNotClaimed(t *testing.T) {
	w := newWorld(t, companies())
	w.unique = true
	w.begin(some(120, "a")...)
	w.part()
	w.want(run.Counts{Inserted: 120})
	if p := w.print("7"); w.table.claims != 0 || len(p.Keys) != 0 || p.GSID == "" {
		t.Errorf("%d claims, print %+v, want none and a GSID", w.table.claims, p)
	}
	w.begin(company("7", "b"), company("200", "new"))
	w.part()
	w.want(run.Counts{Inserted: 1, Updated: 1})
}

// Without claims, too, the print says that an insert may have happened.
func TestALostInsertOfAUniqueIdentifierIsFound(t *testing.T) {
	for _, fresh := range []bool{false, true} { // by the same run, or by the next
		w := newWorld(t, companies())
		w.unique, w.mode, w.IndexFrom = true, run.ModeFull, 10
		w.begin(some(10, "a")...)
		w.target.fail = func(_ int, what string) (bool, error) {
			if strings.HasPrefix(what, "insert") {
				return true, lost()
			}
			return true, nil
		}
		_, err := w.Part(t.Context(), w.input)
		wantKind(t, err, fault.Transient)
		if p := w.print("3"); !p.Tried || p.Sending != w.run.ID || p.Outcome != "" {
			t.Errorf("print %+v, want one that says that an insert may have happened", p)
		}
		w.target.fail = nil
		if fresh {
			w.mode = run.ModeChanges
			w.begin(some(10, "a")...)
		}
		w.target.took()
		w.part()
		w.wantCalls("find company 10", "update company 10")
		if p := w.print("3"); p.Tried || p.Sending != "" || p.GSID == "" {
			t.Errorf("print %+v, want a row that is known", p)
		}
		if n := len(w.target.rows["company"]); n != 10 {
			t.Errorf("%d rows, want 10", n)
		}
	}
}

// A person is left alone when its contact is deleted, if a later contact with the
// same address has it by now.
func TestAPersonThatALaterContactHasIsNotMarkedAsDeleted(t *testing.T) {
	w := newWorld(t, people())
	w.unique = true
	w.job.Options.WhenDeleted = job.WhenDeleted{Do: job.DoSet, Field: "Person::Status__gc", Value: "gone"}
	w.begin(contact("1", "sam@acme.example", ""), contact("2", "ida@acme.example", ""))
	w.part()
	w.begin(contact("11", "sam@acme.example", ""))
	w.part()
	if w.print("1").GSID == "" || w.print("1").GSID != w.print("11").GSID {
		t.Fatalf("prints %+v and %+v, want one person", w.print("1"), w.print("11"))
	}
	w.begin(staging.Entry{Gone: &staging.Gone{ID: "1", How: record.Deleted}}, staging.Entry{Gone: &staging.Gone{ID: "2", How: record.Deleted}})
	w.part()
	w.want(run.Counts{Filtered: 1, Updated: 1})
	if p := w.print("1"); p.Gone != record.Deleted || p.GSID != "" {
		t.Errorf("print %+v, want one that has no row any more", p)
	}
	if p := w.print("2"); p.Set != "Person::Status__gc" {
		t.Errorf("print %+v, want one whose row says that it is gone", p)
	}
}

// A quota that is smaller than what a stretch needs ends no part and stops none.
func TestAPartComesToItsEndWithAnySmallQuota(t *testing.T) {
	for _, quota := range []int{2, 3, 7} {
		t.Run(fmt.Sprint(quota), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, companies())
				w.begin(some(400, "a")...)
				left := quota
				until := time.Now().Add(time.Minute)
				w.target.fail = func(int, string) (bool, error) {
					w.table.mu.Lock()
					defer w.table.mu.Unlock()
					if left--; left < 0 {
						return false, fault.Until(until, "Spent.")
					}
					return true, nil
				}
				windows := 0
				for status := step.Wait; status == step.Wait; windows++ {
					if left = quota; windows > 20 {
						t.Fatalf("not at the end after %d windows", windows)
					}
					out, err := w.Part(t.Context(), w.input)
					if err != nil {
						t.Fatal(err)
					}
					status = out.Status
				}
				w.want(run.Counts{Inserted: 400})
			})
		})
	}
}

// The process may end between the print of a reject and the position behind it.
func TestARejectOfTheSecondPassIsCountedOnce(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		w := newWorld(t, companies())
		first, second := company("1", "a"), company("2", "a")
		first.Row.Defer, second.Row.Defer = map[string][]string{"Parent": {"2"}}, map[string][]string{"Parent": {"9"}}
		w.begin(first, second)
		w.part()
		w.want(run.Counts{})
		reject := record.Reject{SourceID: "2", Step: "transform", Code: record.NoMatch, Reason: "R.", Fix: "F."}
		w.stage(1, 2, company("1", "b"), staging.Entry{Reject: &reject})
		w.input.Pass = 2
		settles := w.table.settles
		w.table.fail = func(what string, n int) (bool, error) {
			if what == "settle" && n == settles {
				return arrives, lost()
			}
			return true, nil
		}
		_, err := w.Part(t.Context(), w.input)
		wantKind(t, err, fault.Transient)
		w.part()
		w.want(run.Counts{Inserted: 1, Rejected: 1})
	}
}

// A row that was dealt with counts as what it was when the position gets behind it.
func TestARecordThatIsGoneCountsAsWhatBecameOfItsRow(t *testing.T) {
	w := newWorld(t, companies())
	w.job.Options.WhenDeleted = job.WhenDeleted{Do: job.DoSet, Field: "Status__gc", Value: "gone"}
	w.begin(company("1", "a"))
	w.part()
	w.begin(staging.Entry{Gone: &staging.Gone{ID: "1", How: record.Deleted}})
	w.table.fail = func(what string, n int) (bool, error) {
		if what == "settle" && n == 0 {
			return false, lost()
		}
		return true, nil
	}
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	w.part()
	w.want(run.Counts{Updated: 1})
	w.wantCalls("update company 1")
}
