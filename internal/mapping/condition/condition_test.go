package condition_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// fields are one field of each kind.
var fields = []record.Field{
	{Name: "name", Label: "Name", Type: record.String},
	{Name: "amount", Label: "Amount", Type: record.Number},
	{Name: "partner", Label: "Partner", Type: record.Boolean},
	{Name: "day", Label: "Day", Type: record.Date},
	{Name: "at", Label: "At", Type: record.DateTime},
	{Name: "stage", Label: "Stage", Type: record.Enumeration, Options: []record.Option{{Value: "closedwon", Label: "Closed won", Active: true}, {Value: "100", Label: "New"}}},
	{Name: "roles", Label: "Roles", Type: record.Multi, Options: []record.Option{{Value: "DECISION", Label: "Decision maker", Active: true}}},
	{Name: "place", Label: "Place", Type: record.Unsupported},
	{Name: "old", Label: "Old", Type: record.String, Archived: true},
}

var now = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

// match runs one condition on a value of its field; "-" is null.
func match(t *testing.T, c condition.Condition, v string) bool {
	t.Helper()
	m, wrong := condition.Compile(condition.Filter{Conditions: []condition.Condition{c}}, fields)
	if len(wrong) > 0 {
		t.Fatalf("%+v: %v", c, wrong)
	}
	values := make([]*string, len(fields))
	if v != "-" {
		at := slices.IndexFunc(fields, func(f record.Field) bool { return f.Name == c.Field })
		values[at] = &v
	}
	return m.Match(values, now)
}

