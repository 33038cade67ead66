package asl_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/asl"
)

// clockFrom returns a clock that goes on by step milliseconds with every look.
func clockFrom(start string, step int) func() time.Time {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		panic(err)
	}
	at = at.Add(-time.Duration(step) * time.Millisecond)
	return func() time.Time {
		at = at.Add(time.Duration(step) * time.Millisecond)
		return at
	}
}

func TestWaitSleepsUntilItsTime(t *testing.T) {
	for _, tt := range []struct {
		name, wait, input, failure string
		want                       []time.Duration
	}{
		{name: "a time", wait: `"Timestamp":"{% $states.input %}"`, input: `"2026-01-31T08:00:10.5Z"`, want: []time.Duration{10500 * time.Millisecond}},
		{name: "a time with a zone", wait: `"Timestamp":"2026-01-31T10:00:10+02:00"`, input: `1`, want: []time.Duration{10 * time.Second}},
		{name: "a time in the past", wait: `"Timestamp":"{% $states.input %}"`, input: `"2026-01-31T07:00:00Z"`},
		{name: "seconds", wait: `"Seconds":90`, input: `1`, want: []time.Duration{90 * time.Second}},
		{name: "computed seconds", wait: `"Seconds":"{% $states.input %}"`, input: `3`, want: []time.Duration{3 * time.Second}},
		{name: "no time", wait: `"Timestamp":"{% $states.input %}"`, input: `"tomorrow"`, failure: "States.QueryEvaluationError"},
		{name: "no seconds", wait: `"Seconds":"{% $states.input %}"`, input: `-1`, failure: "States.QueryEvaluationError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := load(t, fromA(`"A":{"Type":"Wait",`+tt.wait+`,"Next":"B"},"B":{"Type":"Succeed"}`))
			var slept []time.Duration
			e := m.Run(t.Context(), "x", json.RawMessage(tt.input), asl.Options{
				Now:   clockFrom("2026-01-31T08:00:00Z", 0),
				Sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
			})
			if diff := cmp.Diff(tt.want, slept); diff != "" || e.Error != tt.failure {
				t.Errorf("error %q, want %q; slept: %s", e.Error, tt.failure, diff)
			}
		})
	}
}

func TestEveryRetrierCountsForItself(t *testing.T) {
	m := load(t, fromA(`"A":{`+taskTail+`,"Arguments":{"FunctionName":"${Fn}","Payload":{}},
		"Retry":[
			{"ErrorEquals":["X"],"IntervalSeconds":2,"BackoffRate":3,"MaxAttempts":3,"MaxDelaySeconds":10},
			{"ErrorEquals":["Y"],"IntervalSeconds":8,"MaxAttempts":2,"JitterStrategy":"FULL"},
			{"ErrorEquals":["Z"]}],
		"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Error %}","Next":"B"}],"Next":"B"},
		"B":{"Type":"Choice","Choices":[{"Condition":"{% $states.input = 'again' %}","Next":"A"}],"Default":"C"},"C":{"Type":"Succeed"}`))
	for _, tt := range []struct {
		name    string
		answers []string
		want    []time.Duration
		output  string
		events  int
	}{
		{"the delay grows up to its limit", []string{"!X", "!X", "!X", "!X"}, seconds(2, 6, 10), `"X"`, 20},
		{"errors of different kinds do not use up each other", []string{"!X", "!Y", "!X", "!Y", "!X", "!Y"}, seconds(2, 2, 6, 4, 10), `"Y"`, 26},
		{"the defaults are 1 second, doubled, 3 times", []string{"!Z", "!Z", "!Z", "!Z"}, seconds(1, 2, 4), `"Z"`, 20},
		{"an error that no retrier names is not tried again", []string{"!W"}, nil, `"W"`, 11},
		{"success ends it", []string{"!X", `1`}, seconds(2), "1", 14},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var slept []time.Duration
			var calls []string
			e := m.Run(t.Context(), "x", nil, asl.Options{
				Functions: map[string]asl.Handler{"fn": answers(&calls, tt.answers...)},
				Rand:      func() float64 { return 0.25 },
				Sleep:     func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
			})
			if tt.output == "1" {
				tt.output = `{"ExecutedVersion":"$LATEST","Payload":1,"StatusCode":200}`
			}
			if diff := cmp.Diff(tt.want, slept); diff != "" {
				t.Errorf("delays: %s", diff)
			}
			if string(e.Output) != tt.output || len(calls) != len(tt.answers) || e.Events() != tt.events {
				t.Errorf("output %s after %d calls, %d events; want %s, %d, %d", e.Output, len(calls), e.Events(), tt.output, len(tt.answers), tt.events)
			}
		})
	}
}

