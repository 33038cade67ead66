package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// maxEvents is how many history events end an execution (AWS Step Functions
// quotas, 2026-11).
const maxEvents = 25000

// Why a context of an execution ended, other than by its caller.
var (
	errTimeout         = errors.New("the time of the execution is over")
	errTaskTimeout     = errors.New("the time of the task is over")
	errFunctionTimeout = errors.New("the time of the function is over")
	errHistory         = errors.New("the history of the execution is full")
	errSibling         = errors.New("another branch or item failed")
)

// CheckName fails if no execution can have the name: it must have 1 to 80
// characters, without blanks, control characters and < > { } [ ] ? * " # % \ ^ |
// ~ ` $ & , ; : / (AWS Step Functions API, StartExecution, 2026-11).
func CheckName(name string) error {
	if n := len([]rune(name)); n < 1 || n > 80 {
		return fmt.Errorf("an execution's name has 1 to 80 characters, not %d", n)
	}
	if strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r >= 0xFFFE && r <= 0xFFFF || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
	}) {
		return fmt.Errorf("the execution's name %q holds a character that is not allowed", name)
	}
	return nil
}

// CheckInput fails if no execution can have the input: it must be one JSON text
// of at most 256 KiB. Empty stands for {}.
func CheckInput(input json.RawMessage) error {
	if len(input) > maxData {
		return fmt.Errorf("the input has %d bytes; the limit is %d", len(input), maxData)
	}
	if len(input) > 0 && !json.Valid(input) {
		return errors.New("the input is no JSON")
	}
	return nil
}

// execution is one that runs.
type execution struct {
	o       Options
	name    string
	input   any
	started time.Time
	events  atomic.Int64
	end     context.CancelCauseFunc
}

// event counts history events. The last of the allowed ones tells the end.
func (x *execution) event(n int64) {
	if x.events.Add(n) >= maxEvents {
		x.end(errHistory)
	}
}

// Run runs an execution to its end. If the context ends, the execution is
// aborted at once, with the context's cause as its Cause; a handler that does not
// return is left behind. Name and input must pass CheckName and CheckInput.
func (m *Machine) Run(ctx context.Context, name string, input json.RawMessage, o Options) *Execution {
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	out := &Execution{Name: name, Input: input}
	value, err := decode(input)
	if err != nil {
		out.Status, out.Error, out.Cause = Failed, statesRuntime, "The input is no JSON."
		return out
	}
	caller := ctx
	if m.timeout > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, m.timeout, errTimeout)
		defer cancel()
		ctx = timed
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	o = o.withDefaults()
	x := &execution{o: o, name: name, input: value, started: o.Now().UTC(), end: end}
	x.event(1)
	t := &thread{execution: x, scope: m.scope, vars: &variables{own: map[string]any{}}}
	result, err := t.run(ctx, value)
	switch {
	case errors.Is(context.Cause(ctx), errHistory):
		err = errHistory
	case err == nil:
		out.Output, err = encode(result)
	}
	out.finish(caller, err)
	out.path, out.events = t.path, int(min(x.events.Add(1), maxEvents))
	return out
}

// finish says how the execution ended.
func (e *Execution) finish(caller context.Context, err error) {
	failure, isFailure := errors.AsType[*Error](err)
	switch {
	case err == nil:
		e.Status = Succeeded
	case errors.Is(err, errTimeout):
		e.Status, e.Error = TimedOut, statesTimeout
	case errors.Is(err, errHistory):
		e.Status, e.Error = Failed, statesRuntime
		e.Cause = fmt.Sprintf("The execution reached the maximum number of history events (%d).", maxEvents)
	case caller.Err() != nil:
		e.Status, e.Cause = Aborted, cut(context.Cause(caller).Error(), maxCause)
	case isFailure:
		e.Status, e.Error, e.Cause = Failed, cut(failure.Name, maxErrorName), cut(failure.Cause, maxCause)
	default:
		e.Status, e.Error, e.Cause = Failed, statesRuntime, cut(err.Error(), maxCause)
	}
}

// A thread runs the states of one scope, one after the other.
type thread struct {
	*execution
	scope *scope
	vars  *variables
	item  *item
	path  []string
}

// run runs the scope to its end. Its error is an *Error, or why the context ended.
func (t *thread) run(ctx context.Context, input any) (any, error) {
	for at := t.scope.startAt; ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s := t.scope.states[at]
		t.event(1)
		t.path = append(t.path, s.name)
		if t.o.Entered != nil {
			t.o.Entered(s.name)
		}
		f := &frame{
			execution: t.execution, state: s, entered: t.o.Now().UTC(),
			vars: t.vars, item: t.item, input: input, evaluated: t.o.Evaluated,
		}
		taken, output, err := t.state(ctx, s, f)
		if err != nil {
			return nil, err
		}
		t.event(1)
		if taken.next == "" {
			return output, nil
		}
		at, input = taken.next, output
	}
}

// state runs one state and returns the exit that was taken, with its output.
func (t *thread) state(ctx context.Context, s *state, f *frame) (*exit, any, error) {
	switch s.kind {
	case pass, succeed:
		return t.leave(s.exit, f)
	case choice:
		return t.choose(s, f)
	case wait:
		if err := t.wait(ctx, s, f); err != nil {
			return nil, nil, err
		}
		return t.leave(s.exit, f)
	case fail:
		return nil, nil, t.failure(s, f)
	case task, parallel, mapItems:
		return t.tries(ctx, s, f)
	}
	return nil, nil, &Error{Name: statesRuntime, Cause: "The kind of state " + s.name + " is not known."}
}

