package hubspotsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func TestListPagesByTheIDOfTheNextRecord(t *testing.T) {
	w := start(t, free())
	ids := w.companies(5)
	var got []string
	after, pages := "", 0
	for {
		answer := w.get("/crm/objects/" + v + "/companies?limit=2&after=" + after)
		answer.wants(t, http.StatusOK)
		p := answer.page(t)
		got = append(got, p.ids()...)
		after = p.Paging.Next.After
		if pages++; after == "" {
			break
		}
		if want := ids[2*pages]; after != want {
			t.Errorf("after = %s, want the next id %s", after, want)
		}
		if want := "https://api.hubapi.com/crm/objects/" + v + "/companies?after=" + after + "&limit=2"; p.Paging.Next.Link != want {
			t.Errorf("link = %s, want %s", p.Paging.Next.Link, want)
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, %s", pages, diff)
	}
}

func TestAnyIDMayStartAPage(t *testing.T) {
	w := start(t, free())
	ids := w.companies(3)
	if got := w.get("/crm/objects/" + v + "/0-2?after=" + ids[1]).page(t).ids(); !cmp.Equal(got, ids[1:]) {
		t.Errorf("got %v, want %v", got, ids[1:])
	}
}

func TestListValues(t *testing.T) {
	w := start(t, free())
	id := w.portal.Create("contacts", set("email", "ann@acme.example", "firstname", "Änn \"A\"\nB", "phone", ""))
	w.passed = 1500 * time.Millisecond
	w.portal.Set("contacts", id, set("lastname", "Lee", "jobtitle", "x"))
	w.portal.Set("contacts", id, set("jobtitle", ""))
	answer := w.get("/crm/objects/" + v + "/contacts?properties=firstname,phone,nonsense&properties=lastname&properties=jobtitle,hs_lastmodifieddate")
	answer.wants(t, http.StatusOK, `"phone":null`, `"jobtitle":null`, `"hs_lastmodifieddate":null`,
		`"firstname":"Änn \"A\"\nB"`, `"url":"https://app.hubspot.com/contacts/90210/record/0-1/`+id+`"`)
	got := answer.page(t).Results[0]
	if len(got.Properties) != 8 || *got.Properties["hs_object_id"] != id ||
		*got.Properties["createdate"] != "2026-11-23T10:00:00.000Z" || *got.Properties["lastmodifieddate"] != "2026-11-23T10:00:01.500Z" ||
		*got.Properties["lastname"] != "Lee" {
		t.Errorf("properties: %s", answer.body)
	}
	if got.CreatedAt != "2026-11-23T10:00:00.000Z" || got.UpdatedAt != "2026-11-23T10:00:01.500Z" || got.Archived {
		t.Errorf("record: %+v", got)
	}
}

func TestAClearedValueMayReadAsEmptyText(t *testing.T) {
	o := free()
	o.EmptyText = true
	w := start(t, o)
	id := w.portal.Create("companies", set("name", "Acme", "city", ""))
	w.portal.Set("companies", id, set("name", "", "zip", ""))
	w.get("/crm/objects/"+v+"/companies?properties=name,city,zip").wants(t, http.StatusOK, `"name":""`, `"city":null`, `"zip":null`)
	if rec, _ := w.portal.Get("companies", id); !cmp.Equal(rec.Values()["name"], "") {
		t.Error("the truth lost the cleared value")
	} else if _, ok := rec.Value("city"); ok {
		t.Error("a value that was never set is set")
	}
}

func TestDefaultProperties(t *testing.T) {
	w := start(t, free())
	for object, want := range map[string]string{
		"companies": "createdate domain hs_lastmodifieddate hs_object_id name",
		"contacts":  "createdate email firstname hs_object_id lastmodifieddate lastname",
		"deals":     "amount closedate createdate dealname dealstage hs_lastmodifieddate hs_object_id pipeline",
		"tickets":   "content createdate hs_lastmodifieddate hs_object_id hs_pipeline hs_pipeline_stage hs_ticket_category hs_ticket_priority subject",
		"notes":     "hs_createdate hs_lastmodifieddate hs_object_id",
	} {
		w.portal.Create(object, nil)
		got := w.get("/crm/objects/" + v + "/" + object).page(t).Results[0].Properties
		for _, name := range strings.Fields(want) {
			if _, ok := got[name]; !ok || len(got) != len(strings.Fields(want)) {
				t.Errorf("%s: got %d properties, %s missing: %v", object, len(got), name, !ok)
			}
		}
	}
}

func TestReadLimitsAreEnforced(t *testing.T) {
	w := start(t, free())
	w.companies(101)
	inputs := func(n int) string {
		return `{"inputs":[` + strings.TrimSuffix(strings.Repeat(`{"id":"1"},`, n), ",") + `]`
	}
	objects, associations := "/crm/objects/"+v+"/companies", "/crm/associations/"+v+"/contacts/companies/batch/read"
	for _, test := range []struct {
		name, path, body string
		status           int
		text             string
	}{
		{"page of 100", objects + "?limit=100", "", 200, ""},
		{"page of 101", objects + "?limit=101", "", 400, "VALIDATION_ERROR"},
		{"page of 0", objects + "?limit=0", "", 400, "VALIDATION_ERROR"},
		{"page of 50 with history", objects + "?limit=50&propertiesWithHistory=name", "", 200, ""},
		{"page of 51 with history", objects + "?limit=51&propertiesWithHistory=name", "", 400, "VALIDATION_ERROR"},
		{"batch of 100", objects + "/batch/read", inputs(100) + "}", 207, "OBJECT_NOT_FOUND"},
		{"batch of 101", objects + "/batch/read", inputs(101) + "}", 400, "VALIDATION_ERROR"},
		{"batch of 51 with history", objects + "/batch/read", inputs(51) + `,"propertiesWithHistory":["name"]}`, 400, "inputs supported in a batch request for property histories is 50."},
		{"1,000 associations", associations, inputs(1000) + "}", 207, "OBJECT_NOT_FOUND"},
		{"1,001 associations", associations, inputs(1001) + "}", 400, "VALIDATION_ERROR"},
		{"500 owners", "/crm/owners/" + v + "?limit=500", "", 200, ""},
		{"501 owners", "/crm/owners/" + v + "?limit=501", "", 400, "VALIDATION_ERROR"},
		{"no JSON", objects + "/batch/read", "<html>", 400, "Invalid input JSON"},
		{"cursor of associations", objects + "?after=NTAw", "", 400, "Cannot deserialize value of type"},
		{"cursor of a search", objects + "?after=200", "", 400, "Cannot deserialize value of type"},
		{"unknown type", "/crm/objects/" + v + "/butterflies", "", 400, `"message":"Unable to infer object type from: butterflies"`},
		{"type that is not activated", "/crm/objects/" + v + "/appointments", "", 400, "Unable to infer object type"},
		{"older version", "/crm/objects/2026-03/companies", "", 200, ""},
		{"other version", "/crm/objects/2025-09/companies", "", 404, "error"},
		{"recent endpoint", "/companies/v2/companies/recent/modified", "", 404, "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := w.get
			if test.body != "" {
				answer = func(path string) response { return w.post(path, test.body) }
			}
			answer(test.path).wants(t, test.status, test.text)
		})
	}
}

