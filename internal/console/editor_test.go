package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// withDeals returns a connected world with deals in HubSpot and an object for
// them in Gainsight.
func withDeals(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	company := w.portal.Create("companies", map[string]string{"name": "Acme"})
	for i, stage := range []string{"appointmentscheduled", "closedwon", "closedlost"} {
		deal := w.portal.Create("deals", map[string]string{"dealname": fmt.Sprintf("Deal %d", i+1), "amount": fmt.Sprint(100 * (i + 1)), "dealstage": stage})
		w.portal.Associate("deals", deal, "companies", company, "Primary")
	}
	w.target.AddObject("hubspot_deal__gc", "HubSpot Deal")
	for _, f := range []gainsightsim.Field{
		{Name: "Deal_ID__gc", Label: "Deal ID", DataType: "STRING", Nillable: true},
		{Name: "Amount__gc", Label: "Amount", DataType: "NUMBER", Nillable: true},
		{Name: "State__gc", Label: "State", DataType: "STRING", Nillable: true},
		{Name: "Company__gc", Label: "Company", DataType: "LOOKUP", LookupObject: "company", Nillable: true},
	} {
		w.target.AddField("hubspot_deal__gc", f)
	}
	w.connect()
	return w
}

// newDealJob builds a job by clicking alone, up to its last step.
func (w *world) newDealJob() *page {
	w.t.Helper()
	p := w.open("/jobs/new").set("name", "Deals", "source", "deal").press("")
	for _, property := range []string{"hs_object_id", "dealname", "amount", "dealstage"} {
		p.editor().values.Add("pick", property)
	}
	p = p.press("pick:fields")
	p = p.set("associate.object", "company").press("associate:fields")
	p = p.press("add:filter.conditions").set("filter.conditions[0].field", "amount").press("refresh")
	p = p.set("filter.conditions[0].op", "greaterOrEqual", "filter.conditions[0].value", "200").press("add:cases")
	p = p.set("cases[0].name", "State", "cases[0].default.text", "Open").press("add:cases[0].when[0].if.conditions")
	p = p.set("cases[0].when[0].if.conditions[0].field", "dealstage").press("refresh")
	p = p.set("cases[0].when[0].if.conditions[0].op", "in", "cases[0].when[0].if.conditions[0].item", "closedwon", "cases[0].when[0].then.text", "Won").press("go:destination")
	p = p.set("target", "hubspot_deal__gc").press("refresh")
	for i, m := range [][2]string{{"hs_object_id", "Deal_ID__gc"}, {"amount", "Amount__gc"}, {"State", "State__gc"}, {"dealname", "Name"}} {
		p = p.press("add:direct").set(fmt.Sprintf("direct[%d].from", i), m[0], fmt.Sprintf("direct[%d].to", i), m[1])
	}
	p = p.set("direct[0].identifier", "on").press("add:derived")
	p = p.set("derived[0].to", "Company__gc", "derived[0].object", "company").press("refresh")
	p = p.set("derived[0].match[0].from", "associated_company_id", "derived[0].match[0].field", "HubSpot_Account_ID_90210__gc", "derived[0].none", "null")
	return p.press("go:configure")
}

