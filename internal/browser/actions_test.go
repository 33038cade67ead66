package browser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
)

func TestAConnectionIsTestedRenamedRevokedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit()
	b.expect("/favicon.ico") // of HubSpot's page
	b.signIn()
	b.click("Actions for HubSpot").click("Test connection").see("Everything works.").click("Close")
	b.click("Actions for HubSpot").click("Edit").fill("#name", "Sales").press("Save").see("Sales", "90210")
	b.goTo("/jobs").see("Company Sync_Sales").goTo("/connections")
	b.click("Actions for Sales").press("Re-Authorize").press("Approve").see("Active")
	b.goTo("/connections").click("Actions for Sales").click("Revoke").see("Cancel").press("Revoke").see("Revoked")
	b.click("Actions for Sales").click("Delete").see("Cancel").press("Delete permanently").see("Connect your HubSpot account")
	if list, err := w.sys.Connections.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("connections %v, %v", list, err)
	}
	b.goTo("/activity/updates").see("connection Sales", "deleted", "revoked")
}

func TestJobsAreSearchedClonedScheduledAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn().goTo("/jobs")
	b.fill("#q", "person").press("Search").see("Company Person Sync_HubSpot")
	if strings.Contains(b.text(), "User Sync_HubSpot") {
		t.Error("the search finds a job of another name")
	}
	b.press("Clear").click("Actions for User Sync_HubSpot").press("Clone").see("Copy")
	b.goTo("/jobs").see("User Sync_HubSpot")
	j := w.job("User Sync_HubSpot")
	b.goTo("/jobs/"+j.ID+"/edit/configure").click("Time based schedule").choose("#schedule-kind", "Every N minutes").fill("#schedule-every", "15")
	b.press("Save the job").see("The job is saved", "Scheduled Execution")
	s, err := w.sys.Schedules.Get(t.Context(), schedule.Owner{What: schedule.Job, ID: j.ID})
	if err != nil || !s.Enabled || s.Every != 15 || s.Zone != "Europe/Berlin" {
		t.Errorf("the schedule is %+v, %v", s, err)
	}
	b.click("Actions for User Sync_HubSpot").click("Delete").see("Cancel").press(".danger").see("It is deleted.")
	if _, err := w.sys.Jobs.Get(t.Context(), j.ID); err == nil {
		t.Error("the job is still there")
	}
}

// A chain's order is changed by dragging, and by buttons.
func TestAChainIsMadeOrderedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn().goTo("/chains").press("Create Job Chain").fill("#name", "All")
	for _, name := range []string{"User Sync_HubSpot", "Company Sync_HubSpot", "Company Person Sync_HubSpot"} {
		b.choose("#add", name).press("[value='add:jobs']")
	}
	b.turn("drag", func() {
		at, err := js[[]float64](b, `["jobs-0", "jobs-2"].map((id) => document.getElementById(id).getBoundingClientRect()).flatMap((box) => [box.left + 100, box.bottom - 5])`)
		w.check(err)
		w.check(chromedp.Do(b.ctx, chromedp.DragAndDropXY(at[0], at[1], at[2], at[3])))
	})
	b.press("[aria-label='Move Company Person Sync_HubSpot up']").press(".savebar .primary").see("All")
	list, err := w.sys.Chains.List(t.Context())
	w.check(err)
	i := slices.IndexFunc(list, func(c chain.Chain) bool { return c.Name == "All" })
	var names []string
	for _, id := range list[i].Jobs {
		j, err := w.sys.Jobs.Get(t.Context(), id)
		w.check(err)
		names = append(names, j.Name)
	}
	if want := []string{"Company Person Sync_HubSpot", "Company Sync_HubSpot", "User Sync_HubSpot"}; !slices.Equal(names, want) {
		t.Errorf("the order is %q, want %q", names, want)
	}
	b.click("Actions for All").click("Delete").see("Cancel").press(".danger").see("HUBSPOT_Company Person Sync")
	if list, err = w.sys.Chains.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("chains %v, %v", list, err)
	}
}

