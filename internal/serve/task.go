package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"hubspotconnector/internal/fault"
)

// Task turns a step into a handler for a Step Functions task. An event that is
// not JSON, has a field of another type, or lacks one of the fields that needed
// names, never reaches the step: it is fault.Invalid.
//
// The runtime names an error after the Go type of its outermost value, so a
// wrapped error would reach the state machine as "wrapError". Task names it
// after its fault.Kind instead and puts the customer message in Cause. A step
// that panics fails as fault.Internal, and the process goes on. The handler is
// the same in AWS and in internal/local, and so are the names.
func Task[In, Out any](log *slog.Logger, step func(context.Context, In) (Out, error), needed ...string) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		ctx = logged(ctx, about(payload)...)
		answer, err := run(ctx, log, payload, step, needed)
		if err != nil {
			log.ErrorContext(ctx, "task failed", "kind", fault.KindOf(err), "err", err)
			return nil, messages.InvokeResponse_Error{Type: string(fault.KindOf(err)), Message: fault.MessageOf(err)}
		}
		var turn struct {
			Status string `json:"status"`
		}
		_ = json.Unmarshal(answer, &turn) // an answer without a status is fine
		log.InfoContext(ctx, "task done", "status", turn.Status)
		return answer, nil
	}
}

func run[In, Out any](ctx context.Context, log *slog.Logger, payload []byte, step func(context.Context, In) (Out, error), needed []string) (answer []byte, err error) {
	in, err := decode[In](payload, needed)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			log.ErrorContext(ctx, "task panicked", "panic", panicText(p), "stack", stack())
			err = fault.New(fault.Internal, "The step panicked.")
		}
	}()
	out, err := step(ctx, in)
	if err != nil {
		return nil, err
	}
	if answer, err = json.Marshal(out); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return answer, nil
}

// Failure returns the name and the cause under which the Lambda runtime reports
// a handler's error to a state machine. The cause is JSON text.
func Failure(err error) (name, cause string) {
	var e messages.InvokeResponse_Error
	if !errors.As(err, &e) {
		e = messages.InvokeResponse_Error{Type: strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), Message: err.Error()}
	}
	doc, _ := json.Marshal(map[string]string{"errorMessage": e.Message, "errorType": e.Type}) // text only: never fails
	return e.Type, string(doc)
}

// wayOut ends the sentence on an event that cannot be read.
const wayOut = "Start the function through its state machine."

// decode reads an event. No error quotes a value of it.
func decode[In any](payload []byte, needed []string) (in In, err error) {
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		return in, fault.New(fault.Invalid, "The event is not JSON. %s", wayOut)
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
			return in, fault.New(fault.Invalid, "The event's field %q is not of the type that the function takes. %s", t.Field, wayOut)
		}
		return in, fault.New(fault.Invalid, "The event is not of the form that the function takes. %s", wayOut)
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(payload, &fields) // another form has no fields
	var missing []string
	for _, name := range needed {
		switch string(fields[name]) {
		case "", "null", `""`, "0":
			missing = append(missing, strconv.Quote(name))
		}
	}
	if len(missing) > 0 {
		return in, fault.New(fault.Invalid, "The event has no %s. %s", strings.Join(missing, " and no "), wayOut)
	}
	return in, nil
}

// about is what log lines say of an event: ids and numbers, no values.
func about(payload []byte) []slog.Attr {
	var e struct {
		Scope     string `json:"scope"`
		Execution string `json:"execution"`
		Round     int    `json:"round"`
		Run       string `json:"run"`
		Part      int    `json:"part"`
		Pass      int    `json:"pass"`
		Detail    struct {
			Name   string `json:"name"`
			Status string `json:"status"`
		} `json:"detail"` // of an execution that failed, from EventBridge
	}
	_ = json.Unmarshal(payload, &e) // what could be read
	var attrs []slog.Attr
	for _, text := range []struct{ name, value string }{
		{"scope", e.Scope}, {"execution", e.Execution}, {"run", e.Run}, {"execution", e.Detail.Name}, {"ended", e.Detail.Status},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.name, text.value))
		}
	}
	for _, number := range []struct {
		name  string
		value int
	}{{"round", e.Round}, {"part", e.Part}, {"pass", e.Pass}} {
		if number.value != 0 {
			attrs = append(attrs, slog.Int(number.name, number.value))
		}
	}
	return attrs
}

// panicText tells a panic without quoting values: those of the runtime hold
// numbers, any other may hold a record.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// stack returns the calls that led to a panic, the last one first, without their
// arguments. The first is the function that recovers.
func stack() []string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var calls []string
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			calls = append(calls, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
		}
		if !more {
			return calls
		}
	}
}
