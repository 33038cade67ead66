// Package schedule says when a job or chain runs by itself.
//
// A schedule with a time of day follows the clocks of its zone: a time that they
// skip runs at the next minute that exists, a time that they show twice runs the
// first time only. An interval (hourly, every N minutes) counts elapsed time
// from its start, whatever the clocks do.
package schedule

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are the same on every host, also where none are installed

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
)

// Kind is how a schedule repeats.
type Kind string

// What a Kind can be.
const (
	Weekdays   Kind = "weekdays"   // Monday to Friday
	Daily      Kind = "daily"      // every day
	Weekly     Kind = "weekly"     // on Days
	MonthlyDay Kind = "monthlyDay" // on Day
	MonthlyNth Kind = "monthlyNth" // on the Nth of Days, which is one day
	Hourly     Kind = "hourly"
	Minutes    Kind = "minutes" // every Every minutes
)

// Day is a day of the week.
type Day string

// What a Day can be.
const (
	Monday    Day = "monday"
	Tuesday   Day = "tuesday"
	Wednesday Day = "wednesday"
	Thursday  Day = "thursday"
	Friday    Day = "friday"
	Saturday  Day = "saturday"
	Sunday    Day = "sunday"
)

func dayOf(w time.Weekday) Day { return Day(strings.ToLower(w.String())) }

// Schedule is when something runs. The zero Schedule never runs and is not valid.
type Schedule struct {
	Enabled bool `json:"enabled"`
	Kind    Kind `json:"kind"`
	// Days of a weekly schedule, at least one; the day of a monthlyNth schedule.
	Days []Day `json:"days,omitempty"`
	// Day of a monthlyDay schedule, 1 to 31: in a shorter month its last day.
	Day int `json:"day,omitempty"`
	// Nth of a monthlyNth schedule, 1 to 5: 5 is the last one of the month.
	Nth int `json:"nth,omitempty"`
	// Every is the number of minutes between two runs of a minutes schedule, 5 to
	// 1,440.
	Every int `json:"every,omitempty"`
	// At is the time of day, "15:04". An interval starts at it, on the start date
	// or, without one, on 1 January 2024.
	At   string `json:"at"`
	Zone string `json:"zone"` // IANA name, such as "Europe/Berlin"
	// Start and End are the first and the last day, "2006-01-02" in the zone;
	// "" = no limit.
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`

	Version int64 `json:"-"` // of the stored item; 0 if it is not stored
}

// Problem is one thing that is wrong with a schedule.
type Problem struct {
	Field   string // as in the JSON form
	Message string // one sentence with the way out
}

const (
	clock = "15:04"
	date  = "2006-01-02"
)

// minEvery and maxEvery bound an interval in minutes.
const (
	minEvery = 5
	maxEvery = 24 * 60
)

var (
	clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	dateForm  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// Check returns all that is wrong with the schedule; nil means that it is valid.
func (s Schedule) Check() []Problem {
	var problems []Problem
	add := func(field, format string, args ...any) {
		problems = append(problems, Problem{field, fmt.Sprintf(format, args...)})
	}
	s.checkKind(add)
	if !clockForm.MatchString(s.At) {
		add("at", "The start time %q is not a time of day: write it like 06:30.", s.At)
	}
	if _, err := zone(s.Zone); err != nil {
		add("zone", "The time zone %q is not known: use a name such as Europe/Berlin.", s.Zone)
	}
	for _, d := range []struct{ field, name, value string }{{"start", "start date", s.Start}, {"end", "end date", s.End}} {
		if _, err := time.Parse(date, d.value); d.value != "" && (err != nil || !dateForm.MatchString(d.value)) {
			add(d.field, "The %s %q is not a date: write it like 2026-11-30.", d.name, d.value)
		}
	}
	if s.Start != "" && s.End != "" && s.End < s.Start {
		add("end", "The end date %s is before the start date %s.", s.End, s.Start)
	}
	return problems
}

// Validate returns all problems of the schedule as one fault.Invalid, or nil.
func (s Schedule) Validate() error {
	problems := s.Check()
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Message
	}
	return fault.New(fault.Invalid, "%s", strings.Join(texts, " "))
}

// Same reports whether two schedules say the same, of whatever versions.
func (s Schedule) Same(other Schedule) bool {
	return bytes.Equal(activity.JSON(s), activity.JSON(other))
}

func (s Schedule) checkKind(add func(field, format string, args ...any)) {
	days := false
	switch s.Kind {
	case Weekdays, Daily, Hourly:
	case Weekly:
		days = true
		if len(s.Days) == 0 {
			add("days", "A weekly schedule needs at least one day of the week.")
		}
	case MonthlyDay:
		if s.Day < 1 || s.Day > 31 {
			add("day", "The day of the month is %d: choose 1 to 31.", s.Day)
		}
	case MonthlyNth:
		days = true
		if len(s.Days) != 1 {
			add("days", "A schedule on the nth weekday of the month needs exactly one day of the week.")
		}
		if s.Nth < 1 || s.Nth > 5 {
			add("nth", "Choose the 1st to 4th weekday of the month, or 5 for the last one, not %d.", s.Nth)
		}
	case Minutes:
		if s.Every < minEvery || s.Every > maxEvery {
			add("every", "The interval is %d minutes: choose %d to %d.", s.Every, minEvery, maxEvery)
		}
	default:
		add("kind", "The kind %q is not known: use weekdays, daily, weekly, monthlyDay, monthlyNth, hourly or minutes.", s.Kind)
		return
	}
	s.checkUnused(add, days)
	for i, d := range s.Days {
		switch d {
		case Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday:
			if days && slices.Contains(s.Days[:i], d) {
				add("days", "The day %s is listed twice.", d)
			}
		default:
			add("days", "The day %q is not known: use monday to sunday.", d)
		}
	}
}

// checkUnused finds what is set and means nothing for the kind.
func (s Schedule) checkUnused(add func(field, format string, args ...any), days bool) {
	const text = "A schedule of the kind %s has no %q: remove it."
	if len(s.Days) > 0 && !days {
		add("days", text, s.Kind, "days")
	}
	if s.Day != 0 && s.Kind != MonthlyDay {
		add("day", text, s.Kind, "day")
	}
	if s.Nth != 0 && s.Kind != MonthlyNth {
		add("nth", text, s.Kind, "nth")
	}
	if s.Every != 0 && s.Kind != Minutes {
		add("every", text, s.Kind, "every")
	}
}

// zones keeps what was loaded: loading reads a file. :: name → *time.Location
var zones sync.Map //nolint:gochecknoglobals // the same for all, and only added to

// zone loads a time zone by its IANA name; the host's own zone is none.
func zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("zone %q has no place", name)
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil //nolint:forcetypeassert // nothing else is kept
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, loc)
	}
	return loc, err
}
