// Package asl runs state machines written in a small subset of the Amazon States
// Language: Pass, Task (lambda:invoke and startExecution.sync:2), Choice, Wait,
// Parallel, Map, Succeed and Fail, with JSONata. What it does not know, Load
// refuses: nothing in a file is ignored.
//
// JSONata is evaluated by a library that differs from the reference in known
// places; Load allows only the forms in which both agree. Results, errors, limits
// and the number of history events are those of Step Functions.
package asl

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"
)

// Handler is a function that tasks invoke by name. Payload and answer are JSON.
// The context ends at the function's own timeout, which is the TimeoutSeconds of
// the task minus 10. An error that is an *Error keeps its name; every other one
// is Lambda.Unknown, as for a function that died. It must not panic.
type Handler func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error)

// Error is a failure with the name that Retry and Catch match on.
type Error struct {
	Name string
	// Cause is a text for people or, for the error of a function, the JSON text
	// {"errorMessage", "errorType"}.
	Cause string
}

func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Status is how an execution ended, in the words of Step Functions.
type Status string

// What a Status can be.
const (
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// Execution is an execution that has ended.
type Execution struct {
	Name   string
	Status Status
	Input  json.RawMessage
	// Output is set if it Succeeded, else nil.
	Output json.RawMessage
	// Error and Cause are set if it did not.
	Error string
	Cause string

	path   []string
	events int
}

// Path returns the states that were entered, in their order; a branch after the
// other and an item after the other, also where they ran at once.
func (e *Execution) Path() []string { return e.path }

// Events returns the number of history events that Step Functions would have
// written. 25,000 end an execution.
func (e *Execution) Events() int { return e.events }

// Child is an execution that another one has started and waits for.
type Child struct {
	Name   string
	Status Status
	Input  json.RawMessage
	Output json.RawMessage
	Error  string
	Cause  string
}

// Evaluation is one evaluation of an expression.
type Evaluation struct {
	Expression string
	// Bindings holds the variables that the expression uses and that are defined,
	// with $states as far as it is used.
	Bindings json.RawMessage
	// Result is nil if the expression failed or gave nothing.
	Result json.RawMessage
}

// Options is what executions run with. Only what the machine uses must be set.
type Options struct {
	// Functions :: FunctionName → handler. They may be called at once.
	Functions map[string]Handler
	// StartChild starts an execution of another machine, by the StateMachineArn of
	// the task, or joins the one that runs under this name with the same input. It
	// returns a function that waits for its end; if the context of that ends
	// first, the child is stopped. An *Error keeps its name; a name that cannot be
	// taken is StepFunctions.ExecutionAlreadyExistsException.
	StartChild func(ctx context.Context, machine, name string, input json.RawMessage) (wait func(context.Context) (Child, error), err error)
	// Now is the time; nil = time.Now. Timeouts do not follow it, they are real time.
	Now func() time.Time
	// Sleep waits for Wait states and between tries; nil = a timer. It returns the
	// error of the context if that ends first.
	Sleep func(ctx context.Context, d time.Duration) error
	// Rand returns a number in [0, 1) for jitter; nil = math/rand/v2.
	Rand func() float64
	// Entered is called when a state is entered, also at once from branches; nil = nobody.
	Entered func(state string)
	// Evaluated is called after every evaluation, also at once from branches; nil = nobody.
	Evaluated func(Evaluation)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
