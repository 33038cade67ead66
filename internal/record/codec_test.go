package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// file writes the lines and a trailer.
func file(t testing.TB, next string, lines ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := record.NewWriter(&b)
	for _, line := range lines {
		if err := w.Write(line); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	if err := w.Close(record.Trailer{Next: next}); err != nil {
		t.Fatalf("close: %v", err)
	}
	return b.Bytes()
}

// all reads every line.
func all[T any](b []byte) ([]T, record.Trailer, error) {
	var lines []T
	t, err := record.Read(bytes.NewReader(b), func(v T) error { lines = append(lines, v); return nil })
	return lines, t, err
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t *testing.T, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFileIsGzippedJSONLinesWithATrailer(t *testing.T) {
	got := unzip(t, file(t, "71",
		record.Record{ID: "7", Version: 12, Archived: true, Values: map[string]*string{"b": new("x\"\\\n ü"), "a": nil, "c": new("")}},
		record.Row{
			SourceID: "8", Fields: map[string]any{"Name": "Müller & <Co>", "Size": json.Number("1.50"), "Live": true, "Tags": []string{"a", "b"}, "Zip": nil},
			Keep: []string{"Zip"}, Null: []string{"Y"}, Defer: map[string][]string{"Parent": {"k"}}, Merged: []string{"7", "8"}, Source: map[string]*string{"s": nil},
		},
	))
	// The sum has a test of its own.
	want := `{"id":"7","version":12,"archived":true,"values":{"a":null,"b":"x\"\\\n ü","c":""}}
{"id":"8","fields":{"Live":true,"Name":"Müller & <Co>","Size":1.50,"Tags":["a","b"],"Zip":null},"keep":["Zip"],"null":["Y"],"defer":{"Parent":["k"]},"merged":["7","8"],"source":{"s":null}}
{"count":2,"next":"71","sha256":"SUM"}
`
	got = got[:strings.Index(got, `"sha256":"`)] + `"sha256":"SUM"}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestTrailerHoldsTheSumOfTheLines(t *testing.T) {
	got, err := record.ReadTrailer(bytes.NewReader(file(t, "", "a")))
	// printf '"a"\n' | sha256sum
	want := record.Trailer{Count: 1, SHA256: "ee195db0cd14979ece92e4ac42d91fef87d1ee254f8df170907cd674dab12d44"}
	if err != nil || got != want {
		t.Errorf("trailer = %+v, %v, want %+v", got, err, want)
	}
}

func TestEveryRecordComesBackAsWritten(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\\n/a:{}]{0,8}`))
	value := rapid.OneOf(rapid.Ptr(text, true))
	values := rapid.MapOf(text, value)
	rapid.Check(t, func(t *rapid.T) {
		var want []record.Record
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			want = append(want, record.Record{
				ID: text.Draw(t, "id"), Version: rapid.Int64().Draw(t, "version"),
				Archived: rapid.Bool().Draw(t, "archived"), Values: values.Draw(t, "values"),
			})
		}
		lines := make([]any, len(want))
		for i := range want {
			lines[i] = want[i]
		}
		var b bytes.Buffer
		w := record.NewWriter(&b)
		for _, line := range lines {
			if err := w.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(record.Trailer{Next: "n"}); err != nil {
			t.Fatal(err)
		}
		got, trailer, err := all[record.Record](b.Bytes())
		if err != nil || trailer.Count != len(want) || trailer.Next != "n" {
			t.Fatalf("trailer %+v, %v", trailer, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("records (-want +got):\n%s", diff)
		}
	})
}

func TestEveryRowComesBackAsWritten(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\\n/a:{}]{0,8}`))
	number := rapid.Map(rapid.Float64Range(-1e15, 1e15), func(f float64) any { return json.Number(fmt.Sprint(f)) })
	list := rapid.SliceOf(text)
	field := rapid.OneOf(number, rapid.Map(text, func(s string) any { return s }), rapid.Just(any(nil)),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }), rapid.Map(list, func(l []string) any { return l }))
	type entry struct { // a row inside another value, as staged
		Row   *record.Row `json:"row,omitempty"`
		Extra bool        `json:"extra"`
	}
	rapid.Check(t, func(t *rapid.T) {
		want := record.Row{
			SourceID: text.Draw(t, "id"), Version: rapid.Int64().Draw(t, "version"), Fields: rapid.MapOf(text, field).Draw(t, "fields"),
			Keep: rapid.SliceOfN(text, 1, 3).Draw(t, "keep"), Merged: rapid.SliceOfN(text, 1, 3).Draw(t, "merged"), Null: rapid.SliceOfN(text, 1, 3).Draw(t, "null"),
			Defer: rapid.MapOfN(text, list, 1, 3).Draw(t, "defer"), Source: rapid.MapOfN(text, rapid.Ptr(text, true), 1, 3).Draw(t, "source"),
		}
		var b bytes.Buffer
		w := record.NewWriter(&b)
		if err := errors.Join(w.Write(want), w.Write(entry{Row: &want, Extra: true}), w.Close(record.Trailer{})); err != nil {
			t.Fatal(err)
		}
		first := true
		_, err := record.Read(&b, func(line json.RawMessage) error {
			got := entry{Row: &record.Row{}}
			into := any(&got)
			if first {
				into, first = got.Row, false
			}
			if err := json.Unmarshal(line, into); err != nil {
				return err
			}
			if diff := cmp.Diff(&want, got.Row); diff != "" {
				t.Fatalf("row (-want +got):\n%s", diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestUnknownNamesAndWhiteSpaceAreSkipped(t *testing.T) {
	const text = ` { "new" : [ { "a" : -1.5e3 , "b" : "x\"}" } , null , true , [] , {} ] , "id" : "9" , "values" : { "n" : "1" } } `
	var got record.Record
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record.Record{ID: "9", Values: map[string]*string{"n": new("1")}}, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestBrokenRecordsAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `{`, `{"id"`, `{"id":`, `{"id":"1`, `{"id":"1\`, `{"id":"\"`, `{"id":1}`, `{"id":"1",}`, `{"id":"1"}x`, `[]`, `null1`,
		`{"version":"1"}`, `{"version":1.5}`, `{"archived":0}`, `{"values":{"a":1}}`, `{"values":[]}`, `{"x":nul}`, `{"x":}`,
	} {
		if err := new(record.Record).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%q is taken as a record", text)
		}
	}
	for _, text := range []string{`{"fields":{"a":{}}}`, `{"fields":{"a":[1]}}`, `{"fields":{"a":}}`, `{"keep":[1]}`} {
		if err := new(record.Row).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%q is taken as a row", text)
		}
	}
}

func TestRowWithAForeignTypeIsRefused(t *testing.T) {
	for _, v := range []any{1, 1.5, []any{"a"}, json.Number(""), json.Number("1,5"), json.Number(`1}`), json.Number(`"1"`)} {
		w := record.NewWriter(io.Discard)
		if err := w.Write(record.Row{Fields: map[string]any{"a": v}}); err == nil {
			t.Errorf("%T %v is written", v, v)
		}
	}
}

func TestDamagedFilesAreFound(t *testing.T) {
	whole := file(t, "5", record.Record{ID: "1"}, record.Record{ID: "2"})
	text := unzip(t, whole)
	lines := strings.SplitAfter(text, "\n")
	tests := []struct {
		name string
		file []byte
	}{
		{"nothing", nil},
		{"no gzip", []byte(text)},
		{"empty gzip", zip(t, "")},
		{"without its trailer", zip(t, lines[0]+lines[1])},
		{"without a line", zip(t, lines[0]+lines[2])},
		{"with a line twice", zip(t, lines[0]+lines[1]+lines[1]+lines[2])},
		{"lines in another order", zip(t, lines[1]+lines[0]+lines[2])},
		{"a changed line", zip(t, strings.Replace(text, `"id":"1"`, `"id":"3"`, 1))},
		{"a half trailer", zip(t, strings.TrimSuffix(text, "\"}\n"))},
		{"trailer without its end of line", zip(t, strings.TrimSuffix(text, "\n"))},
		{"something behind the trailer", append(bytes.Clone(whole), "x"...)},
	}
	for n := range len(whole) {
		tests = append(tests, struct {
			name string
			file []byte
		}{fmt.Sprintf("cut to %d bytes", n), whole[:n]})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := all[record.Record](tt.file); !fault.Is(err, fault.Internal) || !strings.Contains(fmt.Sprint(err), "damaged") {
				t.Errorf("Read: %v, want damaged", err)
			}
			if _, err := record.ReadTrailer(bytes.NewReader(tt.file)); err == nil {
				t.Error("ReadTrailer finds nothing wrong")
			}
		})
	}
}

