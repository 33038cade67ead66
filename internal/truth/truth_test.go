package truth_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/truth"
)

const (
	portalID = 90210
	account  = "HubSpot_Account_ID_90210__gc"
)

// world is both sides, with two companies, two contacts and two owners that all
// arrived: companies 1 and 2, contacts 11 and 12, owners 71 and 72.
type world struct {
	p    *hubspotsim.Portal
	g    *gainsightsim.Sim
	gsid map[string]string // :: id in HubSpot, "person 11" → GSID
}

func newWorld() *world {
	w := &world{p: hubspotsim.New(hubspotsim.Options{}).AddPortal(portalID, "customer.example"), g: gainsightsim.New(gainsightsim.Options{}), gsid: map[string]string{}}
	w.g.Prepare(portalID)
	for id, name := range map[string]string{"1": "Acme", "2": "Borealis"} {
		w.p.Create("companies", map[string]string{"hs_object_id": id, "name": name})
		w.gsid[id] = w.g.Insert("company", map[string]any{"Name": name, account: id})
	}
	w.contact("11", "1", "sam@acme.example", "Sam")
	w.contact("12", "2", "ida@borealis.example", "Ida")
	w.person("11", "1", "sam@acme.example", "Sam")
	w.person("12", "2", "ida@borealis.example", "Ida")
	for id, name := range map[string]string{"71": "Ann", "72": "Bob"} {
		email := strings.ToLower(name) + "@us.example"
		w.p.AddOwner(hubspotsim.Owner{ID: id, Email: email, FirstName: name, LastName: "Lee"})
		w.gsid[id] = w.user(email, name)
	}
	return w
}

func (w *world) contact(id, company, email, first string) {
	w.p.Create("contacts", map[string]string{"hs_object_id": id, "email": email, "firstname": first, "lastname": "L", "associatedcompanyid": company})
}

func (w *world) person(id, company, email, first string) {
	w.gsid["person "+id] = w.g.Insert("person", map[string]any{"Name": first + " L", "Email": email, "FirstName": first, "LastName": "L"})
	w.link(id, company, w.gsid["person "+id])
}

func (w *world) link(id, company, person string) {
	w.gsid[id] = w.g.Insert("company_person", map[string]any{
		"Company_ID": w.gsid[company], "Person_ID": person, "Hubspot_Contact_ID__gc": id, "Hubspot_Account_ID__gc": company,
	})
}

func (w *world) user(email, first string) string {
	return w.g.Insert("gsuser", map[string]any{"Name": first + " Lee", "SFDCUserName": email, "Email": email, "FirstName": first, "LastName": "Lee"})
}

