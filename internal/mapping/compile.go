package mapping

import (
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/mapping/formula"
	"hubspotconnector/internal/record"
)

// Options are what Compile needs besides the Config.
type Options struct {
	// ResolutionKeys are the organisation's person resolution keys, as fields of
	// the person ("Email"); none means Email. They count in a people job only.
	ResolutionKeys []string
	// Lookup :: object of a derived mapping → its schema.
	Lookup map[string]record.Schema
	// AllowDrift leaves out what depends on a property that the source no longer
	// has, or has with another type, instead of reporting a problem; unless an
	// identifier, a look-up, a filter, a case field or a required field needs it.
	AllowDrift bool
}

// Compile checks a Config against both schemas. Its error is Problems, which
// holds everything that is wrong.
func Compile(cfg Config, source, target record.Schema, o Options) (*Program, error) {
	if len(o.ResolutionKeys) == 0 {
		o.ResolutionKeys = []string{"Email"}
	}
	b := &builder{cfg: cfg, source: source, target: target, o: o, p: &Program{}, filled: map[string]bool{}}
	b.computed()
	for i, d := range cfg.Direct {
		b.direct(fmt.Sprintf("direct[%d].", i), d)
	}
	if cfg.Target == people {
		b.resolutionKeys()
	} else {
		b.identifiers()
	}
	for i, d := range cfg.Derived {
		b.derived(fmt.Sprintf("derived[%d].", i), d)
	}
	b.required()
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.p, nil
}

// Dataset compiles the part of a Config that lies before the destination: the
// dataset with its filter, formula and case fields. Of the Program it returns,
// Properties, Keep, Columns and Values can be used. Its error is Problems.
func Dataset(cfg Config, source record.Schema) (*Program, error) {
	b := &builder{cfg: cfg, source: source, p: &Program{}}
	b.computed()
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.p, nil
}

// computed compiles what does not depend on the target.
func (b *builder) computed() {
	b.dataset()
	b.formulas()
	b.drift()
	b.cases()
	b.p.filter = b.matcher("filter.", b.cfg.Filter, b.p.dataset)
}

// builder gathers a Program and what is wrong with its Config.
type builder struct {
	cfg            Config
	source, target record.Schema
	o              Options
	p              *Program
	problems       Problems
	filled         map[string]bool // :: target field → a mapping fills it
}

