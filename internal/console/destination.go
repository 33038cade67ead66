package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

const (
	people = "company_person"
	// maxPairs is how many pairs of fields a look-up compares at most.
	maxPairs = 6
	// maxOptions bounds the choices that the selects of a list have together;
	// beyond it fields are typed, with suggestions.
	maxOptions = 4000
)

// destinationForm is the second step: where records go.
type destinationForm struct {
	Target      control
	Trouble     string // why the fields of the target are not known; "" = they are
	Object      string // what people call the target
	Direct      []directRow
	DirectWrong string
	Sources     []choice // suggestions for typed fields
	Targets     []choice
	Suggestions []suggestion
	CanDerive   bool // the target has a field of data type GSID
	Derived     []derivedForm
	Keys        []string // of people
	People      bool
}

// directRow is a direct mapping.
type directRow struct {
	Row
	From, To, WhenEmpty, Default control
	Identifier                   control
	Locked                       bool // the identifier cannot be unticked
	Fit                          string
	Fits                         bool
}

// suggestion is a mapping by name that could be added.
type suggestion struct{ From, To, Label string }

// derivedForm is a derived mapping.
type derivedForm struct {
	Row
	To, Self, Object        control
	Pairs                   []pairRow
	PairList                string
	More                    bool // another pair is possible
	Multiple, None, Default control
	Wrong                   string
}

type pairRow struct {
	Row
	From, Field control
}

// targetFields are the fields of a target object as people choose them.
type targetFields struct {
	record.Schema
	text map[string]string // :: name → what is shown
	name map[string]string // :: what is shown → name
}

func newTargetFields(schema record.Schema) targetFields {
	t := targetFields{schema, map[string]string{}, map[string]string{}}
	times := map[string]int{}
	for _, f := range schema.Fields {
		times[cmp.Or(f.Label, f.Name)]++
	}
	for _, f := range schema.Fields {
		text := cmp.Or(f.Label, f.Name)
		if times[text] > 1 {
			text = fmt.Sprintf("%s (%s)", text, f.Name)
		}
		t.text[f.Name], t.name[text] = text, f.Name
	}
	return t
}

// shown is what people read for the name of a field.
func (t targetFields) shown(name string) string { return cmp.Or(t.text[name], name) }

// named is the name of the field that people chose or typed.
func (t targetFields) named(text string) string {
	if _, ok := t.text[text]; ok {
		return text
	}
	return cmp.Or(t.name[text], text)
}

// choices are the fields that fit, and the chosen one if it does not.
func (t targetFields) choices(chosen string, fits func(record.Field) bool) []choice {
	all := []choice{}
	if chosen == "" {
		all = append(all, choice{"", "Choose a field"})
	}
	found := chosen == "" || chosen == none
	for _, f := range t.Fields {
		if fits(f) {
			all = append(all, choice{f.Name, t.shown(f.Name)})
			found = found || f.Name == chosen
		}
	}
	if !found {
		all = append(all, choice{chosen, t.shown(chosen)})
	}
	return all
}

func writable(f record.Field) bool {
	return !f.ReadOnly && !f.Archived && f.Type != record.Unsupported
}

func isGSID(f record.Field) bool { return writable(f) && f.Type == record.GSID }

// comparable reports whether look-ups can compare a field.
func comparable(f record.Field) bool {
	switch f.Type { //nolint:exhaustive // the types that can be compared
	case record.String, record.Number, record.Email, record.URL, record.GSID, record.SFDCID:
		return !f.Archived
	}
	return false
}

// target returns the fields of a target object, or why they are not known.
func (c *console) target(q *request, object string) (targetFields, string, error) {
	if object == "" {
		return newTargetFields(record.Schema{}), "", nil
	}
	schema, err := c.admin.TargetSchema(q.ctx(), object)
	if fault.Is(err, fault.Internal) {
		return targetFields{}, "", err
	}
	if err != nil {
		return newTargetFields(record.Schema{}), fault.MessageOf(err), nil
	}
	return newTargetFields(schema), "", nil
}

