package webhook_test

import (
	"net/http"
	"testing"
	"time"
)

// The vectors of HubSpot's documentation and of its clients.
const (
	docSecret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
	docURL    = "https://www.example.com/webhook_uri"
	docBody   = `{'example_field':'example_value'}`
	ownBody   = `[{"eventId":501,"subscriptionId":77,"portalId":90210,"appId":1234567,"occurredAt":1795392000123,"subscriptionType":"company.propertyChange","attemptNumber":0,"objectId":81001,"propertyName":"name","propertyValue":"Acme","changeSource":"CRM_UI","sourceId":"userId:42"}]`
	queryURL  = "https://example.com/api/hubspot/webhooks?src=hs%3Aapp%2Fv3&x=%28a%29"
)

func TestSignatures(t *testing.T) {
	tests := []struct {
		name, secret, url, body string
		at                      int64 // of the request, ms
		signature               string
		late                    time.Duration // now - at
		want                    int
	}{
		{"of HubSpot's guide", docSecret, docURL, docBody, 1693657560000, "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=", 0, 400},
		{"of HubSpot's guide, another time", docSecret, docURL, docBody, 1700000300000, "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=", 0, 400},
		{"address decoded", "autopilot-test-client-secret-0001", queryURL, "[]", 1790000004000, "G8ddQlikFQ0ScZOZn+MHQ0E3WCV7vOJTzKlvrkvbvuk=", 0, 200},
		{"address as it stands", "autopilot-test-client-secret-0001", queryURL, "[]", 1790000004000, "KKwrtu49d26FrUsDQdYcfAcwFssKn+cmyppOAUwOO/Q=", 0, 200},
		{"of an event", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 0, 200},
		{"5 minutes old", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 5 * time.Minute, 200},
		{"older than 5 minutes", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 5*time.Minute + time.Millisecond, 401},
		{"from more than 5 minutes ahead", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", -5*time.Minute - time.Millisecond, 401},
		{"another body", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody + " ", 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 0, 401},
		{"another address", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/event", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 0, 401},
		{"another secret", "sim-secret-0002", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY=", 0, 401},
		{"no base64", "sim-secret-0001", "https://hooks.example.test/v1/hubspot/events", ownBody, 1795392001000, "?", 0, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHook(t)
			h.URL, h.secret = tt.url, tt.secret
			h.at = time.UnixMilli(tt.at).Add(tt.late)
			if got := h.send(tt.body, http.Header{
				"X-Hubspot-Signature-V3": {tt.signature}, "X-Hubspot-Request-Timestamp": {ms(time.UnixMilli(tt.at))},
			}); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
		})
	}
}

func TestOlderSignaturesAreRefused(t *testing.T) {
	h := newHook(t)
	h.URL, h.secret, h.at = "https://hooks.example.test/v1/hubspot/events", "sim-secret-0001", time.UnixMilli(1795392001000)
	for name, header := range map[string]http.Header{
		"version 1": {"X-Hubspot-Signature": {"231810cce4a853cd24b3ca2b37a5fbf2f5d8e1b266c831098741a889fe49107b"}, "X-Hubspot-Signature-Version": {"v1"}},
		"version 1 with a time": {
			"X-Hubspot-Signature": {"231810cce4a853cd24b3ca2b37a5fbf2f5d8e1b266c831098741a889fe49107b"}, "X-Hubspot-Request-Timestamp": {"1795392001000"},
		},
		"no time":      {"X-Hubspot-Signature-V3": {"4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY="}},
		"no signature": {},
	} {
		if got := h.send(ownBody, header); got != 401 {
			t.Errorf("%s: answered %d, want 401", name, got)
		}
	}
}
