package console

import (
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// maxBoxes is how many items of a dropdown list are shown as boxes to tick; of a
// longer list values are typed.
const maxBoxes = 60

// filterForm is a filter: conditions with letters, and the expression over them.
type filterForm struct {
	List       string // the path of its conditions
	Rows       []conditionRow
	Expression control
	Wrong      string // what is wrong with it as a whole
}

// conditionRow is one condition.
type conditionRow struct {
	Row
	Letter    string
	Field, Op control
	Values    []control // what is typed or chosen
	Boxes     []control // items that are ticked, instead
	BoxesText string    // how many are
	Exact     *control
	Wrong     string
}

// readFilter reads the filter at a path.
func readFilter(f fields) condition.Filter {
	filter := condition.Filter{Expression: f.text("expression")}
	for _, row := range f.rows("conditions") {
		one := condition.Condition{Field: row.text("field"), Op: condition.Op(row.text("op")), Exact: row.on("exact")}
		switch one.Op { //nolint:exhaustive // the others take what is there
		case condition.IsNull, condition.IsNotNull:
		case condition.In, condition.NotIn, condition.Includes, condition.Excludes:
			for _, v := range row.all("value") {
				for item := range strings.SplitSeq(v, ";") {
					if item = strings.TrimSpace(item); item != "" && !slices.Contains(one.Value, item) {
						one.Value = append(one.Value, item)
					}
				}
			}
			one.Value = append(one.Value, row.all("item")...)
		case condition.Between:
			one.Value = row.all("value")
		default:
			if v := row.all("value"); len(v) > 0 {
				one.Value = v[:1]
			}
		}
		filter.Conditions = append(filter.Conditions, one)
	}
	return filter
}

// filterForm shows the filter at a path.
func (cols columns) filterForm(path string, filter condition.Filter, wrong map[string]string) filterForm {
	form := filterForm{List: path + ".conditions", Wrong: wrong[fieldID(path+".conditions")]}
	if w := wrong[fieldID(path)]; w != "" {
		form.Wrong = w
	}
	form.Expression = control{
		Path: path + ".expression", Label: "Expression", Kind: "text", Value: filter.Expression, Hold: "A AND (B OR C)",
		Hint: "Joins the letters by AND, OR, NOT and brackets. Empty: all conditions must hold.", Wrong: wrong[fieldID(path+".expression")],
	}
	for i, one := range filter.Conditions {
		letter := string(rune('A' + i%26))
		form.Rows = append(form.Rows, cols.conditionRow(order(form.List, i, len(filter.Conditions), "condition "+letter), letter, one, wrong))
	}
	return form
}

func (cols columns) conditionRow(at Row, letter string, one condition.Condition, wrong map[string]string) conditionRow {
	path := at.Path
	col, known := cols.find(one.Field)
	row := conditionRow{Row: at, Letter: letter, Wrong: wrong[fieldID(path+".value")]}
	row.Field = cols.choose(path+".field", "Field of condition "+letter, one.Field, wrong)
	row.Field.Auto = true
	row.Op = control{Path: path + ".op", Label: "Comparison of condition " + letter, Kind: "select", Bare: true, Auto: true, Value: string(one.Op), Wrong: wrong[fieldID(path+".op")]}
	ops := condition.Ops(col.Type)
	if !known {
		ops = condition.Ops(record.String)
	}
	if one.Op != "" && !slices.Contains(ops, one.Op) {
		ops = append(slices.Clone(ops), one.Op)
	}
	if one.Op == "" && len(ops) > 0 {
		one.Op = ops[0]
	}
	for _, op := range ops {
		row.Op.Choices = append(row.Op.Choices, choice{string(op), opLabel(op, col.Type)})
	}
	row.values(col, one)
	if row.typed() && (textual(col.Type) || !known) {
		row.Exact = &control{Path: path + ".exact", Label: "Case counts", Kind: "check", Checked: one.Exact}
	}
	return row
}

// typed reports whether the values are typed.
func (r *conditionRow) typed() bool { return len(r.Values) > 0 }

func textual(t record.Type) bool {
	return t == record.String || t == record.Email || t == record.URL || t == record.RichText
}

// values adds what the values of a condition are entered in.
func (r *conditionRow) values(col column, one condition.Condition) {
	value := func(i int) string {
		if i < len(one.Value) {
			return one.Value[i]
		}
		return ""
	}
	input := control{Path: r.Path + ".value", Label: "Value of condition " + r.Letter, Kind: "text", Bare: true, Value: value(0), Hold: "Value"}
	switch one.Op { //nolint:exhaustive // the others take one value
	case condition.IsNull, condition.IsNotNull:
		return
	case condition.In, condition.NotIn, condition.Includes, condition.Excludes:
		if len(col.Options) > 0 && len(col.Options) <= maxBoxes {
			r.boxes(col, one)
			return
		}
		input.Value, input.Hold = strings.Join(one.Value, "; "), "Values, separated by ;"
	case condition.Between:
		from, to := input, input
		from.Label, to.Label, to.Value = "First day of condition "+r.Letter, "Last day of condition "+r.Letter, value(1)
		from.Hold, to.Hold = dateHold(col.Type), dateHold(col.Type)
		r.Values = []control{from, to}
		return
	case condition.InLastDays:
		input.Kind, input.Hold = "number", "Days"
	case condition.Before, condition.After:
		input.Hold = dateHold(col.Type)
	}
	switch col.Type { //nolint:exhaustive // the others are text
	case record.Boolean:
		input.Kind, input.Choices = "select", []choice{{"true", "true"}, {"false", "false"}}
	case record.Date, record.DateTime:
		if one.Op == condition.Equals {
			input.Hold = dateHold(col.Type)
		}
	}
	r.Values = []control{input}
}

func dateHold(t record.Type) string {
	if t == record.DateTime {
		return "2026-11-30 or 2026-11-30T15:04:05Z"
	}
	return "2026-11-30"
}

// boxes are the items of a dropdown list, those ticked that the condition names.
func (r *conditionRow) boxes(col column, one condition.Condition) {
	var ticked []string
	rest := slices.Clone(one.Value)
	for i, o := range col.Options {
		at := slices.IndexFunc(rest, func(v string) bool { return strings.EqualFold(v, o.Value) || strings.EqualFold(v, o.Label) })
		if at >= 0 {
			rest = slices.Delete(rest, at, at+1)
			ticked = append(ticked, o.Label)
		}
		r.Boxes = append(r.Boxes, control{Path: fmt.Sprintf("%s.item[%d]", r.Path, i), Label: o.Label, Value: o.Value, Checked: at >= 0})
	}
	for i, v := range rest { // items that HubSpot no longer has
		r.Boxes = append(r.Boxes, control{Path: fmt.Sprintf("%s.item[%d]", r.Path, len(col.Options)+i), Label: v, Value: v, Checked: true})
		ticked = append(ticked, v)
	}
	switch r.BoxesText = strings.Join(ticked, ", "); {
	case len(ticked) == 0:
		r.BoxesText = "Choose items"
	case len(ticked) > 3:
		r.BoxesText = fmt.Sprintf("%d items", len(ticked))
	}
}

// opLabel is what people call a comparison.
func opLabel(op condition.Op, t record.Type) string {
	number := t == record.Number || t == record.Percentage || t == record.Currency
	switch op {
	case condition.Equals:
		if number {
			return "="
		}
		return "equals"
	case condition.NotEquals:
		if number {
			return "≠"
		}
		return "not equals"
	case condition.Contains:
		return "contains"
	case condition.NotContains:
		return "does not contain"
	case condition.StartsWith:
		return "starts with"
	case condition.EndsWith:
		return "ends with"
	case condition.IsNull:
		return "is null"
	case condition.IsNotNull:
		return "is not null"
	case condition.Less:
		return "<"
	case condition.LessOrEqual:
		return "≤"
	case condition.Greater:
		return ">"
	case condition.GreaterOrEqual:
		return "≥"
	case condition.In:
		return "in"
	case condition.NotIn:
		return "not in"
	case condition.Before:
		return "before"
	case condition.After:
		return "after"
	case condition.Between:
		return "between"
	case condition.InLastDays:
		return "in the last N days"
	case condition.Includes:
		return "includes"
	case condition.Excludes:
		return "excludes"
	}
	return string(op)
}
