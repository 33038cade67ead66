package gainsightsim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

// library fills an organisation with five companies, a user and dates.
func library(t *testing.T, o gainsightsim.Options) (*org, string) {
	t.Helper()
	o.Limits.Off = true
	sim := open(t, o)
	csm := sim.Insert("gsuser", map[string]any{"Name": "Dana", "Email": "dana@example.com"})
	sim.AddField("company", gainsightsim.Field{Name: "Topics__gc", Label: "Topics", DataType: "MULTISELECTDROPDOWNLIST", Nillable: true, Options: []string{"Red", "Blue"}})
	sim.AddField("company", gainsightsim.Field{Name: "Seen__gc", Label: "Seen", DataType: "DATETIME", Nillable: true})
	sim.AddField("company", gainsightsim.Field{Name: "Paid__gc", Label: "Paid", DataType: "BOOLEAN", Nillable: true})
	seen := time.Date(2026, 11, 20, 7, 37, 20, 0, time.UTC)
	for _, row := range []map[string]any{
		{"Name": "Acme", "Employees": 10, "Stage": "Launched", "Csm": csm, "Seen__gc": seen, "Paid__gc": true},
		{"Name": "acme", "Employees": 20, "RenewalDate": "2027-01-31", "Topics__gc": "Red;Blue", "Seen__gc": seen.Add(time.Millisecond)},
		{"Name": "Borealis", "Employees": 30, "Stage": "Churn", "Topics__gc": "Blue", "Paid__gc": false},
		{"Name": "Cascade \"&\" Søn", "Industry": "Retail"},
		{"Name": "Delta", "Employees": 30, "Csm": csm, "RenewalDate": "2027-02-28"},
	} {
		sim.Insert("company", row)
	}
	return sim, csm
}

// names returns the names that a query finds.
func names(o *org, where, rest string) []string {
	o.t.Helper()
	status, answer := o.call("POST", query+"Company", `{"select":["Name"],"where":`+where+rest+`}`)
	if status != 200 {
		o.t.Fatalf("%s: %d %v", where, status, answer)
	}
	found := []string{}
	for _, row := range answer["data"].(map[string]any)["records"].([]any) {
		found = append(found, row.(map[string]any)["Name"].(string))
	}
	return found
}

func where(conditions ...string) string { return whereExpr("", conditions...) }

// whereExpr gives conditions, each "name operator values", the aliases A, B, C…
func whereExpr(expression string, conditions ...string) string {
	list := make([]string, len(conditions))
	for i, c := range conditions {
		p := strings.SplitN(c, " ", 3)
		list[i] = fmt.Sprintf(`{"name":%q,"alias":%q,"operator":%q,"value":[%s]}`, p[0], string(rune('A'+i)), p[1], p[2])
	}
	return fmt.Sprintf(`{"conditions":[%s],"expression":%q}`, strings.Join(list, ","), expression)
}

