package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// zoneCookie holds the zone in which somebody reads times.
const zoneCookie = "zone"

// zoneOf is the zone of a reader, UTC until it is known.
func zoneOf(r *http.Request) *time.Location {
	if cookie, err := r.Cookie(zoneCookie); err == nil {
		if zone, ok := loadZone(cookie.Value); ok {
			return zone
		}
	}
	return time.UTC
}

// loadZone loads a zone by its IANA name.
func loadZone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// moment is a time as people read it.
type moment struct {
	Text string // "5 Nov 2026, 14:05"
	Full string // with seconds and zone
	ISO  string
}

// at tells a time in the reader's zone; the zero time is a dash.
func (q *request) at(t time.Time) moment {
	if t.IsZero() {
		return moment{Text: "–"}
	}
	local := t.In(q.zone)
	return moment{Text: local.Format("2 Jan 2006, 15:04"), Full: local.Format("Monday 2 January 2006, 15:04:05 ") + q.zone.String(), ISO: t.UTC().Format(time.RFC3339)}
}

// number groups the digits of a count by commas.
func number(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// counted is a number with its noun: "1 record", "1,200 records".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// took tells how long something took: "45 s", "12 min 5 s", "3 h 20 min".
func took(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d < 0:
		return "–"
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0 && s > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", s)
}

// words joins words for a sentence.
func words(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// slug is a status as a class of the stylesheet.
func slug(status any) string {
	return strings.ReplaceAll(strings.ToLower(fmt.Sprint(status)), " ", "-")
}
