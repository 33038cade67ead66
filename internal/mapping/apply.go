package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/record"
)

// Apply turns a record into a row, or says why it is rejected. found holds the
// result of each of Lookups, the zero Result for an empty key.
//
// A property that the source did not send is left out of the row: not known is
// not empty (Guarantee 6). A self look-up that finds nothing is deferred: see
// record.Row.Defer.
func (p *Program) Apply(r record.Record, now time.Time, found []lookup.Result) (record.Row, *record.Reject) {
	values, failed := p.values(r, now)
	a := &application{Program: p, record: r, values: values, row: record.Row{
		SourceID: r.ID, Version: r.Version, Source: p.columnsOf(r, values),
		Fields: make(map[string]any, len(p.direct)+len(p.derived)),
	}}
	if failed >= 0 {
		name := p.columns[failed].Name
		reject := a.reject(record.BadValue, "", "", "The formula field %q cannot be computed from the values of this record.", name)
		reject.Fix = "Correct the record in HubSpot, or the expression of the formula field in the job."
		return record.Row{}, reject
	}
	if reject := a.identify(); reject != nil {
		return record.Row{}, reject
	}
	for i := range p.direct {
		if reject := a.direct(&p.direct[i]); reject != nil {
			return record.Row{}, reject
		}
	}
	if len(p.derived) > 0 {
		keys := p.sought(values)
		for i := range p.derived {
			if reject := a.lookUp(&p.derived[i], keys[i], found[i]); reject != nil {
				return record.Row{}, reject
			}
		}
	}
	return a.row, nil
}

// Resolve completes a deferred row with what its look-ups found in the second
// pass: found holds a result per Config.Derived, those that were not deferred do
// not count. The row given is not changed.
func (p *Program) Resolve(row record.Row, found []lookup.Result) (record.Row, *record.Reject) {
	deferred := row.Defer
	row.Defer = nil
	row.Fields, row.Null = maps.Clone(row.Fields), slices.Clone(row.Null)
	a := &application{Program: p, row: row}
	for i := range p.derived {
		d := &p.derived[i]
		sought, waits := deferred[d.to.Name]
		if !waits {
			continue
		}
		if reject := a.settle(d, Key{Values: sought}, found[i]); reject != nil {
			return record.Row{}, reject
		}
	}
	return a.row, nil
}

// columnsOf returns the dataset's columns for the error file.
func (p *Program) columnsOf(r record.Record, values []*string) map[string]*string {
	columns := make(map[string]*string, len(values))
	for i, v := range values {
		if v != nil || sent(r, p.columns[i]) {
			columns[p.columns[i].Name] = v
		}
	}
	return columns
}

// sent reports whether the source said something about the column.
func sent(r record.Record, c column) bool {
	_, ok := r.Values[c.key]
	return ok || c.key == ""
}

// application is a record on its way to a row.
type application struct {
	*Program
	record record.Record
	values []*string
	row    record.Row
}

// reject rejects the record. The reason is one sentence without record values.
func (a *application) reject(code record.Code, field, value, reason string, args ...any) *record.Reject {
	why, _ := Explain(code)
	return &record.Reject{
		SourceID: a.row.SourceID, Step: "transform", Field: field, Value: cut(value),
		Code: code, Reason: fmt.Sprintf(reason, args...), Fix: why.Fix, Source: a.row.Source,
	}
}

// maxValue is the most characters of a value that a reject repeats; the whole
// value stands in the column of its field.
const maxValue = 1000

