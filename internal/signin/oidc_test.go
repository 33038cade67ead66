package signin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/signin"
)

// site is a console of the tests: each page says who is signed in.
type site struct {
	*httptest.Server
	clock *atomic.Int64 // seconds
	door  *signin.Door
	is    *issuer
}

func key(text string) func(context.Context) (secret.Text, error) {
	return func(context.Context) (secret.Text, error) { return secret.Text(text), nil }
}

const sessionKey = "canary-session-key-0123456789abcdef"

func newSite(t *testing.T, edit ...func(*signin.OIDC)) *site {
	t.Helper()
	s := &site{clock: &atomic.Int64{}}
	s.clock.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(s.clock.Load(), 0) }
	s.is = newIssuer(t, now)
	var handler http.Handler
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	o := signin.OIDC{
		Config: signin.Config{PublicURL: s.URL, SessionKey: key(sessionKey), Now: now},
		Issuer: s.is.URL, ClientID: clientID, ClientSecret: key(clientSecret),
	}
	for _, e := range edit {
		e(&o)
	}
	s.door = signin.NewOIDC(o)
	handler = pages(s.door)
	return s
}

// pages is a site behind a door.
func pages(d *signin.Door) http.Handler {
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := signin.PersonOf(r.Context())
		_, _ = fmt.Fprintf(w, "%v %s %s %s", ok, p.ID, p.Name, p.Role)
	})
	mux := http.NewServeMux()
	mux.Handle("/signin", d.Handler())
	mux.Handle("/signin/", d.Handler())
	mux.Handle("/signout", d.Handler())
	mux.Handle("/open", who)
	mux.Handle("/admin/", d.Require(signin.Admin, who))
	mux.Handle("/api/", d.Require(signin.Admin, who))
	mux.Handle("/", d.Require(signin.Viewer, who))
	return d.CrossOriginProtection(d.Identify(mux))
}

func TestSomebodyWhoSignsInComesBackToThePageThatWasAskedFor(t *testing.T) {
	s := newSite(t)
	c := browser(t)
	p := get(t, c, s.URL+"/jobs?search=a%20b")
	if p.status != 200 || p.url != s.URL+"/jobs?search=a%20b" || p.body != "true ann@acme.example Ann Admin admin" {
		t.Fatalf("%d at %s: %s", p.status, p.url, p.body)
	}
	if p.header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept for the next person")
	}
	get(t, c, s.URL+"/jobs")
	if s.is.asked != 1 {
		t.Errorf("the issuer was asked about itself %d times", s.is.asked)
	}
	u, _ := url.Parse(s.URL)
	cookies := c.Jar.Cookies(u)
	if len(cookies) != 1 {
		t.Fatalf("cookies %v, want the session alone", cookies)
	}
	if value, _ := base64.URLEncoding.DecodeString(cookies[0].Value); strings.Contains(string(value)+cookies[0].Value, "ann@") {
		t.Error("the session can be read")
	}
	if p := do(t, c, http.MethodPost, s.URL+"/signout"); p.status != 200 || !strings.Contains(p.body, "signed out") {
		t.Errorf("signing out: %d %s", p.status, p.body)
	}
	if left := c.Jar.Cookies(u); len(left) != 0 {
		t.Errorf("signed out with %v", left)
	}
}

func TestSessionCookiesAreForTheServerAlone(t *testing.T) {
	for url, want := range map[string]string{"": "Path=/; Max-Age=28800; HttpOnly; SameSite=Lax", "https": "Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Lax"} {
		d, link := signin.NewLink(signin.Config{PublicURL: map[bool]string{true: "https://a.example", false: "http://127.0.0.1:80"}[url == "https"], SessionKey: key(sessionKey)})
		w := httptest.NewRecorder()
		pages(d).ServeHTTP(w, httptest.NewRequest(http.MethodGet, link, nil))
		_, attributes, _ := strings.Cut(w.Header().Get("Set-Cookie"), "; ")
		if attributes != want {
			t.Errorf("attributes %q, want %q", attributes, want)
		}
	}
}

