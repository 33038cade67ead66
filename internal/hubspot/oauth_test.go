package hubspot_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/token"
)

func TestTheAuthorizeURLAsksForScopes(t *testing.T) {
	c, _ := connect(t, status(500, ""))
	got := c.AuthorizeURL("st&te")
	if strings.Contains(got, "+") || strings.Contains(got, canary) {
		t.Errorf("%s holds a plus or a secret", got)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"client_id": {"app-1"}, "redirect_uri": {"http://localhost:8080/callback"},
		"response_type": {"code"}, "state": {"st&te"},
		"scope":          {"oauth crm.objects.companies.read crm.objects.contacts.read crm.objects.owners.read"},
		"optional_scope": {"crm.objects.deals.read tickets crm.objects.custom.read crm.schemas.custom.read"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" || u.Host != "app.hubspot.com" || u.Path != "/oauth/authorize" {
		t.Errorf("%s: %s", got, diff)
	}
}

const (
	granted      = `{"token_type":"bearer","access_token":"` + canary + `-a","refresh_token":"` + canary + `-r","expires_in":1800,"token_use":"access_token"}`
	introspected = `{"active":true,"hub_id":90210,"hub_domain":"customer.example","user":"ann@us.example","scopes":["oauth"],"expires_in":1799}`
)

func TestACodeIsExchangedForATokenWithItsPortal(t *testing.T) {
	c, p := connect(t, answers(granted, introspected))
	got, err := c.Exchange(t.Context(), canary+"-code")
	if err != nil {
		t.Fatal(err)
	}
	want := token.Token{
		Access: canary + "-a", Refresh: canary + "-r", Issued: noon(), Expires: noon().Add(30 * time.Minute),
		PortalID: 90210, Domain: "customer.example", Scopes: []string{"oauth"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"POST /oauth/2026-09/token", "POST /oauth/2026-09/token/introspect"}, p.lines()); diff != "" {
		t.Error(diff)
	}
	form, _ := url.ParseQuery(p.calls[0].body)
	sent := url.Values{
		"grant_type": {"authorization_code"}, "code": {canary + "-code"}, "redirect_uri": {"http://localhost:8080/callback"},
		"client_id": {"app-1"}, "client_secret": {canary + "-client"},
	}
	if diff := cmp.Diff(sent, form); diff != "" {
		t.Error(diff)
	}
	if p.auth[0] != "" {
		t.Error("an OAuth call carries a token in its header")
	}
}

func TestACodeIsSentOnlyOnce(t *testing.T) {
	c, p := connect(t, status(502, "<html>"+canary))
	_, err := c.Exchange(t.Context(), "code")
	checkFault(t, err, fault.Transient, "HubSpot has a problem")
	if len(p.calls) != 1 {
		t.Errorf("%d calls, want 1", len(p.calls))
	}
}

func TestARefreshSurvivesAnOutage(t *testing.T) {
	c, p := connect(t, func(n int, _ call) (int, string, http.Header) {
		if n == 1 {
			return 503, "", nil
		}
		return 200, granted, nil
	})
	got, err := c.Refresh(t.Context(), token.Token{Refresh: canary + "-old"})
	if err != nil || got.Access != canary+"-a" || len(p.calls) != 2 {
		t.Errorf("%v after %d calls, %v", got, len(p.calls), err)
	}
}

func TestOAuthRefusals(t *testing.T) {
	body := func(status, err string) string {
		return `{"error":"` + err + `","error_description":"` + canary + `","status":"` + status + `","message":"` + canary + `","correlationId":"x"}`
	}
	tests := []struct {
		name, body string
		status     int
		exchange   bool
		want       fault.Kind
		message    string
	}{
		{"refresh token", body("BAD_REFRESH_TOKEN", "invalid_grant"), 400, false, fault.Reauthorize, "Re-authorize it."},
		{"portal gone", body("BAD_HUB", "access_denied"), 400, false, fault.Reauthorize, "Re-authorize it."},
		{"refresh token without a status", `{"error":"invalid_grant"}`, 400, false, fault.Reauthorize, "Re-authorize it."},
		{"client id", body("BAD_CLIENT_ID", "invalid_client"), 400, false, fault.Invalid, "Check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET"},
		{"client secret", body("BAD_CLIENT_SECRET", "invalid_client"), 400, true, fault.Invalid, "Check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET"},
		{"client as 401", `{"error":"invalid_client"}`, 401, false, fault.Invalid, "Check HUBSPOT_CLIENT_ID"},
		{"code", body("BAD_AUTH_CODE", "invalid_grant"), 400, true, fault.Invalid, "expired, authorize again"},
		{"redirect", body("BAD_REDIRECT_URI", "invalid_request"), 400, true, fault.Invalid, "REDIRECT_URL"},
		{"scopes", body("BAD_SCOPES", "invalid_scope"), 400, true, fault.Invalid, "scopes"},
		{"unknown 400 keeps the connection", `{}`, 400, false, fault.Invalid, "settings"},
		{"web page keeps the connection", `<html>` + canary, 400, false, fault.Invalid, "settings"},
		{"quota keeps the connection", `{"policyName":"TEN_SECONDLY_ROLLING"}`, 429, false, fault.Throttled, "quota"},
		{"outage keeps the connection", ``, 500, false, fault.Transient, "problem"},
		{"version", ``, 404, false, fault.Invalid, "HubSpot API version 2026-09 is not served; set HUBSPOT_API_VERSION"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := connect(t, status(test.status, test.body))
			var err error
			if test.exchange {
				_, err = c.Exchange(t.Context(), canary)
			} else {
				_, err = c.Refresh(t.Context(), token.Token{Refresh: canary})
			}
			checkFault(t, err, test.want, test.message)
		})
	}
}

func TestAnUnknownTokenIsNotActive(t *testing.T) {
	c, _ := connect(t, answers(`{"active":false}`))
	got, err := c.Introspect(t.Context(), canary)
	if diff := cmp.Diff(hubspot.Introspection{}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestRevokingEndsBothTokens(t *testing.T) {
	c, p := connect(t, answers(""))
	if err := c.Revoke(t.Context(), token.Token{Access: canary + "-a", Refresh: canary + "-r"}); err != nil {
		t.Fatal(err)
	}
	var hints []string
	for _, one := range p.calls {
		form, _ := url.ParseQuery(one.body)
		hints = append(hints, one.line+" "+form.Get("token_type_hint")+" "+form.Get("token"))
	}
	want := []string{
		"POST /oauth/2026-09/token/revoke refresh_token " + canary + "-r",
		"POST /oauth/2026-09/token/revoke access_token " + canary + "-a",
	}
	if diff := cmp.Diff(want, hints); diff != "" {
		t.Error(diff)
	}
}

func TestTheAccountIsRead(t *testing.T) {
	c, p := connect(t, answers(`{"portalId":90210,"accountType":"STANDARD","timeZone":"US/Eastern","uiDomain":"app.hubspot.com"}`))
	got, err := c.Account(t.Context(), "c1")
	want := hubspot.Account{PortalID: 90210, Domain: "app.hubspot.com", TimeZone: "US/Eastern", Type: "STANDARD"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if p.calls[0].line != "GET /account-info/2026-09/details" || p.auth[0] != "Bearer "+canary+"-access-0" {
		t.Errorf("called %s as %s", p.calls[0].line, p.auth[0])
	}
}
