package localmachine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/statemachines"
)

var _ machine.Machines = (*localmachine.Machines)(nil)

// sameRunsTwice runs two executions that plan the same two runs.
func sameRunsTwice(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, script{"plan": {twoJobs, twoJobs}}, nil)
	w.run("run", `{}`)
	w.run("run-2", `{}`)
	return w
}

func TestATakenNameOfAChildLeadsToTheNextNumber(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := sameRunsTwice(t)
		defer w.Close()
		var path []string
		path = append(path, strings.Fields(begin+" ExtractFirst")...)
		path = append(path, strings.Fields(" LoadAndExtractNext NameLoad LoadJob LoadJob IsThereANextJob ExtractNext ExtractNext SettleJob IsAJobLeft DidJobFail")...)
		path = append(path, strings.Fields(" LoadAndExtractNext NameLoad LoadJob LoadJob IsThereANextJob ExtractNothing SettleJob IsAJobLeft"+end)...)
		got := w.ended["run-2"]
		if diff := cmp.Diff(path, got.Path()); diff != "" {
			t.Error(diff)
		}
		// A start that is refused: entered, scheduled, started, failed, exited.
		if want := 81 + 4*5; got.Events() != want {
			t.Errorf("%d events, want %d", got.Events(), want)
		}
		for _, name := range []string{"A-extract-2", "A-load-2", "B-extract-2", "B-load-2"} {
			if e := w.ended[name]; e == nil || e.Status != asl.Succeeded {
				t.Errorf("%s did not run to its end", name)
			}
		}
	})
}

func TestTwoParentsJoinOneChild(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, script{"extract A": {`@10m {"status":"DONE","parts":1}`}}, nil)
		defer w.Close()
		for _, name := range []string{"run", "run-2"} {
			if err := w.Start(t.Context(), name, json.RawMessage(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"run", "run-2"} {
			if e, err := w.Wait(t.Context(), name); err != nil || e.Status != machine.Succeeded {
				t.Errorf("%s: %v %v", name, e.Status, err)
			}
		}
		if n := w.count("extract A"); n != 1 {
			t.Errorf("the run was extracted %d times, want once", n)
		}
	})
}

func TestANameIsOneExecution(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, script{"plan": {`@2m {"status":"NOTHING"}`}}, nil)
		defer w.Close()
		start := func(name, input string) fault.Kind {
			err := w.Start(t.Context(), name, json.RawMessage(input))
			if err == nil {
				return ""
			}
			return fault.KindOf(err)
		}
		for _, tt := range []struct {
			name, execution, input string
			want                   fault.Kind
		}{
			{"it starts", "run", `{"chain":"c"}`, ""},
			{"again with the same input joins", "run", `{ "chain": "c" }`, ""},
			{"again with another input", "run", `{"chain":"d"}`, fault.Conflict},
			{"a name that none can have", "a/b", `{}`, fault.Invalid},
			{"an input that is no JSON", "other", `{`, fault.Invalid},
			{"an input that is too large", "other", `"` + strings.Repeat("x", 256<<10) + `"`, fault.Invalid},
		} {
			if got := start(tt.execution, tt.input); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
		if e, err := w.Describe(t.Context(), "run"); err != nil || e.Status != machine.Running || !e.Ended.IsZero() {
			t.Errorf("while it runs: %+v, %v", e, err)
		}
		began := time.Now().UTC()
		e, err := w.Wait(t.Context(), "run")
		want := machine.Execution{
			Name: "run", Status: machine.Succeeded, Input: json.RawMessage(`{"chain":"c"}`), Output: json.RawMessage(`{"status":"NOTHING"}`),
			Started: began, Ended: began.Add(2 * time.Minute),
		}
		if diff := cmp.Diff(want, e); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		if got := start("run", `{"chain":"c"}`); got != fault.Conflict {
			t.Errorf("a name that has ended: %q, want Conflict", got)
		}
		if n := w.count("plan"); n != 1 {
			t.Errorf("plan was called %d times, want once", n)
		}
		_, errDescribe := w.Describe(t.Context(), "none")
		_, errWait := w.Wait(t.Context(), "none")
		for _, err := range []error{errDescribe, errWait, w.Stop(t.Context(), "none", "")} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("a name that was never started: %v", err)
			}
		}
	})
}

