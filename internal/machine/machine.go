// Package machine is the port to the executions of the chain machine: what
// starts, stops and describes them. Adapters nest below it.
package machine

import (
	"context"
	"encoding/json"
	"time"
)

// Status is where an execution stands. The texts are those of Step Functions.
type Status string

// What a Status can be. All but Running are final.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// Execution is one execution of the chain machine.
type Execution struct {
	Name   string
	Status Status
	Input  json.RawMessage
	// Output is set if it Succeeded, else nil.
	Output json.RawMessage
	// Error and Cause are set if it Failed, timed out or was stopped. Cause is for
	// the log; people read the outcome of the runs.
	Error string
	Cause string
	// Started and Ended are UTC; Ended is zero while it runs.
	Started time.Time
	Ended   time.Time
}

// Machines starts, stops and describes executions. It is safe for concurrent use.
type Machines interface {
	// Start starts an execution and does not wait for it. A name is 1 to 80
	// characters and names one execution: while it runs, the same name with the
	// same input is nil and starts nothing; another input, or the name of an
	// execution that has ended, is fault.Conflict. A name or an input that no
	// execution can have is fault.Invalid.
	Start(ctx context.Context, name string, input json.RawMessage) error
	// Stop ends a running execution as Aborted, with all it has started. One that
	// has ended is left alone. A name that was never started is fault.NotFound.
	Stop(ctx context.Context, name, cause string) error
	// Describe returns an execution, or fault.NotFound.
	Describe(ctx context.Context, name string) (Execution, error)
}
