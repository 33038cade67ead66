package serve_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/serve"
)

func event(method, path, query string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, RawQueryString: query}
	e.RequestContext.HTTP.Method, e.RequestContext.DomainName = method, "api.example"
	return e
}

func TestHTTPGivesTheHandlerWhatWasSent(t *testing.T) {
	e := event("POST", "/a%20b", "x=1&x=2&y=%2F")
	e.Headers = map[string]string{"x-one": "1"}
	e.Cookies = []string{"a=1", "b=2"}
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte{0, 255, '!'}), true
	got, err := serve.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		second, errCookie := r.Cookie("b")
		if errCookie != nil || second.Value != "2" {
			t.Errorf("cookie b: %v, %v", second, errCookie)
		}
		seen := []any{r.Method, r.Host, r.URL.Path, r.URL.Query()["x"], r.URL.Query().Get("y"), r.Header.Get("X-One"), string(body)}
		want := []any{"POST", "api.example", "/a b", []string{"1", "2"}, "/", "1", "\x00\xff!"}
		if d := cmp.Diff(want, seen); d != "" {
			t.Errorf("request (-want +got):\n%s", d)
		}
		http.SetCookie(w, &http.Cookie{Name: "s", Value: "1"})
		w.Header().Set("X-Two", "2")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte{255, 1})
	}))(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	want := events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusTeapot, Headers: map[string]string{"X-Two": "2"}, Cookies: []string{"s=1"},
		Body: base64.StdEncoding.EncodeToString([]byte{255, 1}), IsBase64Encoded: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestHTTPRefusesABodyThatIsNotWhatItSays(t *testing.T) {
	e := event("POST", "/", "")
	e.Body, e.IsBase64Encoded = "%%%", true
	got, err := serve.HTTP(http.NotFoundHandler())(t.Context(), e)
	if err != nil || got.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, %v, want 400", got.StatusCode, err)
	}
}
