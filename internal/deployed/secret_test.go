package deployed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/fault"
)

const arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"

// entry is a Secrets Manager entry.
type entry struct {
	t     *testing.T
	value string
	err   error
	reads int
}

func (e *entry) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	e.reads++
	if *in.SecretId != arn {
		e.t.Errorf("asked for %s", *in.SecretId)
	}
	if e.err != nil {
		return nil, e.err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &e.value}, nil
}

func TestSecretsAreReadAtFirstUseAndKept(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	e := &entry{t: t, value: `{"a":"one","b":"two"}`}
	s := &deployed.Secrets{Read: e.GetSecretValue, ID: arn, Now: func() time.Time { return now }}
	steps := []struct {
		name  string
		after time.Duration
		fresh bool
		value string // "" = as it was
		want  string
		reads int
	}{
		{"first use", 0, false, "", "one", 1},
		{"again", 4 * time.Minute, false, `{"a":"new"}`, "one", 1},
		{"after five minutes", time.Minute, false, "", "new", 2},
		{"afresh at once", 0, true, `{"a":"newer"}`, "new", 2},
		{"afresh after ten seconds", 10 * time.Second, true, "", "newer", 3},
		{"afresh again at once", 0, true, "", "newer", 3},
	}
	for _, step := range steps {
		now = now.Add(step.after)
		if step.value != "" {
			e.value = step.value
		}
		got, err := s.Get(t.Context(), "a", step.fresh)
		if err != nil || got.Expose() != step.want || e.reads != step.reads {
			t.Errorf("%s: %q, %v after %d reads, want %q after %d", step.name, got.Expose(), err, e.reads, step.want, step.reads)
		}
	}
	if got, err := s.Get(t.Context(), "none", false); got != "" || err != nil || e.reads != 3 {
		t.Errorf("a field that is not there: %q, %v", got, err)
	}
}

func TestSecretsThatCannotBeReadAgainAreKept(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	e := &entry{t: t, value: `{"a":"one"}`}
	s := &deployed.Secrets{Read: e.GetSecretValue, ID: arn, Now: func() time.Time { return now }}
	if _, err := s.Get(t.Context(), "a", false); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	e.err = &smithy.GenericAPIError{Code: "ThrottlingException"}
	if got, err := s.Get(t.Context(), "a", false); got != "one" || err != nil {
		t.Errorf("throttled: %v, %v", got, err)
	}
	e.err = &smithy.GenericAPIError{Code: "AccessDeniedException"}
	if got, err := s.Get(t.Context(), "a", false); got != "" || !fault.Is(err, fault.Invalid) {
		t.Errorf("denied: %v, %v, want Invalid", got, err)
	}
}

func TestSecretsThatCannotBeReadSayWhy(t *testing.T) {
	tests := []struct {
		name, value string
		err         error
		kind        fault.Kind
		message     string
	}{
		{"denied", "", &smithy.GenericAPIError{Code: "AccessDeniedException"}, fault.Invalid, "the connector's secret"},
		{"deleted", "", &smithy.GenericAPIError{Code: "ResourceNotFoundException"}, fault.Invalid, "the connector's secret"},
		{"no network", "", context.DeadlineExceeded, fault.Transient, "Secrets Manager did not answer"},
		{"unknown", "", errors.New("odd"), fault.Internal, ""},
		{"no JSON", "canary", nil, fault.Invalid, "not a JSON object"},
		{"a list", `["canary"]`, nil, fault.Invalid, "not a JSON object"},
		{"a number", `{"a":123456}`, nil, fault.Invalid, "not a JSON object"},
		{"empty", "", nil, fault.Invalid, "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &deployed.Secrets{Read: (&entry{t: t, value: tt.value, err: tt.err}).GetSecretValue, ID: arn}
			got, err := s.Get(t.Context(), "a", false)
			if got != "" || !fault.Is(err, tt.kind) || !strings.Contains(fault.MessageOf(err), tt.message) {
				t.Errorf("%v, %v, want %s %q", got, err, tt.kind, tt.message)
			}
			if text := fmt.Sprint(err); strings.Contains(text, "canary") || strings.Contains(text, "123456") {
				t.Errorf("the error quotes the value: %s", text)
			}
		})
	}
}
