package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hubspotconnector/internal/schedule"
)

const minute = "2006-01-02T15:04-07:00"

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(minute, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

// TestScheduleRunsAt gives the occurrences behind a moment, written down by hand
// from the zones' published rules.
func TestScheduleRunsAt(t *testing.T) {
	on := func(s schedule.Schedule) schedule.Schedule {
		s.Enabled = true
		return s
	}
	daily := func(clock, zone string) schedule.Schedule {
		return on(schedule.Schedule{Kind: schedule.Daily, At: clock, Zone: zone})
	}
	monthly := func(day int) schedule.Schedule {
		return on(schedule.Schedule{Kind: schedule.MonthlyDay, Day: day, At: "06:00", Zone: "UTC"})
	}
	nth := func(n int, day schedule.Day) schedule.Schedule {
		return on(schedule.Schedule{Kind: schedule.MonthlyNth, Nth: n, Days: []schedule.Day{day}, At: "06:00", Zone: "UTC"})
	}
	tests := []struct {
		name     string
		schedule schedule.Schedule
		after    string
		want     []string
	}{
		{
			"every day at its time", daily("06:30", "Europe/Berlin"), "2026-11-24T06:29+01:00",
			[]string{"2026-11-24T06:30+01:00", "2026-11-25T06:30+01:00"},
		},
		{
			"strictly later than the moment asked about", daily("06:30", "Europe/Berlin"), "2026-11-24T06:30+01:00",
			[]string{"2026-11-25T06:30+01:00"},
		},
		{
			"by the zone's date, not that of UTC", daily("08:00", "Asia/Tokyo"), "2026-11-24T20:00+00:00",
			[]string{"2026-11-25T08:00+09:00"},
		},
		{
			"half-hour zones", daily("09:00", "Asia/Kolkata"), "2026-11-24T03:29+00:00",
			[]string{"2026-11-24T09:00+05:30"},
		},
		{
			"every weekday leaves out Saturday and Sunday", on(schedule.Schedule{Kind: schedule.Weekdays, At: "22:00", Zone: "America/New_York"}), "2026-11-26T23:00-05:00",
			[]string{"2026-11-27T22:00-05:00", "2026-11-30T22:00-05:00"},
		},
		{
			"weekly on the chosen days", on(schedule.Schedule{Kind: schedule.Weekly, Days: []schedule.Day{schedule.Sunday, schedule.Tuesday}, At: "00:00", Zone: "UTC"}), "2026-11-24T00:00+00:00",
			[]string{"2026-11-29T00:00+00:00", "2026-12-01T00:00+00:00", "2026-12-06T00:00+00:00"},
		},
		{
			"day 31 is the last day of shorter months", monthly(31), "2027-01-31T05:00+00:00",
			[]string{"2027-01-31T06:00+00:00", "2027-02-28T06:00+00:00", "2027-03-31T06:00+00:00", "2027-04-30T06:00+00:00"},
		},
		{
			"day 29 in a leap year", monthly(29), "2028-02-01T00:00+00:00",
			[]string{"2028-02-29T06:00+00:00", "2028-03-29T06:00+00:00"},
		},
		{"day 15", monthly(15), "2026-11-24T00:00+00:00", []string{"2026-12-15T06:00+00:00"}},
		{
			"the second Tuesday", nth(2, schedule.Tuesday), "2026-11-10T06:00+00:00",
			[]string{"2026-12-08T06:00+00:00", "2027-01-12T06:00+00:00"},
		},
		{"the first Sunday", nth(1, schedule.Sunday), "2026-11-24T00:00+00:00", []string{"2026-12-06T06:00+00:00"}},
		{
			"the fifth Friday is the last where there are four", nth(5, schedule.Friday), "2026-11-24T00:00+00:00",
			[]string{"2026-11-27T06:00+00:00", "2026-12-25T06:00+00:00", "2027-01-29T06:00+00:00"},
		},

		{
			"a skipped time runs at the next minute that exists", daily("02:30", "Europe/Berlin"), "2026-03-28T12:00+01:00",
			[]string{"2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"},
		},
		{
			"the first skipped minute", daily("02:00", "America/New_York"), "2027-03-13T12:00-05:00",
			[]string{"2027-03-14T03:00-04:00", "2027-03-15T02:00-04:00"},
		},
		{
			"a doubled time runs the first time", daily("02:30", "Europe/Berlin"), "2026-10-24T12:00+02:00",
			[]string{"2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"},
		},
		{
			"asked between the two the doubled time is over", daily("01:30", "America/New_York"), "2026-11-01T01:45-04:00",
			[]string{"2026-11-02T01:30-05:00"},
		},
		{
			"midnight skipped", daily("00:00", "Africa/Cairo"), "2026-04-23T12:00+02:00",
			[]string{"2026-04-24T01:00+03:00", "2026-04-25T00:00+03:00"},
		},
		{
			"clocks set by half an hour, doubled", daily("01:45", "Australia/Lord_Howe"), "2026-04-04T12:00+11:00",
			[]string{"2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"},
		},
		{
			"clocks set by half an hour, skipped", daily("02:15", "Australia/Lord_Howe"), "2026-10-03T12:00+10:30",
			[]string{"2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"},
		},
		{
			"a day that a zone left out", daily("10:00", "Pacific/Apia"), "2011-12-29T09:00-10:00",
			[]string{"2011-12-29T10:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T10:00+14:00"},
		},

		{
			"hourly at the minute of its start time", on(schedule.Schedule{Kind: schedule.Hourly, At: "00:20", Zone: "UTC"}), "2026-11-24T10:20+00:00",
			[]string{"2026-11-24T11:20+00:00", "2026-11-24T12:20+00:00"},
		},
		{
			"hourly goes on while clocks go back", on(schedule.Schedule{Kind: schedule.Hourly, At: "00:30", Zone: "Europe/Berlin"}), "2026-10-25T01:30+02:00",
			[]string{"2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"},
		},
		{
			"every 90 minutes from its start", on(schedule.Schedule{Kind: schedule.Minutes, Every: 90, At: "08:00", Zone: "UTC", Start: "2026-11-24"}), "2026-11-20T00:00+00:00",
			[]string{"2026-11-24T08:00+00:00", "2026-11-24T09:30+00:00", "2026-11-24T11:00+00:00"},
		},
		{
			"an interval counts back before its start, too", on(schedule.Schedule{Kind: schedule.Minutes, Every: 45, At: "00:00", Zone: "UTC"}), "2023-12-31T22:40+00:00",
			[]string{"2023-12-31T23:15+00:00", "2024-01-01T00:00+00:00"},
		},

		{
			"not before the start date", on(schedule.Schedule{Kind: schedule.Daily, At: "06:00", Zone: "UTC", Start: "2027-05-01"}), "2026-11-24T00:00+00:00",
			[]string{"2027-05-01T06:00+00:00"},
		},
		{
			"not after the end date", on(schedule.Schedule{Kind: schedule.Daily, At: "06:00", Zone: "UTC", End: "2026-11-25"}), "2026-11-24T07:00+00:00",
			[]string{"2026-11-25T06:00+00:00", ""},
		},
		{
			"an interval ends with its last day", on(schedule.Schedule{Kind: schedule.Hourly, At: "00:00", Zone: "America/New_York", End: "2026-11-24"}), "2026-11-24T22:30-05:00",
			[]string{"2026-11-24T23:00-05:00", ""},
		},
		{"disabled", schedule.Schedule{Kind: schedule.Daily, At: "06:00", Zone: "UTC"}, "2026-11-24T00:00+00:00", []string{""}},
		{"not valid", on(schedule.Schedule{Kind: schedule.Daily, At: "6 o'clock", Zone: "UTC"}), "2026-11-24T00:00+00:00", []string{""}},
		{"the zero schedule", schedule.Schedule{}, "2026-11-24T00:00+00:00", []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			moment := at(t, tt.after)
			for _, want := range tt.want {
				next, ok := tt.schedule.Next(moment)
				got := ""
				if ok {
					got = next.Format(minute)
				}
				if got != want {
					t.Fatalf("after %s: got %q, want %q", moment.Format(minute), got, want)
				}
				moment = next
			}
		})
	}
}

