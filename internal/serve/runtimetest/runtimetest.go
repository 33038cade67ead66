// Package runtimetest runs built functions behind a stand-in of Lambda's runtime
// API, one process each, as AWS would: same variables, same calls, same signals.
// Tests alone import it.
package runtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a process may take on a busy machine.
const patience = 30 * time.Second

// Build builds the packages, named by their folders, for this machine, as they
// are deployed (Makefile), into a folder of the test: the binary of functions/plan is plan.
func Build(t testing.TB, dir string, packages ...string) {
	t.Helper()
	console := func(pkg string) bool { return path.Base(pkg) == "console" }
	run := func(packages []string, tags string, flags ...string) {
		t.Helper()
		if len(packages) == 0 {
			return
		}
		args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-tags", tags, "-o", dir + string(filepath.Separator)}, flags...)
		cmd := exec.CommandContext(t.Context(), "go", append(args, packages...)...) //nolint:gosec // the go command, on packages that a test names
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	run(slices.DeleteFunc(slices.Clone(packages), console), "lambda.norpc")
	if slices.ContainsFunc(packages, console) {
		run([]string{packages[slices.IndexFunc(packages, console)]}, "lambda.norpc,nethttpomithttp2", "-gcflags=all=-l")
	}
}

// Function is a running process.
type Function struct {
	t       testing.TB
	cmd     *exec.Cmd
	log     *log
	events  chan event
	answers chan Answer
	ended   chan struct{}
}

type event struct {
	payload  string
	deadline time.Time
}

// Answer is what a function answered to one event.
type Answer struct {
	Body string // of a success
	// ErrorType and ErrorMessage are what a state machine sees of a failure.
	ErrorType, ErrorMessage string
	// Init says that the process failed before it took events.
	Init bool
}

// Start starts a binary with these variables and no others. It is killed at the
// end of the test.
func Start(t testing.TB, binary string, env map[string]string) *Function {
	t.Helper()
	f := &Function{t: t, log: &log{}, events: make(chan event), answers: make(chan Answer, 10), ended: make(chan struct{})}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.api(), ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	f.cmd = exec.Command(binary) //nolint:noctx // ended below
	f.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + filepath.Base(binary)}
	for name, value := range env {
		f.cmd.Env = append(f.cmd.Env, name+"="+value)
	}
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.cmd.Wait(); close(f.ended) }()
	t.Cleanup(func() { _ = f.cmd.Process.Kill(); <-f.ended })
	return f
}

// api is the part of the runtime API (AWS Lambda developer guide, "Using the
// Lambda runtime API", November 2026) that a runtime calls.
func (f *Function) api() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	count := 0
	mux.HandleFunc("GET "+base+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-f.events:
			count++
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint("request-", count))
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:"+filepath.Base(f.cmd.Path))
			h.Set("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
			_, _ = io.WriteString(w, e.payload)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST "+base+"invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		f.answers <- Answer{Body: string(body)}
	})
	failed := func(init bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			a := Answer{Init: init}
			var e struct {
				ErrorType    string `json:"errorType"`
				ErrorMessage string `json:"errorMessage"`
			}
			if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
				e.ErrorMessage = "no JSON: " + err.Error()
			}
			a.ErrorType, a.ErrorMessage = e.ErrorType, e.ErrorMessage
			w.WriteHeader(http.StatusAccepted)
			f.answers <- a
		}
	}
	mux.HandleFunc("POST "+base+"invocation/{id}/error", failed(false))
	mux.HandleFunc("POST "+base+"init/error", failed(true))
	return mux
}

// Invoke sends an event, with this time until the function is killed, and
// returns its answer. A process that ends or hangs instead fails the test.
func (f *Function) Invoke(payload string, limit time.Duration) Answer {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	select {
	case f.events <- event{payload, time.Now().Add(limit)}:
	case a := <-f.answers:
		return a
	case <-f.ended:
		f.t.Fatalf("the process ended before it took the event\n%s", f.log)
	case <-ctx.Done():
		f.t.Fatalf("the process takes no event\n%s", f.log)
	}
	select {
	case a := <-f.answers:
		return a
	case <-f.ended:
		f.t.Fatalf("the process ended at work\n%s", f.log)
	case <-ctx.Done():
		f.t.Fatalf("no answer\n%s", f.log)
	}
	return Answer{}
}

// Refused returns what a process that cannot start told the runtime API.
func (f *Function) Refused() Answer {
	f.t.Helper()
	select {
	case a := <-f.answers:
		return a
	case <-time.After(patience):
		f.t.Fatalf("nothing was told\n%s", f.log)
	}
	return Answer{}
}

// Stop sends SIGTERM.
func (f *Function) Stop() { _ = f.cmd.Process.Signal(syscall.SIGTERM) }

// Exit waits for the end of the process and returns its status; -1 is a signal.
func (f *Function) Exit() int {
	f.t.Helper()
	select {
	case <-f.ended:
	case <-time.After(patience):
		f.t.Fatalf("the process does not end\n%s", f.log)
	}
	return f.cmd.ProcessState.ExitCode()
}

// Log returns what the process has written so far.
func (f *Function) Log() string { return f.log.String() }

// log is a buffer that is read while it is written.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
