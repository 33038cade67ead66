// Package serve connects our handlers to the Lambda runtime. It is the only
// package that knows the runtime's error format, its log format and its
// environment.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table"
)

// App is what a function is built from.
type App struct {
	Env *Env
	Log *slog.Logger
}

// Run builds the function and hands it to the Lambda runtime. If it cannot be
// built it logs one sentence and ends the process with status 1.
func Run(name string, build func(*App) (any, error)) {
	app := &App{Env: &Env{}, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("function", name)}
	handler, err := build(app)
	if err != nil {
		app.Log.ErrorContext(context.Background(), "function cannot start", "kind", fault.KindOf(err), "reason", fault.MessageOf(err))
		os.Exit(1)
	}
	lambda.Start(handler)
}

// Stores are the ports that functions work on.
type Stores struct {
	Table  table.Table
	Bucket blob.Bucket
	Sealer secret.Sealer
}

// Stores opens the table, the bucket and the key that the environment names.
// The adapters for AWS are not part of this version: until they are it fails
// with fault.Invalid and says where the connector runs.
func (a *App) Stores() (Stores, error) {
	a.Env.String("TABLE")
	a.Env.String("BUCKET")
	a.Env.String("KEY")
	if err := a.Env.Err(); err != nil {
		return Stores{}, err
	}
	return Stores{}, fault.New(fault.Invalid, "This version has no storage on AWS yet; it runs on one machine: make run, or go run ./internal/local sync.")
}

// Task turns a step into a handler for a Step Functions task.
//
// The runtime names an error after the Go type of its outermost value, so a
// wrapped error would reach the state machine as "wrapError". Task names it
// after its fault.Kind instead and puts the customer message in Cause. The
// handler is the same in AWS and in internal/local, and so are the names.
func Task[In, Out any](log *slog.Logger, step func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := step(ctx, in)
		if err != nil {
			log.ErrorContext(ctx, "task failed", "kind", fault.KindOf(err), "err", err)
			return out, messages.InvokeResponse_Error{Type: string(fault.KindOf(err)), Message: fault.MessageOf(err)}
		}
		return out, nil
	}
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

// JSON turns a handler into one that takes and gives JSON, as the Lambda
// runtime would, so that the same handler runs in one process.
func JSON[In, Out any](handler func(context.Context, In) (Out, error)) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, fmt.Errorf("decode payload: %w", err)
		}
		out, err := handler(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}
