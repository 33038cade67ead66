package asl

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/xiatechs/jsonata-go"
	"github.com/xiatechs/jsonata-go/jlib"
	"github.com/xiatechs/jsonata-go/jparse"
	"github.com/xiatechs/jsonata-go/jtypes"
)

// An expression is the JSONata text between {% and %}, compiled.
type expression struct {
	text  string
	field string // where it stands, for messages
	code  *jsonata.Expr
	// vars and states are what it reads: variables of the machine, and paths
	// below $states such as input or context.Execution.Name.
	vars   []string
	states []string
	calls  []string // functions
}

// compile compiles text. It fails if a form is used in which the library and the
// reference differ, or that place does not allow.
func compile(text, field string, at place) (*expression, error) {
	for _, rewritten := range []string{"/*", ".'", ".\""} { // before it parses; some texts without end
		if strings.Contains(text, rewritten) {
			return nil, fmt.Errorf("holds %s, which the library reads differently", rewritten)
		}
	}
	node, err := jparse.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is no JSONata: %w", err)
	}
	code, err := jsonata.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("is no JSONata: %w", err)
	}
	c := checker{at: at, locals: []map[string]bool{{}}}
	c.check(node)
	if c.err != nil {
		return nil, c.err
	}
	return &expression{text: text, field: field, code: code, vars: c.vars, states: c.states, calls: c.calls}, nil
}

// bindings returns what the expression reads and what of it is defined.
func (x *expression) bindings(f *frame) map[string]any {
	bound := map[string]any{}
	for _, name := range x.vars {
		if v, ok := f.vars.lookup(name); ok {
			bound[name] = v
		}
	}
	if len(x.states) > 0 {
		states := map[string]any{}
		for _, path := range x.states {
			if v, ok := f.states(path); ok {
				set(states, path, v)
			}
		}
		bound["states"] = states
	}
	return bound
}

// set puts v at the dotted path.
func set(object map[string]any, path string, v any) {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			object[name] = v
			return
		}
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object, path = inner, rest
	}
}

// eval evaluates the expression. Failing and giving nothing are
// States.QueryEvaluationError.
func (x *expression) eval(f *frame) (any, error) {
	bound := x.bindings(f)
	v, err := x.run(bound)
	if f.evaluated != nil {
		f.evaluated(x.evaluation(bound, v, err))
	}
	if err != nil {
		f.execution.event(1) // EvaluationFailed
		return nil, &Error{Name: queryEvaluationError, Cause: fmt.Sprintf("%s: the expression {%% %s %%} %v.", x.field, x.text, err)}
	}
	return v, nil
}

func (x *expression) run(bound map[string]any) (v any, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some wrong types
			v, err = nil, errors.New("has a value of a wrong type")
		}
	}()
	code := *x.code // registering changes the copy only
	vars := bound
	if slices.Contains(x.calls, "string") {
		vars = map[string]any{"string": scalarString{}}
		for name, v := range bound {
			vars[name] = v
		}
	}
	if err := code.RegisterVars(vars); err != nil {
		return nil, fmt.Errorf("cannot be bound: %w", err)
	}
	out, err := code.Eval(nil)
	switch {
	case errors.Is(err, jsonata.ErrUndefined):
		return nil, errors.New("gives nothing")
	case err != nil:
		return nil, fmt.Errorf("fails: %s", cut(err.Error(), 300))
	}
	if out, err = normal(out); err != nil {
		return nil, fmt.Errorf("gives no JSON: %w", err)
	}
	return out, nil
}

func (x *expression) evaluation(bound map[string]any, v any, err error) Evaluation {
	e := Evaluation{Expression: x.text}
	if raw, encErr := encode(bound); encErr == nil {
		e.Bindings = raw
	}
	if err == nil {
		if raw, encErr := encode(v); encErr == nil {
			e.Result = raw
		}
	}
	return e
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// scalarString is $string for scalars. Of objects and arrays the library makes
// another text than the reference, so they are an error.
type scalarString struct{}

// Name implements jtypes.Callable.
func (scalarString) Name() string { return "string" }

// ParamCount implements jtypes.Callable.
func (scalarString) ParamCount() int { return 1 }

// Call implements jtypes.Callable.
func (scalarString) Call(args []reflect.Value) (reflect.Value, error) {
	v := jtypes.Resolve(args[0])
	switch {
	case !v.IsValid():
		return v, nil
	case jtypes.IsArray(v) || jtypes.IsMap(v) || !v.CanInterface():
		return reflect.Value{}, errors.New("$string takes a scalar")
	case v.Kind() == reflect.Pointer:
		return reflect.ValueOf("null"), nil
	}
	s, err := jlib.String(v.Interface())
	return reflect.ValueOf(s), err
}
