package condition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/record"
)

// kind is how the values of a field are compared. Its text is what people call
// such a field.
type kind string

const (
	text    kind = "text"
	numeric kind = "number"
	boolean kind = "checkbox"
	date    kind = "date"
	instant kind = "date with time"
	choice  kind = "dropdown list"
	choices kind = "multi-select list"
	unknown kind = "field of an unsupported type"
)

func kindOf(t record.Type) kind {
	switch t {
	case record.String, record.Email, record.URL, record.RichText, record.GSID, record.SFDCID:
		return text
	case record.Number, record.Percentage, record.Currency:
		return numeric
	case record.Boolean:
		return boolean
	case record.Date:
		return date
	case record.DateTime:
		return instant
	case record.Enumeration:
		return choice
	case record.Multi:
		return choices
	case record.Unsupported:
	}
	return unknown
}

// ops are the comparisons that fit.
func (k kind) ops() []Op {
	switch k {
	case text:
		return []Op{Equals, NotEquals, Contains, NotContains, StartsWith, EndsWith, IsNull, IsNotNull}
	case numeric:
		return []Op{Equals, NotEquals, Less, LessOrEqual, Greater, GreaterOrEqual, In, NotIn, IsNull, IsNotNull}
	case boolean:
		return []Op{Equals, NotEquals}
	case date, instant:
		return []Op{Equals, Before, After, Between, InLastDays, IsNull, IsNotNull}
	case choice:
		return []Op{In, NotIn, IsNull, IsNotNull}
	case choices:
		return []Op{Includes, Excludes, IsNull, IsNotNull}
	case unknown:
	}
	return nil
}

// holds compares a value that is not null.
type holds func(v string, now time.Time) bool

// compare compiles the comparison. wrong says what is wrong with its values.
func (k kind) compare(c Condition, f record.Field) (h holds, wrong string) {
	if c.Op == IsNull || c.Op == IsNotNull {
		return func(string, time.Time) bool { return c.Op == IsNotNull }, ""
	}
	switch k {
	case text:
		return compareText(c), ""
	case numeric:
		return compareNumber(c)
	case boolean:
		return compareBool(c)
	case date, instant:
		return compareMoment(c, k)
	case choice, choices:
		return compareItems(c, f), ""
	case unknown:
	}
	return nil, "the field cannot be compared."
}

func compareText(c Condition) holds {
	fold := strings.ToLower
	if c.Exact {
		fold = func(s string) string { return s }
	}
	want := fold(c.Value[0])
	has := func(v string) bool { return v == want }
	switch c.Op { //nolint:exhaustive // the others are equality, or do not fit text
	case Contains, NotContains:
		has = func(v string) bool { return strings.Contains(v, want) }
	case StartsWith:
		has = func(v string) bool { return strings.HasPrefix(v, want) }
	case EndsWith:
		has = func(v string) bool { return strings.HasSuffix(v, want) }
	}
	not := negative(c.Op)
	return func(v string, _ time.Time) bool { return has(fold(v)) != not }
}

func compareNumber(c Condition) (holds, string) {
	var want []Number
	for _, s := range c.Value {
		n, ok := ParseNumber(s)
		if !ok {
			return nil, fmt.Sprintf("%q is not a number; write it like 1800.5.", s)
		}
		want = append(want, n)
	}
	not := negative(c.Op)
	return func(v string, _ time.Time) bool {
		n, ok := ParseNumber(v)
		if !ok {
			return not
		}
		switch c.Op { //nolint:exhaustive // the others are equality with any of the values
		case Less:
			return n.Compare(want[0]) < 0
		case LessOrEqual:
			return n.Compare(want[0]) <= 0
		case Greater:
			return n.Compare(want[0]) > 0
		case GreaterOrEqual:
			return n.Compare(want[0]) >= 0
		}
		return slices.ContainsFunc(want, func(w Number) bool { return n.Compare(w) == 0 }) != not
	}, ""
}