func cut(s string) string {
	if len(s) <= maxValue {
		return s
	}
	n := 0
	for i := range s {
		if n == maxValue {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// identify checks that the record can be told apart.
func (a *application) identify() *record.Reject {
	var empty []*directMapping
	for _, at := range a.keys {
		if d := &a.Program.direct[at]; strings.TrimSpace(a.text(d.from)) == "" {
			empty = append(empty, d)
		}
	}
	switch {
	case len(empty) == 0, a.anyKey && len(empty) < len(a.keys):
		return nil
	case a.anyKey && len(empty) > 1:
		names := make([]string, len(empty))
		for i, d := range empty {
			names[i] = fmt.Sprintf("%q", label(a.columns[d.from].Field))
		}
		return a.reject(record.MissingIdentifier, empty[0].to.Name, "", "%s are empty, so the person cannot be told apart.", and(names))
	}
	return a.reject(record.MissingIdentifier, empty[0].to.Name, "", "%q is empty, which identifies the record.", label(a.columns[empty[0].from].Field))
}

func (a *application) text(column int) string {
	if v := a.values[column]; v != nil {
		return *v
	}
	return ""
}

func (a *application) direct(d *directMapping) *record.Reject {
	from, raw := a.columns[d.from], a.text(d.from)
	if raw == "" {
		return a.empty(d, from)
	}
	v, wrong := d.convert(raw)
	if wrong != nil {
		if d.fallback == nil {
			return a.reject(wrong.code, d.to.Name, raw, "The value of %q %s", label(from.Field), wrong.why)
		}
		v = d.fallback
	}
	a.row.Fields[d.to.Name] = v
	return nil
}

// empty deals with a field that has no value in the source.
func (a *application) empty(d *directMapping, from column) *record.Reject {
	known := sent(a.record, from)
	keep := d.whenEmpty == EmptyKeep || !known
	switch {
	case known && d.fallback != nil:
		a.row.Fields[d.to.Name] = d.fallback
		return nil
	case d.to.Required, d.to.NotNull && !keep:
		return a.reject(record.MissingValue, d.to.Name, "", "%q is empty, and Gainsight needs a value in %q.", label(from.Field), label(d.to))
	case !known:
		return nil
	}
	a.row.Fields[d.to.Name] = nil
	switch d.whenEmpty {
	case EmptyClear:
	case EmptyKeep:
		a.row.Keep = append(a.row.Keep, d.to.Name)
	case EmptyNull:
		a.row.Null = append(a.row.Null, d.to.Name)
	}
	return nil
}

// lookUp fills a field in the first pass.
func (a *application) lookUp(d *lookupMapping, key Key, found lookup.Result) *record.Reject {
	if d.self && !key.Empty && len(found.GSIDs) == 0 {
		if a.row.Defer == nil {
			a.row.Defer = map[string][]string{}
		}
		a.row.Defer[d.to.Name] = key.Values
		return nil
	}
	unknown := slices.ContainsFunc(d.pairs, func(c comparison) bool { return !sent(a.record, a.columns[c.from]) })
	if unknown && d.none != NoneReject {
		return nil
	}
	return a.settle(d, key, found)
}

// settle fills a field with what its look-up found.
func (a *application) settle(d *lookupMapping, key Key, found lookup.Result) *record.Reject {
	name := d.to.Name
	switch {
	case len(found.GSIDs) > 1 && d.multiple == MultipleError:
		return a.reject(record.MultipleMatches, name, a.compared(d, key),
			"%d rows of %s in Gainsight match by %s.", len(found.GSIDs), d.object, a.pairs(d))
	case len(found.GSIDs) > 0:
		a.row.Fields[name] = slices.Min(found.GSIDs)
		return nil
	}
	switch d.none {
	case NoneReject:
		if from, ok := a.emptyPair(d, key); ok {
			return a.reject(record.NoMatch, name, "", "%q is empty, so no row of %s can be found for %q.", from, d.object, label(d.to))
		}
		return a.reject(record.NoMatch, name, a.compared(d, key), "No row of %s in Gainsight matches by %s.", d.object, a.pairs(d))
	case NoneNull:
		a.row.Fields[name] = nil
		a.row.Null = append(a.row.Null, name)
	case NoneDefault:
		a.row.Fields[name] = d.fallback
	}
	return nil
}

// compared is what a look-up compared: the values as the source sent them, if
// the record is at hand.
func (a *application) compared(d *lookupMapping, key Key) string {
	values := slices.Clone(key.Values)
	for i, c := range d.pairs {
		if a.values != nil {
			values[i] = a.text(c.from)
		}
	}
	return strings.Join(values, "; ")
}

// emptyPair returns the label of the first source field of a look-up that is
// empty.
func (a *application) emptyPair(d *lookupMapping, key Key) (string, bool) {
	for _, c := range d.pairs {
		if key.Empty && strings.TrimSpace(a.text(c.from)) == "" {
			return label(a.columns[c.from].Field), true
		}
	}
	return "", false
}

// pairs names the fields that a look-up compares.
func (a *application) pairs(d *lookupMapping) string {
	words := make([]string, len(d.pairs))
	for i, c := range d.pairs {
		words[i] = fmt.Sprintf("%q = %q", label(c.field), label(a.columns[c.from].Field))
	}
	return and(words)
}