func TestRolesComeFromAClaim(t *testing.T) {
	tests := []struct {
		name   string
		claim  string
		claims map[string]any
		role   string // "" = refused
	}{
		{"a list", "", map[string]any{"roles": []string{"x", "viewer"}}, "viewer"},
		{"the higher of two", "", map[string]any{"roles": []string{"viewer", "admin"}}, "admin"},
		{"a text", "", map[string]any{"roles": "x admin"}, "admin"},
		{"Cognito's groups", "cognito:groups", map[string]any{"cognito:groups": []string{"admin"}}, "admin"},
		{"a name with dots", "https://acme.example/roles", map[string]any{"https://acme.example/roles": []string{"admin"}}, "admin"},
		{"within a claim", "realm_access.roles", map[string]any{"realm_access": map[string]any{"roles": []string{"viewer"}}}, "viewer"},
		{"none", "", nil, ""},
		{"another", "", map[string]any{"roles": []string{"administrator"}}, ""},
		{"a number", "", map[string]any{"roles": 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, func(o *signin.OIDC) { o.RoleClaim = tt.claim })
			s.is.say(tt.claims)
			p := get(t, browser(t), s.URL+"/")
			if tt.role == "" {
				if p.status != http.StatusForbidden || !strings.Contains(p.body, "no role here") {
					t.Errorf("%d %s", p.status, p.body)
				}
				return
			}
			if p.status != 200 || !strings.HasSuffix(p.body, tt.role) {
				t.Errorf("%d %s", p.status, p.body)
			}
		})
	}
}

func TestAViewerDoesNotReachWhatIsForAdmins(t *testing.T) {
	s := newSite(t)
	s.is.say(map[string]any{"roles": "viewer"})
	c := browser(t)
	if p := get(t, c, s.URL+"/jobs"); p.status != 200 {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := get(t, c, s.URL+"/admin/"); p.status != 403 || !strings.Contains(p.body, "role admin") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

func TestWhatTheIssuerDidNotSignForUsIsRefused(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		claims map[string]any
	}{
		{"another issuer", map[string]any{"iss": "https://evil.example", "roles": "admin"}},
		{"another audience", map[string]any{"aud": "other", "roles": "admin"}},
		{"no audience", map[string]any{"aud": nil, "roles": "admin"}},
		{"expired", map[string]any{"exp": 1_000_000_000, "roles": "admin"}},
		{"another nonce", map[string]any{"nonce": "xxxxxxxxxxxxxxxxxxxxxxxxxx", "roles": "admin"}},
		{"no nonce", map[string]any{"nonce": nil, "roles": "admin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.is.say(tt.claims)
			p := get(t, browser(t), s.URL+"/")
			if p.status != http.StatusForbidden || strings.Contains(p.body, "true") || !strings.Contains(p.body, "not valid") {
				t.Errorf("%d %s", p.status, p.body)
			}
			if strings.Contains(tt.name, "nonce") {
				return // bearer tokens have none
			}
			delete(tt.claims, "nonce")
			p = get(t, stranger(), s.URL+"/api/jobs", bearer(s.is.sign(s.is.key, tt.claims)))
			if p.status != http.StatusUnauthorized {
				t.Errorf("as a bearer token: %d %s", p.status, p.body)
			}
		})
	}
	s := newSite(t)
	if p := get(t, stranger(), s.URL+"/api/jobs", bearer(s.is.sign(other, map[string]any{"roles": "admin"}))); p.status != 401 {
		t.Errorf("signed by another key: %d", p.status)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(s.is.sign(s.is.key, map[string]any{"roles": "admin"}), ".")[1] + "."
	if p := get(t, stranger(), s.URL+"/api/jobs", bearer(none)); p.status != 401 {
		t.Errorf("not signed: %d", p.status)
	}
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestProgramsComeWithABearerToken(t *testing.T) {
	s := newSite(t)
	tests := []struct {
		name   string
		claims map[string]any
		status int
	}{
		{"for us", map[string]any{"roles": "admin"}, 200},
		{"Cognito's, without audience", map[string]any{"aud": nil, "client_id": clientID, "roles": "admin"}, 200},
		{"of another client of Cognito", map[string]any{"aud": nil, "client_id": "other", "roles": "admin"}, 401},
		{"a viewer", map[string]any{"roles": "viewer"}, 403},
		{"no role", nil, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := do(t, stranger(), http.MethodPost, s.URL+"/api/jobs", bearer(s.is.sign(s.is.key, tt.claims)), func(r *http.Request) {
				r.Header.Set("Origin", "https://elsewhere.example")
			})
			if p.status != tt.status {
				t.Errorf("%d %s, want %d", p.status, p.body, tt.status)
			}
			if tt.status >= 400 && p.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %s", p.header.Get("Content-Type"))
			}
		})
	}
}

func TestASessionEnds(t *testing.T) {
	s := newSite(t, func(o *signin.OIDC) { o.Life = time.Hour })
	c := browser(t)
	get(t, c, s.URL+"/")
	s.clock.Add(3599)
	if p := get(t, c, s.URL+"/open"); !strings.HasPrefix(p.body, "true") {
		t.Errorf("before its end: %s", p.body)
	}
	s.clock.Add(1)
	if p := get(t, c, s.URL+"/open"); !strings.HasPrefix(p.body, "false") {
		t.Errorf("after its end: %s", p.body)
	}
}

func TestACookieThatWeDidNotSealCountsForNothing(t *testing.T) {
	s, foreign := newSite(t), newSite(t, func(o *signin.OIDC) { o.SessionKey = key("canary-another-key-0123456789abcdef") })
	stolen := browser(t)
	get(t, stolen, foreign.URL+"/")
	u, _ := url.Parse(foreign.URL)
	name := func(s *site) string { _, port, _ := strings.Cut(s.URL[7:], ":"); return "session" + port }
	values := map[string]string{
		"plain": base64.URLEncoding.EncodeToString([]byte(`{"id":"x","name":"x","role":"admin","until":"2999-01-01T00:00:00Z"}`)),
		"empty": "", "long": strings.Repeat("A", 4000), "another key": stolen.Jar.Cookies(u)[0].Value,
	}
	own := browser(t)
	get(t, own, s.URL+"/")
	mine, _ := url.Parse(s.URL)
	good := own.Jar.Cookies(mine)[0].Value
	values["changed"] = good[:len(good)/2] + "A" + good[len(good)/2+1:]
	for what, value := range values {
		p := get(t, stranger(), s.URL+"/open", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name(s), Value: value}) })
		if !strings.HasPrefix(p.body, "false") {
			t.Errorf("%s: %s", what, p.body)
		}
	}
	// A sign-in on its way is no session, though it is sealed with the same key.
	stop := browser(t)
	stop.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get(t, stop, s.URL+"/signin")
	pending := stop.Jar.Cookies(mine)[0].Value
	p := get(t, stranger(), s.URL+"/open", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name(s), Value: pending}) })
	if !strings.HasPrefix(p.body, "false") {
		t.Errorf("a pending sign-in: %s", p.body)
	}
}