func (c *console) destinationForm(q *request, e editing, wrong map[string]string) (*destinationForm, error) {
	cfg := e.Job.Mapping
	form := &destinationForm{People: cfg.Target == people, DirectWrong: wrong["direct"]}
	objects, err := c.admin.TargetObjects(q.ctx())
	if fault.Is(err, fault.Internal) {
		return nil, err
	}
	if err != nil {
		form.Trouble = fault.MessageOf(err)
	}
	form.Target = control{Path: "target", Label: "Target object in Gainsight", Kind: "select", Value: cfg.Target, Auto: true, Choices: targetChoices(objects, cfg.Target), Wrong: wrong["target"]}
	form.Object = objectName(objects, cfg.Target)
	fields, trouble, err := c.target(q, cfg.Target)
	if err != nil {
		return nil, err
	}
	form.Trouble = cmp.Or(form.Trouble, trouble)
	source, err := c.admin.SourceSchema(q.ctx(), e.Job.Connection, cfg.Source)
	if err != nil {
		if fault.Is(err, fault.Internal) {
			return nil, err
		}
		form.Trouble = cmp.Or(form.Trouble, fault.MessageOf(err))
	}
	if form.Keys, err = c.People.Keys(q.ctx()); err != nil {
		return nil, err
	}
	cols := allOf(cfg, source)
	form.direct(cfg, cols, fields, wrong)
	form.CanDerive = slices.ContainsFunc(fields.Fields, isGSID)
	for i, d := range cfg.Derived {
		one, err := c.derivedForm(q, order("derived", i, len(cfg.Derived), fmt.Sprintf("derived mapping %d", i+1)), d, cfg, cols, fields, objects, wrong)
		if err != nil {
			return nil, err
		}
		form.Derived = append(form.Derived, one)
	}
	if form.Trouble == "" && cfg.Target != "" {
		return form, c.suggestions(q, e, form, cols, fields)
	}
	return form, nil
}

// suggestions are mappings by name. Whatever is wrong with the job is told
// elsewhere; then there are none.
func (c *console) suggestions(q *request, e editing, form *destinationForm, cols columns, fields targetFields) error {
	list, err := c.admin.Suggest(q.ctx(), e.Job)
	if err != nil && fault.Is(err, fault.Internal) {
		return err
	}
	for _, d := range list {
		col, _ := cols.find(d.From)
		form.Suggestions = append(form.Suggestions, suggestion{d.From, d.To, cmp.Or(col.Label, d.From) + " → " + fields.shown(d.To)})
	}
	return nil
}

// targetChoices are the objects that jobs can write, and the chosen one.
func targetChoices(objects []gainsight.Object, chosen string) []choice {
	all := []choice{}
	if chosen == "" {
		all = append(all, choice{"", "Choose an object"})
	}
	found := chosen == ""
	for _, o := range objects {
		all = append(all, choice{o.Name, objectName(objects, o.Name)})
		found = found || o.Name == chosen
	}
	if !found {
		all = append(all, choice{chosen, targetLabel(chosen)})
	}
	return all
}

// objectName is what people call a target object.
func objectName(objects []gainsight.Object, name string) string {
	switch name {
	case "company", people, "gsuser":
		return targetLabel(name)
	}
	for _, o := range objects {
		if o.Name == name && o.Label != "" {
			return o.Label
		}
	}
	return targetLabel(name)
}

// targetName is what people call a target object, as far as Gainsight tells.
func (c *console) targetName(q *request, name string) (string, error) {
	if standard := objectName(nil, name); !strings.HasSuffix(name, "__gc") {
		return standard, nil
	}
	objects, err := c.admin.TargetObjects(q.ctx())
	if fault.Is(err, fault.Internal) {
		return "", err
	}
	return objectName(objects, name), nil
}

