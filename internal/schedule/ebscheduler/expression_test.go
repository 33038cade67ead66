package ebscheduler_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/schedule/ebscheduler"
)

// tester is a test or one of a property's tries.
type tester interface {
	rapid.TB
	Context() context.Context
}

// put returns what a schedule becomes in EventBridge.
func put(t tester, s schedule.Schedule, now time.Time) *scheduler.CreateScheduleInput {
	e := &eventBridge{}
	eb := ebscheduler.New(e.client(), ebscheduler.Options{Group: "g", Machine: "m", Role: "r", Now: func() time.Time { return now }})
	if err := eb.Put(t.Context(), schedule.Owner{What: schedule.Job, ID: "j"}, s); err != nil {
		t.Fatalf("put %+v: %v", s, err)
	}
	return e.created(t)
}

// fires are the times at which EventBridge Scheduler starts an expression, from
// the rules of its user guide (Schedule types, November 2026): a rate counts
// from its start date, in elapsed time; a cron leaves out a time that the clocks
// skip, and starts once at one that they show twice: the first or the second
// time, which the guide does not say.
func fires(in *scheduler.CreateScheduleInput, from, to time.Time, second bool) ([]time.Time, error) {
	loc, err := time.LoadLocation(*in.ScheduleExpressionTimezone)
	if err != nil {
		return nil, err
	}
	limit := func(t time.Time) bool {
		return t.After(from) && !t.After(to) && (in.StartDate == nil || !t.Before(*in.StartDate)) && (in.EndDate == nil || t.Before(*in.EndDate))
	}
	var all []time.Time
	if m := regexp.MustCompile(`^rate\((\d+) minutes\)$`).FindStringSubmatch(*in.ScheduleExpression); m != nil {
		n, _ := strconv.Atoi(m[1])
		for t := *in.StartDate; !t.After(to); t = t.Add(time.Duration(n) * time.Minute) {
			if limit(t) {
				all = append(all, t)
			}
		}
		return all, nil
	}
	m := regexp.MustCompile(`^cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)$`).FindStringSubmatch(*in.ScheduleExpression)
	if m == nil || m[4] != "*" || m[6] != "*" || (m[3] == "?") == (m[5] == "?") {
		return nil, fmt.Errorf("expression %s", *in.ScheduleExpression)
	}
	var times []time.Duration
	for minute := range 24 * 60 {
		if inNumbers(m[2], minute/60) && inNumbers(m[1], minute%60) {
			times = append(times, time.Duration(minute)*time.Minute)
		}
	}
	for day := from.UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour); day.Before(to.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
		if !inDays(m[3], day) || !inWeek(m[5], day) {
			continue
		}
		for _, wall := range times {
			moments := shown(day.Add(wall), loc)
			if len(moments) == 0 {
				continue
			}
			t := moments[0]
			if second {
				t = moments[len(moments)-1]
			}
			if limit(t) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all, nil
}

// shown are the moments at which clocks show a wall time, given as if it were UTC.
func shown(wall time.Time, loc *time.Location) []time.Time {
	var moments []time.Time
	for hours := -26; hours <= 26; hours++ {
		_, offset := wall.Add(time.Duration(hours) * time.Hour).In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		_, shows := t.In(loc).Zone()
		if shows == offset && !slices.ContainsFunc(moments, t.Equal) {
			moments = append(moments, t)
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	return moments
}

func inNumbers(field string, n int) bool {
	for part := range strings.SplitSeq(field, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, _ := strconv.Atoi(first)
		b := a
		if isRange {
			b, _ = strconv.Atoi(last)
		}
		if part == "*" || part == "?" || a <= n && n <= b {
			return true
		}
	}
	return false
}

func inDays(field string, day time.Time) bool {
	if field == "L" {
		return day.AddDate(0, 0, 1).Day() == 1
	}
	return inNumbers(field, day.Day())
}

func inWeek(field string, day time.Time) bool {
	weekday := int(day.Weekday()) + 1 // Sunday is 1
	if n, found := strings.CutSuffix(field, "L"); found {
		return n == strconv.Itoa(weekday) && day.AddDate(0, 0, 7).Month() != day.Month()
	}
	if n, nth, found := strings.Cut(field, "#"); found {
		return n == strconv.Itoa(weekday) && nth == strconv.Itoa((day.Day()-1)/7+1)
	}
	return inNumbers(field, weekday)
}

var days = []schedule.Day{schedule.Monday, schedule.Tuesday, schedule.Wednesday, schedule.Thursday, schedule.Friday, schedule.Saturday, schedule.Sunday}

// draw is any schedule.
func draw(t *rapid.T, now time.Time) schedule.Schedule {
	s := schedule.Schedule{
		Enabled: true,
		Kind: rapid.SampledFrom([]schedule.Kind{
			schedule.Daily, schedule.Weekdays, schedule.Weekly, schedule.MonthlyDay, schedule.MonthlyNth, schedule.Hourly, schedule.Minutes,
		}).Draw(t, "kind"),
		At: rapid.SampledFrom([]string{"00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "02:59", "03:00", "12:00", "23:00", "23:30", "23:59"}).Draw(t, "at"),
		Zone: rapid.SampledFrom([]string{
			"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "America/Nuuk", "Africa/Casablanca", "Asia/Kolkata", "UTC",
		}).Draw(t, "zone"),
	}
	switch s.Kind {
	case schedule.Weekly:
		s.Days = rapid.SliceOfNDistinct(rapid.SampledFrom(days), 1, 7, rapid.ID[schedule.Day]).Draw(t, "days")
	case schedule.MonthlyDay:
		s.Day = rapid.IntRange(1, 31).Draw(t, "day")
	case schedule.MonthlyNth:
		s.Nth = rapid.IntRange(1, 5).Draw(t, "nth")
		s.Days = []schedule.Day{rapid.SampledFrom(days).Draw(t, "weekday")}
	case schedule.Minutes:
		s.Every = rapid.IntRange(5, 1440).Draw(t, "every")
	case schedule.Daily, schedule.Weekdays, schedule.Hourly:
	}
	if rapid.Bool().Draw(t, "starts") {
		s.Start = now.AddDate(0, 0, rapid.IntRange(-400, 20).Draw(t, "start")).Format(time.DateOnly)
	}
	if rapid.Bool().Draw(t, "ends") {
		first, last := 70, 500
		if s.Kind == schedule.Minutes || s.Kind == schedule.Hourly {
			first, last = 22, 40
		}
		s.End = now.AddDate(0, 0, rapid.IntRange(first, last).Draw(t, "end")).Format(time.DateOnly)
	}
	return s
}

// TestTheStartsThatAreDueAreTheOccurrences is a law: of what EventBridge starts
// in a year, that which is due is what the schedule says.
func TestTheStartsThatAreDueAreTheOccurrences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 4*365*24*60).Draw(t, "now")) * time.Minute)
		s, to := draw(t, now), now.AddDate(1, 0, 20)
		if s.Kind == schedule.Minutes || s.Kind == schedule.Hourly { // elapsed time alone, so a change of the clocks is all
			to = now.AddDate(0, 0, 30)
		}
		in := put(t, s, now)
		if in.StartDate != nil && in.StartDate.Before(now.Add(-5*time.Minute)) {
			t.Fatalf("start date %s is past, which EventBridge refuses", in.StartDate)
		}
		var want []time.Time
		for at, more := s.Next(now); more && !at.After(to); at, more = s.Next(at) {
			want = append(want, at.UTC())
		}
		for _, second := range []bool{false, true} {
			all, err := fires(in, now, to, second)
			if err != nil {
				t.Fatal(err)
			}
			var due []time.Time
			for _, at := range all {
				if s.Due(at) {
					due = append(due, at.UTC())
				}
			}
			if !second {
				if diff := cmp.Diff(want, due); diff != "" {
					t.Fatalf("%+v as %s (-want +got):\n%s", s, *in.ScheduleExpression, diff)
				}
				if exact(s, in) && len(all) != len(due) {
					t.Fatalf("%+v as %s starts %d times, %d of them due", s, *in.ScheduleExpression, len(all), len(due))
				}
				continue
			}
			if len(due) != len(want) {
				t.Fatalf("%+v as %s: %d starts are due, want %d", s, *in.ScheduleExpression, len(due), len(want))
			}
			for i, at := range due {
				if late := at.Sub(want[i]); late < 0 || late > time.Hour {
					t.Fatalf("%+v starts at %s for %s", s, at, want[i])
				}
			}
		}
	})
}

