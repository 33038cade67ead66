package mapping_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

func field(name, label string, typ record.Type) record.Field {
	return record.Field{Name: name, Label: label, Type: typ}
}

// deals and dealTarget are the schemas of most tests: deals in a custom object.
func deals() record.Schema {
	archived := field("legacy", "Legacy", record.String)
	archived.Archived = true
	stage := field("dealstage", "Deal Stage", record.Enumeration)
	stage.Options = []record.Option{{Value: "closedwon", Label: "Closed won", Active: true}, {Value: "new", Label: "New", Active: true}}
	return record.Schema{Object: "0-3", Label: "Deal", Fields: []record.Field{
		field("hs_object_id", "Record ID", record.Number), field("dealname", "Deal Name", record.String), field("amount", "Amount", record.Number),
		field("closedate", "Close Date", record.DateTime), field("hs_priority", "Priority", record.Multi), field("parent", "Parent Deal", record.String),
		stage, archived, field("place", "Place", record.Unsupported),
	}}
}

func dealTarget() record.Schema {
	required := field("Name", "Name", record.String)
	required.Required, required.Length = true, 20
	system := field("Gsid", "GSID", record.GSID)
	system.ReadOnly = true
	stage := field("Stage__gc", "Stage", record.Enumeration)
	stage.Options = []record.Option{{Value: "Closed Won", Label: "Closed Won", Active: true}, {Value: "Old", Label: "Old"}}
	company := field("Company__gc", "Company", record.GSID)
	company.Lookup = "company"
	fixed := field("Fixed__gc", "Fixed", record.Number)
	fixed.NotNull = true
	return record.Schema{Object: "hubspot_deal__gc", Label: "HubSpot Deal", Fields: []record.Field{
		system, required, field("Deal_ID__gc", "Deal ID", record.String), field("Amount__gc", "Amount", record.Currency), stage, company, fixed,
		field("Closed__gc", "Closed", record.Date), field("Parent__gc", "Parent", record.GSID), field("Priority__gc", "Priority", record.Multi),
		field("Data__gc", "Data", record.Unsupported), field("Open__gc", "Open", record.Boolean),
	}}
}

func companies() record.Schema {
	id := field("HubSpot_ID__gc", "HubSpot Account ID", record.String)
	id.Length = 6
	return record.Schema{Object: "company", Label: "Company", Fields: []record.Field{
		field("Gsid", "GSID", record.GSID), id, field("Number__gc", "Number", record.Number),
		field("Stage", "Stage", record.Enumeration),
	}}
}

func dealOptions() mapping.Options {
	return mapping.Options{Lookup: map[string]record.Schema{"company": companies(), "hubspot_deal__gc": dealTarget()}}
}

// dealConfig is a valid configuration.
func dealConfig() mapping.Config {
	return mapping.Config{
		Source: "deal", Target: "hubspot_deal__gc",
		Fields: []mapping.Field{
			{Name: "id", Property: "hs_object_id"},
			{Name: "dealname"},
			{Name: "amount", Label: "Value"},
			{Name: "closedate"},
			{Name: "dealstage"},
			{Name: "hs_priority"},
			{Name: "parent"},
			{Name: "company", Label: "Company ID", Association: &mapping.Association{Object: "company"}},
		},
		Direct: []mapping.Direct{
			{From: "id", To: "Deal_ID__gc", Identifier: true}, {From: "dealname", To: "Name"}, {From: "amount", To: "Amount__gc"},
		},
	}
}

func byCompany() mapping.Derived {
	return mapping.Derived{
		To: "Company__gc", Object: "company", Match: []mapping.Pair{{From: "company", Field: "HubSpot_ID__gc"}},
		Multiple: mapping.MultipleError, None: mapping.NoneReject,
	}
}

func lines(err error) []string {
	problems, _ := errors.AsType[mapping.Problems](err)
	var all []string
	for _, p := range problems {
		all = append(all, p.Path+": "+p.Message)
	}
	return all
}

