package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
)

const canary = "canary-secret-1f2e"

// answer is what the vendor does with a call.
type answer struct {
	status int
	body   string
	cut    bool  // the connection breaks after body
	err    error // there is no answer
	hang   bool  // nothing happens until the caller gives up
}

// vendor answers calls in their order, the last answer again and again, and
// notes when each arrived.
type vendor struct {
	mu      sync.Mutex
	answers []answer
	start   time.Time
	at      []time.Duration
	bodies  []string
	headers []http.Header
}

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = append(v.at, time.Since(v.start))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	v.bodies, v.headers = append(v.bodies, string(body)), append(v.headers, r.Header.Clone())
	a := v.answers[min(len(v.at), len(v.answers))-1]
	if a.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	var content io.Reader = strings.NewReader(a.body)
	if a.cut {
		content = io.MultiReader(content, broken{})
	}
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}, "Location": {"https://elsewhere.example/"}},
		Body: io.NopCloser(content), Request: r,
	}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// classify has one status for each kind of fault; 503 asks for a pause of 3 s.
func classify(status int, _ http.Header, _ []byte) error {
	switch status {
	case 401:
		return fault.New(fault.Reauthorize, "Authorize again.")
	case 429:
		return fault.Until(time.Now().Add(3*time.Second), "Too fast.")
	case 430:
		return fault.Until(time.Now().Add(time.Minute), "Much too fast.")
	case 503:
		return apiclient.After(fault.New(fault.Transient, "Busy."), 3*time.Second)
	case 504:
		return apiclient.After(fault.New(fault.Transient, "Busy."), time.Hour)
	}
	if status >= 500 {
		return fault.New(fault.Transient, "Down.")
	}
	return fault.New(fault.Invalid, "Refused.")
}

func connect(answers ...answer) (*apiclient.Client, *vendor) {
	v := &vendor{answers: answers, start: time.Now()}
	return &apiclient.Client{
		HTTP: &http.Client{Transport: v}, Base: "https://api.vendor.example", Vendor: "Vendor",
		Classify: classify, Jitter: func() float64 { return 0.5 },
	}, v
}

func read() apiclient.Request {
	return apiclient.Request{Method: http.MethodGet, Path: "/things?secret=" + canary, Repeat: true}
}

func write() apiclient.Request {
	return apiclient.Request{Method: http.MethodPost, Path: "/things", JSON: map[string]string{"name": "a<b"}}
}

