package gainsightsim_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

const people = "/v1/peoplemgmt/v1.0/people"

// put upserts a person and returns its GSID and those of its company persons.
func put(o *org, body string) (person string, links []string) {
	o.t.Helper()
	status, answer := o.call("PUT", people, body)
	if status != 200 || answer["result"] != true {
		o.t.Fatalf("%s: %d %v", body, status, answer)
	}
	data := answer["data"].(map[string]any)
	for _, link := range data["companies"].([]any) {
		links = append(links, link.(map[string]any)["Gsid"].(string))
	}
	return data["Gsid"].(string), links
}

func TestPeopleAreUpsertedByEmail(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	acme := o.Insert("company", map[string]any{"Name": "Acme"})
	borealis := o.Insert("company", map[string]any{"Name": "Borealis"})
	at := func(company, rest string) string {
		return fmt.Sprintf(`"companies":[{"Company_ID":%q%s}]`, company, rest)
	}
	sam, links := put(o, `{"Email":"sam@example.com","FirstName":"Sam","LastName":"Okafor",`+at(acme, `,"Title":"VP","IsPrimaryCompany":true`)+`}`)
	again, same := put(o, `{"Email":"SAM@example.com","FirstName":"Samuel",`+at(acme, `,"Title":"CEO"`)+`}`)
	if again != sam || same[0] != links[0] {
		t.Errorf("second call: %s %v, want %s %v", again, same, sam, links)
	}
	_, other := put(o, `{"Email":"sam@example.com",`+at(borealis, ``)+`}`)
	if other[0] == links[0] {
		t.Error("one company person for two companies")
	}
	if _, none := put(o, `{"Email":"sam@example.com"}`); len(none) != 0 {
		t.Errorf("associations %v", none)
	}
	if diff := cmp.Diff(gainsightsim.Row{"Email": "sam@example.com", "FirstName": "Samuel", "LastName": "Okafor"}, fields(o, "person", sam)); diff != "" {
		t.Errorf("person: -want +got:\n%s", diff)
	}
	want := []gainsightsim.Row{
		{"Person_ID": sam, "Company_ID": acme, "Title": "CEO", "IsPrimaryCompany": true},
		{"Person_ID": sam, "Company_ID": borealis},
	}
	got := []gainsightsim.Row{fields(o, "company_person", links[0]), fields(o, "company_person", other[0])}
	if diff := cmp.Diff(want, got); diff != "" || o.Count("company_person") != 2 || o.Count("person") != 1 {
		t.Errorf("company persons: -want +got:\n%s", diff)
	}
	o.want("POST", query+"company_person", `{"select":["Person_ID__gr.Email","Company_ID__gr.Name"],"limit":1}`, 200,
		`{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[{"Person_ID__gr.Email":"sam@example.com","Company_ID__gr.Name":"Acme"}]}}`)
}

func TestAliasOfThePeoplePath(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	if status, _ := o.call("PUT", "/v1.0/api/people", `{"Email":"sam@example.com"}`); status != 200 || o.Count("person") != 1 {
		t.Errorf("status %d, %d persons", status, o.Count("person"))
	}
}

func TestResolutionKeysIdentifyPeople(t *testing.T) {
	o := open(t, gainsightsim.Options{ResolutionKeys: []string{"ExternalRecordID__gc"}})
	o.SetResolutionKeys("Email", "ExternalRecordID__gc")
	sam, _ := put2(o, "sam@example.com", "501")
	for _, tt := range []struct {
		email, external string
		same            bool
	}{
		{"sam@new.example", "501", true}, // and has the new email from now on
		{"sam@new.example", "502", true},
		{"sam@example.com", "777", false},
		{"other@example.com", "", false},
	} {
		if got, _ := put2(o, tt.email, tt.external); (got == sam) != tt.same {
			t.Errorf("%v: person %s, the first is %s", tt, got, sam)
		}
	}
}

func put2(o *org, email, external string) (string, []string) {
	o.t.Helper()
	status, answer := o.call("PUT", people, fmt.Sprintf(`{"Email":%q,"ExternalRecordID__gc":%q}`, email, external))
	if status != 200 {
		o.t.Fatal(status, answer)
	}
	return answer["data"].(map[string]any)["Gsid"].(string), nil
}

func TestBadPeopleAreRefusedWhole(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	acme := o.Insert("company", map[string]any{"Name": "Acme"})
	for _, tt := range []struct{ name, body, code string }{
		{"no email", `{"FirstName":"Sam"}`, "GSOBJ_VDTEMAIL1001"},
		{"empty email", `{"Email":""}`, "GSOBJ_VDTEMAIL1001"},
		{"bad email", `{"Email":"sam"}`, "GSOBJ_VDTEMAIL1001"},
		{"unknown field", `{"Email":"sam@example.com","Nothing":1}`, "GSOBJ_VCRUDR1002"},
		{"read-only field", `{"Email":"sam@example.com","Gsid":"1P03"}`, "GSOBJ_VCRUDR1002"},
		{"boolean", `{"Email":"sam@example.com","EmailOptOut":"no"}`, "GSOBJ_VDTBOOL1001"},
		{"URL", `{"Email":"sam@example.com","LinkedinUrl":"not a url"}`, "GSOBJ_VDTURL1001"},
		{"text", `{"Email":"sam@example.com","FirstName":5}`, "GSOBJ_VDTBSTR1001"},
		{"unknown company", `{"Email":"sam@example.com","companies":[{"Company_ID":"` + acme + `"},{"Company_ID":"1P02"}]}`, "GSOBJ_PEOPLE1001"},
		{"no company", `{"Email":"sam@example.com","companies":[{}]}`, "GSOBJ_PEOPLE1001"},
		{"company person's field", `{"Email":"sam@example.com","companies":[{"Company_ID":"` + acme + `","Nothing":1}]}`, "GSOBJ_VCRUDR1002"},
		{"companies", `{"Email":"sam@example.com","companies":{}}`, "GSOBJ_VCRUDR1001"},
		{"no body", ``, "GSOBJ_VCRUDR1001"},
		{"null", `null`, "GSOBJ_VCRUDR1001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o.in(t)
			o.code("PUT", people, tt.body, 400, tt.code)
		})
	}
	if o.Count("person") != 0 || o.Count("company_person") != 0 {
		t.Errorf("%d persons, %d company persons were kept", o.Count("person"), o.Count("company_person"))
	}
}