// minuteByMinute is what a clock on the wall would do: it looks at it every
// minute, knows which time it showed before, and what it still owes for times
// that were skipped.
type minuteByMinute struct {
	s   schedule.Schedule
	loc *time.Location
}

func (o minuteByMinute) next(after time.Time, limit time.Duration) (time.Time, bool) {
	shown := map[int64]bool{} // :: local minutes, as if UTC, that the clock has shown
	// Two days ahead, so that what was shown before the moment is known.
	t := after.Truncate(time.Minute).Add(-48 * time.Hour)
	last := t.Add(-time.Minute).In(o.loc)
	for ; t.Before(after.Add(limit)); t = t.Add(time.Minute) {
		local := t.In(o.loc)
		due := false
		// Every wall minute behind the last one shown up to this one; more than one
		// if the clocks were set forward.
		from, to := naive(last).Add(time.Minute), naive(local)
		if from.After(to) {
			from = to // set back: only what it shows now
		}
		for w := from; !w.After(to); w = w.Add(time.Minute) {
			due = due || !shown[w.Unix()] && o.matches(w)
			shown[w.Unix()] = true
		}
		if due && t.After(after) {
			return t, true
		}
		last = local
	}
	return time.Time{}, false
}

func naive(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
}

func (o minuteByMinute) matches(wall time.Time) bool {
	if at, _ := time.Parse("15:04", o.s.At); wall.Hour() != at.Hour() || wall.Minute() != at.Minute() {
		return false
	}
	text := wall.Format("2006-01-02")
	if o.s.Start != "" && text < o.s.Start || o.s.End != "" && text > o.s.End {
		return false
	}
	day := schedule.Day(strings.ToLower(wall.Weekday().String()))
	switch o.s.Kind {
	case schedule.Daily:
		return true
	case schedule.Weekdays:
		return day != schedule.Saturday && day != schedule.Sunday
	case schedule.Weekly:
		return slices.Contains(o.s.Days, day)
	case schedule.MonthlyDay:
		tomorrow := wall.AddDate(0, 0, 1)
		return wall.Day() == o.s.Day || tomorrow.Day() == 1 && wall.Day() < o.s.Day
	case schedule.MonthlyNth:
		if day != o.s.Days[0] {
			return false
		}
		n := 0 // which of its weekdays this is
		for d := wall; d.Month() == wall.Month(); d = d.AddDate(0, 0, -7) {
			n++
		}
		isLast := wall.AddDate(0, 0, 7).Month() != wall.Month()
		return n == o.s.Nth || o.s.Nth == 5 && isLast
	case schedule.Hourly, schedule.Minutes:
	}
	return false
}

