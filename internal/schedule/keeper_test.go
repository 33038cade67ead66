package schedule_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/schedule/schedulertest"
	"hubspotconnector/internal/table/bolttable"
)

func chainOf(id string) schedule.Owner { return schedule.Owner{What: schedule.Chain, ID: id} }
func jobOf(id string) schedule.Owner   { return schedule.Owner{What: schedule.Job, ID: id} }

func keeperStore(t *testing.T) *schedule.Store {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	return &schedule.Store{Table: items, Activity: &activity.Store{Table: items, NewID: func() string { n++; return fmt.Sprintf("%026d", n) }}}
}

func save(t *testing.T, s *schedule.Store, o schedule.Owner, sch schedule.Schedule) {
	t.Helper()
	old, err := s.Get(t.Context(), o)
	if err == nil {
		sch.Version = old.Version
	}
	if _, err := s.Put(t.Context(), o, sch, "admin"); err != nil {
		t.Fatal(err)
	}
}

// copied is a scheduler that only holds what is put, and can lose a call or its
// answer. It fails the test if it is given what no scheduler is to follow.
type copied struct {
	t        *testing.T
	followed map[schedule.Owner]schedule.Schedule
	calls    []string
	fail     func(call string) (arrived bool, err error)
}

func (c *copied) do(call string, act func()) error {
	c.calls = append(c.calls, call)
	if c.fail != nil {
		if arrived, err := c.fail(call); err != nil {
			if arrived {
				act()
			}
			return err
		}
	}
	act()
	return nil
}

func (c *copied) Put(_ context.Context, o schedule.Owner, s schedule.Schedule) error {
	if !s.Enabled || s.Check() != nil || o.Name != "" {
		c.t.Errorf("put %+v %+v", o, s)
	}
	s.Version = 0
	return c.do("put "+o.ID, func() { c.followed[o] = s })
}

func (c *copied) Delete(_ context.Context, o schedule.Owner) error {
	return c.do("delete "+o.ID, func() { delete(c.followed, o) })
}

func (c *copied) List(context.Context) ([]schedule.Entry, error) {
	var entries []schedule.Entry
	err := c.do("list", func() {
		for o, s := range c.followed {
			entries = append(entries, schedule.Entry{Owner: o, Schedule: s})
		}
	})
	return entries, err
}

func repair(t *testing.T, k *schedule.Keeper) []schedule.Change {
	t.Helper()
	changes, err := k.Repair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(changes, func(a, b schedule.Change) int { return cmp.Compare(a.Owner.ID, b.Owner.ID) })
	return changes
}

