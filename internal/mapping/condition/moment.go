package condition

import (
	"strconv"
	"strings"
	"time"
)

// Moment is a day, or an instant of a day.
type Moment struct {
	// Milli is the instant in milliseconds since the epoch; of a day, its
	// beginning in UTC.
	Milli int64
	// Written is the day as it is written, in days since the epoch: that of
	// "2026-03-01T00:30:00+02:00" is March 1, though in UTC it is still February.
	Written int64
	// Clock is true if the text has a time of day.
	Clock bool
}

const (
	dayMilli    = 24 * 60 * 60 * 1000
	firstMilli  = -62135596800000 // 0001-01-01
	behindMilli = 253402300800000 // 10000-01-01
)

// ParseMoment reads "2026-03-01", alone or followed by a time "T15:04[:05[.999]]"
// and an offset "Z", "+02:00", "+0200" or "+02"; without an offset it is UTC. If
// epoch is true, a number is milliseconds since the epoch, whole or not. What is
// finer than a millisecond is cut. Days that no calendar has and years outside
// 1 to 9999 are no moments. Outer spaces do not count.
func ParseMoment(s string, epoch bool) (Moment, bool) {
	s = strings.TrimSpace(s)
	if epoch {
		if n, ok := ParseNumber(s); ok {
			return fromEpoch(n)
		}
	}
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return Moment{}, false
	}
	year, okY := number(s[:4])
	month, okM := number(s[5:7])
	day, okD := number(s[8:10])
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if !okY || !okM || !okD || year == 0 || t.Day() != day || int(t.Month()) != month {
		return Moment{}, false
	}
	m := Moment{Milli: t.UnixMilli(), Written: floorDay(t.UnixMilli())}
	if len(s) == 10 {
		return m, true
	}
	if s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return Moment{}, false
	}
	clock, ok := clockMilli(s[11:])
	m.Milli += clock
	m.Clock = true
	return m, ok && inCalendar(m.Milli)
}

// fromEpoch is the moment of a number of milliseconds.
func fromEpoch(n Number) (Moment, bool) {
	if n.exp > 15 {
		return Moment{}, false
	}
	var ms int64
	if n.exp > 0 {
		whole := n.digits + strings.Repeat("0", max(0, n.exp-len(n.digits)))
		ms, _ = strconv.ParseInt(whole[:n.exp], 10, 64) // 15 digits at most: fits
	}
	if n.negative {
		ms = -ms
	}
	day := floorDay(ms)
	return Moment{Milli: ms, Written: day, Clock: ms != day*dayMilli}, inCalendar(ms)
}

func inCalendar(ms int64) bool { return ms >= firstMilli && ms < behindMilli }

// clockMilli reads a time of day with its offset, as milliseconds since midnight
// in UTC, which may be before or behind the day.
func clockMilli(s string) (int64, bool) {
	hour, s, ok := pair(s, 23)
	if !ok || s == "" || s[0] != ':' {
		return 0, false
	}
	minute, s, ok := pair(s[1:], 59)
	if !ok {
		return 0, false
	}
	var second, milli int
	if s != "" && s[0] == ':' {
		if second, s, ok = pair(s[1:], 59); !ok {
			return 0, false
		}
		if s != "" && s[0] == '.' {
			fraction, rest := digits(s[1:])
			if fraction == "" || len(fraction) > 9 {
				return 0, false
			}
			milli, _ = number((fraction + "00")[:3])
			s = rest
		}
	}
	offset, ok := offsetMinutes(s)
	return int64(((hour*60+minute-offset)*60+second)*1000 + milli), ok
}

// offsetMinutes reads "", "Z", "+hh", "+hhmm" or "+hh:mm".
func offsetMinutes(s string) (int, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	sign := 1
	switch s[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	hours, rest, ok := pair(s[1:], 18)
	if !ok || rest == "" {
		return sign * hours * 60, ok
	}
	minutes, rest, ok := pair(strings.TrimPrefix(rest, ":"), 59)
	return sign * (hours*60 + minutes), ok && rest == ""
}

// pair reads two digits of at most that value.
func pair(s string, most int) (n int, rest string, ok bool) {
	if len(s) < 2 {
		return 0, "", false
	}
	n, ok = number(s[:2])
	return n, s[2:], ok && n <= most
}

// number reads a text of digits alone.
func number(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func floorDay(ms int64) int64 {
	day := ms / dayMilli
	if ms%dayMilli < 0 {
		day--
	}
	return day
}

// Day returns the day of the moment in UTC, in days since the epoch.
func (m Moment) Day() int64 { return floorDay(m.Milli) }