func TestCompileReportsProblems(t *testing.T) {
	direct := func(from, to string) mapping.Direct { return mapping.Direct{From: from, To: to} }
	equals := condition.Filter{Conditions: []condition.Condition{{Field: "dealname", Op: condition.Equals, Value: []string{"x"}}}}
	derived := func(change func(*mapping.Derived)) func(*mapping.Config) {
		return func(c *mapping.Config) {
			d := byCompany()
			change(&d)
			c.Derived = append(c.Derived, d)
		}
	}
	add := func(d mapping.Direct) func(*mapping.Config) {
		return func(c *mapping.Config) { c.Direct = append(c.Direct, d) }
	}
	withCase := func(of mapping.Case) func(*mapping.Config) {
		return func(c *mapping.Config) { c.Cases = append(c.Cases, of) }
	}
	then := func(v mapping.Value) []mapping.When { return []mapping.When{{If: equals, Then: v}} }
	tests := []struct {
		name   string
		change func(*mapping.Config)
		want   []string // "path: the beginning or a part of the message"
	}{
		{"unknown property", func(c *mapping.Config) { c.Fields = append(c.Fields, mapping.Field{Name: "x", Property: "nope"}) }, []string{`fields[8].property: HubSpot has no property "nope"`}},
		{"archived property", func(c *mapping.Config) { c.Fields = append(c.Fields, mapping.Field{Name: "legacy"}) }, []string{`fields[8].property: HubSpot has no property "legacy", or archived it: restore it in HubSpot, or take "Legacy" out of the dataset.`}},
		{"dataset name twice", func(c *mapping.Config) { c.Fields = append(c.Fields, mapping.Field{Name: "amount"}) }, []string{`fields[8].name: Two fields of the dataset are called "amount"`}},
		{"dataset field without a name", func(c *mapping.Config) { c.Fields = append(c.Fields, mapping.Field{Property: "amount"}) }, []string{"fields[8].name: A field of the dataset has no name"}},
		{"association with an unknown object", func(c *mapping.Config) { c.Fields[7].Association = &mapping.Association{Object: "planet"} }, []string{`fields[7].association.object: HubSpot has no object "planet"`}},
		{"association named like a property", func(c *mapping.Config) {
			c.Fields = append(c.Fields, mapping.Field{Name: "hs_object_id", Association: &mapping.Association{Object: "company"}})
		}, []string{`fields[8].name: "hs_object_id" is the name of a HubSpot property`}},

		{"source field missing", add(direct("nope", "Open__gc")), []string{`direct[3].from: The dataset has no field "nope"`}},
		{"target fields to create, each of them", func(c *mapping.Config) {
			c.Direct = append(c.Direct, direct("closedate", "Date__gc"), direct("dealstage", "Kind__gc"))
		}, []string{
			`direct[3].to: HubSpot Deal has no field "Date__gc" in Gainsight: create field "Date__gc" there (Administration > Data Management) as date with time, or choose another field.`,
			`direct[4].to: HubSpot Deal has no field "Kind__gc" in Gainsight: create field "Kind__gc" there (Administration > Data Management) as dropdown list, or choose another field.`,
		}},
		{"no target field", add(direct("amount", "")), []string{"direct[3].to: A mapping has no target field"}},
		{"read-only target field", add(direct("parent", "Gsid")), []string{`direct[3].to: "GSID" of HubSpot Deal is filled by Gainsight itself`}},
		{"unsupported target field", add(direct("parent", "Data__gc")), []string{`direct[3].to: "Data" of HubSpot Deal is of a type that cannot be written`}},
		{"duplicate target", add(direct("dealname", "Amount__gc")), []string{`direct[3].to: "Amount" is filled by two mappings`}},
		{"duplicate target in a look-up", func(c *mapping.Config) {
			c.Direct = append(c.Direct, direct("parent", "Company__gc"))
			c.Derived = append(c.Derived, byCompany())
		}, []string{`derived[0].to: "Company" is filled by two mappings`}},
		{"types that do not fit", add(direct("amount", "Open__gc")), []string{`direct[3].to: "Value" is a number and does not fit "Open", which is a checkbox`}},
		{"unsupported source field", func(c *mapping.Config) {
			c.Fields = append(c.Fields, mapping.Field{Name: "place"})
			c.Direct = append(c.Direct, direct("place", "Open__gc"))
		}, []string{`direct[3].to: "Place" is a field of an unsupported type and does not fit`}},
		{"no identifier", func(c *mapping.Config) { c.Direct[0].Identifier = false }, []string{"direct: No mapping is an identifier"}},
		{"four identifiers", func(c *mapping.Config) {
			for i := range c.Direct {
				c.Direct[i].Identifier = true
			}
			c.Direct[2].To = "Fixed__gc"
			c.Direct = append(c.Direct, mapping.Direct{From: "parent", To: "Parent__gc", Identifier: true})
		}, []string{"direct: 4 mappings are identifiers, and HubSpot Deal takes at most 3"}},
		{"identifier of a wrong type", func(c *mapping.Config) { c.Direct[2].Identifier = true }, []string{`direct[2].identifier: "Amount" is a currency and cannot be an identifier`}},
		{"identifier with a default", func(c *mapping.Config) { c.Direct[0].Default = text("1") }, []string{`direct[0].default: "Deal ID" is an identifier and cannot have a default`}},
		{"default that does not fit", func(c *mapping.Config) { c.Direct[2].Default = text("n/a") }, []string{`direct[2].default: The default value of "Amount" is not a number such as 1800.5. Correct it.`}},
		{"unknown rule for empty", func(c *mapping.Config) { c.Direct[2].WhenEmpty = "drop" }, []string{`direct[2].whenEmpty: "drop" is not`}},
		{"null in a field that cannot be null", func(c *mapping.Config) { c.Direct[1].WhenEmpty = mapping.EmptyNull }, []string{`direct[1].whenEmpty: "Name" cannot be null`}},
		{"required field not mapped", func(c *mapping.Config) { c.Direct = slices.Delete(c.Direct, 1, 2) }, []string{`direct: Gainsight requires "Name" in HubSpot Deal`}},
		{"filter", func(c *mapping.Config) {
			c.Filter = condition.Filter{Conditions: []condition.Condition{{Field: "amount", Op: condition.Contains, Value: []string{"1"}}}, Expression: "A OR B"}
		}, []string{`filter.conditions[0].op: Condition A: "contains" does not fit "Value"`, "filter.expression: The expression names condition B"}},

		{"case field named like a dataset field", withCase(mapping.Case{Name: "amount", Type: "string", When: then(mapping.Value{})}), []string{`cases[0].name: Two fields of the dataset are called "amount"`}},
		{"case field of a wrong type", withCase(mapping.Case{Name: "c", Type: "multi", When: then(mapping.Value{})}), []string{`cases[0].type: The case field "c" cannot have the type "multi"`}},
		{"case field without cases", withCase(mapping.Case{Name: "c", Type: "string"}), []string{`cases[0].when: The case field "c" has no cases`}},
		{"case without a condition", withCase(mapping.Case{Name: "c", Type: "string", When: []mapping.When{{}}}), []string{`cases[0].when[0].if: Case 1 of "c" has no condition`}},
		{"condition of a case", withCase(mapping.Case{Name: "c", Type: "string", When: []mapping.When{{If: condition.Filter{Conditions: []condition.Condition{{Field: "nope", Op: condition.IsNull}}}}}}), []string{`cases[0].when[0].if.conditions[0].field: Condition A: the dataset has no field "nope"`}},
		{"case value of a wrong type", withCase(mapping.Case{Name: "c", Type: "number", When: then(mapping.Value{Text: text("many")})}), []string{`cases[0].when[0].then.text: The value "many" of the case field "c" is not a number`}},
		{"case value from an unknown field", withCase(mapping.Case{Name: "c", Type: "string", When: then(mapping.Value{Field: "nope"})}), []string{`cases[0].when[0].then.field: The case field "c" takes its value from "nope"`}},
		{"case value from a field that does not fit", withCase(mapping.Case{Name: "c", Type: "date", When: then(mapping.Value{}), Default: mapping.Value{Field: "amount"}}), []string{`cases[0].default.field: "Value" is a number and cannot be a value of the case field "c"`}},
		{"case value both text and field", withCase(mapping.Case{Name: "c", Type: "string", When: then(mapping.Value{Text: text("a"), Field: "dealname"})}), []string{`cases[0].when[0].then: A value of the case field "c" is both`}},

		{"look-up into a field that is no GSID", derived(func(d *mapping.Derived) { d.To = "Closed__gc" }), []string{`derived[0].to: "Closed" is a date, and a look-up fills GSID fields only`}},
		{"look-up in the wrong object", derived(func(d *mapping.Derived) {
			d.Object, d.Match[0].Field = "hubspot_deal__gc", "Deal_ID__gc"
		}), []string{`derived[0].object: "Company" points at company`}},
		{"look-up in an unknown object", derived(func(d *mapping.Derived) { d.To, d.Object = "Parent__gc", "planet" }), []string{`derived[0].object: Gainsight has no object "planet"`}},
		{"look-up by nothing", derived(func(d *mapping.Derived) { d.Match = nil }), []string{`derived[0].match: The look-up of "Company" has 0 pairs of fields, and it needs 1 to 6.`}},
		{"look-up by seven pairs", derived(func(d *mapping.Derived) { d.Match = slices.Repeat(d.Match, 7) }), []string{`derived[0].match: The look-up of "Company" has 7 pairs`}},
		{"look-up by unknown fields", derived(func(d *mapping.Derived) { d.Match[0] = mapping.Pair{From: "nope", Field: "nope"} }), []string{`derived[0].match[0].from: The dataset has no field "nope"`, `derived[0].match[0].field: Company has no field "nope" in Gainsight: create field "nope"`}},
		{"look-up by a dropdown list", derived(func(d *mapping.Derived) { d.Match[0].Field = "Stage" }), []string{`derived[0].match[0].field: "Stage" is a dropdown list and cannot be compared`}},
		{"look-up by types that do not fit", derived(func(d *mapping.Derived) { d.Match[0] = mapping.Pair{From: "closedate", Field: "Number__gc"} }), []string{`derived[0].match[0].from: "Close Date" is a date with time and cannot be compared with "Number"`}},
		{"look-up that does not say what to do", derived(func(d *mapping.Derived) { d.Multiple, d.None = "", "" }), []string{"derived[0].multiple: Say what", "derived[0].none: Say what"}},
		{"look-up with a default that is no GSID", derived(func(d *mapping.Derived) { d.None, d.Default = mapping.NoneDefault, "-" }), []string{`derived[0].default: The default of the look-up of "Company" is not a GSID`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := dealConfig()
			tt.change(&cfg)
			program, err := mapping.Compile(cfg, deals(), dealTarget(), dealOptions())
			got := lines(err)
			if len(got) != len(tt.want) || program != nil {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnceAsOneInvalidError(t *testing.T) {
	cfg := dealConfig()
	cfg.Fields[1].Property = "nope"
	cfg.Filter.Expression = "A"
	cfg.Direct[0].Identifier = false
	cfg.Direct[2].To = "Nope__gc"
	_, err := mapping.Compile(cfg, deals(), dealTarget(), dealOptions())
	var paths []string
	for _, line := range lines(fmt.Errorf("save job: %w", err)) {
		paths = append(paths, strings.SplitN(line, ":", 2)[0])
	}
	if diff := cmp.Diff([]string{"fields[1].property", "filter.expression", "direct[2].to", "direct"}, paths); diff != "" {
		t.Error(diff)
	}
	if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != err.Error() || !strings.Contains(err.Error(), "Nope__gc") {
		t.Errorf("%s: %v", fault.KindOf(err), err)
	}
}

func TestDrift(t *testing.T) {
	uses := func(use func(*mapping.Config)) mapping.Config {
		cfg := dealConfig()
		cfg.Fields = append(cfg.Fields, mapping.Field{Name: "legacy"})
		use(&cfg)
		return cfg
	}
	gone := condition.Filter{Conditions: []condition.Condition{{Field: "legacy", Op: condition.IsNull}}}
	tests := []struct {
		name    string
		cfg     mapping.Config
		skipped []string
		want    string // in the problem
	}{
		{"a field that only fills a field is skipped", uses(func(c *mapping.Config) { c.Direct[2].From = "legacy" }), []string{"Legacy"}, ""},
		{"a field that fills nothing is skipped", uses(func(*mapping.Config) {}), []string{"Legacy"}, ""},
		{"an identifier stops the job", uses(func(c *mapping.Config) { c.Direct[0].From = "legacy" }), nil, `the property "legacy" (Legacy), and the job needs it for "Deal ID"`},
		{"a required field stops the job", uses(func(c *mapping.Config) { c.Direct[1].From = "legacy" }), nil, `needs it for "Name"`},
		{"the filter stops the job", uses(func(c *mapping.Config) { c.Filter = gone }), nil, "needs it for its filter"},
		{"a case field and a look-up stop the job", uses(func(c *mapping.Config) {
			c.Cases = []mapping.Case{{Name: "c", Type: "string", When: []mapping.When{{If: gone}}}}
			c.Derived = []mapping.Derived{byCompany()}
			c.Derived[0].Match[0].From = "legacy"
		}), nil, `needs it for the case field "c" and the look-up of "Company"`},
		{"a property of another type that no longer fits is skipped", uses(func(c *mapping.Config) {
			c.Fields = c.Fields[:8]
			c.Direct = append(c.Direct, mapping.Direct{From: "amount", To: "Closed__gc"})
			c.Direct[2].From = "parent"
		}), []string{"Value"}, ""},
		{"an identifier of another type stops the job", uses(func(c *mapping.Config) {
			c.Fields = c.Fields[:8]
			c.Direct[0] = mapping.Direct{From: "closedate", To: "Fixed__gc", Identifier: true}
		}), nil, "does not fit"},
		{"a target field that is gone stops the job", uses(func(c *mapping.Config) {
			c.Direct = append(c.Direct, mapping.Direct{From: "legacy", To: "Gone__gc"})
		}), nil, `create field "Gone__gc"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := dealOptions()
			o.AllowDrift = true
			program, err := mapping.Compile(tt.cfg, deals(), dealTarget(), o)
			if tt.want != "" {
				if got := lines(err); len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var skipped []string
			for _, s := range program.Skipped {
				skipped = append(skipped, s.Field)
			}
			if diff := cmp.Diff(tt.skipped, skipped); diff != "" {
				t.Error(diff)
			}
			if slices.Contains(program.Properties(), "legacy") {
				t.Error("the property that is gone is asked for")
			}
		})
	}
}

func TestPropertiesAreThoseOfTheDataset(t *testing.T) {
	cfg := dealConfig()
	cfg.Fields = append(cfg.Fields, mapping.Field{Name: "again", Property: "amount"})
	program, err := mapping.Compile(cfg, deals(), dealTarget(), dealOptions())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"hs_object_id", "dealname", "amount", "closedate", "dealstage", "hs_priority", "parent"}
	if diff := cmp.Diff(want, program.Properties()); diff != "" {
		t.Error(diff)
	}
}

func TestAssociations(t *testing.T) {
	cfg := dealConfig()
	cfg.Fields = append(cfg.Fields, mapping.Field{Name: "boss", Association: &mapping.Association{Object: "contact", Label: "Decision maker"}})
	got, err := mapping.Associations(cfg)
	want := []record.Association{{As: "company", Object: "0-2"}, {As: "boss", Object: "0-1", Label: "Decision maker"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	cfg.Fields[0].Association = &mapping.Association{Object: "planet"}
	if _, err := mapping.Associations(cfg); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unknown object: %v", err)
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	var codes []record.Code
	for _, r := range mapping.Reasons() {
		codes = append(codes, r.Code)
		if !strings.HasSuffix(r.Meaning, ".") || !strings.HasSuffix(r.Fix, ".") {
			t.Errorf("%s is not explained in sentences", r.Code)
		}
		if got, ok := mapping.Explain(r.Code); !ok || got != r {
			t.Errorf("%s: %v", r.Code, got)
		}
	}
	want := []record.Code{
		"NO_MATCH", "MULTIPLE_MATCHES", "DUPLICATE_IDENTIFIER", "MISSING_IDENTIFIER", "BAD_VALUE", "TOO_LONG", "UNKNOWN_ITEM", "MISSING_VALUE",
		"PERSON_CONFLICT", "AMBIGUOUS_USER", "REFUSED_BY_TARGET", "MERGED_ROWS",
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if _, ok := mapping.Explain("NOPE"); ok {
		t.Error("an unknown code is explained")
	}
}
