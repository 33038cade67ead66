package ebscheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/schedule"
)

// timing is when EventBridge starts a schedule.
type timing struct {
	expression string
	zone       string
	start, end *time.Time // UTC; nil = no limit
}

// timingOf returns the expression whose starts hold every occurrence of a valid
// schedule after now. It holds more of them where the schedule cannot be said:
//
//   - day 29 or 30, in shorter months the last day;
//   - a time of day that the clocks of the zone skip one day a year. EventBridge
//     leaves that day out (user guide, Schedule types, Daylight savings time,
//     November 2026), so it also starts each day when the clocks go on.
//
// A time that the clocks show twice starts once in EventBridge as well; which
// one the guide does not say, and both are an occurrence (schedule.Schedule.Due).
func timingOf(s schedule.Schedule, now time.Time) (timing, error) {
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		return timing{}, fmt.Errorf("load zone %s: %w", s.Zone, err)
	}
	t := timing{zone: s.Zone}
	if s.End != "" {
		last, err := time.ParseInLocation(time.DateOnly, s.End, loc)
		if err != nil {
			return t, fmt.Errorf("end date: %w", err)
		}
		end := last.AddDate(0, 0, 1).UTC()
		if end.In(loc).Hour() == 23 { // the clocks skip this midnight
			end = end.Add(time.Hour)
		}
		t.end = &end
	}
	if s.Kind == schedule.Hourly || s.Kind == schedule.Minutes {
		every := 60
		if s.Kind == schedule.Minutes {
			every = s.Every
		}
		// A rate counts elapsed time from its start date, as an interval does.
		next, _ := s.Next(now)
		next = next.UTC()
		t.expression, t.start = fmt.Sprintf("rate(%d minutes)", every), &next
		return t, nil
	}
	if s.Start != "" {
		first, err := time.ParseInLocation(time.DateOnly, s.Start, loc)
		if err != nil {
			return t, fmt.Errorf("start date: %w", err)
		}
		// EventBridge refuses one that is past, and needs none.
		if first = first.UTC(); first.After(now) {
			t.start = &first
		}
	}
	if t.end != nil { // an occurrence that the clocks moved to midnight counts
		*t.end = t.end.Add(time.Minute)
	}
	t.expression, err = cron(s, loc, now)
	return t, err
}

// cron is minutes, hours, days of the month, months, days of the week, years.
func cron(s schedule.Schedule, loc *time.Location, now time.Time) (string, error) {
	at, err := time.Parse("15:04", s.At)
	if err != nil {
		return "", fmt.Errorf("time of day: %w", err)
	}
	minutes, hours, days := []int{at.Minute()}, []int{at.Hour()}, daysOf(s)
	for _, resumed := range resumptions(at, loc, now) {
		minutes, hours = append(minutes, resumed.clock.Minute()), append(hours, resumed.clock.Hour())
		if resumed.nextDay {
			days = "* * ?"
		}
	}
	return fmt.Sprintf("cron(%s %s %s *)", list(minutes), list(hours), days), nil
}

// list writes the numbers of a field.
func list(numbers []int) string {
	slices.Sort(numbers)
	var texts []string
	for _, n := range slices.Compact(numbers) {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, ",")
}

// number is that of a day in a day-of-week field: 1 is Sunday (user guide,
// Schedule types, November 2026).
func number(d schedule.Day) int {
	week := []schedule.Day{schedule.Sunday, schedule.Monday, schedule.Tuesday, schedule.Wednesday, schedule.Thursday, schedule.Friday, schedule.Saturday}
	return slices.Index(week, d) + 1
}

// daysOf are the fields day of the month, month and day of the week. One of the
// days must be ?.
func daysOf(s schedule.Schedule) string {
	switch s.Kind {
	case schedule.Weekdays:
		return "? * 2-6"
	case schedule.Weekly:
		var numbers []int
		for _, d := range s.Days {
			numbers = append(numbers, number(d))
		}
		return "? * " + list(numbers)
	case schedule.MonthlyDay:
		switch s.Day {
		case 29, 30:
			return fmt.Sprintf("28-%d * ?", s.Day)
		case 31:
			return "L * ?"
		}
		return fmt.Sprintf("%d * ?", s.Day)
	case schedule.MonthlyNth:
		if s.Nth == 5 {
			return fmt.Sprintf("? * %dL", number(s.Days[0]))
		}
		return fmt.Sprintf("? * %d#%d", number(s.Days[0]), s.Nth)
	case schedule.Daily, schedule.Hourly, schedule.Minutes:
	}
	return "* * ?"
}

// ahead is how far the changes of a zone's clocks are looked at. What is put is
// compared with what is wanted every hour, so it is put again long before.
const ahead = 400 * 24 * time.Hour

// resumption is when the clocks go on after a time of day that they skipped.
type resumption struct {
	clock   time.Time // only hour and minute count
	nextDay bool      // it is another day than the skipped one
}

// resumptions returns when clocks go on that skip a time of day.
func resumptions(at time.Time, loc *time.Location, now time.Time) []resumption {
	var all []resumption
	for t := now.In(loc); ; {
		_, to := t.ZoneBounds()
		if to.IsZero() || to.After(now.Add(ahead)) {
			return all
		}
		_, before := t.Zone()
		_, after := to.Zone()
		from, until := naive(to, before), naive(to, after) // the clocks jump from the one to the other
		for day := range 2 {
			skipped := time.Date(from.Year(), from.Month(), from.Day()+day, at.Hour(), at.Minute(), 0, 0, time.UTC)
			if !skipped.Before(from) && skipped.Before(until) {
				all = append(all, resumption{clock: until, nextDay: skipped.Day() != until.Day()})
			}
		}
		t = to
	}
}

// naive is what clocks of an offset in seconds show, as if it were UTC.
func naive(t time.Time, offset int) time.Time {
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