func TestACustomJobIsBuiltByClickingAndRuns(t *testing.T) {
	w := withDeals(t)
	if _, err := w.sys.Run(t.Context(), run.Input{Job: "Company Sync_HubSpot"}, nil); err != nil {
		t.Fatal(err)
	}
	p := w.newDealJob()
	p = p.set("schedule.type", "time", "schedule.kind", "weekly", "schedule.days", "monday", "schedule.at", "06:30", "schedule.zone", "Europe/Berlin", "schedule.enabled", "on",
		"recipients.own", "on", "recipients.failure", "ops@example.com", "options.realTime", "on",
		"options.whenDeleted.do", "set", "options.whenDeleted.field", "State__gc", "options.whenDeleted.value", "Gone")
	p = p.press("save").says(http.StatusUnprocessableEntity, "is mapped and cannot say that a record is deleted").set("options.whenDeleted.do", "delete")
	p.press("save").says(200, "The job is saved", "Deals", "Scheduled Execution")
	text := func(s string) mapping.Value { return mapping.Value{Text: &s} }
	want := mapping.Config{
		Source: "deal", Target: "hubspot_deal__gc",
		Fields: []mapping.Field{
			{Name: "hs_object_id"},
			{Name: "dealname"},
			{Name: "amount"},
			{Name: "dealstage"},
			{Name: "associated_company_id", Label: "Associated Company ID", Association: &mapping.Association{Object: "company"}},
		},
		Filter: condition.Filter{Conditions: []condition.Condition{{Field: "amount", Op: condition.GreaterOrEqual, Value: []string{"200"}}}},
		Cases: []mapping.Case{{Name: "State", Type: "string", Default: text("Open"), When: []mapping.When{{
			If: condition.Filter{Conditions: []condition.Condition{{Field: "dealstage", Op: condition.In, Value: []string{"closedwon"}}}}, Then: text("Won"),
		}}}},
		Direct: []mapping.Direct{
			{From: "hs_object_id", To: "Deal_ID__gc", Identifier: true},
			{From: "amount", To: "Amount__gc"},
			{From: "State", To: "State__gc"},
			{From: "dealname", To: "Name"},
		},
		Derived: []mapping.Derived{{
			To: "Company__gc", Object: "company", Match: []mapping.Pair{{From: "associated_company_id", Field: "HubSpot_Account_ID_90210__gc"}},
			Multiple: mapping.MultipleError, None: mapping.NoneNull,
		}},
	}
	j := w.job("Deals")
	if diff := cmp.Diff(job.Options{RealTime: true, WhenDeleted: job.WhenDeleted{Do: job.DoDelete}}, j.Options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, j.Mapping); diff != "" {
		t.Fatalf("mapping (-want +got):\n%s", diff)
	}
	res, err := w.sys.Run(t.Context(), run.Input{Job: "Deals"}, nil)
	if err != nil || res.Runs[0].Status != run.Success {
		t.Fatalf("run %+v, %v", res.Runs, err)
	}
	got := map[any]any{}
	for row := range w.target.Rows("hubspot_deal__gc") {
		got[row["Name"]] = row["State__gc"]
		if row["Company__gc"] == nil {
			t.Errorf("%v has no company", row["Name"])
		}
	}
	if diff := cmp.Diff(map[any]any{"Deal 2": "Won", "Deal 3": "Open"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	w.open("/jobs/"+j.ID+"/edit/configure").says(200, `value="06:30"`, "ops@example.com")
}

func TestAllProblemsAreShownAtOnceBesideTheirFields(t *testing.T) {
	w := withDeals(t)
	p := w.newDealJob().press("go:preparation")
	p = p.set("filter.conditions[0].value", "much", "cases[0].name", "").press("go:destination")
	p = p.set("direct[0].identifier", "", "direct[1].to", "Deal_ID__gc")
	p.editor().values.Del("direct[0].identifier")
	p = p.press("go:configure").set("schedule.type", "time", "schedule.at", "25:00", "schedule.zone", "Nowhere", "recipients.own", "on", "recipients.failure", "nobody")
	p = p.press("save").says(http.StatusUnprocessableEntity, "things have to be corrected", "is not a number", "has no name", "No mapping is an identifier", "The start time", "time zone", "is not a mail address")
	for _, id := range []string{"schedule-at", "schedule-zone", "recipients-failure"} {
		if p.editor().wrong[id] == "" {
			t.Errorf("nothing stands beside %s", id)
		}
	}
	p = p.press("go:preparation").says(200, "is not a number")
	if p.editor().wrong["cases-0-name"] == "" {
		t.Errorf("nothing stands beside the name of the case field, but %v", p.editor().wrong)
	}
	if _, err := w.sys.Jobs.Find(t.Context(), "Deals"); err == nil {
		t.Error("a job with problems was saved")
	}
}

func TestADraftOutlivesAReload(t *testing.T) {
	w := withDeals(t)
	p := w.newDealJob()
	key := strings.Split(p.path, "/")[2]
	w.open("/jobs").says(200, "Your drafts", "Deals", "not saved as a job yet")
	w.open("/jobs/"+key+"/edit/destination").says(200, `name="derived[0].to"`)
	kept := w.post("/jobs/"+key+"/edit/preparation", func() url.Values {
		f := w.open("/jobs/" + key + "/edit/preparation").editor().values
		f.Set("name", "Deals 2")
		f.Set("do", "draft")
		return f
	}())
	if kept.status != http.StatusNoContent || kept.header.Get("X-Saved") == "" {
		t.Fatalf("keeping answers %d", kept.status)
	}
	w.open("/jobs/"+key+"/edit/preparation").says(200, `value="Deals 2"`).press("discard").says(200, "discarded")
	w.want(w.get("/jobs/"+key+"/edit/preparation"), http.StatusNotFound)
}

func TestTwoTabsDoNotOverwriteOneAnother(t *testing.T) {
	w := newWorld(t)
	w.connect()
	edit := "/jobs/" + w.job("Company Sync_HubSpot").ID + "/edit/preparation"
	one, two := w.open(edit), w.open(edit)
	one.set("name", "From tab one").press("refresh").says(200)
	two = two.set("name", "From tab two").press("refresh").says(http.StatusConflict, "in another tab", "From tab one", "From tab two")
	two.press("keep:mine").says(200, "From tab two")
	w.open(edit).says(200, `value="From tab two"`)
}

func TestTwoAdminsDoNotOverwriteOneAnother(t *testing.T) {
	w := newWorld(t)
	w.connect()
	id := w.job("Company Sync_HubSpot").ID
	edit := "/jobs/" + id + "/edit/preparation"
	w.open(edit).set("name", "Ada's name").press("refresh").says(200)
	w.person = signin.Person{ID: "bob@example.com", Name: "Bob", Role: signin.Admin}
	w.open(edit).set("name", "Bob's name").press("save").says(200, "The job is saved")
	w.person = signin.Person{ID: "ada@example.com", Name: "Ada", Role: signin.Admin}
	p := w.open(edit).press("save").says(http.StatusConflict, "Somebody else saved this job meanwhile", "Bob&#39;s name", "Ada&#39;s name")
	if w.job(id).Name != "Bob's name" {
		t.Fatal("the other's change is lost")
	}
	p.press("save:over").says(200, "The job is saved")
	if w.job(id).Name != "Ada's name" {
		t.Error("the change was not saved")
	}
}

func TestLongNamesAndManyMappingsAreTakenAsTheyAre(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.target.AddField("company", gainsightsim.Field{Name: fmt.Sprintf("F%d__gc", i), Label: fmt.Sprintf("Field %d", i), DataType: "STRING", Nillable: true})
	}
	w.connect()
	j := w.job("Company Sync_HubSpot")
	for i := range 200 {
		j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "name", To: fmt.Sprintf("F%d__gc", i)})
	}
	j, err := w.sys.Jobs.Save(t.Context(), j, "test")
	if err != nil {
		t.Fatal(err)
	}
	p := w.open("/jobs/"+j.ID+"/edit/destination").says(200, `value="Field 199"`)
	p = p.set("direct[201].default", "x").press("go:preparation").set("name", strings.Repeat("n", 10_000)).press("save")
	p.says(http.StatusUnprocessableEntity, "longer than 200 characters").set("name", "Company Sync_HubSpot").press("save").says(200, "The job is saved")
	got := w.job(j.ID).Mapping
	x := "x"
	j.Mapping.Direct[201].Default = &x
	if diff := cmp.Diff(j.Mapping, got); diff != "" {
		t.Errorf("mapping (-want +got):\n%s", diff)
	}
}

