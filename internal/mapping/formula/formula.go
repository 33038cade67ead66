// Package formula computes a value from the fields of a record, by an expression
// such as `upper(left(name, 3)) + "-" + text(id)`.
//
// An expression has fields, texts, numbers, operators, `a ? b : c` and the
// functions of Functions, and nothing else: no loops, no lists, no access to
// anything outside the record. A field whose name is not a word is written
// field("First Name"). Absent, null and "" are null. A function or operator of
// null is null, unless it says otherwise: concat skips null, coalesce and if
// choose, and a comparison with null does not hold, but for == null and != null.
package formula

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// Bounds of an expression and of what it makes.
const (
	MaxLength = 2000 // characters of an expression
	maxParts  = 300
	maxDepth  = 60     // parts within parts
	maxText   = 65_536 // bytes of a text that a function makes
)

// Formula is a compiled expression. It may be used at once.
type Formula struct {
	root   node
	fields []record.Field
	used   []int // places of the fields that it reads
	result record.Type
}

// Error is what is wrong with an expression, as one sentence for the admin.
type Error string

// Error implements error.
func (e Error) Error() string { return string(e) }

func wrong(format string, args ...any) error { return Error(fmt.Sprintf(format, args...)) }

// Compile checks an expression over fields whose result has a type: string,
// number, boolean, date or datetime. What is wrong with it is an Error.
func Compile(expression string, fields []record.Field, result record.Type) (*Formula, error) {
	switch {
	case strings.TrimSpace(expression) == "":
		return nil, wrong("The expression is empty: enter one.")
	case len([]rune(expression)) > MaxLength:
		return nil, wrong("The expression has more than %d characters: shorten it.", MaxLength)
	}
	tokens, err := scan(expression)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, fields: fields}
	root, err := p.whole()
	if err != nil {
		return nil, err
	}
	return &Formula{root: root, fields: fields, used: p.used, result: result}, nil
}

// Value computes the value for a record; values are parallel to the fields. Null
// is nil. ok is false if the record has a value that the expression cannot work
// with, such as a text where a number is needed, or if the result is not of its
// type. Functions of today count from now; dates are those of UTC.
func (f *Formula) Value(values []*string, now time.Time) (value *string, ok bool) {
	made, err := f.root(&source{fields: f.fields, values: values, now: now.UTC()})
	if err != nil {
		return nil, false
	}
	return f.text(made)
}

// Uses reports whether the expression reads a field.
func (f *Formula) Uses(field string) bool {
	return slices.ContainsFunc(f.used, func(i int) bool { return f.fields[i].Name == field })
}

// typed is a field's value as expressions see it: nil, string, float64, bool or
// time.Time. One that does not fit its field's type stays a text, and so does a
// number that has no exact float64, such as a long id.
func typed(t record.Type, v *string) any {
	if v == nil || *v == "" {
		return nil
	}
	switch t { //nolint:exhaustive // all others are text
	case record.Number, record.Currency, record.Percentage:
		if n, ok := numberOf(*v); ok {
			return n
		}
	case record.Boolean:
		if b, ok := condition.ParseBool(*v); ok {
			return b
		}
	case record.Date, record.DateTime:
		if m, ok := condition.ParseMoment(*v, true); ok {
			return time.UnixMilli(m.Milli).UTC()
		}
	}
	return *v
}

// text is the result in the source's text form; ok is false if it is not of the
// formula's type.
func (f *Formula) text(made any) (value *string, ok bool) {
	if isNull(made) {
		return nil, true
	}
	text := ""
	switch f.result { //nolint:exhaustive // the types that a formula can have
	case record.Number:
		if _, isNumber := asNumber(made); !isNumber {
			return nil, false
		}
		text = textOf(made)
	case record.Boolean:
		if _, isBool := made.(bool); !isBool {
			return nil, false
		}
		text = textOf(made)
	case record.Date, record.DateTime:
		at, err := moment(made)
		if err != nil {
			return nil, false
		}
		text = at.Format("2006-01-02")
		if f.result == record.DateTime {
			text = at.Format("2006-01-02T15:04:05.000Z")
		}
	default:
		text = textOf(made)
	}
	return &text, true
}