func TestMatch(t *testing.T) {
	tests := []struct {
		field  string
		op     condition.Op
		value  string // several are joined by |
		holds  []string
		fails  []string
		exact  bool
		reason string
	}{
		{"name", condition.Equals, "Acme", []string{"Acme", "ACME"}, []string{"Acme Inc", " Acme", "-", ""}, false, "case does not count"},
		{"name", condition.Equals, "Acme", []string{"Acme"}, []string{"ACME", "-"}, true, "case counts if said"},
		{"name", condition.NotEquals, "acme", []string{"Beta", "-", ""}, []string{"ACME"}, false, "null is not equal"},
		{"name", condition.Contains, "me I", []string{"ACME INC"}, []string{"Acme", "-"}, false, ""},
		{"name", condition.NotContains, "inc", []string{"Acme", "-", ""}, []string{"Acme INC"}, false, ""},
		{"name", condition.StartsWith, "ÄC", []string{"äcme"}, []string{"acme", "me äc", "-"}, false, ""},
		{"name", condition.EndsWith, "INC", []string{"Acme inc"}, []string{"inc Acme", "-"}, false, ""},
		{"name", condition.EndsWith, "INC", []string{"Acme INC"}, []string{"Acme inc"}, true, ""},
		{"name", condition.IsNull, "", []string{"-", ""}, []string{" ", "x"}, false, ""},
		{"name", condition.IsNotNull, "", []string{" ", "x"}, []string{"-", ""}, false, ""},

		{"amount", condition.Equals, "1800.0", []string{"1800", "1.8e3"}, []string{"1,800.00", "N/A", "1801", "-"}, false, "a bad value is like null"},
		{"amount", condition.NotEquals, "0", []string{"1", "N/A", "-", ""}, []string{"0", "-0", "0.00"}, false, ""},
		{"amount", condition.Less, "-5", []string{"-5.1", "-1e9"}, []string{"-5", "0", "N/A", "-"}, false, ""},
		{"amount", condition.LessOrEqual, "9007199254740992", []string{"9007199254740992"}, []string{"9007199254740993", "-"}, false, "no digit is lost"},
		{"amount", condition.Greater, "9007199254740992", []string{"9007199254740993", "1e21"}, []string{"9007199254740992", "-"}, false, ""},
		{"amount", condition.GreaterOrEqual, "0.1", []string{"0.1", "0.10"}, []string{"0.09999999999999999999", ""}, false, ""},
		{"amount", condition.In, "1|2", []string{"1.0", "2"}, []string{"3", "1,2", "-"}, false, ""},
		{"amount", condition.NotIn, "1|2", []string{"3", "1,2", "-"}, []string{"1.0", "2"}, false, ""},
		{"amount", condition.IsNull, "", []string{"-"}, []string{"N/A"}, false, "a bad value is a value"},
		{"amount", condition.IsNotNull, "", []string{"N/A", "0"}, []string{"-"}, false, ""},

		{"partner", condition.Equals, "true", []string{"true", "TRUE"}, []string{"false", "yes", "-", ""}, false, ""},
		{"partner", condition.Equals, "False", []string{"false", "FALSE"}, []string{"true", "0", "-", ""}, false, "null is not false"},
		{"partner", condition.NotEquals, "true", []string{"false", "yes", "-"}, []string{"True"}, false, ""},

		{"day", condition.Equals, "2026-11-24", []string{"2026-11-24", "1795478400000", "2026-11-24T00:30:00+02:00"}, []string{"2026-11-23", "0000-01-01", "-"}, false, ""},
		{"day", condition.Before, "2026-11-24", []string{"2026-11-23"}, []string{"2026-11-24", "-"}, false, ""},
		{"day", condition.After, "2026-11-24", []string{"2026-11-25"}, []string{"2026-11-24", "N/A", "-"}, false, ""},
		{"day", condition.Between, "2026-11-01|2026-11-30", []string{"2026-11-01", "2026-11-30"}, []string{"2026-10-31", "2026-12-01", "-"}, false, "both ends belong"},
		{"day", condition.InLastDays, "7", []string{"2026-11-17", "2026-11-24"}, []string{"2026-11-16", "2026-11-25", "-"}, false, ""},
		{"day", condition.IsNotNull, "", []string{"N/A"}, []string{"-"}, false, ""},

		{"at", condition.Equals, "2026-11-24", []string{"2026-11-24T00:00:00Z", "2026-11-24T23:59:59.999Z"}, []string{"2026-11-25T00:00:00Z", "2026-11-24T00:30:00+02:00", "-"}, false, "a day is all its instants"},
		{"at", condition.Equals, "2026-11-24T08:00:00Z", []string{"2026-11-24T09:00:00+01:00", "1795507200000"}, []string{"2026-11-24T08:00:00.001Z"}, false, ""},
		{"at", condition.Before, "2026-11-24", []string{"2026-11-23T23:59:59.999Z"}, []string{"2026-11-24T00:00:00Z", "-"}, false, ""},
		{"at", condition.After, "2026-11-24", []string{"2026-11-25T00:00:00Z"}, []string{"2026-11-24T23:59:59.999Z", "-"}, false, ""},
		{"at", condition.Between, "2026-11-01|2026-11-30", []string{"2026-11-30T23:59:59.999Z"}, []string{"2026-12-01T00:00:00Z", "-"}, false, ""},
		{"at", condition.InLastDays, "1", []string{"2026-11-23T00:00:00Z", "2026-11-24T09:30:00Z"}, []string{"2026-11-22T23:59:59.999Z", "2026-11-24T09:30:00.001Z", "-"}, false, ""},

		{"stage", condition.In, "Closed Won|new", []string{"closedwon", "100", "CLOSEDWON"}, []string{"closedlost", "-"}, false, "by label or value"},
		{"stage", condition.In, "imported", []string{"imported"}, []string{"-"}, false, "records hold more than options"},
		{"stage", condition.NotIn, "closedwon", []string{"100", "-", ""}, []string{"closedwon"}, false, ""},
		{"stage", condition.In, "closedwon", []string{"closedwon"}, []string{"CLOSEDWON"}, true, ""},

		{"roles", condition.Includes, "decision maker|x", []string{"DECISION", "y;x", "a; decision"}, []string{"DECISION MAKERS", "y", ";", "-"}, false, "one of them is enough"},
		{"roles", condition.Excludes, "DECISION", []string{"y", "-", ""}, []string{"y;DECISION"}, false, ""},
		{"roles", condition.IsNull, "", []string{"-"}, []string{"y"}, false, ""},
	}
	for _, tt := range tests {
		c := condition.Condition{Field: tt.field, Op: tt.op, Exact: tt.exact}
		if tt.value != "" {
			c.Value = strings.Split(tt.value, "|")
		}
		t.Run(fmt.Sprintf("%s %s %s %s", tt.field, tt.op, tt.value, tt.reason), func(t *testing.T) {
			for _, v := range tt.holds {
				if !match(t, c, v) {
					t.Errorf("%q: want it to hold", v)
				}
			}
			for _, v := range tt.fails {
				if match(t, c, v) {
					t.Errorf("%q: want it to fail", v)
				}
			}
		})
	}
}

