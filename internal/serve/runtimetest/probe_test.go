package runtimetest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/serve/runtimetest"
)

// start starts the probe, a function that does what its event says.
func start(t *testing.T) *runtimetest.Function {
	t.Helper()
	return runtimetest.Start(t, built(t, "probe"), map[string]string{"NEEDED": "x", "STACK": "test"})
}

type answer struct {
	Status string        `json:"status"`
	PID    int           `json:"pid"`
	Calls  int           `json:"calls"`
	Left   time.Duration `json:"left"`
	Limit  int64         `json:"limit"`
}

func invoke(t *testing.T, f *runtimetest.Function, payload string, limit time.Duration) (answer, runtimetest.Answer) {
	t.Helper()
	raw := f.Invoke(payload, limit)
	var a answer
	if raw.ErrorType == "" {
		if err := json.Unmarshal([]byte(raw.Body), &a); err != nil {
			t.Fatalf("%q: %v", raw.Body, err)
		}
	}
	return a, raw
}

func TestAProcessAnswersManyEvents(t *testing.T) {
	f := start(t)
	first, _ := invoke(t, f, `{"do":"echo"}`, time.Minute)
	second, _ := invoke(t, f, `{"do":"echo"}`, time.Minute)
	if first.PID == 0 || second.PID != first.PID || first.Calls != 1 || second.Calls != 2 {
		t.Errorf("first %+v, second %+v, want one process", first, second)
	}
	if left := first.Left.Seconds(); left < 50 || left > 58 { // two seconds are kept for the answer
		t.Errorf("%v left of a minute", left)
	}
}

func TestGoTakesFourFifthsOfTheFunctionsMemory(t *testing.T) {
	f := runtimetest.Start(t, built(t, "probe"), map[string]string{"NEEDED": "x", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"})
	if a, _ := invoke(t, f, `{"do":"echo"}`, time.Minute); a.Limit < 204<<20 || a.Limit > 205<<20 {
		t.Errorf("the limit is %d bytes, want 204 MB", a.Limit)
	}
}

func TestErrorsAreNamedAfterTheirKind(t *testing.T) {
	f := start(t)
	const ours = "Something went wrong on our side. The run was stopped and nothing was lost."
	for _, kind := range []string{"Transient", "Throttled", "Reauthorize", "Invalid", "NotFound", "Conflict", "Fenced"} {
		if got := f.Invoke(`{"do":"`+kind+`"}`, time.Minute); got.ErrorType != kind || got.ErrorMessage != "It is "+kind+"." {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	for _, do := range []string{"Internal", "unknown", "panic"} {
		if got := f.Invoke(`{"do":"`+do+`"}`, time.Minute); got.ErrorType != "Internal" || got.ErrorMessage != ours {
			t.Errorf("%s: %+v", do, got)
		}
	}
	for _, payload := range []string{``, `null`, `{}`, `[1]`, `{"do":7}`, `{"do":`} {
		if got := f.Invoke(payload, time.Minute); got.ErrorType != "Invalid" || !strings.HasPrefix(got.ErrorMessage, "The event") {
			t.Errorf("%s: %+v", payload, got)
		}
	}
	if a, _ := invoke(t, f, `{"do":"echo"}`, time.Minute); a.Calls != 11 {
		t.Errorf("%+v, want the same process after a panic", a)
	}
}

func TestACallThatHangsIsAnsweredBeforeTheFunctionIsKilled(t *testing.T) {
	f, began := start(t), time.Now()
	got := f.Invoke(`{"do":"hang"}`, 1200*time.Millisecond)
	if took := time.Since(began); got.ErrorType != "Transient" || took > 1200*time.Millisecond {
		t.Errorf("%+v after %s", got, took)
	}
}

func TestLogsAndMetricsAreJSONLines(t *testing.T) {
	f := start(t)
	f.Invoke(`{"do":"panic"}`, time.Minute)
	f.Invoke(`{"do":"echo"}`, time.Minute)
	f.Stop()
	if status := f.Exit(); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	var seen []any
	for line := range strings.Lines(f.Log()) {
		var doc map[string]any
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if doc["_aws"] != nil {
			seen = append(seen, []any{doc["Stack"], doc["Vendor"], doc["VendorCalls"]})
			continue
		}
		seen = append(seen, []any{doc["msg"], doc["function"], doc["requestId"], doc["trace"]})
	}
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
	want := []any{
		[]any{"task panicked", "probe", "request-1", trace},
		[]any{"task failed", "probe", "request-1", trace},
		[]any{"test", "HubSpot", 2.0},
		[]any{"task done", "probe", "request-2", trace},
		[]any{"test", "HubSpot", 2.0},
	}
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	if strings.Contains(f.Log(), "canary") {
		t.Error("a value of the panic is in the log")
	}
}

func TestABadEnvironmentIsToldInOneSentence(t *testing.T) {
	began := time.Now()
	f := runtimetest.Start(t, built(t, "probe"), map[string]string{"PAUSE": "soon", "LOG_LEVEL": "loud"})
	const want = "Set these settings: NEEDED. Correct these: LOG_LEVEL must be debug, info, warn or error; PAUSE must be a duration such as 90s or 5m."
	if got := f.Refused(); !got.Init || got.ErrorType != "Invalid" || got.ErrorMessage != want {
		t.Errorf("%+v, want %s", got, want)
	}
	if status := f.Exit(); status != 1 || time.Since(began) > 2*time.Second {
		t.Errorf("status %d after %s, want 1 at once", status, time.Since(began))
	}
	if lines := strings.Count(f.Log(), "\n"); lines != 1 || !strings.Contains(f.Log(), want) {
		t.Errorf("log %s", f.Log())
	}
}

func TestSIGTERMEndsAProcessAtWork(t *testing.T) {
	f := start(t)
	f.Invoke(`{"do":"echo"}`, time.Minute)
	f.Stop()
	if status := f.Exit(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
