package hubspotsim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLife is how long an authorization code is good. Undocumented (assumed).
const codeLife = time.Minute

type app struct {
	id, secret string
	number     int64
	redirects  []string
	scopes     []string
}

// install is one authorization of an app in a portal.
type install struct {
	app    *app
	portal *Portal
	user   int64
	scopes []string
	gone   bool // uninstalled: its access tokens are dead too
}

type code struct {
	install   *install
	redirect  string
	challenge string
	method    string
	until     time.Time
}

type access struct {
	install *install
	expires time.Time
}

// oauth wraps an endpoint with a form body. The sim's lock is held in serve.
func (s *Sim) oauth(serve func(s *Sim, form url.Values) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if v := r.PathValue("v"); v != "2026-09" && v != "2026-03" && v != "v3" {
			s.noSuchPath().write(w, 0)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		_ = r.ParseForm() // what cannot be read is missing below
		s.mu.Lock()
		a := serve(s, r.PostForm) // parameters in the query do not count
		s.mu.Unlock()
		a.write(w, 0)
	}
}

func (s *Sim) oauthError(status, kind, message string) answer {
	return reply(http.StatusBadRequest, object{
		"error": kind, "error_description": message, "status": status, "message": message, "correlationId": s.uuid(),
	})
}

// client checks the credentials of the app.
func (s *Sim) client(form url.Values) (*app, answer, bool) {
	a := s.apps[form.Get("client_id")]
	if a == nil {
		return nil, s.oauthError("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id"), false
	}
	if subtle.ConstantTimeCompare([]byte(a.secret), []byte(form.Get("client_secret"))) != 1 {
		return nil, s.oauthError("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret"), false
	}
	return a, answer{}, true
}

func (s *Sim) token(form url.Values) answer {
	a, refused, ok := s.client(form)
	if !ok {
		return refused
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return s.exchange(a, form)
	case "refresh_token":
		return s.renew(a, form)
	}
	return s.oauthError("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")
}

func (s *Sim) exchange(a *app, form url.Values) answer {
	given, found := s.codes[form.Get("code")]
	if !found || given.install.app != a || !s.o.Now().Before(given.until) {
		return s.oauthError("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code")
	}
	if form.Get("redirect_uri") != given.redirect {
		return s.oauthError("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect uri")
	}
	delete(s.codes, form.Get("code"))
	if !given.verified(form.Get("code_verifier")) {
		return s.oauthError("BAD_CODE_VERIFIER", "invalid_grant", "missing or invalid code verifier")
	}
	if given.install.gone {
		return s.oauthError("BAD_HUB", "access_denied", "missing or unknown hub id")
	}
	if !within(form.Get("scope"), given.install.scopes) {
		return s.oauthError("BAD_SCOPES", "invalid_scope", "missing or unknown scopes")
	}
	return s.issue(given.install, s.refreshToken(given.install))
}

// verified checks PKCE, if the authorize URL asked for it.
func (c code) verified(verifier string) bool {
	switch c.method {
	case "S256":
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	case "", "plain":
	}
	return c.challenge == "" || c.challenge == verifier
}

func (s *Sim) renew(a *app, form url.Values) answer {
	token := form.Get("refresh_token")
	known := s.refresh[token]
	if known != nil && known.portal.closed {
		return s.oauthError("BAD_HUB", "access_denied", "missing or unknown hub id")
	}
	if known == nil || known.app != a || known.gone {
		return s.oauthError("BAD_REFRESH_TOKEN", "invalid_grant", "refresh token is invalid, expired or revoked")
	}
	if !within(form.Get("scope"), known.scopes) {
		return s.oauthError("BAD_SCOPES", "invalid_scope", "missing or unknown scopes")
	}
	if s.o.RotateRefresh {
		delete(s.refresh, token)
		token = s.refreshToken(known)
	}
	return s.issue(known, token)
}

func (s *Sim) refreshToken(i *install) string {
	token := "na1-" + s.uuid()
	s.refresh[token] = i
	return token
}

func (s *Sim) accessToken(i *install) string {
	random := make([]byte, 120)
	for n := range random {
		random[n] = byte(s.random.Uint32()) //nolint:gosec // the low byte is meant
	}
	token := "CKfs" + base64.RawURLEncoding.EncodeToString(random)
	s.access[token] = &access{install: i, expires: s.o.Now().Add(s.o.TokenLife)}
	return token
}

func (s *Sim) issue(i *install, refresh string) answer {
	return reply(http.StatusOK, object{
		"token_type": "bearer", "access_token": s.accessToken(i), "refresh_token": refresh,
		"expires_in": int(s.o.TokenLife.Seconds()), "hub_id": i.portal.id, "user_id": i.user,
		"scopes": i.scopes, "token_use": "access_token",
	})
}

