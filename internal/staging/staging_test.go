package staging_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/staging"
)

func newStore(t *testing.T) *staging.Store {
	t.Helper()
	bucket, err := dirblob.Open(t.TempDir(), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return &staging.Store{Bucket: bucket}
}

func draft(t *testing.T, lines ...any) *staging.Draft {
	t.Helper()
	d := staging.NewDraft()
	for _, line := range lines {
		if err := d.Add(line); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func text(s string) *string { return &s }

func rec(id string) record.Record {
	return record.Record{ID: id, Version: 5, Values: map[string]*string{"name": text("n" + id), "zip": nil}}
}

// records returns the records of a part, or the error.
func records(ctx context.Context, s *staging.Store, part int) (all []record.Record, err error) {
	err = s.Part(ctx, "r1", part, func(r record.Record) error { all = append(all, r); return nil })
	return all, err
}

func TestPlanIsStoredOnce(t *testing.T) {
	s := newStore(t)
	if _, err := s.Plan(t.Context(), "r1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("before it is stored: %v, want NotFound", err)
	}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	want := staging.Plan{
		Run: "r1", PortalID: 7, PartSize: 5000, Now: now, Watermark: now.Add(-time.Second), ResolutionKeys: []string{"Email"}, Skipped: []string{"Fax"},
		Job:     job.Job{ID: "j1", Name: "Company Sync", Mapping: mapping.Config{Source: "company", Target: "company", Direct: []mapping.Direct{{From: "name", To: "Name", Identifier: true}}}},
		Source:  record.Schema{Object: "0-2", Fields: []record.Field{{Name: "name", Type: record.String}}},
		Lookups: map[string]record.Schema{"company": {Object: "company"}},
		Query:   record.Query{Object: "0-2", Properties: []string{"name"}, Since: now.Add(-time.Hour), Until: now},
		Broken:  &staging.Broken{Kind: fault.Invalid, Message: "No."},
	}
	if err := s.PutPlan(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	other := want
	other.PortalID = 8
	if err := s.PutPlan(t.Context(), other); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second plan: %v, want Conflict", err)
	}
	got, err := s.Plan(t.Context(), "r1")
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("plan (-want +got):\n%s%v", diff, err)
	}
}

func TestPartIsWrittenOnceAndSaysWhereTheNextBegins(t *testing.T) {
	s := newStore(t)
	if _, err := s.PartTrailer(t.Context(), "r1", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("before it is stored: %v, want NotFound", err)
	}
	first, err := s.PutPart(t.Context(), "r1", 1, draft(t, rec("1"), rec("2")), "c2")
	if err != nil || first.Count != 2 || first.Next != "c2" {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := s.PutPart(t.Context(), "r1", 1, draft(t, rec("3")), "c3")
	if err != nil || again.Count != 2 || again.Next != "c2" {
		t.Errorf("a copy's part: %+v, %v, want the trailer of the first", again, err)
	}
	stored, err := s.PartTrailer(t.Context(), "r1", 1)
	if diff := cmp.Diff(again, stored); err != nil || diff != "" {
		t.Errorf("stored trailer (-answered +stored):\n%s%v", diff, err)
	}
	got, err := records(t.Context(), s, 1)
	if diff := cmp.Diff([]record.Record{rec("1"), rec("2")}, got); err != nil || diff != "" {
		t.Errorf("records (-want +got):\n%s%v", diff, err)
	}
	if _, err := s.PartTrailer(t.Context(), "r2", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("the same part of another run: %v, want NotFound", err)
	}
}

func TestAnEmptyPartIsAPart(t *testing.T) {
	s := newStore(t)
	if _, err := s.PutPart(t.Context(), "r1", 1, staging.NewDraft(), "c1"); err != nil {
		t.Fatal(err)
	}
	got, err := records(t.Context(), s, 1)
	if err != nil || len(got) != 0 {
		t.Errorf("%d records, %v, want none", len(got), err)
	}
	if trailer, err := s.PartTrailer(t.Context(), "r1", 1); err != nil || trailer.Next != "c1" {
		t.Errorf("trailer %+v, %v", trailer, err)
	}
}

func TestADamagedPartIsNeverReadAsAShorterOne(t *testing.T) {
	whole := newStore(t)
	if _, err := whole.PutPart(t.Context(), "r1", 1, draft(t, rec("1"), rec("2"), rec("3")), "c3"); err != nil {
		t.Fatal(err)
	}
	file := content(t, whole, "runs/r1/part-00001.jsonl.gz")
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 0x10
	tests := []struct {
		name string
		file []byte
	}{
		{"nothing", nil},
		{"cut at the start", file[:5]},
		{"cut in the middle", file[:len(file)/2]},
		{"without its last byte", file[:len(file)-1]},
		{"one bit changed", flipped},
		{"no gzip", []byte(`{"id":"1"}` + "\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			err := s.Bucket.Create(t.Context(), "runs/r1/part-00001.jsonl.gz", func(w io.Writer) error {
				_, err := w.Write(tt.file)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := records(t.Context(), s, 1); fault.KindOf(err) != fault.Internal || err == nil {
				t.Errorf("%d records, %v, want Internal", len(got), err)
			}
			if _, err := s.PutPart(t.Context(), "r1", 1, draft(t, rec("9")), ""); err == nil {
				t.Error("a damaged part was taken as it is")
			}
		})
	}
}

func content(t *testing.T, s *staging.Store, name string) []byte {
	t.Helper()
	f, err := s.Bucket.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRowsAreWrittenOncePerPass(t *testing.T) {
	s := newStore(t)
	entry := func(id string) staging.Entry { return staging.Entry{Filtered: id} }
	if has, err := s.HasRows(t.Context(), "r1", 1, 1); has || err != nil {
		t.Errorf("before: %v, %v", has, err)
	}
	for _, ids := range []string{"1", "2"} { // the second is too late
		if err := s.PutRows(t.Context(), "r1", 1, 1, draft(t, entry(ids))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutRows(t.Context(), "r1", 1, 2, draft(t, entry("3"))); err != nil {
		t.Fatal(err)
	}
	for pass, want := range map[int]string{1: "1", 2: "3"} {
		var got []string
		err := s.Rows(t.Context(), "r1", 1, pass, func(e staging.Entry) error { got = append(got, e.ID()); return nil })
		if diff := cmp.Diff([]string{want}, got); err != nil || diff != "" {
			t.Errorf("pass %d (-want +got):\n%s%v", pass, diff, err)
		}
		if has, err := s.HasRows(t.Context(), "r1", 1, pass); !has || err != nil {
			t.Errorf("has rows of pass %d: %v, %v", pass, has, err)
		}
	}
}

func TestEntriesComeBackAsWritten(t *testing.T) {
	s := newStore(t)
	want := []staging.Entry{
		{Row: &record.Row{SourceID: "1", Version: 4, Fields: map[string]any{"Name": "a", "Zip": nil}, Keep: []string{"Zip"}, Defer: map[string][]string{"Parent": {"k"}}}, Archived: true},
		{Reject: &record.Reject{SourceID: "2", Step: "transform", Field: "F", Value: "=1", Code: record.BadValue, Reason: "R.", Fix: "F.", Source: map[string]*string{"s": text("x"), "n": nil}}},
		{Filtered: "3"},
	}
	if err := s.PutRows(t.Context(), "r1", 1, 1, draft(t, want[0], want[1], want[2])); err != nil {
		t.Fatal(err)
	}
	var got []staging.Entry
	err := s.Rows(t.Context(), "r1", 1, 1, func(e staging.Entry) error { got = append(got, e); return nil })
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("entries (-want +got):\n%s%v", diff, err)
	}
	for i, id := range []string{"1", "2", "3"} {
		if got[i].ID() != id {
			t.Errorf("entry %d is of %q, want %s", i, got[i].ID(), id)
		}
	}
}

func TestIndexIsStoredOnce(t *testing.T) {
	s := newStore(t)
	if _, err := s.Index(t.Context(), "r1", "lookup-0"); !fault.Is(err, fault.NotFound) {
		t.Errorf("before: %v, want NotFound", err)
	}
	for _, gsid := range []string{"G1", "G2"} {
		x := lookup.NewIndex([]string{"Email"})
		x.Add([]string{"sam@acme.example"}, gsid)
		if err := s.PutIndex(t.Context(), "r1", "lookup-0", x); err != nil {
			t.Fatal(err)
		}
	}
	x, err := s.Index(t.Context(), "r1", "lookup-0")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"G1"}, x.Find([]string{"SAM@acme.example "}).GSIDs); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
