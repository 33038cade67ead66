// Package machinetest is the contract of machine.Machines as tests, which every
// adapter passes. They run executions of a small machine of their own.
package machinetest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
)

// Definition is the machine that the tests run, as an ASL file. Its input says
// what an execution does: {"do": "wait"}, succeed or fail.
const Definition = `{
  "Comment": "Does what its input says.",
  "QueryLanguage": "JSONata",
  "StartAt": "Choose",
  "States": {
    "Choose": {
      "Comment": "Only looks at the input.", "Type": "Choice",
      "Choices": [
        { "Condition": "{% $states.input.do = 'wait' %}", "Next": "Linger" },
        { "Condition": "{% $states.input.do = 'succeed' %}", "Next": "Answer" },
        { "Condition": "{% $states.input.do = 'fail' %}", "Next": "Break" }
      ]
    },
    "Linger": { "Comment": "Longer than any test takes.", "Type": "Wait", "Seconds": 3600, "Next": "Answer" },
    "Answer": { "Comment": "Gives an output.", "Type": "Pass", "Output": { "answer": 42 }, "End": true },
    "Break": { "Comment": "Gives an error.", "Type": "Fail", "Error": "Broken", "Cause": "It was told to." }
  }
}`

// patience is how long an execution may take to end on a busy machine.
const patience = 30 * time.Second

// Run runs the tests. The machines run Definition, and know no execution yet.
func Run(t *testing.T, m machine.Machines) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, machine.Machines)
	}{
		{"an execution runs to its end", runsToItsEnd},
		{"a name is one execution", nameIsOneExecution},
		{"many who start one name at once start one", manyStartOne},
		{"what no execution can have is refused", refuses},
		{"stop ends what runs and leaves what has ended", stops},
		{"a name that was never started is not found", notFound},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, m) })
	}
}

func start(t *testing.T, m machine.Machines, name, input string) {
	t.Helper()
	if err := m.Start(t.Context(), name, json.RawMessage(input)); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
}

// ended waits until an execution has ended.
func ended(t *testing.T, m machine.Machines, name string) machine.Execution {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		e := describe(t, m, name)
		if e.Status != machine.Running {
			return e
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s still runs after %s", name, patience)
		}
	}
}

func describe(t *testing.T, m machine.Machines, name string) machine.Execution {
	t.Helper()
	e, err := m.Describe(t.Context(), name)
	if err != nil {
		t.Fatalf("describe %s: %v", name, err)
	}
	if e.Name != name {
		t.Fatalf("asked for %s, got %q", name, e.Name)
	}
	if e.Started.IsZero() || e.Started.Location() != time.UTC {
		t.Errorf("%s started at %v, want a time in UTC", name, e.Started)
	}
	return e
}

// sameJSON compares two JSON texts.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && toText(x) == toText(y)
}

func toText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func runsToItsEnd(t *testing.T, m machine.Machines) {
	start(t, m, "good", `{"do":"succeed","note":"ü"}`)
	e := ended(t, m, "good")
	if e.Status != machine.Succeeded || !sameJSON(string(e.Input), `{"do":"succeed","note":"ü"}`) || !sameJSON(string(e.Output), `{"answer":42}`) {
		t.Errorf("%s, input %s, output %s", e.Status, e.Input, e.Output)
	}
	if e.Ended.Before(e.Started) || e.Ended.Location() != time.UTC || e.Error != "" || e.Cause != "" {
		t.Errorf("ended at %v (started at %v) with %q, %q", e.Ended, e.Started, e.Error, e.Cause)
	}
	start(t, m, "bad", `{"do":"fail"}`)
	if e := ended(t, m, "bad"); e.Status != machine.Failed || e.Error != "Broken" || e.Cause != "It was told to." || e.Output != nil {
		t.Errorf("%s with %q, %q and output %q", e.Status, e.Error, e.Cause, e.Output)
	}
}