func TestWhatArrivedIsRight(t *testing.T) {
	w := newWorld()
	want := truth.Report{Companies: 2, People: 2, Users: 2, Undeliverable: map[string][]string{}}
	if diff := cmp.Diff(want, truth.Compare(w.p, w.g, true)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestEachKindOfDifferenceIsFound(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*world)
		says  string // in the only problem
	}{
		{"a company is missing", func(w *world) { w.p.Create("companies", map[string]string{"hs_object_id": "3", "name": "New"}) }, "company 3 has no row"},
		{"a company has another name", func(w *world) { w.p.Set("companies", "1", map[string]string{"name": "Acme Ltd"}) }, `company 1 is called "Acme Ltd" in HubSpot and "Acme" in Gainsight`},
		{"a company has two rows", func(w *world) { w.g.Insert("company", map[string]any{"Name": "Acme", account: "1"}) }, "company 1 has two rows"},
		{"a row of a company that never was", func(w *world) { w.g.Insert("company", map[string]any{"Name": "X", account: "99"}) }, "company 99, which HubSpot never had"},
		{"a person is missing", func(w *world) { w.contact("13", "1", "kim@acme.example", "Kim") }, "contact 13 has no person"},
		{"a person has another first name", func(w *world) { w.p.Set("contacts", "11", map[string]string{"firstname": "Samuel"}) }, "contact 11 and its person"},
		{"a person has another last name", func(w *world) { w.p.Set("contacts", "11", map[string]string{"lastname": "Lopez"}) }, "contact 11 and its person"},
		{"a cleared name stays", func(w *world) { w.p.Set("contacts", "11", map[string]string{"lastname": ""}) }, "contact 11 and its person"},
		{"two persons of one e-mail", func(w *world) { w.g.Insert("person", map[string]any{"Name": "S", "Email": "SAM@acme.example"}) }, "an e-mail has two persons"},
		{"a person is not at its company", func(w *world) { w.g.Delete("company_person", w.gsid["11"]) }, "0 are in Gainsight, want 1"},
		{"a person is at another company", func(w *world) {
			w.g.Set("company_person", w.gsid["11"], map[string]any{"Company_ID": w.gsid["2"]})
		}, "0 are in Gainsight, want 1"},
		{"a person is at one company twice", func(w *world) { w.link("11", "1", w.gsid["person 11"]) }, "at one company twice"},
		{"a link holds another account", func(w *world) {
			w.g.Set("company_person", w.gsid["11"], map[string]any{"Hubspot_Account_ID__gc": "2"})
		}, "contact 11 is linked to another account"},
		{"a link holds another contact", func(w *world) {
			w.g.Set("company_person", w.gsid["11"], map[string]any{"Hubspot_Contact_ID__gc": "12"})
		}, "0 are in Gainsight, want 1"},
		{"a link without a person", func(w *world) { w.g.Delete("person", w.gsid["person 11"]) }, "has no person"},
		{"an owner has no user", func(w *world) {
			w.p.AddOwner(hubspotsim.Owner{ID: "73", Email: "kim@us.example", FirstName: "Kim"})
		}, "owner 73 has no user"},
		{"a user has another name", func(w *world) { w.g.Set("gsuser", w.gsid["71"], map[string]any{"FirstName": "Anna"}) }, "owner 71 and its user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			tt.spoil(w)
			r := truth.Compare(w.p, w.g, true)
			found := false
			for _, p := range r.Problems {
				found = found || strings.Contains(p, tt.says)
			}
			if !found {
				t.Errorf("problems %q, want one that says %q", r.Problems, tt.says)
			}
		})
	}
}

func TestWhatTheRulesRejectIsNoProblem(t *testing.T) {
	w := newWorld()
	w.p.Create("companies", map[string]string{"hs_object_id": "3"})        // without a name
	w.contact("13", "1", "", "No e-mail")                                  //
	w.contact("14", "", "kim@acme.example", "No company")                  //
	w.contact("15", "3", "leo@acme.example", "Company that has no row")    //
	w.contact("16", "2", " SAM@acme.example", "The e-mail of another one") //
	w.p.AddOwner(hubspotsim.Owner{ID: "73", Email: "two@us.example"})      // two users of that name
	w.user("two@us.example", "A")                                          //
	w.user("TWO@us.example", "B")                                          //
	w.g.Insert("company", map[string]any{"Name": "Typed by people"})       // belongs to nothing in HubSpot
	w.g.Insert("person", map[string]any{"Name": "T", "Email": "t@x.exa"})  // likewise
	w.p.AddOwner(hubspotsim.Owner{ID: "74", Email: "gone@us.example", Archived: true})
	w.p.Archive("companies", w.p.Create("companies", map[string]string{"name": "Archived"}))
	w.p.Archive("contacts", w.p.Create("contacts", map[string]string{"email": "archived@acme.example", "associatedcompanyid": "1"}))
	want := truth.Report{Companies: 2, People: 2, Users: 2, Undeliverable: map[string][]string{
		"company": {"3"}, "contact": {"13", "14", "15", "16"}, "owner": {"73"},
	}}
	if diff := cmp.Diff(want, truth.Compare(w.p, w.g, true)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestOwnersCountOnlyAfterTheirSync(t *testing.T) {
	w := newWorld()
	w.p.AddOwner(hubspotsim.Owner{ID: "73", Email: "kim@us.example"})
	if r := truth.Compare(w.p, w.g, false); len(r.Problems) != 0 || r.Users != 0 {
		t.Errorf("%d users, problems %q", r.Users, r.Problems)
	}
}
