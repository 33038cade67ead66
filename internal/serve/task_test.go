package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/serve"
)

type in struct {
	Run  string `json:"run"`
	Part int    `json:"part"`
	Sub  struct {
		Flag bool `json:"flag"`
	} `json:"sub"`
}

type out struct {
	Status string `json:"status"`
	Again  int    `json:"again"`
}

// lines decodes a log without its times.
func lines(t *testing.T, log string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		delete(one, "time")
		all = append(all, one)
	}
	return all
}

func TestTaskHandsOverWhatWorksAndLogsOneLine(t *testing.T) {
	var log bytes.Buffer
	task := serve.Task(serve.NewLog(&log, slog.LevelInfo), func(_ context.Context, i in) (out, error) { return out{"MORE", 2 * i.Part}, nil }, "run", "part")
	got, err := task(t.Context(), []byte(`{"run":"01A","part":4,"later":"canary"}`))
	if string(got) != `{"status":"MORE","again":8}` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	want := []map[string]any{{"level": "INFO", "msg": "task done", "run": "01A", "part": 4.0, "status": "MORE"}}
	if d := cmp.Diff(want, lines(t, log.String())); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}

func TestLogLinesSayWhatTheyAreAbout(t *testing.T) {
	tests := []struct {
		event string
		want  map[string]any
	}{
		{`{"run":"01A","part":3,"pass":2}`, map[string]any{"run": "01A", "part": 3.0, "pass": 2.0}},
		{`{"scope":"round","execution":"e1","round":1}`, map[string]any{"scope": "round", "execution": "e1", "round": 1.0}},
		{`{"detail-type":"Step Functions Execution Status Change","detail":{"name":"e2","status":"FAILED"}}`, map[string]any{"execution": "e2", "ended": "FAILED"}},
		{`{"detail-type":"Scheduled Event","detail":{}}`, map[string]any{}},
		{``, map[string]any{}},
		{`[]`, map[string]any{}},
	}
	for _, tt := range tests {
		t.Run(tt.event, func(t *testing.T) {
			var log bytes.Buffer
			l := serve.NewLog(&log, slog.LevelInfo).With("function", "f")
			_, err := serve.Task(l, func(ctx context.Context, _ json.RawMessage) (out, error) {
				l.InfoContext(ctx, "at work")
				return out{}, nil
			})(t.Context(), []byte(tt.event))
			if err != nil {
				t.Fatal(err)
			}
			tt.want["function"], tt.want["level"], tt.want["msg"] = "f", "INFO", "at work"
			if d := cmp.Diff(tt.want, lines(t, log.String())[0]); d != "" {
				t.Errorf("line (-want +got):\n%s", d)
			}
		})
	}
}

// A wrong event is one sentence, of kind Invalid, that quotes no value, and the
// step does not see it.
func TestMalformedEventsAreRefused(t *testing.T) {
	const way = " Start the function through its state machine."
	tests := []struct{ name, event, want string }{
		{"nothing", ``, `The event has no "run" and no "part".` + way},
		{"null", `null`, `The event has no "run" and no "part".` + way},
		{"no fields", `{}`, `The event has no "run" and no "part".` + way},
		{"empty fields", `{"run":"","part":0}`, `The event has no "run" and no "part".` + way},
		{"null fields", `{"run":null,"part":1}`, `The event has no "run".` + way},
		{"not JSON", `canary`, `The event is not JSON.` + way},
		{"cut off", `{"run":"canary`, `The event is not JSON.` + way},
		{"two values", `{"run":"a","part":1}{}`, `The event is not JSON.` + way},
		{"a list", `["canary"]`, `The event is not of the form that the function takes.` + way},
		{"a text", `"canary"`, `The event is not of the form that the function takes.` + way},
		{"a field of another type", `{"run":"a","part":"canary"}`, `The event's field "part" is not of the type that the function takes.` + way},
		{"a fraction", `{"run":"a","part":1.5}`, `The event's field "part" is not of the type that the function takes.` + way},
		{"a deep field", `{"run":"a","part":1,"sub":{"flag":"canary"}}`, `The event's field "sub.flag" is not of the type that the function takes.` + way},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			task := serve.Task(serve.NewLog(&log, slog.LevelInfo), func(context.Context, in) (out, error) {
				t.Error("the step was called")
				return out{}, nil
			}, "run", "part")
			answer, err := task(t.Context(), []byte(tt.event))
			name, cause := serve.Failure(err)
			var said map[string]string
			_ = json.Unmarshal([]byte(cause), &said)
			if answer != nil || name != string(fault.Invalid) || said["errorMessage"] != tt.want {
				t.Errorf("%s, %s: %s\nwant %s", answer, name, said["errorMessage"], tt.want)
			}
			if got := lines(t, log.String()); len(got) != 1 || strings.Contains(log.String(), "canary") || got[0]["kind"] != "Invalid" {
				t.Errorf("log %s", log.String())
			}
		})
	}
}

