package mark_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

var (
	at    = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	guard = table.Op{Verb: table.Check, Item: table.Item{Key: table.Key{Partition: "LEASE#j", Sort: "fence"}}, If: table.Absent()}
)

const contacts = "0-1"

func open(t *testing.T) *mark.Store {
	t.Helper()
	tab, err := bolttable.Open(filepath.Join(t.TempDir(), "table.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tab.Close() })
	return &mark.Store{Table: tab}
}

func put(t *testing.T, s *mark.Store, marks ...mark.Mark) {
	t.Helper()
	if err := s.Put(t.Context(), contacts, marks); err != nil {
		t.Fatal(err)
	}
}

// marks returns the marks of a job, by class and id.
func marks(t *testing.T, s *mark.Store, job string) map[string]mark.Mark {
	t.Helper()
	all := map[string]mark.Mark{}
	for _, c := range []mark.Class{mark.Events, mark.Deletions, mark.Retries, mark.Edits} {
		err := s.Each(t.Context(), contacts, job, c, func(m mark.Mark) (bool, error) {
			all[string(c)+m.ID] = m
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestManyEventsOfARecordAreOneMark(t *testing.T) {
	s := open(t)
	for range 3 {
		put(t, s, mark.Mark{Job: "j", ID: "1", Kind: mark.Changed, At: at}, mark.Mark{Job: "j", ID: "1", Kind: mark.Deleted, At: at})
	}
	got := marks(t, s, "j")
	if len(got) != 1 || got["e1"].Kind != mark.Deleted || got["e1"].Version != 3 {
		t.Errorf("got %+v, want one mark, the last, written three times", got)
	}
}

func TestAnEventOverwritesNeitherAPrivacyDeletionNorARetry(t *testing.T) {
	s := open(t)
	put(t, s, mark.Mark{Job: "j", ID: "1", Kind: mark.Privacy}, mark.Mark{Job: "j", ID: "1", Kind: mark.Rejected, Tries: 3, Due: 4})
	put(t, s, mark.Mark{Job: "j", ID: "1", Kind: mark.Deleted})
	counts, err := s.Counts(t.Context(), contacts, "j")
	if err != nil {
		t.Fatal(err)
	}
	want := map[mark.Kind]int{mark.Privacy: 1, mark.Rejected: 1, mark.Deleted: 1}
	if d := cmp.Diff(want, counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
}

func TestJobsAndObjectsDoNotMix(t *testing.T) {
	s := open(t)
	put(t, s, mark.Mark{Job: "j", ID: "1", Kind: mark.Changed}, mark.Mark{Job: "j2", ID: "2", Kind: mark.Changed})
	if got := marks(t, s, "j"); len(got) != 1 || got["e1"].ID != "1" {
		t.Errorf("job j has %+v", got)
	}
	if some, err := s.Any(t.Context(), "0-2", "j", mark.Events); some || err != nil {
		t.Errorf("the other object has marks: %v, %v", some, err)
	}
	if some, err := s.Any(t.Context(), contacts, "j2", mark.Retries, mark.Events); !some || err != nil {
		t.Errorf("job j2 has no marks: %v, %v", some, err)
	}
}

func TestOnlyMarksThatDidNotChangeAreRemoved(t *testing.T) {
	s := open(t)
	var all []mark.Mark
	for i := range 250 { // more than three writes hold
		all = append(all, mark.Mark{Job: "j", ID: fmt.Sprint(i), Kind: mark.Changed, At: at})
	}
	put(t, s, all...)
	claimed := marks(t, s, "j")
	put(t, s, all[7], all[130]) // told of again
	var list []mark.Mark
	for _, m := range claimed {
		list = append(list, m)
	}
	changed, err := s.Settle(t.Context(), guard, contacts, list)
	if err != nil || changed != 2 {
		t.Fatalf("%d marks changed, %v; want 2", changed, err)
	}
	left := marks(t, s, "j")
	if len(left) != 2 || left["e7"].ID == "" || left["e130"].ID == "" {
		t.Errorf("left %+v, want 7 and 130", left)
	}
	if changed, err := s.Settle(t.Context(), guard, contacts, list); err != nil || changed != 2 {
		t.Errorf("again: %d changed, %v", changed, err)
	}
}

func TestMarksStayWhenTheLeaseIsLost(t *testing.T) {
	s := open(t)
	put(t, s, mark.Mark{Job: "j", ID: "1", Kind: mark.Changed})
	if _, err := s.Table.Put(t.Context(), table.New(guard.Item.Key, 1), table.Condition{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Settle(t.Context(), guard, contacts, []mark.Mark{marks(t, s, "j")["e1"]})
	if !fault.Is(err, fault.Conflict) || len(marks(t, s, "j")) != 1 {
		t.Errorf("%v, %d marks left; want a conflict and the mark", err, len(marks(t, s, "j")))
	}
}

func TestTriesAreSpacedByPowersOfTwoUpTo64(t *testing.T) {
	var due []int64
	for tries := range 9 {
		due = append(due, mark.Next(100, tries))
	}
	if d := cmp.Diff([]int64{101, 102, 104, 108, 116, 132, 164, 164, 164}, due); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestARejectedRecordHasOneMarkAndNoneWhenItHeals(t *testing.T) {
	s := open(t)
	write := func(ops []table.Op) map[string]mark.Mark {
		if err := s.Table.Write(t.Context(), ops); err != nil {
			t.Fatal(err)
		}
		return marks(t, s, "j")
	}
	if got := write(mark.RejectOps(contacts, mark.Mark{Job: "j", ID: "1", Kind: mark.Rejected, Due: 7})); len(got) != 1 || got["r1"].Due != 7 {
		t.Errorf("rejected: %+v", got)
	}
	if got := write(mark.RejectOps(contacts, mark.Mark{Job: "j", ID: "1", Kind: mark.Rejected})); len(got) != 1 || got["w1"].ID == "" {
		t.Errorf("rejected for a reason that only an edit can heal: %+v", got)
	}
	if got := write(mark.RejectOps(contacts, mark.Mark{Job: "j", ID: "1", Kind: mark.Rejected, Due: 9})); len(got) != 1 || got["r1"].Due != 9 {
		t.Errorf("rejected as first: %+v", got)
	}
	if got := write(mark.HealOps(contacts, "j", "1")); len(got) != 0 {
		t.Errorf("healed: %+v", got)
	}
}

func TestForgettingLeavesNothingOfARecord(t *testing.T) {
	s := open(t)
	for _, m := range []mark.Mark{{Kind: mark.Changed}, {Kind: mark.Privacy}, {Kind: mark.Rejected}, {Kind: mark.Rejected, Due: 1}} {
		for _, id := range []string{"1", "2"} {
			m.Job, m.ID = "j", id
			put(t, s, m)
		}
	}
	if err := s.Table.Write(t.Context(), mark.ForgetOps(contacts, "j", "1")); err != nil {
		t.Fatal(err)
	}
	if got := marks(t, s, "j"); len(got) != 4 || got["e2"].ID != "2" {
		t.Errorf("left %+v, want those of record 2", got)
	}
}
