package kmssealer_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret/kmssealer"
	"hubspotconnector/internal/secret/sealertest"
)

func newKey(t *testing.T, client *kms.Client) string {
	t.Helper()
	key, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return *key.KeyMetadata.KeyId
}

func TestSealer(t *testing.T) {
	client := kms.NewFromConfig(awstest.Config(t, awstest.Start(t)))
	key := newKey(t, client)
	s := kmssealer.New(client, key)
	sealertest.Run(t, s)

	t.Run("another key opens nothing", func(t *testing.T) {
		sealed, err := s.Seal(t.Context(), nil, []byte("canary"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kmssealer.New(client, newKey(t, client)).Open(t.Context(), nil, sealed); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v, want Invalid", err)
		}
	})
	t.Run("a disabled key says so, and opens when it is enabled", func(t *testing.T) {
		sealed, err := s.Seal(t.Context(), nil, []byte("canary"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &key}); err != nil {
			t.Fatal(err)
		}
		_, errSeal := s.Seal(t.Context(), nil, []byte("canary"))
		_, errOpen := s.Open(t.Context(), nil, sealed)
		for _, err := range []error{errSeal, errOpen} {
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), "Enable the key") {
				t.Errorf("%v, want Invalid and the way out", err)
			}
		}
		if _, err := client.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &key}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(t.Context(), nil, sealed); err != nil || string(got) != "canary" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// reply answers every call alike and notes the calls.
type reply struct {
	status int
	body   string
	calls  []string
}

func (r *reply) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	r.calls = append(r.calls, action+" "+string(body))
	return &http.Response{StatusCode: r.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(r.body)), Request: req}, nil
}

func open(r *reply) *kmssealer.Sealer {
	return kmssealer.New(kms.NewFromConfig(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: r},
	}), "key-1")
}

// wrapped and dataKey are the base64 forms of what a KMS answers.
const (
	wrapped = "d3JhcHBlZA=="
	dataKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

func TestEachUseOfTheKeyIsOneCallWithItsContext(t *testing.T) {
	r := &reply{status: 200, body: `{"CiphertextBlob":"` + wrapped + `","Plaintext":"` + dataKey + `","KeyId":"key-1"}`}
	s := open(r)
	about := map[string]string{"connection": "c1", "field": "token"}
	sealed, err := s.Seal(t.Context(), about, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(t.Context(), about, sealed); err != nil || string(got) != "canary" {
		t.Fatalf("%q, %v", got, err)
	}
	want := map[string]any{
		"GenerateDataKey": map[string]any{"KeyId": "key-1", "KeySpec": "AES_256", "EncryptionContext": map[string]any{"connection": "c1", "field": "token"}},
		"Decrypt":         map[string]any{"KeyId": "key-1", "CiphertextBlob": wrapped, "EncryptionContext": map[string]any{"connection": "c1", "field": "token"}},
	}
	got := map[string]any{}
	for _, call := range r.calls {
		action, body, _ := strings.Cut(call, " ")
		var in any
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Fatal(err)
		}
		got[action] = in
	}
	if diff := cmp.Diff(want, got); diff != "" || len(r.calls) != 2 {
		t.Errorf("%d calls %s", len(r.calls), diff)
	}
}

func TestErrorsOfKMSGetTheirKind(t *testing.T) {
	good := &reply{status: 200, body: `{"CiphertextBlob":"` + wrapped + `","Plaintext":"` + dataKey + `","KeyId":"key-1"}`}
	sealed, err := open(good).Seal(t.Context(), nil, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code   string
		status int
		want   fault.Kind
		says   string
	}{
		{"InvalidCiphertextException", 400, fault.Invalid, "enter the secret again"},
		{"IncorrectKeyException", 400, fault.Invalid, "the key that sealed it"},
		{"InvalidKeyUsageException", 400, fault.Invalid, "symmetric"},
		{"DisabledException", 400, fault.Invalid, "Enable the key"},
		{"KMSInvalidStateException", 400, fault.Invalid, "Enable the key"},
		{"AccessDeniedException", 400, fault.Invalid, "permission"}, // also a grant that was revoked
		{"NotFoundException", 400, fault.Invalid, "the key that seals secrets"},
		{"ThrottlingException", 400, fault.Throttled, ""},
		{"LimitExceededException", 400, fault.Throttled, ""},
		{"KeyUnavailableException", 500, fault.Transient, ""},
		{"DependencyTimeoutException", 503, fault.Transient, ""},
		{"KMSInternalException", 500, fault.Transient, ""},
		{"ExpiredTokenException", 400, fault.Transient, "credentials"},
	} {
		r := &reply{status: tt.status, body: `{"__type":"` + tt.code + `","message":"canary"}`}
		_, errSeal := open(r).Seal(t.Context(), nil, []byte("x"))
		_, errOpen := open(r).Open(t.Context(), nil, sealed)
		for _, err := range []error{errSeal, errOpen} {
			message := fault.MessageOf(err)
			if !fault.Is(err, tt.want) || !strings.Contains(message, tt.says) || strings.Contains(message, "canary") {
				t.Errorf("%s: %s %q, want %s with %q", tt.code, fault.KindOf(err), message, tt.want, tt.says)
			}
		}
	}
}