func TestRepairMakesTheSchedulerAgreeWithWhatIsStored(t *testing.T) {
	store, c := keeperStore(t), &copied{t: t, followed: map[schedule.Owner]schedule.Schedule{}}
	daily, hourly := schedulertest.Daily(), schedulertest.Daily()
	hourly.Kind = schedule.Hourly
	disabled, past := daily, daily
	disabled.Enabled, past.End = false, "2020-01-01"
	for id, sch := range map[string]schedule.Schedule{"new": daily, "kept": daily, "changed": daily, "zero": daily, "disabled": disabled, "past": past, "not": daily} {
		save(t, store, chainOf(id), sch)
	}
	c.followed = map[schedule.Owner]schedule.Schedule{
		chainOf("kept"): daily, chainOf("changed"): hourly, chainOf("zero"): {}, chainOf("disabled"): daily, chainOf("past"): past, chainOf("not"): daily,
		chainOf("gone"): daily, jobOf("kept"): daily,
	}
	k := &schedule.Keeper{Store: store, Scheduler: c, Counts: func(_ context.Context, o schedule.Owner) (bool, error) { return o.ID != "not", nil }}
	want := []schedule.Change{
		{Owner: chainOf("changed")},
		{Owner: chainOf("disabled"), Removed: true},
		{Owner: chainOf("gone"), Removed: true},
		{Owner: jobOf("kept"), Removed: true},
		{Owner: chainOf("new")},
		{Owner: chainOf("not"), Removed: true},
		{Owner: chainOf("past"), Removed: true},
		{Owner: chainOf("zero")},
	}
	if diff := gocmp.Diff(want, repair(t, k)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	agreed := map[schedule.Owner]schedule.Schedule{chainOf("new"): daily, chainOf("kept"): daily, chainOf("changed"): daily, chainOf("zero"): daily}
	if diff := gocmp.Diff(agreed, c.followed); diff != "" {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
	c.calls = nil
	if changes := repair(t, k); len(changes) > 0 || !slices.Equal(c.calls, []string{"list"}) {
		t.Errorf("again: %v by %v, want no change by one call", changes, c.calls)
	}
	k.Now = func() time.Time { return time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) }
	if changes := repair(t, k); len(changes) > 0 {
		t.Errorf("without end: %v", changes)
	}
}

func TestRepairThatFailsGoesOnWhenItIsRepeated(t *testing.T) {
	daily := schedulertest.Daily()
	for _, arrived := range []bool{false, true} {
		for failing := range 5 { // list, three puts, a delete
			store, c := keeperStore(t), &copied{t: t, followed: map[schedule.Owner]schedule.Schedule{chainOf("gone"): daily}}
			for _, id := range []string{"a", "b", "c"} {
				save(t, store, chainOf(id), daily)
			}
			calls := 0
			c.fail = func(string) (bool, error) {
				if calls++; calls-1 == failing {
					return arrived, fault.New(fault.Throttled, "Not now.")
				}
				return true, nil
			}
			k := &schedule.Keeper{Store: store, Scheduler: c}
			changes, err := k.Repair(t.Context())
			if !fault.Is(err, fault.Throttled) {
				t.Errorf("call %d: %v, want Throttled", failing, err)
			}
			if want := 3; failing > 0 && len(changes) != want {
				t.Errorf("call %d: %d changes beside the one that failed, want %d", failing, len(changes), want)
			}
			repair(t, k)
			if len(c.followed) != 3 || repair(t, k) != nil {
				t.Errorf("call %d: %v is followed", failing, c.followed)
			}
		}
	}
}

func TestRepairLeavesAnOwnerAloneOfWhomItKnowsNothing(t *testing.T) {
	store := keeperStore(t)
	daily := schedulertest.Daily()
	c := &copied{t: t, followed: map[schedule.Owner]schedule.Schedule{chainOf("a"): daily}}
	save(t, store, chainOf("a"), daily)
	save(t, store, chainOf("b"), daily)
	k := &schedule.Keeper{Store: store, Scheduler: c, Counts: func(_ context.Context, o schedule.Owner) (bool, error) {
		if o.ID == "a" {
			return false, fault.New(fault.Transient, "No answer.")
		}
		return true, nil
	}}
	changes, err := k.Repair(t.Context())
	if !fault.Is(err, fault.Transient) || len(changes) != 1 || len(c.followed) != 2 {
		t.Errorf("%v, %v, followed %v", changes, err, c.followed)
	}
}

func TestAnOccurrenceBelongsToOneExecution(t *testing.T) {
	store := keeperStore(t)
	save(t, store, chainOf("c"), schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: "02:30", Zone: "Europe/Berlin"})
	save(t, store, jobOf("c"), schedule.Schedule{Kind: schedule.Daily, At: "02:30", Zone: "Europe/Berlin"})
	claim := func(o schedule.Owner, due, execution string) bool {
		t.Helper()
		moment := at(t, due).Add(7 * time.Second)
		ok, err := store.Claim(t.Context(), o, moment, execution)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for _, tt := range []struct {
		name      string
		owner     schedule.Owner
		due       string
		execution string
		want      bool
	}{
		{"an occurrence", chainOf("c"), "2090-06-01T02:30+02:00", "e1", true},
		{"asked again", chainOf("c"), "2090-06-01T02:30+02:00", "e1", true},
		{"a second start", chainOf("c"), "2090-06-01T02:30+02:00", "e2", false},
		{"the next occurrence", chainOf("c"), "2090-06-02T02:30+02:00", "e2", true},
		{"no occurrence", chainOf("c"), "2090-06-02T03:00+02:00", "e3", false},
		{"the time that replaces a skipped one", chainOf("c"), "2090-03-26T03:00+02:00", "e4", true},
		{"the second showing of a doubled time", chainOf("c"), "2090-10-29T02:30+01:00", "e5", true},
		{"the first showing of that time", chainOf("c"), "2090-10-29T02:30+02:00", "e6", false},
		{"a schedule that is disabled", jobOf("c"), "2090-06-01T02:30+02:00", "e1", false},
		{"an owner without a schedule", jobOf("none"), "2090-06-01T02:30+02:00", "e1", false},
	} {
		if got := claim(tt.owner, tt.due, tt.execution); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	var (
		group sync.WaitGroup
		won   [20]bool
	)
	for i := range won {
		group.Go(func() {
			won[i], _ = store.Claim(t.Context(), chainOf("c"), at(t, "2090-07-01T02:30+02:00"), fmt.Sprint("e", i))
		})
	}
	group.Wait()
	n := 0
	for _, ok := range won {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d executions have the occurrence, want one", n)
	}
}

// TestWhatIsDueIsWhatComesNext is a law: every occurrence is due, and nothing
// between two, but for the second showing of a time that is shown twice.
func TestWhatIsDueIsWhatComesNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedule.Schedule{
			Enabled: rapid.Float64Range(0, 1).Draw(t, "enabled") > 0.1, Zone: rapid.SampledFrom([]string{"Europe/Berlin", "Australia/Lord_Howe", "UTC"}).Draw(t, "zone"),
			Kind: rapid.SampledFrom([]schedule.Kind{schedule.Daily, schedule.Weekdays, schedule.Hourly, schedule.Minutes}).Draw(t, "kind"),
			At:   rapid.SampledFrom([]string{"00:00", "01:45", "02:30", "03:00", "12:00"}).Draw(t, "at"),
		}
		if s.Kind == schedule.Minutes {
			s.Every = rapid.IntRange(5, 300).Draw(t, "every")
		}
		from := time.Date(2026, time.Month(rapid.SampledFrom([]int{3, 4, 10}).Draw(t, "month")), rapid.IntRange(1, 30).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		next, more := s.Next(from.Add(-time.Nanosecond))
		late := time.Duration(rapid.IntRange(0, 59).Draw(t, "late")) * time.Second
		loc, _ := time.LoadLocation(s.Zone)
		for moment := from; moment.Before(from.Add(48 * time.Hour)); moment = moment.Add(time.Minute) {
			want := more && moment.Equal(next)
			if want {
				next, more = s.Next(next)
			}
			got := s.Due(moment.Add(late))
			// As a wall clock shows it: an hour or half an hour before it showed the same.
			again := false
			for _, back := range []time.Duration{30 * time.Minute, time.Hour} {
				again = again || moment.In(loc).Format("15:04") == moment.Add(-back).In(loc).Format("15:04") && s.Due(moment.Add(-back))
			}
			if got != want && (!got || !again) {
				t.Fatalf("%+v at %s: due %v, want %v", s, moment.In(loc), got, want)
			}
		}
	})
}