func TestAStepThatPanicsIsInternalAndGoesOn(t *testing.T) {
	var log bytes.Buffer
	var empty []int
	panics := map[string]func(){
		"index":  func() { empty[len(empty)+3] = 1 },
		"custom": func() { panic("canary") },
		"error":  func() { panic(fault.New(fault.Transient, "canary")) },
	}
	task := serve.Task(serve.NewLog(&log, slog.LevelInfo), func(_ context.Context, name string) (string, error) {
		if panics[name] != nil {
			panics[name]()
		}
		return "fine", nil
	})
	for name, text := range map[string]string{"index": "index out of range [3]", "custom": "string", "error": "*fault.Error"} {
		log.Reset()
		answer, err := task(t.Context(), []byte(`"`+name+`"`))
		if kind, _ := serve.Failure(err); answer != nil || kind != string(fault.Internal) {
			t.Errorf("%s: %s, %s", name, answer, kind)
		}
		got := lines(t, log.String())
		if len(got) != 2 || !strings.Contains(got[0]["panic"].(string), text) || strings.Contains(log.String(), "canary") {
			t.Fatalf("%s: log %s", name, log.String())
		}
		if calls := got[0]["stack"].([]any); !strings.Contains(calls[0].(string)+calls[1].(string), "task_test.go:") {
			t.Errorf("%s: the stack does not begin where it panicked: %v", name, calls)
		}
	}
	if answer, err := task(t.Context(), []byte(`"x"`)); string(answer) != `"fine"` || err != nil {
		t.Errorf("afterwards: %s, %v", answer, err)
	}
}

func TestAnAnswerThatIsNoJSONIsInternal(t *testing.T) {
	task := serve.Task(slog.New(slog.DiscardHandler), func(context.Context, int) (any, error) { return func() {}, nil })
	answer, err := task(t.Context(), []byte("1"))
	if kind, _ := serve.Failure(err); answer != nil || kind != string(fault.Internal) {
		t.Errorf("%s, %s", answer, kind)
	}
}

func TestReadProcess(t *testing.T) {
	e := env(map[string]string{})
	if p := serve.ReadProcess(e); p.Level != slog.LevelInfo || p.Stack != "hubspot-gainsight" || e.Err() != nil {
		t.Errorf("%+v, %v", p, e.Err())
	}
	e = env(map[string]string{"LOG_LEVEL": "debug", "STACK": "prod"})
	if p := serve.ReadProcess(e); p.Level != slog.LevelDebug || p.Stack != "prod" || e.Err() != nil {
		t.Errorf("%+v, %v", p, e.Err())
	}
	e = env(map[string]string{"LOG_LEVEL": "loud"})
	serve.ReadProcess(e)
	if want := "Correct these: LOG_LEVEL must be debug, info, warn or error."; fault.MessageOf(e.Err()) != want {
		t.Errorf("%v, want %s", e.Err(), want)
	}
	if d := cmp.Diff([]string{"LOG_LEVEL", "STACK"}, e.Asked()); d != "" {
		t.Error(d)
	}
}