func TestURLAbove16000CharactersIsRefused(t *testing.T) {
	w := start(t, free())
	path := "/crm/objects/" + v + "/companies?properties="
	w.get(path+strings.Repeat("x", 16_000-len(path))).wants(t, http.StatusOK)
	w.get(path+strings.Repeat("x", 16_001-len(path))).wants(t, http.StatusRequestURITooLong, "<html>")
}

func TestHistoryHoldsTheValueAndNothingWhereThereIsNone(t *testing.T) {
	w := start(t, free())
	w.portal.Create("companies", set("name", "A"))
	w.portal.Create("companies", nil)
	w.portal.Create("companies", set("name", "C"))
	got := w.get("/crm/objects/" + v + "/companies?limit=50&propertiesWithHistory=name").page(t)
	if len(got.Results) != 3 || got.Results[0].History["name"][0].Value != "A" || len(got.Results[1].History["name"]) != 0 {
		t.Errorf("got %+v", got.Results)
	}
}

func TestSingleRecord(t *testing.T) {
	w := start(t, free())
	id := w.portal.Create("contacts", set("email", "Ann@Acme.example"))
	path := "/crm/objects/" + v + "/contacts/"
	w.get(path+id).wants(t, http.StatusOK, `"id":"`+id+`"`)
	w.get(path+"ann@acme.example?idProperty=email").wants(t, http.StatusOK, `"id":"`+id+`"`)
	w.get(path+"12").wants(t, http.StatusNotFound, `"message":"Object not found.  objectId are usually numeric."`, `"category":"OBJECT_NOT_FOUND"`)
	w.get(path+"x").wants(t, http.StatusNotFound)
}

