package hubspot_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

func text(s string) *string { return &s }

func TestAllRecordsAreListedPageByPage(t *testing.T) {
	c, p := connect(t, answers(`{"results":[
		{"id":"7","properties":{"name":"Line\nbreak \"é\" \u00e9","phone":null,"city":"","createdate":"2026-10-02T08:11:12.345Z","hs_object_id":"7","hs_lastmodifieddate":"2026-11-20T09:00:01.002Z"},
		 "createdAt":"2026-10-02T08:11:12.345Z","updatedAt":"2026-11-20T09:00:01.002Z","archived":false,"url":"x","warnings":[{"category":"c","context":{}}]},
		{"id":9007199254740993,"properties":{"name":12.50,"phone":true},"archived":true}],
		"paging":{"next":{"after":"9007199254740999","link":"https://x"}}}`,
		`{"results":[]}`))
	q := record.Query{Object: "0-2", Properties: []string{"name", "phone", "city", "tiér"}}
	page, err := c.Page(t.Context(), "c1", q)
	if err != nil {
		t.Fatal(err)
	}
	want := record.Page{Next: "list:9007199254740999", Records: []record.Record{
		{ID: "7", Version: 1795165201002, Values: map[string]*string{"name": text("Line\nbreak \"é\" é"), "phone": nil, "city": text("")}},
		{ID: "9007199254740993", Archived: true, Values: map[string]*string{"name": text("12.50"), "phone": text("true")}},
	}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	q.After = page.Next
	if page, err = c.Page(t.Context(), "c1", q); err != nil || len(page.Records) != 0 || page.Next != "" {
		t.Errorf("last page: %v, %v", page, err)
	}
	lines := []string{
		"GET /crm/objects/2026-09/0-2?archived=false&limit=100&properties=name,phone,city,ti%C3%A9r",
		"GET /crm/objects/2026-09/0-2?archived=false&limit=100&after=9007199254740999&properties=name,phone,city,ti%C3%A9r",
	}
	if diff := cmp.Diff(lines, p.lines()); diff != "" {
		t.Error(diff)
	}
}

func TestAPageIsWholeOrAnError(t *testing.T) {
	const whole = `{"results":[{"id":"1","properties":{"name":"Ann"}},{"id":"2","properties":{"name":"Ben"}}],"paging":{"next":{"after":"3"}}}`
	bodies := map[string]string{"no results": `{}`, "null": `null`, "a list": `[]`, "a web page": "<html>" + canary, "no id": `{"results":[{"properties":{}}]}`, "two answers": whole + whole}
	for eighth := range 8 {
		bodies[fmt.Sprintf("%d/8 of a page", eighth)] = whole[:len(whole)*eighth/8]
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			c, p := connect(t, answers(body))
			_, err := c.Page(t.Context(), "c1", record.Query{Object: "0-1", Properties: []string{"name"}})
			checkFault(t, err, fault.Transient, "cut off")
			if len(p.calls) != 4 {
				t.Errorf("%d calls, want 4", len(p.calls))
			}
		})
	}
	t.Run("then a good one", func(t *testing.T) {
		c, p := connect(t, answers(whole[:100], whole))
		page, err := c.Page(t.Context(), "c1", record.Query{Object: "0-1", Properties: []string{"name"}})
		if err != nil || len(page.Records) != 2 || len(p.calls) != 2 {
			t.Errorf("%d records in %d calls, %v", len(page.Records), len(p.calls), err)
		}
	})
}

