package hubspotsim_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func TestWindowsRoll(t *testing.T) {
	contacts := "/crm/objects/" + v + "/contacts"
	for _, test := range []struct {
		name   string
		limit  int
		per    time.Duration
		call   func(w *world) response
		policy string
	}{
		{"objects", 110, 10 * time.Second, func(w *world) response { return w.get(contacts) }, "TEN_SECONDLY_ROLLING"},
		{"search", 5, time.Second, func(w *world) response { return w.post(contacts+"/search", "{}") }, "SECONDLY"},
		{"associations", 100, 10 * time.Second, func(w *world) response {
			return w.post("/crm/associations/"+v+"/0-1/0-2/batch/read", `{"inputs":[]}`)
		}, "TEN_SECONDLY_ROLLING"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, hubspotsim.Options{Now: time.Now})
				half := test.limit / 2
				for range half {
					test.call(w).wants(t, http.StatusOK)
				}
				time.Sleep(test.per / 2)
				for range test.limit - half {
					test.call(w).wants(t, http.StatusOK)
				}
				full := test.call(w)
				full.wants(t, http.StatusTooManyRequests, `"policyName":"`+test.policy+`"`, `"errorType":"RATE_LIMIT"`,
					`"message":"You have reached your `+strings.ToLower(test.policy)+` limit."`)
				if full.header.Get("Retry-After") != "" {
					t.Error("there is a Retry-After")
				}
				time.Sleep(test.per/2 - time.Millisecond)
				test.call(w).wants(t, http.StatusTooManyRequests)
				time.Sleep(time.Millisecond) // the first half leaves the window
				for range half {
					test.call(w).wants(t, http.StatusOK)
				}
				test.call(w).wants(t, http.StatusTooManyRequests)
				if got := w.sim.Throttled(); got != 3 {
					t.Errorf("%d calls throttled, want 3", got)
				}
			})
		})
	}
}

func TestBucketsAndPortalsAreIndependent(t *testing.T) {
	w := start(t, hubspotsim.Options{Limits: hubspotsim.Limits{Objects: hubspotsim.Limit{Calls: 1, Per: 10 * time.Second}}, RetryAfter: true})
	contacts := "/crm/objects/" + v + "/contacts"
	w.get(contacts).wants(t, http.StatusOK)
	w.passed = 2500 * time.Millisecond
	full := w.get(contacts)
	full.wants(t, http.StatusTooManyRequests)
	if got := full.header.Get("Retry-After"); got != "8" {
		t.Errorf("Retry-After %q, want 8", got)
	}
	w.get("/crm/owners/"+v).wants(t, http.StatusTooManyRequests)
	w.post(contacts+"/search", "{}").wants(t, http.StatusOK)
	other := w.sim.AddPortal(90211, "other.example")
	w.token, _ = other.Token(appID)
	w.get(contacts).wants(t, http.StatusOK)
}

func TestHeadersTellOfTheRollingWindowOnly(t *testing.T) {
	w := start(t, hubspotsim.Options{})
	contacts := "/crm/objects/" + v + "/contacts"
	w.get(contacts)
	h := w.get(contacts).header
	if h.Get("X-HubSpot-RateLimit-Max") != "110" || h.Get("X-HubSpot-RateLimit-Remaining") != "108" ||
		h.Get("X-HubSpot-RateLimit-Interval-Milliseconds") != "10000" || h.Get("X-HubSpot-Correlation-Id") == "" || h.Get("X-HubSpot-RateLimit-Daily") != "" {
		t.Errorf("headers %v", h)
	}
	if h := w.post(contacts+"/search", "{}").header; h.Get("X-HubSpot-RateLimit-Max") != "" {
		t.Errorf("search has headers: %v", h)
	}
}

func TestCallsAreCountedByClassAndLogged(t *testing.T) {
	w := start(t, free())
	w.get("/crm/objects/" + v + "/contacts?limit=3")
	w.post("/crm/objects/"+v+"/contacts/search", "{}")
	w.post("/crm/objects/"+v+"/contacts/batch/read", "{}")
	w.get("/nonsense")
	w.form("/oauth/v3/token", nil)
	got := w.sim.Calls()
	for _, class := range []string{"objects", "search", "batch", "other", "oauth"} {
		if got[class] != 1 || len(got) != 5 {
			t.Errorf("calls %v", got)
		}
	}
	if log := w.sim.Requests(); len(log) != 5 || log[0] != "GET /crm/objects/2026-09/contacts?limit=3" {
		t.Errorf("log %v", log)
	}
}
