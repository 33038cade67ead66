// Package apiclient is the one path on which requests reach a vendor: take the
// budget, add credentials, send, classify, read the answer from its stream, and
// repeat what may be repeated.
//
// A call ends in success or in a fault. An answer that is cut off, too large or
// not what it should be is a fault, never an empty success. No error holds a
// secret, a query or a vendor's body.
package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/clock"
)

// Request is one call.
type Request struct {
	Method string
	// Path is escaped, with its query, and relative to Client.Base.
	Path string
	// JSON is the body as JSON, Form the body as a form; at most one is set.
	JSON   any
	Form   url.Values
	Header http.Header // extra headers, may be nil
	// Budget is a key of Client.Budgets; "" takes nothing.
	Budget string
	// Repeat says that the call may be sent again after a lost answer, a 5xx or a
	// broken body: reads and idempotent writes. A call that the vendor refused
	// (401, 429) or that never left is sent again in any case.
	Repeat bool
	// NoAuth sends the call without credentials.
	NoAuth bool
	// Into reads a 2xx answer from its stream; nil discards the body. It may run
	// again for each try, so it starts afresh. An error that is a fault counts
	// like one of Classify; any other means a broken body (Transient), and its
	// text is dropped, because it may quote the body.
	Into func(status int, body io.Reader) error
}

// Auth adds credentials.
type Auth interface {
	// Apply adds credentials to a request that is about to be sent.
	Apply(ctx context.Context, req *http.Request) error
	// Renew gets new credentials after the vendor refused those of the request
	// with Reauthorize. It runs once a call; then the call is sent again.
	Renew(ctx context.Context, refused *http.Request) error
}

// Client sends requests to one vendor. It may be copied, and used at once.
type Client struct {
	// HTTP sends; nil is a client with Go's default transport. Redirects are never
	// followed: credentials stay with the host that was configured.
	HTTP *http.Client
	// Base is the origin, such as https://api.example.com; Vendor names it in
	// messages.
	Base, Vendor string
	Auth         Auth // nil = none
	// Budgets :: name → quota. A nil map takes nothing; a name that is missing in
	// a map is a bug and fails the call.
	Budgets map[string]*budget.Budget
	// Classify turns an answer other than 2xx (its body up to 64 KiB) into a
	// fault, never nil. See After for pauses. Required.
	Classify func(status int, header http.Header, body []byte) error
	// Counted is called for each request that is sent; nil = nobody counts.
	Counted func(ctx context.Context, vendor string)
	// Refused is called for each answer that says that a quota is spent; nil =
	// nobody counts.
	Refused func(ctx context.Context, vendor string)
	Now     func() time.Time                                 // nil = time.Now
	Sleep   func(ctx context.Context, d time.Duration) error // nil = a timer
	Jitter  func() float64                                   // in [0, 1); nil = random
	// MaxWait is how long a call waits for quota in all; 0 = 5 s. What would take
	// longer is returned as Throttled with its ResumeAt.
	MaxWait time.Duration
	// Timeout of one try, the body included; 0 = 60 s.
	Timeout time.Duration
	// Tries is how often a call is sent while it is Transient; 0 = 4.
	Tries int
	// MaxBytes is the largest answer; 0 = 64 MiB.
	MaxBytes int64
}

// Do sends the request and reads its answer. Its errors are those of Classify
// and Into, and: Throttled if quota is spent for longer than MaxWait; Transient
// if the vendor cannot be reached, does not answer, or its answer is broken, or
// ctx ended (ctx.Err is in the chain); Invalid if the answer is larger than
// MaxBytes; and what Auth returns. After a Transient error the call may have
// had its effect.
func (c *Client) Do(ctx context.Context, r Request) error {
	k := &call{client: c, request: r}
	err := k.encode()
	if err == nil {
		err = k.run(ctx)
	}
	if err != nil {
		path, _, _ := strings.Cut(r.Path, "?")
		return fmt.Errorf("%s %s: %w", r.Method, path, err)
	}
	return nil
}

// JSON returns an Into that reads exactly one JSON value into v, which is
// replaced only if the whole answer was read.
func JSON[T any](v *T) func(status int, body io.Reader) error {
	return func(_ int, body io.Reader) error {
		var fresh T
		decoder := json.NewDecoder(body)
		if err := decoder.Decode(&fresh); err != nil {
			return err
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return errors.New("more than one value")
		}
		*v = fresh
		return nil
	}
}

// After returns err with the least pause before the call is sent again. It is
// for the Transient faults of Classify and Into. A pause longer than MaxWait is
// not waited for: the error is returned.
func After(err error, pause time.Duration) error { return &pauseError{error: err, least: pause} }

type pauseError struct {
	error
	least time.Duration
}

func (e *pauseError) Unwrap() error { return e.error }

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	return clock.Sleep(ctx, d)
}

func (c *Client) jitter() float64 {
	if c.Jitter == nil {
		return rand.Float64() //nolint:gosec // spreads retries, guards nothing
	}
	return c.Jitter()
}

// or returns v, or def if v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