func TestBatchReadTellsWhatIsMissing(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	path := "/crm/objects/" + v + "/companies/batch/read"
	w.post(path, `{"inputs":[{"id":"`+ids[0]+`"},{"id":`+ids[1]+`},{"id":"`+ids[0]+`"}],"properties":["name"]}`).
		wants(t, http.StatusOK, `"status":"COMPLETE"`, `"name":"Company 0"`, `"name":"Company 1"`, `"completedAt"`)
	answer := w.post(path, `{"inputs":[{"id":"`+ids[0]+`"},{"id":"999"},{"id":"x"}]}`)
	answer.wants(t, http.StatusMultiStatus, "Could not get some COMPANY objects, they may be deleted or not exist. Check that ids are valid.")
	got := answer.page(t)
	if len(got.Results) != 1 || got.NumErrors != 1 || !cmp.Equal(got.Errors[0].Context["ids"], []string{"x", "999"}) {
		t.Errorf("got %s", answer.body)
	}
}

func TestBatchReadByProperty(t *testing.T) {
	w := start(t, free())
	id := w.portal.Create("contacts", set("email", "ann@acme.example"))
	answer := w.post("/crm/objects/"+v+"/contacts/batch/read", `{"inputs":[{"id":"ANN@acme.example"}],"idProperty":"email"}`)
	answer.wants(t, http.StatusOK)
	if got := answer.page(t).ids(); !cmp.Equal(got, []string{id}) {
		t.Errorf("got %v", got)
	}
}

func TestArchivedRecordsMoveToTheArchivedListAndBack(t *testing.T) {
	w := start(t, free())
	ids := w.companies(3)
	list := "/crm/objects/" + v + "/companies"
	w.passed = time.Minute
	w.portal.Archive("companies", ids[1])
	live, archived := w.get(list).page(t), w.get(list+"?archived=true").page(t)
	if !cmp.Equal(live.ids(), []string{ids[0], ids[2]}) || !cmp.Equal(archived.ids(), ids[1:2]) {
		t.Fatalf("live %v, archived %v", live.ids(), archived.ids())
	}
	if got := archived.Results[0]; !got.Archived || got.ArchivedAt != "2026-11-23T10:01:00.000Z" || got.UpdatedAt != "2026-11-23T10:00:00.000Z" {
		t.Errorf("archived record: %+v", got)
	}
	batch := `{"inputs":[{"id":"` + ids[0] + `"},{"id":"` + ids[1] + `"}]}`
	if got := w.post(list+"/batch/read?archived=true", batch).page(t).ids(); !cmp.Equal(got, ids[1:2]) {
		t.Errorf("archived=true read %v", got)
	}
	if got := w.post(list+"/batch/read", batch).page(t).ids(); !cmp.Equal(got, ids[:1]) {
		t.Errorf("batch/read read %v", got)
	}
	w.get(list+"/"+ids[1]).wants(t, http.StatusNotFound)
	w.portal.Restore("companies", ids[1])
	if got := w.get(list).page(t).ids(); !cmp.Equal(got, ids) {
		t.Errorf("after the restore: %v", got)
	}
	w.portal.Purge("companies", ids[1])
	for _, query := range []string{"", "?archived=true"} {
		if got := w.get(list + query).page(t).ids(); len(got) > 2 || strings.Contains(fmt.Sprint(got), ids[1]) {
			t.Errorf("after the purge: %v", got)
		}
	}
}