func TestQueryFindsRows(t *testing.T) {
	o, _ := library(t, gainsightsim.Options{})
	const cascade = "Cascade \"&\" Søn"
	for _, tt := range []struct {
		name, where string
		want        []string
	}{
		{"all", `null`, []string{"Acme", "acme", "Borealis", cascade, "Delta"}},
		{"EQ is exact", where(`Name EQ "Acme"`), []string{"Acme"}},
		{"EQ of a number", where(`Employees EQ 30`), []string{"Borealis", "Delta"}},
		{"EQ of a label", where(`Stage EQ "Launched"`), []string{"Acme"}},
		{"EQ of an unknown label", where(`Stage EQ "Nothing"`), []string{}},
		{"EQ of a boolean", where(`Paid__gc EQ true`), []string{"Acme"}},
		{"NE", where(`Employees NE 30`), []string{"Acme", "acme", cascade}},
		{"IN", where(`Name IN "Delta","acme","nobody"`), []string{"acme", "Delta"}},
		{"LT", where(`Employees LT 20`), []string{"Acme"}},
		{"LTE", where(`Employees LTE 20`), []string{"Acme", "acme"}},
		{"GT", where(`Employees GT 20`), []string{"Borealis", "Delta"}},
		{"GTE", where(`Employees GTE "20"`), []string{"acme", "Borealis", "Delta"}},
		{"BTW", where(`Employees BTW 15,25`), []string{"acme"}},
		{"BTW of dates", where(`RenewalDate BTW "2027-02-01","2027-02-28"`), []string{"Delta"}},
		{"CONTAINS", where(`Name CONTAINS "real"`), []string{"Borealis"}},
		{"DOES_NOT_CONTAIN", where(`Name DOES_NOT_CONTAIN "e"`), []string{}},
		{"STARTS_WITH", where(`Name STARTS_WITH "A"`), []string{"Acme"}},
		{"ENDS_WITH", where(`Name ENDS_WITH "cme"`), []string{"Acme", "acme"}},
		{"IS_NULL", where(`Employees IS_NULL `), []string{cascade}},
		{"IS_NOT_NULL", where(`RenewalDate IS_NOT_NULL `), []string{"acme", "Delta"}},
		{"INCLUDES", where(`Topics__gc INCLUDES "Red"`), []string{"acme"}},
		{"EXCLUDES", where(`Topics__gc EXCLUDES "Red"`), []string{"Acme", "Borealis", cascade, "Delta"}},
		{"a look-up", where(`Csm__gr.Email EQ "dana@example.com"`), []string{"Acme", "Delta"}},
		{"a time with Z", where(`Seen__gc GT "2026-11-20T07:37:20Z"`), []string{"acme"}},
		{"a time with an offset", where(`Seen__gc GTE "2026-11-20T08:37:20+01:00"`), []string{"Acme", "acme"}},
		{"a time without a zone", where(`Seen__gc LTE "2026-11-20 07:37:20"`), []string{"Acme"}},
		{"an American date", where(`RenewalDate EQ "01-31-2027"`), []string{"acme"}},
		{"milliseconds", where(`Seen__gc EQ 1795160240001`), []string{"acme"}},
		{"conditions without expression", where(`Employees EQ 30`, `Name EQ "Delta"`), []string{"Delta"}},
		{"AND", whereExpr("A AND B", `Employees GT 10`, `Employees LT 30`), []string{"acme"}},
		{"OR", whereExpr("A OR B", `Name EQ "Acme"`, `Name EQ "Delta"`), []string{"Acme", "Delta"}},
		{"AND before OR", whereExpr("A OR B AND C", `Name EQ "Acme"`, `Employees EQ 30`, `Name EQ "Delta"`), []string{"Acme", "Delta"}},
		{"AND before OR, turned", whereExpr("B AND C OR A", `Name EQ "Acme"`, `Employees EQ 30`, `Name EQ "Delta"`), []string{"Acme", "Delta"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o.in(t)
			if diff := cmp.Diff(tt.want, names(o, tt.where, "")); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tt.where, diff)
			}
		})
	}
}

