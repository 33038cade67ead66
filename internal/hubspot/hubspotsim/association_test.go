package hubspotsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

type linked struct {
	From struct{ ID string }
	To   []struct {
		ToObjectID json.RawMessage `json:"toObjectId"`
		Types      []struct {
			Category string
			TypeID   int
			Label    *string
		} `json:"associationTypes"`
	}
	Paging struct{ Next struct{ After string } }
}

func links(t *testing.T, answer response) []linked {
	t.Helper()
	var out struct{ Results []linked }
	answer.decode(t, &out)
	return out.Results
}

func TestThePrimaryCompanyHasBothTypes(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	contact := w.portal.Create("contacts", nil)
	w.portal.Associate("contacts", contact, "companies", ids[0], hubspotsim.Primary)
	w.portal.Associate("contacts", contact, "companies", ids[1], "Decision maker")
	answer := w.post("/crm/associations/"+v+"/contacts/0-2/batch/read", `{"inputs":[{"id":"`+contact+`"}]}`)
	answer.wants(t, http.StatusOK, `"from":{"id":"`+contact+`"}`, `"toObjectId":`+ids[0],
		`[{"category":"HUBSPOT_DEFINED","label":"Primary","typeId":1},{"category":"HUBSPOT_DEFINED","label":null,"typeId":279}]`,
		`{"category":"HUBSPOT_DEFINED","label":null,"typeId":279},{"category":"USER_DEFINED","label":"Decision maker","typeId":`)
	back := w.post("/crm/associations/"+v+"/companies/contacts/batch/read", `{"inputs":[{"id":"`+ids[0]+`"}]}`)
	back.wants(t, http.StatusOK, `"typeId":280`, `"typeId":2}`)
	w.get("/crm/associations/"+v+"/contacts/companies/labels").wants(t, http.StatusOK, `"label":"Primary","typeId":1`, `"label":"Decision maker"`)
	inline := w.get("/crm/objects/" + v + "/contacts?associations=companies").page(t).Results[0].Associations["companies"].Results
	want := fmt.Sprintf("[{%s contact_to_company} {%s contact_to_company_unlabeled} {%s contact_to_company_unlabeled}]", ids[0], ids[0], ids[1])
	if got := fmt.Sprint(inline); got != want {
		t.Errorf("inline %s, want %s", got, want)
	}
}

func TestTypeIDs(t *testing.T) {
	w := start(t, free())
	for _, test := range []struct {
		from, to            string
		unlabeled, labelled int
	}{
		{"deals", "companies", 341, 5},
		{"companies", "deals", 342, 6},
		{"tickets", "companies", 339, 26},
		{"companies", "tickets", 340, 25},
		{"deals", "contacts", 3, 0},
		{"contacts", "deals", 4, 0},
		{"contacts", "tickets", 15, 0},
		{"deals", "tickets", 27, 0},
		{"deals", "line_items", 19, 0},
		{"contacts", "contacts", 449, 0},
		{"companies", "companies", 450, 13},
	} {
		answer := w.get("/crm/associations/" + v + "/" + test.from + "/" + test.to + "/labels")
		answer.wants(t, http.StatusOK, fmt.Sprintf(`"label":null,"typeId":%d}`, test.unlabeled))
		if test.labelled > 0 {
			answer.wants(t, http.StatusOK, fmt.Sprintf(`"typeId":%d}`, test.labelled))
		}
	}
}

