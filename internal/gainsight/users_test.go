package gainsight_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

func user(name string) map[string]any {
	return map[string]any{"Email": name + "@example.com", "SFDCUserName": name + "@example.com"}
}

func TestUsersAreCreatedWithoutMail(t *testing.T) {
	c, v := connect(t, answers(200, `{"result":true,"data":{"records":[{"Gsid":"1P01A"},{"Gsid":"1P01B"}],"errors":[]}}`))
	got, err := c.CreateUsers(t.Context(), []map[string]any{user("ann"), user("ben")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P01A"}, {Done: true, GSID: "1P01B"}}, got); diff != "" {
		t.Error(diff)
	}
	want := []sent{{
		"POST /v1/users/services?notify=false",
		`{"records":[{"Email":"ann@example.com","SFDCUserName":"ann@example.com"},{"Email":"ben@example.com","SFDCUserName":"ben@example.com"}]}`,
	}}
	if diff := cmp.Diff(want, v.sent); diff != "" {
		t.Error(diff)
	}
}

func TestUsersAreUpdatedByTheirGSID(t *testing.T) {
	c, v := connect(t, answers(200, `{"result":true,"data":{"records":null}}`))
	got, err := c.UpdateUsers(t.Context(), []map[string]any{{"Gsid": "1P01A", "Name": "Ann"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P01A"}}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]sent{{"PUT /v1/users/services?key=Gsid", `{"records":[{"Gsid":"1P01A","Name":"Ann"}]}`}}, v.sent); diff != "" {
		t.Error(diff)
	}
}

func TestTheStatusOfUsersIsSetByGSIDs(t *testing.T) {
	for _, active := range []bool{true, false} {
		c, v := connect(t, answers(200, `{"result":true,"data":null}`))
		got, err := c.SetUserStatus(t.Context(), []string{"1P01A", "1P01B"}, active)
		if diff := cmp.Diff([]record.Result{{Done: true, GSID: "1P01A"}, {Done: true, GSID: "1P01B"}}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		want := []sent{{fmt.Sprintf("PUT /v1/users/services/status?status=%t", active), `["1P01A","1P01B"]`}}
		if diff := cmp.Diff(want, v.sent); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOnlyTheUserThatIsGoneIsRefusedANewStatus(t *testing.T) {
	for name, reply := range map[string]func(string) (int, string){
		"with 400": func(which string) (int, string) {
			return 400, `{"result":false,"errorCode":"GU_2402","errorDesc":"Bulk update failed","data":{"errors":[` + which + `]}}`
		},
		"with 200": func(which string) (int, string) {
			return 200, `{"result":true,"data":{"errors":[` + which + `]}}`
		},
	} {
		c, v := connect(t, func(_ int, _ *http.Request, body string) (int, string) {
			if strings.Contains(body, "GONE") {
				return reply(`{"errorMessage":"No entity","errorCode":"GSOBJ_1011"}`)
			}
			return 200, `{"result":true,"data":null}`
		})
		got, err := c.SetUserStatus(t.Context(), []string{"A", "B", "GONE", "C"}, false)
		want := []record.Result{
			{Done: true, GSID: "A"},
			{Done: true, GSID: "B"},
			{Done: true, Refusal: &record.Refusal{Code: "GSOBJ_1011", Message: "No entity"}},
			{Done: true, GSID: "C"},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if len(v.sent) != 4 { // all, the first half, GONE, C
			t.Errorf("%s: %d calls, want 4", name, len(v.sent))
		}
	}
}

// directory is the user API of an organisation. A user is bad if the name says so.
type directory struct {
	t       *testing.T
	whole   bool // one bad user refuses the call
	echo    bool // stored users are echoed with their fields
	status  int  // of an answer with bad users
	created map[string]int
}

func (d *directory) serve(_ int, r *http.Request, body string) (int, string) {
	var in struct {
		Records []map[string]string `json:"records"`
		Where   struct {
			Conditions []struct {
				Name  string   `json:"name"`
				Value []string `json:"value"`
			} `json:"conditions"`
		} `json:"where"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		d.t.Error(err)
	}
	if r.URL.Path == "/v1/data/objects/query/gsuser" {
		var rows []string
		if in.Where.Conditions[0].Name != "Gsid" {
			d.t.Errorf("users are asked for by %s", in.Where.Conditions[0].Name)
		}
		for _, id := range in.Where.Conditions[0].Value {
			rows = append(rows, fmt.Sprintf(`{"Gsid":%q,"SFDCUserName":%q}`, id, strings.TrimPrefix(id, "1P01-")))
		}
		return 200, records(rows...)
	}
	var stored, wrong []string
	for _, u := range in.Records {
		name := u["SFDCUserName"]
		if strings.HasPrefix(name, "bad") {
			wrong = append(wrong, fmt.Sprintf(`{"errorMessage":"User already exists %s"}`, name))
			continue
		}
		row := fmt.Sprintf(`{"Gsid":"1P01-%s"}`, name)
		if d.echo {
			row = fmt.Sprintf(`{"Gsid":"1P01-%s","SFDCUserName":%q}`, name, strings.ToUpper(name))
		}
		stored = append(stored, row)
	}
	if len(wrong) > 0 && d.whole {
		stored = nil
	}
	for _, row := range stored {
		d.created[row]++
	}
	status := 200
	if len(wrong) > 0 {
		status = d.status
	}
	return status, fmt.Sprintf(`{"result":%t,"errorCode":null,"data":{"records":[%s],"errors":[%s]}}`,
		status == 200, strings.Join(stored, ","), strings.Join(wrong, ","))
}

func TestOnlyTheBadUsersAreRefused(t *testing.T) {
	names := []string{"ann", "bad-bob", "cid", "bad-dan", "eve"}
	for _, tc := range []struct {
		name  string
		d     directory
		calls int
	}{
		{"stored in part and echoed, with 200", directory{echo: true, status: 200}, 3},
		{"stored in part and echoed, with 400", directory{echo: true, status: 400}, 3},
		{"stored in part and echoed by GSID alone", directory{status: 200}, 4},
		{"refused as a whole", directory{whole: true, status: 400}, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.d.t, tc.d.created = t, map[string]int{}
			c, v := connect(t, tc.d.serve)
			var rows []map[string]any
			var want []record.Result
			for _, name := range names {
				row, result := map[string]any{"SFDCUserName": name}, record.Result{Done: true, GSID: "1P01-" + name}
				if strings.HasPrefix(name, "bad") {
					result = record.Result{Done: true, Refusal: &record.Refusal{Message: "User already exists " + name}}
				}
				rows, want = append(rows, row), append(want, result)
			}
			got, err := c.CreateUsers(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for row, times := range tc.d.created {
				if times != 1 {
					t.Errorf("%s was created %d times", row, times)
				}
			}
			if len(tc.d.created) != 3 {
				t.Errorf("%d users created, want 3", len(tc.d.created))
			}
			if len(v.sent) != tc.calls {
				t.Errorf("%d calls, want %d", len(v.sent), tc.calls)
			}
		})
	}
}

func TestUsersThatGainsightDoesNotNameStayOpen(t *testing.T) {
	c, v := connect(t, func(_ int, r *http.Request, _ string) (int, string) {
		if strings.Contains(r.URL.Path, "query") {
			return 200, noRows
		}
		return 200, `{"result":true,"data":{"records":[{"Gsid":"1P01X"}],"errors":[{"errorMessage":"canary-value"}]}}`
	})
	got, err := c.CreateUsers(t.Context(), []map[string]any{user("ann"), user("ben")})
	if !fault.Is(err, fault.Transient) || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
	if diff := cmp.Diff(make([]record.Result, 2), got); diff != "" {
		t.Error(diff)
	}
	if len(v.sent) != 2 {
		t.Errorf("%d calls, want 2", len(v.sent))
	}
}

func TestUsersAreNotCreatedAgainAfterALostAnswer(t *testing.T) {
	c, v := connect(t, func(int, *http.Request, string) (int, string) { return 200, errLost })
	got, err := c.CreateUsers(t.Context(), []map[string]any{user("ann")})
	if !fault.Is(err, fault.Transient) || len(v.sent) != 1 || got[0].Done {
		t.Errorf("%v after %d calls: %v", got, len(v.sent), err)
	}
}
