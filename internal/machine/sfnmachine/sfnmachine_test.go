package sfnmachine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/machinetest"
	"hubspotconnector/internal/machine/sfnmachine"
)

const alias = "arn:aws:states:eu-central-1:123456789012:stateMachine:acme-chain:live"

func TestMachines(t *testing.T) {
	client := sfn.NewFromConfig(awstest.Config(t, awstest.Start(t)))
	created, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("chain"), Definition: aws.String(machinetest.Definition), Publish: true,
		RoleArn: aws.String("arn:aws:iam::000000000000:role/machine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	live, err := client.CreateStateMachineAlias(t.Context(), &sfn.CreateStateMachineAliasInput{
		Name:                 aws.String("live"),
		RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: created.StateMachineVersionArn, Weight: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := sfnmachine.New(client, *live.StateMachineAliasArn)
	if err != nil {
		t.Fatal(err)
	}
	machinetest.Run(t, m)
}

// answers replies to calls in turn and notes them: "StartExecution {…}".
type answers struct {
	replies []string // status and body, with a blank between
	calls   []string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	a.calls = append(a.calls, action+" "+string(body))
	status, reply := 500, ""
	if len(a.replies) > 0 {
		_, _ = fmt.Sscan(a.replies[0], &status)
		_, reply, _ = strings.Cut(a.replies[0], " ")
		a.replies = a.replies[1:]
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(reply)), Request: r}, nil
}

func open(t *testing.T, arn string, replies ...string) (*sfnmachine.Machines, *answers) {
	t.Helper()
	a := &answers{replies: replies}
	m, err := sfnmachine.New(sfn.NewFromConfig(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: a},
	}), arn)
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

func refusal(code string) string { return `400 {"__type":"` + code + `","message":"canary"}` }

func TestExecutionsAreStartedThroughTheAliasAndFoundWithoutIt(t *testing.T) {
	machineARN := strings.TrimSuffix(alias, ":live")
	for _, arn := range []string{machineARN, alias, machineARN + ":12"} {
		m, a := open(t, arn, `200 {"executionArn":"x","startDate":1}`, `200 {"stopDate":1}`)
		if err := m.Start(t.Context(), "e", []byte(`{"chain": "c"}`)); err != nil {
			t.Fatal(err)
		}
		if err := m.Stop(t.Context(), "e", "enough"); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`StartExecution {"input":"{\"chain\":\"c\"}","name":"e","stateMachineArn":"` + arn + `"}`,
			`StopExecution {"cause":"enough","executionArn":"arn:aws:states:eu-central-1:123456789012:execution:acme-chain:e"}`,
		}
		if diff := cmp.Diff(want, a.calls); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatIsNoMachineIsRefused(t *testing.T) {
	for _, arn := range []string{
		"", "chain", "arn:aws:states:eu-central-1:1:execution:a:b", "arn:aws:sns:eu-central-1:1:stateMachine:x",
		"arn:aws:states:eu-central-1:1:stateMachine:", alias + ":more",
	} {
		if _, err := sfnmachine.New(nil, arn); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want Invalid", arn, err)
		}
	}
}

