package serve_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/serve"
)

func event(method, path, query string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, RawQueryString: query}
	e.RequestContext.HTTP.Method, e.RequestContext.DomainName, e.RequestContext.Stage = method, "api.example", "$default"
	e.RequestContext.HTTP.SourceIP = "192.0.2.7"
	return e
}

// answer sends an event through a handler.
func answer(t *testing.T, e events.APIGatewayV2HTTPRequest, h http.HandlerFunc) events.APIGatewayV2HTTPResponse {
	t.Helper()
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := serve.HTTP(slog.New(slog.DiscardHandler), h)(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var got events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHTTPGivesTheHandlerWhatWasSent(t *testing.T) {
	e := event("POST", "/a%20b", "x=1&x=2&y=%2F")
	e.Headers = map[string]string{"x-one": "1", "accept": "text/html, text/plain", "host": "sync.example"}
	e.Cookies = []string{"a=1", "b=2"}
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte{0, 255, '!'}), true
	got := answer(t, e, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		second, errCookie := r.Cookie("b")
		if errCookie != nil || second.Value != "2" || len(r.Cookies()) != 2 {
			t.Errorf("cookies: %v, %v", r.Cookies(), errCookie)
		}
		seen := []any{
			r.Method, r.Host, r.Header.Get("Host"), r.URL.Path, r.RequestURI, r.URL.Query()["x"], r.URL.Query().Get("y"), r.Header.Get("X-One"),
			r.Header.Get("Accept"), string(body), r.ContentLength, r.RemoteAddr,
		}
		want := []any{
			"POST", "sync.example", "", "/a b", "/a%20b?x=1&x=2&y=%2F", []string{"1", "2"}, "/", "1", "text/html, text/plain", "\x00\xff!", int64(3), "192.0.2.7:0",
		}
		if d := cmp.Diff(want, seen); d != "" {
			t.Errorf("request (-want +got):\n%s", d)
		}
		http.SetCookie(w, &http.Cookie{Name: "s", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "t", Value: "2"})
		w.Header().Set("X-Two", "2")
		w.Header().Add("Vary", "Cookie")
		w.Header().Add("Vary", "Accept")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "1") // not sent any more
		_, _ = w.Write([]byte{255, 1})
	})
	want := events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusTeapot, Headers: map[string]string{"X-Two": "2", "Vary": "Cookie, Accept"}, Cookies: []string{"s=1", "t=2"},
		Body: base64.StdEncoding.EncodeToString([]byte{255, 1}), IsBase64Encoded: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestPathsArriveAsTheyWereAskedFor(t *testing.T) {
	tests := []struct{ raw, stage, path, uri string }{
		{"/", "$default", "/", "/"},
		{"", "$default", "/", "/"},
		{"/a%2Fb/c", "$default", "/a/b/c", "/a%2Fb/c"},
		{"/a b", "$default", "/a b", "/a%20b"},
		{"/100%", "$default", "/100%", "/100%25"},
		{"/ä", "$default", "/ä", "/%C3%A4"},
		{"//evil.example/x", "$default", "//evil.example/x", "//evil.example/x"},
		{"/prod/jobs", "prod", "/jobs", "/jobs"},
		{"/prod", "prod", "/", "/"},
		{"/production", "prod", "/production", "/production"},
		{"/jobs", "prod", "/jobs", "/jobs"},
	}
	for _, tt := range tests {
		t.Run(tt.raw, func(t *testing.T) {
			e := event("GET", tt.raw, "")
			e.RequestContext.Stage = tt.stage
			answer(t, e, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path != tt.path || r.RequestURI != tt.uri || r.URL.Host != "" {
					t.Errorf("path %q, URI %q, host %q, want %q, %q", r.URL.Path, r.RequestURI, r.URL.Host, tt.path, tt.uri)
				}
			})
		})
	}
}

func TestAnswersAreWhatTheHandlerWrote(t *testing.T) {
	text := map[string]string{"Content-Type": "text/plain; charset=utf-8"}
	tests := []struct {
		name, method string
		handler      http.HandlerFunc
		want         events.APIGatewayV2HTTPResponse
	}{
		{"nothing", "GET", func(http.ResponseWriter, *http.Request) {}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{}}},
		{
			"text", "GET",
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "grüß") },
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: text, Body: "grüß"},
		},
		{
			"HEAD", "HEAD",
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") },
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: text},
		},
		{
			"not modified", "GET",
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotModified)
				_, _ = io.WriteString(w, "body")
			},
			events.APIGatewayV2HTTPResponse{StatusCode: 304, Headers: map[string]string{}},
		},
		{
			"status twice", "GET",
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusCreated)
				w.WriteHeader(http.StatusAccepted)
			},
			events.APIGatewayV2HTTPResponse{StatusCode: 201, Headers: map[string]string{}},
		},
		{
			"panic", "GET",
			func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half")
				panic("canary")
			},
			events.APIGatewayV2HTTPResponse{
				StatusCode: 500, Headers: map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"},
				Body: "Something went wrong on our side. Try again.\n",
			},
		},
		{
			"too large", "GET",
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{255}, 5<<20)) }, // 6.7 MB in base64
			events.APIGatewayV2HTTPResponse{
				StatusCode: 500, Headers: map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"},
				Body: "The answer is larger than 6 MB. Ask for less at a time.\n",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, answer(t, event(tt.method, "/", ""), tt.handler)); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

func TestHTTPRefusesABodyThatIsNotWhatItSays(t *testing.T) {
	e := event("POST", "/", "")
	e.Body, e.IsBase64Encoded = "%%%", true
	got := answer(t, e, func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
	if got.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got.StatusCode)
	}
}

func TestHTTPRefusesEventsThatAreNoRequests(t *testing.T) {
	for _, payload := range []string{``, `null`, `{}`, `canary`, `{"version":"1.0","path":"/"}`, `{"version":"2.0"}`, `{"version":2}`, `[]`} {
		t.Run(payload, func(t *testing.T) {
			var log bytes.Buffer
			h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
			got, err := serve.HTTP(serve.NewLog(&log, slog.LevelInfo), h)(t.Context(), []byte(payload))
			name, cause := serve.Failure(err)
			if got != nil || name != string(fault.Invalid) || !strings.Contains(cause, "payload version 2.0") {
				t.Errorf("%s, %s %s", got, name, cause)
			}
			if len(lines(t, log.String())) != 1 || strings.Contains(log.String(), "canary") {
				t.Errorf("log %s", log.String())
			}
		})
	}
}
