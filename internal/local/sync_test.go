package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// small is an account that syncs in a moment.
var small = hubspotsim.DemoOptions{Owners: 10, Companies: 30, Contacts: 60}

func TestFirstUseAuthorizesByItselfAndTheNextRunWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	out := w.succeed("sync")
	if !strings.Contains(out, "Connected to HubSpot account 90210 (customer.example).") {
		t.Errorf("sync does not say what it connected to:\n%s", out)
	}
	if strings.Contains(out, "in your browser") {
		t.Errorf("sync asks for a browser:\n%s", out)
	}
	w.right(false)
	writes := w.target.Writes()
	jobs := w.sync()
	if got := w.target.Writes() - writes; got != 0 {
		t.Errorf("the second run wrote %d times, want 0", got)
	}
	for _, j := range jobs {
		// What was rejected for the lack of another record is tried again, and rejected again.
		if j.Mode != "changes" || j.Inserted+j.Updated != 0 || j.Extracted != j.Rejected {
			t.Errorf("%s: %s in mode %s with %d read, %d inserted, %d updated, %d rejected; want changes, and nothing but rejected records",
				j.Job, j.Status, j.Mode, j.Extracted, j.Inserted, j.Updated, j.Rejected)
		}
	}
	w.right(false)
}

func TestSummaryHasItsFieldsAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	file := filepath.Join(t.TempDir(), "summary.json")
	w.succeed("sync", "-summary", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []map[string]any
	if err := json.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"chain", "errorFile", "extracted", "filtered", "gainsightCalls", "hubspotCalls", "inserted", "job", "mode",
		"rejected", "rejects", "seconds", "status", "unchanged", "updated",
	}
	if len(runs) != 2 {
		t.Fatalf("the summary has %d runs, want 2", len(runs))
	}
	for _, run := range runs {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(run))); diff != "" {
			t.Error(diff)
		}
		sum := 0.0
		for _, outcome := range []string{"filtered", "inserted", "updated", "unchanged", "rejected"} {
			sum += run[outcome].(float64)
		}
		if run["extracted"] != sum || run["hubspotCalls"] == 0.0 || run["gainsightCalls"] == 0.0 {
			t.Errorf("%v: extracted must be the sum of the outcomes, and calls must be counted: %v", run["job"], run)
		}
	}
	if runs[0]["job"] != "Company Sync_HubSpot" || runs[1]["job"] != "Company Person Sync_HubSpot" || runs[0]["chain"] != "HUBSPOT_Company Person Sync" {
		t.Errorf("runs are %v and %v of %v", runs[0]["job"], runs[1]["job"], runs[0]["chain"])
	}
}

// TestErrorFileHasEachRejectedRecordOnce reads the file as a spreadsheet would.
func TestErrorFileHasEachRejectedRecordOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	lost := w.portal.Create("contacts", map[string]string{"email": "lost@nowhere.example", "firstname": "=1+1", "lastname": "Kühn", "associatedcompanyid": "999999"})
	jobs := w.sync()
	people := jobs[1]
	if people.Rejected == 0 || people.Rejects["NO_MATCH"] == 0 || people.Status != "Partial Success" {
		t.Fatalf("the people job must reject a contact of no company: %+v", people)
	}
	text, err := os.ReadFile(people.ErrorFile)
	if err != nil {
		t.Fatal(err)
	}
	body, marked := strings.CutPrefix(string(text), "\uFEFF")
	if !marked {
		t.Error("the file does not begin with the mark that makes spreadsheets read UTF-8")
	}
	lines, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != people.Rejected+1 {
		t.Errorf("%d lines for %d rejected records", len(lines)-1, people.Rejected)
	}
	want := []string{"HubSpot record id", "Link", "Step", "Field", "Value", "Code", "Reason", "How to fix"}
	if diff := cmp.Diff(want, lines[0][:len(want)]); diff != "" {
		t.Error(diff)
	}
	seen := map[string]int{}
	for _, line := range lines[1:] {
		seen[line[0]]++
		if seen[line[0]] > 1 {
			t.Errorf("record %s is in the file twice", line[0])
		}
		for i, name := range want {
			if line[i] == "" && !slices.Contains([]string{"Field", "Value"}, name) {
				t.Errorf("record %s has no %s", line[0], name)
			}
		}
		if line[0] != lost {
			continue
		}
		if line[1] != "https://app.hubspot.com/contacts/90210/record/0-1/"+lost {
			t.Errorf("link is %s", line[1])
		}
		if !slices.Contains(line, "'=1+1") || !slices.Contains(line, "Kühn") {
			t.Errorf("the dataset's columns must follow, formulas made harmless: %q", line)
		}
	}
	if seen[lost] != 1 {
		t.Errorf("the contact of no company is in the file %d times", seen[lost])
	}
}

func TestJobRunsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	jobs := w.sync("-job", "User Sync_HubSpot")
	if len(jobs) != 1 || jobs[0].Job != "User Sync_HubSpot" || jobs[0].Chain != "" || jobs[0].Extracted != 10 {
		t.Fatalf("runs: %+v", jobs)
	}
	if n := w.target.Count("company"); n != 0 {
		t.Errorf("%d companies arrived by User Sync", n)
	}
}

func TestModeAndMomentChooseWhatIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{Companies: 30})
	w.sync("-job", "Company Sync_HubSpot")
	if got := w.sync("-job", "Company Sync_HubSpot")[0]; got.Mode != "changes" || got.Extracted != 0 {
		t.Errorf("changes: mode %s, %d extracted; want changes, 0", got.Mode, got.Extracted)
	}
	full := w.sync("-job", "Company Sync_HubSpot", "-mode", "full")[0]
	if full.Mode != "full" || full.Extracted != 30 || full.Unchanged != 30-full.Rejected {
		t.Errorf("full: %+v; want 30 extracted, all unchanged but the rejected", full)
	}
	// The demo data is up to five years old, so since ten years ago is all of it.
	since := time.Now().AddDate(-10, 0, 0).UTC().Format(time.RFC3339)
	if got := w.sync("-job", "Company Sync_HubSpot", "-since", since)[0]; got.Mode != "changes" || got.Extracted != 30 {
		t.Errorf("since %s: mode %s, %d extracted; want changes, 30", since, got.Mode, got.Extracted)
	}
	for _, args := range [][]string{
		{"-mode", "half"}, {"-since", time.Now().Add(time.Hour).Format(time.RFC3339)}, {"-since", "yesterday"}, {"-since", since, "-mode", "full"}, {"-job", "a", "-chain", "b"}, {"-speed", "3"}, {"more"},
	} {
		w.fail(append([]string{"sync"}, args...)...)
	}
}

func TestExportedConfigurationAppliesWithoutAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.succeed("sync")
	file := filepath.Join(t.TempDir(), "jobs.yaml")
	w.succeed("export", file)
	if out := w.succeed("apply", file); out != "Nothing changed: all is as the file says.\n" {
		t.Errorf("apply says:\n%s", out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := w.succeed("export", "-"); out != string(text) {
		t.Error("export to the screen differs from export to a file")
	}
	changed := strings.Replace(string(text), "onFailure: stop", "onFailure: continue", 1)
	if changed == string(text) {
		t.Fatalf("the file has no onFailure: stop\n%s", text)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := w.succeed("apply", file); !strings.Contains(out, "HUBSPOT_Company Person Sync") || !strings.Contains(out, "continue") {
		t.Errorf("apply does not tell what changed:\n%s", out)
	}
	if err := os.WriteFile(file, []byte("jobs: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.run("apply", file); r.code != 1 || !strings.Contains(r.stderr, "1") {
		t.Errorf("apply of a wrong file ended with %d: %s", r.code, r.stderr)
	}
	w.fail("apply", file+".missing")
	w.fail("export")
}

func TestFindTellsWhatBecameOfARecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	company := w.portal.Create("companies", map[string]string{"name": "Find Me Ltd"})
	lost := w.portal.Create("contacts", map[string]string{"email": "lost@nowhere.example", "lastname": "Kühn"})
	w.succeed("sync")
	for name := range w.env {
		if name != "HOME" {
			delete(w.env, name) // what is stored is told without the vendors
		}
	}
	out := w.succeed("find", company)
	if !strings.Contains(out, "Company Sync_HubSpot: inserted on ") || !strings.Contains(out, "Gainsight row: ") {
		t.Errorf("find %s says:\n%s", company, out)
	}
	link := fmt.Sprintf("https://app.hubspot.com/contacts/%d/record/0-1/%s?eschref=x", portalID, lost)
	out = w.succeed("find", link)
	if !strings.Contains(out, "Company Person Sync_HubSpot: rejected on ") || !strings.Contains(out, "NO_MATCH") {
		t.Errorf("find of a link says:\n%s", out)
	}
	if out := w.succeed("find", "424242"); !strings.HasPrefix(out, "No run has read a record 424242 yet.") {
		t.Errorf("find of an unknown id says:\n%s", out)
	}
}

func TestGainsightTakesAnM2MClientToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	delete(w.env, "GAINSIGHT_ACCESS_KEY")
	w.env["GAINSIGHT_CLIENT_ID"], w.env["GAINSIGHT_CLIENT_SECRET"] = m2mClient, m2mSecret
	w.succeed("sync")
	w.right(false)
}

func TestSettingsComeByFlagsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	args := []string{"sync", "-connection-name", "Acme"}
	for name, value := range w.env {
		if name != "HOME" {
			args = append(args, "-"+strings.ToLower(strings.ReplaceAll(name, "_", "-")), value)
			delete(w.env, name)
		}
	}
	if out := w.succeed(args...); !strings.Contains(out, "Company Sync_Acme") {
		t.Errorf("the connection is not named Acme:\n%s", out)
	}
}