func TestErrorsOfStepFunctionsGetTheirKind(t *testing.T) {
	start := func(ctx context.Context, m *sfnmachine.Machines) error { return m.Start(ctx, "e", []byte(`{}`)) }
	stop := func(ctx context.Context, m *sfnmachine.Machines) error { return m.Stop(ctx, "e", "c") }
	describe := func(ctx context.Context, m *sfnmachine.Machines) error { _, err := m.Describe(ctx, "e"); return err }
	described := func(status, input string) string {
		return fmt.Sprintf(`200 {"executionArn":"x","stateMachineArn":"y","name":"e","status":%q,"startDate":1,"input":%q}`, status, input)
	}
	tests := []struct {
		name    string
		do      func(context.Context, *sfnmachine.Machines) error
		replies []string
		want    fault.Kind // "" = no error
		says    string
	}{
		{"the name runs with the same input", start, []string{refusal("ExecutionAlreadyExists"), described("RUNNING", ` { } `)}, "", ""},
		{"the name runs with another input", start, []string{refusal("ExecutionAlreadyExists"), described("RUNNING", `{"a":1}`)}, fault.Conflict, "before"},
		{"the name has ended", start, []string{refusal("ExecutionAlreadyExists"), described("SUCCEEDED", `{}`)}, fault.Conflict, "before"},
		{"the name exists and cannot be described", start, []string{refusal("ExecutionAlreadyExists"), refusal("ThrottlingException")}, fault.Throttled, ""},
		{"a name that Step Functions refuses", start, []string{refusal("InvalidName")}, fault.Invalid, "80 characters"},
		{"an input that Step Functions refuses", start, []string{refusal("InvalidExecutionInput")}, fault.Invalid, "input"},
		{"too many executions", start, []string{refusal("ExecutionLimitExceeded")}, fault.Throttled, "as many executions"},
		{"no such machine", start, []string{refusal("StateMachineDoesNotExist")}, fault.Invalid, "the chain machine"},
		{"a machine that is being deleted", start, []string{refusal("StateMachineDeleting")}, fault.Invalid, "the chain machine"},
		{"not the ARN of this region", start, []string{refusal("InvalidArn")}, fault.Invalid, alias},
		{"throttled", start, []string{refusal("ThrottlingException")}, fault.Throttled, ""},
		{"no permission", start, []string{refusal("AccessDeniedException")}, fault.Invalid, "permission"},
		{"credentials that have expired", start, []string{refusal("ExpiredTokenException")}, fault.Transient, "credentials"},
		{"a key that is disabled", start, []string{refusal("KmsInvalidStateException")}, fault.Invalid, "KMS key"},
		{"a key that may not be used", describe, []string{refusal("KmsAccessDeniedException")}, fault.Invalid, "KMS key"},
		{"a key that is used too much", describe, []string{refusal("KmsThrottlingException")}, fault.Throttled, ""},
		{"the service is down", describe, []string{"503 <html>"}, fault.Transient, ""},
		{"never started", describe, []string{refusal("ExecutionDoesNotExist")}, fault.NotFound, "named e"},
		{"never started, to stop", stop, []string{refusal("ExecutionDoesNotExist")}, fault.NotFound, "named e"},
		{"stop of one that has ended", stop, []string{refusal("ValidationException"), described("FAILED", `{}`)}, "", ""},
		{"stop that is refused while it runs", stop, []string{refusal("ValidationException"), described("RUNNING", `{}`)}, fault.Internal, ""},
		{"a status that is not known", describe, []string{described("PONDERING", `{}`)}, fault.Internal, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, a := open(t, alias, tt.replies...)
			err := tt.do(t.Context(), m)
			if tt.want == "" && err != nil || tt.want != "" && !fault.Is(err, tt.want) {
				t.Fatalf("%v (%s), want %q", err, fault.KindOf(err), tt.want)
			}
			if message := fault.MessageOf(err); err != nil && (!strings.Contains(message, tt.says) || strings.Contains(message, "canary")) {
				t.Errorf("message %q, want %q in it", message, tt.says)
			}
			if len(a.calls) != len(tt.replies) {
				t.Errorf("%d calls, want %d: %v", len(a.calls), len(tt.replies), a.calls)
			}
		})
	}
}

func TestARedrivenExecutionThatWaitsForItsTurnIsRunning(t *testing.T) {
	m, _ := open(t, alias, `200 {"executionArn":"x","stateMachineArn":"y","name":"e","status":"PENDING_REDRIVE","startDate":1,"stopDate":2,"input":"{}"}`)
	if e, err := m.Describe(t.Context(), "e"); err != nil || e.Status != machine.Running || !e.Ended.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
}