// leave evaluates Output and Assign, both before any variable changes, and sets
// the variables.
func (t *thread) leave(e *exit, f *frame) (*exit, any, error) {
	output := f.input
	switch {
	case f.caught != nil:
		output = map[string]any{"Error": f.caught.Name, "Cause": f.caught.Cause}
	case f.result != nil:
		output = f.result
	}
	if e.output != nil {
		var err error
		if output, err = e.output.eval(f); err != nil {
			return nil, nil, err
		}
	}
	set, err := evalFields(e.assign, f)
	if err != nil {
		return nil, nil, err
	}
	if _, err := encodeLimited(output, "output of state "+f.state.name); err != nil {
		return nil, nil, err
	}
	if _, err := encodeLimited(set, "Assign of state "+f.state.name); err != nil {
		return nil, nil, err
	}
	for name, v := range set {
		t.vars.own[name] = v
	}
	return e, output, nil
}

func (t *thread) choose(s *state, f *frame) (*exit, any, error) {
	for _, r := range s.rules {
		v, err := r.condition.eval(f)
		if err != nil {
			return nil, nil, err
		}
		holds, ok := v.(bool)
		if !ok {
			return nil, nil, t.wrongType("Condition", s, "true or false")
		}
		if holds {
			return t.leave(r.exit, f)
		}
	}
	if s.exit.next == "" {
		return nil, nil, &Error{Name: noChoiceMatched, Cause: "No choice of state " + s.name + " matched, and it has no Default."}
	}
	return t.leave(s.exit, f)
}

func (t *thread) wrongType(field string, s *state, want string) error {
	t.event(1) // EvaluationFailed
	return &Error{Name: queryEvaluationError, Cause: fmt.Sprintf("%s of state %s is not %s.", field, s.name, want)}
}

func (t *thread) wait(ctx context.Context, s *state, f *frame) error {
	spec, isTime := s.seconds, s.timestamp != nil
	if isTime {
		spec = s.timestamp
	}
	v, err := spec.eval(f)
	if err != nil {
		return err
	}
	d, err := pause(isTime, v, t.o.Now())
	if err != nil {
		t.event(1) // EvaluationFailed
		return &Error{Name: queryEvaluationError, Cause: fmt.Sprintf("In state %s %v.", s.name, err)}
	}
	return t.sleep(ctx, d)
}

// pause returns how long a Wait takes from now on, at least 0.
func pause(isTime bool, v any, now time.Time) (time.Duration, error) {
	if !isTime {
		n, ok := v.(float64)
		if !ok || n < 0 || n > maxSeconds || n != math.Trunc(n) {
			return 0, errors.New("Seconds is not a whole number of seconds") //nolint:staticcheck // the name of a field
		}
		return time.Duration(n) * time.Second, nil
	}
	s, _ := v.(string)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, errors.New("Timestamp is not a time such as 2026-01-31T08:00:00Z") //nolint:staticcheck // the name of a field
	}
	return max(0, at.Sub(now)), nil
}

// sleep returns nil, or why the context ended.
func (t *thread) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	err := t.o.Sleep(ctx, d)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (t *thread) failure(s *state, f *frame) error {
	texts := [2]string{}
	for i, spec := range []*template{s.failure, s.cause} {
		if spec == nil {
			continue
		}
		v, err := spec.eval(f)
		if err != nil {
			return err
		}
		text, ok := v.(string)
		if !ok {
			return t.wrongType([]string{"Error", "Cause"}[i], s, "a text")
		}
		texts[i] = text
	}
	return &Error{Name: texts[0], Cause: texts[1]}
}

// tries runs a state until an attempt succeeds, or no retrier and no catcher
// wants its error. Every retrier counts for itself, from the state's entry on.
func (t *thread) tries(ctx context.Context, s *state, f *frame) (*exit, any, error) {
	used := make([]int, len(s.retry))
	for {
		f.result = nil
		result, err := t.attempt(ctx, s, f)
		if err == nil {
			f.result = result
			var taken *exit
			var output any
			if taken, output, err = t.leave(s.exit, f); err == nil {
				return taken, output, nil
			}
		}
		failed, ok := errors.AsType[*Error](err)
		if !ok || ctx.Err() != nil {
			return nil, nil, err
		}
		if again, delay := t.retry(s, used, failed.Name); again {
			if err := t.sleep(ctx, delay); err != nil {
				return nil, nil, err
			}
			continue
		}
		for _, c := range s.catch {
			if matches(c.errors, failed.Name) {
				f.caught = failed
				return t.leave(c.exit, f)
			}
		}
		return nil, nil, err
	}
}

// retry says whether the first retrier for the error has a try left, and how
// long to wait before it.
func (t *thread) retry(s *state, used []int, name string) (bool, time.Duration) {
	for i, r := range s.retry {
		if !matches(r.errors, name) {
			continue
		}
		if used[i] >= r.attempts {
			return false, 0
		}
		seconds := r.interval.Seconds() * math.Pow(r.backoff, float64(used[i]))
		used[i]++
		if most := r.most.Seconds(); most > 0 {
			seconds = min(seconds, most)
		}
		if r.jitter {
			seconds *= t.o.Rand()
		}
		return true, time.Duration(min(seconds, maxSeconds) * float64(time.Second))
	}
	return false, 0
}

// matches says whether Retry or Catch by these names takes the error.
func matches(names []string, name string) bool {
	switch {
	case name == statesRuntime:
		return false
	case slices.Contains(names, name):
		return true
	case slices.Contains(names, taskFailed):
		return name != statesTimeout && name != dataLimitExceeded
	}
	return slices.Contains(names, statesAll) && name != dataLimitExceeded
}
