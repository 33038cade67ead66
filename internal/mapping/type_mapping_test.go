package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/record"
)

var now = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

func text(s string) *string { return &s }

// options of the source have other values than labels; those of the target are
// their own values.
var (
	sourceOptions = []record.Option{{Value: "NEW", Label: "New customer", Active: true}, {Value: "25", Label: "Many"}, {Value: "gone", Label: "Gone"}}
	targetOptions = []record.Option{
		{Value: "New Customer", Label: "New Customer", Active: true},
		{Value: "1I00X", Label: "7", Active: true},
		{Value: "true", Label: "Yes", Active: true},
		{Value: "Gone", Label: "Gone"},
	}
)

// convert runs one value through a mapping between two fields. The key is mapped
// beside it, so that there is an identifier.
func convert(t testing.TB, from, to record.Field, v string) (any, *record.Reject) {
	t.Helper()
	program, err := oneMapping(from, to, mapping.Direct{})
	if err != nil {
		t.Fatal(err)
	}
	row, reject := program.Apply(record.Record{ID: "1", Values: map[string]*string{"id": text("1"), "from": &v}}, now, nil)
	return row.Fields["To"], reject
}

func oneMapping(from, to record.Field, d mapping.Direct) (*mapping.Program, error) {
	from.Name, to.Name = "from", "To"
	d.From, d.To = "from", "To"
	key := record.Field{Name: "id", Type: record.String}
	return mapping.Compile(mapping.Config{
		Source: "company", Target: "thing__gc",
		Fields: []mapping.Field{{Name: "id"}, {Name: "from"}},
		Direct: []mapping.Direct{{From: "id", To: "id", Identifier: true}, d},
	}, record.Schema{Fields: []record.Field{key, from}}, record.Schema{Object: "thing__gc", Fields: []record.Field{key, to}}, mapping.Options{})
}