func TestWhichComparisonsFit(t *testing.T) {
	all := []condition.Op{
		condition.Equals, condition.NotEquals, condition.Contains, condition.NotContains, condition.StartsWith, condition.EndsWith,
		condition.IsNull, condition.IsNotNull, condition.Less, condition.LessOrEqual, condition.Greater, condition.GreaterOrEqual,
		condition.In, condition.NotIn, condition.Before, condition.After, condition.Between, condition.InLastDays,
		condition.Includes, condition.Excludes,
	}
	want := map[string]string{
		"name":    "equals notEquals contains notContains startsWith endsWith isNull isNotNull",
		"amount":  "equals notEquals isNull isNotNull less lessOrEqual greater greaterOrEqual in notIn",
		"partner": "equals notEquals",
		"day":     "equals isNull isNotNull before after between inLastDays",
		"at":      "equals isNull isNotNull before after between inLastDays",
		"stage":   "isNull isNotNull in notIn",
		"roles":   "isNull isNotNull includes excludes",
		"place":   "",
	}
	got := map[string]string{}
	for _, f := range fields {
		if f.Archived {
			continue
		}
		var fit []string
		for _, op := range append(all, "near") {
			_, wrong := condition.Compile(condition.Filter{Conditions: []condition.Condition{{Field: f.Name, Op: op}}}, fields)
			if len(wrong) == 0 || wrong[0].Path != "conditions[0].op" {
				fit = append(fit, string(op))
			}
		}
		got[f.Name] = strings.Join(fit, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProblemsAreReportedAtOnce(t *testing.T) {
	one := func(field string, op condition.Op, value ...string) condition.Condition {
		return condition.Condition{Field: field, Op: op, Value: value}
	}
	f := condition.Filter{
		Conditions: []condition.Condition{
			one("nme", condition.Equals, "x"),
			one("name", condition.Less, "x"),
			one("place", condition.Equals, "x"),
			one("name", condition.Equals),
			one("name", condition.IsNull, "x"),
			one("amount", condition.Greater, "1,800"),
			one("partner", condition.Equals, "yes"),
			one("day", condition.Before, "2026-11-24T10:00:00Z"),
			one("at", condition.After, "24.11.2026"),
			one("day", condition.Between, "2026-11-24"),
			one("day", condition.Between, "2026-11-24", "2026-11-23"),
			one("day", condition.InLastDays, "0"),
			one("stage", condition.In),
			one("name", condition.Equals, ""),
			one("old", condition.Less, "anything"),
		},
		Expression: "A and (b OR Z) XOR c",
	}
	_, problems := condition.Compile(f, fields)
	var got []string
	for _, p := range problems {
		got = append(got, p.Path+": "+p.Message)
	}
	want := []string{
		`conditions[0].field: Condition A: the dataset has no field "nme"; add it to the dataset, or choose another one.`,
		`conditions[1].op: Condition B: "less" does not fit "Name", which is a text; use one of equals, notEquals, contains, notContains, startsWith, endsWith, isNull, isNotNull.`,
		`conditions[2].op: Condition C: "Place" is of a type that cannot be compared; choose another field.`,
		`conditions[3].value: Condition D: equals needs one value; give exactly one.`,
		`conditions[4].value: Condition E: isNull takes no value; clear it.`,
		`conditions[5].value: Condition F: "1,800" is not a number; write it like 1800.5.`,
		`conditions[6].value: Condition G: "yes" is neither true nor false; choose one of the two.`,
		`conditions[7].value: Condition H: "2026-11-24T10:00:00Z" is not a date; write it like 2026-11-30.`,
		`conditions[8].value: Condition I: "24.11.2026" is not a date with time; write it like 2026-11-30 or 2026-11-30T15:04:05Z.`,
		`conditions[9].value: Condition J: between needs two values, the first and the last day; give both.`,
		`conditions[10].value: Condition K: the second value lies before the first; swap them.`,
		`conditions[11].value: Condition L: "0" is not a number of days; give a whole number from 1 to 36500.`,
		`conditions[12].value: Condition M: in needs at least one value; give one.`,
		`conditions[13].value: Condition N: a value is empty; give one, or use isNull or isNotNull.`,
		`expression: The expression names condition Z, which does not exist: add the condition, or take the letter out.`,
		`expression: The expression cannot be read at "XOR": put AND or OR between letters, and close every parenthesis.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExpressionProblems(t *testing.T) {
	tests := []struct{ expression, want string }{
		{"A AND", "ends too early"},
		{"AND A", `missing before "AND"`},
		{"A B", `cannot be read at "B"`},
		{"(A AND B", "not closed"},
		{"A AND B)", `cannot be read at ")"`},
		{"()", `missing before ")"`},
		{"NOT A", `cannot contain "NOT"`},
		{"A", "Condition B is not in the expression"},
		{"A && B", `cannot be read at "&&"`},
		{strings.Repeat("(", 2000), "longer than 1000"},
	}
	name := condition.Condition{Field: "name", Op: condition.IsNull}
	for _, tt := range tests {
		_, wrong := condition.Compile(condition.Filter{Conditions: []condition.Condition{name, name}, Expression: tt.expression}, fields)
		if len(wrong) == 0 || wrong[0].Path != "expression" || !strings.Contains(wrong[0].Message, tt.want) {
			t.Errorf("%.40q: got %v, want %q", tt.expression, wrong, tt.want)
		}
	}
	if _, wrong := condition.Compile(condition.Filter{Expression: "A"}, fields); len(wrong) != 1 {
		t.Errorf("an expression without conditions: %v", wrong)
	}
	if _, wrong := condition.Compile(condition.Filter{Conditions: slices.Repeat([]condition.Condition{name}, 27)}, fields); len(wrong) != 1 {
		t.Errorf("27 conditions: %v", wrong)
	}
}

func TestNoFilterTakesAll(t *testing.T) {
	m, wrong := condition.Compile(condition.Filter{}, nil)
	if len(wrong) > 0 || !m.Match(nil, now) || !new(condition.Matcher).Match(nil, now) {
		t.Errorf("got %v", wrong)
	}
}

func TestAConditionOnAnArchivedFieldNeverHolds(t *testing.T) {
	for _, op := range []condition.Op{condition.IsNull, condition.IsNotNull, condition.NotEquals} {
		if match(t, condition.Condition{Field: "old", Op: op}, "-") {
			t.Errorf("%s holds", op)
		}
	}
}

// tree draws an expression over the letters A to D as text, and what it means.
func tree(t *rapid.T, depth int) (string, func(bits int) bool) {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		i := rapid.IntRange(0, 3).Draw(t, "letter")
		return string(rune('A' + i)), func(bits int) bool { return bits>>i&1 == 1 }
	}
	a, holdsA := tree(t, depth-1)
	b, holdsB := tree(t, depth-1)
	if rapid.Bool().Draw(t, "and") {
		return "(" + a + ") AND (" + b + ")", func(bits int) bool { return holdsA(bits) && holdsB(bits) }
	}
	return a + " or " + b, func(bits int) bool { return holdsA(bits) || holdsB(bits) }
}

func TestAnExpressionMeansItsTruthTable(t *testing.T) {
	var conditions []condition.Condition
	var four []record.Field
	for i := range 4 {
		name := fmt.Sprint("f", i)
		four = append(four, record.Field{Name: name, Type: record.String})
		conditions = append(conditions, condition.Condition{Field: name, Op: condition.Equals, Value: []string{"1"}})
	}
	rapid.Check(t, func(t *rapid.T) {
		text, holds := tree(t, 4)
		// Every letter must occur: this adds those that do not, without changing the meaning.
		expression := "(" + text + ") AND (A OR B OR C OR D OR (" + text + "))"
		m, wrong := condition.Compile(condition.Filter{Conditions: conditions, Expression: expression}, four)
		if len(expression) > 1000 {
			return
		}
		if len(wrong) > 0 {
			t.Fatalf("%s: %v", expression, wrong)
		}
		for bits := range 16 {
			values := make([]*string, 4)
			for i := range values {
				if bits>>i&1 == 1 {
					one := "1"
					values[i] = &one
				}
			}
			if m.Match(values, now) != holds(bits) {
				t.Fatalf("%s with %04b: want %t", expression, bits, holds(bits))
			}
		}
	})
}

func TestANegativeComparisonIsTheOppositeForEveryValue(t *testing.T) {
	pairs := []struct {
		field    string
		yes, not condition.Op
		value    string
	}{
		{"name", condition.Equals, condition.NotEquals, "Acme"},
		{"name", condition.Contains, condition.NotContains, "c"},
		{"amount", condition.Equals, condition.NotEquals, "10"},
		{"amount", condition.In, condition.NotIn, "10"},
		{"partner", condition.Equals, condition.NotEquals, "true"},
		{"stage", condition.In, condition.NotIn, "closedwon"},
		{"roles", condition.Includes, condition.Excludes, "DECISION"},
		{"name", condition.IsNull, condition.IsNotNull, ""},
	}
	rapid.Check(t, func(r *rapid.T) {
		v := rapid.OneOf(
			rapid.SampledFrom([]string{"-", "", "acme", "10", "10.0", "1,0", "true", "FALSE", "closedwon", "x;decision", "-5"}),
			rapid.String(),
		).Draw(r, "value")
		for _, p := range pairs {
			c := condition.Condition{Field: p.field, Op: p.yes}
			if p.value != "" {
				c.Value = []string{p.value}
			}
			yes := match(t, c, v)
			c.Op = p.not
			if match(t, c, v) == yes {
				r.Fatalf("%q: %s and %s both give %t", v, p.yes, p.not, yes)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m, _ := condition.Compile(condition.Filter{
		Conditions: []condition.Condition{
			{Field: "name", Op: condition.Contains, Value: []string{"inc"}},
			{Field: "amount", Op: condition.Greater, Value: []string{"1000"}},
			{Field: "at", Op: condition.InLastDays, Value: []string{"30"}},
		},
		Expression: "A AND (B OR C)",
	}, fields)
	name, amount, at := "Acme Inc", "12.5", "2026-11-20T09:00:01.002Z"
	values := make([]*string, len(fields))
	values[0], values[1], values[4] = &name, &amount, &at
	for b.Loop() {
		if !m.Match(values, now) {
			b.Fatal("no match")
		}
	}
}
