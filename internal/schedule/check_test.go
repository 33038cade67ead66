package schedule_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table/bolttable"
)

func TestCheckFindsEveryProblem(t *testing.T) {
	good := schedule.Schedule{Kind: schedule.Daily, At: "06:30", Zone: "Europe/Berlin"}
	tests := []struct {
		name string
		edit func(*schedule.Schedule)
		want []string // fields
	}{
		{"valid", func(*schedule.Schedule) {}, nil},
		{"valid with dates of one day", func(s *schedule.Schedule) { s.Start, s.End = "2026-11-24", "2026-11-24" }, nil},
		{"no kind", func(s *schedule.Schedule) { s.Kind = "" }, []string{"kind"}},
		{"unknown kind", func(s *schedule.Schedule) { s.Kind = "yearly" }, []string{"kind"}},
		{"no time", func(s *schedule.Schedule) { s.At = "" }, []string{"at"}},
		{"24:00", func(s *schedule.Schedule) { s.At = "24:00" }, []string{"at"}},
		{"one digit", func(s *schedule.Schedule) { s.At = "6:30" }, []string{"at"}},
		{"the host's zone", func(s *schedule.Schedule) { s.Zone = "Local" }, []string{"zone"}},
		{"no zone", func(s *schedule.Schedule) { s.Zone = "" }, []string{"zone"}},
		{"unknown zone", func(s *schedule.Schedule) { s.Zone = "Europe/Atlantis" }, []string{"zone"}},
		{"30 February", func(s *schedule.Schedule) { s.Start = "2026-02-30" }, []string{"start"}},
		{"end before start", func(s *schedule.Schedule) { s.Start, s.End = "2026-11-24", "2026-11-23" }, []string{"end"}},
		{"weekly without days", func(s *schedule.Schedule) { s.Kind = schedule.Weekly }, []string{"days"}},
		{"weekly with an unknown and a repeated day", func(s *schedule.Schedule) {
			s.Kind, s.Days = schedule.Weekly, []schedule.Day{"monday", "Tuesday", "monday"}
		}, []string{"days", "days"}},
		{"days of a daily schedule", func(s *schedule.Schedule) { s.Days = []schedule.Day{"monday"} }, []string{"days"}},
		{"day 0", func(s *schedule.Schedule) { s.Kind = schedule.MonthlyDay }, []string{"day"}},
		{"day 32", func(s *schedule.Schedule) { s.Kind, s.Day = schedule.MonthlyDay, 32 }, []string{"day"}},
		{"nth 6 of no day", func(s *schedule.Schedule) { s.Kind, s.Nth = schedule.MonthlyNth, 6 }, []string{"days", "nth"}},
		{"every 4 minutes", func(s *schedule.Schedule) { s.Kind, s.Every = schedule.Minutes, 4 }, []string{"every"}},
		{"every 5 minutes", func(s *schedule.Schedule) { s.Kind, s.Every = schedule.Minutes, 5 }, nil},
		{"an interval of a daily schedule", func(s *schedule.Schedule) { s.Every = 10 }, []string{"every"}},
		{"all at once", func(s *schedule.Schedule) { *s = schedule.Schedule{Kind: schedule.Weekly, Start: "x"} }, []string{"days", "at", "zone", "start"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := good
			tt.edit(&s)
			var got []string
			for _, p := range s.Check() {
				got = append(got, p.Field)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("fields with problems (-want +got):\n%s", diff)
			}
		})
	}
}

func newStore(t *testing.T) (*schedule.Store, *activity.Store) {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	log := &activity.Store{Table: items, Now: func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }, NewID: func() string {
		n++
		return string(rune('a' + n))
	}}
	return &schedule.Store{Table: items, Activity: log}, log
}

func TestScheduleIsStoredWithItsActivity(t *testing.T) {
	s, log := newStore(t)
	ctx := t.Context()
	o := schedule.Owner{What: schedule.Chain, ID: "c1", Name: "Nightly"}
	first, err := s.Put(ctx, o, schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: "06:30", Zone: "UTC"}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	second := first
	second.At = "07:00"
	if _, err := s.Put(ctx, o, second, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, o, first, "ann"); !fault.Is(err, fault.Conflict) {
		t.Errorf("saving what was read before bob's change: %v, want a conflict", err)
	}
	if _, err := s.Put(ctx, schedule.Owner{What: schedule.Job, ID: "j1"}, schedule.Schedule{Kind: schedule.Hourly}, "ann"); !fault.Is(err, fault.Invalid) {
		t.Errorf("an invalid schedule: %v", err)
	}
	got, err := s.Get(ctx, o)
	if err != nil || got.At != "07:00" || got.Version != 2 {
		t.Errorf("stored %+v, %v", got, err)
	}
	if err := s.Delete(ctx, o, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, o, "ann"); err != nil {
		t.Errorf("deleting again: %v", err)
	}
	list, err := s.List(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
	updates, _, err := log.Updates(ctx, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range updates {
		var before, after struct {
			At string `json:"at"`
		}
		_ = json.Unmarshal(u.Before, &before)
		_ = json.Unmarshal(u.After, &after)
		lines = append(lines, u.By+" "+string(u.Type)+" "+u.Name+" "+before.At+">"+after.At)
	}
	if diff := cmp.Diff([]string{"ann deleted Nightly 07:00>", "bob edited Nightly 06:30>07:00", "ann created Nightly >06:30"}, lines); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}

func TestJobInAScheduledChainDoesNotRunBySchedule(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	put := func(id string, enabled bool) {
		_, err := s.Put(ctx, schedule.Owner{What: schedule.Chain, ID: id}, schedule.Schedule{Enabled: enabled, Kind: schedule.Hourly, At: "00:00", Zone: "UTC"}, "ann")
		if err != nil {
			t.Fatal(err)
		}
	}
	put("on", true)
	put("off", false)
	for _, tt := range []struct {
		name   string
		chains []string
		ok     bool
		by     string
	}{
		{"in no chain", nil, true, ""},
		{"in a chain without a schedule", []string{"none"}, true, ""},
		{"in a chain whose schedule is disabled", []string{"off"}, true, ""},
		{"in a scheduled chain", []string{"off", "on"}, false, "on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ok, by, err := s.Honoured(ctx, tt.chains)
			if err != nil || ok != tt.ok || by != tt.by {
				t.Errorf("got %v by %q, %v", ok, by, err)
			}
		})
	}
}