func nameIsOneExecution(t *testing.T, m machine.Machines) {
	start(t, m, "one", `{"do":"wait","x":1}`)
	start(t, m, "one", `{"do":"wait","x":1}`)
	start(t, m, "one", `{ "do": "wait", "x": 1 }`)
	if err := m.Start(t.Context(), "one", json.RawMessage(`{"do":"wait","x":2}`)); !fault.Is(err, fault.Conflict) {
		t.Errorf("another input: %v, want Conflict", err)
	}
	if e := describe(t, m, "one"); e.Status != machine.Running || !e.Ended.IsZero() || e.Output != nil || !sameJSON(string(e.Input), `{"do":"wait","x":1}`) {
		t.Errorf("while it runs: %+v", e)
	}
	if err := m.Stop(t.Context(), "one", "enough"); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context(), "one", json.RawMessage(`{"do":"wait","x":1}`)); !fault.Is(err, fault.Conflict) {
		t.Errorf("a name that has ended: %v, want Conflict", err)
	}
	start(t, m, strings.Repeat("é", 40)+strings.Repeat("n", 40), `{"do":"succeed"}`)
}

func manyStartOne(t *testing.T, m machine.Machines) {
	var group sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		group.Go(func() {
			input := `{"do":"wait","by":` + string(rune('0'+i%2)) + `}`
			errs[i] = m.Start(t.Context(), "race", json.RawMessage(input))
		})
	}
	group.Wait()
	kept := describe(t, m, "race")
	for i, err := range errs {
		won := sameJSON(string(kept.Input), `{"do":"wait","by":`+string(rune('0'+i%2))+`}`)
		if won && err != nil || !won && !fault.Is(err, fault.Conflict) {
			t.Errorf("starter %d: %v, and %s runs", i, err, kept.Input)
		}
	}
	if err := m.Stop(t.Context(), "race", "enough"); err != nil {
		t.Fatal(err)
	}
}

func refuses(t *testing.T, m machine.Machines) {
	for name, input := range map[string]string{
		"":                      `{}`,
		"a b":                   `{}`,
		"a:b":                   `{}`,
		"a/b":                   `{}`,
		"a\nb":                  `{}`,
		strings.Repeat("a", 81): `{}`,
		"no-json":               `{"do":`,
		"two-values":            `{} {}`,
		"large":                 `"` + strings.Repeat("x", 256<<10) + `"`,
	} {
		if err := m.Start(t.Context(), name, json.RawMessage(input)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q with %.20s: %v, want Invalid", name, input, err)
		}
	}
	if _, err := m.Describe(t.Context(), "no-json"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a start that was refused left something: %v", err)
	}
}

func stops(t *testing.T, m machine.Machines) {
	start(t, m, "stopped", `{"do":"wait"}`)
	if err := m.Stop(t.Context(), "stopped", "An admin stopped it."); err != nil {
		t.Fatal(err)
	}
	e := ended(t, m, "stopped")
	if e.Status != machine.Aborted || e.Cause != "An admin stopped it." || e.Ended.IsZero() || e.Output != nil {
		t.Errorf("%+v", e)
	}
	if err := m.Stop(t.Context(), "stopped", "Again."); err != nil {
		t.Errorf("again: %v", err)
	}
	start(t, m, "done", `{"do":"succeed"}`)
	before := ended(t, m, "done")
	if err := m.Stop(t.Context(), "done", "Late."); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	for name, want := range map[string]machine.Execution{"stopped": e, "done": before} {
		if got := describe(t, m, name); got.Status != want.Status || got.Cause != want.Cause || !got.Ended.Equal(want.Ended) {
			t.Errorf("%s became %+v", name, got)
		}
	}
}

func notFound(t *testing.T, m machine.Machines) {
	_, err := m.Describe(t.Context(), "none")
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("describe: %v", err)
	}
	if err := m.Stop(t.Context(), "none", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("stop: %v", err)
	}
	if _, err := m.Describe(t.Context(), "a b"); !fault.Is(err, fault.NotFound) {
		t.Errorf("describe what no execution is called: %v", err)
	}
}