func TestTypeMapping(t *testing.T) {
	const day, instant = "2026-11-30", "2026-11-30T23:30:00.500Z"
	const stamp = "2026-11-30T23:30:00.500+0000"
	type row map[record.Type]struct {
		in   string
		want any
	}
	wants := map[record.Type]row{
		record.String: {
			record.String: {" a b ", " a b "}, record.RichText: {"<b>", "<b>"}, record.Number: {"12.50", json.Number("12.50")},
			record.Percentage: {"12", json.Number("12")}, record.Currency: {"-3", json.Number("-3")}, record.Boolean: {"False", false},
			record.Date: {instant, day}, record.DateTime: {instant, stamp}, record.Enumeration: {"new customer", "New Customer"},
			record.Multi: {"7; NEW CUSTOMER;7", []string{"7", "New Customer"}}, record.Email: {" ann@acme.example ", "ann@acme.example"},
			record.URL: {"acme.example/a?b=c", "acme.example/a?b=c"}, record.GSID: {"1P02ABC", "1P02ABC"}, record.SFDCID: {"001A0000012bcDE", "001A0000012bcDE"},
		},
		record.Number: {
			record.String: {"9007199254740993", "9007199254740993"}, record.RichText: {"1", "1"}, record.Number: {"1e21", json.Number("1e21")},
			record.Percentage: {"0.5", json.Number("0.5")}, record.Currency: {"-0", json.Number("-0")}, record.Enumeration: {"7", "7"},
		},
		record.Boolean: {
			record.String: {"true", "true"}, record.RichText: {"false", "false"}, record.Boolean: {"TRUE", true}, record.Enumeration: {"true", "Yes"},
		},
		record.Date: {
			record.String: {day, day}, record.RichText: {day, day}, record.Date: {"1795996800000", day}, record.DateTime: {day, "2026-11-30T00:00:00.000+0000"},
		},
		record.DateTime: {
			record.String: {instant, instant}, record.RichText: {instant, instant}, record.Date: {instant, day}, record.DateTime: {instant, stamp},
		},
		record.Enumeration: {
			record.String: {"NEW", "New customer"}, record.RichText: {"other", "other"}, record.Number: {"25", json.Number("25")},
			record.Percentage: {"25", json.Number("25")}, record.Currency: {"25", json.Number("25")}, record.Boolean: {"true", true},
			record.Enumeration: {"new", "New Customer"}, record.Multi: {"NEW", []string{"New Customer"}},
		},
		record.Multi: {
			record.String: {"NEW;25;x", "New customer; Many; x"}, record.RichText: {"NEW", "New customer"}, record.Multi: {"NEW;7", []string{"New Customer", "7"}},
		},
		record.Unsupported: {},
	}
	// Special texts and numbers of the source are read like all others.
	for special, like := range map[record.Type]record.Type{
		record.Email: record.String, record.URL: record.String, record.RichText: record.String, record.GSID: record.String,
		record.SFDCID: record.String, record.Percentage: record.Number, record.Currency: record.Number,
	} {
		wants[special] = wants[like]
	}
	types := []record.Type{
		record.String, record.Number, record.Boolean, record.Date, record.DateTime, record.Enumeration, record.Multi, record.Email,
		record.URL, record.RichText, record.Percentage, record.Currency, record.GSID, record.SFDCID,
	}
	for _, source := range append(types, record.Unsupported) {
		for _, target := range types {
			t.Run(fmt.Sprintf("%s to %s", source, target), func(t *testing.T) {
				from, to := record.Field{Type: source, Options: sourceOptions}, record.Field{Type: target, Options: targetOptions}
				want, fits := wants[source][target]
				if !fits {
					if _, err := oneMapping(from, to, mapping.Direct{}); err == nil || !strings.Contains(err.Error(), "does not fit") {
						t.Errorf("want a problem, got %v", err)
					}
					return
				}
				got, reject := convert(t, from, to, want.in)
				if reject != nil {
					t.Fatalf("rejected: %s", reject.Reason)
				}
				if diff := cmp.Diff(want.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	str, num, day, at := record.Field{Type: record.String}, record.Field{Type: record.Number}, record.Field{Type: record.Date}, record.Field{Type: record.DateTime}
	of := func(typ record.Type) record.Field { return record.Field{Type: typ} }
	short := record.Field{Type: record.String, Length: 3}
	tests := []struct {
		name     string
		from, to record.Field
		values   []string
		code     record.Code
	}{
		{"numbers holding text", num, num, []string{"1,800.00", "N/A", "1,5", "1.800,00", "+1", "007", "1e400", " "}, record.BadValue},
		{"texts that are no numbers", str, of(record.Currency), []string{"12 EUR", "€12", "Infinity"}, record.BadValue},
		{"booleans are true or false", of(record.Boolean), of(record.Boolean), []string{"yes", "1", "0", "t", "null"}, record.BadValue},
		{"dates no calendar has", day, day, []string{"0000-01-01", "2026-02-30", "30.11.2026", "N/A", "2026-11-30T25:00:00Z"}, record.BadValue},
		{"instants no clock has", at, at, []string{"0000-01-01T00:00:00Z", "2026-11-30T12:00:00+99:00"}, record.BadValue},
		{"a number in a text is no date", str, day, []string{"1795996800000", "2026"}, record.BadValue},
		{"texts in characters, not bytes", str, short, []string{"äöüß", "abcd"}, record.TooLong},
		{"labels", record.Field{Type: record.Enumeration, Options: sourceOptions}, short, []string{"NEW"}, record.TooLong},
		{"items that the target does not have", record.Field{Type: record.Enumeration, Options: sourceOptions}, record.Field{Type: record.Enumeration, Options: targetOptions}, []string{"25", "Customer"}, record.UnknownItem},
		{"inactive items", record.Field{Type: record.Enumeration, Options: sourceOptions}, record.Field{Type: record.Enumeration, Options: targetOptions}, []string{"gone"}, record.UnknownItem},
		{"blank items", record.Field{Type: record.Enumeration}, record.Field{Type: record.Enumeration}, []string{" "}, record.BadValue},
		{"blank labels", record.Field{Type: record.Enumeration}, str, []string{" "}, record.BadValue},
		{"no item of several", of(record.Multi), str, []string{" ; "}, record.BadValue},
		{"one unknown item of several", of(record.Multi), record.Field{Type: record.Multi, Options: targetOptions}, []string{"7;8"}, record.UnknownItem},
		{"e-mail addresses", str, of(record.Email), []string{"ann", "ann@", "@acme.example", "ann@acme", "ann@.", "a@b@c.example", "ann smith@acme.example", "ann@acme.example, bob@acme.example"}, record.BadValue},
		{"web addresses", str, of(record.URL), []string{"acme", "http://acme.example/a b", "http://a%zz.example", "not a url."}, record.BadValue},
		{"GSIDs", str, of(record.GSID), []string{"1P02 X", "1P02-X", "Ä"}, record.BadValue},
		{"Salesforce ids", str, of(record.SFDCID), []string{"001A0000012bcD", "001A0000012bcDEF", "001A0000012bc-E"}, record.BadValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.from.Label = "Source"
			for _, v := range tt.values {
				_, reject := convert(t, tt.from, tt.to, v)
				if reject == nil {
					t.Errorf("%q is taken", v)
					continue
				}
				why, _ := mapping.Explain(tt.code)
				want := record.Reject{SourceID: "1", Step: "transform", Field: "To", Value: v, Code: tt.code, Fix: why.Fix, Source: reject.Source}
				want.Reason = reject.Reason
				if diff := cmp.Diff(want, *reject); diff != "" {
					t.Errorf("%q: %s", v, diff)
				}
				if !strings.HasPrefix(reject.Reason, `The value of "Source" `) || !strings.HasSuffix(reject.Reason, ".") {
					t.Errorf("%q: %s", v, reject.Reason)
				}
			}
		})
	}
}

func TestADayNeverShifts(t *testing.T) {
	tests := []struct {
		source record.Type
		in     string
		want   string
	}{
		{record.Date, "2026-03-01", "2026-03-01"},
		{record.Date, "1772323200000", "2026-03-01"},
		{record.Date, "1772323200000.0", "2026-03-01"},
		{record.Date, "1.7723232e12", "2026-03-01"},
		{record.Date, "2026-03-01T00:00:00Z", "2026-03-01"},
		{record.Date, "2026-03-01T00:00:00.000+14:00", "2026-03-01"},
		{record.Date, "2026-03-01T00:00:00-0800", "2026-03-01"},
		{record.DateTime, "2026-03-01T00:00:00.000Z", "2026-03-01"},
		{record.DateTime, "2026-03-01T23:59:59.999Z", "2026-03-01"},
		{record.DateTime, "2026-03-01T00:30:00+02:00", "2026-02-28"},
		{record.Date, "-86400000", "1969-12-31"},
	}
	for _, tt := range tests {
		got, reject := convert(t, record.Field{Type: tt.source}, record.Field{Type: record.Date}, tt.in)
		if reject != nil || got != tt.want {
			t.Errorf("%s %s: got %v, want %s", tt.source, tt.in, got, tt.want)
		}
	}
}

func TestADateBecomesMidnightOfTheDayAsWritten(t *testing.T) {
	got, reject := convert(t, record.Field{Type: record.Date}, record.Field{Type: record.DateTime}, "2026-03-01T00:30:00+02:00")
	if reject != nil || got != "2026-03-01T00:00:00.000+0000" {
		t.Errorf("got %v, %+v", got, reject)
	}
}

func TestALengthIsInCharacters(t *testing.T) {
	got, reject := convert(t, record.Field{Type: record.String}, record.Field{Type: record.String, Length: 3}, "äöü")
	if reject != nil || got != "äöü" {
		t.Errorf("got %v, %+v", got, reject)
	}
}

func TestConversionTwiceIsConversionOnce(t *testing.T) {
	targets := []record.Type{
		record.String, record.Number, record.Boolean, record.Date, record.DateTime, record.Enumeration, record.Multi, record.Email,
		record.URL, record.GSID, record.SFDCID,
	}
	programs := map[[2]record.Type]*mapping.Program{}
	sources := []record.Type{record.String, record.Number, record.Boolean, record.Date, record.DateTime, record.Enumeration, record.Multi}
	for _, source := range sources {
		for _, target := range targets {
			program, err := oneMapping(record.Field{Type: source, Options: sourceOptions}, record.Field{Type: target, Options: targetOptions, Length: 40}, mapping.Direct{})
			if err == nil {
				programs[[2]record.Type{source, target}] = program
			}
		}
	}
	apply := func(p *mapping.Program, v string) (any, bool) {
		row, reject := p.Apply(record.Record{ID: "1", Values: map[string]*string{"id": text("1"), "from": &v}}, now, []lookup.Result{})
		return row.Fields["To"], reject == nil
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"NEW", "New customer", "7;NEW", "true", "FALSE", "001A0000012bcDE", "ann@acme.example", "1e21", "-0", "1,5"}),
			rapid.StringMatching(`-?[0-9]{1,15}(\.[0-9]{1,3})?`),
			rapid.StringMatching(`(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]0[0-9]:?[03]0))?`),
		).Draw(t, "value")
		for pair, p := range programs {
			first, ok := apply(p, v)
			if !ok || first == nil {
				continue
			}
			again, ok := apply(programs[[2]record.Type{record.String, pair[1]}], spelled(first))
			if diff := cmp.Diff(first, again); !ok || diff != "" {
				t.Fatalf("%s to %s: %q becomes %v, and that %v", pair[0], pair[1], v, first, again)
			}
		}
	})
}

// spelled is a value as a source would write it.
func spelled(v any) string {
	if items, ok := v.([]string); ok {
		return strings.Join(items, ";")
	}
	return fmt.Sprint(v)
}
