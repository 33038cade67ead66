package awsfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
)

type answer func(*http.Request) (*http.Response, error)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// call makes a real call whose answer is given.
func call(t *testing.T, keys aws.CredentialsProvider, a answer) error {
	t.Helper()
	client := kms.NewFromConfig(aws.Config{Region: "us-east-1", Credentials: keys, RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: a}})
	_, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("canary-key")})
	return awsfault.Wrap(err, "KMS", "the key")
}

func TestWrapGivesEachAnswerItsKindAndTheWayOut(t *testing.T) {
	tests := []struct {
		code   string
		status int
		kind   fault.Kind
		says   string
	}{
		{"ThrottlingException", 400, fault.Throttled, "tried again"},
		{"ProvisionedThroughputExceededException", 400, fault.Throttled, "tried again"},
		{"RequestTimeTooSkewed", 403, fault.Transient, "clock"},
		{"InvalidSignatureException", 400, fault.Transient, "clock"},
		{"ExpiredTokenException", 400, fault.Transient, "credentials"},
		{"UnrecognizedClientException", 400, fault.Transient, "credentials"},
		{"KMSAccessDeniedException", 400, fault.Invalid, "KMS key"},
		{"DisabledException", 400, fault.Invalid, "Enable the key"},
		{"AccessDeniedException", 400, fault.Invalid, "permission"},
		{"ResourceNotFoundException", 400, fault.Invalid, "region"},
		{"PermanentRedirect", 301, fault.Invalid, "another region"},
		{"InternalFailure", 500, fault.Transient, "tried again"},
		{"SomethingNew", 503, fault.Transient, "tried again"},
		{"ValidationException", 400, fault.Internal, "on our side"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			err := call(t, credentials.NewStaticCredentialsProvider("k", "canary-secret", ""), func(r *http.Request) (*http.Response, error) {
				body := fmt.Sprintf(`{"__type":"com.amazonaws.kms#%s","message":"canary-detail"}`, tt.code)
				return &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})
			message := fault.MessageOf(err)
			if fault.KindOf(err) != tt.kind || !strings.Contains(message, tt.says) || strings.Contains(message, "canary") {
				t.Errorf("%s: %q, want %s with %q", fault.KindOf(err), message, tt.kind, tt.says)
			}
		})
	}
}

func TestWrapTellsWhyThereWasNoAnswer(t *testing.T) {
	static := credentials.NewStaticCredentialsProvider("k", "s", "")
	tests := []struct {
		name string
		keys aws.CredentialsProvider
		fail error
		says string
	}{
		{"no network", static, errors.New("dial canary-host"), "cannot be reached"},
		{"out of time", static, context.DeadlineExceeded, "in time"},
		{"no credentials", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") }), nil, "no AWS credentials"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := call(t, tt.keys, func(*http.Request) (*http.Response, error) { return nil, tt.fail })
			if message := fault.MessageOf(err); !fault.Is(err, fault.Transient) || !strings.Contains(message, tt.says) || strings.Contains(message, "canary") {
				t.Errorf("%s: %q, want Transient with %q", fault.KindOf(err), message, tt.says)
			}
		})
	}
}

func TestWrapLeavesWhatIsAFaultAlready(t *testing.T) {
	known := fault.New(fault.Conflict, "It was changed meanwhile.")
	if got := awsfault.Wrap(known, "KMS", "the key"); !errors.Is(got, known) || fault.MessageOf(got) != "It was changed meanwhile." {
		t.Errorf("got %v", got)
	}
	if got := awsfault.Wrap(nil, "KMS", "the key"); got != nil {
		t.Errorf("nil became %v", got)
	}
}
