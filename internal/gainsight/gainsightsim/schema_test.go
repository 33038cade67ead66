package gainsightsim_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

// describe returns the fields of an object by name.
func describe(o *org, object string) map[string]map[string]any {
	o.t.Helper()
	status, answer := o.call("GET", "/v1/meta/services/objects/"+object+"/describe?idd=true", "")
	if status != 200 {
		o.t.Fatalf("describe %s: %d %v", object, status, answer)
	}
	all := map[string]map[string]any{}
	for _, f := range answer["data"].([]any)[0].(map[string]any)["fields"].([]any) {
		all[f.(map[string]any)["fieldName"].(string)] = f.(map[string]any)
	}
	return all
}

func TestObjectsAreListed(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.AddObject("hubspot_deal__gc", "HubSpot Deal")
	o.AddObject("hubspot_deal__gc", "Deal")
	for _, call := range [][3]string{
		{"GET", "/v1/meta/services/objects/list?po=company&em=false", ""},
		{"POST", "/v1/meta/services/objects/", `{"externalUse":"true"}`},
		{"POST", "/v1/meta/services/objects", `{"externalUse":"true"}`},
	} {
		status, answer := o.call(call[0], call[1], call[2])
		var got []string
		for _, one := range answer["data"].([]any) {
			one := one.(map[string]any)
			got = append(got, one["objectName"].(string)+" "+one["label"].(string)+" "+one["objectType"].(string)+" "+one["keyPrefix"].(string)[:4])
		}
		want := []string{
			"company Company STANDARD 1P02", "person Person STANDARD 1P03", "company_person Company Person STANDARD 1C01",
			"gsuser User STANDARD 1P01", "relationship Relationship STANDARD 1P05", "hubspot_deal__gc Deal CUSTOM 1Z02",
		}
		if diff := cmp.Diff(want, got); diff != "" || status != 200 {
			t.Errorf("%v: status %d -want +got:\n%s", call, status, diff)
		}
		if _, given := answer["errorCode"]; given {
			t.Error("metadata answers have no errorCode")
		}
	}
}

func TestDescribeTellsWhatAFieldTakes(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.AddField("company", gainsightsim.Field{Name: "Tier__gc", Label: "Tier", DataType: "PICKLIST", Options: []string{"Gold", "Lead"}, Inactive: []string{"Lead"}})
	all := describe(o, "Company")
	meta := func(name string) map[string]any { return all[name]["meta"].(map[string]any) }
	if m := meta("Gsid"); m["createable"] != false || m["updateable"] != false || m["readOnly"] != true {
		t.Errorf("Gsid: %v", m)
	}
	if m := meta("Name"); m["createable"] != true || m["required"] != true || m["nillable"] != false || m["length"] != 255.0 {
		t.Errorf("Name: %v", m)
	}
	if m := meta("BillingAddress"); m["required"] != false || m["nillable"] != true || m["length"] != 500.0 || m["fieldGroupType"] != "STANDARD" {
		t.Errorf("BillingAddress: %v", m)
	}
	detail := meta("Csm")["lookupDetail"].(map[string]any)
	if detail["lookupName"] != "Csm__gr" || detail["lookupObjects"].([]any)[0].(map[string]any)["objectName"] != "gsuser" {
		t.Errorf("Csm: %v", detail)
	}
	var options []any
	for _, one := range all["Tier__gc"]["options"].([]any) {
		one := one.(map[string]any)
		options = append(options, one["label"], one["active"], len(one["value"].(string)), one["groupId"] == meta("Tier__gc")["properties"].(map[string]any)["PICKLIST_CATEGORY_ID"])
	}
	if diff := cmp.Diff([]any{"Gold", true, 36, true, "Lead", false, 36, true}, options); diff != "" {
		t.Errorf("options -want +got:\n%s", diff)
	}
	if meta("Tier__gc")["fieldGroupType"] != "CUSTOM" {
		t.Errorf("Tier__gc: %v", meta("Tier__gc"))
	}
}