func TestAMergeMakesANewRecordThatOldIDsLeadTo(t *testing.T) {
	w := start(t, free())
	ids := w.companies(3)
	w.portal.Set("companies", ids[1], set("city", "Boston"))
	w.portal.Set("companies", ids[0], set("city", "Austin"))
	w.portal.Set("companies", ids[0], set("city", ""))
	contact := w.portal.Create("contacts", set("email", "a@b.example"))
	w.portal.Associate("contacts", contact, "companies", ids[1], hubspotsim.Primary)
	w.passed = time.Second
	first := w.portal.Merge("companies", ids[0], ids[1])
	last := w.portal.Merge("companies", first, ids[2])
	list := "/crm/objects/" + v + "/companies"
	answer := w.get(list + "?properties=name,city,hs_merged_object_ids")
	got := answer.page(t)
	if !cmp.Equal(got.ids(), []string{last}) || len(w.get(list+"?archived=true").page(t).Results) != 0 {
		t.Fatalf("live: %v", got.ids())
	}
	answer.wants(t, http.StatusOK, `"name":"Company 0"`, `"city":"Boston"`, `"updatedAt":"2026-11-23T10:00:01.000Z"`,
		`"hs_merged_object_ids":"`+strings.Join([]string{ids[0], ids[1], first, ids[2]}, ";")+`"`)
	for _, old := range []string{ids[0], ids[1], ids[2], first} {
		w.get(list+"/"+old).wants(t, http.StatusOK, `"id":"`+last+`"`)
	}
	w.post(list+"/batch/read", `{"inputs":[{"id":"`+ids[0]+`"}]}`).wants(t, http.StatusMultiStatus, ids[0])
	rec, _ := w.portal.Get("contacts", contact)
	if company, _ := rec.Value("associatedcompanyid"); company != last {
		t.Errorf("the contact is at %s, want %s", company, last)
	}
	if got := w.portal.Associated("contacts", contact, "companies"); !cmp.Equal(got, map[string][]string{last: {hubspotsim.Primary}}) {
		t.Errorf("associations: %v", got)
	}
	if old, _ := w.portal.Get("companies", ids[1]); old.MergedInto != first {
		t.Errorf("%s was merged into %q", ids[1], old.MergedInto)
	}
}

func TestAMergeOfDealsKeepsThePrimaryID(t *testing.T) {
	w := start(t, free())
	a := w.portal.Create("deals", set("dealname", "A"))
	b := w.portal.Create("deals", set("dealname", "B", "amount", "5"))
	if got := w.portal.Merge("deals", a, b); got != a {
		t.Errorf("the winner is %s, want %s", got, a)
	}
	w.get("/crm/objects/"+v+"/deals/"+b+"?properties=dealname,amount").wants(t, http.StatusOK, `"dealname":"A"`, `"amount":"5"`)
}

func TestMergedContactsListTheirMergeTimes(t *testing.T) {
	w := start(t, free())
	a := w.portal.Create("contacts", set("email", "a@x.example"))
	b := w.portal.Create("contacts", set("email", "b@x.example"))
	id := w.portal.Merge("contacts", a, b)
	w.get("/crm/objects/"+v+"/contacts/"+id+"?properties=hs_calculated_merged_vids").
		wants(t, http.StatusOK, `"`+a+":1795428000000;"+b+`:1795428000000"`)
}

func TestCalculatedValuesChangeWithoutANewModifiedTime(t *testing.T) {
	w := start(t, free())
	id := w.companies(1)[0]
	w.passed = time.Minute
	w.portal.SetSilently("companies", id, set("num_associated_deals", "3"))
	w.get("/crm/objects/"+v+"/companies?properties=num_associated_deals").
		wants(t, http.StatusOK, `"num_associated_deals":"3"`, `"updatedAt":"2026-11-23T10:00:00.000Z"`)
}

func TestGivenIDsAndDatesAreKept(t *testing.T) {
	w := start(t, free())
	w.portal.Create("companies", set("hs_object_id", "20", "createdate", "2020-01-02T03:04:05Z"))
	w.portal.Create("companies", set("hs_object_id", "7"))
	got := w.get("/crm/objects/" + v + "/companies?limit=1").page(t)
	if got.ids()[0] != "7" || got.Paging.Next.After != "20" {
		t.Errorf("first page %v, after %s", got.ids(), got.Paging.Next.After)
	}
	w.get("/crm/objects/"+v+"/companies?limit=1&after=20").wants(t, http.StatusOK, `"createdate":"2020-01-02T03:04:05.000Z"`)
}

