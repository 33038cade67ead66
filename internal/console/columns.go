package console

import (
	"cmp"
	"slices"

	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

// column is a field of the dataset: from HubSpot, or computed.
type column struct {
	record.Field
	Gone bool // HubSpot has no such property
}

// columns are the fields of a dataset, in order.
type columns []column

// datasetOf are the fields that come from HubSpot.
func datasetOf(cfg mapping.Config, schema record.Schema) columns {
	cols := make(columns, 0, len(cfg.Fields))
	for _, f := range cfg.Fields {
		if f.Association != nil {
			cols = append(cols, column{Field: record.Field{Name: f.Name, Label: cmp.Or(f.Label, f.Name), Type: record.String}})
			continue
		}
		property, ok := schema.Field(cmp.Or(f.Property, f.Name))
		label := cmp.Or(f.Label, property.Label, f.Name)
		property.Name, property.Label = f.Name, label
		cols = append(cols, column{property, !ok})
	}
	return cols
}

// inputsOf are the fields that case fields can use: the dataset's, and formulas.
func inputsOf(cfg mapping.Config, schema record.Schema) columns {
	cols := datasetOf(cfg, schema)
	for _, f := range cfg.Formulas {
		cols = append(cols, column{Field: record.Field{Name: f.Name, Label: f.Name, Type: record.Type(f.Type)}})
	}
	return cols
}

// allOf are the dataset's fields and those that are computed from them.
func allOf(cfg mapping.Config, schema record.Schema) columns {
	cols := inputsOf(cfg, schema)
	for _, c := range cfg.Cases {
		cols = append(cols, column{Field: record.Field{Name: c.Name, Label: c.Name, Type: record.Type(c.Type)}})
	}
	return cols
}

func (cols columns) find(name string) (column, bool) {
	i := slices.IndexFunc(cols, func(c column) bool { return c.Name == name })
	if i < 0 || name == "" {
		return column{}, false
	}
	return cols[i], true
}

// none is a choice of no field, for a control that has another first choice.
const none = " "

// choose is a control that chooses one of the fields. Its label is for screen
// readers, since it stands in a row.
func (cols columns) choose(path, label, value string, wrong map[string]string) control {
	return control{Path: path, Label: label, Kind: "select", Bare: true, Value: value, Choices: cols.choices(value), Wrong: wrong[fieldID(path)]}
}

// choices are the fields to choose from, and the chosen one if it is gone.
func (cols columns) choices(chosen string) []choice {
	all := make([]choice, 0, len(cols)+2)
	if chosen == "" {
		all = append(all, choice{"", "Choose a field"})
	}
	for _, c := range cols {
		if c.Name != "" { // a computed field that has no name yet
			all = append(all, choice{c.Name, c.Label})
		}
	}
	if _, ok := cols.find(chosen); chosen != "" && chosen != none && !ok {
		all = append(all, choice{chosen, chosen + " (not in the dataset)"})
	}
	return all
}
