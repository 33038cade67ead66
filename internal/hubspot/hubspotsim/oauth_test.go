package hubspotsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func authorizeURL(scopes, optional string) string {
	return "/oauth/authorize?" + url.Values{
		"client_id": {appID}, "redirect_uri": {callback}, "scope": {scopes}, "optional_scope": {optional}, "state": {"s1"},
	}.Encode()
}

func auto() hubspotsim.Options {
	o := free()
	o.AutoApprove = true
	return o
}

// code authorizes and returns the code.
func (w *world) code(scopes, optional string) string {
	w.Helper()
	answer := w.get(authorizeURL(scopes, optional))
	answer.wants(w.T, http.StatusFound)
	to, err := url.Parse(answer.header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), callback+"?") || to.Query().Get("state") != "s1" {
		w.Fatalf("redirected to %s", answer.header.Get("Location"))
	}
	return to.Query().Get("code")
}

func grantForm(kind string, more ...string) url.Values {
	out := url.Values{"grant_type": {kind}, "client_id": {appID}, "client_secret": {secret}, "redirect_uri": {callback}}
	for i := 0; i < len(more); i += 2 {
		out.Set(more[i], more[i+1])
	}
	return out
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	Use       string `json:"token_use"`
	Expires   int    `json:"expires_in"`
	Hub, User int64
	HubID     int64    `json:"hub_id"`
	Scopes    []string `json:"scopes"`
}

func (w *world) exchange(code string) tokens {
	w.Helper()
	var out tokens
	answer := w.form("/oauth/2026-09/token", grantForm("authorization_code", "code", code))
	answer.wants(w.T, http.StatusOK)
	answer.decode(w.T, &out)
	return out
}

func TestAuthorizeAndExchange(t *testing.T) {
	w := start(t, auto())
	w.portal.WithoutScopes("crm.objects.custom.read")
	code := w.code("oauth crm.objects.contacts.read", "crm.objects.deals.read crm.objects.custom.read")
	got := w.exchange(code)
	if diff := cmp.Diff([]string{"oauth", "crm.objects.contacts.read", "crm.objects.deals.read"}, got.Scopes); diff != "" {
		t.Error(diff)
	}
	if got.Type != "bearer" || got.Use != "access_token" || got.Expires != 1800 || got.HubID != 90210 || len(got.Access) < 100 || !strings.HasPrefix(got.Refresh, "na1-") {
		t.Errorf("tokens %+v", got)
	}
	w.form("/oauth/2026-09/token", grantForm("authorization_code", "code", code)).wants(t, 400, `"status":"BAD_AUTH_CODE"`, `"error":"invalid_grant"`)
	w.token = got.Access
	w.get("/crm/objects/"+v+"/contacts").wants(t, http.StatusOK)
	w.get("/crm/objects/"+v+"/deals").wants(t, http.StatusOK)
	w.get("/crm/objects/"+v+"/companies").wants(t, http.StatusForbidden, `"requiredGranularScopes":["crm.objects.companies.read"]`,
		`"category":"MISSING_SCOPES"`, `"scopes":"https://developers.hubspot.com/scopes"`)
	w.post("/crm/associations/"+v+"/contacts/companies/batch/read", `{"inputs":[]}`).wants(t, http.StatusForbidden)
	w.get("/crm/owners/"+v).wants(t, http.StatusForbidden, `"crm.objects.owners.read"`)
	w.get("/crm/properties/"+v+"/contacts").wants(t, http.StatusOK)
	w.get("/crm/properties/"+v+"/companies").wants(t, http.StatusForbidden)
	w.portal.Withdraw("crm.objects.deals.read")
	w.get("/crm/objects/"+v+"/deals").wants(t, http.StatusForbidden)
}

func TestCodesLiveAMinute(t *testing.T) {
	w := start(t, auto())
	early, late := w.code("oauth", ""), w.code("oauth", "")
	w.passed = time.Minute - time.Millisecond
	w.exchange(early)
	w.passed = time.Minute
	w.form("/oauth/2026-09/token", grantForm("authorization_code", "code", late)).wants(t, 400, `"BAD_AUTH_CODE"`)
}

