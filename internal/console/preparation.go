package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/formula"
	"hubspotconnector/internal/record"
)

// shownProperties is how many properties the list to add from shows.
const shownProperties = 50

// preparationForm is the first step: what is read, and what is made of it.
type preparationForm struct {
	Name, Source control
	Connection   string
	Trouble      string // why HubSpot's properties are not known; "" = they are
	Fields       []fieldRow
	Search       control
	Found        []property
	FoundOf      string // "50 of 312 properties"
	Associate    control
	AssocLabel   control
	Filter       filterForm
	Formulas     []formulaForm
	Functions    []formula.Function
	Cases        []caseForm
}

// formulaForm is a formula field.
type formulaForm struct {
	Row
	Name, Type, Expression control
}

// fieldRow is a field of the dataset.
type fieldRow struct {
	Row
	Field       mapping.Field
	Origin      string // "Property name", or "Associated Company"
	Description string // of the property
	Type        string
	Label       control
	Gone        bool
	Association *mapping.Association
	Wrong       string
}

// property is one that can be added.
type property struct {
	record.Field
	TypeName string
	Added    bool
}

// caseForm is a case field.
type caseForm struct {
	Row
	Name, Type    control
	When          []whenForm
	WhenList      string
	Default, Text control
	Wrong         string
}

// whenForm is one of its cases.
type whenForm struct {
	Row
	Number     int
	Filter     filterForm
	Then, Text control
	Wrong      string
}

// asText is what a value is chosen from that is typed.
const asText = ""

func (c *console) preparationForm(q *request, e editing, wrong map[string]string) (*preparationForm, error) {
	cfg := e.Job.Mapping
	form := &preparationForm{
		Name:   control{Path: "name", Label: "Job name", Kind: "text", Value: e.Job.Name, Wrong: wrong["name"]},
		Source: control{Path: "source", Label: "Source object in HubSpot", Kind: "select", Value: cfg.Source, Choices: sourceChoices(cfg.Source), Auto: true, Wrong: wrong["source"]},
	}
	cn, err := c.Connections.Get(q.ctx(), e.Job.Connection)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	form.Connection = cn.Name
	schema, err := c.admin.SourceSchema(q.ctx(), e.Job.Connection, cfg.Source)
	if err != nil {
		if fault.Is(err, fault.Internal) {
			return nil, err
		}
		form.Trouble = fault.MessageOf(err)
	}
	cols := datasetOf(cfg, schema)
	for i, f := range cfg.Fields {
		form.Fields = append(form.Fields, fieldRowOf(order("fields", i, len(cfg.Fields), cols[i].Label), f, cols[i], schema, form.Trouble == "", wrong))
	}
	form.properties(e.Page.Search, cfg, schema)
	form.Associate = control{Path: "associate.object", Label: "Associated object", Kind: "select", Choices: append([]choice{{"", "Choose an object"}}, sourceChoices("")...)}
	form.AssocLabel = control{Path: "associate.label", Label: "Association label (optional)", Kind: "text", Hold: "Primary"}
	form.Filter = cols.filterForm("filter", cfg.Filter, wrong)
	form.Functions = formula.Functions()
	for i, one := range cfg.Formulas {
		form.Formulas = append(form.Formulas, formulaFormOf(order("formulas", i, len(cfg.Formulas), "formula field "+one.Name), one, wrong))
	}
	cols = inputsOf(cfg, schema)
	for i, one := range cfg.Cases {
		form.Cases = append(form.Cases, cols.caseForm(order("cases", i, len(cfg.Cases), "case field "+one.Name), one, wrong))
	}
	return form, nil
}

func fieldRowOf(at Row, f mapping.Field, col column, schema record.Schema, known bool, wrong map[string]string) fieldRow {
	row := fieldRow{Row: at, Field: f, Type: mapping.TypeName(col.Type), Association: f.Association, Gone: col.Gone && known}
	row.Label = control{Path: at.Path + ".label", Label: "Output name of " + col.Label, Kind: "text", Bare: true, Value: f.Label, Hold: col.Label}
	if f.Association != nil {
		row.Origin = "Id of the " + strings.ToLower(cmp.Or(f.Association.Label, "primary")) + " associated " + sourceLabel(f.Association.Object)
		row.Type = "id"
	} else {
		name := cmp.Or(f.Property, f.Name)
		property, _ := schema.Field(name)
		row.Origin, row.Description = cmp.Or(property.Label, name), property.Description
	}
	for _, name := range []string{"name", "property", "association", "association.object"} {
		if w := wrong[fieldID(at.Path+"."+name)]; w != "" {
			row.Wrong = w
		}
	}
	if w := wrong[fieldID(at.Path)]; w != "" {
		row.Wrong = w
	}
	return row
}