func TestAPreviewWritesNothing(t *testing.T) {
	w := withDeals(t)
	p := w.newDealJob()
	before := w.target.Writes()
	p.press("preview").says(200, "writes nothing")
	shown := w.open(p.path[:strings.LastIndex(p.path, "/")] + "/preview?of=all")
	shown.says(200, "Rows to insert", "Deal 2", "State", "Records that the filter leaves out", "Gainsight call")
	w.open("/jobs/"+w.job("Company Sync_HubSpot").ID+"/preview?of=sample").says(200, "Rows to insert", "Acme")
	if after := w.target.Writes(); after != before {
		t.Errorf("a preview wrote %d times", after-before)
	}
	for row := range w.target.Rows("hubspot_deal__gc") {
		t.Errorf("a preview made the row %v", row)
	}
}

func TestTheSampleIsTheDatasetAfterItsFilter(t *testing.T) {
	w := withDeals(t)
	p := w.newDealJob()
	sample := w.open(p.path[:strings.LastIndex(p.path, "/")] + "/sample")
	sample.says(200, "3 records of HubSpot", "lets 2 of them pass", "Won", "Associated Company ID")
}

func TestPropertiesAreSearchedOnTheServer(t *testing.T) {
	w := newWorld(t)
	w.connect()
	p := w.open("/jobs/" + w.job("Company Sync_HubSpot").ID + "/edit/preparation")
	p = p.set("search", "ANNUAL rev").press("search:search").says(200, "Annual revenue", "1 property")
	p.set("search", "no such property").press("search:search").says(200, "No property matches.")
}

func TestAPersonKeyCannotBeUntickedInItsJob(t *testing.T) {
	w := newWorld(t)
	w.connect()
	j := w.job("Company Person Sync_HubSpot")
	p := w.open("/jobs/"+j.ID+"/edit/destination").says(200, "Gainsight tells people apart by Email")
	p.editor().values.Del("direct[0].identifier")
	p.press("save").says(200, "The job is saved")
	if !w.job(j.ID).Mapping.Direct[0].Identifier {
		t.Error("the identifier is gone")
	}
}
