package browser_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/truth"
)

// From nothing to a finished run of the chain, with a mouse alone.
func TestANewcomerGetsFromEmptyToAFinishedChain(t *testing.T) {
	w := newWorld(t)
	b := w.visit()
	b.expect("/favicon.ico") // of HubSpot's page
	b.signIn().see("Connect your HubSpot account", "Create Connection")
	b.click("Create Connection").fill("#name", "HubSpot").press("Authorize")
	b.see("customer.example", "another-customer.example").click("[name=account][value='90211']").click("[name=account][value='90210']").press("Approve")
	b.see("Active", "90210", "customer.example", "3 jobs and 1 job chain are here")
	b.press("jobs").see("Company Sync_HubSpot", "Company Person Sync_HubSpot", "User Sync_HubSpot", "Never ran")
	b.press("Job Chains").see("HUBSPOT_Company Person Sync", "Company Sync_HubSpot Company Person Sync_HubSpot", "On Demand")

	goOn := w.stall()
	b.click("Actions for HUBSPOT_Company Person Sync").click("Run now").see("Changes since the last run").press("Import Now")
	b.see("Running now", "Company Sync_HubSpot", "settled")
	goOn()
	b.until("the chain ends", func() string {
		rows, err := js[int](b, `document.querySelector("#going > *") ? 0 : document.querySelectorAll("tbody .badge").length`)
		if err != nil || rows < 2 {
			return "it goes on"
		}
		return ""
	})
	if wrong := truth.Compare(w.portal, w.target, false).Problems; len(wrong) > 0 {
		t.Errorf("Gainsight holds: %v", wrong)
	}

	dir := b.downloads()
	b.press("Company Person Sync_HubSpot").see("Partial Success", "Why records were rejected").click("Download the error log")
	var rows [][]string
	b.until("the error log arrives", func() string {
		files, _ := filepath.Glob(filepath.Join(dir, "*.csv"))
		if len(files) != 1 {
			return "there is no file"
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			return err.Error()
		}
		if rows, err = csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))).ReadAll(); err != nil || len(rows) < 2 {
			return "it is not complete"
		}
		return ""
	})
	if i := slices.Index(rows[0], "Reason"); i < 0 {
		t.Errorf("the error log's columns are %q", rows[0])
	}
}

// What product.md says of the jobs that come with a connection.
func TestTheJobsOfAConnectionAreThoseOfTheProduct(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn()
	for name, want := range map[string][]string{
		"Company Sync_HubSpot": {"companyId → HubSpot Account ID_90210 ✓", "name → Name"},
		"Company Person Sync_HubSpot": {
			"Email → Person :: Email ✓", "First Name → Person :: First Name", "Last Name → Person :: Last Name", "vid → Hubspot Contact ID", "Associated Company ID → Hubspot Account ID",
		},
		"User Sync_HubSpot": {"firstName → First Name", "lastName → Last Name", "email → Username ✓", "email → Email", "ownerId → HubSpot User Id"},
	} {
		b.goTo("/jobs/" + w.job(name).ID + "/edit/destination")
		got, err := js[[]string](b, `[...document.querySelectorAll("table.mappings tbody tr")].map((row) => {
			const chosen = (e) => e.tagName === "SELECT" ? e.selectedOptions[0].text : e.value;
			const [from, to] = [...row.querySelectorAll("[name$='.from'], [name$='.to']")].map(chosen);
			return from + " → " + to + (row.querySelector("[type=checkbox]").checked ? " ✓" : "");
		})`)
		w.check(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
