// Package serve connects our handlers to the Lambda runtime. It is the only
// package that knows the runtime's error format, its log format, its metrics
// and its environment.
package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"log" //nolint:depguard // aws-lambda-go writes there
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/metric"
)

// App is what a function is built from.
type App struct {
	// Name is the function's: plan, extract, webhook…
	Name    string
	Env     *Env
	Log     *slog.Logger
	Metrics metric.Sink
}

// Handler answers one event. Payload and answer are JSON; an error has the form
// that Failure reads.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke implements lambda.Handler.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// Process is what every function reads from its environment.
type Process struct {
	Level slog.Level
	// Stack is the value of the dimension metric.Stack.
	Stack string
}

// ReadProcess reads it. Problems are in env.Err.
func ReadProcess(env *Env) Process {
	p := Process{Stack: env.Optional("STACK", "hubspot-gainsight")}
	if err := p.Level.UnmarshalText([]byte(env.Optional("LOG_LEVEL", "info"))); err != nil {
		env.Wrong("LOG_LEVEL", "debug, info, warn or error")
	}
	return p
}

// Run builds the function and hands it to the Lambda runtime; it does not
// return. A function that cannot be built says why in one sentence, to the log
// and to whoever invoked it, and ends the process with status 1. SIGTERM ends
// it with status 0: every step can be broken off anywhere.
func Run(name string, build func(*App) (Handler, error)) {
	limitMemory()
	env := &Env{}
	process := ReadProcess(env)
	metrics := &Metrics{W: os.Stdout, Stack: process.Stack, Now: time.Now}
	app := &App{Name: name, Env: env, Log: NewLog(os.Stderr, process.Level).With("function", name), Metrics: metrics.Sink}
	log.SetFlags(0)
	log.SetOutput(runtimeLog{app.Log})
	handler, err := build(app)
	if err == nil {
		err = env.Err()
	}
	if err == nil && os.Getenv(endpoint) == "" {
		err = fault.New(fault.Invalid, "This is a function for AWS Lambda; to run the connector on this machine, see go run ./internal/local help.")
	}
	if err != nil {
		app.Log.ErrorContext(context.Background(), "function cannot start", "kind", fault.KindOf(err), "reason", fault.MessageOf(err), "err", err)
		refuse(err)
		os.Exit(1)
	}
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		os.Exit(0)
	}()
	lambda.Start(invocation(handler, metrics))
}

// endpoint names the variable with the address of Lambda's runtime API.
const endpoint = "AWS_LAMBDA_RUNTIME_API"

// memory names the variable with the megabytes that the function has (AWS Lambda
// developer guide, "Defined runtime environment variables", November 2026).
const memory = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"

// limitMemory lets Go collect garbage in time for the function's memory, of which
// a fifth is left to the program itself. Without it Go takes twice what it needs.
func limitMemory() {
	if megabytes, err := strconv.ParseInt(os.Getenv(memory), 10, 32); err == nil {
		debug.SetMemoryLimit(megabytes << 20 / 5 * 4)
	}
}

// answerBefore is how long before the function is killed its context ends, so
// that the error of a call that hangs is answered and logged.
const answerBefore = 2 * time.Second

// invocation gives a handler the context of one event: its deadline, what its
// log lines have in common, and its metrics, which are written at its end.
func invocation(h Handler, metrics *Metrics) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		if lc, ok := lambdacontext.FromContext(ctx); ok {
			ctx = logged(ctx, slog.String("requestId", lc.AwsRequestID))
		}
		if trace, _ := ctx.Value("x-amzn-trace-id").(string); trace != "" { // as aws-lambda-go keeps it
			ctx = logged(ctx, slog.String("trace", trace))
		}
		if deadline, ok := ctx.Deadline(); ok {
			left := time.Until(deadline)
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(answerBefore, left/4)))
			defer cancel()
		}
		ctx, flush := metrics.Gather(ctx)
		defer flush()
		return h(ctx, payload)
	}
}

// refuse tells the runtime API why there will be no function, so that who
// invoked it reads it too. It is tried once.
func refuse(err error) {
	host := os.Getenv(endpoint)
	if host == "" {
		return
	}
	doc, _ := json.Marshal(map[string]string{"errorType": string(fault.KindOf(err)), "errorMessage": fault.MessageOf(err)})                                 // text only: never fails
	req, errURL := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+host+"/2018-06-01/runtime/init/error", bytes.NewReader(doc)) //nolint:gosec // the address that Lambda gave
	if errURL != nil {
		return
	}
	req.Header.Set("Lambda-Runtime-Function-Error-Type", string(fault.KindOf(err)))
	if resp, err := (&http.Client{Timeout: time.Second}).Do(req); err == nil { //nolint:gosec // likewise
		_ = resp.Body.Close()
	}
}
