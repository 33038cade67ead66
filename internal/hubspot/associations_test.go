package hubspot_test

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

// Two deals, then the answer to the question for their companies.
const deals = `{"results":[{"id":"5001","properties":{}},{"id":"5002","properties":{}}]}`

// linked answers a list of two deals and association reads.
func linked(code int, body string) func(int, call) (int, string, http.Header) {
	return func(_ int, c call) (int, string, http.Header) {
		if strings.HasPrefix(c.line, "GET") {
			return 200, deals, nil
		}
		return code, body, nil
	}
}

func primary() record.Query {
	return record.Query{Object: "0-3", Associations: []record.Association{
		{As: "Company", Object: "0-2"}, {As: "Partner", Object: "0-2", Label: "business partner"},
	}}
}

func TestAssociationsBecomeFields(t *testing.T) {
	const (
		none = `{"status":"error","category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.NO_ASSOCIATIONS_FOUND","context":{"fromObjectId":["5002"]}}`
		ofA  = `{"from":{"id":"5001"},"to":[
			{"toObjectId":81010,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":5,"label":"Primary"},{"category":"HUBSPOT_DEFINED","typeId":341,"label":null}]},
			{"toObjectId":"9","associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":341,"label":null},{"category":"USER_DEFINED","typeId":5,"label":"Business Partner"}]},
			{"toObjectId":10,"associationTypes":[{"category":"USER_DEFINED","typeId":37,"label":"Business Partner"}]}]}`
	)
	company := func(id string) string {
		return `{"from":{"id":` + id + `},"to":[{"toObjectId":7,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":5,"label":null}]}]}`
	}
	tests := []struct {
		name   string
		status int
		body   string
		want   map[string][2]string // :: deal → company and partner
	}{
		{"primary by label or type, lowest of several", 207, `{"results":[` + ofA + `],"numErrors":1,"errors":[` + none + `]}`, map[string][2]string{"5001": {"81010", "9"}, "5002": {}}},
		{"none at all", 207, `{"results":[],"errors":[` + none + `,` + strings.Replace(none, "5002", "5001", 1) + `]}`, map[string][2]string{"5001": {}, "5002": {}}},
		{"none without a name", 207, `{"results":[` + company(`"5001"`) + `],"errors":[{"category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.NO_ASSOCIATIONS_FOUND"}]}`, map[string][2]string{"5001": {"7"}, "5002": {}}},
		{"results in another order, ids as numbers", 200, `{"results":[` + company("5002") + `,` + company("5001") + `]}`, map[string][2]string{"5001": {"7"}, "5002": {"7"}}},
		{"a record that is gone meanwhile is not in the page", 207, `{"results":[` + company(`"5001"`) + `],"errors":[{"category":"OBJECT_NOT_FOUND","context":{"fromObjectId":["5002"]}}]}`, map[string][2]string{"5001": {"7"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, p := connect(t, linked(test.status, test.body))
			page, err := c.Page(t.Context(), "c1", primary())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][2]string{}
			for _, r := range page.Records {
				got[r.ID] = [2]string{r.Text("Company"), r.Text("Partner")}
				for _, name := range []string{"Company", "Partner"} {
					if v, sent := r.Values[name]; !sent || v != nil && *v == "" {
						t.Errorf("record %s: %s is absent or empty, want a value or null", r.ID, name)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			want := call{"POST /crm/associations/2026-09/0-3/0-2/batch/read", `{"inputs":[{"id":"5001"},{"id":"5002"}]}`}
			if len(p.calls) != 2 || p.calls[1] != want {
				t.Errorf("calls %v", p.calls)
			}
		})
	}
}

func TestUnknownAssociationsAreNeverEmpty(t *testing.T) {
	const one = `{"from":{"id":"5001"},"to":[]}`
	tests := []struct {
		name   string
		status int
		body   string
		want   fault.Kind
	}{
		{"bad request", 400, "", fault.Invalid},
		{"no scope", 403, `{"category":"MISSING_SCOPES"}`, fault.Invalid},
		{"throttled", 429, `{"policyName":"TEN_SECONDLY_ROLLING"}`, fault.Throttled},
		{"down", 500, "", fault.Transient},
		{"no results", 200, `{}`, fault.Transient},
		{"nothing about one record", 200, `{"results":[` + one + `]}`, fault.Transient},
		{"a bad identifier", 207, `{"results":[` + one + `],"errors":[{"category":"VALIDATION_ERROR","subCategory":"crm.associations.INVALID_IDENTIFIER","context":{"fromObjectId":["5002"]}}]}`, fault.Transient},
		{"a gone record without a name", 207, `{"results":[` + one + `],"errors":[{"category":"OBJECT_NOT_FOUND"}]}`, fault.Transient},
		{"a cursor that stands still", 200, `{"results":[` + one + `,{"from":{"id":"5002"},"to":[],"paging":{"next":{"after":"X"}}}]}`, fault.Transient},
		{"an associated record without an id", 200, `{"results":[` + one + `,{"from":{"id":"5002"},"to":[{"associationTypes":[]}]}]}`, fault.Transient},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := connect(t, linked(test.status, test.body))
			page, err := c.Page(t.Context(), "c1", primary())
			checkFault(t, err, test.want, "")
			if len(page.Records) != 0 {
				t.Errorf("%d records beside the error", len(page.Records))
			}
		})
	}
}

func TestAllPagesOfAssociationsAreRead(t *testing.T) {
	for _, children := range []int{0, 1, 500, 501, 1001, 10001} {
		t.Run(fmt.Sprint(children), func(t *testing.T) {
			// The labelled child is the last one, with the lowest id.
			answer := func(_ int, c call) (int, string, http.Header) {
				if strings.HasPrefix(c.line, "GET") {
					return 200, deals, nil
				}
				var r struct {
					Inputs []struct {
						ID    string `json:"id"`
						After string `json:"after"`
					} `json:"inputs"`
				}
				if err := json.Unmarshal([]byte(c.body), &r); err != nil || len(r.Inputs) > 1000 {
					t.Fatalf("%d inputs, %v", len(r.Inputs), err)
				}
				var results, failures []string
				for _, in := range r.Inputs {
					if in.ID == "5002" || children == 0 {
						failures = append(failures, `{"category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.NO_ASSOCIATIONS_FOUND","context":{"fromObjectId":["`+in.ID+`"]}}`)
						continue
					}
					from := 0
					_, _ = fmt.Sscan(in.After, &from)
					to := min(from+500, children)
					var links []string
					for i := from; i < to; i++ {
						links = append(links, fmt.Sprintf(`{"toObjectId":%d,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":5,"label":"Primary"}]}`, 90000-i))
					}
					paging := ""
					if to < children {
						paging = fmt.Sprintf(`,"paging":{"next":{"after":"%d"}}`, to)
					}
					results = append(results, `{"from":{"id":"`+in.ID+`"},"to":[`+strings.Join(links, ",")+`]`+paging+`}`)
				}
				return 207, `{"results":[` + strings.Join(results, ",") + `],"errors":[` + strings.Join(failures, ",") + `]}`, nil
			}
			c, p := connect(t, answer)
			page, err := c.Page(t.Context(), "c1", primary())
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if children > 0 {
				want = fmt.Sprint(90001 - children)
			}
			if got := page.Records[0].Text("Company"); got != want {
				t.Errorf("company %q, want %q", got, want)
			}
			if calls := 1 + max(1, (children+499)/500); len(p.calls) != calls {
				t.Errorf("%d calls, want %d", len(p.calls), calls)
			}
		})
	}
}

func TestAPageCutOffInALaterAssociationReadIsAnError(t *testing.T) {
	c, _ := connect(t, func(n int, _ call) (int, string, http.Header) {
		switch n {
		case 1:
			return 200, deals, nil
		case 2:
			return 200, `{"results":[{"from":{"id":"5001"},"to":[],"paging":{"next":{"after":"X"}}},{"from":{"id":"5002"},"to":[]}]}`, nil
		}
		return 200, `{"results":[]}`, nil
	})
	_, err := c.Page(t.Context(), "c1", primary())
	checkFault(t, err, fault.Transient, "did not say")
}
