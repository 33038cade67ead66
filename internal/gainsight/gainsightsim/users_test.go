package gainsightsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

const users = "/v1/users/services"

func TestUsersAreCreated(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	created := gsids(o, "POST", users+"?notify=false", `{"records":[
		{"FirstName":"Dana","LastName":"Reyes","Email":"dana@example.com","SFDCUserName":"dana@example.com","LicenseType":"Viewer"},
		{"Name":"Sam","Email":"sam@example.com","SFDCUserName":"sam","IsActiveUser":false}]}`)
	want := []gainsightsim.Row{
		{"Name": "Dana Reyes", "FirstName": "Dana", "LastName": "Reyes", "Email": "dana@example.com", "SFDCUserName": "dana@example.com", "LicenseType": "Viewer", "IsActiveUser": true},
		{"Name": "Sam", "Email": "sam@example.com", "SFDCUserName": "sam", "IsActiveUser": false},
	}
	if diff := cmp.Diff(want, []gainsightsim.Row{fields(o, "gsuser", created[0]), fields(o, "gsuser", created[1])}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// flat makes a user call that is refused, and returns its messages.
func flat(o *org, method, path, body, code string) []string {
	o.t.Helper()
	status, answer := o.call(method, path, body)
	if status != 400 || answer["errorCode"] != code {
		o.t.Errorf("%s %s: %d %v, want %s", path, body, status, answer, code)
		return nil
	}
	var messages []string
	if list, ok := answer["data"].(map[string]any)["errors"].([]any); ok {
		for _, one := range list {
			messages = append(messages, one.(map[string]any)["errorMessage"].(string))
		}
	}
	return messages
}

func TestBadUsersAreRefusedWhole(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.Insert("gsuser", map[string]any{"Name": "Dana", "Email": "dana@example.com", "SFDCUserName": "dana"})
	const sam = `{"Name":"Sam","Email":"sam@example.com","SFDCUserName":"sam"}`
	for _, tt := range []struct {
		name, user string
		want       []string
	}{
		{"username in use", `{"Name":"D","Email":"d@example.com","SFDCUserName":"DANA"}`, []string{"User already exists with SFDCUserName DANA"}},
		{"username twice", `{"Name":"D","Email":"d@example.com","SFDCUserName":"sam"}`, []string{"User already exists with SFDCUserName sam"}},
		{"nothing given", `{}`, []string{"Email is mandatory", "SFDCUserName is mandatory", "Name is mandatory"}},
		{"licence", `{"Name":"D","Email":"d@example.com","SFDCUserName":"d","LicenseType":"Gold"}`, []string{"Invalid LicenseType Gold"}},
		{"external without company", `{"Name":"D","Email":"d@example.com","SFDCUserName":"d","LicenseType":"External"}`, []string{"CompanyID is mandatory"}},
		{"unknown field", `{"Name":"D","Email":"d@example.com","SFDCUserName":"d","Nothing":1}`, []string{"Invalid field, please re-check data mapping"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o.in(t)
			got := flat(o, "POST", users, `{"records":[`+sam+`,`+tt.user+`]}`, "GU_2401")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := o.Count("gsuser"); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
}

func TestUserLookupsHaveTheirOwnCode(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	flat(o, "POST", users, `{"records":[{"Name":"Sam","Email":"sam@example.com","SFDCUserName":"sam","Boss":"x"}],"lookups":{"Manager":{}}}`, "GU_2403")
}

func TestUsersAreUpdatedByOneKey(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	dana := o.Insert("gsuser", map[string]any{"Name": "Dana", "Email": "dana@example.com", "SFDCUserName": "dana"})
	sam := o.Insert("gsuser", map[string]any{"Name": "Sam", "Email": "sam@example.com", "SFDCUserName": "sam"})
	for range 2 {
		o.Insert("gsuser", map[string]any{"Name": "Twin", "SFDCUserName": "twin"})
	}
	record := func(gsid, rest string) string { return fmt.Sprintf(`{"records":[{"Gsid":%q,%s}]}`, gsid, rest) }
	if got := gsids(o, "PUT", users+"?key=Gsid", record(dana, `"Name":"Dana R"`)); got[0] != dana {
		t.Errorf("updated %v", got)
	}
	gsids(o, "PUT", users+"?key=SFDCUserName", `{"records":[{"SFDCUserName":"dana","Title":"CSM"}]}`)
	want := gainsightsim.Row{"Name": "Dana R", "Email": "dana@example.com", "SFDCUserName": "dana", "Title": "CSM"}
	if diff := cmp.Diff(want, fields(o, "gsuser", dana)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, tt := range []struct{ name, key, body, code, message string }{
		{"key", "Email", record(dana, `"Name":"D"`), "GU_2409", ""},
		{"no key", "", record(dana, `"Name":"D"`), "GU_2409", ""},
		{"nobody", "Gsid", record("1P01", `"Name":"D"`), "GU_2402", "No entity matches the given criteria, please re-check your request"},
		{"several", "SFDCUserName", `{"records":[{"SFDCUserName":"twin","Name":"D"}]}`, "GU_2411", "Several users match"},
		{"own manager", "Gsid", record(dana, `"Manager":"`+dana+`"`), "GU_2410", "Same user cannot be manager"},
		{"username in use", "Gsid", record(sam, `"SFDCUserName":"dana"`), "GU_2402", "User already exists with SFDCUserName dana"},
		{"no name", "Gsid", record(sam, `"Name":null`), "GU_2402", "Invalid field value (Name = null)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o.in(t)
			if got := strings.Join(flat(o, "PUT", users+"?key="+tt.key, tt.body, tt.code), "\n"); got != tt.message {
				t.Errorf("message %q, want %q", got, tt.message)
			}
		})
	}
	gsids(o, "PUT", users+"?key=Gsid", record(sam, `"SFDCUserName":"Sam"`)) // its own name
}

func TestUsersAreDeactivated(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	dana := o.Insert("gsuser", map[string]any{"Name": "Dana", "IsActiveUser": true})
	active := func() any { row, _ := o.Row("gsuser", dana); return row["IsActiveUser"] }
	flat(o, "PUT", users+"/status?status=false", fmt.Sprintf(`[%q,"1P01"]`, dana), "GU_2402")
	if active() != true {
		t.Error("a refused call had an effect")
	}
	for _, status := range []bool{false, true} {
		if status, answer := o.call("PUT", fmt.Sprintf("%s/status?status=%t", users, status), fmt.Sprintf(`[%q]`, dana)); status != 200 {
			t.Errorf("%d %v", status, answer)
		}
		if active() != status {
			t.Errorf("active is %v, want %v", active(), status)
		}
	}
	o.code("PUT", users+"/status", fmt.Sprintf(`[%q]`, dana), 400, "GSOBJ_1008")
}