func TestDescribeOfSeveralObjects(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	const path = "/v1/meta/services/objects/describe"
	for _, options := range []string{"true", "false"} {
		_, answer := o.call("POST", path, `{"objectNames":["company","gsuser"],"populatePickListOptions":"`+options+`"}`)
		data := answer["data"].([]any)
		if len(data) != 2 || data[1].(map[string]any)["objectName"] != "gsuser" {
			t.Fatalf("%v", data)
		}
		i := slices.IndexFunc(data[0].(map[string]any)["fields"].([]any), func(f any) bool { return f.(map[string]any)["fieldName"] == "Stage" })
		if _, given := data[0].(map[string]any)["fields"].([]any)[i].(map[string]any)["options"]; given != (options == "true") {
			t.Errorf("options are given: %v, asked for %s", given, options)
		}
	}
	for _, call := range [][3]string{{"POST", path, `{"objectNames":["company","nothing"]}`}, {"GET", "/v1/meta/services/objects/nothing/describe", ""}} {
		status, answer := o.call(call[0], call[1], call[2])
		if _, code := answer["errorCode"]; status != 400 || answer["title"] != "OBJECT_NOT_FOUND" || answer["detail"] != "Requested object not found." || code {
			t.Errorf("%v: %d %v", call, status, answer)
		}
	}
}

func TestLabelsOfTheOutOfTheBoxJobs(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.RemoveField("company", "Employees")
	o.Prepare(4711)
	o.Prepare(4711)
	for _, want := range [][4]string{
		{"company", "Name", "Name", "STRING"},
		{"company", "HubSpot_Account_ID_4711__gc", "HubSpot Account ID_4711", "STRING"},
		{"company", "Employees", "Employees", "NUMBER"},
		{"person", "Email", "Email", "EMAIL"},
		{"person", "FirstName", "First Name", "STRING"},
		{"person", "LastName", "Last Name", "STRING"},
		{"person", "Hubspot_Contact_ID__gc", "Hubspot Contact ID", "STRING"},
		{"company_person", "Hubspot_Contact_ID__gc", "Hubspot Contact ID", "STRING"},
		{"company_person", "Hubspot_Account_ID__gc", "Hubspot Account ID", "STRING"},
		{"company_person", "Company_ID", "Company ID", "LOOKUP"},
		{"gsuser", "SFDCUserName", "Username", "STRING"},
		{"gsuser", "FirstName", "First Name", "STRING"},
		{"gsuser", "LastName", "Last Name", "STRING"},
		{"gsuser", "Email", "Email", "EMAIL"},
		{"gsuser", "HubSpot_User_Id__gc", "HubSpot User Id", "STRING"},
	} {
		f := describe(o, want[0])[want[1]]
		if f["label"] != want[2] || f["dataType"] != want[3] {
			t.Errorf("%v: %v", want, f)
		}
	}
}

func TestFieldsChangeWhileThereAreRows(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	gsid := o.Insert("company", map[string]any{"Name": "Acme", "Employees": 5, "Stage": "Churn"})
	keep := option(o, "company", "Stage", "Churn")
	o.AddField("company", gainsightsim.Field{Name: "Stage", Label: "Stage", DataType: "PICKLIST", Nillable: true, Options: []string{"Other", "Churn"}})
	if got := option(o, "company", "Stage", "Churn"); got != keep {
		t.Errorf("the item's GSID changed from %s to %s", keep, got)
	}
	o.AddField("company", gainsightsim.Field{Name: "Employees", Label: "Employees", DataType: "STRING", Nillable: true})
	if diff := cmp.Diff(gainsightsim.Row{"Name": "Acme", "Stage": "Churn"}, fields(o, "company", gsid)); diff != "" {
		t.Errorf("another type: -want +got:\n%s", diff)
	}
	o.RemoveField("company", "Stage")
	o.RemoveField("company", "Stage")
	if diff := cmp.Diff(gainsightsim.Row{"Name": "Acme"}, fields(o, "company", gsid)); diff != "" {
		t.Errorf("removed: -want +got:\n%s", diff)
	}
	if describe(o, "company")["Stage"] != nil {
		t.Error("a removed field is described")
	}
	o.code("POST", query+"company", `{"select":["Stage"]}`, 400, "GSOBJ_1002")
}