func TestPropertyDefinitions(t *testing.T) {
	w := start(t, free())
	path := "/crm/properties/" + v + "/companies"
	w.get(path).wants(t, http.StatusOK, `"name":"industry"`, `"value":"BANKING"`, `"referencedObjectType":"OWNER"`, `"hubspotDefined":true`)
	w.portal.DefineProperty("companies", hubspotsim.Property{
		Name: "tier", Label: "Tier", Type: "enumeration", Options: []hubspotsim.Option{{Label: "One", Value: "1"}},
	})
	id := w.portal.Create("companies", set("tier", "1"))
	w.get(path).wants(t, http.StatusOK, `"name":"tier"`, `"fieldType":"select"`, `"label":"One"`)
	w.portal.RenameProperty("companies", "tier", "level")
	w.get("/crm/objects/"+v+"/companies?properties=level,tier").wants(t, http.StatusOK, `"level":"1"`)
	w.portal.ArchiveProperty("companies", "level")
	if answer := w.get(path); strings.Contains(string(answer.body), `"level"`) {
		t.Error("the archived property is still defined")
	}
	w.get(path+"?archived=true").wants(t, http.StatusOK, `"name":"level"`, `"archivedAt"`)
	if got := w.get("/crm/objects/" + v + "/companies/" + id + "?properties=level").page(t); strings.Contains(fmt.Sprint(got), "level") {
		t.Error("the archived property is still read")
	}
	contacts := "/crm/properties/" + v + "/contacts?dataSensitivity="
	if strings.Contains(string(w.get(contacts).body), `"date_of_birth"`) {
		t.Error("a sensitive property came unasked")
	}
	w.get(contacts+"sensitive").wants(t, http.StatusOK, `"date_of_birth"`)
}

func TestCustomObjectsAreFoundByIDAndQualifiedName(t *testing.T) {
	w := start(t, free())
	typeID := w.portal.DefineObject(hubspotsim.Schema{
		Name: "contacts", Singular: "Car", Plural: "Cars", Primary: "plate", Required: []string{"plate"},
		Properties: []hubspotsim.Property{{Name: "plate"}}, Associated: []string{"company"},
	})
	id := w.portal.Create(typeID, set("plate", "B-1"))
	for _, name := range []string{typeID, url.PathEscape("p90210_contacts")} {
		w.get("/crm/objects/"+v+"/"+name+"?properties=plate").wants(t, http.StatusOK, `"plate":"B-1"`, id)
	}
	if got := w.get("/crm/objects/" + v + "/contacts").page(t).Results; len(got) != 0 {
		t.Error("the custom object hides the standard one")
	}
	path := "/crm-object-schemas/" + v + "/schemas"
	w.get(path+"?includePropertyDefinitions=true").wants(t, http.StatusOK, `"objectTypeId":"`+typeID+`"`, `"fullyQualifiedName":"p90210_contacts"`, `"name":"plate"`, `"plural":"Cars"`)
	w.get(path+"/0-1").wants(t, http.StatusOK, `"objectTypeId":"0-1"`, `"name":"email"`)
	w.token, _ = w.portal.Token(appID, "crm.objects.contacts.read")
	w.get(path).wants(t, http.StatusForbidden, `"requiredGranularScopes":["custom-object-read"]`, `"category":"MISSING_SCOPES"`)
}

func TestNewerObjectsMustBeActivated(t *testing.T) {
	w := start(t, free())
	w.portal.Activate("appointments")
	w.get("/crm/objects/"+v+"/0-421").wants(t, http.StatusOK)
}

func TestTextThatIsNoUTF8IsStillJSON(t *testing.T) {
	w := start(t, free())
	w.portal.Create("companies", set("name", "a\xffb"))
	if got := w.get("/crm/objects/" + v + "/companies").page(t); *got.Results[0].Properties["name"] != "a\uFFFDb" {
		t.Errorf("name %q", *got.Results[0].Properties["name"])
	}
}

func TestAccountAndPipelines(t *testing.T) {
	w := start(t, free())
	w.get("/account-info/"+v+"/details").wants(t, http.StatusOK, `"portalId":90210`, `"dataHostingLocation":"na1"`)
	w.get("/crm/pipelines/"+v+"/deals").wants(t, http.StatusOK, `"id":"closedwon"`, `"isClosed":"true"`)
	w.get("/crm/pipelines/"+v+"/tickets").wants(t, http.StatusOK, `"ticketState":"CLOSED"`)
}
