// Package schedulertest is the contract of schedule.Scheduler as tests, which
// every adapter passes.
package schedulertest

import (
	"cmp"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
)

// Daily is a valid schedule without end.
func Daily() schedule.Schedule {
	return schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: "06:30", Zone: "Europe/Berlin"}
}

// kinds are schedules of every kind.
func kinds() map[string]schedule.Schedule {
	edit := func(change func(*schedule.Schedule)) schedule.Schedule {
		s := Daily()
		change(&s)
		return s
	}
	return map[string]schedule.Schedule{
		"daily":     Daily(),
		"weekdays":  edit(func(s *schedule.Schedule) { s.Kind = schedule.Weekdays }),
		"weekly":    edit(func(s *schedule.Schedule) { s.Kind, s.Days = schedule.Weekly, []schedule.Day{"sunday", "tuesday"} }),
		"day":       edit(func(s *schedule.Schedule) { s.Kind, s.Day = schedule.MonthlyDay, 15 }),
		"day30":     edit(func(s *schedule.Schedule) { s.Kind, s.Day = schedule.MonthlyDay, 30 }),
		"day31":     edit(func(s *schedule.Schedule) { s.Kind, s.Day = schedule.MonthlyDay, 31 }),
		"nth":       edit(func(s *schedule.Schedule) { s.Kind, s.Nth, s.Days = schedule.MonthlyNth, 2, []schedule.Day{"tuesday"} }),
		"last":      edit(func(s *schedule.Schedule) { s.Kind, s.Nth, s.Days = schedule.MonthlyNth, 5, []schedule.Day{"friday"} }),
		"hourly":    edit(func(s *schedule.Schedule) { s.Kind = schedule.Hourly }),
		"minutes":   edit(func(s *schedule.Schedule) { s.Kind, s.Every = schedule.Minutes, 45 }),
		"skipped":   edit(func(s *schedule.Schedule) { s.At = "02:30" }),
		"starts":    edit(func(s *schedule.Schedule) { s.Start, s.End = "2098-01-01", "2099-12-31" }),
		"long-zone": edit(func(s *schedule.Schedule) { s.Zone = "America/Argentina/ComodRivadavia" }),
	}
}

// Run runs the tests. The scheduler follows nothing yet. Its clock is before 2090.
func Run(t *testing.T, s schedule.Scheduler) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, schedule.Scheduler)
	}{
		{"what is put is followed, of every kind", everyKind},
		{"put replaces, and twice is as once", replaces},
		{"jobs and chains are apart", apart},
		{"what has no occurrence to come is removed", over},
		{"what is not valid is refused and changes nothing", refuses},
		{"delete removes, and again is nil", deletes},
		{"of many who put at once one wins", race},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want(t, s)
			tt.test(t, s)
			for _, e := range list(t, s) {
				del(t, s, e.Owner)
			}
		})
	}
}

func job(id string) schedule.Owner { return schedule.Owner{What: schedule.Job, ID: id} }

func put(t *testing.T, s schedule.Scheduler, o schedule.Owner, sch schedule.Schedule) {
	t.Helper()
	if err := s.Put(t.Context(), o, sch); err != nil {
		t.Fatalf("put %v: %v", o, err)
	}
}

func del(t *testing.T, s schedule.Scheduler, o schedule.Owner) {
	t.Helper()
	if err := s.Delete(t.Context(), o); err != nil {
		t.Fatalf("delete %v: %v", o, err)
	}
}

func list(t *testing.T, s schedule.Scheduler) []schedule.Entry {
	t.Helper()
	entries, err := s.List(t.Context())
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	slices.SortFunc(entries, func(a, b schedule.Entry) int {
		return cmp.Or(cmp.Compare(a.Owner.What, b.Owner.What), cmp.Compare(a.Owner.ID, b.Owner.ID))
	})
	return entries
}

// want checks what is followed, given in the order of owners.
func want(t *testing.T, s schedule.Scheduler, entries ...schedule.Entry) {
	t.Helper()
	if diff := gocmp.Diff(entries, list(t, s)); diff != "" && len(entries)+len(list(t, s)) > 0 {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
}

func everyKind(t *testing.T, s schedule.Scheduler) {
	var entries []schedule.Entry
	for name, sch := range kinds() {
		put(t, s, job(name), sch)
		entries = append(entries, schedule.Entry{Owner: job(name), Schedule: sch})
	}
	slices.SortFunc(entries, func(a, b schedule.Entry) int { return cmp.Compare(a.Owner.ID, b.Owner.ID) })
	want(t, s, entries...)
}

func replaces(t *testing.T, s schedule.Scheduler) {
	o, stored := job("j"), Daily()
	stored.Version = 3 // of the store; it means nothing here
	put(t, s, schedule.Owner{What: schedule.Job, ID: "j", Name: "Company Sync"}, stored)
	put(t, s, o, Daily())
	want(t, s, schedule.Entry{Owner: o, Schedule: Daily()})
	for _, sch := range kinds() {
		put(t, s, o, sch)
		want(t, s, schedule.Entry{Owner: o, Schedule: sch})
	}
}

func apart(t *testing.T, s schedule.Scheduler) {
	j, c := job("01J-x_y.z"), schedule.Owner{What: schedule.Chain, ID: "01J-x_y.z"}
	hourly := kinds()["hourly"]
	put(t, s, j, Daily())
	put(t, s, c, hourly)
	want(t, s, schedule.Entry{Owner: c, Schedule: hourly}, schedule.Entry{Owner: j, Schedule: Daily()})
	del(t, s, j)
	want(t, s, schedule.Entry{Owner: c, Schedule: hourly})
}

func over(t *testing.T, s schedule.Scheduler) {
	disabled, past := Daily(), Daily()
	disabled.Enabled = false
	past.End = "2020-01-31"
	for name, sch := range map[string]schedule.Schedule{"disabled": disabled, "past": past} {
		put(t, s, job(name), sch)
		want(t, s)
		put(t, s, job(name), Daily())
		put(t, s, job(name), sch)
		want(t, s)
	}
}

func refuses(t *testing.T, s schedule.Scheduler) {
	put(t, s, job("j"), Daily())
	bad := Daily()
	bad.Zone = "Europe/Atlantis"
	for name, sch := range map[string]schedule.Schedule{"an unknown zone": bad, "the zero schedule": {}} {
		if err := s.Put(t.Context(), job("j"), sch); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	want(t, s, schedule.Entry{Owner: job("j"), Schedule: Daily()})
}

func deletes(t *testing.T, s schedule.Scheduler) {
	put(t, s, job("a"), Daily())
	put(t, s, job("b"), Daily())
	del(t, s, job("a"))
	del(t, s, job("a"))
	del(t, s, job("never"))
	want(t, s, schedule.Entry{Owner: job("b"), Schedule: Daily()})
}

func race(t *testing.T, s schedule.Scheduler) {
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			sch := Daily()
			sch.Kind, sch.Every = schedule.Minutes, 10+i
			if err := s.Put(t.Context(), job("race"), sch); err != nil && !fault.Is(err, fault.Transient) {
				t.Errorf("put %d: %v", i, err)
			}
		})
	}
	group.Wait()
	entries := list(t, s)
	if len(entries) != 1 || entries[0].Owner != job("race") || entries[0].Schedule.Every < 10 || entries[0].Schedule.Every > 21 {
		t.Errorf("followed: %+v, want one of those put", entries)
	}
}