func TestVisitEndsTheReading(t *testing.T) {
	stop, calls := errors.New("stop"), 0
	_, err := record.Read(bytes.NewReader(file(t, "", record.Record{ID: "1"}, record.Record{ID: "2"})), func(record.Record) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("err %v after %d calls, want stop after 1", err, calls)
	}
}

func TestLongLinesComeBack(t *testing.T) {
	want := record.Record{ID: "1", Values: map[string]*string{"long": new(strings.Repeat("ab\"", 300_000))}}
	got, _, err := all[record.Record](file(t, "", want, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Record{want, want}, got); diff != "" {
		t.Error("long records differ")
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestWriterReportsThatItsFileIsFull(t *testing.T) {
	w := record.NewWriter(&full{room: 20})
	err := w.Write(record.Record{ID: "1"})
	if err = errors.Join(err, w.Close(record.Trailer{})); err == nil {
		t.Error("a full file is closed without an error")
	}
	if err := w.Write(record.Record{ID: "2"}); err == nil {
		t.Error("writing goes on after an error")
	}
}

// sample is a record of 25 values, and the row that comes of it.
func sample() (record.Record, record.Row) {
	r := record.Record{ID: "51234567890", Version: 1767225600000, Values: map[string]*string{}}
	row := record.Row{SourceID: r.ID, Version: r.Version, Fields: map[string]any{}}
	for i := range 25 {
		v := new(fmt.Sprintf("value %d of the record, züri", i*7919))
		r.Values[fmt.Sprintf("hs_property_%d", i)] = v
		row.Fields[fmt.Sprintf("Field_%d__gc", i)] = *v
	}
	return r, row
}

func BenchmarkWriteRecord(b *testing.B) {
	r, _ := sample()
	w := record.NewWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadRecord(b *testing.B) {
	r, _ := sample()
	benchmarkRead[record.Record](b, r)
}

type staged struct {
	Row *record.Row `json:"row,omitempty"`
}

func BenchmarkWriteRow(b *testing.B) {
	_, row := sample()
	w := record.NewWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(staged{&row}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadRow(b *testing.B) {
	_, row := sample()
	benchmarkRead[staged](b, staged{&row})
}

func benchmarkRead[T any](b *testing.B, line any) {
	lines := make([]any, 1000)
	for i := range lines {
		lines[i] = line
	}
	f := file(b, "", lines...)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(lines) {
		if _, err := record.Read(bytes.NewReader(f), func(T) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