func seconds(all ...int) []time.Duration {
	out := make([]time.Duration, len(all))
	for i, n := range all {
		out[i] = time.Duration(n) * time.Second
	}
	return out
}

func TestRetriersStartAnewWhenTheStateIsEnteredAgain(t *testing.T) {
	m := load(t, fromA(`"A":{`+taskTail+`,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Output":"{% $states.result.Payload %}",
		"Retry":[{"ErrorEquals":["X"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Output":"lost","Next":"B"}],"Next":"B"},
		"B":{"Type":"Choice","Choices":[{"Condition":"{% $states.input = 'again' %}","Next":"A"}],"Default":"C"},"C":{"Type":"Succeed"}`))
	var calls []string
	e := m.Run(t.Context(), "x", nil, asl.Options{
		Functions: map[string]asl.Handler{"fn": answers(&calls, "!X", `"again"`, "!X", `"done"`)},
		Sleep:     func(context.Context, time.Duration) error { return nil },
	})
	if string(e.Output) != `"done"` || len(calls) != 4 {
		t.Errorf("output %s after %d calls, want \"done\" after 4", e.Output, len(calls))
	}
}

// slow is a machine with one task of 70 seconds; its function has 60.
const slow = `"A":{` + taskTail + `,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Error %}","Next":"B"}],"End":true},"B":{"Type":"Succeed"}`

func TestTimeouts(t *testing.T) {
	hang := func(ctx context.Context, _ json.RawMessage) (json.RawMessage, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	deaf := func(context.Context, json.RawMessage) (json.RawMessage, error) {
		time.Sleep(2 * time.Minute)
		return nil, nil
	}
	late := func(context.Context, json.RawMessage) (json.RawMessage, error) {
		time.Sleep(65 * time.Second)
		return json.RawMessage(`1`), nil
	}
	nested := `"A":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":900,"End":true}}}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"Next":"B"},"B":{"Type":"Succeed"}`
	for _, tt := range []struct {
		name, machine string
		handler       asl.Handler
		want          outcome
		after         time.Duration
	}{
		{"a function that ends at its deadline was stopped", fromA(slow), hang, outcome{asl.Succeeded, `"Sandbox.Timedout"`, "", "A B", 9}, 60 * time.Second},
		{"an answer after the function's time is lost", fromA(slow), late, outcome{asl.Succeeded, `"Sandbox.Timedout"`, "", "A B", 9}, 65 * time.Second},
		{"a function that does not end is left behind", fromA(slow), deaf, outcome{asl.Succeeded, `"States.Timeout"`, "", "A B", 9}, 70 * time.Second},
		{
			"the machine's time ends everything and nothing catches it", `{"TimeoutSeconds":600,` + fromA(nested)[1:], hang,
			outcome{asl.TimedOut, "", "States.Timeout", "A W", 5},
			600 * time.Second,
		},
		{"the machine's time comes before a task's", `{"TimeoutSeconds":30,` + fromA(slow)[1:], hang, outcome{asl.TimedOut, "", "States.Timeout", "A", 5}, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				e := load(t, tt.machine).Run(t.Context(), "x", nil, asl.Options{Functions: map[string]asl.Handler{"fn": tt.handler}})
				if took := time.Since(begin); took != tt.after {
					t.Errorf("took %s, want %s", took, tt.after)
				}
				if diff := cmp.Diff(tt.want, outcomeOf(e)); diff != "" {
					t.Error(diff)
				}
				time.Sleep(time.Hour) // until the function that was left behind has ended
			})
		})
	}
}

func TestAFunctionSeesItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		load(t, fromA(slow)).Run(t.Context(), "x", nil, asl.Options{Functions: map[string]asl.Handler{
			"fn": func(ctx context.Context, _ json.RawMessage) (json.RawMessage, error) {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return nil, nil
			},
		}})
		if left != 60*time.Second {
			t.Errorf("the function has %s, want 60s", left)
		}
	})
}

