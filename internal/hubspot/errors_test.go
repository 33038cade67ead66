package hubspot_test

import (
	"net/http"
	"testing"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

func TestStatusesBecomeFaults(t *testing.T) {
	const missing = `{"status":"error","message":"This app hasn't been granted all required scopes.","errors":[{"message":"x","context":{"requiredGranularScopes":["crm.objects.deals.read"]}}],"category":"MISSING_SCOPES"}`
	retry := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	search := record.Query{Object: "0-2", Since: noon().Add(-time.Hour), Until: noon()}
	tests := []struct {
		name    string
		query   record.Query // zero = a list
		status  int
		body    string
		header  http.Header
		want    fault.Kind
		message string
		after   time.Duration // ResumeAt, from the answer on
		calls   int
	}{
		{name: "bad filter", status: 400, body: canary, want: fault.Invalid, message: "not valid", calls: 1},
		{name: "unknown object", status: 400, body: `{"status":"error","message":"Unable to infer object type from: ` + canary + `"}`, want: fault.NotFound, message: "no such object", calls: 1},
		{name: "token refused twice", status: 401, body: `{"category":"EXPIRED_AUTHENTICATION"}`, want: fault.Reauthorize, message: "Re-authorize", calls: 2},
		{name: "malformed token", status: 530, want: fault.Reauthorize, message: "Re-authorize", calls: 2},
		{name: "missing scopes", status: 403, body: missing, want: fault.Invalid, message: "lacks the HubSpot scopes crm.objects.deals.read. Re-authorize", calls: 1},
		{name: "missing scopes, other spelling", status: 403, body: `{"context":{"requiredGranularScopes":["custom-object-read"],"links":["https://x"]},"category":"MISSING_SCOPES"}`, want: fault.Invalid, message: "scopes custom-object-read. Re-authorize", calls: 1},
		{name: "missing scopes without names", status: 403, body: `{"message":"scope ` + canary + `"}`, want: fault.Invalid, message: "lacks a HubSpot scope", calls: 1},
		{name: "forbidden otherwise", status: 403, body: "<html>", want: fault.Invalid, message: "re-authorize", calls: 1},
		{name: "version not found", status: 404, body: "<html>" + canary, want: fault.Invalid, message: "HubSpot API version 2026-09 is not served; set HUBSPOT_API_VERSION", calls: 1},
		{name: "version gone", status: 410, want: fault.Invalid, message: "set HUBSPOT_API_VERSION", calls: 1},
		{name: "address too long", status: 414, want: fault.Invalid, message: "too long", calls: 1},
		{name: "locked", status: 423, want: fault.Transient, message: "bulk operation", calls: 4},
		{name: "ten-secondly by policy", status: 429, body: `{"policyName":"TEN_SECONDLY_ROLLING"}`, want: fault.Throttled, message: "12:00:10", after: 10 * time.Second, calls: 1},
		{name: "ten-secondly by message", status: 429, body: `{"message":"You have reached your ten_secondly_rolling limit."}`, want: fault.Throttled, message: "12:00:10", after: 10 * time.Second, calls: 1},
		{name: "unknown policy of a list", status: 429, body: "<html>", want: fault.Throttled, message: "12:00:10", after: 10 * time.Second, calls: 1},
		{name: "secondly is waited for", status: 429, body: `{"policyName":"SECONDLY"}`, want: fault.Throttled, message: "quota", after: time.Second, calls: 6},
		{name: "unknown policy of search", query: search, status: 429, body: `{}`, want: fault.Throttled, message: "quota", after: time.Second, calls: 6},
		{name: "daily asks again in an hour", status: 429, body: `{"policyName":"DAILY"}`, want: fault.Throttled, message: "daily quota", after: time.Hour, calls: 1},
		{name: "Retry-After wins", status: 429, body: `{"policyName":"DAILY"}`, header: retry("7"), want: fault.Throttled, message: "daily quota", after: 7 * time.Second, calls: 1},
		{name: "moving", status: 477, header: retry("7200"), want: fault.Throttled, message: "2026-11-23 14:00", after: 2 * time.Hour, calls: 1},
		{name: "moving for days", status: 477, header: retry("1e12"), want: fault.Throttled, message: "2026-11-24 12:00", after: 24 * time.Hour, calls: 1},
		{name: "moving without a time", status: 477, want: fault.Throttled, message: "data centre", after: 10 * time.Minute, calls: 1},
		{name: "500", status: 500, body: canary, want: fault.Transient, message: "status 500", calls: 4},
		{name: "524 with a web page", status: 524, body: "<html>" + canary, want: fault.Transient, message: "status 524", calls: 4},
		{name: "redirect", status: 302, want: fault.Invalid, message: "Check HUBSPOT_API_URL", calls: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, p := connect(t, func(int, call) (int, string, http.Header) { return test.status, test.body, test.header })
			q := test.query
			if q.Object == "" {
				q = record.Query{Object: "0-2", Properties: []string{"name"}}
			}
			_, err := c.Page(t.Context(), "c1", q)
			checkFault(t, err, test.want, test.message)
			if len(p.calls) != test.calls {
				t.Errorf("%d calls, want %d", len(p.calls), test.calls)
			}
			var want time.Time
			if test.after > 0 {
				want = noon().Add(test.after)
				if test.calls > 1 {
					want = want.Add(time.Duration(test.calls-1) * time.Second)
				}
			}
			if got := fault.ResumeAt(err); !got.Equal(want) {
				t.Errorf("resumes at %s, want %s", got, want)
			}
		})
	}
}

func TestLockedRecordsAreLeftAloneForTwoSeconds(t *testing.T) {
	c, _ := connect(t, func(n int, _ call) (int, string, http.Header) {
		if n == 1 {
			return 423, "", nil
		}
		return 200, `{"results":[]}`, nil
	})
	if _, err := c.Page(t.Context(), "c1", record.Query{Object: "0-2"}); err != nil {
		t.Fatal(err)
	}
	if took := c.API.Now().Sub(noon()); took != 2*time.Second {
		t.Errorf("waited %s, want 2 s", took)
	}
}

func TestDailyQuotaIsAskedForAtMidnightAtTheLatest(t *testing.T) {
	c, _ := connect(t, status(429, `{"policyName":"DAILY"}`))
	late := time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)
	c.API.Now = func() time.Time { return late }
	_, err := c.Page(t.Context(), "c1", record.Query{Object: "0-2"})
	if got, want := fault.ResumeAt(err), late.Add(30*time.Minute); !got.Equal(want) {
		t.Errorf("resumes at %s, want %s", got, want)
	}
}

func TestAnExpiredTokenIsRenewedInsideACall(t *testing.T) {
	c, p := connect(t, func(n int, _ call) (int, string, http.Header) {
		if n == 1 {
			return 401, `{"category":"EXPIRED_AUTHENTICATION"}`, nil
		}
		return 200, `{"results":[]}`, nil
	})
	if _, err := c.Page(t.Context(), "c1", record.Query{Object: "0-2"}); err != nil {
		t.Fatal(err)
	}
	if len(p.auth) != 2 || p.auth[1] != "Bearer "+canary+"-access-1" {
		t.Errorf("sent as %v", p.auth)
	}
}