// exact reports whether nothing else than occurrences may be started.
func exact(s schedule.Schedule, in *scheduler.CreateScheduleInput) bool {
	minutes, _, _ := strings.Cut(*in.ScheduleExpression, " ")
	return (s.Kind != schedule.MonthlyDay || s.Day != 29 && s.Day != 30) && !strings.Contains(minutes, ",") && s.At[:2] != "02" && s.At[:2] != "00" && s.At[:2] != "23"
}

// TestExpressions gives the expressions of each kind, written by hand.
func TestExpressions(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		s    schedule.Schedule
		want string
	}{
		{schedule.Schedule{Kind: schedule.Daily, At: "06:30", Zone: "Europe/Berlin"}, "cron(30 6 * * ? *) Europe/Berlin"},
		{schedule.Schedule{Kind: schedule.Weekdays, At: "06:00", Zone: "UTC"}, "cron(0 6 ? * 2-6 *) UTC"},
		{schedule.Schedule{Kind: schedule.Weekly, Days: []schedule.Day{"tuesday", "sunday"}, At: "06:00", Zone: "UTC"}, "cron(0 6 ? * 1,3 *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyDay, Day: 28, At: "06:00", Zone: "UTC"}, "cron(0 6 28 * ? *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyDay, Day: 29, At: "06:00", Zone: "UTC"}, "cron(0 6 28-29 * ? *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyDay, Day: 30, At: "06:00", Zone: "UTC"}, "cron(0 6 28-30 * ? *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyDay, Day: 31, At: "06:00", Zone: "UTC"}, "cron(0 6 L * ? *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyNth, Nth: 2, Days: []schedule.Day{"tuesday"}, At: "06:00", Zone: "UTC"}, "cron(0 6 ? * 3#2 *) UTC"},
		{schedule.Schedule{Kind: schedule.MonthlyNth, Nth: 5, Days: []schedule.Day{"friday"}, At: "06:00", Zone: "UTC"}, "cron(0 6 ? * 6L *) UTC"},
		{schedule.Schedule{Kind: schedule.Daily, At: "02:30", Zone: "Europe/Berlin"}, "cron(0,30 2,3 * * ? *) Europe/Berlin"},
		{schedule.Schedule{Kind: schedule.Weekdays, At: "23:30", Zone: "America/Nuuk"}, "cron(0,30 0,23 * * ? *) America/Nuuk"},
		{schedule.Schedule{Kind: schedule.Hourly, At: "06:20", Zone: "Europe/Berlin"}, "rate(60 minutes) Europe/Berlin from 2026-11-24T12:20:00Z"},
		{schedule.Schedule{Kind: schedule.Minutes, Every: 90, At: "00:00", Zone: "UTC", Start: "2026-11-24"}, "rate(90 minutes) UTC from 2026-11-24T13:30:00Z"},
		{schedule.Schedule{Kind: schedule.Daily, At: "06:30", Zone: "Europe/Berlin", Start: "2026-12-01", End: "2026-12-31"}, "cron(30 6 * * ? *) Europe/Berlin from 2026-11-30T23:00:00Z before 2026-12-31T23:01:00Z"},
		{schedule.Schedule{Kind: schedule.Daily, At: "06:30", Zone: "Europe/Berlin", Start: "2026-11-24"}, "cron(30 6 * * ? *) Europe/Berlin"},
	} {
		tt.s.Enabled = true
		in := put(t, tt.s, now)
		got := *in.ScheduleExpression + " " + *in.ScheduleExpressionTimezone
		if in.StartDate != nil {
			got += " from " + in.StartDate.Format(time.RFC3339)
		}
		if in.EndDate != nil {
			got += " before " + in.EndDate.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%+v\n got %s\nwant %s", tt.s, got, tt.want)
		}
	}
}
