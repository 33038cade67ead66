package gainsight_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
)

func records(rows ...string) string {
	return `{"result":true,"errorCode":null,"errorDesc":null,"localizedErrorDesc":null,"requestId":"r","data":{"records":[` +
		strings.Join(rows, ",") + `]},"message":null}`
}

// numbered returns rows n to m (exclusive) of the object, with GSIDs in order.
func numbered(n, m int) []string {
	var rows []string
	for ; n < m; n++ {
		rows = append(rows, fmt.Sprintf(`{"Gsid":"1P02%05d"}`, n))
	}
	return rows
}

func TestScanAsksForThePageBehindAGSID(t *testing.T) {
	c, v := connect(t, answers(200, records(`{"Gsid":"1P02B","Name":"Northwind"}`)))
	rows, err := c.Scan(t.Context(), "hubspot_deal__gc", []string{"Gsid", "Name"}, "1P02A", 5000)
	if err != nil {
		t.Fatal(err)
	}
	want := []sent{{"POST /v1/data/objects/query/hubspot_deal__gc", `{"select":["Gsid","Name"],` +
		`"where":{"conditions":[{"name":"Gsid","alias":"A","value":["1P02A"],"operator":"GT"}],"expression":"A"},` +
		`"orderBy":{"Gsid":"asc"},"limit":5000,"offset":0}`}}
	if diff := cmp.Diff(want, v.sent); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]map[string]any{{"Gsid": "1P02B", "Name": "Northwind"}}, rows); diff != "" {
		t.Error(diff)
	}
}

func TestScanRefusesAPageThatIsTooLarge(t *testing.T) {
	c, v := connect(t, answers(200))
	for _, limit := range []int{0, 5001} {
		if _, err := c.Scan(t.Context(), "company", nil, "", limit); err == nil {
			t.Errorf("a page of %d rows was asked for", limit)
		}
	}
	if len(v.sent) != 0 {
		t.Errorf("%d calls, want none", len(v.sent))
	}
}

func TestFindAsksForFiftyValuesAtATime(t *testing.T) {
	var values []string
	for i := range 101 {
		values = append(values, fmt.Sprint(i))
	}
	c, v := connect(t, answers(200, noRows, records(`{"Gsid":"1P02A","HubSpot_ID__gc":"77"}`), noRows))
	rows, err := c.Find(t.Context(), "company", []string{"HubSpot_ID__gc"}, "HubSpot_ID__gc", values)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0]["Gsid"] != "1P02A" {
		t.Errorf("found %v", rows)
	}
	var asked []string
	for _, s := range v.sent {
		var body struct {
			Where struct {
				Conditions []struct {
					Value []string `json:"value"`
				} `json:"conditions"`
			} `json:"where"`
		}
		if err := json.Unmarshal([]byte(s.Body), &body); err != nil {
			t.Fatal(err)
		}
		if n := len(body.Where.Conditions[0].Value); n > 50 {
			t.Errorf("%d values in one call", n)
		}
		asked = append(asked, body.Where.Conditions[0].Value...)
	}
	if diff := cmp.Diff(values, asked); diff != "" {
		t.Error(diff)
	}
	want := `{"select":["Gsid","HubSpot_ID__gc"],` +
		`"where":{"conditions":[{"name":"HubSpot_ID__gc","alias":"A","value":["100"],"operator":"IN"}],"expression":"A"},` +
		`"orderBy":{"Gsid":"asc"},"limit":5000,"offset":0}`
	if diff := cmp.Diff(want, v.sent[len(v.sent)-1].Body); diff != "" {
		t.Error(diff)
	}
}

func TestFindOfNothingCostsNothing(t *testing.T) {
	c, v := connect(t, answers(200))
	rows, err := c.Find(t.Context(), "company", nil, "Name", nil)
	if err != nil || len(rows) != 0 || len(v.sent) != 0 {
		t.Errorf("%d rows, %d calls, %v", len(rows), len(v.sent), err)
	}
}

func TestFindGoesOnBehindAFullPage(t *testing.T) {
	c, v := connect(t, answers(200, records(numbered(0, 5000)...), records(numbered(5000, 5003)...)))
	rows, err := c.Find(t.Context(), "company", nil, "Industry", []string{"Retail"})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5003 {
		t.Errorf("%d rows, want 5003", len(rows))
	}
	want := `{"select":["Gsid"],"where":{"conditions":[` +
		`{"name":"Industry","alias":"A","value":["Retail"],"operator":"IN"},` +
		`{"name":"Gsid","alias":"B","value":["1P0204999"],"operator":"GT"}],"expression":"A AND B"},` +
		`"orderBy":{"Gsid":"asc"},"limit":5000,"offset":0}`
	if diff := cmp.Diff(want, v.sent[1].Body); diff != "" {
		t.Error(diff)
	}
}

func TestFindStopsWhenAPageDoesNotMoveOn(t *testing.T) {
	page := records(numbered(0, 5000)...)
	c, v := connect(t, func(int, *http.Request, string) (int, string) { return 200, page })
	_, err := c.Find(t.Context(), "company", nil, "Industry", []string{"Retail"})
	if !fault.Is(err, fault.Invalid) || len(v.sent) != 2 {
		t.Errorf("%d calls, %v", len(v.sent), err)
	}
}