func TestQueryOrdersAndPages(t *testing.T) {
	o, _ := library(t, gainsightsim.Options{})
	for _, tt := range []struct {
		name, where, rest string
		want              []string
	}{
		{"keys in their order", where(`Employees IS_NOT_NULL `), `,"orderBy":{"Employees":"desc","Name":"asc"}`, []string{"Borealis", "Delta", "acme", "Acme"}},
		{"keys turned", where(`Employees IS_NOT_NULL `), `,"orderBy":{"Name":"asc","Employees":"desc"}`, []string{"Acme", "Borealis", "Delta", "acme"}},
		{"null first", `null`, `,"orderBy":{"Employees":"asc"},"limit":2`, []string{"Cascade \"&\" Søn", "Acme"}},
		{"a page", `null`, `,"limit":2,"offset":1`, []string{"acme", "Borealis"}},
		{"a page of a sorted list", where(`Employees IS_NOT_NULL `), `,"orderBy":{"Name":"asc"},"limit":2,"offset":2`, []string{"Delta", "acme"}},
		{"behind the end", `null`, `,"limit":2,"offset":7`, []string{}},
	} {
		if diff := cmp.Diff(tt.want, names(o, tt.where, tt.rest)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestFoundRowsComeInTheOrderOfGSIDs(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	var want []string
	for i := range 40 {
		want = append(want, o.Insert("company", map[string]any{"Name": "Acme", "Employees": i % 2}))
	}
	slices.Sort(want)
	for _, rest := range []string{
		where(`Name IN "Acme"`), whereExpr("A OR B", `Employees EQ 0`, `Employees EQ 1`), whereExpr("A AND B", `Name EQ "Acme"`, `Gsid GTE "`+want[0]+`"`),
	} {
		_, answer := o.call("POST", query+"company", `{"select":["Gsid"],"orderBy":{"Gsid":"asc"},"where":`+rest+`}`)
		var got []string
		for _, row := range answer["data"].(map[string]any)["records"].([]any) {
			got = append(got, row.(map[string]any)["Gsid"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", rest, diff)
		}
	}
}

func TestQueryRefusesWhatItDoesNotKnow(t *testing.T) {
	o, _ := library(t, gainsightsim.Options{})
	for name, body := range map[string]string{
		"no select":        `{}`,
		"selected field":   `{"select":["Nothing"]}`,
		"selected look-up": `{"select":["Name__gr.Email"]}`,
		"field's case":     `{"select":["name"]}`,
		"where field":      `{"select":["Gsid"],"where":` + where(`Nothing EQ 1`) + `}`,
		"orderBy field":    `{"select":["Gsid"],"orderBy":{"Nothing":"asc"}}`,
		"operator":         `{"select":["Gsid"],"where":` + where(`Name LIKE "x"`) + `}`,
		"values":           `{"select":["Gsid"],"where":` + where(`Name EQ "x","y"`) + `}`,
		"no values":        `{"select":["Gsid"],"where":` + where(`Name IN `) + `}`,
		"null":             `{"select":["Gsid"],"where":` + where(`Name EQ null`) + `}`,
		"no array":         `{"select":["Gsid"],"where":{"conditions":[{"name":"Name","alias":"A","operator":"EQ","value":"x"}]}}`,
		"date":             `{"select":["Gsid"],"where":` + where(`RenewalDate EQ "soon"`) + `}`,
		"parentheses":      `{"select":["Gsid"],"where":` + whereExpr("( A )", `Name EQ "x"`) + `}`,
		"orderBy":          `{"select":["Gsid"],"orderBy":["Gsid"]}`,
		"other word":       `{"select":["Gsid"],"where":` + whereExpr("A NOT A", `Name EQ "x"`) + `}`,
		"open expression":  `{"select":["Gsid"],"where":` + whereExpr("A AND", `Name EQ "x"`) + `}`,
		"alias":            `{"select":["Gsid"],"where":` + whereExpr("A AND B", `Name EQ "x"`) + `}`,
		"limit":            `{"select":["Gsid"],"limit":0}`,
		"no JSON":          `{"select":`,
	} {
		if status, answer := o.call("POST", query+"company", body); status != 400 || answer["result"] != false {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	o.code("POST", query+"company", `{"select":["Nothing"]}`, 400, "GSOBJ_1002")
}

func TestQueryAnswersTypedValues(t *testing.T) {
	o, csm := library(t, gainsightsim.Options{})
	row, _ := o.call("GET", "/v1/meta/services/objects/company/describe?idd=true", "")
	if row != 200 {
		t.Fatal(row)
	}
	stage := option(o, "company", "Stage", "Launched")
	body := `{"select":["Name","Employees","Stage","Csm","Csm__gr.Email","RenewalDate","Seen__gc","Paid__gc","Industry"],"limit":2}`
	first := `{"Name":"Acme","Employees":10,"Stage":"` + stage + `","Csm":"` + csm + `","Csm__gr.Email":"dana@example.com",
		"RenewalDate":"","Seen__gc":"2026-11-20T07:37:20Z","Paid__gc":true,"Industry":null}`
	second := `{"Name":"acme","Employees":20,"Stage":null,"Csm":null,"RenewalDate":"2027-01-31",
		"Seen__gc":"2026-11-20T07:37:20.001Z","Paid__gc":null,"Industry":null}`
	o.want("POST", query+"company", body, 200, `{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[`+first+`,`+second+`]}}`)

	o.SetSwitches(gainsightsim.Switches{EpochDates: true, BareArray: true})
	o.want("POST", query+"company", `{"select":["RenewalDate","Seen__gc"],"limit":2}`, 200, `{"result":true,"errorCode":null,"errorDesc":null,"message":null,
		"data":[{"RenewalDate":null,"Seen__gc":1795160240000},{"RenewalDate":1801353600000,"Seen__gc":1795160240001}]}`)
}

// option returns the GSID of a picklist item, as describe gives it.
func option(o *org, object, field, label string) string {
	o.t.Helper()
	_, answer := o.call("GET", "/v1/meta/services/objects/"+object+"/describe?idd=true", "")
	for _, f := range answer["data"].([]any)[0].(map[string]any)["fields"].([]any) {
		if f := f.(map[string]any); f["fieldName"] == field {
			for _, item := range f["options"].([]any) {
				if item := item.(map[string]any); item["label"] == label {
					return item["value"].(string)
				}
			}
		}
	}
	o.t.Fatalf("%s.%s has no item %s", object, field, label)
	return ""
}

func TestQueryWithoutMatch(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.want("POST", query+"company", nothing, 200, `{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[]}}`)
	o.SetSwitches(gainsightsim.Switches{EmptyIsError: true})
	o.want("POST", query+"company", nothing, 200, `{"result":false,"errorCode":"GSOBJ_1XXX","errorDesc":"No data found for given criteria","message":null,"data":null}`)
}

func TestCaseIsFoldedIfAskedTo(t *testing.T) {
	o, _ := library(t, gainsightsim.Options{Switches: gainsightsim.Switches{FoldCase: true}})
	for _, tt := range []struct {
		where string
		want  []string
	}{
		{where(`Name IN "ACME"`), []string{"Acme", "acme"}},
		{where(`Name CONTAINS "SØN"`), []string{"Cascade \"&\" Søn"}},
		{where(`Name IN "CASCADE \"&\" SØN"`), []string{"Cascade \"&\" Søn"}},
	} {
		if diff := cmp.Diff(tt.want, names(o, tt.where, "")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.where, diff)
		}
	}
}

func TestLimitIsAHundredUnlessGivenAndNeverAbove5000(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	for i := range 5002 {
		o.Insert("company", map[string]any{"Name": fmt.Sprint(i)})
	}
	for _, tt := range []struct {
		rest string
		want int
	}{{``, 100}, {`,"limit":6000`, 5000}, {`,"limit":5000,"offset":5000`, 2}} {
		if got := len(names(o, `null`, tt.rest)); got != tt.want {
			t.Errorf("%q: %d rows, want %d", tt.rest, got, tt.want)
		}
	}
}

// page returns the GSIDs behind one, in their order.
func page(o *org, after string, limit int) []string {
	o.t.Helper()
	_, answer := o.call("POST", query+"company", fmt.Sprintf(`{"select":["Gsid"],"where":%s,"orderBy":{"Gsid":"asc"},"limit":%d}`, where(fmt.Sprintf(`Gsid GT %q`, after)), limit))
	var found []string
	for _, row := range answer["data"].(map[string]any)["records"].([]any) {
		found = append(found, row.(map[string]any)["Gsid"].(string))
	}
	return found
}

func TestScanByGSIDMeetsEveryRowOnce(t *testing.T) {
	o := open(t, gainsightsim.Options{Limits: gainsightsim.Limits{Off: true}})
	var want []string
	for i := range 250 {
		want = append(want, o.Insert("company", map[string]any{"Name": fmt.Sprint(i)}))
	}
	slices.Sort(want)
	var got []string
	for after := ""; ; {
		rows := page(o, after, 40)
		got = append(got, rows...)
		if len(rows) < 40 {
			break
		}
		after = rows[len(rows)-1]
		if len(got) == 80 { // rows come and go between pages
			o.Delete("company", want[0])
			o.Delete("company", want[200])
			want = slices.Delete(want, 200, 201)
			late := o.Insert("company", map[string]any{"Gsid": want[100][:35] + "~", "Name": "late"})
			want = slices.Insert(want, 101, late)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestIndexesFollowChanges(t *testing.T) {
	o, _ := library(t, gainsightsim.Options{})
	find := func(value string) []string { return names(o, where(`Name IN "`+value+`"`), "") }
	if diff := cmp.Diff([]string{"Delta"}, find("Delta")); diff != "" {
		t.Fatal(diff)
	}
	gsid := o.Insert("company", map[string]any{"Name": "Delta"})
	for _, step := range []struct {
		name string
		want int
	}{{"Epsilon", 1}, {"Delta", 2}, {"Epsilon", 1}, {"Delta", 2}} {
		o.Set("company", gsid, map[string]any{"Name": step.name})
		if got := len(find("Delta")); got != step.want {
			t.Errorf("after the change to %s: %d rows, want %d", step.name, got, step.want)
		}
	}
	o.Delete("company", gsid)
	if got := len(find("Delta")); got != 1 {
		t.Errorf("after the deletion: %d rows", got)
	}
	o.Set("company", o.Insert("company", nil), map[string]any{"Name": "Delta"})
	if got := len(find("Delta")); got != 2 {
		t.Errorf("after filling: %d rows", got)
	}
}

func TestOneRowIsReadByItsGSID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, gainsightsim.Options{})
		o.AddObject("note__gc", "Note")
		gsid := o.Insert("note__gc", map[string]any{"Name": "One"})
		o.want("GET", "/v1/data/objects/note__gc/"+gsid, "", 200, `{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[
			{"Gsid":"`+gsid+`","Name":"One","CreatedDate":"2000-01-01T00:00:00Z","ModifiedDate":"2000-01-01T00:00:00Z","CreatedBy":null,"ModifiedBy":null}]}}`)
		o.code("GET", "/v1/data/objects/note__gc/1Z02", "", 400, "GSOBJ_1004")
	})
}

func TestUsersAreListedInPages(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	for i := range 5 {
		o.Insert("gsuser", map[string]any{"Name": fmt.Sprint(i)})
	}
	o.want("POST", "/v1/users/services/list", `{"select":["Name"],"includeTotal":true,"limit":2,"page":1}`, 200,
		`{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[{"Name":"2"},{"Name":"3"}]}}`)
}

func TestCallsMayComeAtOnce(t *testing.T) {
	o := open(t, gainsightsim.Options{Limits: gainsightsim.Limits{Off: true}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				_, _, err := o.try("POST", "/v1/data/objects/company", fmt.Sprintf(`{"records":[{"Name":"%d-%d"}]}`, i, k)) //nolint:bodyclose // read and closed by try
				if err != nil {
					t.Error(err)
				}
				_, b, err := o.try("POST", query+"company", `{"select":["Name"],"where":`+where(fmt.Sprintf(`Name IN "%d-%d"`, i, k))+`}`) //nolint:bodyclose // read and closed by try
				if err != nil || !json.Valid(b) || !strings.Contains(string(b), fmt.Sprintf(`"%d-%d"`, i, k)) {
					t.Errorf("%s %v", b, err)
				}
			}
		})
	}
	wg.Wait()
	if got := o.Count("company"); got != 80 {
		t.Errorf("%d rows, want 80", got)
	}
}
