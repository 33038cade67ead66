package apiclient_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
)

func TestAProbeIsSentOnceAndItsAnswerReturnedWhateverItIs(t *testing.T) {
	for _, a := range []answer{{status: 200, body: `{"a":1}`}, {status: 401, body: "no"}, {status: 429}, {status: 503, body: "<html>"}, {status: 302}} {
		synctest.Test(t, func(t *testing.T) {
			c, v := connect(a)
			got, err := c.Probe(t.Context(), apiclient.Request{Method: http.MethodGet, Path: "/things", Repeat: true})
			if err != nil || got.Status != a.status || string(got.Body) != a.body || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d: %d %q, %v", a.status, got.Status, got.Body, err)
			}
			if len(v.at) != 1 {
				t.Errorf("%d: sent %d times", a.status, len(v.at))
			}
		})
	}
}

func TestAProbeWithoutAnAnswerIsTransient(t *testing.T) {
	for _, a := range []answer{{err: errors.New("reset")}, {status: 200, body: `{"a"`, cut: true}, {hang: true}} {
		synctest.Test(t, func(t *testing.T) {
			c, v := connect(a)
			got, err := c.Probe(t.Context(), apiclient.Request{Method: http.MethodGet, Path: "/things"})
			if !fault.Is(err, fault.Transient) || got.Status != 0 || len(v.at) != 1 {
				t.Errorf("%+v: %d, %v after %d calls", a, got.Status, err, len(v.at))
			}
		})
	}
}