func TestTokenErrors(t *testing.T) {
	w := start(t, auto())
	_, refresh := w.portal.Token(appID, "oauth")
	code := w.code("oauth", "")
	for _, test := range []struct {
		name   string
		form   url.Values
		status string
		kind   string
		text   string
	}{
		{"client id", grantForm("refresh_token", "client_id", "x"), "BAD_CLIENT_ID", "invalid_client", "missing or unknown client id"},
		{"client secret", grantForm("refresh_token", "client_secret", "x"), "BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret"},
		{"grant type", grantForm("password"), "BAD_GRANT_TYPE", "unsupported_grant_type", ""},
		{"refresh token", grantForm("refresh_token", "refresh_token", "x"), "BAD_REFRESH_TOKEN", "invalid_grant", "refresh token is invalid, expired or revoked"},
		{"code", grantForm("authorization_code", "code", "x"), "BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code"},
		{"redirect", grantForm("authorization_code", "code", code, "redirect_uri", "https://x.example"), "BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect uri"},
		{"scopes", grantForm("refresh_token", "refresh_token", refresh, "scope", "tickets"), "BAD_SCOPES", "invalid_scope", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.form("/oauth/2026-09/token", test.form).wants(t, 400, `"status":"`+test.status+`"`, `"error":"`+test.kind+`"`,
				`"message":"`+test.text, `"error_description":"`+test.text, `"correlationId"`)
		})
	}
	inQuery := "/oauth/2026-09/token?" + grantForm("refresh_token", "refresh_token", refresh).Encode()
	w.form(inQuery, nil).wants(t, 400, "BAD_CLIENT_ID")
	for version, status := range map[string]int{"2026-03": 200, "v3": 200, "v1": 404} {
		w.form("/oauth/"+version+"/token", grantForm("refresh_token", "refresh_token", refresh)).wants(t, status)
	}
}

func TestPKCEIsCheckedIfAskedFor(t *testing.T) {
	w := start(t, auto())
	// The example of RFC 7636, appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for given, status := range map[string]int{verifier: 200, "x": 400} {
		answer := w.get(authorizeURL("oauth", "") + "&code_challenge_method=S256&code_challenge=" + challenge)
		to, _ := url.Parse(answer.header.Get("Location"))
		w.form("/oauth/2026-09/token", grantForm("authorization_code", "code", to.Query().Get("code"), "code_verifier", given)).wants(t, status)
	}
}

func TestTokensExpireAndAreRefreshed(t *testing.T) {
	w := start(t, auto())
	got := w.exchange(w.code("oauth crm.objects.contacts.read", ""))
	w.token = got.Access
	path := "/crm/objects/" + v + "/contacts"
	w.passed = 1800*time.Second - time.Millisecond
	w.get(path).wants(t, http.StatusOK)
	w.passed = 1875 * time.Second
	w.get(path).wants(t, http.StatusUnauthorized, `"message":"The OAuth token used to make this call expired 75 second(s) ago."`,
		`"category":"EXPIRED_AUTHENTICATION"`, `"expire time":["2026-11-23T10:30:00.000Z"]`)
	var again tokens
	w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", got.Refresh)).decode(t, &again)
	if again.Refresh != got.Refresh || again.Access == got.Access || again.HubID != 90210 {
		t.Errorf("refreshed: %+v", again)
	}
	w.token = again.Access
	w.get(path).wants(t, http.StatusOK)
	w.portal.ExpireTokens()
	w.get(path).wants(t, http.StatusUnauthorized, "EXPIRED_AUTHENTICATION")
	w.token = "nonsense"
	w.get(path).wants(t, http.StatusUnauthorized, `"category":"INVALID_AUTHENTICATION"`, "Authentication credentials not found.")
}

func TestRotatedRefreshTokensWorkOnce(t *testing.T) {
	o := free()
	o.RotateRefresh = true
	w := start(t, o)
	_, refresh := w.portal.Token(appID)
	var again tokens
	w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", refresh)).decode(t, &again)
	w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", refresh)).wants(t, 400, "BAD_REFRESH_TOKEN")
	w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", again.Refresh)).wants(t, 200)
}

func TestIntrospection(t *testing.T) {
	w := start(t, free())
	access, refresh := w.portal.Token(appID, "oauth")
	ask := func(more ...string) response {
		return w.form("/oauth/2026-09/token/introspect", grantForm("", more...))
	}
	w.passed = 89 * time.Second
	ask("token", access, "token_type_hint", "access_token").wants(t, 200, `"active":true`, `"hub_id":90210`, `"hub_domain":"customer.example"`,
		`"scopes":["oauth"]`, `"expires_in":1711`, `"signed_access_token"`, `"token_use":"access_token"`, `"client_id":"`+appID+`"`)
	byName := ask("refresh_token", refresh, "token_type_hint", "refresh_token")
	byName.wants(t, 200, `"active":true`, `"token_use":"refresh_token"`)
	if strings.Contains(string(byName.body), "expires_in") || strings.Contains(string(byName.body), "signed_access_token") {
		t.Errorf("refresh token: %s", byName.body)
	}
	if got := ask("token", "x"); got.status != 200 || string(got.body) != `{"active":false}` {
		t.Errorf("unknown token: %d %s", got.status, got.body)
	}
	ask("token", access, "client_secret", "x").wants(t, 400, "BAD_CLIENT_SECRET")
	w.passed = time.Hour
	ask("token", access).wants(t, 200, `{"active":false}`)
}