func TestLongPropertyListsTravelInABody(t *testing.T) {
	names := make([]string, 1500)
	for i := range names {
		names[i] = fmt.Sprintf("property_%04d", i)
	}
	tests := []struct {
		name       string
		properties []string
		lines      []string
	}{
		{"480 properties fit an address", names[:480], []string{"GET /crm/objects/2026-09/0-1"}},
		{"500 do not", names[:500], []string{"GET /crm/objects/2026-09/0-1", "POST /crm/objects/2026-09/0-1/batch/read"}},
		{"1,500 do not", names, []string{"GET /crm/objects/2026-09/0-1", "POST /crm/objects/2026-09/0-1/batch/read"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, p := connect(t, func(_ int, one call) (int, string, http.Header) {
				if len(origin)+len(one.line) > 7010 {
					return 414, "", nil
				}
				if strings.HasPrefix(one.line, "GET") {
					return 200, `{"results":[{"id":"2","properties":{"property_0001":"b"}},{"id":"10","properties":{"property_0001":"b"}},{"id":"1","properties":{"property_0001":"b"}}],"paging":{"next":{"after":"11"}}}`, nil
				}
				var body struct {
					Inputs []struct {
						ID string `json:"id"`
					} `json:"inputs"`
					Properties []string `json:"properties"`
				}
				if err := json.Unmarshal([]byte(one.body), &body); err != nil || len(body.Properties) != len(test.properties) || len(body.Inputs) != 3 {
					t.Errorf("batch of %d ids and %d properties, %v", len(body.Inputs), len(body.Properties), err)
				}
				return 207, `{"status":"COMPLETE","results":[{"id":"10","properties":{"property_0001":"b"}},{"id":"2","properties":{"property_0001":"b"}}],
					"numErrors":1,"errors":[{"status":"error","category":"OBJECT_NOT_FOUND","message":"gone","context":{"ids":["1"]}}]}`, nil
			})
			page, err := c.Page(t.Context(), "c1", record.Query{Object: "0-1", Properties: test.properties})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, line := range p.lines() {
				path, _, _ := strings.Cut(line, "?")
				lines = append(lines, path)
			}
			if diff := cmp.Diff(test.lines, lines); diff != "" {
				t.Error(diff)
			}
			if page.Next != "list:11" || *page.Records[0].Values["property_0001"] != "b" {
				t.Errorf("page %v", page)
			}
			if len(test.lines) == 2 && (len(page.Records) != 2 || page.Records[0].ID != "2" || page.Records[1].ID != "10") {
				t.Errorf("records %v, want 2 and 10", page.Records)
			}
		})
	}
}

