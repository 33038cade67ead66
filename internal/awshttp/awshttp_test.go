package awshttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hubspotconnector/internal/awshttp"
)

type line func(*http.Request) (*http.Response, error)

func (l line) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }

// request is what the SDK sends.
func request(t *testing.T, url, text string) *http.Request {
	t.Helper()
	in, err := smithyhttp.NewStackRequest().(*smithyhttp.Request).SetStream(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	in.Method = http.MethodPost
	r := in.Build(t.Context())
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent.Body, sent.ContentLength = r.Body, int64(len(text))
	return sent
}

func TestABodyThatWasClosedJustEnds(t *testing.T) {
	look := func(r *http.Request) error { // as net/http looks for more of it
		if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}
	if look(request(t, "http://aws.example", "text")) == nil {
		t.Skip("the SDK's bodies just end by themselves: this package is not needed any more")
	}
	resp, err := awshttp.Transport{Base: line(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, look(r)
	})}.RoundTrip(request(t, "http://aws.example", "text"))
	if err != nil {
		t.Fatalf("the end of a closed body is an error: %v", err)
	}
	_ = resp.Body.Close()
}

func TestABodyArrivesAsItIs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %d %v", body, r.ContentLength, err)
	}))
	defer server.Close()
	bare, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]*http.Request{"text 4 <nil>": request(t, server.URL, "text"), " 0 <nil>": bare} {
		resp, err := awshttp.Transport{}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want {
			t.Errorf("%q arrived, %v; want %q", got, err, want)
		}
		_ = resp.Body.Close()
	}
}
