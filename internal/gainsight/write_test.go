package gainsight_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/record"
)

// store is an object's rows as Gainsight keeps them: a call with a bad row is
// refused as a whole. A row is bad if its Stage is.
type store struct {
	t    testing.TB
	rows map[string]int // :: name → times stored
	// lose, if set, says whether the answer to a call is lost after its effect.
	lose func(call int) bool
}

func (s *store) serve(call int, r *http.Request, body string) (int, string) {
	var in struct {
		Records []map[string]any `json:"records"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		s.t.Errorf("body of %s: %v", r.URL, err)
	}
	if n := len(in.Records); n < 1 || n > 50 {
		s.t.Errorf("%d rows in one call", n)
	}
	for _, row := range in.Records {
		if row["Stage"] == "bad" {
			return 400, `{"result":false,"errorCode":"GSOBJ_1012","errorDesc":"Invalid/Inactive value provided for picklist. (Stage = bad).",
				"requestId":"r","data":{"count":0,"errors":[[{"success":false,"parsedValue":null,"errors":[
				{"errorMessage":"Invalid/Inactive value provided for picklist.","errorCode":"GSOBJ_1012","fieldName":"Stage","invalidValue":["bad"]}]}]],"records":null}}`
		}
	}
	var stored []string
	for _, row := range in.Records {
		s.rows[fmt.Sprint(row["Name"])]++
		stored = append(stored, fmt.Sprintf(`{"Gsid":"1P02-%s"}`, row["Name"]))
	}
	if s.lose != nil && s.lose(call) {
		return 200, errLost
	}
	return 200, fmt.Sprintf(`{"result":true,"data":{"count":%d,"errors":null,"records":[%s]}}`, len(stored), strings.Join(stored, ","))
}

// companies returns rows named by their places, bad ones where bad says so, and
// the results that they must have.
func companies(n int, bad func(int) bool) (rows []map[string]any, want []record.Result) {
	for i := range n {
		row, result := map[string]any{"Name": fmt.Sprint(i)}, record.Result{Done: true, GSID: fmt.Sprint("1P02-", i)}
		if bad(i) {
			row["Stage"] = "bad"
			result = record.Result{Done: true, Refusal: &record.Refusal{
				Code: "GSOBJ_1012", Field: "Stage", Value: "bad", Message: "Invalid/Inactive value provided for picklist.",
			}}
		}
		rows, want = append(rows, row), append(want, result)
	}
	return rows, want
}

func never(int) bool { return false }

func TestInsertSendsRowsAndReturnsTheirGSIDs(t *testing.T) {
	s := &store{t: t, rows: map[string]int{}}
	c, v := connect(t, s.serve)
	rows, want := companies(2, never)
	got, err := c.Insert(t.Context(), "company", rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]sent{{"POST /v1/data/objects/company", `{"records":[{"Name":"0"},{"Name":"1"}]}`}}, v.sent); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateSendsRowsByTheirGSID(t *testing.T) {
	c, v := connect(t, answers(200, `{"result":true,"data":{"count":1,"errors":null,"records":[{"Gsid":"1P02A","Employees":260}]}}`))
	got, err := c.Update(t.Context(), "X__gc", []map[string]any{{"Gsid": "1P02A", "Employees": json.Number("260"), "Csm": nil, "Tags": "<&>"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P02A"}}, got); diff != "" {
		t.Error(diff)
	}
	want := []sent{{"PUT /v1/data/objects/X__gc?keys=Gsid", `{"records":[{"Csm":null,"Employees":260,"Gsid":"1P02A","Tags":"<&>"}]}`}}
	if diff := cmp.Diff(want, v.sent); diff != "" {
		t.Error(diff)
	}
}

func TestAnUpdateWithoutAnEchoIsDoneAllTheSame(t *testing.T) {
	for _, answer := range []string{`{"result":true,"data":null}`, `{"result":true,"data":"done"}`, `{"result":true,"data":{"count":1}}`} {
		c, _ := connect(t, answers(200, answer))
		got, err := c.Update(t.Context(), "company", []map[string]any{{"Gsid": "1P02A"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P02A"}}, got); diff != "" {
			t.Errorf("%s: %s", answer, diff)
		}
	}
}

func TestWritesOfNoOrTooManyRowsSendNothing(t *testing.T) {
	c, v := connect(t, answers(200))
	for _, n := range []int{0, 51} {
		rows, _ := companies(n, never)
		for name, write := range map[string]func() ([]record.Result, error){
			"insert": func() ([]record.Result, error) { return c.Insert(t.Context(), "company", rows) },
			"update": func() ([]record.Result, error) { return c.Update(t.Context(), "company", rows) },
			"create": func() ([]record.Result, error) { return c.CreateUsers(t.Context(), rows) },
			"change": func() ([]record.Result, error) { return c.UpdateUsers(t.Context(), rows) },
			"status": func() ([]record.Result, error) { return c.SetUserStatus(t.Context(), make([]string, n), true) },
		} {
			if results, err := write(); (err != nil) != (n > 50) || len(results) != 0 {
				t.Errorf("%s of %d rows: %d results, %v", name, n, len(results), err)
			}
		}
	}
	if len(v.sent) != 0 {
		t.Errorf("%d calls, want none", len(v.sent))
	}
}

func TestOneBadRowInFiftyCostsAtMostTwelveCalls(t *testing.T) {
	most := 0
	for bad := range 50 {
		s := &store{t: t, rows: map[string]int{}}
		c, v := connect(t, s.serve)
		rows, want := companies(50, func(i int) bool { return i == bad })
		got, err := c.Insert(t.Context(), "company", rows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("row %d is bad: %s", bad, diff)
		}
		most = max(most, len(v.sent))
	}
	if most > 12 {
		t.Errorf("%d calls, want at most 12", most)
	}
}

func TestExactlyTheBadRowsAreRefusedAndTheOthersStoredOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(rt, "rows")
		bad := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, n).Draw(rt, "bad") {
			bad[i] = true
		}
		s := &store{t: t, rows: map[string]int{}}
		c, v := connect(t, s.serve)
		rows, want := companies(n, func(i int) bool { return bad[i] })
		got, err := c.Insert(t.Context(), "company", rows)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Error(diff)
		}
		for i := range n {
			times := 1
			if bad[i] {
				times = 0
			}
			if got := s.rows[fmt.Sprint(i)]; got != times {
				rt.Errorf("row %d was stored %d times, want %d", i, got, times)
			}
		}
		// 11 is what one bad row adds to a batch of 50.
		if most := min(2*n-1, 1+11*len(bad)); len(v.sent) > most {
			rt.Errorf("%d calls for %d bad rows in %d, want at most %d", len(v.sent), len(bad), n, most)
		}
	})
}

func TestALostAnswerEndsAnInsertWithWhatIsKnown(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(rt, "rows")
		bad := rapid.IntRange(0, n-1).Draw(rt, "bad")
		lost := rapid.IntRange(1, 12).Draw(rt, "lost")
		s := &store{t: t, rows: map[string]int{}, lose: func(call int) bool { return call == lost }}
		c, v := connect(t, s.serve)
		rows, want := companies(n, func(i int) bool { return i == bad })
		got, err := c.Insert(t.Context(), "company", rows)
		if len(got) != n {
			rt.Fatalf("%d results for %d rows", len(got), n)
		}
		undone := false
		for i, result := range got {
			if !result.Done {
				undone = true
				if result != (record.Result{}) {
					rt.Errorf("row %d is not done and has %v", i, result)
				}
				continue
			}
			if undone {
				rt.Errorf("row %d is done behind one that is not", i)
			}
			if diff := cmp.Diff(want[i], result); diff != "" {
				rt.Errorf("row %d: %s", i, diff)
			}
		}
		if undone != (err != nil) || err != nil && !fault.Is(err, fault.Transient) {
			rt.Errorf("undone %t, error %v", undone, err)
		}
		if err != nil && len(v.sent) != lost {
			rt.Errorf("%d calls, though answer %d was lost", len(v.sent), lost)
		}
		for name, times := range s.rows {
			if times != 1 {
				rt.Errorf("row %s was stored %d times", name, times)
			}
		}
	})
}

func TestAnUpdateIsRepeatedAfterALostAnswer(t *testing.T) {
	s := &store{t: t, rows: map[string]int{}, lose: func(call int) bool { return call == 1 }}
	c, v := connect(t, s.serve)
	got, err := c.Update(t.Context(), "company", []map[string]any{{"Gsid": "1P02-0", "Name": "0"}})
	if err != nil || len(v.sent) != 2 {
		t.Fatalf("%d calls, %v", len(v.sent), err)
	}
	if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P02-0"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestARowThatIsGoneIsRefusedAlone(t *testing.T) {
	c, _ := connect(t, func(_ int, _ *http.Request, body string) (int, string) {
		if strings.Contains(body, "1P02gone") {
			return 400, `{"result":false,"errorCode":"GSOBJ_1011","errorDesc":"No entity matches the given criteria, please re-check your request","data":null}`
		}
		return 200, `{"result":true,"data":{"errors":null,"records":null}}`
	})
	got, err := c.Update(t.Context(), "company", []map[string]any{{"Gsid": "1P02A"}, {"Gsid": "1P02gone"}, {"Gsid": "1P02C"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []record.Result{
		{Done: true, GSID: "1P02A"},
		{Done: true, Refusal: &record.Refusal{
			Code: "GSOBJ_1011", Message: "No entity matches the given criteria, please re-check your request",
		}},
		{Done: true, GSID: "1P02C"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalOfTheWholeCallIsNotBisected(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		code   string
		desc   string
		kind   fault.Kind
	}{
		{"a bad key", 401, "GS_APIG_2401", "Unauthorized", fault.Invalid},
		{"a bad key seen by the data service", 400, "GSOBJ_1024", "Invalid authorization headers", fault.Invalid},
		{"an address that is not allowed", 403, "GS_APIG_2402", "x", fault.Invalid},
		{"a wrong path", 400, "GSOBJ_1023", "Invalid API called, please refer to API documentation", fault.Invalid},
		{"an unknown object", 400, "GSOBJ_1023", "Requested object not found.", fault.Invalid},
		{"no route", 404, "GS_APIG_1000", "Not Found", fault.Invalid},
		{"another refusal of the gateway", 400, "GS_APIG_2400", "Bad Request", fault.Invalid},
		{"a spent quota", 429, "GS_APIG_2404", "unknown", fault.Throttled},
		{"a server error", 500, "GU_1101", "Oops", fault.Transient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := fmt.Sprintf(`{"result":false,"errorCode":%q,"errorDesc":%q,"requestId":"r"}`, tc.code, tc.desc)
			c, v := connect(t, func(int, *http.Request, string) (int, string) { return tc.status, answer })
			rows, _ := companies(50, never)
			got, err := c.Insert(t.Context(), "company", rows)
			if !fault.Is(err, tc.kind) {
				t.Errorf("kind %s: %v", fault.KindOf(err), err)
			}
			if len(v.sent) != 1 {
				t.Errorf("%d calls, want 1", len(v.sent))
			}
			if diff := cmp.Diff(make([]record.Result, 50), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusalsAreReadInBothNestings(t *testing.T) {
	const inner = `{"errorMessage":"Too long.","errorCode":"GSOBJ_1001","fieldName":"Name","invalidValue":%s}`
	full := &record.Refusal{Code: "GSOBJ_1001", Field: "Name", Value: "210318", Message: "Too long."}
	for _, tc := range []struct {
		name   string
		errors string
		want   *record.Refusal
	}{
		{"two arrays", `[[{"success":false,"parsedValue":null,"errors":[` + fmt.Sprintf(inner, "210318") + `]}]]`, full},
		{"one array", `[{"errors":[` + fmt.Sprintf(inner, `["210318"]`) + `]}]`, full},
		{"flat", `[` + fmt.Sprintf(inner, `"210318"`) + `]`, full},
		{"several values", `[` + fmt.Sprintf(inner, `["a",1,null]`) + `]`, &record.Refusal{Code: "GSOBJ_1001", Field: "Name", Value: "a;1;", Message: "Too long."}},
		{"good rows beside", `[[{"success":true,"errors":null},{"success":false,"errors":[` + fmt.Sprintf(inner, "210318") + `]}]]`, full},
		{"nothing", `null`, &record.Refusal{Code: "GSOBJ_1002", Message: "Invalid field canary-value"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := connect(t, answers(400, `{"result":false,"errorCode":"GSOBJ_1002","errorDesc":"Invalid field canary-value","data":{"count":0,"errors":`+tc.errors+`,"records":null}}`))
			got, err := c.Insert(t.Context(), "company", []map[string]any{{"Name": "x"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]record.Result{{Done: true, Refusal: tc.want}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARefusalWhoseAnswerIsTooLongIsStillOne(t *testing.T) {
	long := strings.Repeat(`{"errorMessage":"m","errorCode":"GSOBJ_1001","fieldName":"Name","invalidValue":"v"},`, 2000)
	c, _ := connect(t, answers(400, `{"result":false,"errorCode":"GSOBJ_1001","errorDesc":"Field exceeds maximum allowed length","data":{"errors":[`+long+`null]}}`))
	got, err := c.Insert(t.Context(), "company", []map[string]any{{"Name": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []record.Result{{Done: true, Refusal: &record.Refusal{Code: "GSOBJ_1001", Message: "Field exceeds maximum allowed length"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerForOtherRowsLeavesTheInsertOpen(t *testing.T) {
	c, v := connect(t, answers(200, `{"result":true,"data":{"records":[{"Gsid":"1P02A"}]}}`))
	rows, _ := companies(2, never)
	got, err := c.Insert(t.Context(), "company", rows)
	if !fault.Is(err, fault.Transient) || len(v.sent) != 1 {
		t.Errorf("%d calls, %v", len(v.sent), err)
	}
	if diff := cmp.Diff(make([]record.Result, 2), got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsOfWritesHoldNoValues(t *testing.T) {
	answer := `{"result":false,"errorCode":"GSOBJ_1002","errorDesc":"canary-value","message":"canary-value","data":{"errors":[{"errorMessage":"canary-value"}]}}`
	for name, write := range map[string]func(c *gainsight.Client) error{
		"scan": func(c *gainsight.Client) error { _, err := c.Scan(t.Context(), "company", nil, "", 1); return err },
		"find": func(c *gainsight.Client) error {
			_, err := c.Find(t.Context(), "company", nil, "Name", []string{"canary-value"})
			return err
		},
		"schema": func(c *gainsight.Client) error { _, err := c.Schema(t.Context(), "company"); return err },
		"list":   func(c *gainsight.Client) error { _, err := c.Objects(t.Context()); return err },
	} {
		c, _ := connect(t, func(int, *http.Request, string) (int, string) { return 400, answer })
		err := write(c)
		if !fault.Is(err, fault.Invalid) || strings.Contains(fmt.Sprintf("%v %+v %s", err, err, fault.MessageOf(err)), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