// properties lists those that match what is searched for.
func (form *preparationForm) properties(search string, cfg mapping.Config, schema record.Schema) {
	form.Search = control{Path: "search", Label: "Search HubSpot's properties", Kind: "search", Value: search, Hold: "Label or name"}
	added := map[string]bool{}
	for _, f := range cfg.Fields {
		if f.Association == nil {
			added[cmp.Or(f.Property, f.Name)] = true
		}
	}
	matches := 0
	for _, f := range schema.Fields {
		text := strings.ToLower(f.Label + " " + f.Name)
		if f.Archived || !strings.Contains(text, strings.ToLower(search)) {
			continue
		}
		if matches++; matches <= shownProperties {
			form.Found = append(form.Found, property{f, mapping.TypeName(f.Type), added[f.Name]})
		}
	}
	form.FoundOf = counted(matches, "property")
	if matches != 1 {
		form.FoundOf = number(matches) + " properties"
	}
	if matches > shownProperties {
		form.FoundOf = fmt.Sprintf("The first %d of %s; search to see others", shownProperties, form.FoundOf)
	}
}

func formulaFormOf(at Row, one mapping.Formula, wrong map[string]string) formulaForm {
	return formulaForm{
		Row:  at,
		Name: control{Path: at.Path + ".name", Label: "Name of the formula field", Kind: "text", Value: one.Name, Wrong: wrong[fieldID(at.Path+".name")]},
		Type: typeControl(at.Path+".type", one.Type, wrong),
		Expression: control{
			Path: at.Path + ".expression", Label: "Expression", Kind: "area", Value: one.Expression, Hold: `upper(left(name, 3)) + "-" + text(id)`,
			Wrong: wrong[fieldID(at.Path+".expression")],
		},
	}
}

// typeControl chooses the type of a computed field.
func typeControl(path, value string, wrong map[string]string) control {
	c := control{Path: path, Label: "Type", Kind: "select", Value: value, Wrong: wrong[fieldID(path)]}
	for _, t := range []record.Type{record.String, record.Number, record.Boolean, record.Date, record.DateTime} {
		c.Choices = append(c.Choices, choice{string(t), mapping.TypeName(t)})
	}
	return c
}

func (cols columns) caseForm(at Row, one mapping.Case, wrong map[string]string) caseForm {
	form := caseForm{Row: at, WhenList: at.Path + ".when", Wrong: wrong[fieldID(at.Path+".when")]}
	form.Name = control{Path: at.Path + ".name", Label: "Name of the case field", Kind: "text", Value: one.Name, Wrong: wrong[fieldID(at.Path+".name")]}
	form.Type = typeControl(at.Path+".type", one.Type, wrong)
	form.Default, form.Text = cols.valueControls(at.Path+".default", "Otherwise", one.Default, wrong)
	for i, w := range one.When {
		path := order(form.WhenList, i, len(one.When), fmt.Sprintf("case %d", i+1))
		when := whenForm{Row: path, Number: i + 1, Filter: cols.filterForm(path.Path+".if", w.If, wrong), Wrong: wrong[fieldID(path.Path+".if")]}
		when.Filter.Wrong = ""
		when.Then, when.Text = cols.valueControls(path.Path+".then", fmt.Sprintf("Value of case %d", i+1), w.Then, wrong)
		form.When = append(form.When, when)
	}
	return form
}

// valueControls enter a text or choose a field.
func (cols columns) valueControls(path, label string, v mapping.Value, wrong map[string]string) (from, text control) {
	from = control{Path: path + ".field", Label: label, Kind: "select", Value: v.Field, Wrong: wrong[fieldID(path+".field")]}
	from.Choices = append([]choice{{asText, "This value"}}, cols.choices(cmp.Or(v.Field, none))...)
	text = control{Path: path + ".text", Label: label + ", the value", Kind: "text", Bare: true, Hold: "Empty: null", Wrong: cmp.Or(wrong[fieldID(path+".text")], wrong[fieldID(path)])}
	if v.Text != nil {
		text.Value = *v.Text
	}
	return from, text
}

