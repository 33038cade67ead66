package schedule

import (
	"slices"
	"time"
)

// day is a calendar day, as midnight UTC: days are 24 hours there.
type day = time.Time

func dayAt(t time.Time) day {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// searchDays is more than how far apart two occurrences can be: two months.
const searchDays = 70

// Next returns the first occurrence strictly after a time, and false if there is
// none: the schedule is disabled, over, or not valid.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	if !s.Enabled || len(s.Check()) > 0 {
		return time.Time{}, false
	}
	loc, _ := zone(s.Zone) // Check loaded it
	first, last := s.bounds()
	if s.Kind == Hourly || s.Kind == Minutes {
		return s.nextInterval(after, loc, first, last)
	}
	at, _ := time.Parse(clock, s.At)
	wall := at.Sub(dayAt(at))
	from := dayAt(after.In(loc))
	if from.Before(first) {
		from = first
	}
	for d := from; d.Before(from.AddDate(0, 0, searchDays)) && !d.After(last); d = d.AddDate(0, 0, 1) {
		if !s.on(d) {
			continue
		}
		if t := instant(d.Add(wall), loc); t.After(after) {
			return t, true
		}
	}
	return time.Time{}, false
}

// bounds returns the first and the last day, far away if there is no limit.
func (s Schedule) bounds() (first, last day) {
	first, last = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if s.Start != "" {
		first, _ = time.Parse(date, s.Start)
	}
	if s.End != "" {
		last, _ = time.Parse(date, s.End)
	}
	return first, last
}

// on reports whether the schedule runs on a day.
func (s Schedule) on(d day) bool {
	switch s.Kind {
	case Daily:
		return true
	case Weekdays:
		return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday
	case Weekly:
		return slices.Contains(s.Days, dayOf(d.Weekday()))
	case MonthlyDay:
		return d.Day() == min(s.Day, monthDays(d))
	case MonthlyNth:
		if dayOf(d.Weekday()) != s.Days[0] {
			return false
		}
		if s.Nth == 5 {
			return d.Day()+7 > monthDays(d)
		}
		return (d.Day()-1)/7 == s.Nth-1
	case Hourly, Minutes:
	}
	return false
}

func monthDays(d day) int { return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// nextInterval counts elapsed time from the start.
func (s Schedule) nextInterval(after time.Time, loc *time.Location, first, last day) (time.Time, bool) {
	every := time.Hour
	if s.Kind == Minutes {
		every = time.Duration(s.Every) * time.Minute
	}
	origin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if s.Start != "" {
		origin = first
	}
	at, _ := time.Parse(clock, s.At)
	start := instant(origin.Add(at.Sub(dayAt(at))), loc)
	t := start
	if s.Start == "" || !after.Before(start) {
		// Seconds, because a Duration holds no more than 292 years.
		step, gone := int64(every/time.Second), after.Unix()-start.Unix()
		n := gone / step
		if gone < 0 && gone%step != 0 {
			n-- // round down, not to zero
		}
		t = time.Unix(start.Unix()+(n+1)*step, 0).In(loc)
	}
	if dayAt(t.In(loc)).After(last) {
		return time.Time{}, false
	}
	return t, true
}

// instant returns when the clocks of a zone show a wall time, which is given as
// if it were UTC: the first time if they show it twice, the next moment that
// exists if they skip it.
func instant(wall time.Time, loc *time.Location) time.Time {
	// Offsets lie within 26 hours, so the moment is between these two.
	t, end := wall.Add(-26*time.Hour).In(loc), wall.Add(26*time.Hour)
	for {
		_, offset := t.Zone()
		from, to := t.ZoneBounds()
		candidate := wall.Add(-time.Duration(offset) * time.Second)
		if !from.IsZero() && candidate.Before(from) { // skipped: the clocks were set past it
			return from
		}
		if to.IsZero() || candidate.Before(to) || to.After(end) {
			return candidate.In(loc)
		}
		t = to
	}
}
