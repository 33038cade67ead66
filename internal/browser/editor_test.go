package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/run"
)

// A job for deals with a filter, a case field and a look-up, built and run by
// clicks.
func TestACustomJobIsBuiltByClickingAndItsRowsArrive(t *testing.T) {
	w := newWorld(t)
	w.deals()
	w.connect()
	w.run(run.Input{Job: "Company Sync_HubSpot"})
	b := w.visit().signIn().press("Jobs").press("Create Job").fill("#name", "Deals").choose("#source", "Deal").press("Next: Preparation")
	b.see("No fields yet")
	for _, property := range []string{"hs_object_id", "dealname", "amount", "dealstage"} {
		b.fill("#search", property).press("[value='search:search']").click("[name=pick][value='" + property + "']").press("Add the ticked fields")
	}
	b.click("Add the id of an associated record").choose("#associate-object", "Company").press("[value='associate:fields']").see("Id of the primary associated Company")
	b.press("[value='add:filter.conditions']").turn("the field", func() { b.choose("[name='filter.conditions[0].field']", "Amount") })
	b.turn("the comparison", func() { b.choose("[name='filter.conditions[0].op']", "≥") }).fill("[name='filter.conditions[0].value']", "200")
	b.press("Add a case field").fill("[name='cases[0].name']", "State").press("[value='add:cases[0].when[0].if.conditions']")
	b.turn("the field", func() { b.choose("[name='cases[0].when[0].if.conditions[0].field']", "Deal stage") })
	b.turn("the comparison", func() { b.choose("[name='cases[0].when[0].if.conditions[0].op']", "in") })
	b.click(".boxes summary").click("[name='cases[0].when[0].if.conditions[0].item'][value=closedwon]").click(".head")
	b.fill("[name='cases[0].when[0].then.text']", "Won").fill("[name='cases[0].default.text']", "Open")
	b.see("Your draft is kept.").goTo(b.path()).see("records of HubSpot; the filter lets 3 of them pass")
	if got := b.value("[name='cases[0].default.text']"); got != "Open" {
		t.Errorf("after a reload the default of the case field is %q", got)
	}
	b.press("Next: Destination").turn("the target", func() { b.choose("#target", "HubSpot Deal") })
	for i, m := range [][2]string{{"Record ID", "Deal ID"}, {"Amount", "Amount"}, {"State", "State"}, {"Deal name", "Name"}} {
		at := "[name='direct[" + string(rune('0'+i)) + "]"
		b.press("Add a mapping").choose(at+".from']", m[0]).choose(at+".to']", m[1])
	}
	b.click("[name='direct[0].identifier']").press("Add a derived mapping").choose("[name='derived[0].to']", "Company")
	b.turn("the object", func() { b.choose("[name='derived[0].object']", "Company") })
	b.choose("[name='derived[0].match[0].from']", "Associated Company ID").choose("[name='derived[0].match[0].field']", "HubSpot Account ID_90210")
	b.choose("[name='derived[0].multiple']", "Mark record with an error").choose("[name='derived[0].none']", "Insert Null")
	b.press("Preview").press("On all changes").see("Insert 3", "Gainsight call")
	if w.target.Count("hubspot_deal__gc") != 0 {
		t.Error("the preview wrote rows")
	}
	b.press(".crumb a").press("[value='go:configure']").press("Save the job").see("The job is saved")

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
	if diff := cmp.Diff(want, w.job("Deals").Mapping); diff != "" {
		t.Fatalf("the mapping (-want +got):\n%s", diff)
	}
	b.click("Actions for Deals").click("Run now").press("Import Now").see("4 1 3 0 0 0") // read, filtered, inserted
	got := map[any]any{}
	for row := range w.target.Rows("hubspot_deal__gc") {
		got[row["Name"]] = row["State__gc"]
		if row["Company__gc"] == nil {
			t.Errorf("%v has no company", row["Name"])
		}
	}
	if diff := cmp.Diff(map[any]any{"Deal 2": "Won", "Deal 3": "Open", "Deal 4": "Won"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// The job editor from the first step to the saved job without a mouse.
func TestAJobIsBuiltWithTheKeyboardAlone(t *testing.T) {
	w := newWorld(t)
	w.deals()
	w.connect()
	b := w.visit().signIn()
	enter := func(what string) { b.turn(what, func() { b.tabTo(what).keys(kb.Enter) }) }
	b.turn("Skip", func() { b.goTo("/jobs") })
	enter("a[href='/jobs/new']")
	b.tabTo("#name").keys("Deals by keyboard").tabTo("#source").arrowTo("Deal")
	enter("main .primary")
	b.tabTo("#search").keys("hs_object_id")
	enter("[value='search:search']")
	b.tabTo("[name=pick][value=hs_object_id]").keys(" ")
	enter("[value='pick:fields']")
	b.tabTo("#search").keys("a", chromedp.ModifierCtrl).keys("amount")
	enter("[value='search:search']")
	b.tabTo("[name=pick][value=amount]").keys(" ")
	enter("[value='pick:fields']")
	enter("[value='add:filter.conditions']")
	onto := func(name string) {
		t.Helper()
		b.until("the focus goes to "+name, func() string {
			f, err := js[struct{ Name, Tag string }](b, "tools.focus()")
			if err != nil || f.Name != name {
				return "it is on " + f.Tag + " " + f.Name
			}
			return ""
		})
	}
	onto("filter.conditions[0].field") // a new row has the focus
	b.arrowTo("Amount").keys(kb.Tab)
	b.tabTo("[name='filter.conditions[0].op']").arrowTo("is not null").keys(kb.Tab)
	enter("[value='go:destination']")
	b.tabTo("#target").arrowTo("HubSpot Deal").keys(kb.Tab).see("No mappings yet")
	for i, m := range [][2]string{{"Record ID", "Deal ID"}, {"Amount", "Amount"}} {
		enter("[value='add:direct']")
		at := "direct[" + string(rune('0'+i)) + "]"
		onto(at + ".from")
		b.arrowTo(m[0]).tabTo("[name='" + at + ".to']").arrowTo(m[1])
	}
	b.tabTo("[name='direct[0].identifier']").keys(" ")
	enter("[value='go:configure']")
	enter("[value=save]")
	b.see("The job is saved", "Deals by keyboard")
	got := w.job("Deals by keyboard").Mapping
	want := []mapping.Direct{{From: "hs_object_id", To: "Deal_ID__gc", Identifier: true}, {From: "amount", To: "Amount__gc"}}
	if diff := cmp.Diff(want, got.Direct); diff != "" {
		t.Errorf("direct mappings (-want +got):\n%s", diff)
	}
	if len(got.Filter.Conditions) != 1 || got.Filter.Conditions[0].Field != "amount" {
		t.Errorf("the filter is %+v", got.Filter)
	}
}

func TestTwoTabsThatEditOneJobLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.connect()
	before := w.job("Company Sync_HubSpot")
	edit := "/jobs/" + before.ID + "/edit/preparation"
	one := w.visit().signIn().goTo(edit)
	two := one.another().goTo(edit)
	one.expect("status of 409")
	two.expect("status of 409")
	one.fill("#name", "Named in one tab").see("Your draft is kept.")
	two.fill("#name", "Named in the other tab").see("You changed this job in another tab meanwhile", "Nothing is lost", "Named in one tab")
	if got := two.value("#name"); got != "Named in the other tab" {
		t.Errorf("what was entered became %q", got)
	}
	two.press("Keep what is here").press("Save the job").see("The job is saved")
	after := w.job("Named in the other tab")
	if after.ID != before.ID {
		t.Errorf("another job was saved")
	}
	one.fill("#name", "Named in one tab, again")
	one.see("meanwhile", "Named in the other tab")
	if got := one.value("#name"); got != "Named in one tab, again" {
		t.Errorf("what was entered became %q", got)
	}
	if got := w.job("Named in the other tab"); got.Version != after.Version {
		t.Errorf("a draft changed the job: %+v", got)
	}
}

// Who is faster than the server loses nothing: a button that follows a choice at
// once works, and what is typed while the answer to a choice is on its way stays.
func TestNobodyHasToWaitForTheServer(t *testing.T) {
	w := newWorld(t)
	w.deals()
	w.connect()
	b := w.visit().signIn().goTo("/jobs/new").fill("#name", "Deals").choose("#source", "Deal").press("Next: Preparation")
	b.click("[name=pick][value=amount]").press("Add the ticked fields").press("[value='add:filter.conditions']")
	w.slow.Store(int64(300 * time.Millisecond))
	b.choose("[name='filter.conditions[0].field']", "Amount").clickAtOnce("#name").keys(" of this year")
	b.see("Comparison of condition A = ≠")
	if got := b.value("#name"); got != "Deals of this year" {
		t.Errorf("what was typed meanwhile became %q", got)
	}
	b.choose("[name='filter.conditions[0].op']", "is null").clickAtOnce("[value='add:filter.conditions']").see("B Field of condition B", "Expression")
	b.click("[value='remove:filter.conditions[1]']").press("[value='go:destination']")
	b.choose("#target", "HubSpot Deal").clickAtOnce("[value='go:configure']").see("Time based schedule")
	b.press("[value='go:destination']").see("Direct mappings")
	if got := b.value("#target"); got != "hubspot_deal__gc" {
		t.Errorf("the target is %q", got)
	}
}

// Somebody else saved the job: who comes second sees both and decides.
func TestTwoPeopleWhoEditOneJobLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.connect()
	j := w.job("Company Sync_HubSpot")
	b := w.visit().signIn().goTo("/jobs/"+j.ID+"/edit/preparation").fill("#name", "Mine").see("Your draft is kept.")
	theirs := j
	theirs.Name = "Theirs"
	save(w, theirs)
	b.expect("status of 409")
	b.press("Save the job").see("Somebody else saved this job meanwhile", "Theirs")
	if got := b.value("#name"); got != "Mine" {
		t.Errorf("what was entered became %q", got)
	}
	b.press("Save mine").see("The job is saved")
	if got := w.job("Mine"); got.ID != j.ID {
		t.Error("another job was saved")
	}
}

// save saves a job as somebody else would.
func save(w *world, j job.Job) {
	w.t.Helper()
	_, err := w.sys.Jobs.Save(w.t.Context(), j, "bob")
	w.check(err)
}
