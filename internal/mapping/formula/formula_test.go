package formula_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hubspotconnector/internal/mapping/formula"
	"hubspotconnector/internal/record"
)

var (
	now    = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	fields = []record.Field{
		{Name: "name", Type: record.String},
		{Name: "First Name", Type: record.String},
		{Name: "amount", Type: record.Number},
		{Name: "open", Type: record.Boolean},
		{Name: "day", Type: record.Date},
		{Name: "at", Type: record.DateTime},
		{Name: "none", Type: record.Number},
		{Name: "left", Type: record.String},
		{Name: "id", Type: record.Number},
	}
)

func values() []*string {
	texts := []string{"Acme Ünlü", "Ann", "12.5", "true", "2026-01-31", "2026-03-01T10:15:30.000Z", "", "a field called left", "9007199254740993"}
	all := make([]*string, len(texts))
	for i := range texts {
		all[i] = &texts[i]
	}
	all[6] = nil
	return all
}

const (
	null   = "<null>"
	cannot = "<cannot>"
)

func TestExpressionsCompute(t *testing.T) {
	tests := []struct {
		expression string
		result     record.Type
		want       string
	}{
		{`concat(name, " – ", none, field("First Name"))`, record.String, "Acme Ünlü – Ann"},
		{`upper(left(name, 6)) + "-" + id`, record.String, "ACME Ü-9007199254740993"},
		{`lower(right(name, 4)) + "|" + trim("  x ")`, record.String, "ünlü|x"},
		{`left`, record.String, "a field called left"},
		{`left(left, 7)`, record.String, "a field"},
		{`right(name, 100)`, record.String, "Acme Ünlü"},
		{`left(name, 0)`, record.String, null},
		{`substring(name, 6)`, record.String, "Ünlü"},
		{`substring(name, 6, 2)`, record.String, "Ün"},
		{`substring(name, 100, 2)`, record.String, null},
		{`substring(name, 0, 2)`, record.String, cannot},
		{`replace(name, "Acme", "if (x)")`, record.String, "if (x) Ünlü"},
		{`replace(name, "Acme ", none)`, record.String, "Ünlü"},
		{`split("a;b;c", ";", 2)`, record.String, "b"},
		{`split("a;b;c", ";", -1)`, record.String, "c"},
		{`split("a;b;c", ";", 4)`, record.String, null},
		{`length(name)`, record.Number, "9"},
		{`name contains "ünLÜ"`, record.Boolean, "true"},
		{`name startsWith "acme" and not (name endsWith "e")`, record.Boolean, "true"},
		{`none contains "x"`, record.Boolean, "false"},
		{`amount * 2 + 1`, record.Number, "26"},
		{`0.1 + 0.2`, record.Number, "0.3"},
		{`1.005 * 100`, record.Number, "100.5"},
		{`round(1.005, 2)`, record.Number, "1.01"},
		{`round(-2.5)`, record.Number, "-3"},
		{`round(1234, -2)`, record.Number, "1200"},
		{`-amount % 5`, record.Number, "-2.5"},
		{`7 / 2`, record.Number, "3.5"},
		{`amount / 0`, record.Number, cannot},
		{`amount + name`, record.String, "12.5Acme Ünlü"},
		{`amount - name`, record.Number, cannot},
		{`amount + none`, record.Number, null},
		{`none`, record.Number, null},
		{`upper(none)`, record.String, null},
		{`min(3, amount, 1)`, record.Number, "1"},
		{`max(3, amount, none)`, record.Number, null},
		{`floor(amount) + ceil(amount) + abs(-1)`, record.Number, "26"},
		{`number("12") + 1`, record.Number, "13"},
		{`number("1,000")`, record.Number, cannot},
		{`number(id)`, record.Number, cannot}, // more digits than a number is computed with
		{`id`, record.String, "9007199254740993"},
		{`coalesce(none, "", amount, 1)`, record.Number, "12.5"},
		{`if(amount > 10, "big", "small")`, record.String, "big"},
		{`if(none > 10, "big", "small")`, record.String, "small"},
		{`if (none == null, "empty")`, record.String, "empty"},
		{`if(none == nil, "if (a)", 'b')`, record.String, "if (a)"},
		{`open ? "open" : "closed"`, record.String, "open"},
		{`not open or amount >= 12.5 and name != "x"`, record.Boolean, "true"},
		{`!open && none`, record.Boolean, "false"},
		{`name < "B"`, record.Boolean, "true"},
		{`name < 5`, record.Boolean, cannot},
		{`name == 5`, record.Boolean, "false"},
		{`open == true`, record.Boolean, "true"},
		{`dateAdd(day, 1, "month")`, record.Date, "2026-02-28"},
		{`dateAdd(day, 1, "years")`, record.Date, "2027-01-31"},
		{`dateAdd(at, -90, "minutes")`, record.DateTime, "2026-03-01T08:45:30.000Z"},
		{`dateAdd(day, 1, "moon")`, record.Date, cannot},
		{`dateAdd(day, 999999, "years")`, record.Date, cannot},
		{`dateDiff(at, day)`, record.Number, "29"},
		{`dateDiff(now(), "2026-11-20")`, record.Number, "4"},
		{`dateDiff(day, "soon")`, record.Number, cannot},
		{`dateFormat(at, "DD.MM.YY HH:mm:ss Jan 2")`, record.String, "01.03.26 10:15:30 Jan 2"},
		{`at > day`, record.Boolean, "true"},
		{`day == "2026-01-31"`, record.Boolean, "true"},
		{`day`, record.Date, "2026-01-31"},
		{`day`, record.DateTime, "2026-01-31T00:00:00.000Z"},
		{`date("2026-02-30")`, record.Date, cannot},
		{`name`, record.Number, cannot},
		{`"5"`, record.Number, cannot},
		{`amount`, record.String, "12.5"},
		{`text(open) + text(day)`, record.String, "true2026-01-31"},
		{`open`, record.String, "true"},
		{`"<b>" + 'x' + "=1"`, record.String, "<b>x=1"},
		{`"a\"b\\c\n" + 'it\'s' + "😀 שלום"`, record.String, "a\"b\\c\nit's😀 שלום"},
		{"`a\\n`", record.String, "a\\n"},
		{`1 + 2 * 3 - 4 / 2`, record.Number, "5"},
		{`(1 + 2) * 3 - 10 - 1`, record.Number, "-2"},
		{`2 * -3`, record.Number, "-6"},
		{`not open == false`, record.Boolean, "true"},
		{`not open and not open or open`, record.Boolean, "true"},
		{`!open == false`, record.Boolean, "true"},
		{`open ? none == null ? "a" : "b" : "c"`, record.String, "a"},
		{`"and" + " or "`, record.String, "and or "},
	}
	for _, tt := range tests {
		t.Run(tt.expression, func(t *testing.T) {
			f, err := formula.Compile(tt.expression, fields, tt.result)
			if err != nil {
				t.Fatal(err)
			}
			got := cannot
			if v, ok := f.Value(values(), now); ok {
				if got = null; v != nil {
					got = *v
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsWrongIsSaidInASentence(t *testing.T) {
	tests := []struct{ name, expression, say string }{
		{"empty", "  ", "empty"},
		{"too long", strings.Repeat("1+", 1000) + "1", "2000 characters"},
		{"too many parts", "1" + strings.Repeat("+1", 400), "300 parts"},
		{"deep brackets", strings.Repeat("(", 900) + "1" + strings.Repeat(")", 900), "within parts"},
		{"deep signs", strings.Repeat("-", 900) + "1", "within parts"},
		{"deep nots", strings.Repeat("not ", 400) + "open", "within parts"},
		{"a bracket", `upper(name`, `character 11, "," is wanted and not the end`},
		{"a comma", `upper(,name)`, `and not ","`},
		{"two values", `name name`, "an operator is wanted"},
		{"half a condition", `open ? 1`, `":" is wanted`},
		{"an open text", `"name`, "character 1 has no end"},
		{"an odd number", `1.2.3`, `"1.2.3" at character 1`},
		{"an operator at the end", `1 +`, "not the end"},
		{"an unknown field", `upper(nme)`, `no field "nme"`},
		{"an unknown field by name", `field("Last Name")`, `no field "Last Name"`},
		{"a computed field name", `field(name)`, "quotation marks"},
		{"no field name", `field(`, "quotation marks"},
		{"an unknown function", `exec(name)`, `no function "exec"`},
		{"a function of ours", `op_add(1, 2)`, `no function "op_add"`},
		{"now with a time", `now(1)`, "now()"},
		{"a power", `9 ** 9`, `and not "*"`},
		{"a range", `1..1000000`, "not a number"},
		{"a list", `[1, 2]`, `"[" at character 1`},
		{"a member", `name.x`, `"." at character 5`},
		{"the environment", `$env`, `"$" at character 1`},
		{"a sequence", `1; 2`, `";" at character 2`},
		{"an assignment", `name = 1`, `"=" at character 6`},
		{"too few arguments", `left(name)`, "left(text, n)"},
		{"too many arguments", `upper(name, 1)`, "upper(text)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := formula.Compile(tt.expression, fields, record.String)
			problem, ok := errors.AsType[formula.Error](err)
			if !ok || !strings.Contains(string(problem), tt.say) || !strings.HasSuffix(string(problem), ".") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestATextThatGrowsTooLongIsNotMade(t *testing.T) {
	x := strings.Repeat("x", 60_000)
	in := values()
	in[0] = &x
	for _, expression := range []string{`concat(name, name)`, `replace(name, "x", "xxxx")`, `name + name`} {
		f, err := formula.Compile(expression, fields, record.String)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := f.Value(in, now); ok {
			t.Errorf("%s is made", expression)
		}
	}
}

func TestAFormulaKnowsWhatItReads(t *testing.T) {
	f, err := formula.Compile(`field("First Name") + upper(name)`, fields, record.String)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"First Name": true, "name": true, "amount": false} {
		if f.Uses(name) != want {
			t.Errorf("Uses(%q) = %v", name, !want)
		}
	}
}

func TestEveryFunctionIsExplained(t *testing.T) {
	for _, fn := range formula.Functions() {
		if fn.Usage == "" || fn.Meaning == "" || !strings.HasPrefix(fn.Usage, fn.Name+"(") {
			t.Errorf("%+v", fn)
		}
	}
}

// Whatever somebody writes, an expression is refused with a sentence or computes
// a value, and always the same one.
func FuzzAnExpressionIsRefusedOrComputes(f *testing.F) {
	for _, seed := range []string{`upper(name)`, `if(open, 1, "x")`, `1..2`, `field("First Name") ?? "x"`, `$env["x"]`, `"\x00"`, `a?.b`, "`", `#`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		made, err := formula.Compile(expression, fields, record.String)
		if err != nil {
			if _, ok := errors.AsType[formula.Error](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		one, ok1 := made.Value(values(), now)
		two, ok2 := made.Value(values(), now)
		if ok1 != ok2 || (one == nil) != (two == nil) || one != nil && *one != *two {
			t.Fatal("two answers")
		}
	})
}

func TestNullNeverComesOutAsAnEmptyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.SampledFrom([]string{`name`, `concat(name, field("First Name"))`, `left(name, amount)`, `coalesce(name, left)`, `replace(name, "a", "")`}).Draw(t, "expression")
		in := make([]*string, len(fields))
		for i := range in {
			if v := rapid.SampledFrom([]string{"", "a", "aa", "3"}).Draw(t, "value"); rapid.Bool().Draw(t, "there") {
				in[i] = &v
			}
		}
		f, err := formula.Compile(expression, fields, record.String)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := f.Value(in, now); ok && v != nil && *v == "" {
			t.Error("an empty text")
		}
	})
}
