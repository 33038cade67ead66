package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// ended waits until n runs have ended, and returns them, newest first.
func (w *world) ended(n int) []run.Run {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		runs, err := w.sys.Runs.List(w.t.Context(), 100)
		if err != nil {
			w.t.Fatal(err)
		}
		closed := 0
		for _, r := range runs {
			if r.Status.Closed() {
				closed++
			}
		}
		if closed >= n {
			return runs
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d runs have ended", closed, n)
		}
	}
}

func TestImportNowStartsOnceAndIsSeenInTheActivity(t *testing.T) {
	w := newWorld(t)
	w.portal.Create("companies", map[string]string{"name": "Acme"})
	w.portal.Create("contacts", map[string]string{"email": "a@acme.example", "lastname": "Ann"})
	w.connect()
	chains, _ := w.sys.Chains.List(t.Context())
	path := "/chains/" + chains[0].ID + "/run"
	form := w.open(path).says(200, "Changes since the last run", "Everything", "The schedule does not move.").editor().values
	for range 2 { // a double click
		w.want(w.post(path, form), http.StatusSeeOther)
	}
	runs := w.ended(2)
	if len(runs) != 2 {
		t.Fatalf("%d runs", len(runs))
	}
	w.open("/activity").says(200, "Company Sync_HubSpot", "Partial Success", "Download")
	detail := w.open("/activity/runs/"+string(runs[0].ID)).says(200, "Why records were rejected", "NO_MATCH", "/reasons#NO_MATCH", "Retry rejected", "Download the error log")
	a := w.want(w.get("/activity/runs/"+string(runs[0].ID)+"/errors"), 200)
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename*=UTF-8''") || !strings.HasSuffix(got, ".csv") {
		t.Errorf("the error log is sent as %q", got)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Errorf("the error log has %d rows, %v", len(rows), err)
	}
	detail.press("").says(200, "Activity")
	w.open("/activity?status=Success&job="+runs[1].Job).says(200, "Company Sync_HubSpot")
	w.open("/activity?status=Failed").says(200, "No run matches")
	w.open("/activity?from=nonsense").says(200, "A date is written like 2026-11-30")
	w.open("/activity?chain="+url.QueryEscape(chains[0].Name)).says(200, "Company Person Sync_HubSpot")
	w.open("/jobs").says(200, "Last 1 run: 1 Success")
}

func TestWhatToReadIsChecked(t *testing.T) {
	w := newWorld(t)
	w.connect()
	path := "/jobs/" + w.job("Company Sync_HubSpot").ID + "/run"
	w.open(path).set("mode", "since", "since", "").press("").says(http.StatusUnprocessableEntity, "Choose the date and time")
	w.open(path).set("mode", "since", "since", "2999-01-01T00:00").press("").says(http.StatusUnprocessableEntity, "lies in the future")
	w.open(path).set("mode", "wipe").press("").says(http.StatusUnprocessableEntity, "Choose what to read")
	w.open(path).set("mode", "since", "since", "2026-01-01T00:00").press("").says(200, "Activity")
	w.ended(1)
}

func TestAJobIsClonedAndDeletedUnlessAChainHasIt(t *testing.T) {
	w := newWorld(t)
	w.connect()
	j := w.job("Company Sync_HubSpot")
	a := w.want(w.post("/jobs/"+j.ID+"/clone", url.Values{}), http.StatusSeeOther)
	w.open(a.location).says(200, "Copy of Company Sync_HubSpot")
	w.open("/jobs/"+j.ID+"/delete").says(200, "HUBSPOT_Company Person Sync", "Take it out there first")
	w.want(w.post("/jobs/"+j.ID+"/delete", url.Values{}), http.StatusConflict, "Take it out of the chain first")
	c := w.job("Copy of Company Sync_HubSpot")
	w.open("/jobs/"+c.ID+"/delete").says(200, "cannot be undone").press("").says(200, "It is deleted")
	w.open("/jobs?q=copy").says(200, "No job matches")
	w.open("/jobs?q=USER").says(200, "User Sync_HubSpot")
}

