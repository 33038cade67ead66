package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/serve"
)

func env(vars map[string]string) *serve.Env {
	return &serve.Env{
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Names: func() (names []string) {
			for name := range vars {
				names = append(names, name)
			}
			return names
		},
	}
}

func TestEnvReadsWhatIsSet(t *testing.T) {
	e := env(map[string]string{"A": " a ", "S": "hush", "D": "90s", "O": "o"})
	if got := e.String("A"); got != "a" {
		t.Errorf("String = %q, want it without outer spaces", got)
	}
	if got := e.Secret("S"); got.Expose() != "hush" || fmt.Sprint(got) == "hush" {
		t.Errorf("Secret = %q, printed as %v", got.Expose(), got)
	}
	if got := e.Duration("D", time.Second); got != 90*time.Second {
		t.Errorf("Duration = %s", got)
	}
	if got := e.Duration("E", time.Second); got != time.Second {
		t.Errorf("Duration that is not set = %s", got)
	}
	if e.Optional("O", "x") != "o" || e.Optional("P", "x") != "x" {
		t.Error("Optional does not take its default only where nothing is set")
	}
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

func TestEnvNamesAllProblemsInOneError(t *testing.T) {
	e := env(map[string]string{"EMPTY": " ", "D1": "soon", "D2": "-5s", "D3": "5", "MY_TYPO": "canary", "MY_GOOD": "x", "OTHER": "x"})
	e.String("A")
	e.Secret("B")
	e.String("EMPTY")
	e.String("A") // named once
	e.Duration("D1", 0)
	e.Duration("D2", 0)
	e.Duration("D3", 0)
	e.Optional("MY_GOOD", "")
	e.Known("MY_")
	err := e.Err()
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("err = %v, want Invalid", err)
	}
	want := "Set these settings: A, B, EMPTY. Correct these: D1 must be a duration such as 90s or 5m; D2 must be a duration such as 90s or 5m; " +
		"D3 must be a duration such as 90s or 5m; MY_TYPO is not a setting, check its name."
	if got := fault.MessageOf(err); got != want {
		t.Errorf("message\n%s\nwant\n%s", got, want)
	}
}

func TestKnownLooksAtItsPrefixesOnly(t *testing.T) {
	e := env(map[string]string{"HOME": "/", "PATH": "/bin", "MY_A": "1"})
	e.Optional("MY_A", "")
	e.Optional("MY_UNSET", "")
	e.Known("MY_", "YOUR_")
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

// The name that the state machine matches on must be the kind, however often an
// error was wrapped, and the cause must hold the customer's sentence alone.
func TestTaskNamesErrorsByTheirKind(t *testing.T) {
	kinds := []fault.Kind{fault.Transient, fault.Throttled, fault.Reauthorize, fault.Invalid, fault.NotFound, fault.Conflict, fault.Fenced}
	type test struct {
		name, kind, message string
		err                 error
	}
	tests := []test{
		{"unknown", "Internal", "Something went wrong on our side. The run was stopped and nothing was lost.", errors.New("dial canary-host")},
		{"internal", "Internal", "Something went wrong on our side. The run was stopped and nothing was lost.", fault.New(fault.Internal, "canary-detail")},
	}
	for _, k := range kinds {
		err := fmt.Errorf("outer: %w", fault.Wrap(errors.New("canary-cause"), k, `He said "no".`))
		tests = append(tests, test{string(k), string(k), `He said "no".`, err})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			task := serve.Task(serve.NewLog(&log, slog.LevelInfo), func(context.Context, int) (string, error) { return "partial", tt.err })
			_, err := task(t.Context(), []byte("1"))
			name, cause := serve.Failure(err)
			var got map[string]string
			if err := json.Unmarshal([]byte(cause), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"errorMessage": tt.message, "errorType": tt.kind}
			if diff := cmp.Diff(want, got); diff != "" || name != tt.kind {
				t.Errorf("name %s, cause (-want +got):\n%s", name, diff)
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), tt.err.Error()[:5]) {
				t.Errorf("the log has %d lines: %s", lines, log.String())
			}
		})
	}
}

type customError struct{}

func (*customError) Error() string { return "mine" }

func TestFailureNamesOtherErrorsAsTheRuntimeDoes(t *testing.T) {
	tests := []struct {
		err        error
		name, want string
	}{
		{&customError{}, "serve_test.customError", "mine"},
		{fmt.Errorf("read: %w", &customError{}), "fmt.wrapError", "read: mine"},
		{errors.New("plain"), "errors.errorString", "plain"},
	}
	for _, tt := range tests {
		name, cause := serve.Failure(tt.err)
		if want := fmt.Sprintf(`{"errorMessage":%q,"errorType":%q}`, tt.want, tt.name); name != tt.name || cause != want {
			t.Errorf("%T: name %s, cause %s, want %s, %s", tt.err, name, cause, tt.name, want)
		}
	}
}
