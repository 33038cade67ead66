package mapping_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/record"
)

func mustCompile(t testing.TB, cfg mapping.Config) *mapping.Program {
	t.Helper()
	program, err := mapping.Compile(cfg, deals(), dealTarget(), dealOptions())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// deal is a record with these properties in turn: name, value. "-" is null.
func deal(properties ...string) record.Record {
	r := record.Record{ID: "7001", Version: 42, Values: map[string]*string{"hs_object_id": text("7001"), "dealname": text("Renewal")}}
	for pair := range slices.Chunk(properties, 2) {
		r.Values[pair[0]] = &pair[1]
		if pair[1] == "-" {
			r.Values[pair[0]] = nil
		}
	}
	return r
}

func found(gsids ...string) []lookup.Result { return []lookup.Result{{GSIDs: gsids}} }

func TestApplyMakesARow(t *testing.T) {
	cfg := dealConfig()
	cfg.Direct = append(cfg.Direct, mapping.Direct{From: "dealstage", To: "Stage__gc"}, mapping.Direct{From: "closedate", To: "Closed__gc"}, mapping.Direct{From: "hs_priority", To: "Priority__gc"})
	cfg.Derived = []mapping.Derived{byCompany()}
	r := deal("amount", "9007199254740993", "dealstage", "closedwon", "closedate", "2026-11-30T00:00:00Z", "hs_priority", "a;b", "company", "81001", "parent", "-", "unasked", "x")
	row, reject := mustCompile(t, cfg).Apply(r, now, found("1P02X"))
	if reject != nil {
		t.Fatal(reject.Reason)
	}
	want := record.Row{
		SourceID: "7001", Version: 42,
		Fields: map[string]any{
			"Deal_ID__gc": "7001", "Name": "Renewal", "Amount__gc": json.Number("9007199254740993"), "Stage__gc": "Closed Won",
			"Closed__gc": "2026-11-30", "Priority__gc": []string{"a", "b"}, "Company__gc": "1P02X",
		},
		Source: map[string]*string{
			"id": text("7001"), "dealname": text("Renewal"), "amount": text("9007199254740993"), "dealstage": text("closedwon"),
			"closedate": text("2026-11-30T00:00:00Z"), "hs_priority": text("a;b"), "company": text("81001"), "parent": nil,
		},
	}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyValues(t *testing.T) {
	absent := deal()
	tests := []struct {
		name      string
		whenEmpty mapping.Empty
		fallback  *string
		record    record.Record
		fields    map[string]any // of Amount__gc
		keep      []string
		null      []string
	}{
		{"null is cleared if this job filled it", mapping.EmptyClear, nil, deal("amount", "-"), map[string]any{"Amount__gc": nil}, nil, nil},
		{"cleared is cleared likewise", mapping.EmptyClear, nil, deal("amount", ""), map[string]any{"Amount__gc": nil}, nil, nil},
		{"absent is left alone", mapping.EmptyClear, nil, absent, map[string]any{}, nil, nil},
		{"absent is left alone even if null is always written", mapping.EmptyNull, nil, absent, map[string]any{}, nil, nil},
		{"absent is left alone even with a default", mapping.EmptyClear, text("5"), absent, map[string]any{}, nil, nil},
		{"keep", mapping.EmptyKeep, nil, deal("amount", ""), map[string]any{"Amount__gc": nil}, []string{"Amount__gc"}, nil},
		{"always null", mapping.EmptyNull, nil, deal("amount", "-"), map[string]any{"Amount__gc": nil}, nil, []string{"Amount__gc"}},
		{"a default for an empty value", mapping.EmptyNull, text("5"), deal("amount", ""), map[string]any{"Amount__gc": json.Number("5")}, nil, nil},
		{"a default for an invalid value", mapping.EmptyClear, text("5"), deal("amount", "N/A"), map[string]any{"Amount__gc": json.Number("5")}, nil, nil},
		{"no default for a valid value", mapping.EmptyClear, text("5"), deal("amount", "6"), map[string]any{"Amount__gc": json.Number("6")}, nil, nil},
		{"an empty default is none", mapping.EmptyClear, text(""), deal("amount", ""), map[string]any{"Amount__gc": nil}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := dealConfig()
			cfg.Direct[2].WhenEmpty, cfg.Direct[2].Default = tt.whenEmpty, tt.fallback
			row, reject := mustCompile(t, cfg).Apply(tt.record, now, nil)
			if reject != nil {
				t.Fatal(reject.Reason)
			}
			delete(row.Fields, "Deal_ID__gc")
			delete(row.Fields, "Name")
			if diff := cmp.Diff(tt.fields, row.Fields); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([][]string{tt.keep, tt.null}, [][]string{row.Keep, row.Null}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestApplyRejects(t *testing.T) {
	without := func(name string) record.Record {
		r := deal()
		delete(r.Values, name)
		return r
	}
	fixed := func(whenEmpty mapping.Empty) func(*mapping.Config) {
		return func(c *mapping.Config) {
			c.Direct = append(c.Direct, mapping.Direct{From: "amount", To: "Fixed__gc", WhenEmpty: whenEmpty})
			c.Direct = slices.Delete(c.Direct, 2, 3)
		}
	}
	tests := []struct {
		name   string
		change func(*mapping.Config)
		record record.Record
		code   record.Code // "" if the record is taken
		field  string
		reason string
		value  string
	}{
		{"null identifier", nil, deal("hs_object_id", "-"), record.MissingIdentifier, "Deal_ID__gc", `"Record ID" is empty, which identifies the record.`, ""},
		{"identifier of spaces", nil, deal("hs_object_id", " \t"), record.MissingIdentifier, "Deal_ID__gc", `"Record ID" is empty, which identifies the record.`, ""},
		{"identifier that was not sent", nil, without("hs_object_id"), record.MissingIdentifier, "Deal_ID__gc", `"Record ID" is empty, which identifies the record.`, ""},
		{"one of two identifiers", func(c *mapping.Config) { c.Direct[1].Identifier = true }, deal("dealname", ""), record.MissingIdentifier, "Name", `"Deal Name" is empty, which identifies the record.`, ""},
		{"bad value", nil, deal("amount", "1,800.00"), record.BadValue, "Amount__gc", `The value of "Value" is not a number such as 1800.5.`, "1,800.00"},
		{"too long", nil, deal("dealname", "123456789012345678901"), record.TooLong, "Name", `The value of "Deal Name" has 21 characters, and the field holds 20.`, "123456789012345678901"},
		{"required field", nil, deal("dealname", ""), record.MissingValue, "Name", `"Deal Name" is empty, and Gainsight needs a value in "Name".`, ""},
		{"required field to be left alone", func(c *mapping.Config) { c.Direct[1].WhenEmpty = mapping.EmptyKeep }, deal("dealname", ""), record.MissingValue, "Name", `"Deal Name" is empty, and Gainsight needs a value in "Name".`, ""},
		{"required field that was not sent", nil, without("dealname"), record.MissingValue, "Name", `"Deal Name" is empty, and Gainsight needs a value in "Name".`, ""},
		{"required field with a default", func(c *mapping.Config) { c.Direct[1].Default = text("none") }, deal("dealname", ""), "", "", "", ""},
		{"field that refuses null", fixed(mapping.EmptyClear), deal("amount", ""), record.MissingValue, "Fixed__gc", `"Value" is empty, and Gainsight needs a value in "Fixed".`, ""},
		{"field that refuses null, left alone", fixed(mapping.EmptyKeep), deal("amount", ""), "", "", "", ""},
		{"field that refuses null, not sent", fixed(mapping.EmptyClear), deal(), "", "", "", ""},
		{"the identifier comes first", nil, deal("hs_object_id", "", "amount", "N/A"), record.MissingIdentifier, "Deal_ID__gc", `"Record ID" is empty, which identifies the record.`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := dealConfig()
			if tt.change != nil {
				tt.change(&cfg)
			}
			row, reject := mustCompile(t, cfg).Apply(tt.record, now, nil)
			if tt.code == "" {
				if reject != nil || row.SourceID != "7001" {
					t.Errorf("rejected: %+v", reject)
				}
				return
			}
			if reject == nil {
				t.Fatalf("taken: %v", row.Fields)
			}
			why, _ := mapping.Explain(tt.code)
			want := record.Reject{SourceID: "7001", Step: "transform", Field: tt.field, Value: tt.value, Code: tt.code, Reason: tt.reason, Fix: why.Fix}
			if diff := cmp.Diff(want, *reject, cmpopts.IgnoreFields(record.Reject{}, "Source")); diff != "" {
				t.Error(diff)
			}
			_, sent := tt.record.Values["amount"]
			if _, ok := reject.Source["amount"]; ok != sent {
				t.Errorf("columns: %v", reject.Source)
			}
		})
	}
}

func TestALongValueIsCutInTheRejectAndWholeInItsColumn(t *testing.T) {
	long := strings.Repeat("ä", 1500)
	_, reject := mustCompile(t, dealConfig()).Apply(deal("dealname", long), now, nil)
	if reject == nil || reject.Value != strings.Repeat("ä", 1000)+"…" || *reject.Source["dealname"] != long {
		t.Errorf("got %+v", reject)
	}
}

func TestKeepIsTheFilter(t *testing.T) {
	cfg := dealConfig()
	cfg.Filter = condition.Filter{Conditions: []condition.Condition{
		{Field: "amount", Op: condition.GreaterOrEqual, Value: []string{"100"}}, {Field: "closedate", Op: condition.InLastDays, Value: []string{"7"}},
	}, Expression: "A OR B"}
	program := mustCompile(t, cfg)
	for _, tt := range []struct {
		record record.Record
		want   bool
	}{
		{deal("amount", "100"), true},
		{deal("amount", "99"), false},
		{deal(), false},
		{deal("closedate", "2026-11-20T00:00:00Z"), true},
		{deal("closedate", "2026-11-01T00:00:00Z", "amount", "N/A"), false},
	} {
		if got := program.Keep(tt.record, now); got != tt.want {
			t.Errorf("%v: %t", tt.record.Values, got)
		}
	}
	if !mustCompile(t, dealConfig()).Keep(deal(), now) {
		t.Error("without a filter a record is dropped")
	}
}

func TestCases(t *testing.T) {
	when := func(op condition.Op, value, field string) condition.Filter {
		c := condition.Condition{Field: field, Op: op}
		if value != "" {
			c.Value = []string{value}
		}
		return condition.Filter{Conditions: []condition.Condition{c}}
	}
	cfg := dealConfig()
	cfg.Cases = []mapping.Case{
		{Name: "Open", Type: "boolean", When: []mapping.When{
			{If: when(condition.In, "new", "dealstage"), Then: mapping.Value{Text: text("true")}},
			{If: when(condition.IsNotNull, "", "dealstage"), Then: mapping.Value{Text: text("false")}},
		}},
		{Name: "Size", Type: "number", When: []mapping.When{
			{If: when(condition.Contains, "renewal", "dealname"), Then: mapping.Value{Field: "amount"}},
		}, Default: mapping.Value{Text: text("0")}},
		{Name: "Phase", Type: "string", When: []mapping.When{
			{If: when(condition.IsNotNull, "", "dealstage"), Then: mapping.Value{Field: "dealstage"}},
		}},
	}
	cfg.Direct[2] = mapping.Direct{From: "Size", To: "Amount__gc"}
	cfg.Direct[1].From = "Phase"
	cfg.Direct[1].Default = text("none")
	cfg.Direct = append(cfg.Direct, mapping.Direct{From: "Open", To: "Open__gc"})
	tests := []struct {
		name   string
		record record.Record
		fields map[string]any
		reject record.Code
	}{
		{"the first that holds wins", deal("dealstage", "new", "amount", "5"), map[string]any{"Open__gc": true, "Amount__gc": json.Number("5"), "Name": "New"}, ""},
		{"the second", deal("dealstage", "lost", "amount", "5"), map[string]any{"Open__gc": false, "Amount__gc": json.Number("5"), "Name": "lost"}, ""},
		{"none, with and without a default", deal("dealname", "x"), map[string]any{"Open__gc": nil, "Amount__gc": json.Number("0"), "Name": "none"}, ""},
		{"a field's value that does not fit", deal("amount", "N/A"), nil, record.BadValue},
		{"a field's value that is empty", deal("amount", "", "dealstage", "new"), map[string]any{"Open__gc": true, "Amount__gc": nil, "Name": "New"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row, reject := mustCompile(t, cfg).Apply(tt.record, now, nil)
			if tt.reject != "" {
				if reject == nil || reject.Code != tt.reject || *reject.Source["Size"] != "N/A" {
					t.Errorf("got %+v", reject)
				}
				return
			}
			if reject != nil {
				t.Fatal(reject.Reason)
			}
			delete(row.Fields, "Deal_ID__gc")
			if diff := cmp.Diff(tt.fields, row.Fields); diff != "" {
				t.Error(diff)
			}
			if _, ok := row.Source["Open"]; !ok {
				t.Error("the case field is no column of the error file")
			}
		})
	}
}

func TestLookups(t *testing.T) {
	cfg := dealConfig()
	d := byCompany()
	d.Match = append(d.Match, mapping.Pair{From: "amount", Field: "Number__gc"})
	other := byCompany()
	other.To, other.Object, other.Match = "Parent__gc", "hubspot_deal__gc", []mapping.Pair{{From: "dealstage", Field: "Deal_ID__gc"}}
	cfg.Derived = []mapping.Derived{d, other}
	tests := []struct {
		name   string
		record record.Record
		want   []mapping.Key
	}{
		{"values are trimmed, numbers plain, items by label", deal("company", " 81001 ", "amount", "1.50e3", "dealstage", "closedwon"), []mapping.Key{{Values: []string{"81001", "1500"}}, {Values: []string{"Closed won"}}}},
		{"a text longer than the field is sought all the same", deal("company", "8100100", "amount", "1", "dealstage", "new"), []mapping.Key{{Values: []string{"8100100", "1"}}, {Values: []string{"New"}}}},
		{"an empty value is no match", deal("company", "81001", "amount", "", "dealstage", "-"), []mapping.Key{{Values: []string{"81001", ""}, Empty: true}, {Values: []string{""}, Empty: true}}},
		{"a value that does not fit is no match", deal("company", " ", "amount", "N/A"), []mapping.Key{{Values: []string{"", ""}, Empty: true}, {Values: []string{""}, Empty: true}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, mustCompile(t, cfg).Lookups(tt.record, now)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	if got := mustCompile(t, dealConfig()).Lookups(deal(), now); len(got) != 0 {
		t.Errorf("without look-ups: %v", got)
	}
}

func TestWhatLookupsFind(t *testing.T) {
	type want struct {
		value  any // of Company__gc
		absent bool
		null   bool
		reject record.Reject
	}
	noMatch := record.Reject{Code: record.NoMatch, Field: "Company__gc", Value: "81001", Reason: `No row of Company in Gainsight matches by "HubSpot Account ID" = "Company ID".`}
	noValue := record.Reject{Code: record.NoMatch, Field: "Company__gc", Reason: `"Company ID" is empty, so no row of Company can be found for "Company".`}
	several := record.Reject{Code: record.MultipleMatches, Field: "Company__gc", Value: "81001", Reason: `2 rows of Company in Gainsight match by "HubSpot Account ID" = "Company ID".`}
	with, without := deal("company", "81001"), deal("company", "-")
	tests := []struct {
		name   string
		change func(*mapping.Derived)
		record record.Record
		found  []string
		want   want
	}{
		{"one", nil, with, []string{"A"}, want{value: "A"}},
		{"several, an error", nil, with, []string{"A", "B"}, want{reject: several}},
		{"several, the smallest", func(d *mapping.Derived) { d.Multiple = mapping.MultipleAny }, with, []string{"B", "A", "C"}, want{value: "A"}},
		{"none, rejected", nil, with, nil, want{reject: noMatch}},
		{"none, null", func(d *mapping.Derived) { d.None = mapping.NoneNull }, with, nil, want{null: true}},
		{"none, default", func(d *mapping.Derived) { d.None, d.Default = mapping.NoneDefault, "D" }, with, nil, want{value: "D"}},
		{"empty, rejected", nil, without, nil, want{reject: noValue}},
		{"empty, null", func(d *mapping.Derived) { d.None = mapping.NoneNull }, without, nil, want{null: true}},
		{"empty, default", func(d *mapping.Derived) { d.None, d.Default = mapping.NoneDefault, "D" }, without, nil, want{value: "D"}},
		{"not sent, rejected", nil, deal(), nil, want{reject: noValue}},
		{"not sent, left alone instead of null", func(d *mapping.Derived) { d.None = mapping.NoneNull }, deal(), nil, want{absent: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := dealConfig()
			d := byCompany()
			if tt.change != nil {
				tt.change(&d)
			}
			cfg.Derived = []mapping.Derived{d}
			row, reject := mustCompile(t, cfg).Apply(tt.record, now, found(tt.found...))
			check(t, tt.want.reject, reject)
			if reject != nil {
				return
			}
			got, there := row.Fields["Company__gc"]
			if there == tt.want.absent || got != tt.want.value || slices.Contains(row.Null, "Company__gc") != tt.want.null {
				t.Errorf("got %v (%t), null %v", got, there, row.Null)
			}
		})
	}
}

// check compares a reject with what matters of it; the zero Reject is none.
func check(t *testing.T, want record.Reject, got *record.Reject) {
	t.Helper()
	if got == nil {
		if want.Code != "" {
			t.Errorf("not rejected, want %s", want.Code)
		}
		return
	}
	why, _ := mapping.Explain(want.Code)
	want.SourceID, want.Step, want.Fix = "7001", "transform", why.Fix
	if diff := cmp.Diff(want, *got, cmpopts.IgnoreFields(record.Reject{}, "Source")); diff != "" {
		t.Error(diff)
	}
	if got.Source["id"] == nil {
		t.Error("the reject has no columns")
	}
}

func TestASelfLookupIsDeferredAndResolved(t *testing.T) {
	self := mapping.Derived{
		To: "Parent__gc", Object: "hubspot_deal__gc", Match: []mapping.Pair{{From: "parent", Field: "Deal_ID__gc"}},
		Multiple: mapping.MultipleError, None: mapping.NoneReject,
	}
	tests := []struct {
		name   string
		none   mapping.None
		first  []string // found in the first pass
		second []string
		value  any
		null   bool
		reject record.Reject
	}{
		{"found at once", mapping.NoneReject, []string{"A"}, nil, "A", false, record.Reject{}},
		{"found in the second pass", mapping.NoneReject, nil, []string{"B"}, "B", false, record.Reject{}},
		{"never, rejected", mapping.NoneReject, nil, nil, nil, false, record.Reject{Code: record.NoMatch, Field: "Parent__gc", Value: "7000", Reason: `No row of HubSpot Deal in Gainsight matches by "Deal ID" = "Parent Deal".`}},
		{"never, null", mapping.NoneNull, nil, nil, nil, true, record.Reject{}},
		{"never, default", mapping.NoneDefault, nil, nil, "D", false, record.Reject{}},
		{"several in the second pass", mapping.NoneNull, nil, []string{"B", "C"}, nil, false, record.Reject{Code: record.MultipleMatches, Field: "Parent__gc", Value: "7000", Reason: `2 rows of HubSpot Deal in Gainsight match by "Deal ID" = "Parent Deal".`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := dealConfig()
			d := self
			d.None, d.Default = tt.none, "D"
			cfg.Derived = []mapping.Derived{d, byCompany()}
			program := mustCompile(t, cfg)
			results := []lookup.Result{{GSIDs: tt.first}, {GSIDs: []string{"C"}}}
			row, reject := program.Apply(deal("parent", "7000", "company", "81001"), now, results)
			if reject != nil {
				t.Fatal(reject.Reason)
			}
			if len(tt.first) == 0 {
				_, written := row.Fields["Parent__gc"]
				if diff := cmp.Diff(map[string][]string{"Parent__gc": {"7000"}}, row.Defer); diff != "" || written {
					t.Fatalf("deferred: %s %v", diff, row.Fields)
				}
				before := fmt.Sprint(row)
				given := row
				row, reject = program.Resolve(given, []lookup.Result{{GSIDs: tt.second}, {}})
				if after := fmt.Sprint(given); after != before {
					t.Errorf("the row given was changed: %s", after)
				}
				check(t, tt.reject, reject)
				if reject != nil {
					return
				}
			}
			if row.Fields["Parent__gc"] != tt.value || row.Fields["Company__gc"] != "C" || len(row.Defer) > 0 || slices.Contains(row.Null, "Parent__gc") != tt.null {
				t.Errorf("got %+v", row)
			}
		})
	}
}

func TestAnEmptySelfLookupIsNotDeferred(t *testing.T) {
	cfg := dealConfig()
	cfg.Derived = []mapping.Derived{{
		To: "Parent__gc", Object: "hubspot_deal__gc", Match: []mapping.Pair{{From: "parent", Field: "Deal_ID__gc"}},
		Multiple: mapping.MultipleAny, None: mapping.NoneNull,
	}}
	row, reject := mustCompile(t, cfg).Apply(deal("parent", "-"), now, found())
	if reject != nil || len(row.Defer) > 0 || !slices.Contains(row.Null, "Parent__gc") {
		t.Errorf("got %+v, %+v", row, reject)
	}
}

func TestAProgramMayBeUsedAtOnce(t *testing.T) {
	cfg := dealConfig()
	cfg.Derived = []mapping.Derived{byCompany()}
	program := mustCompile(t, cfg)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				r := deal("amount", "5", "company", "81001")
				program.Keep(r, now)
				program.Lookups(r, now)
				if _, reject := program.Apply(r, now, found("A")); reject != nil {
					t.Error(reject.Reason)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkApply(b *testing.B) {
	cfg := dealConfig()
	cfg.Direct = append(cfg.Direct,
		mapping.Direct{From: "dealstage", To: "Stage__gc"},
		mapping.Direct{From: "closedate", To: "Closed__gc"},
		mapping.Direct{From: "hs_priority", To: "Priority__gc"},
		mapping.Direct{From: "parent", To: "Parent__gc"},
		mapping.Direct{From: "amount", To: "Fixed__gc"},
		mapping.Direct{From: "Open", To: "Open__gc"},
	)
	big := condition.Filter{Conditions: []condition.Condition{{Field: "amount", Op: condition.Greater, Value: []string{"1000"}}}}
	cfg.Cases = []mapping.Case{{Name: "Open", Type: "boolean", When: []mapping.When{{If: big, Then: mapping.Value{Text: text("true")}}}}}
	cfg.Derived = []mapping.Derived{byCompany()}
	program := mustCompile(b, cfg)
	r := deal("amount", "125000.50", "dealstage", "closedwon", "closedate", "2026-11-30T09:00:01.002Z", "hs_priority", "a;b", "company", "81001", "parent", "1P02ABC")
	results := found("1P02X")
	b.ReportAllocs()
	for b.Loop() {
		program.Keep(r, now)
		program.Lookups(r, now)
		if _, reject := program.Apply(r, now, results); reject != nil {
			b.Fatal(reject.Reason)
		}
	}
}