func TestLongListsArePaged(t *testing.T) {
	w := newWorld(t)
	w.connect()
	j := w.job("Company Sync_HubSpot")
	for i := range 60 {
		if _, err := w.sys.Jobs.Clone(t.Context(), j.ID, fmt.Sprintf("Clone %02d", i), "test"); err != nil {
			t.Fatal(err)
		}
	}
	w.open("/jobs").says(200, "1 to 50 of 63", `href="/jobs?page=2"`, "Clone 00")
	w.open("/jobs?page=2").says(200, "51 to 63 of 63", "User Sync_HubSpot")
	w.open("/jobs?q=clone&page=999").says(200, "51 to 60 of 60")
}

func TestAChainIsPutInOrderWithoutScript(t *testing.T) {
	w := newWorld(t)
	w.connect()
	company, people, user := w.job("Company Sync_HubSpot"), w.job("Company Person Sync_HubSpot"), w.job("User Sync_HubSpot")
	p := w.open("/chains/new").press("save").says(http.StatusUnprocessableEntity, "Give the job chain a name.", "The job chain has no job")
	p = p.set("name", "All").set("add", people.ID).press("add:jobs")
	p = p.set("add", user.ID).press("add:jobs").set("add", company.ID).press("add:jobs")
	p = p.press("up:jobs[2]").press("up:jobs[1]").press("remove:jobs[2]")
	p.set("onFailure", "on", "schedule.type", "time", "schedule.enabled", "on", "schedule.kind", "minutes", "schedule.every", "3").press("save").
		says(http.StatusUnprocessableEntity, "The interval is 3 minutes").set("schedule.every", "15").press("save").says(200, "Saved.", "All", "Scheduled Execution", "Continues")
	got, err := w.sys.Chains.Find(t.Context(), "All")
	if err != nil {
		t.Fatal(err)
	}
	want := chain.Chain{ID: got.ID, Name: "All", Jobs: []string{company.ID, people.ID}, OnFailure: chain.Continue, Version: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
	sch, err := w.sys.Schedules.Get(t.Context(), schedule.Owner{What: schedule.Chain, ID: got.ID})
	if err != nil || sch.Every != 15 || !sch.Enabled || sch.Kind != schedule.Minutes {
		t.Errorf("schedule %+v, %v", sch, err)
	}
	w.open("/jobs").says(200, "On Demand")
	w.open("/jobs/"+company.ID+"/edit/configure").set("schedule.type", "time", "schedule.enabled", "on").press("save").says(200, "Its own schedule is not honoured")
	w.open("/jobs/"+company.ID+"/edit/configure").says(200, "This schedule is not honoured")
	w.open("/chains/"+got.ID+"/edit").says(200, "Its own schedule is not honoured")
}

func TestAStaleChainIsNotSaved(t *testing.T) {
	w := newWorld(t)
	w.connect()
	chains, _ := w.sys.Chains.List(t.Context())
	edit := "/chains/" + chains[0].ID + "/edit"
	one, two := w.open(edit), w.open(edit)
	one.set("name", "One").press("save").says(200, "Saved.")
	two = two.set("name", "Two").press("save").says(http.StatusConflict, "Somebody else saved this job chain meanwhile", "One", "Two")
	two.press("save:mine").says(200, "Two")
	two.press("discard").says(200, "discarded")
}

func TestSecretsGoInAndNeverOut(t *testing.T) {
	w := newWorld(t)
	w.open("/settings").says(200, "as the deployment sets it", "nobody is told when a run fails")
	settings := func(action string) *page {
		p := w.open("/settings")
		for _, f := range p.forms {
			if f.action == action {
				p.forms = []*form{f}
			}
		}
		return p
	}
	settings("/settings/destination").set("url", "http://elsewhere", "accessKey", "canary-new").press("").says(http.StatusUnprocessableEntity)
	p := settings("/settings/destination").set("url", "https://acme.gainsight.test", "accessKey", "canary-key").press("").says(200, "Saved.", "Stored. Leave empty to keep it.")
	w.open("/settings/destination/test").says(200, "Everything works.")
	settings("/settings/notifications").set("failure", "not an address").press("").says(http.StatusUnprocessableEntity, "is not a mail address", "not an address")
	stale := settings("/settings/notifications")
	settings("/settings/notifications").set("failure", "ops@example.com\nadmin@example.com", "webhook", "https://hooks.example/canary-hook", "hookSecret", "canary-hook-secret").press("").
		says(200, "a URL at hooks.example", "ops@example.com")
	stale.set("failure", "other@example.com").press("").says(http.StatusConflict, "Somebody else saved these settings meanwhile", "other@example.com")
	settings("/settings/limits").set("hubspot.calls", "50").press("").says(http.StatusUnprocessableEntity, "HubSpot limit")
	settings("/settings/limits").set("hubspot.calls", "50", "hubspot.per", "10", "reserve", "20").press("").says(200, `value="50"`, `value="20"`)
	settings("/settings/retention").set("staged", "99").press("").says(http.StatusUnprocessableEntity, "are kept for 1 to")
	settings("/settings/retention").set("staged", "7").press("").says(200, `value="7"`)
	updates := w.open("/activity/updates").says(200, "ada@example.com")
	for _, page := range []*page{p, updates, w.open("/settings")} {
		if strings.Contains(page.body, "canary") {
			t.Errorf("%s shows a secret", page.path)
		}
	}
}

func TestTheEffectOfAPersonKeyIsShownFirst(t *testing.T) {
	w := newWorld(t)
	w.target.AddField("person", gainsightsim.Field{Name: "Badge__gc", Label: "Badge", DataType: "STRING", Nillable: true})
	w.connect()
	w.open("/person-resolution-key?ask=1").says(http.StatusUnprocessableEntity, "needs 1 to 5 fields")
	w.open("/person-resolution-key?ask=1&key=Email&key=Badge__gc").says(200, "Not mapped in this job", "Badge", "Company Person Sync_HubSpot")
	w.want(w.post("/person-resolution-key", url.Values{"key": {"Email", "Badge__gc"}}), http.StatusUnprocessableEntity, "Map these fields of Person")
	w.open("/person-resolution-key?ask=1&key=Email&key=LastName").says(200, "Becomes an identifier", "Last Name").press("").says(200, "Saved.")
	keys, err := w.sys.People.Keys(t.Context())
	if diff := cmp.Diff([]string{"Email", "LastName"}, keys); diff != "" || err != nil {
		t.Errorf("key (-want +got):\n%s%v", diff, err)
	}
}

func TestAnOwnerIsAssociatedByHand(t *testing.T) {
	w, _ := filled(t)
	j := w.job("User Sync_HubSpot")
	owner := w.portal.Owners()[0]
	w.open("/avatars").says(200, "Associated", "job", owner.Email)
	var users []string
	for row := range w.target.Rows("gsuser") {
		users = append(users, fmt.Sprint(row["Gsid"]))
	}
	w.want(w.post("/avatars/"+owner.ID, url.Values{"connection": {j.Connection}}), http.StatusUnprocessableEntity, "Choose both")
	w.open("/avatars/"+owner.ID).says(200, "Choose one user", owner.Email)
	w.open("/avatars/"+owner.ID+"?q=nobody-at-all").says(200, "No user of Gainsight matches")
	w.want(w.post("/avatars/"+owner.ID, url.Values{"connection": {j.Connection}, "user": {users[1]}}), http.StatusSeeOther)
	avatars, err := w.sys.Avatars.GetMany(t.Context(), j.Connection, []string{owner.ID})
	if err != nil || avatars[owner.ID].UserGSID != users[1] || avatars[owner.ID].By != "ada@example.com" {
		t.Errorf("avatar %+v, %v", avatars, err)
	}
	w.want(w.post("/avatars/"+owner.ID+"/remove", url.Values{"connection": {j.Connection}}), http.StatusSeeOther)
	w.open("/avatars?state=Unmatched").says(200, owner.Email, "no user yet")
	w.open("/avatars?q="+url.QueryEscape(owner.Email)).says(200, owner.Email)
	w.open("/avatars?q=zzzz").says(200, "No owner matches")
	w.open("/activity/updates?what=avatar").says(200, "HubSpot owner "+owner.ID, "deleted", "edited")
}

func TestARecordIsFound(t *testing.T) {
	w, _ := filled(t)
	var id, name string
	for row := range w.target.Rows("company") {
		if account := row["HubSpot_Account_ID_90210__gc"]; account != nil {
			id, name = fmt.Sprint(account), fmt.Sprint(row["Name"])
			break
		}
	}
	for _, query := range []string{id, "https://app.hubspot.com/contacts/90210/record/0-2/" + id, name} {
		w.open("/find?q="+url.QueryEscape(query)).says(200, "Company Sync_HubSpot", "inserted", id)
	}
	w.open("/find?q=123").says(200, "No job knows this record")
	w.open("/find").says(200, "Why is this contact not there?")
}

func TestReasonsAreListedWithTheirWayOut(t *testing.T) {
	w := newWorld(t)
	w.open("/reasons").says(200, `id="NO_MATCH"`, `id="AMBIGUOUS_USER"`, "How to fix it")
}

func TestAnAmbiguousOwnerStandsFirst(t *testing.T) {
	w := newWorld(t)
	w.portal.AddOwner(hubspotsim.Owner{Email: "ann@vendor.example", FirstName: "Ann", LastName: "Able"})
	w.portal.AddOwner(hubspotsim.Owner{Email: "zoe@vendor.example", FirstName: "Zoe", LastName: "Zander"})
	w.target.SeedExisting(gainsightsim.Existing{PortalID: portalID, Users: []gainsightsim.ExistingUser{{Email: "zoe@vendor.example", FirstName: "Zoe", LastName: "Zander", Twice: true}}})
	w.connect()
	if _, err := w.sys.Run(t.Context(), run.Input{Job: "User Sync_HubSpot"}, nil); err != nil {
		t.Fatal(err)
	}
	p := w.open("/avatars").says(200, "Ambiguous", "1 active owner has no user yet", "Retry now")
	if zoe, ann := strings.Index(p.body, "Zoe Zander"), strings.Index(p.body, "Ann Able"); zoe < 0 || zoe > ann {
		t.Error("the ambiguous owner does not stand first")
	}
	w.want(w.post("/avatars/retry", url.Values{"job": {w.job("User Sync_HubSpot").ID}}), http.StatusSeeOther)
	w.ended(2)
}

func TestSkippedRealTimeRunsAreShownIfAskedFor(t *testing.T) {
	w := newWorld(t)
	w.connect()
	at := time.Now()
	for _, e := range []activity.Execution{
		{RunID: "01J1", Job: "Told", Status: "Success", Cause: "webhook", Started: at, Ended: at},
		{RunID: "01J2", Job: "Waited", Status: "Skipped", Cause: "webhook", Started: at, Ended: at},
	} {
		for _, op := range w.sys.Activity.ExecutionOps(e) {
			if err := w.sys.Runs.Table.PutMany(t.Context(), []table.Item{op.Item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		path  string
		shown bool
	}{
		{"/activity", false}, {"/activity?status=&job=&from=&to=", false}, {"/activity?skipped=on", true}, {"/activity?status=Skipped", true},
	} {
		if got := strings.Contains(w.want(w.get(tt.path), 200).body, "/activity/runs/01J2"); got != tt.shown {
			t.Errorf("%s shows the skipped run: %v", tt.path, got)
		}
	}
}