func readValue(f fields) mapping.Value {
	if field := f.text("field"); field != asText {
		return mapping.Value{Field: field}
	}
	if text := f.exact("text"); text != "" {
		return mapping.Value{Text: &text}
	}
	return mapping.Value{}
}

// readPreparation reads the first step.
func (c *console) readPreparation(q *request, e *editing, f fields, do action) error {
	cfg := &e.Job.Mapping
	e.Job.Name, cfg.Source, e.Page.Search = f.text("name"), f.text("source"), f.text("search")
	had := cfg.Fields
	cfg.Fields = nil
	for _, row := range f.rows("fields") {
		name := row.text("name")
		i := slices.IndexFunc(had, func(old mapping.Field) bool { return old.Name == name })
		if i < 0 { // this form knows a field that another tab removed
			one := mapping.Field{Name: name, Property: row.text("property")}
			if object := row.text("association.object"); object != "" {
				one.Association = &mapping.Association{Object: object, Label: row.text("association.label")}
			}
			had, i = append(had, one), len(had)
		}
		one := had[i]
		one.Label = row.text("label")
		cfg.Fields = append(cfg.Fields, one)
	}
	cfg.Filter = readFilter(f.in("filter"))
	if len(cfg.Filter.Conditions) == 0 {
		cfg.Filter.Expression = ""
	}
	cfg.Formulas = nil
	for _, row := range f.rows("formulas") {
		cfg.Formulas = append(cfg.Formulas, mapping.Formula{Name: row.text("name"), Type: cmp.Or(row.text("type"), string(record.String)), Expression: row.text("expression")})
	}
	cfg.Cases = nil
	for _, row := range f.rows("cases") {
		cfg.Cases = append(cfg.Cases, readCase(row))
	}
	switch do.Verb {
	case "pick":
		return c.pick(q, e, f.all("pick"))
	case "associate":
		associate(cfg, f.text("associate.object"), f.text("associate.label"))
	}
	return nil
}

func readCase(f fields) mapping.Case {
	one := mapping.Case{Name: f.text("name"), Type: cmp.Or(f.text("type"), string(record.String)), Default: readValue(f.in("default"))}
	for _, row := range f.rows("when") {
		one.When = append(one.When, mapping.When{If: readFilter(row.in("if")), Then: readValue(row.in("then"))})
	}
	if len(one.When) == 0 && f.form.Get(f.path("name")) == "" { // a new one starts with a case
		one.When = []mapping.When{{}}
	}
	return one
}

// pick adds properties to the dataset.
func (c *console) pick(q *request, e *editing, names []string) error {
	cfg := &e.Job.Mapping
	schema, err := c.admin.SourceSchema(q.ctx(), e.Job.Connection, cfg.Source)
	if err != nil {
		return err
	}
	for _, name := range names {
		property, ok := schema.Field(name)
		taken := slices.ContainsFunc(cfg.Fields, func(f mapping.Field) bool {
			return f.Association == nil && cmp.Or(f.Property, f.Name) == name
		})
		if !ok || taken {
			continue
		}
		one := mapping.Field{Name: freeName(*cfg, property.Name)}
		if one.Name != property.Name {
			one.Property = property.Name
		}
		cfg.Fields = append(cfg.Fields, one)
	}
	return nil
}

// associate adds the id of an associated record to the dataset.
func associate(cfg *mapping.Config, object, label string) {
	if object == "" {
		return
	}
	what := strings.TrimSpace("Associated " + label + " " + sourceLabel(object) + " ID")
	if label == "" {
		what = "Associated " + sourceLabel(object) + " ID"
	}
	name := freeName(*cfg, "associated_"+strings.ReplaceAll(strings.ToLower(object), "-", "_")+"_id")
	cfg.Fields = append(cfg.Fields, mapping.Field{Name: name, Label: what, Association: &mapping.Association{Object: object, Label: label}})
}

// freeName is a name that no field has: the wanted one, or with a number.
func freeName(cfg mapping.Config, wanted string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(cfg.Fields, func(f mapping.Field) bool { return f.Name == name }) ||
			slices.ContainsFunc(cfg.Formulas, func(f mapping.Formula) bool { return f.Name == name }) ||
			slices.ContainsFunc(cfg.Cases, func(c mapping.Case) bool { return c.Name == name })
	}
	name := wanted
	for n := 2; taken(name); n++ {
		name = wanted + "_" + strconv.Itoa(n)
	}
	return name
}
