package slackhook_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/slackhook"
	"hubspotconnector/internal/secret"
)

func TestAMessageArrivesSigned(t *testing.T) {
	var body []byte
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
	}))
	defer s.Close()
	h := slackhook.Hook{URL: secret.Text(s.URL + "/services/x"), Secret: "key", Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	if err := h.Post(t.Context(), mail.Message{Subject: "Job: Failed", Body: "é"}); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Text != "Job: Failed\n\né" {
		t.Errorf("%s, %v", body, err)
	}
	// printf '1800000000.{"text":"Job: Failed\n\né"}' | openssl dgst -sha256 -hmac key
	want := "v1=0d7422ffa7183954d82fa97b21972764582f1627be03f2b906f6d39621db3d56"
	if got := header.Get("X-Connector-Signature"); got != want || header.Get("X-Connector-Timestamp") != "1800000000" {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestAWebhookThatFailsIsSaidWithoutItsURL(t *testing.T) {
	status := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == 302 {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusFound)
			return
		}
		w.WriteHeader(status)
	}))
	post := func() error {
		return slackhook.Hook{URL: secret.Text(s.URL + "/services/canary"), Secret: "key"}.Post(t.Context(), mail.Message{})
	}
	for code, kind := range map[int]fault.Kind{400: fault.Invalid, 404: fault.Invalid, 302: fault.Invalid, 429: fault.Transient, 503: fault.Transient} {
		status = code
		if err := post(); !fault.Is(err, kind) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: %v, want %s", code, err, kind)
		}
	}
	s.Close()
	if err := post(); !fault.Is(err, fault.Transient) || strings.Contains(err.Error(), "canary") {
		t.Errorf("gone: %v", err)
	}
	if err := (slackhook.Hook{URL: "http://canary\x7f"}).Post(t.Context(), mail.Message{}); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "canary") {
		t.Errorf("no URL: %v", err)
	}
}
