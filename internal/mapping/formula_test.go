package mapping_test

import (
	"errors"
	"strings"
	"testing"

	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// withFormula maps a formula over the deal's amount, which a case field and a
// mapping use.
func withFormula() mapping.Config {
	cfg := dealConfig()
	cfg.Formulas = []mapping.Formula{{Name: "big", Type: "boolean", Expression: `number(text(amount)) > 1000`}}
	yes, no := "Closed Won", "Closed Lost"
	cfg.Cases = []mapping.Case{{
		Name: "size", Type: "string",
		When:    []mapping.When{{If: condition.Filter{Conditions: []condition.Condition{{Field: "big", Op: condition.Equals, Value: []string{"true"}}}}, Then: mapping.Value{Text: &yes}}},
		Default: mapping.Value{Text: &no},
	}}
	cfg.Direct[1].From = "size" // to Name
	return cfg
}

func TestACaseFieldUsesAFormulaField(t *testing.T) {
	program := mustCompile(t, withFormula())
	for amount, want := range map[string]string{"1001": "Closed Won", "1000": "Closed Lost", "-": "Closed Lost"} {
		row, reject := program.Apply(deal("amount", amount), now, nil)
		if reject != nil {
			t.Fatal(reject.Reason)
		}
		if row.Fields["Name"] != want {
			t.Errorf("of %s: %v, want %s", amount, row.Fields["Name"], want)
		}
	}
}

func TestARecordForWhichAFormulaCannotBeComputedIsRejected(t *testing.T) {
	_, reject := mustCompile(t, withFormula()).Apply(deal("amount", "1,800.00"), now, nil)
	if reject == nil || reject.Code != record.BadValue || !strings.Contains(reject.Reason, `"big"`) || strings.Contains(reject.Reason, "1,800") {
		t.Errorf("%+v", reject)
	}
}

func TestWrongFormulasAreAllReported(t *testing.T) {
	cfg := withFormula()
	cfg.Formulas = append(cfg.Formulas,
		mapping.Formula{Name: "amount", Type: "string", Expression: "1"},
		mapping.Formula{Name: "", Type: "string", Expression: `"x"`},
		mapping.Formula{Name: "a", Type: "list", Expression: `"x"`},
		mapping.Formula{Name: "b", Type: "string", Expression: `upper(nothing)`},
		mapping.Formula{Name: "c", Type: "string", Expression: `big`}, // another formula field
	)
	_, err := mapping.Compile(cfg, deals(), dealTarget(), dealOptions())
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	want := "formulas[1].name formulas[2].name formulas[3].type formulas[4].expression formulas[5].expression"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("problems at %s, want %s", got, want)
	}
}

func TestADriftedPropertyThatAFormulaNeedsStopsTheJob(t *testing.T) {
	source := deals()
	for i, f := range source.Fields {
		if f.Name == "amount" {
			source.Fields[i].Archived = true
		}
	}
	cfg := withFormula()
	cfg.Direct = cfg.Direct[:2]
	o := dealOptions()
	o.AllowDrift = true
	_, err := mapping.Compile(cfg, source, dealTarget(), o)
	if err == nil || !strings.Contains(err.Error(), `formula field "big"`) {
		t.Errorf("err = %v", err)
	}
}

func TestADatasetIsCompiledWithoutADestination(t *testing.T) {
	cfg := withFormula()
	cfg.Target, cfg.Direct, cfg.Derived = "", nil, nil
	program, err := mapping.Dataset(cfg, deals())
	if err != nil {
		t.Fatal(err)
	}
	columns := program.Columns()
	values, failed := program.Values(deal("amount", "2000"), now)
	if n := len(columns); failed != "" || len(values) != n || columns[n-2].Name != "big" || *values[n-2] != "true" || *values[n-1] != "Closed Won" {
		t.Errorf("%v, %v, %q", columns, values, failed)
	}
	if _, failed := program.Values(deal("amount", "x"), now); failed != "big" {
		t.Errorf("failed = %q, want big", failed)
	}
}
