package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"hubspotconnector/internal/connection"
)

func TestThePageThatHubSpotLeadsBackToSaysHowItEnded(t *testing.T) {
	w := newWorld(t)
	answer := func(q url.Values) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/callback?"+q.Encode(), nil)
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		return out.Code, out.Body.String()
	}
	if status, text := answer(url.Values{"code": {"c"}, "state": {"<b>forged"}}); status != http.StatusBadRequest || strings.Contains(text, "<b>") {
		t.Errorf("a forged state: %d %s", status, text)
	}
	if status, text := answer(url.Values{"code": {"c"}, "state": {w.begin(t)}}); status != http.StatusOK || !strings.Contains(text, "Connected") {
		t.Errorf("a good return: %d %s", status, text)
	}
	if got := w.status(t); got != connection.Active {
		t.Errorf("the connection is %q, want Active", got)
	}
}
