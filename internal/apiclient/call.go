package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
)

// The pause before try n+1 is a random part of firstPause·2ⁿ, at most longestPause.
const (
	firstPause   = time.Second
	longestPause = 20 * time.Second
)

// leastTry is the time that a repeated try must have before the caller's deadline.
// If it has less, the error is returned while there is time to deal with it.
const leastTry = 15 * time.Second

// refusedPause is the wait after a 429 that does not say when.
const refusedPause = time.Second

// call is one Do.
type call struct {
	client  *Client
	request Request
	body    []byte
	mime    string

	tries   int           // transient tries so far
	waited  time.Duration // for quota so far
	renewed bool
}

// outcome is what became of one try.
type outcome struct {
	req     *http.Request
	arrived bool // the vendor may have seen it
	final   bool // the error is not about the vendor's answer
	err     error
}

func (k *call) encode() error {
	switch {
	case k.request.JSON != nil:
		var buf bytes.Buffer
		encoder := json.NewEncoder(&buf)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(k.request.JSON); err != nil {
			return fmt.Errorf("encode body: %w", err)
		}
		k.body, k.mime = bytes.TrimSuffix(buf.Bytes(), []byte("\n")), "application/json"
	case k.request.Form != nil:
		k.body, k.mime = []byte(k.request.Form.Encode()), "application/x-www-form-urlencoded"
	}
	return nil
}

// run tries until the call succeeds or may not be tried again.
func (k *call) run(ctx context.Context) error {
	for {
		if err := k.take(ctx); err != nil {
			return err
		}
		o := k.try(ctx)
		if o.err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return k.stopped(ctx.Err())
		}
		if o.final {
			return o.err
		}
		if err := k.prepare(ctx, o); err != nil {
			return err
		}
	}
}

// prepare makes ready for the next try, or returns why there is none.
func (k *call) prepare(ctx context.Context, o outcome) error {
	switch fault.KindOf(o.err) {
	case fault.Reauthorize:
		if k.client.Auth == nil || k.request.NoAuth || k.renewed {
			return o.err
		}
		k.renewed = true
		return k.client.Auth.Renew(ctx, o.req)
	case fault.Throttled:
		if k.client.Refused != nil {
			k.client.Refused(ctx, k.client.Vendor)
		}
		until := fault.ResumeAt(o.err)
		if b := k.client.Budgets[k.request.Budget]; b != nil {
			if err := b.Lower(ctx, until); err != nil {
				return fmt.Errorf("lower budget %s: %w", k.request.Budget, err)
			}
		}
		return k.wait(ctx, o.err, refusedPause)
	case fault.Transient:
		if !k.request.Repeat && o.arrived {
			return o.err
		}
		return k.backOff(ctx, o.err)
	case fault.Internal, fault.Invalid, fault.NotFound, fault.Conflict, fault.Fenced:
	}
	return o.err
}

// take takes one call from the budget.
func (k *call) take(ctx context.Context) error {
	name := k.request.Budget
	if name == "" || k.client.Budgets == nil {
		return nil
	}
	b := k.client.Budgets[name]
	if b == nil {
		return fmt.Errorf("no budget is named %q", name)
	}
	for {
		err := b.Take(ctx)
		if !fault.Is(err, fault.Throttled) {
			return err
		}
		if err := k.wait(ctx, err, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// wait waits until a Throttled error says, at least for a moment, or returns the
// error if that is too long.
func (k *call) wait(ctx context.Context, throttled error, least time.Duration) error {
	d := least
	if at := fault.ResumeAt(throttled); !at.IsZero() {
		d = max(d, at.Sub(k.client.now()))
	}
	if k.waited += d; k.waited > or(k.client.MaxWait, 5*time.Second) {
		return throttled
	}
	return k.pause(ctx, d)
}

func (k *call) backOff(ctx context.Context, transient error) error {
	k.tries++
	if k.tries >= or(k.client.Tries, 4) {
		return transient
	}
	pause := min(firstPause<<(k.tries-1), longestPause)
	pause = time.Duration(k.client.jitter() * float64(pause))
	if p, ok := errors.AsType[*pauseError](transient); ok {
		if p.least > or(k.client.MaxWait, 5*time.Second) {
			return transient
		}
		pause += p.least
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause+leastTry {
		return transient
	}
	return k.pause(ctx, pause)
}

func (k *call) pause(ctx context.Context, d time.Duration) error {
	if err := k.client.sleep(ctx, d); err != nil {
		return k.stopped(err)
	}
	return nil
}

func (k *call) stopped(err error) error {
	return fault.Wrap(err, fault.Transient, "The call to %s was stopped.", k.client.Vendor)
}

// try sends the call once and reads the answer.
func (k *call) try(ctx context.Context) outcome {
	c := k.client
	limit := or(c.Timeout, time.Minute)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, k.request.Method, strings.TrimSuffix(c.Base, "/")+k.request.Path, bytes.NewReader(k.body))
	if err != nil {
		return outcome{final: true, err: fault.New(fault.Invalid, "The address of %s is not a valid URL. Check the setting.", c.Vendor)}
	}
	req.Header.Set("Accept", "application/json")
	if k.mime != "" {
		req.Header.Set("Content-Type", k.mime)
	}
	for name, values := range k.request.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.Auth != nil && !k.request.NoAuth {
		if err := c.Auth.Apply(ctx, req); err != nil {
			return outcome{final: true, err: fmt.Errorf("add credentials: %w", err)}
		}
	}
	if c.Counted != nil {
		c.Counted(ctx, c.Vendor)
	}
	resp, err := c.send(req)
	if err != nil {
		return outcome{req: req, arrived: !unsent(err), err: c.lost(err, limit)}
	}
	defer func() { _ = resp.Body.Close() }()
	return outcome{req: req, arrived: true, err: k.read(resp, limit)}
}

// send sends without following redirects, which would carry credentials away.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client.Do(req)
}
