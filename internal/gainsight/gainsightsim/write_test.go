package gainsightsim_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

const companies = "/v1/data/objects/Company"

// gsids returns the GSIDs that a write answers.
func gsids(o *org, method, path, body string) []string {
	o.t.Helper()
	status, answer := o.call(method, path, body)
	if status != 200 || answer["result"] != true {
		o.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	var list []string
	for _, row := range answer["data"].(map[string]any)["records"].([]any) {
		list = append(list, row.(map[string]any)["Gsid"].(string))
	}
	return list
}

// fields returns a row without its system fields.
func fields(o *org, object, gsid string) gainsightsim.Row {
	o.t.Helper()
	row, ok := o.Row(object, gsid)
	if !ok {
		o.t.Fatalf("no row %s of %s", gsid, object)
	}
	for _, name := range []string{"Gsid", "CreatedDate", "ModifiedDate"} {
		delete(row, name)
	}
	return row
}

// writable opens an organisation with a field of every kind of check.
func writable(t *testing.T) *org {
	t.Helper()
	o := open(t, gainsightsim.Options{Limits: gainsightsim.Limits{Off: true}})
	for _, f := range []gainsightsim.Field{
		{Name: "Short__gc", DataType: "STRING", Length: 5, Nillable: true},
		{Name: "Firm__gc", DataType: "STRING"},
		{Name: "Seen__gc", DataType: "DATETIME", Nillable: true},
		{Name: "Share__gc", DataType: "PERCENTAGE", Nillable: true},
		{Name: "Paid__gc", DataType: "BOOLEAN", Nillable: true},
		{Name: "Topics__gc", DataType: "MULTISELECTDROPDOWNLIST", Nillable: true, Options: []string{"Red", "Blue"}},
		{Name: "Plan__gc", DataType: "PICKLIST", Nillable: true, Options: []string{"Gold", "Lead"}, Inactive: []string{"Lead"}},
		{Name: "Mail__gc", DataType: "EMAIL", Nillable: true},
	} {
		o.AddField("company", f)
	}
	return o
}

func TestInsertAnswersGSIDsInTheOrderOfTheRecords(t *testing.T) {
	o := writable(t)
	status, answer := o.call("POST", companies, `{"records":[{"Name":"Acme"},{"Name":"Borealis"}]}`)
	data := answer["data"].(map[string]any)
	if status != 200 || data["count"] != 2.0 || data["errors"] != nil {
		t.Fatalf("%d %v", status, answer)
	}
	prefix := ""
	for i, row := range data["records"].([]any) {
		gsid := row.(map[string]any)["Gsid"].(string)
		if len(gsid) != 36 || !strings.HasPrefix(gsid, "1P02") || strings.Trim(gsid, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("GSID %q", gsid)
		}
		if prefix != "" && gsid[:18] != prefix {
			t.Errorf("GSIDs of one object begin with %s and %s", prefix, gsid[:18])
		}
		prefix = gsid[:18]
		want := gainsightsim.Row{"Name": []string{"Acme", "Borealis"}[i]}
		if diff := cmp.Diff(want, fields(o, "company", gsid)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestValuesAreTaken(t *testing.T) {
	o := writable(t)
	user := o.Insert("gsuser", map[string]any{"Name": "Dana"})
	for _, tt := range []struct {
		field, json string
		want        any
	}{
		{"Short__gc", `"Søndå"`, "Søndå"}, // five characters
		{"Short__gc", `null`, nil},
		{"Employees", `240`, 240.0},
		{"Employees", `"-2.5e3"`, -2500.0},
		{"Share__gc", `12.5`, 12.5},
		{"Paid__gc", `false`, false},
		{"RenewalDate", `"2027-01-31"`, "2027-01-31"},
		{"RenewalDate", `1801353600000`, "2027-01-31"},
		{"Seen__gc", `"2026-11-23T09:00:00.000+0000"`, "2026-11-23T09:00:00Z"},
		{"Seen__gc", `"2022-07-01T06:36:00.000-07:00"`, "2022-07-01T13:36:00Z"},
		{"Seen__gc", `"2026-11-23T09:00:00.123Z"`, "2026-11-23T09:00:00.123Z"},
		{"Stage", `"New Customer"`, "New Customer"},
		{"Stage", fmt.Sprintf("%q", option(o, "company", "Stage", "Churn")), "Churn"},
		{"Topics__gc", `["Blue","Red"]`, "Blue;Red"},
		{"Topics__gc", `"Red;Blue"`, "Red;Blue"},
		{"Csm", fmt.Sprintf("%q", user), user},
		{"SfdcAccountId", `"0015e00000AbCdE"`, "0015e00000AbCdE"},
		{"Mail__gc", `"dana@example.com"`, "dana@example.com"},
	} {
		gsid := gsids(o, "POST", companies, fmt.Sprintf(`{"records":[{"Name":"Acme",%q:%s}]}`, tt.field, tt.json))[0]
		if diff := cmp.Diff(tt.want, fields(o, "company", gsid)[tt.field]); diff != "" {
			t.Errorf("%s %s: -want +got:\n%s", tt.field, tt.json, diff)
		}
	}
}

func TestBadValuesAreRefusedWithTheirCode(t *testing.T) {
	o := writable(t)
	user := o.Insert("gsuser", map[string]any{"Name": "Dana"})
	row := o.Insert("company", map[string]any{"Name": "Acme"})
	for _, tt := range []struct{ field, json, code, desc string }{
		{"Nothing", `1`, "GSOBJ_1002", "Invalid field, please re-check data mapping"},
		{"CreatedDate", `1`, "GSOBJ_1002", "Invalid field, please re-check data mapping"},
		{"CurrentScore", `1`, "GSOBJ_1002", "Invalid field, please re-check data mapping"},
		{"Industry", `5`, "GSOBJ_1002", "Invalid field, please re-check data mapping"},
		{"Short__gc", `"123456"`, "GSOBJ_1001", "Field exceeds maximum allowed length"},
		{"Seen__gc", `"2026-11-23"`, "GSOBJ_1005", "Invalid dateTime format (Seen__gc= 2026-11-23)"},
		{"RenewalDate", `"2027-02-30"`, "GSOBJ_1006", "Invalid dateTime format (RenewalDate= 2027-02-30)"},
		{"RenewalDate", `""`, "GSOBJ_1006", "Invalid dateTime format (RenewalDate= )"},
		{"Firm__gc", `null`, "GSOBJ_1007", "Invalid field value (Firm__gc = null)"},
		{"Name", `null`, "GSOBJ_1007", "Invalid field value (Name = null)"},
		{"Name", `""`, "GSOBJ_1007", "Invalid field value (Name = null)"},
		{"Paid__gc", `"yes"`, "GSOBJ_1008", "Invalid Boolean Value: yes (Paid__gc = yes)"},
		{"Share__gc", `"12 %"`, "GSOBJ_1008", "Failed to parse value as percentage. (Share__gc = 12 %)"},
		{"Employees", `"NaN"`, "GSOBJ_1008", "Failed to parse value as number. (Employees = NaN)"},
		{"SfdcAccountId", `"short"`, "GSOBJ_1008", "SFDCID must be alphanumeric 15 or 18 characters. (SfdcAccountId = short)"},
		{"Mail__gc", `"dana"`, "GSOBJ_1008", "Invalid email value. (Mail__gc = dana)"},
		{"Csm", `"1P01"`, "GSOBJ_1008", "Invalid GSID value. (Csm = 1P01)"},
		{"ParentCompany", fmt.Sprintf("%q", user), "GSOBJ_1008", "Invalid GSID value. (ParentCompany = " + user + ")"},
		{"Stage", `"xyz"`, "GSOBJ_1012", "Invalid/Inactive value provided for picklist. (Stage = xyz)."},
		{"Plan__gc", `"Lead"`, "GSOBJ_1012", "Invalid/Inactive value provided for picklist. (Plan__gc = Lead)."},
		{"Topics__gc", `["Red","Green"]`, "GSOBJ_1012", "Invalid/Inactive value provided for picklist. (Topics__gc = Green)."},
	} {
		insert := fmt.Sprintf(`{"records":[{"Name":"First"},{"Name":"Second",%q:%s}]}`, tt.field, tt.json)
		update := fmt.Sprintf(`{"records":[{"Gsid":%q,%q:%s}]}`, row, tt.field, tt.json)
		for body, call := range map[string][2]string{insert: {"POST", companies}, update: {"PUT", companies + "?keys=Gsid"}} {
			status, answer := o.call(call[0], call[1], body)
			if status != 400 || answer["errorCode"] != tt.code || answer["errorDesc"] != tt.desc {
				t.Errorf("%s: %d %v; want %s %s", body, status, answer, tt.code, tt.desc)
			}
		}
	}
	if got := o.Count("company"); got != 1 { // nothing of a refused call is kept
		t.Errorf("%d rows, want 1", got)
	}
}

func TestRequiredFieldsMustBeInserted(t *testing.T) {
	o := writable(t)
	o.code("POST", companies, `{"records":[{"Industry":"Retail"}]}`, 400, "GSOBJ_1007")
	gsids(o, "POST", companies, `{"records":[{"Name":"Acme"}]}`)
	o.AddField("company", gainsightsim.Field{Name: "Firm__gc", DataType: "STRING", Required: true})
	o.code("POST", companies, `{"records":[{"Name":"Acme"}]}`, 400, "GSOBJ_1007")
}

func TestFailureBodyHasTwoShapes(t *testing.T) {
	o := writable(t)
	const body = `{"records":[{"Name":"A"},{"Name":"B","Stage":"xyz"},{"Name":"C","Employees":"many"}]}`
	const stage = `{"errorMessage":"Invalid/Inactive value provided for picklist.","errorCode":"GSOBJ_1012","fieldName":"Stage","invalidValue":["xyz"]}`
	const employees = `{"errorMessage":"Failed to parse value as number.","errorCode":"GSOBJ_1008","fieldName":"Employees","invalidValue":"many"}`
	const head = `{"result":false,"errorCode":"GSOBJ_1012","errorDesc":"Invalid/Inactive value provided for picklist. (Stage = xyz).","message":null,
		"data":{"count":0,"records":null,"errors":`
	o.want("POST", companies, body, 400, head+`[[{"success":false,"parsedValue":null,"errors":[`+stage+`]}],[{"success":false,"parsedValue":null,"errors":[`+employees+`]}]]}}`)
	o.SetSwitches(gainsightsim.Switches{FlatErrors: true})
	o.want("POST", companies, body, 400, head+`[{"errors":[`+stage+`]},{"errors":[`+employees+`]}]}}`)
	if got := o.Count("company"); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
}

func TestWritesTakeOneToFiftyRecords(t *testing.T) {
	o := writable(t)
	fifty := strings.Repeat(`,{"Name":"Acme"}`, 50)[1:]
	o.code("POST", companies, `{"records":[`+fifty+`,{"Name":"one more"}]}`, 400, "GSOBJ_1008")
	for _, body := range []string{`{"records":[]}`, `{}`, `{"records":[null]}`, `[]`, ``} {
		o.code("POST", companies, body, 400, "GSOBJ_1008")
	}
	gsids(o, "POST", companies, `{"records":[`+fifty+`]}`)
	if got := o.Count("company"); got != 50 {
		t.Errorf("%d rows, want 50", got)
	}
}

func TestUpdateChangesTheFieldsThatItNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := writable(t)
		gsid := o.Insert("company", map[string]any{"Name": "Acme", "Employees": 240, "Industry": "Retail"})
		other := o.Insert("company", map[string]any{"Name": "Borealis"})
		time.Sleep(time.Second)
		o.want("PUT", companies+"?keys=Gsid", `{"records":[{"Gsid":"`+gsid+`","Employees":260,"Industry":null}]}`, 200,
			`{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"count":1,"errors":null,"records":[{"Gsid":"`+gsid+`","Employees":260,"Industry":null}]}}`)
		got, _ := o.Row("company", gsid)
		want := gainsightsim.Row{
			"Gsid": gsid, "Name": "Acme", "Employees": 260.0,
			"CreatedDate": "2000-01-01T00:00:00Z", "ModifiedDate": "2000-01-01T00:00:01Z",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if untouched, _ := o.Row("company", other); untouched["ModifiedDate"] != "2000-01-01T00:00:00Z" {
			t.Errorf("another row changed: %v", untouched)
		}
	})
}

func TestUpdateFindsRowsByItsKeys(t *testing.T) {
	o := writable(t)
	for _, row := range []map[string]any{
		{"Name": "Acme", "Industry": "Retail", "Employees": 1},
		{"Name": "Acme", "Industry": "Retail", "Employees": 2},
		{"Name": "Acme", "Industry": "Energy", "Employees": 3},
	} {
		o.Insert("company", row)
	}
	for _, tt := range []struct {
		keys, record string
		want         int
	}{
		{"Name", `{"Name":"Acme","Tags":"x"}`, 3},
		{"Name,Industry", `{"Name":"Acme","Industry":"Retail","Tags":"x"}`, 2},
		{"Name,Industry,Employees", `{"Name":"Acme","Industry":"Retail","Employees":2,"Tags":"x"}`, 1},
	} {
		if got := len(gsids(o, "PUT", companies+"?keys="+tt.keys, `{"records":[`+tt.record+`]}`)); got != tt.want {
			t.Errorf("keys %s: %d rows, want %d", tt.keys, got, tt.want)
		}
	}
	for _, tt := range []struct{ keys, record, code string }{
		{"", `{"Name":"Acme"}`, "GSOBJ_1008"},
		{"Name,Industry,Employees,Tags", `{"Name":"Acme"}`, "GSOBJ_1008"},
		{"Csm", `{"Csm":"1P01"}`, "GSOBJ_1008"},
		{"Nothing", `{"Name":"Acme"}`, "GSOBJ_1002"},
		{"Name", `{"Gsid":"1P02","Name":"Acme"}`, "GSOBJ_1002"}, // read-only unless it is the key
		{"Name", `{"Name":"acme","Tags":"y"}`, "GSOBJ_1011"},
		{"Name", `{"Tags":"y"}`, "GSOBJ_1011"},
		{"Name", `{"Name":"Acme","Tags":"y"},{"Name":"nobody"}`, "GSOBJ_1011"}, // the whole batch
	} {
		o.code("PUT", companies+"?keys="+tt.keys, `{"records":[`+tt.record+`]}`, 400, tt.code)
	}
	if got := len(names(o, where(`Tags EQ "y"`), "")); got != 0 {
		t.Errorf("%d rows were changed by refused calls", got)
	}
}

func TestCustomObjectsAreWrittenLikeCompany(t *testing.T) {
	o := writable(t)
	o.AddObject("hubspot_deal__gc", "HubSpot Deal")
	o.AddField("hubspot_deal__gc", gainsightsim.Field{Name: "Company_ID__gc", DataType: "LOOKUP", LookupObject: "company", Nillable: true})
	company := o.Insert("company", map[string]any{"Name": "Acme"})
	gsid := gsids(o, "POST", "/v1/data/objects/hubspot_deal__gc", `{"records":[{"Name":"Renewal","Company_ID__gc":"`+company+`"}]}`)[0]
	if !strings.HasPrefix(gsid, "1Z02") {
		t.Errorf("GSID %s", gsid)
	}
	o.want("POST", query+"hubspot_deal__gc", `{"select":["Company_ID__gr.Name"]}`, 200,
		`{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[{"Company_ID__gr.Name":"Acme"}]}}`)
}

func TestPersonsAndUsersHaveAPIsOfTheirOwn(t *testing.T) {
	o := writable(t)
	for _, object := range []string{"person", "company_person", "gsuser"} {
		o.code("POST", "/v1/data/objects/"+object, `{"records":[{"Name":"Sam"}]}`, 400, "GSOBJ_1023")
	}
}

func TestDeleteRemovesOneRow(t *testing.T) {
	o := writable(t)
	gsid := o.Insert("company", map[string]any{"Name": "Acme"})
	o.want("DELETE", companies+"/"+gsid, "", 200, `{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":"Record with GSID: `+gsid+` successfully deleted."}`)
	o.code("DELETE", companies+"/"+gsid, "", 400, "GSOBJ_1004")
	if got := o.Count("company"); got != 0 {
		t.Errorf("%d rows", got)
	}
}

// lookup is a look-up of Csm by the user's email, with changes.
func lookup(changes map[string]string) string {
	spec := map[string]string{
		"fields": `{"CsmEmail":"Email"}`, "lookupField": `"Gsid"`, "objectName": `"GsUser"`,
		"multiMatchOption": `"MARKASERROR"`, "onNoMatch": `"ERROR"`,
	}
	maps.Copy(spec, changes)
	var parts []string
	for name, value := range spec {
		parts = append(parts, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestLookupsFillFields(t *testing.T) {
	o := writable(t)
	dana := o.Insert("gsuser", map[string]any{"Name": "Dana", "Email": "dana@example.com"})
	twin := o.Insert("gsuser", map[string]any{"Name": "Twin", "Email": "twin@example.com"})
	o.Insert("gsuser", map[string]any{"Name": "Twin", "Email": "twin@example.com"})
	for _, tt := range []struct {
		name, email string
		changes     map[string]string
		want        any // the GSID, nil for null, an errorDesc after "!"
	}{
		{"one match", "dana@example.com", nil, dana},
		{"no match", "no@example.com", nil, "!Lookup of Csm: no match was found"},
		{"no match with a text", "no@example.com", map[string]string{"errorMessage": `"Who?"`}, "!Who?"},
		{"no match to null", "no@example.com", map[string]string{"onNoMatch": `"NULLABLE"`}, nil},
		{"no match to a default", "no@example.com", map[string]string{"onNoMatch": `"DEFAULTVALUE"`, "defaultValue": `"` + dana + `"`}, dana},
		{"several matches", "twin@example.com", nil, "!Lookup of Csm: several matches were found"},
		{"the first of several", "twin@example.com", map[string]string{"multiMatchOption": `"FIRSTMATCH"`}, twin},
		{"two pairs", "dana@example.com", map[string]string{"fields": `{"CsmEmail":"Email","CsmName":"Name"}`}, dana},
		{"two pairs, one off", "twin@example.com", map[string]string{"fields": `{"CsmEmail":"Email","CsmName":"Name"}`}, "!Lookup of Csm: no match was found"},
		{"seven pairs", "dana@example.com", map[string]string{"fields": `{"A":"Email","B":"Email","C":"Email","D":"Email","E":"Email","F":"Email","G":"Email"}`}, "!Lookup of Csm: 1 to 6 fields are needed"},
		{"unknown object", "dana@example.com", map[string]string{"objectName": `"nothing"`}, "!Lookup of Csm: invalid object nothing"},
		{"unknown field", "dana@example.com", map[string]string{"fields": `{"CsmEmail":"Nothing"}`}, "!Lookup of Csm: invalid field Nothing"},
	} {
		body := fmt.Sprintf(`{"records":[{"Name":"Acme","CsmEmail":%q,"CsmName":"Dana"}],"lookups":{"Csm":%s}}`, tt.email, lookup(tt.changes))
		if !strings.Contains(tt.changes["fields"], "CsmName") {
			body = strings.Replace(body, `,"CsmName":"Dana"`, "", 1)
		}
		if desc, refused := strings.CutPrefix(fmt.Sprint(tt.want), "!"); refused {
			status, answer := o.call("POST", companies, body)
			if status != 400 || answer["errorCode"] != "GSOBJ_1002" || answer["errorDesc"] != desc {
				t.Errorf("%s: %d %v", tt.name, status, answer)
			}
			continue
		}
		gsid := gsids(o, "POST", companies, body)[0]
		want := gainsightsim.Row{"Name": "Acme"}
		if tt.want != nil {
			want["Csm"] = tt.want
		}
		if diff := cmp.Diff(want, fields(o, "company", gsid)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestSelfLookupFindsOlderRows(t *testing.T) {
	o := writable(t)
	parent := o.Insert("company", map[string]any{"Name": "Parent"})
	gsid := gsids(o, "POST", companies, `{"records":[{"Name":"Child","Tags":"Parent"}],"lookups":{"ParentCompany":{"fields":{"Tags":"Name"},
		"lookupField":"Gsid","objectName":"company","multiMatchOption":"FIRSTMATCH","onNoMatch":"ERROR"}}}`)[0]
	if diff := cmp.Diff(gainsightsim.Row{"Name": "Child", "Tags": "Parent", "ParentCompany": parent}, fields(o, "company", gsid)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