func TestStopEndsTheTree(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, script{"plan": {twoJobs}, "upsert A/1": {`@1h {"status":"DONE"}`}, "extract B": {waitFor}}, nil)
		defer w.Close()
		if err := w.Start(t.Context(), "run", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := w.Stop(t.Context(), "run", "Ctrl-C"); err != nil {
			t.Fatal(err)
		}
		e, err := w.Wait(t.Context(), "run")
		if err != nil || e.Status != machine.Aborted || e.Cause != "Ctrl-C" || e.Ended.Sub(e.Started) != time.Minute {
			t.Errorf("ended %s %q after %s, %v", e.Status, e.Cause, e.Ended.Sub(e.Started), err)
		}
		synctest.Wait()
		want := map[string]trace{
			"run":         {begin + " LoadAndExtractNext NameLoad LoadJob IsThereANextJob ExtractNext", 0},
			"A-extract-1": {extracted, 0},
			"A-load-1":    {loading + " TransformPart IsTransformed UpsertPart", 0},
			"B-extract-1": {"ExtractSlice IsExtracted WaitForHubSpot", 0},
		}
		got := map[string]trace{}
		for name, e := range w.ended {
			got[name] = trace{Path: strings.Join(e.Path(), " ")}
			if name != "A-extract-1" && e.Status != asl.Aborted {
				t.Errorf("%s ended %s, want ABORTED", name, e.Status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := w.Stop(t.Context(), "run", "again"); err != nil {
			t.Errorf("stopping twice: %v", err)
		}
		if e, _ := w.Describe(t.Context(), "run"); e.Cause != "Ctrl-C" {
			t.Errorf("the second stop changed the cause to %q", e.Cause)
		}
	})
}

func TestTheContextOfStartEndsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, script{"plan": {`@2m {"status":"NOTHING"}`}}, nil)
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		if err := w.Start(ctx, "run", nil); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := w.Wait(ctx, "run"); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait with a context that has ended: %v", err)
		}
		if e, err := w.Wait(t.Context(), "run"); err != nil || e.Status != machine.Succeeded {
			t.Errorf("ended %s, %v", e.Status, err)
		}
	})
}

func TestCloseReturnsWhenNoHandlerRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var running atomic.Int64
		functions := map[string]asl.Handler{"plan": func(ctx context.Context, _ json.RawMessage) (json.RawMessage, error) {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			time.Sleep(3 * time.Second) // its last write
			return nil, ctx.Err()
		}}
		m, err := localmachine.New(statemachines.Files, localmachine.Options{Functions: functions})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context(), "run", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.Close()
		if running.Load() != 0 {
			t.Error("a handler still runs")
		}
		if e, err := m.Describe(t.Context(), "run"); err != nil || e.Status != machine.Aborted {
			t.Errorf("ended %s, %v", e.Status, err)
		}
		if err := m.Start(t.Context(), "run-2", nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("a start after Close: %v", err)
		}
		m.Close()
	})
}

