package hubspot_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// A secret that was rotated is taken up by the call that finds the old one
// refused; a refused token says nothing about the secret.
func TestARotatedSecretIsReadAfreshWhenTheOldOneIsRefused(t *testing.T) {
	tests := []struct {
		name    string
		fresh   secret.Text
		refusal string
		sent    []string
		asked   []bool
		kind    fault.Kind
	}{
		{"good", "", "", []string{"old"}, []bool{false}, ""},
		{"rotated", "new", "BAD_CLIENT_SECRET", []string{"old", "new"}, []bool{false, true}, ""},
		{"wrong", "old", "BAD_CLIENT_SECRET", []string{"old"}, []bool{false, true}, fault.Invalid},
		{"refused for another reason", "new", "BAD_REFRESH_TOKEN", []string{"old"}, []bool{false}, fault.Reauthorize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, p := connect(t, func(_ int, got call) (int, string, http.Header) {
				form, _ := url.ParseQuery(got.body)
				if tt.refusal != "" && form.Get("client_secret") == "old" {
					return 400, `{"status":"` + tt.refusal + `"}`, nil
				}
				return 200, granted, nil
			})
			var asked []bool
			c.Secret = func(_ context.Context, fresh bool) (secret.Text, error) {
				asked = append(asked, fresh)
				if fresh {
					return tt.fresh, nil
				}
				return "old", nil
			}
			_, err := c.Refresh(t.Context(), token.Token{Refresh: "r"})
			if (err != nil) != (tt.kind != "") || err != nil && !fault.Is(err, tt.kind) {
				t.Errorf("err = %v, want %q", err, tt.kind)
			}
			var sent []string
			for _, got := range p.calls {
				form, _ := url.ParseQuery(got.body)
				sent = append(sent, form.Get("client_secret"))
			}
			if d := cmp.Diff(tt.sent, sent); d != "" {
				t.Errorf("secrets that were sent (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.asked, asked); d != "" {
				t.Errorf("asked afresh (-want +got):\n%s", d)
			}
		})
	}
}
