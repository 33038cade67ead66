package gainsightsim

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// errDropped is the error of a connection that was dropped before an answer.
var errDropped = errors.New("connection reset by peer")

// Transport returns a RoundTripper that serves calls to any host here, without
// sockets: it works inside a synctest bubble. A dropped connection is an error,
// a truncated body ends in io.ErrUnexpectedEOF, and a call ends with its
// request's context, as it does over a network.
func (s *Sim) Transport() http.RoundTripper { return transport{s} }

type transport struct{ sim *Sim }

// RoundTrip serves the request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	req := r.Clone(ctx)
	req.RequestURI, req.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if req.Host == "" {
		req.Host = r.URL.Host
	}
	req.Body = http.NoBody
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rec := &recorder{header: http.Header{}}
	dropped := t.serve(rec, req)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if dropped && rec.status == 0 {
		return nil, errDropped
	}
	return rec.response(r, dropped), nil
}

// serve reports whether the connection was dropped.
func (t transport) serve(rec *recorder, r *http.Request) (dropped bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // the very value that net/http looks for
				panic(p)
			}
			dropped = true
		}
	}()
	t.sim.ServeHTTP(rec, r)
	return false
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request, dropped bool) *http.Response {
	length := int64(w.body.Len())
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	var body io.Reader = &w.body
	if dropped {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}
}

// broken is the end of a body whose connection was dropped.
type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