func TestRecordsAreReadByID(t *testing.T) {
	q := record.Query{Object: "0-1", Properties: []string{"name"}, IDs: []string{"3", "1", "3"}}
	tests := []struct {
		name   string
		status int
		body   string
		want   []string
		fault  fault.Kind
	}{
		{"all there", 200, `{"results":[{"id":"3","properties":{}},{"id":"1","properties":{}}]}`, []string{"1", "3"}, ""},
		{"one missing", 207, `{"results":[{"id":"3","properties":{}}],"errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["1"]}}]}`, []string{"3"}, ""},
		{"all missing", 404, `{"status":"error","category":"OBJECT_NOT_FOUND","message":"none"}`, nil, ""},
		{"unknown is not missing", 207, `{"results":[{"id":"3","properties":{}}],"errors":[{"category":"INTERNAL_ERROR"}]}`, nil, fault.Transient},
		{"a wrong path is not missing", 404, `{"message":"no"}`, nil, fault.Invalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, p := connect(t, status(test.status, test.body))
			page, err := c.Page(t.Context(), "c1", q)
			if (err == nil) != (test.fault == "") || err != nil && fault.KindOf(err) != test.fault {
				t.Fatalf("%v, want %q", err, test.fault)
			}
			var got []string
			for _, r := range page.Records {
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || page.Next != "" {
				t.Errorf("next %q, %s", page.Next, diff)
			}
			want := []call{{"POST /crm/objects/2026-09/0-1/batch/read?archived=false", `{"inputs":[{"id":"1"},{"id":"3"}],"properties":["name"]}`}}
			if diff := cmp.Diff(want, p.calls, cmp.AllowUnexported(call{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCursorsOfOtherQueriesAreRefused(t *testing.T) {
	since := noon().Add(-time.Hour)
	tests := []struct {
		name   string
		object string
		since  time.Time
		after  string
	}{
		{"search cursor to list", "0-1", time.Time{}, "search:7"},
		{"list cursor to search", "0-1", since, "list:7"},
		{"owner cursor to list", "0-1", time.Time{}, "owners:active:7"},
		{"list cursor to owners", "owner", time.Time{}, "list:7"},
		{"raw cursor", "0-1", time.Time{}, "7"},
		{"no id in a search cursor", "0-1", since, "search:x"},
		{"empty list cursor", "0-1", time.Time{}, "list:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, p := connect(t, answers(`{"results":[]}`))
			_, err := c.Page(t.Context(), "c1", record.Query{Object: test.object, Since: test.since, Until: noon(), After: test.after})
			checkFault(t, err, fault.Invalid, "Start the run again")
			if len(p.calls) != 0 {
				t.Errorf("%d calls, want none", len(p.calls))
			}
		})
	}
}

// A deactivated user's owner is in the list of the active ones, without a userId.
// A queue has no user at all.
func TestOwnersWhoseUserIsInactiveCountAsArchived(t *testing.T) {
	c, _ := connect(t, answers(`{"results":[
		{"id":"41","email":"ann@us.example","type":"PERSON","userId":42,"userIdIncludingInactive":42,"archived":false},
		{"id":"43","email":"ben@us.example","type":"PERSON","userId":null,"userIdIncludingInactive":44,"archived":false},
		{"id":"45","email":"cy@us.example","type":"PERSON","userIdIncludingInactive":46,"archived":false},
		{"id":"47","type":"QUEUE","userId":null,"userIdIncludingInactive":null,"archived":false}]}`))
	page, err := c.Page(t.Context(), "c1", record.Query{Object: "owner"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range page.Records {
		got[r.ID] = r.Archived
	}
	if diff := cmp.Diff(map[string]bool{"41": false, "43": true, "45": true, "47": false}, got); diff != "" {
		t.Errorf("archived (-want +got):\n%s", diff)
	}
}

func TestAListThatStandsStillIsAnError(t *testing.T) {
	c, _ := connect(t, answers(`{"results":[{"id":"7","properties":{}}],"paging":{"next":{"after":"7"}}}`))
	for _, after := range []string{"list:7", "list:8"} {
		_, err := c.Page(t.Context(), "c1", record.Query{Object: "0-1", After: after})
		checkFault(t, err, fault.Transient, "same page twice")
	}
}

func TestOwnersAreReadActiveThenArchived(t *testing.T) {
	c, p := connect(t, answers(
		`{"results":[{"id":"41","email":"ann@us.example","type":"PERSON","firstName":"Ann","lastName":"","userId":42,"userIdIncludingInactive":42,"archived":false,
			"teams":[{"id":"1","name":"East"},{"id":"2","name":"West","primary":true}]}],"paging":{"next":{"after":"42"}}}`,
		`{"results":[]}`,
		`{"results":[{"id":43,"email":"ben@us.example","type":"PERSON","userId":null,"userIdIncludingInactive":44,"archived":true}]}`))
	q := record.Query{Object: "owner"}
	var got []record.Record
	var cursors []string
	for range 3 {
		page, err := c.Page(t.Context(), "c1", q)
		if err != nil {
			t.Fatal(err)
		}
		got, cursors, q.After = append(got, page.Records...), append(cursors, page.Next), page.Next
	}
	want := []record.Record{
		{ID: "41", Values: map[string]*string{
			"ownerId": text("41"), "email": text("ann@us.example"), "firstName": text("Ann"), "lastName": text(""), "userId": text("42"), "type": text("PERSON"), "team": text("West"),
		}},
		{ID: "43", Archived: true, Values: map[string]*string{
			"ownerId": text("43"), "email": text("ben@us.example"), "firstName": nil, "lastName": nil, "userId": text("44"), "type": text("PERSON"), "team": nil,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"owners:active:42", "owners:archived:", ""}, cursors); diff != "" {
		t.Error(diff)
	}
	lines := []string{
		"GET /crm/owners/2026-09?archived=false&limit=500", "GET /crm/owners/2026-09?after=42&archived=false&limit=500", "GET /crm/owners/2026-09?archived=true&limit=500",
	}
	if diff := cmp.Diff(lines, p.lines()); diff != "" {
		t.Error(diff)
	}
	schema, err := c.Schema(t.Context(), "c1", "owner")
	if err != nil {
		t.Fatal(err)
	}
	for name := range want[0].Values {
		if _, ok := schema.Field(name); !ok {
			t.Errorf("the schema lacks %s", name)
		}
	}
}

func TestPropertiesBecomeFields(t *testing.T) {
	c, p := connect(t, answers(`{"results":[
		{"name":"name","label":"Name","type":"string","fieldType":"text"},
		{"name":"tel","label":"Tel","type":"phone_number","fieldType":"phonenumber"},
		{"name":"seats","label":"Seats","type":"number","fieldType":"number"},
		{"name":"hs_object_id","label":"Record ID","type":"number","fieldType":"number","hubspotDefined":true},
		{"name":"associatedcompanyid","label":"Company","type":"number","fieldType":"number","referencedObjectType":"COMPANY","hubspotDefined":true},
		{"name":"vip","label":"VIP","type":"bool","fieldType":"booleancheckbox","options":[{"label":"Yes","value":"true"}]},
		{"name":"day","label":"Day","type":"date","fieldType":"date"},
		{"name":"at","label":"At","type":"datetime","fieldType":"date"},
		{"name":"industry","label":"Industry","type":"enumeration","fieldType":"select","options":[{"label":"Banking","value":"BANKING","hidden":false},{"label":"Old","value":"OLD","hidden":true}]},
		{"name":"tags","label":"Tags","type":"enumeration","fieldType":"checkbox","options":[]},
		{"name":"where","label":"Where","type":"object_coordinates","fieldType":"text"},
		{"name":"blob","label":"Blob","type":"json","fieldType":"text"}]}`,
		`{"results":[{"name":"old","label":"Old","type":"string","archived":true},{"name":"name","label":"Older name","type":"number","archived":true}]}`))
	got, err := c.Schema(t.Context(), "c1", "0-1")
	if err != nil {
		t.Fatal(err)
	}
	want := record.Schema{Object: "0-1", Fields: []record.Field{
		{Name: "name", Label: "Name", Type: record.String},
		{Name: "tel", Label: "Tel", Type: record.String},
		{Name: "seats", Label: "Seats", Type: record.Number},
		{Name: "hs_object_id", Label: "Record ID", Type: record.String},
		{Name: "associatedcompanyid", Label: "Company", Type: record.String},
		{Name: "vip", Label: "VIP", Type: record.Boolean},
		{Name: "day", Label: "Day", Type: record.Date},
		{Name: "at", Label: "At", Type: record.DateTime},
		{Name: "industry", Label: "Industry", Type: record.Enumeration, Options: []record.Option{{Value: "BANKING", Label: "Banking", Active: true}, {Value: "OLD", Label: "Old"}}},
		{Name: "tags", Label: "Tags", Type: record.Multi},
		{Name: "where", Label: "Where", Type: record.Unsupported},
		{Name: "blob", Label: "Blob", Type: record.Unsupported},
		{Name: "old", Label: "Old", Type: record.String, Archived: true},
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET /crm/properties/2026-09/0-1?archived=false", "GET /crm/properties/2026-09/0-1?archived=true"}, p.lines()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkPage(b *testing.B) {
	var body strings.Builder
	names := make([]string, 25)
	for i := range names {
		names[i] = fmt.Sprintf("property_number_%02d", i)
	}
	body.WriteString(`{"results":[`)
	for r := range 100 {
		if r > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"%d","properties":{"createdate":"2026-10-02T08:11:12.345Z","hs_object_id":"%d"`, 1000+r, 1000+r)
		for i, name := range names {
			fmt.Fprintf(&body, `,%q:"value %d of record %d"`, name, i, r)
		}
		fmt.Fprintf(&body, `},"createdAt":"2026-10-02T08:11:12.345Z","updatedAt":"2026-11-20T09:00:01.002Z","archived":false,"url":"https://app.hubspot.com/contacts/90210/record/0-2/%d"}`, 1000+r)
	}
	body.WriteString(`]}`)
	text := body.String()
	c, p := connect(b, answers(text))
	q := record.Query{Object: "0-2", Properties: names}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		page, err := c.Page(b.Context(), "c1", q)
		if err != nil || len(page.Records) != 100 {
			b.Fatal(err)
		}
		p.calls, p.auth = p.calls[:0], p.auth[:0]
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}