func TestASignInThatWasNotBegunHereIsRefused(t *testing.T) {
	s := newSite(t)
	victim := browser(t)
	for _, address := range []string{"/signin/callback?code=x&state=y", "/signin/callback", "/signin/callback?state="} {
		if p := get(t, victim, s.URL+address); p.status != 403 || !strings.Contains(p.body, "not begun in this browser") {
			t.Errorf("%s: %d %s", address, p.status, p.body)
		}
	}
	// The attacker's own way back, sent to a victim with another sign-in on its way.
	stop := func(c *http.Client) *http.Client {
		c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.Path, "/signin/callback") {
				return http.ErrUseLastResponse
			}
			return nil
		}
		return c
	}
	attacker := stop(browser(t))
	back := get(t, attacker, s.URL+"/signin").header.Get("Location")
	get(t, stop(victim), s.URL+"/signin")
	if p := get(t, victim, back); p.status != 403 {
		t.Errorf("another's way back: %d", p.status)
	}
	if p := get(t, attacker, back); p.status != http.StatusOK {
		t.Errorf("the own way back: %d %s", p.status, p.body)
	}
	if p := get(t, attacker, back); p.status != 403 {
		t.Errorf("the own way back again: %d", p.status)
	}
	slow := stop(browser(t))
	back = get(t, slow, s.URL+"/signin").header.Get("Location")
	s.clock.Add(600)
	if p := get(t, slow, back); p.status != 403 {
		t.Errorf("after 10 minutes: %d", p.status)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\r\nSet-Cookie: x=y", "/" + strings.Repeat("a", 2000)} {
		p := get(t, browser(t), s.URL+"/signin?next="+url.QueryEscape(next))
		if p.url != s.URL+"/" {
			t.Errorf("%.40q led to %.60s", next, p.url)
		}
	}
}

func TestAnIssuerThatDoesNotAnswerIsSaidAndAskedAgain(t *testing.T) {
	s := newSite(t)
	address := s.is.Config.Handler
	s.is.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	if p := get(t, browser(t), s.URL+"/"); p.status != 503 || !strings.Contains(p.body, "does not answer") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := get(t, stranger(), s.URL+"/api/x", bearer("x.y.z")); p.status != 503 {
		t.Errorf("with a bearer token: %d", p.status)
	}
	s.is.Config.Handler = address
	if p := get(t, browser(t), s.URL+"/"); p.status != 200 {
		t.Errorf("later: %d %s", p.status, p.body)
	}
}

func TestAnotherSitesPageChangesNothing(t *testing.T) {
	s := newSite(t)
	c := browser(t)
	get(t, c, s.URL+"/")
	tests := []struct {
		name   string
		header map[string]string
		status int
	}{
		{"own page", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a sister site", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"an old browser on another site", map[string]string{"Origin": "https://evil.example"}, 403},
		{"an old browser here", map[string]string{"Origin": s.URL}, 200},
		{"a sandboxed frame", map[string]string{"Origin": "null"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := do(t, c, http.MethodPost, s.URL+"/admin/x", func(r *http.Request) {
				for k, v := range tt.header {
					r.Header.Set(k, v)
				}
			})
			if p.status != tt.status {
				t.Errorf("%d, want %d", p.status, tt.status)
			}
		})
	}
}
