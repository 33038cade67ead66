package condition_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/mapping/condition"
)

func TestParseNumber(t *testing.T) {
	tests := []struct{ in, want string }{ // want "" means that it is no number
		{"0", "0"},
		{"-0", "0"},
		{"-0.0e5", "0"},
		{" 12 ", "12"},
		{"1e21", "1000000000000000000000"},
		{"9007199254740993", "9007199254740993"},
		{"1800.50", "1800.5"},
		{"-0.00250", "-0.0025"},
		{"1E+2", "100"},
		{"125e-2", "1.25"},
		{"1e308", "1" + strings.Repeat("0", 308)},
		{"1,800.00", ""},
		{"1,5", ""},
		{"N/A", ""},
		{"", ""},
		{" ", ""},
		{"-", ""},
		{"+5", ""},
		{"007", ""},
		{".5", ""},
		{"5.", ""},
		{"1e", ""},
		{"1e309", ""},
		{"1e-309", ""},
		{"1e99999999999999999999", ""},
		{"0e999", ""},
		{"1e1_0", ""},
		{"NaN", ""},
		{"Infinity", ""},
		{"0x10", ""},
		{"1 000", ""},
		{"１２", ""},
		{"12 EUR", ""},
	}
	for _, tt := range tests {
		n, ok := condition.ParseNumber(tt.in)
		got := ""
		if ok {
			got = n.String()
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// decimal draws a number as text in one of its spellings.
func decimal(t *rapid.T, name string) string {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`).Draw(t, name)
}

func TestNumbersCompareExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimal(t, "a"), decimal(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = a + strings.Repeat("0", strings.Count(a, ".")*(1-strings.Count(strings.ToLower(a), "e")))
		}
		x, okX := condition.ParseNumber(a)
		y, okY := condition.ParseNumber(b)
		ratA, _ := new(big.Rat).SetString(a)
		ratB, _ := new(big.Rat).SetString(b)
		if !okX || !okY || x.Compare(y) != ratA.Cmp(ratB) {
			t.Fatalf("%s and %s: %d (%t, %t), want %d", a, b, x.Compare(y), okX, okY, ratA.Cmp(ratB))
		}
		again, ok := condition.ParseNumber(x.String())
		if !ok || again != x && again.Compare(x) != 0 || again.String() != x.String() {
			t.Fatalf("%s is %s, which is read as %s", a, x, again)
		}
	})
}

func TestParseMoment(t *testing.T) {
	const day = "2026-11-30"
	tests := []struct {
		in      string
		epoch   bool
		want    string // the instant, "" for none
		written string // the day, "" for that of the instant
	}{
		{day, true, "2026-11-30T00:00:00Z", ""},
		{day + "T15:04:05Z", true, "2026-11-30T15:04:05Z", ""},
		{day + "t15:04:05.123456789z", true, "2026-11-30T15:04:05.123Z", ""},
		{day + " 15:04:05.1", true, "2026-11-30T15:04:05.1Z", ""},
		{day + "T15:04", true, "2026-11-30T15:04:00Z", ""},
		{day + "T00:30:00+02:00", true, "2026-11-29T22:30:00Z", day},
		{day + "T23:30:00-0830", true, "2026-12-01T08:00:00Z", day},
		{day + "T23:30:00+05", true, "2026-11-30T18:30:00Z", ""},
		{"2024-02-29", true, "2024-02-29T00:00:00Z", ""},
		{"0001-01-01", true, "0001-01-01T00:00:00Z", ""},
		{"9999-12-31T23:59:59.999Z", true, "9999-12-31T23:59:59.999Z", ""},
		{"1795996800000", true, "2026-11-30T00:00:00Z", ""},
		{"1795996800000.0", true, "2026-11-30T00:00:00Z", ""},
		{"1.7959968e12", true, "2026-11-30T00:00:00Z", ""},
		{"1796083199999.9", true, "2026-11-30T23:59:59.999Z", ""},
		{"0", true, "1970-01-01T00:00:00Z", ""},
		{"-1", true, "1969-12-31T23:59:59.999Z", ""},

		{"1795996800000", false, "", ""},
		{"2026", false, "", ""},
		{"0000-01-01", true, "", ""},
		{"0001-01-01T00:00:00+02:00", true, "", ""},
		{"9999-12-31T23:59:59-01:00", true, "", ""},
		{"2026-02-29", true, "", ""},
		{"2026-13-01", true, "", ""},
		{"2026-00-10", true, "", ""},
		{"2026-1-1", true, "", ""},
		{"30.11.2026", true, "", ""},
		{"11/30/2026", true, "", ""},
		{day + "T", true, "", ""},
		{day + "T24:00:00Z", true, "", ""},
		{day + "T15:60:00Z", true, "", ""},
		{day + "T15:04:60Z", true, "", ""},
		{day + "T15:04:05.Z", true, "", ""},
		{day + "T15:04:05+", true, "", ""},
		{day + "T15:04:05+2:00", true, "", ""},
		{day + "T15:04:05ZZ", true, "", ""},
		{day + "x", true, "", ""},
		{"N/A", true, "", ""},
		{"1e300", true, "", ""},
		{"253402300800000", true, "", ""},
		{"-62135596800001", true, "", ""},
	}
	for _, tt := range tests {
		m, ok := condition.ParseMoment(tt.in, tt.epoch)
		if !ok || tt.want == "" {
			if ok != (tt.want != "") {
				t.Errorf("%q: %t", tt.in, ok)
			}
			continue
		}
		want, err := time.Parse(time.RFC3339, tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.UnixMilli(m.Milli).UTC(); !got.Equal(want) {
			t.Errorf("%q: got %s, want %s", tt.in, got, want)
		}
		written := tt.written
		if written == "" {
			written = want.Format(time.DateOnly)
		}
		if got := time.Unix(m.Written*86400, 0).UTC().Format(time.DateOnly); got != written {
			t.Errorf("%q is written on %s, got %s", tt.in, written, got)
		}
	}
}

func TestMomentsAgreeWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "ms")).UTC()
		for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000-0700", "2006-01-02 15:04:05.999"} {
			m, ok := condition.ParseMoment(at.Format(layout), false)
			if !ok || m.Milli != at.UnixMilli() {
				t.Fatalf("%s: %d, want %d", at.Format(layout), m.Milli, at.UnixMilli())
			}
		}
		m, ok := condition.ParseMoment(fmt.Sprint(at.UnixMilli()), true)
		if !ok || m.Milli != at.UnixMilli() || time.Unix(m.Day()*86400, 0).UTC().Format(time.DateOnly) != at.Format(time.DateOnly) {
			t.Fatalf("%d: %+v", at.UnixMilli(), m)
		}
	})
}

func TestParseBool(t *testing.T) {
	for in, want := range map[string]string{
		"true": "true", "TRUE": "true", " True ": "true", "false": "false", "FALSE": "false", "False": "false",
		"": "no", "yes": "no", "1": "no", "0": "no", "t": "no", "falsey": "no",
	} {
		got := "no"
		if v, ok := condition.ParseBool(in); ok {
			got = fmt.Sprint(v)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestItems(t *testing.T) {
	if diff := cmp.Diff([]string{"a", "b c"}, condition.Items(";a; b c ;;")); diff != "" {
		t.Error(diff)
	}
}
