package asl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/asl"
)

// taskTail closes a lambda task that every other field of was given.
const taskTail = `"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":70`

// fromA wraps states into a machine that starts at A.
func fromA(states string) string {
	return `{"QueryLanguage":"JSONata","StartAt":"A","States":{` + states + `}}`
}

func load(t *testing.T, text string) *asl.Machine {
	t.Helper()
	m, err := asl.Load("test.asl.json", []byte(text), map[string]string{"Fn": "fn", "Child": "child"})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return m
}

// answers returns a handler that gives its answers in turn, the last one for
// ever. An answer that begins with ! is the name of an error.
func answers(calls *[]string, all ...string) asl.Handler {
	n := 0
	return func(_ context.Context, payload json.RawMessage) (json.RawMessage, error) {
		*calls = append(*calls, string(payload))
		answer := all[min(n, len(all)-1)]
		n++
		if name, failed := strings.CutPrefix(answer, "!"); failed {
			return nil, &asl.Error{Name: name, Cause: "why"}
		}
		return json.RawMessage(answer), nil
	}
}

// outcome is what a test compares of an execution.
type outcome struct {
	Status asl.Status
	Output string
	Error  string
	Path   string
	Events int
}

func outcomeOf(e *asl.Execution) outcome {
	return outcome{e.Status, string(e.Output), e.Error, strings.Join(e.Path(), " "), e.Events()}
}

