// Package gainsight is a thin client of Gainsight's REST APIs: metadata, reads,
// rows of Company and custom objects, people and users.
//
// Gainsight refuses a whole batch for one bad row. A refused batch is halved
// until the guilty rows are alone, and only they come back as refusals. What
// Gainsight says about values goes into refusals, never into errors.
package gainsight

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// The names of the budgets that calls take from (apiclient.Client.Budgets). Calls
// of the User Management API take from both.
const (
	BudgetCalls = "calls"
	BudgetUsers = "users"
)

// Windows returns the quotas that Gainsight documents (rate limits of its REST
// and User Management APIs, November 2026), by budget name. They are windows of
// the wall clock and belong to the whole organisation.
func Windows() map[string][]budget.Window {
	return map[string][]budget.Window{
		BudgetCalls: {{Calls: 100, Per: time.Minute, Fixed: true}, {Calls: 50_000, Per: 24 * time.Hour, Fixed: true}},
		BudgetUsers: {{Calls: 100, Per: time.Hour, Fixed: true}, {Calls: 1000, Per: 24 * time.Hour, Fixed: true}},
	}
}

// Connection names the M2M OAuth token among the tokens of a token.Broker.
const Connection = "gainsight"

// Config says which organisation is written to, and as whom.
type Config struct {
	URL string // origin, such as https://acme.gainsightcloud.com
	// AccessKey is the organisation's key. If it is empty, calls carry the M2M
	// OAuth token of ClientID and ClientSecret.
	AccessKey    secret.Text
	ClientID     string
	ClientSecret secret.Text
}

// Tokens gives the M2M OAuth token; a token.Broker whose Refresh is Client.Grant
// does.
type Tokens interface {
	Token(ctx context.Context, connection string) (token.Token, error)
	Renew(ctx context.Context, connection string, bad secret.Text) (token.Token, error)
}

// Client reads from and writes to Gainsight. It may be used at once.
type Client struct {
	// Config is the organisation, if Destination is nil.
	Config Config
	// Destination returns the organisation as it is set now, for each call. It may
	// answer from a copy of a few minutes' age unless fresh is asked for, which is
	// done once after Gainsight refused the credentials.
	Destination func(ctx context.Context, fresh bool) (Config, error)
	// API is how requests travel: HTTP, Budgets, Counted, clock, limits. The
	// client sets Base, Vendor, Auth and Classify itself.
	API apiclient.Client
	// Tokens is required without an access key.
	Tokens Tokens
	// Dialect returns how the organisation speaks; nil = the zero Dialect. It is
	// asked for each call, so it should answer from memory.
	Dialect func(ctx context.Context) (Dialect, error)

	described sync.Map // :: object → the types of its fields
}

// Test proves that the credentials are taken and that data can be read. It costs
// one call.
func (c *Client) Test(ctx context.Context) error {
	_, err := c.Scan(ctx, "company", []string{gsid}, "", 1)
	return err
}

// gsid is the field with a row's identifier.
const gsid = "Gsid"

// data is the path of an object's rows.
func (d Dialect) data(object string) string {
	return "/v1/data/objects/" + url.PathEscape(d.name(object))
}

// Probe sends a request with the organisation's credentials, once, and returns
// its answer whatever it is. It takes one call from BudgetCalls. Errors are those
// of apiclient.Client.Probe.
func (c *Client) Probe(ctx context.Context, r apiclient.Request) (got apiclient.Answer, err error) {
	err = c.set(ctx, func(c *Client) error {
		api := c.api(false)
		api.Auth, r.Budget = c.auth(), BudgetCalls
		got, err = api.Probe(ctx, r)
		return err
	})
	return got, err
}

// set runs work on the client of the organisation as it is set now. If the
// credentials are refused, and others were set since, it runs again with those.
func (c *Client) set(ctx context.Context, work func(*Client) error) error {
	if c.Destination == nil {
		return work(c)
	}
	config, err := c.Destination(ctx, false)
	if err != nil {
		return err
	}
	now := &Client{Config: config, API: c.API, Tokens: c.Tokens, Dialect: c.Dialect}
	refused := work(now)
	if !isRefused(refused) {
		return refused
	}
	config, err = c.Destination(ctx, true)
	if err != nil || config == now.Config {
		return refused
	}
	now.Config = config
	return work(now)
}

// Current returns the organisation as it is set now.
func (c *Client) Current(ctx context.Context) (Config, error) {
	if c.Destination == nil {
		return c.Config, nil
	}
	return c.Destination(ctx, false)
}

// call sends a request of the data APIs and gives its answer to read. An error of
// read means that the answer is broken. read may run again for a repeated call.
func (c *Client) call(ctx context.Context, r apiclient.Request, read func(envelope) error) error {
	return c.set(ctx, func(c *Client) error { return c.callData(ctx, r, read) })
}

func (c *Client) callData(ctx context.Context, r apiclient.Request, read func(envelope) error) error {
	api := c.api(false)
	api.Auth, r.Budget = c.auth(), BudgetCalls
	r.Into = answer(read, func(status int, e envelope) error { return c.fault(status, e, false) })
	return api.Do(ctx, r)
}

// callUsers is call for the user API. Each try takes from two budgets: first from
// the one that is cheap to waste. A refusal lowers the users' alone.
func (c *Client) callUsers(ctx context.Context, r apiclient.Request, read func(envelope) error) error {
	return c.set(ctx, func(c *Client) error { return c.callUserAPI(ctx, r, read) })
}

func (c *Client) callUserAPI(ctx context.Context, r apiclient.Request, read func(envelope) error) error {
	api := c.api(true)
	users := api.Budgets[BudgetUsers]
	api.Auth = metered{c.auth(), []*budget.Budget{api.Budgets[BudgetCalls], users}}
	lower := func(err error) error {
		if users == nil || !fault.Is(err, fault.Throttled) {
			return err
		}
		return errors.Join(err, users.Lower(ctx, fault.ResumeAt(err)))
	}
	general := api.Classify
	api.Classify = func(status int, header http.Header, body []byte) error {
		return lower(general(status, header, body))
	}
	r.Into = answer(read, func(status int, e envelope) error { return lower(c.fault(status, e, true)) })
	return api.Do(ctx, r)
}

// api is the request path without credentials.
func (c *Client) api(users bool) *apiclient.Client {
	api := c.API
	api.Base, api.Vendor = c.Config.URL, "Gainsight"
	api.Classify = c.classify(users)
	return &api
}

func (c *Client) now() time.Time {
	if c.API.Now != nil {
		return c.API.Now()
	}
	return time.Now()
}
