package template_test

import (
	"regexp"
	"testing"
)

// What a person types wrong is refused before anything is made, with the
// sentence of the parameter.
func TestParametersTakeWhatFitsAndNothingElse(t *testing.T) {
	s := real(t)
	tests := []struct {
		parameter   string
		fits, wrong []string
	}{
		{"HubSpotClientId", []string{"1234abcd-12ab-34cd-56ef-1234567890ab"}, []string{"", "a b", " 1234abcd", "https://x"}},
		{"HubSpotClientSecret", []string{"1234abcd-12ab-34cd-56ef-1234567890ab"}, []string{"", "short", "has spaces in it", `quote"quote"`, `back\slash\`}},
		{"HubSpotAppId", []string{"", "1234567"}, []string{"0", "12a", "-1"}},
		{"WebhookWindow", []string{"5s", "60s", "2m"}, []string{"4s", "60", "", "1h"}},
		{"GainsightUrl", []string{"", "https://acme.gainsightcloud.com", "http://127.0.0.1:8080"}, []string{"acme.gainsightcloud.com", "https://acme.gainsightcloud.com/v1", "http://acme.gainsightcloud.com", "https://a?b"}},
		{"GainsightAccessKey", []string{"", "12345678"}, []string{"1234567", "1234 5678", `12345678"`}},
		{"GainsightClientSecret", []string{"", "12345678"}, []string{"1234567", `12345678\`}},
		{"AdminEmail", []string{"", "jane@example.com"}, []string{"jane", "a@b.com, c@d.com", "jane@example"}},
		{"OidcIssuer", []string{"", "https://acme.okta.com/oauth2/default", "http://localhost:9"}, []string{"acme.okta.com", "http://acme.okta.com", "https://a b"}},
		{"OidcClientSecret", []string{"", "12345678"}, []string{"1234 5678", `12345678\`, `"`}},
		{"OidcRoleClaim", []string{"roles", "cognito:groups"}, []string{"", "a b"}},
		{"AlarmEmail", []string{"", "jane@example.com"}, []string{"jane"}},
		{"MailFrom", []string{"jane@example.com"}, []string{"", "Jane <jane@example.com>"}},
		{"MailTo", []string{"", "a@b.com", "a@b.com,c@d.com"}, []string{"a@b.com, c@d.com", "a@b.com,", "a"}},
		{"PublicUrl", []string{"", "https://c.example.com"}, []string{"https://c.example.com/", "c.example.com"}},
		{"PermissionsBoundary", []string{"", "arn:aws:iam::123456789012:policy/boundary"}, []string{"boundary", "arn:aws:iam::123456789012:role/x"}},
		{"HubSpotApiVersion", []string{"2026-09", "v3"}, []string{"", "latest"}},
		{"HubSpotLimit", []string{"", "110/10s", "19/1m"}, []string{"110", "0/10s", "110/10", "110 / 10s"}},
		{"GainsightDayLimit", []string{"", "50000/24h"}, []string{"50000/1d"}},
		{"GainsightUserLimit", []string{"", "100/1h"}, []string{"100", "0/1h"}},
		{"GainsightUserDayLimit", []string{"", "1000/24h"}, []string{"1000/1d"}},
		{"BacklogSlice", []string{"1m", "90m", "360m", "1h", "6h"}, []string{"", "0m", "0h", "7h", "361m", "24h", "30s", "6"}},
	}
	for _, tt := range tests {
		pattern, _ := s.Parameters[tt.parameter]["AllowedPattern"].(string)
		whole, err := regexp.Compile("^(?:" + pattern + ")$") // CloudFormation matches the whole value
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.fits {
			if !whole.MatchString(v) {
				t.Errorf("%s refuses %q", tt.parameter, v)
			}
		}
		for _, v := range tt.wrong {
			if whole.MatchString(v) {
				t.Errorf("%s takes %q", tt.parameter, v)
			}
		}
	}
}
