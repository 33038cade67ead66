package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// attempt tries a Task, Parallel or Map once and returns its result.
func (t *thread) attempt(ctx context.Context, s *state, f *frame) (any, error) {
	var result any
	var err error
	switch {
	case s.function != "":
		result, err = t.invoke(ctx, s, f)
	case s.child != "":
		result, err = t.startChild(ctx, s, f)
	case s.kind == parallel:
		result, err = t.parallel(ctx, s, f)
	default:
		result, err = t.mapItems(ctx, s, f)
	}
	if err != nil {
		return nil, err
	}
	if _, err := encodeLimited(result, "result of state "+s.name); err != nil {
		return nil, err
	}
	return result, nil
}

// payload evaluates what a task sends.
func (t *thread) payload(s *state, f *frame) (json.RawMessage, error) {
	v, err := s.payload.eval(f)
	if err != nil {
		return nil, err
	}
	return encodeLimited(v, "payload of state "+s.name)
}

type answer struct {
	raw json.RawMessage
	err error
}

// invoke calls a function. Its own timeout comes before that of the task: an
// answer after it is lost, as that of a function that was stopped.
func (t *thread) invoke(ctx context.Context, s *state, f *frame) (any, error) {
	payload, err := t.payload(s, f)
	if err != nil {
		return nil, err
	}
	handler := t.o.Functions[s.function]
	if handler == nil {
		return nil, &Error{Name: "Lambda.ResourceNotFoundException", Cause: "There is no function " + s.function + "."}
	}
	t.event(2) // TaskScheduled, TaskStarted
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	inTask, cancelTask := context.WithTimeoutCause(ctx, s.timeout, errTaskTimeout)
	defer cancelTask()
	inFunction, cancel := context.WithTimeoutCause(inTask, s.timeout-functionTimeoutMargin, errFunctionTimeout)
	defer cancel()
	answers := make(chan answer, 1)
	go func() {
		raw, err := handler(inFunction, payload)
		answers <- answer{raw, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-inTask.Done():
		a.err = &Error{Name: statesTimeout, Cause: "State " + s.name + " took too long."}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	t.event(1) // TaskSucceeded, TaskFailed or TaskTimedOut
	return functionResult(a, inTask.Err() == nil && errors.Is(context.Cause(inFunction), errFunctionTimeout))
}

func functionResult(a answer, stopped bool) (any, error) {
	if stopped {
		return nil, &Error{Name: sandboxTimedout, Cause: functionCause(sandboxTimedout, "The function took too long.")}
	}
	if a.err != nil {
		if failed, ok := errors.AsType[*Error](a.err); ok {
			return nil, failed
		}
		return nil, &Error{Name: lambdaUnknown, Cause: functionCause(lambdaUnknown, "The function did not name its error.")}
	}
	if len(a.raw) == 0 {
		a.raw = json.RawMessage("null")
	}
	v, err := decode(a.raw)
	if err != nil {
		return nil, &Error{Name: lambdaUnknown, Cause: functionCause(lambdaUnknown, "The function did not answer JSON.")}
	}
	return map[string]any{"ExecutedVersion": "$LATEST", "Payload": v, "StatusCode": float64(200)}, nil
}

// functionCause is the JSON text by which Lambda tells of an error; plain texts only.
func functionCause(name, message string) string {
	return fmt.Sprintf(`{"errorMessage":%q,"errorType":%q}`, message, name)
}

// startChild starts an execution of another machine and waits for its end.
func (t *thread) startChild(ctx context.Context, s *state, f *frame) (any, error) {
	name, err := s.childRun.eval(f)
	if err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok {
		return nil, t.wrongType("Name", s, "a text")
	}
	input, err := t.payload(s, f)
	if err != nil {
		return nil, err
	}
	t.event(2) // TaskScheduled, TaskStarted
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	inTask, cancel := context.WithTimeoutCause(ctx, s.timeout, errTaskTimeout)
	defer cancel()
	child, err := t.child(inTask, s, text, input)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	t.event(1) // TaskSucceeded, TaskFailed, TaskSubmitFailed or TaskTimedOut
	if inTask.Err() != nil {
		return nil, &Error{Name: statesTimeout, Cause: "State " + s.name + " took too long."}
	}
	if err != nil {
		return nil, err
	}
	return childResult(child)
}

func (t *thread) child(ctx context.Context, s *state, name string, input json.RawMessage) (Child, error) {
	if err := CheckName(name); err != nil {
		return Child{}, &Error{Name: invalidName, Cause: err.Error()}
	}
	wait, err := t.o.StartChild(ctx, s.child, name, input)
	if err != nil {
		return Child{}, err
	}
	t.event(1) // TaskSubmitted
	return wait(ctx)
}

// childResult is the description of the child, of which sync:2 gives input and
// output as JSON. That of a child that failed is the cause of the failure.
func childResult(c Child) (any, error) {
	input, err := decode(c.Input)
	if err != nil {
		return nil, &Error{Name: statesRuntime, Cause: "The input of execution " + c.Name + " is no JSON."}
	}
	if c.Status == Succeeded {
		output, err := decode(c.Output)
		if err != nil {
			return nil, &Error{Name: statesRuntime, Cause: "The output of execution " + c.Name + " is no JSON."}
		}
		return map[string]any{"Name": c.Name, "Status": string(c.Status), "Input": input, "Output": output}, nil
	}
	cause, err := encode(map[string]any{
		"Name": c.Name, "Status": string(c.Status), "Input": string(c.Input), "Error": c.Error, "Cause": c.Cause,
	})
	if err != nil {
		return nil, &Error{Name: taskFailed, Cause: "Execution " + c.Name + " ended as " + string(c.Status) + "."}
	}
	return nil, &Error{Name: taskFailed, Cause: cut(string(cause), maxCause)}
}
