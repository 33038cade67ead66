package localmachine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/statemachines"
)

// A script says what the functions answer: call → answers in turn. A call that
// it does not name, or has answered up, gets the answer of a run without trouble.
// An answer that begins with ! is the name of an error, one with @ waits first
// for that time. Calls are named like this:
//
//	plan, extract A, transform A/1, upsert A/1, upsert A/1 again (second pass),
//	finish job A, finish rest, finish round, notify
type script map[string][]string

// A world runs the real machines over scripted functions and notes what happens.
type world struct {
	*localmachine.Machines
	t      *testing.T
	script script

	mu          sync.Mutex
	calls       []string
	payloads    map[string]string // :: call → the last payload
	ended       map[string]*asl.Execution
	evaluations []asl.Evaluation
}

// newWorld loads the machine files, with replace :: old → new text in them.
func newWorld(t *testing.T, s script, replace map[string]string) *world {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"chain.asl.json", "extract.asl.json", "load.asl.json"} {
		text, err := fs.ReadFile(statemachines.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for old, other := range replace {
			text = []byte(strings.ReplaceAll(string(text), old, other))
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	w := &world{t: t, script: maps.Clone(s), payloads: map[string]string{}, ended: map[string]*asl.Execution{}}
	functions := map[string]asl.Handler{}
	for _, name := range []string{"plan", "extract", "transform", "upsert", "finish", "notify"} {
		functions[name] = w.function(name)
	}
	m, err := localmachine.New(files, localmachine.Options{
		Functions: functions,
		Rand:      func() float64 { return 0.5 },
		Ended: func(_ string, e *asl.Execution) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ended[e.Name] = e
		},
		Evaluated: func(e asl.Evaluation) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.evaluations = append(w.evaluations, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Machines = m
	return w
}

func (w *world) function(name string) asl.Handler {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
		call := callOf(w.t, name, payload)
		answer := w.next(call, string(payload))
		if delay, rest, ok := strings.Cut(strings.TrimPrefix(answer, "@"), " "); ok && strings.HasPrefix(answer, "@") {
			d, err := time.ParseDuration(delay)
			if err != nil {
				w.t.Error(err)
			}
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			answer = rest
		}
		switch failure, failed := strings.CutPrefix(answer, "!"); {
		case failed && failure == "panic":
			panic("a bug")
		case failed:
			failure, message, _ := strings.Cut(failure, " ")
			return nil, &asl.Error{Name: failure, Cause: fmt.Sprintf(`{"errorMessage":%q,"errorType":%q}`, message, failure)}
		}
		return json.RawMessage(answer), nil
	}
}

// next notes the call and returns its answer.
func (w *world) next(call, payload string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	w.payloads[call] = payload
	if scripted := w.script[call]; len(scripted) > 0 {
		w.script[call] = scripted[1:]
		return scripted[0]
	}
	switch verb, _, _ := strings.Cut(call, " "); {
	case verb == "plan":
		return `{"status":"DONE","jobs":[{"run":"A"}],"onFailure":"stop"}`
	case verb == "extract":
		return `{"status":"DONE","parts":1}`
	case call == "finish round":
		return `{"status":"DONE","outcome":"Success","again":false}`
	case verb == "finish":
		return `{"status":"DONE","outcome":"Success"}`
	default:
		return `{"status":"DONE"}`
	}
}

func callOf(t *testing.T, function string, payload json.RawMessage) string {
	var p struct {
		Scope string `json:"scope"`
		Run   string `json:"run"`
		Part  int    `json:"part"`
		Pass  int    `json:"pass"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		t.Errorf("payload of %s: %v", function, err)
	}
	switch function {
	case "extract":
		return "extract " + p.Run
	case "transform", "upsert":
		call := fmt.Sprintf("%s %s/%d", function, p.Run, p.Part)
		if p.Pass == 2 {
			call += " again"
		}
		return call
	case "finish":
		return strings.TrimSpace("finish " + p.Scope + " " + p.Run)
	}
	return function
}

// run runs an execution of the chain machine to its end.
func (w *world) run(name, input string) machine.Execution {
	w.t.Helper()
	if err := w.Start(w.t.Context(), name, json.RawMessage(input)); err != nil {
		w.t.Fatal(err)
	}
	e, err := w.Wait(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// count returns how often a call was made.
func (w *world) count(call string) int {
	n := 0
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

// inBubble runs the test in virtual time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