func TestAssociatedCompanyIDFollowsThePrimaryCompany(t *testing.T) {
	for _, touches := range []bool{false, true} {
		o := free()
		o.AssociationTouches = touches
		w := start(t, o)
		ids := w.companies(2)
		contact := w.portal.Create("contacts", nil)
		check := func(want string) {
			t.Helper()
			rec, _ := w.portal.Get("contacts", contact)
			got, _ := rec.Value("associatedcompanyid")
			if got != want || rec.Updated.Equal(rec.Created) == touches {
				t.Errorf("touches %v: company %q, want %q; updated %s", touches, got, want, rec.Updated)
			}
		}
		w.passed = time.Second
		w.portal.Associate("contacts", contact, "companies", ids[0], hubspotsim.Primary)
		check(ids[0])
		w.portal.Associate("companies", ids[1], "contacts", contact, hubspotsim.Primary)
		check(ids[1])
		want := map[string][]string{ids[0]: {}, ids[1]: {hubspotsim.Primary}}
		if diff := cmp.Diff(want, w.portal.Associated("contacts", contact, "companies")); diff != "" {
			t.Error(diff)
		}
		w.portal.Dissociate("contacts", contact, "companies", ids[1], "")
		check("")
		if diff := cmp.Diff(map[string][]string{ids[0]: {}}, w.portal.Associated("contacts", contact, "companies")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAssociationsAreAPageOf500PerRecord(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	for i := range 1001 {
		w.portal.Associate("contacts", w.portal.Create("contacts", nil), "companies", ids[min(1, i)], "")
	}
	read := func(after string) response {
		return w.post("/crm/associations/"+v+"/companies/contacts/batch/read", `{"inputs":[{"id":"`+ids[0]+`"},{"id":"`+ids[1]+`","after":"`+after+`"}]}`)
	}
	seen := map[string]bool{}
	after := ""
	for page := range 2 {
		got := links(t, read(after))
		if len(got) != 2 || got[0].From.ID != ids[1] || len(got[0].To) != 500 || len(got[1].To) != 1 {
			t.Fatalf("page %d: %d results", page, len(got))
		}
		for _, to := range got[0].To {
			seen[string(to.ToObjectID)] = true
		}
		after = got[0].Paging.Next.After
	}
	if len(seen) != 1000 || after != "" {
		t.Errorf("%d contacts, after %q", len(seen), after)
	}
	read("28710045123").wants(t, http.StatusBadRequest)
	one := w.get("/crm/objects/" + v + "/companies/" + ids[1] + "/associations/contacts")
	one.wants(t, http.StatusOK, `"after":"NTAw"`)
	w.get("/crm/objects/"+v+"/companies/"+ids[1]+"/associations/contacts?limit=501").wants(t, http.StatusBadRequest)
	w.get("/crm/objects/"+v+"/companies/"+ids[1]+"/associations/contacts?after=NTAw").wants(t, http.StatusOK, `"results":[{`)
}

func TestRecordsWithoutAssociationsMakeTheAnswerPartial(t *testing.T) {
	o := free()
	o.StringIDs = true
	w := start(t, o)
	company := w.companies(1)[0]
	deal := w.portal.Create("deals", nil)
	lonely := w.portal.Create("deals", nil)
	archived := w.portal.Create("deals", nil)
	w.portal.Associate("deals", deal, "companies", company, "")
	w.portal.Archive("deals", archived)
	answer := w.post("/crm/associations/"+v+"/deals/companies/batch/read",
		`{"inputs":[{"id":"x"},{"id":"`+archived+`"},{"id":"`+lonely+`"},{"id":"`+deal+`"}]}`)
	answer.wants(t, http.StatusMultiStatus, `"toObjectId":"`+company+`"`, `"message":"No company is associated with deal `+lonely+`."`)
	got := answer.page(t)
	var codes []string
	for _, e := range got.Errors {
		codes = append(codes, e.Context["fromObjectId"][0]+" "+e.Category+" "+e.SubCategory)
	}
	want := []string{
		lonely + " OBJECT_NOT_FOUND crm.associations.NO_ASSOCIATIONS_FOUND", archived + " OBJECT_NOT_FOUND ",
		"x OBJECT_NOT_FOUND crm.associations.INVALID_IDENTIFIER",
	}
	if diff := cmp.Diff(want, codes); diff != "" || got.NumErrors != 3 || len(got.Results) != 1 {
		t.Errorf("%s: %s", diff, answer.body)
	}
	w.portal.Archive("companies", company)
	w.post("/crm/associations/"+v+"/deals/companies/batch/read", `{"inputs":[{"id":"`+deal+`"}]}`).
		wants(t, http.StatusMultiStatus, "NO_ASSOCIATIONS_FOUND")
}

func TestAMergedContactKeepsOnePrimaryCompany(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	a, b := w.portal.Create("contacts", nil), w.portal.Create("contacts", nil)
	w.portal.Associate("contacts", a, "companies", ids[0], hubspotsim.Primary)
	w.portal.Associate("contacts", b, "companies", ids[1], hubspotsim.Primary)
	w.portal.Associate("contacts", a, "contacts", b, "")
	id := w.portal.Merge("contacts", a, b)
	want := map[string][]string{ids[0]: {hubspotsim.Primary}, ids[1]: {}}
	if diff := cmp.Diff(want, w.portal.Associated("contacts", id, "companies")); diff != "" {
		t.Error(diff)
	}
	if rec, _ := w.portal.Get("contacts", id); rec.Values()["associatedcompanyid"] != ids[0] {
		t.Errorf("at company %s", rec.Values()["associatedcompanyid"])
	}
	if got := w.portal.Associated("contacts", id, "contacts"); len(got) != 0 {
		t.Errorf("associated with itself: %v", got)
	}
}

func TestLabelsOfCompaniesPointBothWays(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	w.portal.Associate("companies", ids[0], "companies", ids[1], "Child Company")
	want := map[string][]string{ids[0]: {"Parent Company"}}
	if diff := cmp.Diff(want, w.portal.Associated("companies", ids[1], "companies")); diff != "" {
		t.Error(diff)
	}
	w.portal.Dissociate("companies", ids[0], "companies", ids[1], "Child Company")
	if diff := cmp.Diff(map[string][]string{ids[0]: {}}, w.portal.Associated("companies", ids[1], "companies")); diff != "" {
		t.Error(diff)
	}
}

func TestOwners(t *testing.T) {
	w := start(t, free())
	var ids []string
	for i := range 4 {
		ids = append(ids, w.portal.AddOwner(hubspotsim.Owner{
			Email: fmt.Sprintf("o%d@us.example", i), FirstName: "O", LastName: fmt.Sprint(i), UserID: int64(100 + i), Teams: []string{"East"},
		}))
	}
	queue := w.portal.AddOwner(hubspotsim.Owner{Email: "queue@us.example", Queue: true})
	w.portal.ArchiveOwner(ids[0])
	w.portal.DeactivateOwner(ids[1])
	path := "/crm/owners/" + v
	first := w.get(path + "?limit=2")
	first.wants(t, http.StatusOK, `"userId":null,"userIdIncludingInactive":101`, `"userId":102,"userIdIncludingInactive":102`, `"type":"PERSON"`, `"name":"East"`)
	if got := first.page(t); !cmp.Equal(got.ids(), ids[1:3]) || got.Paging.Next.After != ids[3] {
		t.Errorf("first page %v, after %s", got.ids(), got.Paging.Next.After)
	}
	last := w.get(path + "?after=" + ids[3]).page(t)
	if !cmp.Equal(last.ids(), []string{ids[3], queue}) || last.Paging.Next.After != "" {
		t.Errorf("last page %v", last.ids())
	}
	w.get(path+"?archived=true").wants(t, http.StatusOK, `"archived":true`, `"userId":null,"userIdIncludingInactive":100`)
	if got := w.get(path + "?email=O2@us.example").page(t).ids(); !cmp.Equal(got, ids[2:3]) {
		t.Errorf("by e-mail %v", got)
	}
	w.get(path+"/"+ids[2]).wants(t, http.StatusOK, `"email":"o2@us.example"`)
	w.get(path+"/103?idProperty=userId").wants(t, http.StatusOK, `"id":"`+ids[3]+`"`)
	w.get(path+"/"+ids[0]).wants(t, http.StatusNotFound)
	w.get(path+"/"+ids[0]+"?archived=true").wants(t, http.StatusOK)
	w.get(path+"?after=NTAw").wants(t, http.StatusBadRequest)
	if got := w.portal.Owners(); len(got) != 5 || !got[0].Archived || !got[1].Inactive {
		t.Errorf("owners %v", got)
	}
}

func TestMisuseOfAPortalPanics(t *testing.T) {
	w := start(t, free())
	for name, misuse := range map[string]func(){
		"object":   func() { w.portal.Create("butterflies", nil) },
		"property": func() { w.portal.Create("companies", set("nonsense", "1")) },
		"record":   func() { w.portal.Archive("companies", "1") },
		"time":     func() { w.portal.Create("companies", set("hs_lastmodifieddate", "2026-01-01T00:00:00Z")) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "hubspotsim: ") {
					t.Errorf("panic %q", text)
				}
			}()
			misuse()
		})
	}
}
