package asl

import "time"

// Names of errors that Step Functions raises itself.
const (
	statesAll             = "States.ALL"
	statesTimeout         = "States.Timeout"
	taskFailed            = "States.TaskFailed"
	noChoiceMatched       = "States.NoChoiceMatched"
	queryEvaluationError  = "States.QueryEvaluationError"
	dataLimitExceeded     = "States.DataLimitExceeded"
	statesRuntime         = "States.Runtime"
	executionExists       = "StepFunctions.ExecutionAlreadyExistsException"
	invalidName           = "StepFunctions.InvalidNameException"
	lambdaUnknown         = "Lambda.Unknown"
	sandboxTimedout       = "Sandbox.Timedout"
	maxErrorName          = 256
	maxCause              = 32 << 10
	executionTimeLayout   = "2006-01-02T15:04:05.000Z"
	functionTimeoutMargin = 10 * time.Second // a task waits this much longer than its function runs
)

// A template is JSON in which texts may be expressions. Nil means that the field
// is absent.
type template struct {
	expr   *expression
	value  any // a constant, if nothing else is set
	items  []*template
	fields map[string]*template
}

func (t *template) eval(f *frame) (any, error) {
	switch {
	case t.expr != nil:
		return t.expr.eval(f)
	case t.fields != nil:
		return evalFields(t.fields, f)
	case t.items != nil:
		out := make([]any, len(t.items))
		for i, item := range t.items {
			v, err := item.eval(f)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	return t.value, nil
}

func evalFields(fields map[string]*template, f *frame) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	for name, field := range fields {
		v, err := field.eval(f)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// A frame is what the expressions of a state see.
type frame struct {
	execution *execution
	state     *state
	entered   time.Time
	vars      *variables
	item      *item
	input     any
	result    any // nil = none
	caught    *Error
	evaluated func(Evaluation)
}

// An item is what a Map's iteration is about.
type item struct {
	index int
	value any
}

// states returns what $states holds at the path, if anything.
func (f *frame) states(path string) (any, bool) {
	switch path {
	case "input":
		return f.input, true
	case "result":
		return f.result, f.result != nil
	case "errorOutput.Error":
		return f.caught.Name, true
	case "errorOutput.Cause":
		return f.caught.Cause, true
	case "context.Execution.Name":
		return f.execution.name, true
	case "context.Execution.Input":
		return f.execution.input, true
	case "context.Execution.StartTime":
		return f.execution.started.Format(executionTimeLayout), true
	case "context.State.Name":
		return f.state.name, true
	case "context.State.EnteredTime":
		return f.entered.Format(executionTimeLayout), true
	case "context.Map.Item.Index":
		return float64(f.item.index), true
	case "context.Map.Item.Value":
		return f.item.value, true
	}
	return nil, false
}

// variables are those of a machine, branch or iteration; it reads those of the
// outer ones, too. While branches run, nobody writes the outer ones.
type variables struct {
	outer *variables
	own   map[string]any
}

func (v *variables) lookup(name string) (any, bool) {
	for ; v != nil; v = v.outer {
		if value, ok := v.own[name]; ok {
			return value, true
		}
	}
	return nil, false
}