// direct adds the direct mappings.
func (form *destinationForm) direct(cfg mapping.Config, cols columns, fields targetFields, wrong map[string]string) {
	typed := len(cfg.Direct)*(len(cols)+len(fields.Fields)) > maxOptions
	if typed {
		form.Sources, form.Targets = cols.choices(none), fields.choices(none, writable)
	}
	for i, d := range cfg.Direct {
		at := order("direct", i, len(cfg.Direct), fmt.Sprintf("mapping %d", i+1))
		n := fmt.Sprintf(" of mapping %d", i+1)
		row := directRow{Row: at}
		row.From = cols.choose(at.Path+".from", "Source field"+n, d.From, wrong)
		row.To = control{Path: at.Path + ".to", Label: "Target field" + n, Kind: "select", Bare: true, Value: d.To, Wrong: wrong[fieldID(at.Path+".to")]}
		if typed {
			row.From.Kind, row.From.Choices, row.From.List = "combo", nil, "sources"
			row.To.Kind, row.To.List, row.To.Value = "combo", "targets", fields.shown(d.To)
		} else {
			row.To.Choices = fields.choices(d.To, writable)
		}
		row.From.Auto, row.To.Auto = true, true
		row.Fit, row.Fits = fitText(cols, fields, d)
		row.Identifier = control{Path: at.Path + ".identifier", Label: "Include mapping " + fmt.Sprint(i+1) + " in identifiers", Kind: "check", Bare: true, Checked: d.Identifier, Wrong: wrong[fieldID(at.Path+".identifier")]}
		if key, ok := strings.CutPrefix(d.To, mapping.PersonPrefix); ok && form.People && slices.Contains(form.Keys, key) {
			row.Locked, row.Identifier.Checked = true, true
		}
		row.WhenEmpty = control{Path: at.Path + ".whenEmpty", Label: "When empty" + n, Kind: "select", Bare: true, Value: string(d.WhenEmpty), Choices: []choice{
			{string(mapping.EmptyClear), "Clear what this job wrote"}, {string(mapping.EmptyKeep), "Leave alone"}, {string(mapping.EmptyNull), "Always write null"},
		}}
		row.Default = control{Path: at.Path + ".default", Label: "Default value" + n, Kind: "text", Bare: true, Hold: "None", Wrong: wrong[fieldID(at.Path+".default")]}
		if d.Default != nil {
			row.Default.Value = *d.Default
		}
		form.Direct = append(form.Direct, row)
	}
}

// fitText tells the types of a mapping, and whether they fit.
func fitText(cols columns, fields targetFields, d mapping.Direct) (text string, fits bool) {
	from, ok := cols.find(d.From)
	to, known := fields.Field(d.To)
	if !ok || !known {
		return "", true
	}
	return mapping.TypeName(from.Type) + " → " + mapping.TypeName(to.Type), mapping.Fits(from.Field, to)
}

func (c *console) derivedForm(q *request, at Row, d mapping.Derived, cfg mapping.Config, cols columns, fields targetFields, objects []gainsight.Object, wrong map[string]string) (derivedForm, error) {
	p := func(name, label, kind, value string) control {
		path := at.Path + "." + name
		return control{Path: path, Label: label, Kind: kind, Value: value, Wrong: wrong[fieldID(path)]}
	}
	form := derivedForm{Row: at, PairList: at.Path + ".match", More: len(d.Match) < maxPairs, Wrong: wrong[fieldID(at.Path+".match")]}
	form.To = p("to", "Target Field", "select", d.To)
	form.To.Choices = fields.choices(d.To, isGSID)
	form.To.Auto = true
	self := d.Object == cfg.Target
	form.Self = p("self", "Select Source", "select", "other")
	if self {
		form.Self.Value = "self"
	}
	form.Self.Choices, form.Self.Auto = []choice{{"self", "This object (self)"}, {"other", "Another object"}}, true
	form.Object = p("object", "Source Object", "select", d.Object)
	form.Object.Choices, form.Object.Auto = lookupChoices(objects, d.Object), true
	looked, _, err := c.target(q, d.Object)
	if err != nil {
		return form, err
	}
	for i, pair := range d.Match {
		row := pairRow{Row: order(form.PairList, i, len(d.Match), fmt.Sprintf("pair %d", i+1))}
		row.From = cols.choose(row.Path+".from", fmt.Sprintf("Source of pair %d", i+1), pair.From, wrong)
		row.Field = control{Path: row.Path + ".field", Label: fmt.Sprintf("Target of pair %d", i+1), Kind: "select", Bare: true, Value: pair.Field, Choices: looked.choices(pair.Field, comparable), Wrong: wrong[fieldID(row.Path+".field")]}
		form.Pairs = append(form.Pairs, row)
	}
	form.Multiple = p("multiple", "When Multiple Matches Occur", "select", string(d.Multiple))
	form.Multiple.Choices = []choice{{string(mapping.MultipleAny), "Use any one match"}, {string(mapping.MultipleError), "Mark record with an error"}}
	form.None = p("none", "When No Matches Are Found", "select", string(d.None))
	form.None.Choices = []choice{{string(mapping.NoneReject), "Reject Record"}, {string(mapping.NoneNull), "Insert Null"}, {string(mapping.NoneDefault), "Default value"}}
	form.Default = p("default", "Default value (GSID)", "text", d.Default)
	return form, nil
}