func TestAPanicIsLoggedAndFailsTheTask(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log bytes.Buffer
		var entered []string
		functions := map[string]asl.Handler{
			"plan": func(context.Context, json.RawMessage) (json.RawMessage, error) { panic("a bug") },
			"finish": func(_ context.Context, payload json.RawMessage) (json.RawMessage, error) {
				return json.RawMessage(`{"outcome":` + string(payload) + `,"again":false}`), nil
			},
		}
		m, err := localmachine.New(statemachines.Files, localmachine.Options{
			Functions: functions,
			Log:       slog.New(slog.NewTextHandler(&log, nil)),
			Observe: func(execution, machine, state string) {
				entered = append(entered, execution+" "+machine+" "+state)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Start(t.Context(), "run", nil); err != nil {
			t.Fatal(err)
		}
		e, err := m.Wait(t.Context(), "run")
		if want := `"broken":{"cause":"{\"errorMessage\":\"The function exited.\",\"errorType\":\"Runtime.ExitError\"}","error":"Runtime.ExitError"}`; err != nil || !strings.Contains(string(e.Output), want) {
			t.Errorf("output %s, %v; want %s", e.Output, err, want)
		}
		if n := strings.Count(log.String(), "function panicked"); n != 5 || !strings.Contains(log.String(), "a bug") {
			t.Errorf("%d panics are logged, want 5 with what they say: %s", n, log.String())
		}
		if want := "run chain PlanRound"; len(entered) != 7 || entered[2] != want {
			t.Errorf("entered %q, want the third of 7 to be %s", entered, want)
		}
	})
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	text := func(name string) []byte {
		raw, err := fs.ReadFile(statemachines.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	complete := func() fstest.MapFS {
		files := fstest.MapFS{}
		for _, name := range []string{"chain.asl.json", "extract.asl.json", "load.asl.json"} {
			files[name] = &fstest.MapFile{Data: text(name)}
		}
		return files
	}
	missing := complete()
	delete(missing, "load.asl.json")
	unknown := complete()
	unknown["extract.asl.json"] = &fstest.MapFile{Data: bytes.Replace(text("extract.asl.json"), []byte(`"Succeed"`), []byte(`"Success"`), 1)}
	for _, tt := range []struct {
		name  string
		files fs.FS
		want  string
	}{
		{"a missing file", missing, "The state machine file load.asl.json cannot be read."},
		{"an unknown construct", unknown, `A state machine file cannot be used: extract.asl.json: state ExtractEnded: the Type "Success" is not known.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := localmachine.New(tt.files, localmachine.Options{})
			if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != tt.want {
				t.Errorf("error %v, want Invalid: %s", err, tt.want)
			}
		})
	}
}

// The formulas of statemachines/README.md.
func TestHistoriesAreAsLongAsTheReadmeSays(t *testing.T) {
	parts := func(n int) []string { return []string{fmt.Sprintf(`{"status":"DONE","parts":%d}`, n)} }
	all := func(n int, verb, answer string) script {
		s := script{"extract A": parts(n)}
		for i := range n {
			s[fmt.Sprintf("%s A/%d", verb, i+1)] = []string{answer}
		}
		return s
	}
	waits := script{"extract A": parts(1)}
	for range 1000 {
		waits["upsert A/1"] = append(waits["upsert A/1"], waitFor, more)
	}
	slices := script{}
	for range 2200 {
		slices["extract A"] = append(slices["extract A"], waitFor)
	}
	rounds := script{}
	for i := range 408 {
		rounds["plan"] = append(rounds["plan"], fmt.Sprintf(`{"status":"DONE","jobs":[{"run":"R%d"}],"onFailure":"stop"}`, i))
		rounds["finish round"] = append(rounds["finish round"], fmt.Sprintf(`{"status":"DONE","outcome":"Success","again":%t}`, i < 407))
	}
	for _, tt := range []struct {
		name      string
		script    script
		execution string
		want      int
	}{
		{"400 parts", script{"extract A": parts(400)}, "A-load-1", 7221},
		{"400 parts with a second pass", all(400, "upsert", `{"status":"DONE","deferred":true}`), "A-load-1", 14427},
		{"a part with 1,000 waits and 1,000 turns", waits, "A-load-1", 21 + 18 + 9*1000 + 7*1000},
		{"an extraction with 2,200 waits", slices, "A-extract-1", 11 + 9*2200},
		{"a chain of 408 rounds of one job", rounds, "run", 6 + 408*(23+26)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, tt.script, nil)
				w.run("run", `{}`)
				w.Close()
				e := w.ended[tt.execution]
				if e.Status != asl.Succeeded || e.Events() != tt.want || e.Events() >= 20000 {
					t.Errorf("%s with %d events, want SUCCEEDED with %d", e.Status, e.Events(), tt.want)
				}
			})
		})
	}
}

func TestReasonsOf400FailedPartsFitIntoTheState(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := script{"extract A": {`{"status":"DONE","parts":400}`}}
		for i := range 400 {
			s[fmt.Sprintf("upsert A/%d", i+1)] = []string{"!Invalid " + strings.Repeat("é", 10000)}
		}
		w := newWorld(t, s, nil)
		w.run("run", `{}`)
		w.Close()
		if e := w.ended["A-load-1"]; e.Status != asl.Succeeded || !strings.Contains(w.payloads["finish job A"], `"failed":400`) {
			t.Errorf("the load ended %s %s", e.Status, e.Error)
		}
	})
}

func TestExecutionsThatEndedLongAgoFreeTheirNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := script{}
		for range 1001 {
			s["plan"] = append(s["plan"], `{"status":"NOTHING"}`)
		}
		w := newWorld(t, s, nil)
		defer w.Close()
		for i := range 1001 {
			w.run(fmt.Sprintf("run-%d", i), `{}`)
		}
		if _, err := w.Describe(t.Context(), "run-0"); !fault.Is(err, fault.NotFound) {
			t.Errorf("the oldest of 1,001: %v, want NotFound", err)
		}
		if _, err := w.Describe(t.Context(), "run-1"); err != nil {
			t.Errorf("the second: %v", err)
		}
	})
}
