package hubspotsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Fault spoils one call. The zero Fault spoils nothing.
type Fault struct {
	// Status answers the call without serving it, with Body and Header. The
	// body may be empty or HTML; without a Content-Type it is text/html.
	Status int
	Body   string
	Header http.Header
	Before bool // the connection breaks before the call is served
	After  bool // the call is served, then the connection breaks
	// Truncate 1 to 7 sends so many eighths of the body, then breaks the connection.
	Truncate int
	Delay    time.Duration // added to the latency
}

// SetFault sets the function that is asked at each call, counted from 1, which
// fault it meets; nil = none. It is called without locks, so it may edit a
// portal, and from several goroutines at once.
func (s *Sim) SetFault(decide func(r *http.Request, call int) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = decide
}

// TooMany returns the 429 answer of a policy: TEN_SECONDLY_ROLLING, SECONDLY
// or DAILY.
func TooMany(policy string) *Fault {
	return &Fault{
		Status: http.StatusTooManyRequests, Body: string(tooMany(policy, "00000000-0000-4000-8000-000000000429")),
		Header: http.Header{"Content-Type": {jsonType}},
	}
}

func (f *Fault) answer() answer {
	header := f.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "text/html; charset=utf-8")
	}
	return answer{status: f.Status, header: header, body: []byte(f.Body)}
}

// answer is what goes back for one call.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) write(w http.ResponseWriter, eighths int) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if eighths <= 0 || len(a.body) == 0 {
		_, _ = w.Write(a.body)
		return
	}
	_, _ = w.Write(a.body[:len(a.body)*min(eighths, 7)/8])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// recorder keeps what a handler answers.
type recorder struct {
	answer
	wrote bool
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, p...)
	return len(p), nil
}

// Transport serves calls in the caller's goroutine, without sockets. A broken
// connection is io.ErrUnexpectedEOF, as is the end of a truncated body.
func (s *Sim) Transport() http.RoundTripper { return transport{s} }

type transport struct{ sim *Sim }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // nothing is written to it
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &recorder{answer: answer{header: http.Header{}}}
	broken := t.serve(out, in)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if broken && !out.wrote {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, io.ErrUnexpectedEOF)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", out.status, http.StatusText(out.status)), StatusCode: out.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: out.header, Request: r,
		ContentLength: int64(length(out.header, len(out.body))),
		Body:          &body{ctx: ctx, from: bytes.NewReader(out.body), broken: broken},
	}, nil
}

// serve reports whether the handler broke the connection.
func (t transport) serve(w http.ResponseWriter, r *http.Request) (broken bool) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err, ok := thrown.(error)
			if !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(thrown)
			}
			broken = true
		}
	}()
	t.sim.ServeHTTP(w, r)
	return false
}

func length(header http.Header, written int) int {
	if n, err := strconv.Atoi(header.Get("Content-Length")); err == nil {
		return n
	}
	return written
}

// body is an answer's body that may end too early.
type body struct {
	ctx    context.Context
	from   *bytes.Reader
	broken bool
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if errors.Is(err, io.EOF) && b.broken {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer.
func (*body) Close() error { return nil }