// lookupChoices are the objects in which look-ups look.
func lookupChoices(objects []gainsight.Object, chosen string) []choice {
	all := targetChoices(objects, "")
	all = slices.DeleteFunc(all, func(c choice) bool { return c.Value == people || c.Value == "" && chosen != "" })
	if chosen != "" && !slices.ContainsFunc(all, func(c choice) bool { return c.Value == chosen }) {
		all = append(all, choice{chosen, targetLabel(chosen)})
	}
	return all
}

// readDestination reads the second step.
func (c *console) readDestination(q *request, e *editing, f fields, do action) error {
	cfg := &e.Job.Mapping
	cfg.Target = f.text("target")
	fields, _, err := c.target(q, cfg.Target)
	if err != nil {
		return err
	}
	keys, err := c.People.Keys(q.ctx())
	if err != nil {
		return err
	}
	cfg.Direct = nil
	for _, row := range f.rows("direct") {
		d := mapping.Direct{From: row.text("from"), To: fields.named(row.text("to")), Identifier: row.on("identifier"), WhenEmpty: mapping.Empty(row.text("whenEmpty"))}
		if text := row.exact("default"); text != "" {
			d.Default = &text
		}
		if key, ok := strings.CutPrefix(d.To, mapping.PersonPrefix); ok && cfg.Target == people && slices.Contains(keys, key) {
			d.Identifier = true
		}
		cfg.Direct = append(cfg.Direct, d)
	}
	cfg.Derived = nil
	for _, row := range f.rows("derived") {
		cfg.Derived = append(cfg.Derived, readDerived(row, cfg.Target, fields))
	}
	if do.Verb == "suggest" {
		for _, s := range f.all("suggest") {
			if from, to, ok := strings.Cut(s, "|"); ok {
				cfg.Direct = append(cfg.Direct, mapping.Direct{From: from, To: to})
			}
		}
	}
	return nil
}

func readDerived(f fields, target string, of targetFields) mapping.Derived {
	d := mapping.Derived{
		To: f.text("to"), Object: f.text("object"), Multiple: mapping.Multiple(f.text("multiple")), None: mapping.None(f.text("none")), Default: f.text("default"),
	}
	if f.text("self") == "self" {
		d.Object = target
	} else if to, ok := of.Field(d.To); ok && to.Lookup != "" && d.Object == "" {
		d.Object = strings.ToLower(to.Lookup)
	}
	for _, row := range f.rows("match") {
		d.Match = append(d.Match, mapping.Pair{From: row.text("from"), Field: row.text("field")})
	}
	if d.Multiple == "" && d.None == "" { // a new one
		d.Multiple, d.None = mapping.MultipleError, mapping.NoneReject
		if len(d.Match) == 0 {
			d.Match = []mapping.Pair{{}}
		}
	}
	return d
}