// A run is watched, stopped and resumed; rejected records are tried again.
func TestARunIsStoppedResumedAndItsRejectsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn().goTo("/jobs")
	goOn := w.stall()
	b.click("Actions for Company Sync_HubSpot").click("Run now").press("Import Now").see("Running now")
	b.press(".going-head a").see("Extracted").press("Stop").see("Failed")
	goOn()
	b.press("Resume").goTo("/activity").await(".list tbody tr:first-child .badge.partial-success")
	b.press(".list tbody a").see("Retry rejected")
	before := w.target.Calls()["insert"]
	b.press("Retry rejected").goTo("/activity").see("0 0 0 0 1")
	if w.target.Calls()["insert"] != before {
		t.Error("what was inserted is inserted again")
	}
}

// "Why is this contact not there?", from everywhere by one key.
func TestARecordIsFoundByOneKeyFromEverywhere(t *testing.T) {
	w := newWorld(t)
	w.connect()
	w.run(run.Input{Chain: "HUBSPOT_Company Person Sync"})
	id := w.anyContact()
	b := w.visit().signIn().goTo("/settings")
	_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"})
	w.check(err)
	b.keys(id).turn("Enter", func() { b.keys("\r") }).see("Company Person Sync_HubSpot", id)
	b.fill("#q", "nobody@nowhere.example").press("Find").see("No job knows this record")
	b.press("Reasons").see("NO_MATCH", "How to fix it")
}

func TestAnOwnerIsAssociatedByHand(t *testing.T) {
	w := newWorld(t)
	w.connect()
	w.target.SeedExisting(twice(w))
	w.run(run.Input{Job: "User Sync_HubSpot"})
	owner := w.portal.Owners()[0]
	b := w.visit().signIn().goTo("/avatars").see("Ambiguous", "1 active owner has no user yet.")
	b.click("Associate " + owner.FirstName + " " + owner.LastName).see("Choose one user").click("[name=user]").press("Associate").see("associated")
	b.press("Retry now").see("User Sync_HubSpot Success").goTo("/avatars")
	if strings.Contains(b.text(), "has no user yet") {
		t.Errorf("the owner still has no user: %s", b.text())
	}
	b.press("Remove the association of " + owner.FirstName + " " + owner.LastName).see("removed")
}

func TestSettingsAreSavedAndSecretsNeverShown(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn().goTo("/settings").click("[href='/settings/destination/test']").see("Everything works.").click("Close")
	b.fill("#url", "https://acme.gainsightcloud.com").fill("#accessKey", "canary-key").press("form[action='/settings/destination'] .primary").see("Saved.")
	b.fill("#failure", "ops@example.com").press("form[action='/settings/notifications'] .primary").see("Saved.")
	if got := b.value("#failure"); got != "ops@example.com" {
		t.Errorf("the list for failures is %q", got)
	}
	page, err := js[string](b, "document.documentElement.outerHTML")
	w.check(err)
	if strings.Contains(page, "canary-key") {
		t.Error("the page holds the access key")
	}
	b.expect("status of 422")
	b.fill("#failure", "nobody").press("form[action='/settings/notifications'] .primary").see("is not a mail address")
	b.goTo("/settings/zone").fill("#zone-name", "Asia/Kathmandu").press("Save").see("Times are in Asia/Kathmandu.")
}

// Before the key is changed, what changes is shown.
func TestThePersonResolutionKeyIsChangedKnowingly(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := w.visit().signIn().goTo("/person-resolution-key").click("[value=FirstName]").press("Show what changes")
	b.see("What this changes", "Company Person Sync_HubSpot", "Becomes an identifier: First Name").press("Change the key").see("Saved.")
	keys, err := w.sys.People.Keys(t.Context())
	if want := []string{"Email", "FirstName"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("the key is %q, %v", keys, err)
	}
}