func TestFindReturnsARowOnceThoughTwoChunksMatchIt(t *testing.T) {
	var values []string
	for i := range 51 {
		values = append(values, fmt.Sprint("value ", i))
	}
	row := records(`{"Gsid":"1P02A","Name":"Northwind"}`)
	c, _ := connect(t, answers(200, row, row))
	rows, err := c.Find(t.Context(), "company", nil, "Name", values)
	if err != nil || len(rows) != 1 {
		t.Errorf("%d rows, want 1: %v", len(rows), err)
	}
}

func TestAReadIsEmptyOnlyIfGainsightSaysSo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		answer string
		empty  bool
	}{
		{"no records", 200, noRows, true},
		{"an empty array", 200, `{"result":true,"data":[]}`, true},
		{"records that are null", 200, `{"result":true,"data":{"records":null}}`, true},
		{"no data found", 200, `{"result":false,"errorCode":"GSOBJ_1XXX","errorDesc":"No data found for given criteria","data":null}`, true},
		{"no data found, with 400", 400, `{"result":false,"errorCode":"GSOBJ_1XXX","errorDesc":"No data found for given criteria","data":null}`, true},
		{"no data found, under another code", 400, `{"result":false,"errorCode":"GSOBJ_1017","errorDesc":"No data found for given criteria"}`, true},
		{"no entity", 400, `{"result":false,"errorCode":"GSOBJ_1011","errorDesc":"No entity matches the given criteria, please re-check your request"}`, true},
		{"no data at all", 200, `{"result":true,"data":null}`, false},
		{"data without records", 200, `{"result":true,"data":{}}`, false},
		{"data that is a text", 200, `{"result":true,"data":"none"}`, false},
		{"a row without a GSID", 200, records(`{"Name":"Northwind"}`), false},
		{"an answer that is no envelope", 200, `[]`, false},
		{"no data found by a server in trouble", 500, `{"result":false,"errorDesc":"No data found"}`, false},
		{"validation", 400, `{"result":false,"errorCode":"GSOBJ_1002","errorDesc":"Invalid field"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := connect(t, func(int, *http.Request, string) (int, string) { return tc.status, tc.answer })
			rows, err := c.Find(t.Context(), "company", nil, "Name", []string{"x"})
			if len(rows) != 0 || (err == nil) != tc.empty {
				t.Errorf("%d rows, error %v", len(rows), err)
			}
		})
	}
}

func TestACutOffAnswerIsNeverEmpty(t *testing.T) {
	whole := records(`{"Gsid":"1P02A"}`, `{"Gsid":"1P02B"}`)
	for n := range len(whole) {
		c, _ := connect(t, func(int, *http.Request, string) (int, string) { return 200, whole[:n] })
		if _, err := c.Scan(t.Context(), "company", nil, "", 10); !fault.Is(err, fault.Transient) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestValuesAreReadAsTheyAre(t *testing.T) {
	c, _ := connect(t, answers(200, `{"result":true,"data":[{
		"Gsid":"1P02A","Name":"Northwind","Arr":120000.10,"Big":9007199254740993,"Active":true,"Csm":null,
		"Csm__gr.Email":"dana@example.com","Tags":["a","b"],"Ids":["1I00A"],"More":{"x":1}}]}`))
	rows, err := c.Scan(t.Context(), "company", nil, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{
		"Gsid": "1P02A", "Name": "Northwind", "Arr": json.Number("120000.10"), "Big": json.Number("9007199254740993"),
		"Active": true, "Csm": nil, "Csm__gr.Email": "dana@example.com", "Tags": "a;b", "Ids": "1I00A", "More": `{"x":1}`,
	}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

func TestAPageThatIsSmallerThanAskedForIsFollowedByTheNext(t *testing.T) {
	pages := []string{`{"Gsid":"A"},{"Gsid":"B"}`, `{"Gsid":"C"},{"Gsid":"D"}`, `{"Gsid":"E"}`}
	c, v := connect(t, func(call int, _ *http.Request, _ string) (int, string) { return 200, records(pages[call-1]) })
	c.Dialect = func(context.Context) (gainsight.Dialect, error) { return gainsight.Dialect{PageRows: 2}, nil }
	rows, err := c.Scan(t.Context(), "company", nil, "", 5000)
	if err != nil || len(rows) != 5 || len(v.sent) != 3 {
		t.Errorf("%d rows in %d calls, %v; want 5 in 3", len(rows), len(v.sent), err)
	}
	if last := v.sent[2].Body; !strings.Contains(last, `"value":["D"]`) || !strings.Contains(last, `"limit":2`) {
		t.Errorf("the last call asks for %s", last)
	}
}

func TestADialectThatCannotBeReadFailsTheCall(t *testing.T) {
	c, v := connect(t, answers(200, noRows))
	c.Dialect = func(context.Context) (gainsight.Dialect, error) {
		return gainsight.Dialect{}, fault.New(fault.Transient, "The table did not answer.")
	}
	_, errScan := c.Scan(t.Context(), "company", nil, "", 1)
	_, errFind := c.Find(t.Context(), "company", nil, "Name", []string{"a"})
	_, errInsert := c.Insert(t.Context(), "company", []map[string]any{{"Name": "a"}})
	_, errPerson := c.PutPerson(t.Context(), map[string]any{"Email": "a@b.example"})
	_, errSchema := c.Schema(t.Context(), "company")
	_, errExact := c.Exact(t.Context())
	for _, err := range []error{errScan, errFind, errInsert, errPerson, errSchema, errExact} {
		if !fault.Is(err, fault.Transient) {
			t.Errorf("err = %v, want Transient", err)
		}
	}
	if len(v.sent) != 0 {
		t.Errorf("%d calls, want none", len(v.sent))
	}
}