func TestRevokingARefreshTokenLeavesAccessTokensAlive(t *testing.T) {
	w := start(t, free())
	access, refresh := w.portal.Token(appID)
	w.token = access
	for _, token := range []string{refresh, "unknown"} {
		w.form("/oauth/2026-09/token/revoke", grantForm("", "token", token, "token_type_hint", "refresh_token")).wants(t, 200)
	}
	w.get("/crm/objects/"+v+"/contacts").wants(t, http.StatusOK)
	w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", refresh)).wants(t, 400, "BAD_REFRESH_TOKEN")
	w.form("/oauth/2026-09/token/introspect", grantForm("", "token", refresh)).wants(t, 200, `{"active":false}`)
}

func TestUninstallEndsAllTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    func(w *world)
		status string
	}{
		{"by the customer", func(w *world) { w.portal.Uninstall() }, "BAD_REFRESH_TOKEN"},
		{"by the app", func(w *world) {
			r, err := w.send(http.MethodDelete, "/appinstalls/2026-09/external-install", "", "")
			if err != nil || r.status != http.StatusNoContent {
				w.Fatalf("uninstall: %v %v", r.status, err)
			}
		}, "BAD_REFRESH_TOKEN"},
		{"the portal is gone", func(w *world) { w.portal.Close() }, "BAD_HUB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t, free())
			var refresh string
			w.token, refresh = w.portal.Token(appID)
			test.end(w)
			w.get("/crm/objects/"+v+"/contacts").wants(t, http.StatusUnauthorized, "INVALID_AUTHENTICATION")
			w.form("/oauth/2026-09/token", grantForm("refresh_token", "refresh_token", refresh)).wants(t, 400, `"status":"`+test.status+`"`)
			w.form("/oauth/2026-09/token/introspect", grantForm("", "token", refresh)).wants(t, 200, `{"active":false}`)
		})
	}
}

func TestConsentPage(t *testing.T) {
	w := start(t, free())
	w.sim.AddPortal(90211, "other.example")
	path := authorizeURL("oauth crm.objects.contacts.read", "tickets")
	w.get(path).wants(t, 200, "<!doctype html>", "customer.example", "other.example", "crm.objects.contacts.read", "tickets (optional)",
		`value="approve"`, `value="deny"`)
	approved := w.form(path, url.Values{"decision": {"approve"}, "account": {"90211"}})
	approved.wants(t, http.StatusFound)
	to, _ := url.Parse(approved.header.Get("Location"))
	if got := w.exchange(to.Query().Get("code")); got.HubID != 90211 {
		t.Errorf("portal %d", got.HubID)
	}
	denied := w.form(path, url.Values{"decision": {"deny"}, "account": {"90211"}})
	denied.wants(t, http.StatusFound)
	if to := denied.header.Get("Location"); !strings.Contains(to, "error=access_denied") || !strings.Contains(to, "state=s1") {
		t.Errorf("redirected to %s", to)
	}
	only := w.get(strings.Replace(path, "/oauth/", "/oauth/90211/", 1))
	only.wants(t, 200, "other.example")
	if strings.Contains(string(only.body), "customer.example") {
		t.Error("the preselected portal is not alone")
	}
}

func TestBadAuthorizeURLsShowAnErrorAndNeverRedirect(t *testing.T) {
	w := start(t, auto())
	w.sim.AddApp("limited", secret, []string{callback}, "oauth")
	w.portal.WithoutScopes("tickets")
	good := authorizeURL("oauth", "")
	for name, path := range map[string]string{
		"client":              strings.Replace(good, appID, "x", 1),
		"redirect":            strings.Replace(good, "callback", "elsewhere", 1),
		"no scope":            authorizeURL("", "tickets"),
		"scope of the app":    strings.Replace(authorizeURL("oauth tickets", ""), appID, "limited", 1),
		"scope of the portal": authorizeURL("oauth tickets", ""),
		"portal":              strings.Replace(good, "/oauth/", "/oauth/1/", 1),
	} {
		t.Run(name, func(t *testing.T) { w.get(path).wants(t, 400, `role="alert"`) })
	}
}

func TestDenyKnobRefuses(t *testing.T) {
	o := auto()
	o.Deny = true
	w := start(t, o)
	if to := w.get(authorizeURL("oauth", "")).header.Get("Location"); !strings.Contains(to, "error=access_denied") {
		t.Errorf("redirected to %s", to)
	}
}
