// Package hubspot is a thin client of HubSpot's date-versioned API: OAuth,
// schemas, records in pages, owners and associations.
//
// Records are read in the ascending order of their ids: all of them by the list
// API, those changed in a window by search with a keyset (id > last), never by
// an offset. A page is whole or an error: what is unknown is never empty.
package hubspot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// The names of the budgets that calls take from (apiclient.Client.Budgets). For
// an OAuth app they are, per portal: 110 calls in rolling 10 s, 5 a second, and
// for associations 100 in 10 s (HubSpot usage guidelines, November 2026).
const (
	BudgetObjects      = "objects"
	BudgetSearch       = "search"
	BudgetAssociations = "associations"
)

// Config says which app of ours speaks to which host.
type Config struct {
	ClientID     string
	ClientSecret secret.Text
	APIURL       string // "" = https://api.hubapi.com
	AppURL       string // where people log in; "" = https://app.hubspot.com
	Version      string // of the API paths; "" = 2026-09
	RedirectURL  string // exactly as the app is configured
}

// Tokens gives the tokens of connections; token.Broker does.
type Tokens interface {
	Token(ctx context.Context, connection string) (token.Token, error)
	Renew(ctx context.Context, connection string, bad secret.Text) (token.Token, error)
}

// Client reads from HubSpot. It may be used at once.
type Client struct {
	Config Config
	// Secret returns the app's client secret; nil means Config.ClientSecret. It may
	// answer from a copy of a few minutes' age unless fresh is asked for, which is
	// done once after HubSpot refused the secret.
	Secret func(ctx context.Context, fresh bool) (secret.Text, error)
	// API is how requests travel: HTTP, Budgets, Counted, clock, limits. The
	// client sets Base, Vendor, Auth and Classify itself.
	API apiclient.Client
	// Tokens is needed by the calls that take a connection.
	Tokens Tokens
	// Dialect returns how HubSpot speaks; nil = the zero Dialect. It is asked for
	// each page, so it should answer from memory.
	Dialect func(ctx context.Context) (Dialect, error)
}

// vendor names HubSpot in messages and in what is counted.
const vendor = "HubSpot"

// owner is the object that is no CRM object: people who own records.
const owner = "owner"

// path fills the API version into a path: "/crm/objects/%s/0-1".
func (c *Client) path(format string, args ...any) string {
	return fmt.Sprintf(format, append([]any{c.version()}, args...)...)
}

func (c *Client) version() string { return cmp.Or(c.Config.Version, "2026-09") }

// do sends a call with the connection's token.
func (c *Client) do(ctx context.Context, connection string, r apiclient.Request) error {
	api := c.api()
	api.Auth = bearer{tokens: c.Tokens, connection: connection}
	api.Classify = func(status int, header http.Header, body []byte) error {
		return c.classify(r.Path, status, header, body)
	}
	return api.Do(ctx, r)
}

// Probe sends a request with the connection's token, once, and returns its answer
// whatever it is. Errors are those of apiclient.Client.Probe. The path may be made
// by Path.
func (c *Client) Probe(ctx context.Context, connection string, r apiclient.Request) (apiclient.Answer, error) {
	api := c.api()
	api.Auth = bearer{tokens: c.Tokens, connection: connection}
	return api.Probe(ctx, r)
}

// Path fills the API version into a path with one %s: "/crm/objects/%s/0-1".
func (c *Client) Path(format string) string { return c.path(format) }

func (c *Client) api() apiclient.Client {
	api := c.API
	api.Base, api.Vendor = cmp.Or(c.Config.APIURL, "https://api.hubapi.com"), vendor
	return api
}

func (c *Client) now() time.Time {
	if c.API.Now == nil {
		return time.Now()
	}
	return c.API.Now()
}

// bearer adds the token of a connection.
type bearer struct {
	tokens     Tokens
	connection string
}

const scheme = "Bearer "

// Apply implements apiclient.Auth.
func (b bearer) Apply(ctx context.Context, req *http.Request) error {
	t, err := b.tokens.Token(ctx, b.connection)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", scheme+t.Access.Expose())
	return nil
}

// Renew implements apiclient.Auth.
func (b bearer) Renew(ctx context.Context, refused *http.Request) error {
	bad := strings.TrimPrefix(refused.Header.Get("Authorization"), scheme)
	_, err := b.tokens.Renew(ctx, b.connection, secret.Text(bad))
	return err
}

// text is a JSON value that HubSpot may send as a string, a number or a boolean;
// null and absent leave it nil.
type text struct{ value *string }

// UnmarshalJSON takes any scalar.
func (t *text) UnmarshalJSON(raw []byte) error {
	t.value = nil
	switch raw[0] {
	case 'n':
		return nil
	case '"':
		return json.Unmarshal(raw, &t.value)
	case '{', '[':
		return errors.New("not a scalar")
	}
	s := string(raw)
	t.value = &s
	return nil
}

func (t text) String() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// checked reads an answer like apiclient.JSON and refuses one without its
// essential part, so that an empty object is no empty page.
func checked[T any](v *T, whole func(T) bool) func(int, io.Reader) error {
	return func(status int, body io.Reader) error {
		if err := apiclient.JSON(v)(status, body); err != nil {
			return err
		}
		if !whole(*v) {
			return errors.New("the essential part is missing")
		}
		return nil
	}
}