func compareBool(c Condition) (holds, string) {
	want, ok := ParseBool(c.Value[0])
	if !ok {
		return nil, fmt.Sprintf("%q is neither true nor false; choose one of the two.", c.Value[0])
	}
	not := negative(c.Op)
	return func(v string, _ time.Time) bool {
		got, ok := ParseBool(v)
		return (ok && got == want) != not
	}, ""
}

// maxDays bounds inLastDays; 100 years.
const maxDays = 36500

func compareMoment(c Condition, k kind) (holds, string) {
	if c.Op == InLastDays {
		days, err := strconv.Atoi(strings.TrimSpace(c.Value[0]))
		if err != nil || days < 1 || days > maxDays {
			return nil, fmt.Sprintf("%q is not a number of days; give a whole number from 1 to %d.", c.Value[0], maxDays)
		}
		return inLastDays(days, k), ""
	}
	var want []span
	for _, s := range c.Value {
		one, ok := spanOf(s, k)
		if !ok {
			return nil, fmt.Sprintf("%q is not a %s; write it like %s.", s, k, example(k))
		}
		want = append(want, one)
	}
	if c.Op == Between && want[1].from < want[0].from {
		return nil, "the second value lies before the first; swap them."
	}
	return func(v string, _ time.Time) bool {
		at, ok := milli(v, k)
		switch {
		case !ok:
			return false
		case c.Op == Before:
			return at < want[0].from
		case c.Op == After:
			return at >= want[0].to
		}
		return at >= want[0].from && at < want[len(want)-1].to // equals, between
	}, ""
}

func example(k kind) string {
	if k == date {
		return "2026-11-30"
	}
	return "2026-11-30 or 2026-11-30T15:04:05Z"
}

// inLastDays holds from 00:00 UTC that many days ago until now.
func inLastDays(days int, k kind) holds {
	return func(v string, now time.Time) bool {
		at, ok := milli(v, k)
		from := (floorDay(now.UnixMilli()) - int64(days)) * dayMilli
		return ok && at >= from && at <= now.UnixMilli()
	}
}

// span is a day or an instant of a condition, in milliseconds: from ≤ t < to.
type span struct{ from, to int64 }

func spanOf(s string, k kind) (span, bool) {
	m, ok := ParseMoment(s, false)
	if !ok || m.Clock && k == date {
		return span{}, false
	}
	if m.Clock {
		return span{m.Milli, m.Milli + 1}, true
	}
	return span{m.Milli, m.Milli + dayMilli}, true
}

// milli is where a record's value lies: a date is the beginning of its day.
func milli(v string, k kind) (int64, bool) {
	m, ok := ParseMoment(v, true)
	if k == date {
		return m.Written * dayMilli, ok
	}
	return m.Milli, ok
}

// compareItems compares items with those of the condition, which may be named by
// value or by label. A value with several items matches if one of them does.
func compareItems(c Condition, f record.Field) holds {
	fold := strings.ToLower
	if c.Exact {
		fold = func(s string) string { return s }
	}
	want := make(map[string]bool, len(c.Value))
	for _, s := range c.Value {
		want[fold(itemValue(strings.TrimSpace(s), f.Options))] = true
	}
	not := negative(c.Op)
	return func(v string, _ time.Time) bool {
		if f.Type != record.Multi {
			return want[fold(strings.TrimSpace(v))] != not
		}
		return slices.ContainsFunc(Items(v), func(item string) bool { return want[fold(item)] }) != not
	}
}

// itemValue is the value of the option that s names. Records may hold items that
// are no options, so s itself is taken if none has this name.
func itemValue(s string, options []record.Option) string {
	for _, o := range options {
		if strings.EqualFold(o.Value, s) {
			return o.Value
		}
	}
	for _, o := range options {
		if strings.EqualFold(o.Label, s) {
			return o.Value
		}
	}
	return s
}
