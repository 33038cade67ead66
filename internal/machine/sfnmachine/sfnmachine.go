// Package sfnmachine runs the chain machine in AWS Step Functions.
//
// Executions are started through the alias or version that the ARN names, so
// that one keeps its definition while another is deployed. They are found by
// their name alone: an execution's ARN is made of its machine's, without alias
// and version (Step Functions API reference, StartExecution, November 2026).
package sfnmachine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
)

// Machines is a machine.Machines. Besides the port's errors there are
// fault.Transient and Throttled, after which the call may have had its effect:
// all calls may be repeated.
type Machines struct {
	client     calls
	machine    string // ARN of the machine, its version or its alias
	executions string // what all ARNs of its executions begin with
}

// calls are the operations that are used. The client is not kept: beside
// libraries that look methods up by name, the linker would keep all of its methods.
type calls struct {
	StartExecution    func(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	StopExecution     func(context.Context, *sfn.StopExecutionInput, ...func(*sfn.Options)) (*sfn.StopExecutionOutput, error)
	DescribeExecution func(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
}

var _ machine.Machines = (*Machines)(nil)

// New returns the executions of a standard state machine. arn is the machine's,
// that of one of its versions or of an alias. An ARN of another form is
// fault.Invalid.
func New(client *sfn.Client, arn string) (*Machines, error) {
	// arn:partition:states:region:account:stateMachine:name, then perhaps :version or :alias
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || len(parts) > 8 || parts[2] != "states" || parts[5] != "stateMachine" || parts[6] == "" {
		return nil, fault.New(fault.Invalid, "%q is not the ARN of a state machine: it looks like arn:aws:states:region:account:stateMachine:name.", arn)
	}
	parts[5] = "execution"
	return &Machines{client: calls{client.StartExecution, client.StopExecution, client.DescribeExecution}, machine: arn, executions: strings.Join(parts[:7], ":") + ":"}, nil
}

// What an execution can be started with (Step Functions API reference,
// StartExecution, November 2026).
const (
	maxName  = 80 // characters
	maxInput = 256 << 10
	unfit    = "<>{}[]?*\"#%\\^|~`$&,;:/" // beside blanks and control characters
)

// Start implements machine.Machines. No input stands for {}.
func (m *Machines) Start(ctx context.Context, name string, input json.RawMessage) error {
	const badName = "The execution %q cannot be started: a name has 1 to 80 characters, without blanks and without any of %s."
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, isUnfit) {
		return fault.New(fault.Invalid, badName, name, unfit)
	}
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	var text bytes.Buffer
	if json.Compact(&text, input) != nil {
		return fault.New(fault.Invalid, "The execution %s cannot be started: its input is not JSON.", name)
	}
	if text.Len() > maxInput {
		return fault.New(fault.Invalid, "The execution %s cannot be started: its input is larger than 256 KB.", name)
	}
	_, err := m.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &m.machine, Name: &name, Input: aws.String(text.String()),
	})
	switch codeOf(err) {
	case "ExecutionAlreadyExists":
		return m.again(ctx, name, text.Bytes())
	case "InvalidName":
		return fault.Wrap(err, fault.Invalid, badName, name, unfit)
	case "InvalidExecutionInput":
		return fault.Wrap(err, fault.Invalid, "The execution %s cannot be started: Step Functions does not take its input.", name)
	case "ExecutionLimitExceeded":
		return fault.Wrap(err, fault.Throttled, "Step Functions runs as many executions as this account may have. It is tried again.")
	}
	return m.wrap(err)
}

func isUnfit(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF || strings.ContainsRune(unfit, r)
}

// again decides about a name that exists. Step Functions answers a repeated
// start of a running execution by itself if the inputs are the same text.
func (m *Machines) again(ctx context.Context, name string, input []byte) error {
	e, err := m.Describe(ctx, name)
	if err != nil {
		return err
	}
	var other bytes.Buffer
	if e.Status == machine.Running && json.Compact(&other, e.Input) == nil && bytes.Equal(other.Bytes(), input) {
		return nil
	}
	return fault.New(fault.Conflict, "An execution named %s was started before.", name)
}

// maxCause is how long a cause may be in characters (Step Functions API
// reference, StopExecution, November 2026).
const maxCause = 32768

// Stop implements machine.Machines. Step Functions ends the executions that this
// one started and waits for, as startExecution.sync:2, by itself (developer
// guide, Call AWS Step Functions, November 2026); a function that is at work
// ends its step.
func (m *Machines) Stop(ctx context.Context, name, cause string) error {
	if r := []rune(cause); len(r) > maxCause {
		cause = string(r[:maxCause])
	}
	_, err := m.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: m.execution(name), Cause: &cause})
	switch codeOf(err) {
	case "ExecutionDoesNotExist", "InvalidArn":
		return missing(err, name)
	case "ValidationException":
		if e, failed := m.Describe(ctx, name); failed == nil && e.Status != machine.Running {
			return nil
		}
	}
	return m.wrap(err)
}

// Describe implements machine.Machines.
func (m *Machines) Describe(ctx context.Context, name string) (machine.Execution, error) {
	out, err := m.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: m.execution(name)})
	switch codeOf(err) {
	case "ExecutionDoesNotExist", "InvalidArn":
		return machine.Execution{}, missing(err, name)
	}
	if err != nil {
		return machine.Execution{}, m.wrap(err)
	}
	e := machine.Execution{
		Name: name, Input: json.RawMessage(aws.ToString(out.Input)), Error: aws.ToString(out.Error), Cause: aws.ToString(out.Cause),
	}
	if out.StartDate != nil {
		e.Started = out.StartDate.UTC()
	}
	if out.StopDate != nil && out.Status != types.ExecutionStatusPendingRedrive {
		e.Ended = out.StopDate.UTC()
	}
	switch out.Status {
	case types.ExecutionStatusRunning, types.ExecutionStatusPendingRedrive:
		e.Status = machine.Running
	case types.ExecutionStatusSucceeded:
		e.Status, e.Output = machine.Succeeded, json.RawMessage(aws.ToString(out.Output))
	case types.ExecutionStatusFailed:
		e.Status = machine.Failed
	case types.ExecutionStatusTimedOut:
		e.Status = machine.TimedOut
	case types.ExecutionStatusAborted:
		e.Status = machine.Aborted
	default:
		return e, fmt.Errorf("describe execution %s: unknown status %q", name, out.Status)
	}
	return e, nil
}

func (m *Machines) execution(name string) *string { return aws.String(m.executions + name) }

func (m *Machines) wrap(err error) error {
	if codeOf(err) == "InvalidArn" {
		return fault.Wrap(err, fault.Invalid, "Step Functions does not take %s for a state machine. Check the name and the region, and deploy the template again.", m.machine)
	}
	return awsfault.Wrap(err, "Step Functions", "the chain machine")
}

func missing(err error, name string) error {
	return fault.Wrap(err, fault.NotFound, "There is no execution named %s.", name)
}

// codeOf returns the code of a service's error, "" if there is none.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