func (b *builder) fail(path, format string, args ...any) {
	b.problems = append(b.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// column returns the place of a dataset or case field.
func (b *builder) column(name string) (int, bool) {
	i := slices.IndexFunc(b.p.columns, func(c column) bool { return c.Name == name })
	return i, i >= 0
}

// name checks that a dataset or case field has a name of its own.
func (b *builder) name(path, name string) {
	if strings.TrimSpace(name) == "" {
		b.fail(path, "A field of the dataset has no name: give it one.")
	} else if _, taken := b.column(name); taken {
		b.fail(path, "Two fields of the dataset are called %q: rename one.", name)
	}
}

func (b *builder) dataset() {
	for i, f := range b.cfg.Fields {
		path := fmt.Sprintf("fields[%d].", i)
		b.name(path+"name", f.Name)
		c := column{Field: record.Field{Name: f.Name, Label: f.Label, Type: record.String}, key: f.Name}
		if f.Association != nil {
			if _, ok := catalog.Find(f.Association.Object); !ok {
				b.fail(path+"association.object", "%s", unknownAssociation(f))
			}
		} else {
			c = b.property(f)
		}
		b.p.columns = append(b.p.columns, c)
	}
	b.p.dataset = len(b.p.columns)
	b.p.inputs = b.p.dataset
	for i, f := range b.cfg.Fields {
		taken := func(c column) bool { return c.key == f.Name && c.Name != f.Name }
		if f.Association != nil && slices.ContainsFunc(b.p.columns, taken) {
			b.fail(fmt.Sprintf("fields[%d].name", i), "%q is the name of a HubSpot property in the dataset too: rename the association field.", f.Name)
		}
	}
}

// property is the column of a source property, archived if the source does not
// have it any more.
func (b *builder) property(f Field) column {
	name := f.Property
	if name == "" {
		name = f.Name
	}
	c := column{key: name}
	var known bool
	if c.Field, known = b.source.Field(name); !known {
		c.Archived = true
	}
	switch {
	case f.Label != "":
		c.Label = f.Label
	case c.Label == "":
		c.Label = f.Name
	}
	c.Name = f.Name
	if !c.Archived {
		b.p.properties = append(b.p.properties, name)
	}
	return c
}

// drift deals with dataset fields whose property is gone.
func (b *builder) drift() {
	for i, c := range b.p.columns {
		if !c.Archived {
			continue
		}
		path := fmt.Sprintf("fields[%d].property", i)
		uses := b.uses(c.Name)
		switch {
		case !b.o.AllowDrift:
			b.fail(path, "HubSpot has no property %q, or archived it: restore it in HubSpot, or take %q out of the dataset.", c.key, c.Label)
		case len(uses) > 0:
			b.fail(path, "HubSpot no longer has the property %q (%s), and the job needs it for %s: restore it in HubSpot, or change the job.", c.key, c.Label, and(uses))
		default:
			b.skip(c, fmt.Sprintf("HubSpot no longer has the property %q.", c.key))
		}
	}
}

func (b *builder) skip(c column, reason string) {
	if !slices.ContainsFunc(b.p.Skipped, func(s Skip) bool { return s.Field == c.Label }) {
		b.p.Skipped = append(b.p.Skipped, Skip{Field: c.Label, Reason: reason})
	}
}

// uses names what cannot do without a dataset field.
func (b *builder) uses(name string) []string {
	var uses []string
	if compares(b.cfg.Filter, name) {
		uses = append(uses, "its filter")
	}
	for _, c := range b.cfg.Cases {
		if c.Default.Field == name || slices.ContainsFunc(c.When, func(w When) bool { return w.Then.Field == name || compares(w.If, name) }) {
			uses = append(uses, fmt.Sprintf("the case field %q", c.Name))
		}
	}
	for i, f := range b.p.formulas {
		if f != nil && f.Uses(name) {
			uses = append(uses, fmt.Sprintf("the formula field %q", b.cfg.Formulas[i].Name))
		}
	}
	for _, d := range b.cfg.Direct {
		if d.From == name && b.vital(d) {
			uses = append(uses, fmt.Sprintf("%q", b.targetLabel(d.To)))
		}
	}
	for _, d := range b.cfg.Derived {
		if slices.ContainsFunc(d.Match, func(p Pair) bool { return p.From == name }) {
			uses = append(uses, fmt.Sprintf("the look-up of %q", b.targetLabel(d.To)))
		}
	}
	return uses
}

func compares(f condition.Filter, name string) bool {
	return slices.ContainsFunc(f.Conditions, func(c condition.Condition) bool { return c.Field == name })
}

// vital mappings cannot be left out.
func (b *builder) vital(d Direct) bool {
	to, _ := b.target.Field(d.To)
	return d.Identifier || to.Required
}

func (b *builder) targetLabel(name string) string {
	if f, ok := b.target.Field(name); ok {
		return label(f)
	}
	return name
}

// fields are those of the first n columns.
func (b *builder) fields(n int) []record.Field {
	fields := make([]record.Field, n)
	for i := range fields {
		fields[i] = b.p.columns[i].Field
	}
	return fields
}

// matcher compiles a filter over the first n columns.
func (b *builder) matcher(path string, f condition.Filter, n int) *condition.Matcher {
	m, wrong := condition.Compile(f, b.fields(n))
	for _, one := range wrong {
		b.fail(path+one.Path, "%s", one.Message)
	}
	return m
}

// formulas compiles the formula fields, which read the dataset alone.
func (b *builder) formulas() {
	dataset := b.fields(b.p.dataset)
	for i, f := range b.cfg.Formulas {
		path := fmt.Sprintf("formulas[%d].", i)
		b.name(path+"name", f.Name)
		of := b.made(path, "formula", f.Name, f.Type)
		made, err := formula.Compile(f.Expression, dataset, of.Type)
		if err != nil {
			b.fail(path+"expression", "%s", err)
		}
		b.p.formulas = append(b.p.formulas, made)
		b.p.columns = append(b.p.columns, column{Field: of})
	}
	b.p.inputs = len(b.p.columns)
}

// made is a formula or case field.
func (b *builder) made(path, what, name, kind string) record.Field {
	of := record.Field{Name: name, Label: name, Type: record.Type(kind)}
	switch of.Type { //nolint:exhaustive // the types that such a field can have
	case record.String, record.Number, record.Boolean, record.Date, record.DateTime:
	default:
		b.fail(path+"type", "The %s field %q cannot have the type %q: use string, number, boolean, date or datetime.", what, name, kind)
		of.Type = record.String
	}
	return of
}

func (b *builder) cases() {
	for i, c := range b.cfg.Cases {
		path := fmt.Sprintf("cases[%d].", i)
		b.name(path+"name", c.Name)
		of := b.made(path, "case", c.Name, c.Type)
		if len(c.When) == 0 {
			b.fail(path+"when", "The case field %q has no cases: add one.", c.Name)
		}
		made := caseField{}
		for n, w := range c.When {
			path := fmt.Sprintf("%swhen[%d].", path, n)
			if len(w.If.Conditions) == 0 {
				b.fail(path+"if", "Case %d of %q has no condition: add one, or make its value the default.", n+1, c.Name)
			}
			made.when = append(made.when, whenHolds{b.matcher(path+"if.", w.If, b.p.inputs), b.value(path+"then", w.Then, of)})
		}
		made.other = b.value(path+"default", c.Default, of)
		b.p.cases = append(b.p.cases, made)
		b.p.columns = append(b.p.columns, column{Field: of})
	}
}

// value checks one value of a case field.
func (b *builder) value(path string, v Value, of record.Field) caseValue {
	switch {
	case v.Text != nil && v.Field != "":
		b.fail(path, "A value of the case field %q is both a text and a field: choose one.", of.Name)
	case v.Text != nil:
		convert := fit(record.Field{Type: record.String}, of)
		if _, wrong := convert(*v.Text); wrong != nil && *v.Text != "" {
			b.fail(path+".text", "The value %q of the case field %q is not a %s: correct it, or change the field's type.", *v.Text, of.Name, typeName(of.Type))
		}
		return caseValue{text: v.Text}
	case v.Field != "":
		at, ok := b.column(v.Field)
		if !ok || at >= b.p.inputs {
			b.fail(path+".field", "The case field %q takes its value from %q, which is not in the dataset: add it, or choose another field.", of.Name, v.Field)
			return caseValue{}
		}
		from := b.p.columns[at].Field
		convert := fit(from, of)
		if convert == nil && !from.Archived {
			b.fail(path+".field", "%q is a %s and cannot be a value of the case field %q, which is a %s: choose another field or type.", label(from), typeName(from.Type), of.Name, typeName(of.Type))
		}
		return caseValue{from: at, convert: convert}
	}
	return caseValue{}
}
