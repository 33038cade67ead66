// Package mapping turns records of the source into rows for the target, as an
// admin configured it: dataset, filters, case fields, direct mappings with a
// conversion table, and look-ups.
//
// A Config is checked as a whole by Compile, which reports every problem at
// once. The Program it returns is pure: it reads no clock and calls nobody, so
// look-ups are split in two: Lookups says what is sought, Apply takes what was
// found.
package mapping

import (
	"time"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/mapping/formula"
	"hubspotconnector/internal/record"
)

// Skip is a dataset field that is left out of a run because the source changed.
type Skip struct {
	Field  string // its label, or its name
	Reason string // one sentence
}

// Key is what one look-up seeks.
type Key struct {
	// Values in the order of Derived.Match.
	Values []string
	// Empty means that there is nothing to seek: a source value is empty or does
	// not fit the field it is compared with. That is "no match".
	Empty bool
}

// Program is a compiled Config. Its methods may run at once.
type Program struct {
	// Skipped are fields that are left out of the rows (Options.AllowDrift).
	Skipped []Skip

	properties []string
	columns    []column // the dataset, then the formula fields, then the case fields
	dataset    int      // columns of the dataset
	inputs     int      // columns of the dataset and the formula fields
	filter     *condition.Matcher
	formulas   []*formula.Formula
	cases      []caseField
	direct     []directMapping
	derived    []lookupMapping
	keys       []int // identifiers: places in direct
	anyKey     bool  // one identifier with a value is enough
}

// column is a dataset, formula or case field, described like a source field.
type column struct {
	record.Field
	key string // in Record.Values; "" for a field that is computed
}

type caseField struct {
	when  []whenHolds
	other caseValue
}

type whenHolds struct {
	holds *condition.Matcher
	then  caseValue
}

// caseValue is a text, or a dataset or formula field if convert is set. The zero caseValue
// is null.
type caseValue struct {
	text    *string
	from    int
	convert converter
}

type directMapping struct {
	from      int
	to        record.Field
	convert   converter
	whenEmpty Empty
	fallback  any // the default, converted; nil for none
}

type lookupMapping struct {
	to       record.Field
	object   string // what people call it
	self     bool
	pairs    []comparison
	multiple Multiple
	none     None
	fallback string
}

type comparison struct {
	from    int
	field   record.Field
	convert converter
}

// Properties returns the source properties that the dataset needs, each once.
func (p *Program) Properties() []string {
	var all []string
	seen := map[string]bool{}
	for _, name := range p.properties {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all
}

// Keep reports whether the record passes the filter. Relative conditions count
// from now.
func (p *Program) Keep(r record.Record, now time.Time) bool {
	return p.filter.Match(p.read(r), now)
}

// read returns the values of the dataset, with room for the computed fields.
func (p *Program) read(r record.Record) []*string {
	values := make([]*string, p.dataset, len(p.columns))
	for i := range values {
		values[i] = r.Values[p.columns[i].key]
	}
	return values
}

// values returns the values of all columns, and the place of a formula field that
// cannot be computed for the record; -1 if there is none.
func (p *Program) values(r record.Record, now time.Time) (values []*string, failed int) {
	values, failed = p.read(r), -1
	dataset := values
	for _, f := range p.formulas {
		v, ok := f.Value(dataset, now)
		if !ok && failed < 0 {
			failed = len(values)
		}
		values = append(values, v)
	}
	inputs := values
	for _, c := range p.cases {
		values = append(values, c.value(inputs, now))
	}
	return values, failed
}

// Columns returns the dataset, formula and case fields, described like source
// fields.
func (p *Program) Columns() []record.Field {
	fields := make([]record.Field, len(p.columns))
	for i, c := range p.columns {
		fields[i] = c.Field
	}
	return fields
}

// Values returns a record's values, parallel to Columns, and the name of a formula
// field that cannot be computed for it; "" if there is none.
func (p *Program) Values(r record.Record, now time.Time) (values []*string, failed string) {
	values, at := p.values(r, now)
	if at >= 0 {
		failed = p.columns[at].Name
	}
	return values, failed
}

// value is the value of the first case that holds.
func (c caseField) value(inputs []*string, now time.Time) *string {
	for _, w := range c.when {
		if w.holds.Match(inputs, now) {
			return w.then.value(inputs)
		}
	}
	return c.other.value(inputs)
}

// value converts a field's value to the type of the case field. One that does
// not fit stays as it is, so that the mapping which needs the type rejects it.
func (v caseValue) value(inputs []*string) *string {
	if v.convert == nil {
		return v.text
	}
	raw := inputs[v.from]
	if raw == nil || *raw == "" {
		return raw
	}
	converted, wrong := v.convert(*raw)
	if wrong != nil {
		return raw
	}
	text := textOf(converted)
	return &text
}

// Lookups returns what is sought for a record, one key per Config.Derived.
func (p *Program) Lookups(r record.Record, now time.Time) []Key {
	if len(p.derived) == 0 {
		return nil
	}
	values, _ := p.values(r, now)
	return p.sought(values)
}

func (p *Program) sought(values []*string) []Key {
	keys := make([]Key, len(p.derived))
	for i, d := range p.derived {
		key := Key{Values: make([]string, len(d.pairs))}
		for n, pair := range d.pairs {
			ok := false
			if v := values[pair.from]; v != nil && *v != "" {
				key.Values[n], ok = pair.sought(*v)
			}
			key.Empty = key.Empty || !ok
		}
		keys[i] = key
	}
	return keys
}