func TestStatesDoWhatTheLanguageSays(t *testing.T) {
	for _, tt := range []struct {
		name, states, input string
		answers             []string
		want                outcome
	}{
		{
			name:   "an output is given on as the next input, with whole numbers kept",
			states: `"A":{"Type":"Pass","Output":{"n":"{% $states.input.n %}","all":"{% $states.input %}","z":null},"Next":"B"},"B":{"Type":"Succeed"}`,
			input:  `{"n":9007199254740993,"s":"<&>","nil":null}`,
			want:   outcome{asl.Succeeded, `{"all":{"n":9007199254740993,"nil":null,"s":"<&>"},"n":9007199254740993,"z":null}`, "", "A B", 6},
		},
		{
			name: "Assign and Output see the variables as they were before",
			states: `"A":{"Type":"Pass","Assign":{"x":1,"y":10},"Next":"B"},
				"B":{"Type":"Pass","Assign":{"x":"{% $y %}","y":"{% $x %}"},"Output":"{% $x %}","Next":"C"},
				"C":{"Type":"Succeed","Output":"{% [$states.input, $x, $y] %}"}`,
			want: outcome{asl.Succeeded, `[1,10,1]`, "", "A B C", 8},
		},
		{
			name: "the first rule that holds is taken, with its own Assign and Output",
			states: `"A":{"Type":"Choice","Choices":[
				{"Condition":"{% $states.input.k = 1 %}","Next":"B"},
				{"Condition":"{% $states.input.k = 2 %}","Assign":{"x":"two"},"Output":"{% $states.context.State.Name %}","Next":"B2"},
				{"Condition":"{% true %}","Next":"B"}],"Default":"B"},
				"B":{"Type":"Succeed"},"B2":{"Type":"Succeed","Output":"{% $x & $states.input %}"}`,
			input: `{"k":2}`,
			want:  outcome{asl.Succeeded, `"twoA"`, "", "A B2", 6},
		},
		{
			name:   "Assign and Output of a Choice belong to its Default",
			states: `"A":{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"B"}],"Assign":{"x":1},"Output":"d","Default":"B2"},"B":{"Type":"Succeed"},"B2":{"Type":"Succeed","Output":"{% $states.input & $string($x) %}"}`,
			want:   outcome{asl.Succeeded, `"d1"`, "", "A B2", 6},
		},
		{
			name:   "no rule and no Default fails",
			states: `"A":{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"B"}]},"B":{"Type":"Succeed"}`,
			want:   outcome{asl.Failed, "", "States.NoChoiceMatched", "A", 3},
		},
		{
			name:   "a condition that is no boolean fails",
			states: `"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.k %}","Next":"B"}]},"B":{"Type":"Succeed"}`,
			input:  `{"k":"true"}`,
			want:   outcome{asl.Failed, "", "States.QueryEvaluationError", "A", 4},
		},
		{
			name:   "what is missing fails in a template",
			states: `"A":{"Type":"Pass","Output":{"n":"{% $states.input.missing %}"},"End":true}`,
			want:   outcome{asl.Failed, "", "States.QueryEvaluationError", "A", 4},
		},
		{
			name:   "what is missing is left out of an object that is one expression",
			states: `"A":{"Type":"Pass","Output":"{% {'n': $states.input.missing, 'm': 1} %}","End":true}`,
			want:   outcome{asl.Succeeded, `{"m":1}`, "", "A", 4},
		},
		{
			name:   "a text is made of scalars",
			states: `"A":{"Type":"Pass","Output":"{% [$string($states.input.n), $string($states.input.s), $string($states.input.t), $string($states.input.z), $string($states.input.missing)] %}","End":true}`,
			input:  `{"n":12,"s":"s","t":true,"z":null}`,
			want:   outcome{asl.Succeeded, `["12","s","true","null"]`, "", "A", 4},
		},
		{
			name:   "a text is not made of objects, for the library writes them differently",
			states: `"A":{"Type":"Pass","Output":"{% $string($states.input) %}","End":true}`,
			want:   outcome{asl.Failed, "", "States.QueryEvaluationError", "A", 4},
		},
		{
			name:   "Fail gives its error and cause",
			states: `"A":{"Type":"Fail","Error":"{% $states.input.e %}","Cause":"c"}`,
			input:  `{"e":"Mine"}`,
			want:   outcome{asl.Failed, "", "Mine", "A", 3},
		},
		{
			name:   "branches run side by side, read outer variables and give a list",
			states: `"A":{"Type":"Pass","Assign":{"x":7},"Next":"P"},"P":{"Type":"Parallel","Branches":[{"StartAt":"P1","States":{"P1":{"Type":"Pass","Assign":{"y":"{% $x %}"},"Next":"P2"},"P2":{"Type":"Pass","Output":"{% $y + 1 %}","End":true}}},{"StartAt":"Q1","States":{"Q1":{"Type":"Pass","Assign":{"y":1},"End":true}}}],"End":true}`,
			input:  `{"in":1}`,
			want:   outcome{asl.Succeeded, `[8,{"in":1}]`, "", "A P P1 P2 Q1", 14},
		},
		{
			name:   "a Map selects per item and keeps the order",
			states: `"A":{"Type":"Map","Items":"{% [1..3] %}","ItemSelector":{"i":"{% $states.context.Map.Item.Index %}","v":"{% $states.context.Map.Item.Value %}","k":"{% $states.input.k %}"},"MaxConcurrency":2,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{"Type":"Pass","Output":"{% [$states.input.i, $states.input.v, $states.input.k, $states.context.Map.Item.Value] %}","End":true}}},"End":true}`,
			input:  `{"k":"x"}`,
			want:   outcome{asl.Succeeded, `[[0,1,"x",1],[1,2,"x",2],[2,3,"x",3]]`, "", "A M M M", 18},
		},
		{
			name:   "a Map without ItemSelector gives the item, and nothing for no items",
			states: `"A":{"Type":"Map","Items":"{% $states.input %}","MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{"Type":"Pass","End":true}}},"Next":"B"},"B":{"Type":"Map","Items":[],"MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"N","States":{"N":{"Type":"Pass","End":true}}},"Output":"{% [$states.input, $states.result] %}","End":true}`,
			input:  `["a","b"]`,
			want:   outcome{asl.Succeeded, `["a","b"]`, "", "A M M B", 18},
		},
		{
			name:   "Items that are no list fail, and Catch sees it",
			states: `"A":{"Type":"Map","Items":"{% $states.input.n %}","MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{"Type":"Pass","End":true}}},"Catch":[{"ErrorEquals":["States.QueryEvaluationError"],"Output":"caught","Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			input:  `{"n":1}`,
			want:   outcome{asl.Succeeded, `"caught"`, "", "A B", 7},
		},
		{
			name:   "a task sends its payload and takes the function's answer",
			states: `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{"a":"{% $states.input.a %}"}},"Output":"{% $states.result.Payload.b & ' ' & $string($states.result.StatusCode) %}","Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["X"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			input:  `{"a":5}`, answers: []string{`{"b":"yes"}`},
			want: outcome{asl.Succeeded, `"yes 200"`, "", "A", 7},
		},
		{
			name:    "an error that nothing takes fails the execution",
			states:  `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["X"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			answers: []string{`!Y`},
			want:    outcome{asl.Failed, "", "Y", "A", 6},
		},
		{
			name: "Catch takes the first that matches, with Assign and Output, and the error as default output",
			states: `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"],"MaxAttempts":0}],"Catch":[
				{"ErrorEquals":["Z"],"Next":"C"},
				{"ErrorEquals":["X","Y"],"Assign":{"e":"{% $states.errorOutput.Error %}"},"Next":"B"},
				{"ErrorEquals":["States.ALL"],"Next":"C"}],"Next":"C"},"B":{"Type":"Succeed","Output":"{% [$states.input, $e] %}"},"C":{"Type":"Succeed"}`,
			answers: []string{`!Y`},
			want:    outcome{asl.Succeeded, `[{"Cause":"why","Error":"Y"},"Y"]`, "", "A B", 9},
		},
		{
			name:    "the output of Catch is not caught again",
			states:  `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"],"MaxAttempts":0}],"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.input.missing %}","Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			answers: []string{`!Y`},
			want:    outcome{asl.Failed, "", "States.QueryEvaluationError", "A", 7},
		},
		{
			name:    "States.TaskFailed takes every error but a timeout",
			states:  `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"],"MaxAttempts":0}],"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"B"}],"End":true},"B":{"Type":"Succeed","Output":"caught"}`,
			answers: []string{`!States.Timeout`},
			want:    outcome{asl.Failed, "", "States.Timeout", "A", 6},
		},
		{
			name:    "a function without an answer gives null, one without JSON an error",
			states:  `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Output":"{% $states.result.Payload %}","Retry":[{"ErrorEquals":["Lambda.Unknown"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["X"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			answers: []string{`{`, ``},
			want:    outcome{asl.Succeeded, `null`, "", "A", 10},
		},
		{
			name:   "a failing item stops the Map with its own error",
			states: `"A":{"Type":"Map","Items":[1,2,3],"MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{"Type":"Fail","Error":"Mine","Cause":"c"}}},"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Error & $states.errorOutput.Cause %}","Next":"B"}],"End":true},"B":{"Type":"Succeed"}`,
			want:   outcome{asl.Succeeded, `"Minec"`, "", "A M B", 11},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			o := asl.Options{Functions: map[string]asl.Handler{"fn": answers(&calls, append(tt.answers, "null")...)}}
			o.Rand = func() float64 { return 0 }
			o.Sleep = func(context.Context, time.Duration) error { return nil }
			got := outcomeOf(load(t, fromA(tt.states)).Run(t.Context(), "x", json.RawMessage(tt.input), o))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheExecutionIsInTheContext(t *testing.T) {
	m := load(t, fromA(`"A":{"Type":"Pass","Output":"{% [$states.context.Execution.Name, $states.context.Execution.Input.a, $states.context.Execution.StartTime, $states.context.State.EnteredTime] %}","End":true}`))
	o := asl.Options{Now: clockFrom("2026-01-31T08:00:00Z", 1500)}
	e := m.Run(t.Context(), "run-1", json.RawMessage(`{"a":"b"}`), o)
	if want := `["run-1","b","2026-01-31T08:00:00.000Z","2026-01-31T08:00:01.500Z"]`; string(e.Output) != want {
		t.Errorf("output = %s, want %s", e.Output, want)
	}
}

func TestTooMuchDataFailsAndStatesAllDoesNotCatchIt(t *testing.T) {
	const limit = 256 << 10
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	task := func(catch string) string {
		return fromA(`"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":"{% $states.input %}"},"Output":"{% 'ok' %}","Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["` + catch + `"],"Output":"caught","Next":"B"}],"End":true},"B":{"Type":"Succeed"}`)
	}
	// A result is wrapped in 57 bytes: ExecutedVersion, Payload and StatusCode.
	for _, tt := range []struct {
		name, machine, input, answer string
		want                         outcome
	}{
		{"a result at the limit passes", task("X"), `1`, text(limit - 57), outcome{asl.Succeeded, `"ok"`, "", "A", 7}},
		{"a result above it fails", task("States.ALL"), `1`, text(limit - 56), outcome{asl.Failed, "", "States.DataLimitExceeded", "A", 6}},
		{"Catch by name takes it", task("States.DataLimitExceeded"), `1`, text(limit), outcome{asl.Succeeded, `"caught"`, "", "A B", 9}},
		{
			"an output above it fails", fromA(`"A":{"Type":"Pass","Output":"{% [$states.input, $states.input] %}","End":true}`),
			text(limit / 2), "",
			outcome{asl.Failed, "", "States.DataLimitExceeded", "A", 3},
		},
		{
			"variables above it fail", fromA(`"A":{"Type":"Pass","Assign":{"x":"{% $states.input %}","y":"{% $states.input %}"},"Output":1,"End":true}`),
			text(limit / 2), "",
			outcome{asl.Failed, "", "States.DataLimitExceeded", "A", 3},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			o := asl.Options{Functions: map[string]asl.Handler{"fn": answers(&calls, tt.answer)}}
			got := outcomeOf(load(t, tt.machine).Run(t.Context(), "x", json.RawMessage(tt.input), o))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheHistoryIsLimited(t *testing.T) {
	turns := `"A":{"Type":"Pass","Assign":{"n":0},"Next":"B"},
		"B":{"Type":"Pass","Assign":{"n":"{% $n + 1 %}"},"Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Condition":"{% $n = $states.context.Execution.Input %}","Next":"D"}],"Default":"B"},
		"D":{"Type":"Pass","Next":"E"},"E":`
	even := fromA(turns + `{"Type":"Succeed"}`)
	odd := fromA(turns + `{"Type":"Pass","Next":"T"},"T":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["X"],"Next":"F"}],"End":true},"F":{"Type":"Succeed"}`)
	// 2 for the execution, 4 for each turn, 2 for each other state, 5 for a task.
	for _, tt := range []struct {
		name, machine, turns string
		status               asl.Status
		failure              string
	}{
		{"25,000 events are allowed", even, "6248", asl.Succeeded, ""},
		{"25,001 are not", odd, "6247", asl.Failed, "States.Runtime"},
		{"a loop without end is ended", even, "-1", asl.Failed, "States.Runtime"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			e := load(t, tt.machine).Run(t.Context(), "x", json.RawMessage(tt.turns), asl.Options{Functions: map[string]asl.Handler{"fn": answers(&calls, "1")}})
			if e.Status != tt.status || e.Error != tt.failure || e.Events() != 25000 || strings.Contains(e.Cause, "history") != (tt.failure != "") {
				t.Errorf("%s %s %q with %d events, want %s %s with 25000", e.Status, e.Error, e.Cause, e.Events(), tt.status, tt.failure)
			}
		})
	}
}

func TestTheHistoryLimitIsNotCaught(t *testing.T) {
	m := load(t, fromA(`"A":{"Type":"Map","Items":"{% [1..13000] %}","MaxConcurrency":2,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{"Type":"Pass","Output":1,"End":true}}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"Next":"B"},"B":{"Type":"Succeed"}`))
	e := m.Run(t.Context(), "x", nil, asl.Options{})
	if e.Status != asl.Failed || e.Error != "States.Runtime" || e.Events() != 25000 {
		t.Errorf("%s %s with %d events, want FAILED States.Runtime with 25000", e.Status, e.Error, e.Events())
	}
}

func TestAnErrorOfAFunctionKeepsItsNameAndOthersAreUnknown(t *testing.T) {
	m := load(t, fromA(`"A":{`+taskTail+`,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}`))
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"named", &asl.Error{Name: "Fenced", Cause: `{"errorMessage":"m"}`}, `{"Cause":"{\"errorMessage\":\"m\"}","Error":"Fenced"}`},
		{"named and wrapped", fmt.Errorf("wrapped: %w", &asl.Error{Name: "Fenced", Cause: "c"}), `{"Cause":"c","Error":"Fenced"}`},
		{"unnamed", errors.New("secret detail"), `{"Cause":"{\"errorMessage\":\"The function did not name its error.\",\"errorType\":\"Lambda.Unknown\"}","Error":"Lambda.Unknown"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := asl.Options{Functions: map[string]asl.Handler{"fn": func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, tt.err }}}
			if e := m.Run(t.Context(), "x", nil, o); string(e.Output) != tt.want {
				t.Errorf("output = %s, want %s", e.Output, tt.want)
			}
		})
	}
}

func TestNamesOfExecutions(t *testing.T) {
	for _, name := range []string{"a", "01J8ZQ4-extract-1", "a.b_c+d=e@f!(g)'h'", strings.Repeat("x", 80), "é"} {
		if err := asl.CheckName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", 81), "a b", "a/b", "a:b", "a\x00", "a\u0085", "a*", "a?", "a#b", "a$", "a;b", "a\"b", "a,b", "{a}"} {
		if asl.CheckName(name) == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}
