package mapping

import (
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// targetField returns a field that a mapping fills. from, the zero Field if not
// known, tells which type of field to create if there is none.
func (b *builder) targetField(path, name string, wanted record.Type) (record.Field, bool) {
	object := objectLabel(b.target)
	to, ok := b.target.Field(name)
	switch {
	case strings.TrimSpace(name) == "":
		b.fail(path, "A mapping has no target field: choose one.")
		return to, false
	case !ok || to.Archived:
		b.fail(path, "%s has no field %q in Gainsight: create field %q there (Administration > Data Management) as %s, or choose another field.",
			object, name, name, typeName(wanted))
		return to, false
	case to.ReadOnly:
		b.fail(path, "%q of %s is filled by Gainsight itself: choose another field.", label(to), object)
		return to, false
	case to.Type == record.Unsupported:
		b.fail(path, "%q of %s is of a type that cannot be written: choose another field.", label(to), object)
		return to, false
	case b.filled[name]:
		b.fail(path, "%q is filled by two mappings: remove one.", label(to))
		return to, false
	}
	b.filled[name] = true
	return to, true
}

func (b *builder) direct(path string, d Direct) {
	at, known := b.column(d.From)
	wanted := record.String
	if known && !b.p.columns[at].Archived && b.p.columns[at].Type != record.Unsupported {
		wanted = b.p.columns[at].Type
	}
	to, ok := b.targetField(path+"to", d.To, wanted)
	switch d.WhenEmpty {
	case EmptyClear, EmptyKeep:
	case EmptyNull:
		if to.Required || to.NotNull {
			b.fail(path+"whenEmpty", "%q cannot be null in Gainsight: let it be cleared or left alone when empty, or give it a default value.", label(to))
		}
	default:
		b.fail(path+"whenEmpty", "%q is not something to do when the source is empty: use keep, null, or nothing.", d.WhenEmpty)
	}
	if !known {
		b.fail(path+"from", "The dataset has no field %q: add it to the dataset, or choose another field.", d.From)
		return
	}
	if !ok {
		return
	}
	m := directMapping{from: at, to: to, whenEmpty: d.WhenEmpty}
	if d.Default != nil && *d.Default != "" {
		m.fallback = b.fallback(path+"default", d, to)
	}
	if d.Identifier {
		b.identifier(path+"identifier", d, to)
		b.p.keys = append(b.p.keys, len(b.p.direct))
	}
	from := b.p.columns[at]
	if from.Archived {
		return
	}
	if m.convert = fit(from.Field, to); m.convert == nil {
		if b.o.AllowDrift && !b.vital(d) {
			b.skip(from, fmt.Sprintf("It is a %s now and does not fit %q.", typeName(from.Type), label(to)))
			return
		}
		b.fail(path+"to", "%q is a %s and does not fit %q, which is a %s: choose another field, or convert it with a case field.",
			label(from.Field), typeName(from.Type), label(to), typeName(to.Type))
		return
	}
	b.p.direct = append(b.p.direct, m)
}

// fallback converts the default of a mapping.
func (b *builder) fallback(path string, d Direct, to record.Field) any {
	if d.Identifier {
		b.fail(path, "%q is an identifier and cannot have a default value, which would give many records one row: remove the default.", label(to))
		return nil
	}
	convert := fit(record.Field{Type: record.String}, to)
	v, wrong := convert(*d.Default)
	if wrong != nil {
		b.fail(path, "The default value of %q %s Correct it.", label(to), wrong.why)
	}
	return v
}

// Constant converts a text to a value of a target field, or says what is wrong
// with it: a sentence without its subject.
func Constant(to record.Field, text string) (v any, problem string) {
	if to.Type == record.Unsupported {
		return nil, "does not fit a field of this type."
	}
	v, wrong := fit(record.Field{Type: record.String}, to)(text)
	if wrong != nil {
		return nil, wrong.why
	}
	return v, ""
}

func (b *builder) identifier(path string, d Direct, to record.Field) {
	switch to.Type { //nolint:exhaustive // the types that an identifier can have
	case record.String, record.Number, record.Email, record.GSID:
	default:
		b.fail(path, "%q is a %s and cannot be an identifier: use a text, number, e-mail address or GSID field.", label(to), typeName(to.Type))
	}
	key, _ := strings.CutPrefix(d.To, PersonPrefix)
	if b.cfg.Target == people && (key == d.To || !slices.Contains(b.o.ResolutionKeys, key)) {
		b.fail(path, "%q cannot be an identifier, because Gainsight tells people apart by %s: untick it.", label(to), and(b.o.ResolutionKeys))
	}
}

// maxIdentifiers is the most keys of an update (Gainsight's Company and Custom
// Object APIs, November 2026).
const maxIdentifiers = 3

func (b *builder) identifiers() {
	n := 0
	for _, d := range b.cfg.Direct {
		if d.Identifier {
			n++
		}
	}
	limited := b.cfg.Target == "company" || strings.HasSuffix(b.cfg.Target, "__gc")
	switch {
	case n == 0:
		b.fail("direct", "No mapping is an identifier: include at least one field in the identifiers, so that a record finds its row again.")
	case n > maxIdentifiers && limited:
		b.fail("direct", "%d mappings are identifiers, and %s takes at most %d: untick some.", n, objectLabel(b.target), maxIdentifiers)
	}
}

// resolutionKeys checks that a people job identifies people as Gainsight does.
func (b *builder) resolutionKeys() {
	b.p.anyKey = true
	for _, key := range b.o.ResolutionKeys {
		i := slices.IndexFunc(b.cfg.Direct, func(d Direct) bool { return d.To == PersonPrefix+key })
		switch {
		case i < 0:
			b.fail("direct", "Gainsight tells people apart by %s: map a field to %q and include it in the identifiers.", and(b.o.ResolutionKeys), PersonPrefix+key)
		case !b.cfg.Direct[i].Identifier:
			b.fail(fmt.Sprintf("direct[%d].identifier", i), "Gainsight tells people apart by %s: include %q in the identifiers.", and(b.o.ResolutionKeys), PersonPrefix+key)
		}
	}
}

// required checks that every field which a new row must have is filled.
func (b *builder) required() {
	for _, f := range b.target.Fields {
		if f.Required && !f.ReadOnly && f.Type != record.Unsupported && !b.filled[f.Name] && !filledAnyway(b.cfg.Target, f.Name) {
			b.fail("direct", "Gainsight requires %q in %s: map a field to %s.", label(f), objectLabel(b.target), f.Name)
		}
	}
}

// maxPairs is the most pairs of a look-up.
const maxPairs = 6

func (b *builder) derived(path string, d Derived) {
	to, ok := b.targetField(path+"to", d.To, record.GSID)
	if ok && to.Type != record.GSID {
		b.fail(path+"to", "%q is a %s, and a look-up fills GSID fields only: choose one of those.", label(to), typeName(to.Type))
	}
	if ok && to.Lookup != "" && !strings.EqualFold(to.Lookup, d.Object) {
		b.fail(path+"object", "%q points at %s, so it cannot be looked up in %s: choose the right object.", label(to), to.Lookup, d.Object)
	}
	m := lookupMapping{to: to, object: d.Object, multiple: d.Multiple, none: d.None, fallback: d.Default, self: d.Object == b.cfg.Target}
	if d.Multiple != MultipleAny && d.Multiple != MultipleError {
		b.fail(path+"multiple", "Say what the look-up of %q does when multiple matches occur: any or error.", label(to))
	}
	switch d.None {
	case NoneReject:
	case NoneNull:
		if to.Required || to.NotNull {
			b.fail(path+"none", "%q cannot be null in Gainsight: reject the record when no matches are found, or give a default.", label(to))
		}
	case NoneDefault:
		if !alphanumeric(d.Default) {
			b.fail(path+"default", "The default of the look-up of %q is not a GSID: give one, or choose reject or null.", label(to))
		}
	default:
		b.fail(path+"none", "Say what the look-up of %q does when no matches are found: reject, null or default.", label(to))
	}
	if len(d.Match) < 1 || len(d.Match) > maxPairs {
		b.fail(path+"match", "The look-up of %q has %d pairs of fields, and it needs 1 to %d.", label(to), len(d.Match), maxPairs)
	}
	schema, ok := b.o.Lookup[d.Object]
	if !ok {
		b.fail(path+"object", "Gainsight has no object %q: choose another one.", d.Object)
	} else {
		m.object = objectLabel(schema)
	}
	for i, pair := range d.Match {
		b.pair(fmt.Sprintf("%smatch[%d].", path, i), pair, schema, ok, &m)
	}
	b.p.derived = append(b.p.derived, m)
}

// pair adds one comparison to a look-up. Rows are compared as text, so only
// types that read back as they are written can be compared.
func (b *builder) pair(path string, pair Pair, schema record.Schema, described bool, m *lookupMapping) {
	at, known := b.column(pair.From)
	if !known {
		b.fail(path+"from", "The dataset has no field %q: add it to the dataset, or choose another field.", pair.From)
	}
	if !described {
		return
	}
	field, ok := schema.Field(pair.Field)
	if !ok || field.Archived {
		b.fail(path+"field", "%s has no field %q in Gainsight: create field %q there (Administration > Data Management), or choose another field.",
			objectLabel(schema), pair.Field, pair.Field)
		return
	}
	switch field.Type { //nolint:exhaustive // the types that can be compared
	case record.String, record.Number, record.Email, record.URL, record.GSID, record.SFDCID:
	default:
		b.fail(path+"field", "%q is a %s and cannot be compared in a look-up: choose a text, number, e-mail address or GSID field.", label(field), typeName(field.Type))
		return
	}
	if !known || b.p.columns[at].Archived {
		return
	}
	from := b.p.columns[at].Field
	field.Length = 0 // a longer text just matches nothing
	convert := fit(from, field)
	if convert == nil {
		b.fail(path+"from", "%q is a %s and cannot be compared with %q, which is a %s: choose another field.", label(from), typeName(from.Type), label(field), typeName(field.Type))
		return
	}
	m.pairs = append(m.pairs, comparison{at, field, convert})
}

// sought is the text by which rows are compared.
func (c comparison) sought(s string) (string, bool) {
	v, wrong := c.convert(s)
	if wrong != nil {
		return "", false
	}
	text := strings.TrimSpace(textOf(v))
	if n, ok := condition.ParseNumber(text); ok && c.field.Type == record.Number {
		text = n.String()
	}
	return text, text != ""
}
