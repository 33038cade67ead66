package apiclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"hubspotconnector/internal/fault"
)

// Answer is an answer as it came.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Probe sends a request once and returns its answer whatever the status is, for
// those who want to know how a vendor answers. It takes from the budget and adds
// credentials, and renews none. Its errors are those of Do without an answer:
// Throttled if our own quota is spent, Transient if the vendor did not answer.
func (c *Client) Probe(ctx context.Context, r Request) (Answer, error) {
	var got Answer
	probe := *c
	probe.Tries = 1
	probe.HTTP = &http.Client{}
	if c.HTTP != nil {
		*probe.HTTP = *c.HTTP
	}
	probe.HTTP.Transport = recorder{next: probe.HTTP.Transport, got: &got, most: or(c.MaxBytes, 64<<20)}
	probe.Classify = func(int, http.Header, []byte) error { return fault.New(fault.Invalid, "An answer was recorded.") }
	r.Into = nil
	if err := probe.Do(ctx, r); err != nil && got.Status == 0 {
		return Answer{}, err
	}
	return got, nil
}

// recorder keeps the answer that passes.
type recorder struct {
	next http.RoundTripper
	got  *Answer
	most int64
}

// RoundTrip implements http.RoundTripper.
func (t recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.most))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	*t.got = Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
