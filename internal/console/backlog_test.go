package console_test

import (
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/table"
)

// backlogs stores a first load of companies that is a quarter done, and one of people
// that waits for it.
func (w *world) backlogs() (company, people string) {
	w.t.Helper()
	company, people = w.job("Company Sync_HubSpot").ID, w.job("Company Person Sync_HubSpot").ID
	for _, b := range []run.Backlog{
		{Job: company, Opened: time.Now().Add(-48 * time.Hour), Spans: []run.Span{{First: true}}, Total: 120_000, Read: 30_000, PerDay: 20_000},
		{Job: people, Opened: time.Now().Add(-24 * time.Hour), Spans: []run.Span{{}}},
	} {
		if err := w.sys.Runs.Table.PutMany(w.t.Context(), []table.Item{run.BacklogOp(b).Item}); err != nil {
			w.t.Fatal(err)
		}
	}
	return company, people
}

func TestPagesTellHowFarFirstLoadsAre(t *testing.T) {
	w := newWorld(t)
	w.connect()
	company, people := w.backlogs()
	const settled, end = "30,000 of 120,000 records settled (25%)", "Expected end"
	w.open("/activity").says(200, "In slices", "First load: "+settled, "Since", end, "Comparison: 0 records settled, of how many is not known",
		"Waits for other jobs", `It waits for <span dir="auto">Company Sync_HubSpot</span>.`, "Expected end not known", `href="/jobs/`+company+`/edit"`)
	w.open("/jobs").says(200, "First load in slices: 25%, expected end", "Comparison in slices")
	w.open("/jobs/"+company+"/edit/destination").says(200, "First load", settled, end, "Its next slice has not started yet.")
	w.open("/jobs/"+people+"/preview").says(200, "Comparison", `It waits for <span dir="auto">Company Sync_HubSpot</span>.`)
	w.person = signin.Person{ID: "vic", Role: signin.Viewer}
	w.open("/activity").says(200, settled, `href="/jobs/`+company+`/preview"`)
	w.open("/jobs/"+company+"/preview").says(200, settled)
	w.person.Role = signin.Admin
	conn := w.job("Company Sync_HubSpot").Connection
	if err := w.sys.Connections.NeedsReauthorization(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	w.open("/activity").says(200, "Needs authorization", "It goes on once the connection is authorized again.")
}

func TestSlicesThatFailedSayWhenTheyAreTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.connect()
	b := run.Backlog{Job: w.job("Company Sync_HubSpot").ID, Opened: time.Now(), Spans: []run.Span{{}}, Total: 10, Failures: 2, NotBefore: time.Now().Add(time.Hour)}
	if err := w.sys.Runs.Table.PutMany(t.Context(), []table.Item{run.BacklogOp(b).Item}); err != nil {
		t.Fatal(err)
	}
	w.open("/activity").says(200, "Paused", "The last 2 slices failed: it is tried again")
}

func TestTheWeeklyComparisonIsLeftOutByTheJobsPage(t *testing.T) {
	w := newWorld(t)
	w.connect()
	j := w.job("Company Sync_HubSpot")
	const option = "options.noComparison"
	p := w.open("/jobs/"+j.ID+"/edit/configure").says(200, "Leave out the weekly comparison")
	p.set(option, "on").press("save").says(200, "The job is saved")
	if o := w.job(j.Name).Options; !o.NoComparison || !o.RealTime {
		t.Errorf("options %+v", o)
	}
	p = w.open("/jobs/" + j.ID + "/edit/configure")
	if p.editor().values.Get(option) != "on" {
		t.Error("the box is not ticked")
	}
	p.editor().values.Del(option)
	p.press("save").says(200, "The job is saved")
	if w.job(j.Name).Options.NoComparison {
		t.Error("it is still left out")
	}
}

func TestThePreviewNamesACustomObjectAsPeopleDo(t *testing.T) {
	w := withDeals(t)
	w.newDealJob().press("save").says(200, "The job is saved")
	w.open("/jobs/"+w.job("Deals").ID+"/preview").says(200, "Deal to HubSpot Deal.")
}

func TestPropertiesAreExplainedAsInHubSpot(t *testing.T) {
	w := newWorld(t)
	w.portal.DefineProperty("companies", hubspotsim.Property{Name: "tier", Label: "Tier", Type: "string", FieldType: "text", Description: "How much we care. <b>Gold</b> is most."})
	w.connect()
	const shown = "How much we care. &lt;b&gt;Gold&lt;/b&gt; is most."
	p := w.open("/jobs/"+w.job("Company Sync_HubSpot").ID+"/edit/preparation").set("search", "tier").press("search:search").says(200, shown)
	p.editor().values.Set("pick", "tier")
	p.press("pick:fields").says(200, `title="`+shown+`"`)
}