var allDays = []schedule.Day{schedule.Monday, schedule.Tuesday, schedule.Wednesday, schedule.Thursday, schedule.Friday, schedule.Saturday, schedule.Sunday}

// TestNextIsTheFirstOccurrence is a law: Next is strictly later, an occurrence,
// and none lies between.
func TestNextIsTheFirstOccurrence(t *testing.T) {
	// Around each moment the zone sets its clocks.
	places := []struct{ zone, moment string }{
		{"Europe/Berlin", "2026-03-29T01:00+00:00"},
		{"Europe/Berlin", "2026-10-25T01:00+00:00"},
		{"America/New_York", "2026-11-01T06:00+00:00"},
		{"Australia/Lord_Howe", "2026-10-03T15:30+00:00"},
		{"Australia/Lord_Howe", "2026-04-04T15:00+00:00"},
		{"Africa/Cairo", "2026-04-23T22:00+00:00"},
		{"America/Santiago", "2026-09-06T04:00+00:00"},
		{"Asia/Kolkata", "2026-06-01T00:00+00:00"},
		{"Pacific/Apia", "2011-12-30T10:00+00:00"},
		{"UTC", "2026-02-28T00:00+00:00"},
	}
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.SampledFrom(places).Draw(t, "place")
		s := schedule.Schedule{
			Enabled: true, Zone: place.zone,
			Kind: rapid.SampledFrom([]schedule.Kind{schedule.Daily, schedule.Weekdays, schedule.Weekly, schedule.MonthlyDay, schedule.MonthlyNth}).Draw(t, "kind"),
			At:   rapid.SampledFrom([]string{"00:00", "00:30", "01:30", "01:45", "02:00", "02:15", "02:30", "02:59", "03:00", "12:00", "23:59"}).Draw(t, "at"),
		}
		switch s.Kind {
		case schedule.Weekly:
			s.Days = rapid.SliceOfNDistinct(rapid.SampledFrom(allDays), 1, 7, rapid.ID[schedule.Day]).Draw(t, "days")
		case schedule.MonthlyDay:
			s.Day = rapid.IntRange(1, 31).Draw(t, "day")
		case schedule.MonthlyNth:
			s.Nth = rapid.IntRange(1, 5).Draw(t, "nth")
			s.Days = []schedule.Day{rapid.SampledFrom(allDays).Draw(t, "weekday")}
		case schedule.Daily, schedule.Weekdays, schedule.Hourly, schedule.Minutes:
		}
		base, _ := time.Parse(minute, place.moment)
		after := base.Add(time.Duration(rapid.IntRange(-3*24*60, 3*24*60).Draw(t, "minutes")) * time.Minute)
		if rapid.Bool().Draw(t, "starts") {
			s.Start = base.AddDate(0, 0, rapid.IntRange(-4, 4).Draw(t, "start")).Format("2006-01-02")
		}
		if rapid.Bool().Draw(t, "ends") {
			s.End = base.AddDate(0, 0, rapid.IntRange(4, 12).Draw(t, "end")).Format("2006-01-02")
		}
		loc, err := time.LoadLocation(place.zone)
		if err != nil {
			t.Fatal(err)
		}
		want, wantOK := minuteByMinute{s, loc}.next(after, 40*24*time.Hour)
		got, ok := s.Next(after)
		if ok && !got.After(after) {
			t.Fatalf("Next(%s) = %s, which is not later", after, got)
		}
		if ok != wantOK && (!ok || got.Sub(after) <= 39*24*time.Hour) || ok && wantOK && !got.Equal(want) {
			t.Fatalf("%+v\nafter %s:\n got %v %s\nwant %v %s", s, after.In(loc), ok, got, wantOK, want.In(loc))
		}
	})
}

// TestIntervalsAreEven is a law: hourly and every N minutes count elapsed time.
func TestIntervalsAreEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.IntRange(5, 1440).Draw(t, "every")
		s := schedule.Schedule{
			Enabled: true, Kind: schedule.Minutes, Every: every, At: "02:30",
			Zone: rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}).Draw(t, "zone"),
		}
		after := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "after"), 0)
		first, ok := s.Next(after)
		if !ok || !first.After(after) || first.Sub(after) > time.Duration(every)*time.Minute {
			t.Fatalf("Next(%s) = %s", after, first)
		}
		if second, _ := s.Next(first); second.Sub(first) != time.Duration(every)*time.Minute {
			t.Fatalf("%s is followed by %s, want %d minutes between", first, second, every)
		}
		if before, _ := s.Next(first.Add(-time.Second)); !before.Equal(first) {
			t.Fatalf("asked a second before %s: %s", first, before)
		}
	})
}
