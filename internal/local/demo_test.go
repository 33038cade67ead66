package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
)

// quick are the flags of a demo that takes a moment.
func quick(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"demo", "-owners", "20", "-companies", "120", "-contacts", "150", "-speed", "1000", "-latency", "10ms",
		"-data", filepath.Join(t.TempDir(), "data"),
	}, more...)
}

func TestDemoSucceedsAndSaysSoTruthfully(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "summary.json")
	var out bytes.Buffer
	if err := command(t.Context(), quick(t, "-summary", file), &out); err != nil {
		t.Fatalf("%s\n%s", sentence(err), out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []summary
	if err := json.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	// User Sync, then the chain's two jobs, then these again.
	if len(runs) != 5 {
		t.Fatalf("%d runs, want 5", len(runs))
	}
	for i, r := range runs {
		want := run.Success
		if r.Rejected > 0 {
			want = run.Partial
		}
		if r.Status != want {
			t.Errorf("%s: %s with %d rejected", r.Job, r.Status, r.Rejected)
		}
		if second := i >= 3; second != (r.Mode == run.ModeChanges) {
			t.Errorf("run %d has mode %s", i, r.Mode)
		}
		if sum := r.Filtered + r.Inserted + r.Updated + r.Unchanged + r.Rejected; sum != r.Extracted {
			t.Errorf("%s: %d extracted, but the outcomes are %d", r.Job, r.Extracted, sum)
		}
	}
	if people := runs[2]; people.Extracted != 150 || people.Rejected == 0 {
		t.Errorf("the people job read %d records and rejected %d; want 150, and those of no company", people.Extracted, people.Rejected)
	}
	for _, told := range []string{"Connected to HubSpot account 90210", "NO_MATCH", "Edited in HubSpot: ", "and no more:", "\nPartial Success: "} {
		if !strings.Contains(out.String(), told) {
			t.Errorf("the demo does not say %q:\n%s", told, out.String())
		}
	}
}

func TestDemoWithoutRejectedRecordsIsASuccess(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	// No company of so few is without a name.
	args := []string{"demo", "-owners", "0", "-companies", "5", "-contacts", "0", "-speed", "1000", "-data", t.TempDir()}
	if err := command(t.Context(), args, &out); err != nil {
		t.Fatalf("%s\n%s", sentence(err), out.String())
	}
	if !strings.HasSuffix(out.String(), "\nSuccess: what HubSpot holds is in Gainsight.\n") {
		t.Errorf("the last line is not Success:\n%s", out.String())
	}
}

// TestDemoFailsIfTheSidesDiffer spoils one side after a good sync. Each must be
// seen by the comparison.
func TestDemoFailsIfTheSidesDiffer(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := options{owners: 20, companies: 60, contacts: 80, speed: 1000, latency: 10 * time.Millisecond, data: t.TempDir()}
	w, closeAll, err := newStage(o, &out)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	ctx := t.Context()
	if err := w.authorize(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.sync(ctx, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.compare(ctx, "first sync"); err != nil {
		t.Fatal(err)
	}
	company, person, user := w.synced(t, "companies", "company", "name", "Name"), w.synced(t, "contacts", "person", "email", "Email"), w.user(t)
	hubspot := company["HubSpot_Account_ID_90210__gc"].(string)
	tests := []struct {
		name        string
		spoil, mend func()
		wants       string
	}{
		{"a company has another name", func() {
			w.target.Set("company", company["Gsid"].(string), map[string]any{"Name": "Spoiled"})
		}, func() {
			w.target.Set("company", company["Gsid"].(string), map[string]any{"Name": company["Name"]})
		}, "Spoiled"},
		{"a person has another name", func() {
			w.target.Set("person", person["Gsid"].(string), map[string]any{"LastName": "Spoiled"})
		}, func() {
			w.target.Set("person", person["Gsid"].(string), map[string]any{"LastName": person["LastName"]})
		}, "different names"},
		{"a user has another name", func() {
			w.target.Set("gsuser", user["Gsid"].(string), map[string]any{"FirstName": "Spoiled"})
		}, func() {
			w.target.Set("gsuser", user["Gsid"].(string), map[string]any{"FirstName": user["FirstName"]})
		}, "different names"},
		{"a record is gone in HubSpot but for its row", func() { w.portal.Purge("companies", hubspot) }, nil, "which HubSpot never had"},
		{"a company is there twice", func() {
			w.target.Insert("company", map[string]any{"Name": "Twin", "HubSpot_Account_ID_90210__gc": hubspot})
		}, nil, "two rows"},
		{"a company has no row", func() {
			w.portal.Create("companies", map[string]string{"name": "Unsynced Ltd"})
		}, nil, "has no row"},
	}
	for _, test := range tests {
		test.spoil()
		_, err := w.compare(ctx, "first sync")
		if err == nil {
			t.Errorf("%s, but the comparison is content", test.name)
			continue
		}
		if test.mend == nil { // one of several points then, so the first may be another
			continue
		}
		if got := sentence(err); !strings.Contains(got, test.wants) {
			t.Errorf("%s: %s; want %q", test.name, got, test.wants)
		}
		test.mend()
		if _, err := w.compare(ctx, "first sync"); err != nil {
			t.Fatalf("%s, mended: %v", test.name, err)
		}
	}
}

// synced returns the row of a live record, found by a property that is the row's
// field.
func (w *stage) synced(t *testing.T, source, target, property, field string) gainsightsim.Row {
	t.Helper()
	var row gainsightsim.Row
	w.portal.Each(source, func(r hubspotsim.Record) {
		if v, _ := r.Value(property); row == nil && v != "" && !r.Archived && r.MergedInto == "" {
			row = w.find(target, field, v)
		}
	})
	if row == nil {
		t.Fatalf("no live record of %s has a row", source)
	}
	return row
}

// user returns the row of an active owner.
func (w *stage) user(t *testing.T) gainsightsim.Row {
	t.Helper()
	for _, o := range w.portal.Owners() {
		if row := w.find("gsuser", "SFDCUserName", o.Email); !o.Archived && row != nil {
			return row
		}
	}
	t.Fatal("no active owner has a user")
	return nil
}

func (w *stage) find(object, field, value string) gainsightsim.Row {
	for row := range w.target.Rows(object) {
		if row[field] == value {
			return row
		}
	}
	return nil
}

func TestDemoFailsIfARejectedRecordIsNotReported(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := options{companies: 60, contacts: 80, speed: 1000, latency: 10 * time.Millisecond, data: t.TempDir()}
	w, closeAll, err := newStage(o, &out)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	if err := w.authorize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.sync(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	id := w.portal.Create("contacts", map[string]string{"email": "lost@nowhere.example"})
	_, err = w.compare(t.Context(), "first sync")
	if err == nil || !strings.Contains(err.Error(), "contact "+id+" is neither in Gainsight nor rejected") {
		t.Errorf("the comparison says: %v", err)
	}
}

func TestDemoFailsIfTheSecondSyncWritesTooMuch(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := options{companies: 40, contacts: 80, speed: 1000, data: t.TempDir()} // too few for a merge
	w, closeAll, err := newStage(o, &out)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	e := w.edit()
	// The 11th company is renamed and one is new; the 11th contact is renamed, a
	// value of the 36th is cleared, and one is new.
	changed := map[string]int{"company": 2, "person": 3}
	for _, rows := range []string{"company", "person"} {
		after := map[string]int{"company": 0, "person": 0}
		after[rows] = changed[rows] + 1
		if err := e.minimal(w, map[string]int{}, after); err == nil || !strings.Contains(sentence(err), "but only") {
			t.Errorf("%d rows of %s were written, and all is well: %v", after[rows], rows, err)
		}
	}
	if err := e.minimal(w, map[string]int{}, changed); err != nil {
		t.Error(err)
	}
}

func TestDemoRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-owners", "-1"}, {"-companies", "3000000"}, {"-speed", "0.5"}, {"-latency", "2h"}, {"-size", "1"}, {"all"}, {"-data", used},
	} {
		var out bytes.Buffer
		err := command(t.Context(), append([]string{"demo"}, args...), &out)
		if err == nil || strings.Contains(sentence(err), "Something went wrong") || out.Len() > 0 {
			t.Errorf("demo %v: %v\n%s", args, err, out.String())
		}
	}
}

func TestDemoThatIsInterruptedSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{text: "Connected", pull: cancel}
	err := command(ctx, quick(t, "-speed", "1"), out)
	if got := sentence(err); !strings.HasPrefix(got, "Stopped. The simulated accounts are gone") {
		t.Errorf("interrupted, the demo says: %s", got)
	}
}

// trigger pulls when the text is written.
type trigger struct {
	text string
	pull func()
}

func (tr *trigger) Write(p []byte) (int, error) {
	if strings.Contains(string(p), tr.text) {
		tr.pull()
	}
	return len(p), nil
}