func (s *Sim) introspect(form url.Values) answer {
	a, refused, ok := s.client(form)
	if !ok {
		return refused
	}
	hint := form.Get("token_type_hint")
	token := form.Get("token")
	if token == "" {
		token = form.Get(hint) // some pages name the field after its type
	}
	live, now := s.access[token], s.o.Now()
	if live != nil && live.install.app == a && !live.install.gone && now.Before(live.expires) {
		out := live.install.facts(token, "access_token")
		out["expires_in"] = int(live.expires.Sub(now).Seconds())
		out["signed_access_token"] = object{
			"expiresAt": live.expires.UnixMilli(), "scopes": "AAEAAQ==", "hubId": live.install.portal.id,
			"userId": live.install.user, "appId": a.number, "signature": "c2lnbmF0dXJl", "hublet": "na1",
		}
		return reply(http.StatusOK, out)
	}
	if known := s.refresh[token]; known != nil && known.app == a && !known.gone {
		return reply(http.StatusOK, known.facts(token, "refresh_token"))
	}
	return reply(http.StatusOK, object{"active": false})
}

func (i *install) facts(token, use string) object {
	return object{
		"active": true, "token": token, "token_use": use, "token_type": "Bearer", "client_id": i.app.id,
		"app_id": i.app.number, "hub_id": i.portal.id, "hub_domain": i.portal.domain, "user_id": i.user,
		"user": "admin@" + i.portal.domain, "scopes": i.scopes, "is_private_distribution": false,
	}
}

// revoke ends a refresh token, but not the access tokens it gave.
func (s *Sim) revoke(form url.Values) answer {
	a, refused, ok := s.client(form)
	if !ok {
		return refused
	}
	token := form.Get("token")
	if token == "" {
		token = form.Get(form.Get("token_type_hint"))
	}
	if known := s.refresh[token]; known != nil && known.app == a {
		delete(s.refresh, token)
	}
	if known := s.access[token]; known != nil && known.install.app == a {
		delete(s.access, token)
	}
	return answer{status: http.StatusOK, header: http.Header{}}
}

func (c *call) uninstall() answer {
	if !c.granted("oauth") {
		return c.missingScopes([]string{"oauth"})
	}
	c.sim.forget(func(i *install) bool { return i.portal == c.portal && i.app == c.grant.app })
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

// forget ends the installs that match: refresh answers BAD_REFRESH_TOKEN, the
// API 401.
func (s *Sim) forget(match func(*install) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.refresh {
		i.gone = i.gone || match(i)
	}
	for _, a := range s.access {
		a.install.gone = a.install.gone || match(a.install)
	}
	for _, c := range s.codes {
		c.install.gone = c.install.gone || match(c.install)
	}
}

// Uninstall takes every app out of the portal, as a customer does: API calls
// answer 401 and refreshing BAD_REFRESH_TOKEN until an app is installed again.
func (p *Portal) Uninstall() {
	p.sim.forget(func(i *install) bool { return i.portal == p })
}

// Close ends the portal: like Uninstall, but refreshing answers BAD_HUB and
// the portal cannot be chosen again.
func (p *Portal) Close() {
	p.Uninstall()
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	p.closed = true
}

// ExpireTokens lets all access tokens of the portal end now; refreshing works.
func (p *Portal) ExpireTokens() {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	now := p.sim.o.Now()
	for _, a := range p.sim.access {
		if a.install.portal == p && a.expires.After(now) {
			a.expires = now
		}
	}
}

// WithoutScopes names scopes that the portal's plan does not have: optional
// ones are not granted, required ones make the install page show an error.
func (p *Portal) WithoutScopes(scopes ...string) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	p.lacks = scopes
}

// Withdraw takes scopes from the installs of the portal, in force at once.
func (p *Portal) Withdraw(scopes ...string) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	kept := func(have []string) []string {
		return slices.DeleteFunc(slices.Clone(have), func(s string) bool { return slices.Contains(scopes, s) })
	}
	for _, i := range p.sim.refresh {
		if i.portal == p {
			i.scopes = kept(i.scopes)
		}
	}
	for _, a := range p.sim.access {
		if a.install.portal == p {
			a.install.scopes = kept(a.install.scopes)
		}
	}
}

// within reports whether all the space-separated scopes are in granted.
func within(asked string, granted []string) bool {
	for _, scope := range strings.Fields(asked) {
		if !slices.Contains(granted, scope) {
			return false
		}
	}
	return true
}

// Token installs the app in the portal without the authorize page and returns
// a pair of tokens, for tests that are not about OAuth. Without scopes it
// grants every scope.
func (p *Portal) Token(clientID string, scopes ...string) (accessToken, refreshToken string) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	a := p.sim.apps[clientID]
	if a == nil {
		panic(fmt.Sprintf("hubspotsim: no app %q", clientID))
	}
	if len(scopes) == 0 {
		scopes = allScopes()
	}
	i := &install{app: a, portal: p, user: 42, scopes: scopes}
	refreshToken = p.sim.refreshToken(i)
	return p.sim.accessToken(i), refreshToken
}