func TestACancelledExecutionIsAbortedAtOnce(t *testing.T) {
	deaf := func(context.Context, json.RawMessage) (json.RawMessage, error) {
		time.Sleep(time.Hour)
		return nil, nil
	}
	for _, tt := range []struct{ name, states, path string }{
		{"in a function that does not listen", slow, "A"},
		{"in a wait", `"A":{"Type":"Wait","Seconds":900,"End":true}`, "A"},
		{"in a branch", `"A":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":900,"End":true}}}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"Next":"B"},"B":{"Type":"Succeed"}`, "A W"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute/2, func() { cancel(errors.New("somebody stopped it")) })
				begin := time.Now()
				e := load(t, fromA(tt.states)).Run(ctx, "x", nil, asl.Options{Functions: map[string]asl.Handler{"fn": deaf}})
				if took := time.Since(begin); took != 30*time.Second {
					t.Errorf("took %s, want 30s", took)
				}
				got := outcomeOf(e)
				if got.Status != asl.Aborted || e.Cause != "somebody stopped it" || got.Path != tt.path {
					t.Errorf("%s %q at %s, want ABORTED with the cause at %s", got.Status, e.Cause, got.Path, tt.path)
				}
				time.Sleep(time.Hour) // until the function that was left behind has ended
			})
		})
	}
}

func TestAFailedBranchStopsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := load(t, fromA(`"A":{"Type":"Parallel","Branches":[
			{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":900,"Next":"W2"},"W2":{"Type":"Succeed"}}},
			{"StartAt":"V","States":{"V":{"Type":"Wait","Seconds":5,"Next":"F"},"F":{"Type":"Fail","Error":"Mine"}}}],
			"Catch":[{"ErrorEquals":["Mine"],"Output":"caught","Next":"B"}],"Next":"B"},"B":{"Type":"Succeed"}`))
		begin := time.Now()
		got := outcomeOf(m.Run(t.Context(), "x", nil, asl.Options{}))
		want := outcome{asl.Succeeded, `"caught"`, "", "A W V F B", 12}
		if diff := cmp.Diff(want, got); diff != "" || time.Since(begin) != 5*time.Second {
			t.Errorf("after %s: %s", time.Since(begin), diff)
		}
	})
}

func TestAMapRunsAsManyItemsAtOnceAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := load(t, fromA(`"A":{"Type":"Map","Items":[1,2,3,4,5],"MaxConcurrency":2,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{`+taskTail+`,"Arguments":{"FunctionName":"${Fn}","Payload":{}},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["X"],"Next":"N"}],"End":true},"N":{"Type":"Succeed"}}},"End":true}`))
		var now, most atomic.Int64
		begin := time.Now()
		e := m.Run(t.Context(), "x", nil, asl.Options{Functions: map[string]asl.Handler{
			"fn": func(context.Context, json.RawMessage) (json.RawMessage, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return nil, nil
			},
		}})
		if e.Status != asl.Succeeded || most.Load() != 2 || time.Since(begin) != 3*time.Second {
			t.Errorf("%s, %d at once, after %s; want SUCCEEDED, 2, 3s", e.Status, most.Load(), time.Since(begin))
		}
	})
}

func TestAFailedItemStopsTheItemsAfterIt(t *testing.T) {
	m := load(t, fromA(`"A":{"Type":"Map","Items":[1,2,3,4,5],"MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"M","States":{"M":{`+taskTail+`,"Arguments":{"FunctionName":"${Fn}","Payload":"{% $states.input %}"},"Retry":[{"ErrorEquals":["X"]}],"Catch":[{"ErrorEquals":["X"],"Next":"N"}],"End":true},"N":{"Type":"Succeed"}}},"End":true}`))
	var calls []string
	e := m.Run(t.Context(), "x", nil, asl.Options{Functions: map[string]asl.Handler{"fn": answers(&calls, "1", "!Fenced")}})
	if e.Error != "Fenced" || len(calls) != 2 {
		t.Errorf("error %q after %d calls, want Fenced after 2", e.Error, len(calls))
	}
}
