package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"hubspotconnector/internal/fault"
)

// mostAnswer is the largest answer of a function (Lambda quotas, November 2026),
// less some room.
const mostAnswer = 6<<20 - 4<<10

// HTTP turns a handler into one for API Gateway's HTTP API, whose payload has
// version 2.0. Path, query, body, cookies and headers arrive as they were sent
// (repeated headers as one, with commas); a body that is no text goes back in
// base64. Wrong requests are answered with 400, a handler that panics with 500,
// and an answer of more than 6 MB with 500 too. Any other event is
// fault.Invalid.
func HTTP(log *slog.Logger, h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &e); err != nil || e.Version != "2.0" || e.RequestContext.HTTP.Method == "" {
			err := fault.New(fault.Invalid, "The event is no request of API Gateway with payload version 2.0. Call the function through its URL.")
			log.ErrorContext(ctx, "request failed", "kind", fault.KindOf(err), "err", err)
			return nil, messages.InvokeResponse_Error{Type: string(fault.KindOf(err)), Message: fault.MessageOf(err)}
		}
		w := &answer{header: http.Header{}}
		r, err := request(ctx, e)
		if err != nil {
			http.Error(w, "The body of the request is not what it says.", http.StatusBadRequest)
			return w.event(r)
		}
		if !serveOne(ctx, log, h, w, r) {
			w = &answer{header: http.Header{}}
			http.Error(w, "Something went wrong on our side. Try again.", http.StatusInternalServerError)
		}
		out, err := w.event(r)
		if len(out) > mostAnswer {
			log.ErrorContext(ctx, "answer too large", "path", r.URL.Path, "bytes", w.body.Len())
			w = &answer{header: http.Header{}}
			http.Error(w, "The answer is larger than 6 MB. Ask for less at a time.", http.StatusInternalServerError)
			return w.event(r)
		}
		return out, err
	}
}

// serveOne reports whether the handler came to its end.
func serveOne(ctx context.Context, log *slog.Logger, h http.Handler, w http.ResponseWriter, r *http.Request) (ended bool) {
	defer func() {
		if p := recover(); p != nil {
			log.ErrorContext(ctx, "request panicked", "path", r.URL.Path, "panic", panicText(p), "stack", stack())
		}
	}()
	h.ServeHTTP(w, r)
	return true
}

func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	raw, err := []byte(e.Body), error(nil)
	if e.IsBase64Encoded {
		raw, err = base64.StdEncoding.DecodeString(e.Body)
	}
	u := address(e)
	r := (&http.Request{
		Method: e.RequestContext.HTTP.Method, URL: u, RequestURI: u.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(raw)),
		Host: e.RequestContext.DomainName, RemoteAddr: net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0"),
	}).WithContext(ctx)
	if len(raw) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(raw))
	}
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Del("Host") // as net/http does
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return r, err
}

// address is the URL that was asked for, without the stage that API Gateway puts
// before the path. A path that is no valid escaping is taken as it is.
func address(e events.APIGatewayV2HTTPRequest) *url.URL {
	path := e.RawPath
	if stage := "/" + e.RequestContext.Stage; stage != "/" && stage != "/$default" && (path == stage || strings.HasPrefix(path, stage+"/")) {
		path = strings.TrimPrefix(path, stage)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := &url.URL{Path: path, RawQuery: e.RawQueryString}
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = plain, path
	}
	return u
}

// answer gathers what a handler writes.
type answer struct {
	header http.Header
	status int         // 0 = nothing is written yet
	sent   http.Header // as it was when the status was written
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // others only announce one
		a.status, a.sent = status, a.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		if _, set := a.header["Content-Type"]; !set {
			a.header.Set("Content-Type", http.DetectContentType(p))
		}
		a.WriteHeader(http.StatusOK)
	}
	return a.body.Write(p)
}

// event is the answer as API Gateway takes it: cookies apart, repeated headers
// with commas, and no body where HTTP has none.
func (a *answer) event(r *http.Request) ([]byte, error) {
	a.WriteHeader(http.StatusOK)
	out := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}, Cookies: a.sent.Values("Set-Cookie")}
	for name, values := range a.sent {
		if name != "Set-Cookie" {
			out.Headers[name] = strings.Join(values, ", ")
		}
	}
	switch {
	case r.Method == http.MethodHead, a.status == http.StatusNoContent, a.status == http.StatusNotModified:
	case utf8.Valid(a.body.Bytes()):
		out.Body = a.body.String()
	default:
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(a.body.Bytes()), true
	}
	return json.Marshal(out)
}
