package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// OIDC says which issuer knows the people. Issuer and ClientID are required.
type OIDC struct {
	Config

	Issuer   string // its URL, as in its tokens
	ClientID string
	// ClientSecret returns the client's secret; nil = a public client, which has
	// none.
	ClientSecret func(ctx context.Context) (secret.Text, error)
	// Audience is whom bearer tokens must be for; "" = ClientID. A token without an
	// audience counts by its client_id, as those of Cognito do.
	Audience string
	// RoleClaim holds a role or a list of roles; "" = "roles". A dot leads into a
	// claim, if none has the whole name.
	RoleClaim string
	// AdminValue and ViewerValue are what the claim says of admins and viewers; "" =
	// "admin" and "viewer".
	AdminValue, ViewerValue string
	HTTP                    *http.Client // nil = one with a timeout of 10 seconds
}

// issuer is an OIDC with what was discovered of it.
type issuer struct {
	OIDC
	door *Door

	mu       sync.Mutex
	provider *oidc.Provider
}

// NewOIDC returns a door to people of an issuer. The issuer is asked about itself
// when somebody first comes.
func NewOIDC(o OIDC) *Door {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	o.RoleClaim, o.Audience = cmp.Or(o.RoleClaim, "roles"), cmp.Or(o.Audience, o.ClientID)
	o.AdminValue, o.ViewerValue = cmp.Or(o.AdminValue, string(Admin)), cmp.Or(o.ViewerValue, string(Viewer))
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	is := &issuer{OIDC: o, door: newDoor(o.Config)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signin", is.leave)
	mux.HandleFunc("GET /signin/callback", is.back)
	is.door.enter, is.door.bearer = mux, is.bearer
	return is.door
}

var errIssuer = fault.New(fault.Transient, "The sign-in service does not answer. Try again in a minute.")

// discovered returns what the issuer says of itself. After an error it is asked
// again.
func (is *issuer) discovered() (*oidc.Provider, error) {
	is.mu.Lock()
	defer is.mu.Unlock()
	if is.provider != nil {
		return is.provider, nil
	}
	// The provider keeps the context to fetch keys later, so it is no request's.
	p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), is.HTTP), is.Issuer)
	if err != nil {
		return nil, fault.Wrap(err, fault.Transient, "%s", fault.MessageOf(errIssuer))
	}
	is.provider = p
	return p, nil
}

// client returns the OAuth client of the issuer.
func (is *issuer) client(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p, err := is.discovered()
	if err != nil {
		return nil, nil, err
	}
	c := &oauth2.Config{
		ClientID: is.ClientID, Endpoint: p.Endpoint(), RedirectURL: is.PublicURL + "/signin/callback",
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
	if is.ClientSecret != nil {
		s, err := is.ClientSecret(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("read client secret: %w", err)
		}
		c.ClientSecret = s.Expose()
	}
	return c, p, nil
}

// pending is a sign-in on its way, in a cookie of this browser. Fields may be
// added, never renamed or removed.
type pending struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE
	Next     string    `json:"next"`
	Until    time.Time `json:"until"`
}

// wait is how long somebody may take at the issuer.
const wait = 10 * time.Minute

// leave leads to the issuer.
func (is *issuer) leave(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("out") {
		is.door.refuse(w, r, http.StatusOK, "You are signed out.")
		return
	}
	client, _, err := is.client(r.Context())
	p := pending{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Next: inside(r.URL.Query().Get("next")), Until: is.door.now().Add(wait),
	}
	if err == nil {
		err = is.door.seal(w, r, pendingCookie, p, wait)
	}
	if err != nil {
		is.fail(w, r, err)
		return
	}
	http.Redirect(w, r, client.AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), http.StatusSeeOther)
}

func (is *issuer) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusForbidden
	switch fault.KindOf(err) { //nolint:exhaustive // the others are refusals
	case fault.Transient:
		status = http.StatusServiceUnavailable
	case fault.Internal:
		status = http.StatusInternalServerError
	default:
	}
	is.door.refuse(w, r, status, fault.MessageOf(err))
}

var errForged = fault.New(fault.Invalid, "This sign-in was not begun in this browser, or took more than 10 minutes. Sign in again.")

