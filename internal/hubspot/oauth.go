package hubspot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// What people grant. Optional scopes are dropped by HubSpot where a portal's plan
// does not have them. Both lists must agree with the app's configuration.
const (
	requiredScopes = "oauth crm.objects.companies.read crm.objects.contacts.read crm.objects.owners.read"
	optionalScopes = "crm.objects.deals.read tickets crm.objects.custom.read crm.schemas.custom.read"
)

// AuthorizeURL is the page on which a person grants access; it leads back to
// Config.RedirectURL with a code and the state.
func (c *Client) AuthorizeURL(state string) string {
	app := strings.TrimSuffix(cmp.Or(c.Config.AppURL, "https://app.hubspot.com"), "/")
	config := oauth2.Config{
		ClientID: c.Config.ClientID, RedirectURL: c.Config.RedirectURL, Scopes: strings.Fields(requiredScopes),
		Endpoint: oauth2.Endpoint{AuthURL: app + "/oauth/authorize"},
	}
	page := config.AuthCodeURL(state, oauth2.SetAuthURLParam("optional_scope", optionalScopes))
	return strings.ReplaceAll(page, "+", "%20") // HubSpot's form of a blank
}

// grant is HubSpot's answer with a token.
type grant struct {
	Access    string   `json:"access_token"`
	Refresh   string   `json:"refresh_token"`
	ExpiresIn text     `json:"expires_in"`
	PortalID  text     `json:"hub_id"`
	Scopes    []string `json:"scopes"`
}

// Exchange trades an authorization code for a token with its portal and domain.
// A code works once and for about a minute; a refused one is Invalid.
func (c *Client) Exchange(ctx context.Context, code string) (token.Token, error) {
	t, err := c.grant(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.Config.RedirectURL},
	})
	if err != nil {
		return token.Token{}, fmt.Errorf("exchange authorization code: %w", err)
	}
	known, err := c.Introspect(ctx, t.Access)
	if err != nil {
		return token.Token{}, err
	}
	if t.PortalID == 0 {
		t.PortalID = known.PortalID
	}
	if len(t.Scopes) == 0 {
		t.Scopes = known.Scopes
	}
	t.Domain = known.Domain
	if !known.Active || t.PortalID == 0 {
		return token.Token{}, fault.New(fault.Invalid, "HubSpot does not say which account the authorization is for, authorize again.")
	}
	return t, nil
}

// Refresh gets a new access token. It is Reauthorize if HubSpot refuses the
// refresh token or the portal is gone.
func (c *Client) Refresh(ctx context.Context, t token.Token) (token.Token, error) {
	fresh, err := c.grant(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Expose()}})
	if err != nil {
		return token.Token{}, fmt.Errorf("refresh token: %w", err)
	}
	return fresh, nil
}

func (c *Client) grant(ctx context.Context, form url.Values) (token.Token, error) {
	issued := c.now()
	var answer grant
	var life float64
	err := c.oauth(ctx, "", form, checked(&answer, func(g grant) bool {
		life, _ = strconv.ParseFloat(g.ExpiresIn.String(), 64)
		return g.Access != "" && life > 0
	}))
	if err != nil {
		return token.Token{}, err
	}
	portal, _ := strconv.ParseInt(answer.PortalID.String(), 10, 64) // 0 if it does not say
	return token.Token{
		Access: secret.Text(answer.Access), Refresh: secret.Text(answer.Refresh),
		Issued: issued, Expires: issued.Add(time.Duration(life * float64(time.Second))),
		PortalID: portal, Scopes: answer.Scopes,
	}, nil
}

// Introspection says what HubSpot knows about a token.
type Introspection struct {
	Active   bool
	PortalID int64
	Domain   string // the customer's web site
	User     string
	Scopes   []string
}

type introspection struct {
	Active   *bool    `json:"active"`
	PortalID text     `json:"hub_id"`
	Domain   string   `json:"hub_domain"`
	User     string   `json:"user"`
	Scopes   []string `json:"scopes"`
}