func TestCallsAreRepeatedWhereThatIsSafe(t *testing.T) {
	var (
		ok    = answer{status: 200, body: `{}`}
		lost  = answer{err: errors.New("reset while sending " + canary)}
		dial  = answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}}
		cut   = answer{status: 200, body: `{"results":[`, cut: true}
		empty = answer{status: 200}
	)
	into := func(_ int, body io.Reader) error {
		var v map[string]any
		return apiclient.JSON(&v)(200, body)
	}
	seconds := func(s ...float64) []time.Duration {
		all := make([]time.Duration, len(s))
		for i := range s {
			all[i] = time.Duration(s[i] * float64(time.Second))
		}
		return all
	}
	tests := []struct {
		name    string
		request apiclient.Request
		answers []answer
		want    fault.Kind // "" = success
		message string
		at      []time.Duration // when each try arrived
	}{
		{name: "a success needs one call", request: read(), answers: []answer{ok}, at: seconds(0)},
		{name: "a read survives 5xx with growing pauses", request: read(), answers: []answer{{status: 500}, {status: 502}, {status: 500}, ok}, at: seconds(0, .5, 1.5, 3.5)},
		{name: "a read gives up after four tries", request: read(), answers: []answer{{status: 500}}, want: fault.Transient, message: "Down.", at: seconds(0, .5, 1.5, 3.5)},
		{name: "the least pause comes on top", request: read(), answers: []answer{{status: 503}, ok}, at: seconds(0, 3.5)},
		{name: "a pause of an hour is not waited for", request: read(), answers: []answer{{status: 504}}, want: fault.Transient, message: "Busy.", at: seconds(0)},
		{name: "a write is not repeated after a 5xx", request: write(), answers: []answer{{status: 500}}, want: fault.Transient, message: "Down.", at: seconds(0)},
		{name: "a write is not repeated after a lost answer", request: write(), answers: []answer{lost}, want: fault.Transient, message: "The connection to Vendor broke before its answer was complete.", at: seconds(0)},
		{name: "a write is not repeated after half an answer", request: write(), answers: []answer{cut}, want: fault.Transient, message: "The connection to Vendor broke before its answer was complete.", at: seconds(0)},
		{name: "a write that never left is repeated", request: write(), answers: []answer{dial, ok}, at: seconds(0, .5)},
		{name: "a host that cannot be reached is named", request: read(), answers: []answer{dial}, want: fault.Transient, message: "Vendor cannot be reached at api.vendor.example. Check the network and the address.", at: seconds(0, .5, 1.5, 3.5)},
		{name: "a read survives a lost answer", request: read(), answers: []answer{lost, ok}, at: seconds(0, .5)},
		{name: "a read survives half an answer", request: read(), answers: []answer{cut, ok}, at: seconds(0, .5)},
		{name: "an empty answer is no success", request: read(), answers: []answer{empty, ok}, at: seconds(0, .5)},
		{name: "a web page is no success", request: read(), answers: []answer{{status: 200, body: "<html>" + canary}}, want: fault.Transient, message: "Vendor sent an answer that is cut off or not what it should be.", at: seconds(0, .5, 1.5, 3.5)},
		{name: "two values are no answer", request: read(), answers: []answer{{status: 200, body: `{}{}`}, ok}, at: seconds(0, .5)},
		{name: "a silent vendor is given up after a minute", request: write(), answers: []answer{{hang: true}}, want: fault.Transient, message: "Vendor did not answer within 1m0s.", at: seconds(0)},
		{name: "a throttled write is sent again", request: write(), answers: []answer{{status: 429}, ok}, at: seconds(0, 3)},
		{name: "waiting for quota ends after 5 seconds in all", request: read(), answers: []answer{{status: 429}}, want: fault.Throttled, message: "Too fast.", at: seconds(0, 3)},
		{name: "a long wait is the caller's", request: read(), answers: []answer{{status: 430}}, want: fault.Throttled, message: "Much too fast.", at: seconds(0)},
		{name: "a refusal is final", request: read(), answers: []answer{{status: 400, body: canary}}, want: fault.Invalid, message: "Refused.", at: seconds(0)},
		{name: "a redirect is not followed", request: read(), answers: []answer{{status: 302}}, want: fault.Invalid, message: "Refused.", at: seconds(0)},
		{name: "without credentials a 401 is final", request: read(), answers: []answer{{status: 401}}, want: fault.Reauthorize, message: "Authorize again.", at: seconds(0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, v := connect(test.answers...)
				test.request.Into = into
				err := c.Do(t.Context(), test.request)
				checkFault(t, err, test.want, test.message)
				if diff := cmp.Diff(test.at, v.at); diff != "" {
					t.Errorf("tries: %s", diff)
				}
			})
		})
	}
}

func checkFault(t *testing.T, err error, kind fault.Kind, message string) {
	t.Helper()
	if err == nil {
		if kind != "" {
			t.Errorf("success, want %s", kind)
		}
		return
	}
	if kind == "" || fault.KindOf(err) != kind || fault.MessageOf(err) != message {
		t.Errorf("%s %q, want %s %q", fault.KindOf(err), fault.MessageOf(err), kind, message)
	}
	if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, canary) {
		t.Errorf("the error quotes what it must not: %s", text)
	}
}

func TestABodyCutAnywhereIsNeverASuccess(t *testing.T) {
	const whole = `{"results":[{"id":"1","name":"Ann"},{"id":"2","name":"Ben"}],"total":2}`
	for eighth := range 8 {
		t.Run(fmt.Sprintf("%d/8", eighth), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := answer{status: 200, body: whole[:len(whole)*eighth/8]}
				c, v := connect(cut, answer{status: 200, body: whole})
				got := map[string]any{"old": true}
				r := read()
				r.Into = apiclient.JSON(&got)
				if err := c.Do(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if len(v.at) != 2 || len(got["results"].([]any)) != 2 || got["old"] != nil {
					t.Errorf("%d calls, result %v", len(v.at), got)
				}
			})
		})
	}
}

func TestAFaultOfIntoCountsLikeAStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := connect(answer{status: 200, body: `{"result":false}`})
		r := read()
		r.Into = func(int, io.Reader) error { return fault.New(fault.Invalid, "No such field.") }
		checkFault(t, c.Do(t.Context(), r), fault.Invalid, "No such field.")
		if len(v.at) != 1 {
			t.Errorf("%d calls, want 1", len(v.at))
		}
	})
}

func TestATooLargeAnswerIsRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes int
		want  fault.Kind
	}{{"as large as allowed", 1000, ""}, {"one byte more", 1001, fault.Invalid}} {
		t.Run(test.name, func(t *testing.T) {
			c, v := connect(answer{status: 200, body: `"` + strings.Repeat("x", test.bytes-2) + `"`})
			c.MaxBytes = 1000
			var text string
			r := read()
			r.Into = apiclient.JSON(&text)
			err := c.Do(t.Context(), r)
			if got := fault.KindOf(err); err != nil && got != test.want || (err == nil) != (test.want == "") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if len(v.at) != 1 {
				t.Errorf("%d calls, want 1", len(v.at))
			}
		})
	}
}

// keys is an Auth with numbered keys.
type keys struct {
	n      int
	failed error
}

func (k *keys) Apply(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", fmt.Sprintf("%s-%d", canary, k.n))
	return nil
}

func (k *keys) Renew(_ context.Context, refused *http.Request) error {
	if want := fmt.Sprintf("%s-%d", canary, k.n); refused.Header.Get("Authorization") != want {
		return errors.New("another key was refused")
	}
	k.n++
	return k.failed
}

func TestARefusedKeyIsRenewedOnce(t *testing.T) {
	tests := []struct {
		name    string
		request apiclient.Request
		answers []answer
		failed  error
		want    fault.Kind
		keys    []string
	}{
		{"a write goes on with the new key", write(), []answer{{status: 401}, {status: 200, body: "{}"}}, nil, "", []string{"0", "1"}},
		{"a second refusal is final", read(), []answer{{status: 401}}, nil, fault.Reauthorize, []string{"0", "1"}},
		{"a failed renewal is final", read(), []answer{{status: 401}}, fault.New(fault.Throttled, "Later."), fault.Throttled, []string{"0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, v := connect(test.answers...)
			c.Auth = &keys{failed: test.failed}
			err := c.Do(t.Context(), test.request)
			if (err == nil) != (test.want == "") || err != nil && fault.KindOf(err) != test.want {
				t.Errorf("error %v, want %q", err, test.want)
			}
			var used []string
			for _, h := range v.headers {
				used = append(used, strings.TrimPrefix(h.Get("Authorization"), canary+"-"))
			}
			if diff := cmp.Diff(test.keys, used); diff != "" {
				t.Error(diff)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}

func TestBodiesAreSentWholeInEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := connect(answer{status: 429}, answer{status: 200, body: "{}"})
		counted := 0
		c.Counted = func(_ context.Context, vendor string) {
			if vendor == "Vendor" {
				counted++
			}
		}
		if err := c.Do(t.Context(), write()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{`{"name":"a<b"}`, `{"name":"a<b"}`}, v.bodies); diff != "" {
			t.Error(diff)
		}
		if counted != 2 {
			t.Errorf("%d calls counted, want 2", counted)
		}
	})
}

func TestAFormIsSentInTheBody(t *testing.T) {
	c, v := connect(answer{status: 200, body: "{}"})
	r := apiclient.Request{Method: http.MethodPost, Path: "/token", Form: url.Values{"code": {"a b"}}, Header: http.Header{"x-trace": {"1"}}}
	if err := c.Do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if v.bodies[0] != "code=a+b" || v.headers[0].Get("Content-Type") != "application/x-www-form-urlencoded" || v.headers[0].Get("X-Trace") != "1" {
		t.Errorf("body %q, headers %v", v.bodies[0], v.headers[0])
	}
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, a := range []answer{{hang: true}, {status: 503}} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			c, v := connect(a)
			err := c.Do(ctx, read())
			checkFault(t, err, fault.Transient, "The call to Vendor was stopped.")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v does not say why", err)
			}
			if took := time.Since(v.start); took != time.Second || len(v.at) != 1 {
				t.Errorf("%d calls in %s", len(v.at), took)
			}
		}
	})
}

// What cannot be tried again in time is told while the caller has time to deal
// with it.
func TestNoTryIsBegunShortlyBeforeTheDeadline(t *testing.T) {
	for _, tt := range []struct {
		left  time.Duration
		calls int
	}{{time.Minute, 4}, {17 * time.Second, 3}, {15 * time.Second, 1}} {
		synctest.Test(t, func(t *testing.T) {
			c, v := connect(answer{status: 500})
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			defer cancel()
			err := c.Do(ctx, read())
			if !fault.Is(err, fault.Transient) || fault.MessageOf(err) != "Down." || len(v.at) != tt.calls || ctx.Err() != nil {
				t.Errorf("%s before the deadline: %v after %d calls, want %d", tt.left, err, len(v.at), tt.calls)
			}
		})
	}
}
