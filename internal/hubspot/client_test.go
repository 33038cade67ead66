package hubspot_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

const (
	canary = "canary-3b9c" // part of every secret; no error may hold it
	origin = "https://api.hubspot.example"
)

// call is one request as it arrived, "GET /path?query" and its body.
type call struct{ line, body string }

// portal answers calls by a function, and checks what each must have.
type portal struct {
	t      testing.TB
	answer func(n int, c call) (status int, body string, header http.Header)

	mu    sync.Mutex
	calls []call
	auth  []string
}

func (p *portal) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if got := r.URL.Scheme + "://" + r.URL.Host; got != origin {
		p.t.Errorf("called %s, want %s", got, origin)
	}
	for _, legacy := range []string{"/contacts/v1", "/companies/v2", "/recent", "/crm/v3", "/crm/v4"} {
		if strings.Contains(r.URL.Path, legacy) {
			p.t.Errorf("legacy path %s", r.URL.Path)
		}
	}
	p.calls = append(p.calls, call{r.Method + " " + r.URL.RequestURI(), string(body)})
	p.auth = append(p.auth, r.Header.Get("Authorization"))
	status, text, header := p.answer(len(p.calls), p.calls[len(p.calls)-1])
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (p *portal) lines() []string {
	lines := make([]string, len(p.calls))
	for i, c := range p.calls {
		lines[i] = c.line
	}
	return lines
}

// answers gives its texts in order, the last one again and again, as 200.
func answers(texts ...string) func(int, call) (int, string, http.Header) {
	return func(n int, _ call) (int, string, http.Header) { return 200, texts[min(n, len(texts))-1], nil }
}

// status gives one answer to all calls.
func status(code int, body string) func(int, call) (int, string, http.Header) {
	return func(int, call) (int, string, http.Header) { return code, body, nil }
}

// tokens hands out canary tokens, numbered by renewal.
type tokens struct{ renewed int }

func (k *tokens) Token(_ context.Context, connection string) (token.Token, error) {
	if connection != "c1" {
		return token.Token{}, fmt.Errorf("connection %s is unknown", connection)
	}
	return token.Token{Access: secret.Text(fmt.Sprintf("%s-access-%d", canary, k.renewed))}, nil
}

func (k *tokens) Renew(ctx context.Context, connection string, bad secret.Text) (token.Token, error) {
	if was := fmt.Sprintf("%s-access-%d", canary, k.renewed); bad.Expose() != was {
		return token.Token{}, fmt.Errorf("another token was refused")
	}
	k.renewed++
	return k.Token(ctx, connection)
}

// noon is the time in all tests.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// connect returns a client whose pauses cost no time.
func connect(t testing.TB, answer func(int, call) (int, string, http.Header)) (*hubspot.Client, *portal) {
	t.Helper()
	p := &portal{t: t, answer: answer}
	now := noon()
	return &hubspot.Client{
		Config: hubspot.Config{
			ClientID: "app-1", ClientSecret: canary + "-client", APIURL: origin, Version: "2026-09", RedirectURL: "http://localhost:8080/callback",
		},
		Tokens: &tokens{},
		API: apiclient.Client{
			HTTP: &http.Client{Transport: p},
			Now:  func() time.Time { return now },
			Sleep: func(ctx context.Context, d time.Duration) error {
				now = now.Add(d)
				return ctx.Err()
			},
			Jitter: func() float64 { return 0 },
		},
	}, p
}

// checkFault checks an error's kind and message and that it holds no secret.
func checkFault(t *testing.T, err error, kind fault.Kind, message string) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil {
		t.Errorf("%v: kind %s, want %s", err, fault.KindOf(err), kind)
	}
	if got := fault.MessageOf(err); !strings.Contains(got, message) {
		t.Errorf("message %q, want %q", got, message)
	}
	if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
		t.Errorf("the error holds a secret or a body: %v", err)
	}
}
