package gainsight

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

func (c *Client) auth() apiclient.Auth {
	if c.Config.AccessKey != "" {
		return accessKey(c.Config.AccessKey)
	}
	return bearer{c.Tokens}
}

// accessKey is the organisation's key. It does not expire, so a refused one is
// Invalid and nothing is renewed.
type accessKey secret.Text

// Apply implements apiclient.Auth.
func (k accessKey) Apply(_ context.Context, req *http.Request) error {
	req.Header.Set("accesskey", secret.Text(k).Expose())
	return nil
}

// Renew implements apiclient.Auth.
func (accessKey) Renew(context.Context, *http.Request) error {
	return fault.New(fault.Invalid, "%s", keyRefused)
}

// bearer is the M2M OAuth token.
type bearer struct{ tokens Tokens }

// Apply implements apiclient.Auth.
func (b bearer) Apply(ctx context.Context, req *http.Request) error {
	t, err := b.tokens.Token(ctx, Connection)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", scheme+t.Access.Expose())
	return nil
}

// Renew implements apiclient.Auth.
func (b bearer) Renew(ctx context.Context, refused *http.Request) error {
	bad := refused.Header.Get("Authorization")
	_, err := b.tokens.Renew(ctx, Connection, secret.Text(bad[min(len(scheme), len(bad)):]))
	return err
}

const scheme = "Bearer "

// metered takes from two budgets for each try of a call, which apiclient knows
// one budget of: first of the one that is cheap to waste.
type metered struct {
	apiclient.Auth
	budgets []*budget.Budget
}

// Apply implements apiclient.Auth.
func (m metered) Apply(ctx context.Context, req *http.Request) error {
	for _, b := range m.budgets {
		if b == nil {
			continue
		}
		if err := b.Take(ctx); err != nil {
			return err
		}
	}
	return m.Auth.Apply(ctx, req)
}

// Grant gets an M2M OAuth token for the client id and secret. It is Reauthorize
// if Gainsight refuses them.
func (c *Client) Grant(ctx context.Context) (t token.Token, err error) {
	err = c.set(ctx, func(c *Client) error {
		t, err = c.grantAny(ctx)
		return err
	})
	return t, err
}

func (c *Client) grantAny(ctx context.Context) (token.Token, error) {
	d, err := c.dialect(ctx)
	if err != nil {
		return token.Token{}, err
	}
	switch d.TokenBody {
	case TokenJSON:
		return c.grant(ctx, apiclient.Request{JSON: struct{}{}})
	case TokenEmpty:
		return c.grant(ctx, apiclient.Request{Header: http.Header{"Content-Type": {"application/json"}}})
	case TokenForm:
	}
	t, err := c.grant(ctx, apiclient.Request{Form: url.Values{"grant_type": {"client_credentials"}}})
	a, ok := errors.AsType[*answerError](err)
	if d.TokenBody == "" && ok && (a.status == http.StatusBadRequest || a.status == http.StatusUnsupportedMediaType) {
		// The form of the body is not documented, and some clients send none.
		t, err = c.grant(ctx, apiclient.Request{JSON: struct{}{}})
	}
	return t, err
}

func (c *Client) grant(ctx context.Context, r apiclient.Request) (token.Token, error) {
	pair := c.Config.ClientID + ":" + c.Config.ClientSecret.Expose()
	r.Method, r.Path = http.MethodPost, "/v1/users/m2m/oauth/token"
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	r.Budget, r.NoAuth, r.Repeat = BudgetCalls, true, true
	var answer struct {
		Access  string      `json:"access_token"`
		Seconds json.Number `json:"expires_in"`
	}
	read := apiclient.JSON(&answer)
	r.Into = func(status int, body io.Reader) error {
		if err := read(status, body); err != nil {
			return err
		}
		if answer.Access == "" {
			return errors.New("an answer without a token")
		}
		return nil
	}
	api := c.api(false)
	general := api.Classify
	api.Classify = func(status int, header http.Header, body []byte) error {
		err := general(status, header, body)
		a, ok := errors.AsType[*answerError](err)
		final := fault.Is(err, fault.Invalid) || fault.Is(err, fault.Reauthorize)
		if !ok || !final || a.code == codeAddress || a.code == codeRoute || status/100 == 3 {
			return err
		}
		return fault.Wrap(a, fault.Reauthorize, "%s", clientRefused)
	}
	if err := api.Do(ctx, r); err != nil {
		return token.Token{}, err
	}
	life := time.Hour // what a token without a stated life is trusted for
	if s, err := answer.Seconds.Int64(); err == nil && s > 0 {
		life = time.Duration(s) * time.Second
	}
	now := c.now()
	return token.Token{Access: secret.Text(answer.Access), Issued: now, Expires: now.Add(life)}, nil
}