// back is where the issuer leads back to.
func (is *issuer) back(w http.ResponseWriter, r *http.Request) {
	var p pending
	q := r.URL.Query()
	unsealed := is.door.unseal(r, pendingCookie, &p)
	is.door.setCookie(w, pendingCookie, "", -1) // once
	state := subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) == 1
	if unsealed != nil || !state || !is.door.now().Before(p.Until) {
		is.fail(w, r, errForged)
		return
	}
	if q.Has("error") {
		is.fail(w, r, fault.New(fault.Invalid, "The sign-in service did not let you in. Sign in again, or ask whoever administers it."))
		return
	}
	person, err := is.exchange(r.Context(), q.Get("code"), p)
	if err == nil {
		err = is.door.begin(w, r, person)
	}
	if err != nil {
		is.fail(w, r, err)
		return
	}
	http.Redirect(w, r, p.Next, http.StatusSeeOther)
}

var errToken = fault.New(fault.Invalid, "What the sign-in service answered is not valid. Sign in again; if it comes back, have the issuer and client id of the sign-in checked.")

// exchange trades a code for who came.
func (is *issuer) exchange(ctx context.Context, code string, p pending) (Person, error) {
	client, provider, err := is.client(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, is.HTTP)
	got, err := client.Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < 500 {
			return Person{}, fault.Wrap(err, fault.Invalid, "%s", fault.MessageOf(errToken))
		}
		return Person{}, fault.Wrap(err, fault.Transient, "%s", fault.MessageOf(errIssuer))
	}
	raw, _ := got.Extra("id_token").(string)
	token, err := provider.Verifier(&oidc.Config{ClientID: is.ClientID, Now: is.door.now}).Verify(ctx, raw)
	if err != nil {
		return Person{}, fault.Wrap(err, fault.Invalid, "%s", fault.MessageOf(errToken))
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(p.Nonce)) != 1 {
		return Person{}, errToken
	}
	return is.person(token)
}

// bearer returns who a bearer token is of.
func (is *issuer) bearer(ctx context.Context, raw string) (Person, error) {
	provider, err := is.discovered()
	if err != nil {
		return Person{}, err
	}
	verifier := provider.Verifier(&oidc.Config{SkipClientIDCheck: true, Now: is.door.now})
	token, err := verifier.Verify(oidc.ClientContext(ctx, is.HTTP), raw)
	if err != nil {
		return Person{}, fault.Wrap(err, fault.Invalid, "%s", fault.MessageOf(errToken))
	}
	var claims struct {
		Client string `json:"client_id"`
	}
	if err := token.Claims(&claims); err != nil {
		return Person{}, fault.Wrap(err, fault.Invalid, "%s", fault.MessageOf(errToken))
	}
	forUs := slices.Contains(token.Audience, is.Audience) || len(token.Audience) == 0 && claims.Client == is.ClientID
	if !forUs {
		return Person{}, errToken
	}
	return is.person(token)
}

// person reads who a token is of.
func (is *issuer) person(token *oidc.IDToken) (Person, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return Person{}, fault.Wrap(err, fault.Invalid, "%s", fault.MessageOf(errToken))
	}
	text := func(name string) string { s, _ := claims[name].(string); return strings.TrimSpace(s) }
	p := Person{ID: token.Subject, Name: cmp.Or(text("name"), text("email"), token.Subject)}
	if verified, ok := claims["email_verified"]; text("email") != "" && (!ok || verified == true || verified == "true") {
		p.ID = text("email")
	}
	roles := list(claim(claims, is.RoleClaim))
	switch {
	case slices.Contains(roles, is.AdminValue):
		p.Role = Admin
	case slices.Contains(roles, is.ViewerValue):
		p.Role = Viewer
	default:
		return p, fault.New(fault.Invalid, "You are known, but have no role here. Ask whoever administers the sign-in for the role %s or %s.", is.AdminValue, is.ViewerValue)
	}
	return p, nil
}

// claim returns a claim by its name, or by a path of names with dots between.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	var at any = claims
	for part := range strings.SplitSeq(name, ".") {
		within, _ := at.(map[string]any)
		at = within[part]
	}
	return at
}

// list returns the texts of a claim: a list, or words with blanks or commas
// between them.
func list(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		var all []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