// Introspect asks about an access token. An unknown, revoked or expired one is
// not Active, which is no error.
func (c *Client) Introspect(ctx context.Context, access secret.Text) (Introspection, error) {
	var answer introspection
	form := url.Values{"token": {access.Expose()}, "token_type_hint": {"access_token"}}
	err := c.oauth(ctx, "/introspect", form, checked(&answer, func(i introspection) bool { return i.Active != nil }))
	if err != nil {
		return Introspection{}, fmt.Errorf("introspect token: %w", err)
	}
	portal, _ := strconv.ParseInt(answer.PortalID.String(), 10, 64) // 0 if it does not say
	return Introspection{Active: *answer.Active, PortalID: portal, Domain: answer.Domain, User: answer.User, Scopes: answer.Scopes}, nil
}

// Revoke withdraws the token's permission: the refresh token's first, because
// access tokens outlive it. Twice is once.
func (c *Client) Revoke(ctx context.Context, t token.Token) error {
	for _, one := range []struct {
		hint  string
		token secret.Text
	}{{"refresh_token", t.Refresh}, {"access_token", t.Access}} {
		if one.token == "" {
			continue
		}
		form := url.Values{"token": {one.token.Expose()}, "token_type_hint": {one.hint}}
		if err := c.oauth(ctx, "/revoke", form, nil); err != nil && !fault.Is(err, fault.Reauthorize) {
			return fmt.Errorf("revoke %s: %w", one.hint, err)
		}
	}
	return nil
}

// oauth sends a form with the app's credentials in its body. If they are refused,
// and another secret was set since, it is sent again with that.
func (c *Client) oauth(ctx context.Context, path string, form url.Values, into func(int, io.Reader) error) error {
	form.Set("client_id", c.Config.ClientID)
	if c.Secret == nil {
		form.Set("client_secret", c.Config.ClientSecret.Expose())
		return c.send(ctx, path, form, into)
	}
	known, err := c.Secret(ctx, false)
	if err != nil {
		return fmt.Errorf("read client secret: %w", err)
	}
	form.Set("client_secret", known.Expose())
	refused := c.send(ctx, path, form, into)
	if !errors.Is(refused, errClient) {
		return refused
	}
	fresh, err := c.Secret(ctx, true)
	if err != nil || fresh == known {
		return refused
	}
	form.Set("client_secret", fresh.Expose())
	return c.send(ctx, path, form, into)
}

// send sends the form of an OAuth call. A code can be used once, so its exchange
// is not repeated after a lost answer.
func (c *Client) send(ctx context.Context, path string, form url.Values, into func(int, io.Reader) error) error {
	api, kind := c.api(), form.Get("grant_type")
	r := apiclient.Request{
		Method: http.MethodPost, Path: c.path("/oauth/%s/token") + path, Form: form,
		Repeat: kind != "authorization_code", NoAuth: true, Into: into,
	}
	api.Classify = func(status int, header http.Header, body []byte) error {
		return c.classifyOAuth(r.Path, kind, status, header, body)
	}
	return api.Do(ctx, r)
}

// Account is the portal of a connection.
type Account struct {
	PortalID int64
	Domain   string // of the user interface, such as app.hubspot.com
	TimeZone string
	Type     string // STANDARD, DEVELOPER_TEST, SANDBOX or APP_DEVELOPER
}

// Account returns the connection's portal.
func (c *Client) Account(ctx context.Context, connection string) (Account, error) {
	var answer struct {
		PortalID text   `json:"portalId"`
		Domain   string `json:"uiDomain"`
		TimeZone string `json:"timeZone"`
		Type     string `json:"accountType"`
	}
	var id int64
	err := c.do(ctx, connection, apiclient.Request{
		Method: http.MethodGet, Path: c.path("/account-info/%s/details"), Budget: BudgetObjects, Repeat: true,
		Into: func(status int, body io.Reader) error {
			err := apiclient.JSON(&answer)(status, body)
			if err == nil {
				id, err = strconv.ParseInt(answer.PortalID.String(), 10, 64)
			}
			return err
		},
	})
	if err != nil {
		return Account{}, fmt.Errorf("read account of connection %s: %w", connection, err)
	}
	return Account{PortalID: id, Domain: answer.Domain, TimeZone: answer.TimeZone, Type: answer.Type}, nil
}
