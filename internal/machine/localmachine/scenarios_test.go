package localmachine_test

import (
	"strings"
	"time"

	"hubspotconnector/internal/machine"
)

// success is the output of a chain machine whose round went well.
const success = `{"again":false,"status":"Success"}`

func scenarios() []scenario {
	all := []scenario{}
	for _, group := range [][]scenario{chainScenarios(), brokenScenarios(), extractScenarios(), loadScenarios(), partScenarios()} {
		all = append(all, group...)
	}
	return all
}

// oneJob is what a chain of one job does when all goes well.
func oneJob(more map[string]trace) map[string]trace {
	out := map[string]trace{
		"run":         {begin + lastJob + end, 55},
		"A-extract-1": {extracted, 11},
		"A-load-1":    {loading + part + loaded, 39},
	}
	for name, t := range more {
		out[name] = t
	}
	return out
}

func chainScenarios() []scenario {
	return []scenario{
		{
			name:   "one job with one part",
			output: success,
			traces: oneJob(nil),
			sent: map[string]string{
				"plan":          `{"execution":"run","input":{"chain":"c"},"round":1}`,
				"extract A":     `{"run":"A"}`,
				"transform A/1": `{"part":1,"pass":1,"run":"A"}`,
				"upsert A/1":    `{"part":1,"pass":1,"run":"A"}`,
				"finish job A":  `{"extract":{"parts":1,"status":"DONE"},"failed":0,"run":"A","scope":"job"}`,
				"finish round":  `{"execution":"run","round":1,"scope":"round"}`,
				"notify":        `{"execution":"run","round":1}`,
			},
		},
		{
			name:   "the second job is extracted while the first one is loaded",
			script: script{"plan": {twoJobs}, "upsert A/1": {`@10m {"status":"DONE"}`}, "extract B": {`@9m {"status":"DONE","parts":1}`}},
			output: success, took: 10 * time.Minute,
			traces: oneJob(map[string]trace{
				"run":         {begin + job + lastJob + end, 81},
				"B-extract-1": {extracted, 11},
				"B-load-1":    {loading + part + loaded, 39},
			}),
		},
		{
			name:   "nothing to do",
			script: script{"plan": {`{"status":"NOTHING"}`}},
			output: `{"status":"NOTHING"}`,
			traces: map[string]trace{"run": {open + " PlanRound IsPlanned NothingToDo", 15}},
		},
		{
			name:   "planning takes turns and waits",
			script: script{"plan": {more, waitFor}},
			output: success, took: time.Hour,
			traces: oneJob(map[string]trace{"run": {open + " PlanRound IsPlanned PlanRound IsPlanned WaitToPlan " + planned + lastJob + end, 55 + 7 + 9}}),
			calls:  map[string]int{"plan": 3},
		},
		{
			name:   "a window is waited for",
			input:  `{"mode":"marked","waitUntil":"2000-01-01T00:01:00Z"}`,
			output: success, took: time.Minute,
			traces: oneJob(map[string]trace{"run": {open + " WaitForWindow " + planned + lastJob + end, 57}}),
		},
		{
			name:   "a failed job stops the chain",
			script: script{"plan": {twoJobs}, "finish job A": {failed}, "finish round": {`{"status":"DONE","outcome":"Failed","again":false}`}},
			output: `{"again":false,"status":"Failed"}`,
			traces: oneJob(map[string]trace{
				"run":         {begin + job + " DoesFailureStop SkipRest" + end, 68},
				"B-extract-1": {extracted, 11},
			}),
			sent:  map[string]string{"finish rest": `{"execution":"run","round":1,"scope":"rest"}`, "finish round": `{"execution":"run","round":1,"scope":"round"}`},
			calls: map[string]int{"finish job B": 0},
		},
		{
			name:   "a failed job does not stop a chain that goes on",
			script: script{"plan": {strings.Replace(twoJobs, "stop", "continue", 1)}, "finish job A": {failed}},
			output: success,
			traces: oneJob(map[string]trace{
				"run":         {begin + job + " DoesFailureStop" + lastJob + end, 83},
				"B-extract-1": {extracted, 11},
				"B-load-1":    {loading + part + loaded, 39},
			}),
			calls: map[string]int{"finish rest": 0},
		},
		{
			name: "what is left makes another round, with new runs",
			script: script{
				"plan":         {`{"status":"DONE","jobs":[{"run":"A"}],"onFailure":"stop"}`, `{"status":"DONE","jobs":[{"run":"B"}],"onFailure":"stop"}`},
				"finish round": {`{"status":"DONE","outcome":"Partial Success","again":true}`},
			},
			output: success,
			traces: oneJob(map[string]trace{
				"run":         {begin + lastJob + closing + " OpenNextRound " + planned + lastJob + end, 6 + 2*23 + 2*26},
				"B-extract-1": {extracted, 11},
				"B-load-1":    {loading + part + loaded, 39},
			}),
			sent: map[string]string{
				"plan":         `{"execution":"run","input":{"chain":"c"},"round":2}`,
				"finish round": `{"execution":"run","round":2,"scope":"round"}`,
				"notify":       `{"execution":"run","round":2}`,
			},
		},
		{
			name:   "a failing mail fails no run",
			script: script{"notify": {"!Invalid No address."}},
			output: success,
			traces: oneJob(nil),
		},
		{
			name:   "a mail that may pass later is tried five times",
			script: script{"notify": {"!Transient t", "!Transient t", "!Transient t", "!Transient t", "!Transient t"}},
			output: success, took: 75 * time.Second, // half of 10, 20, 40, 80
			traces: oneJob(map[string]trace{"run": {begin + lastJob + end, 55 + 4*3}}),
			calls:  map[string]int{"notify": 5},
		},
	}
}

func brokenScenarios() []scenario {
	return []scenario{
		{
			name:   "a chain that cannot be planned is closed",
			script: script{"plan": {"!Invalid There is no chain c."}},
			output: success,
			traces: map[string]trace{"run": {open + " PlanRound" + end, 6 + 5 + 5 + 5 + 2 + 2}},
			sent: map[string]string{"finish round": `{"broken":{"cause":"{\"errorMessage\":\"There is no chain c.\",\"errorType\":\"Invalid\"}","error":"Invalid"},` +
				`"execution":"run","round":1,"scope":"round"}`},
			calls: map[string]int{"plan": 1},
		},
		{
			name:   "a plan of an unknown status fails the execution",
			script: script{"plan": {`{"status":"WHAT"}`}},
			status: machine.Failed, failure: "States.NoChoiceMatched: No choice of state IsPlanned matched, and it has no Default.",
			traces: map[string]trace{"run": {open + " PlanRound IsPlanned", 12}},
		},
		{
			name:   "a round that nobody closes fails the execution",
			script: script{"finish round": {"!Internal Bug."}},
			status: machine.Failed, failure: `Internal: {"errorMessage":"Bug.","errorType":"Internal"}`,
			traces: oneJob(map[string]trace{"run": {begin + lastJob + " FinishRound LeaveRoundToSweep", 47}}),
			calls:  map[string]int{"notify": 0},
		},
		{
			name:   "a load that nobody closes is a failed job",
			script: script{"plan": {twoJobs}, "finish job A": {"!Internal Bug."}},
			output: success,
			traces: map[string]trace{
				"run":         {strings.Replace(begin+job, "LoadJob", "LoadJob NoteLoadFailed", 1) + " DoesFailureStop SkipRest" + end, 70},
				"A-extract-1": {extracted, 11},
				"A-load-1":    {loading + part + " AreRowsDeferred FinishJob LeaveJobToSweep", 36},
				"B-extract-1": {extracted, 11},
			},
		},
		{
			name:   "runs that cannot be skipped are left to the end of the round",
			script: script{"plan": {twoJobs}, "finish job A": {failed}, "finish rest": {"!Internal Bug."}},
			output: success,
			traces: oneJob(map[string]trace{
				"run":         {begin + job + " DoesFailureStop SkipRest" + end, 68},
				"B-extract-1": {extracted, 11},
			}),
			sent: map[string]string{"finish round": `{"broken":{"cause":"{\"errorMessage\":\"Bug.\",\"errorType\":\"Internal\"}","error":"Internal"},"execution":"run","round":1,"scope":"round"}`},
		},
		{
			name:    "a broken branch leads to SkipRest",
			replace: brokenBranch(),
			script:  script{"finish job A": {"!Internal Bug."}},
			output:  success,
			traces: map[string]trace{
				"run":         {begin + " LoadAndExtractNext NameLoad LoadJob NoteLoadFailed IsThereANextJob ExtractNothing SkipRest" + end, 57},
				"A-extract-1": {extracted, 11},
				"A-load-1":    {loading + part + " AreRowsDeferred FinishJob LeaveJobToSweep", 36},
			},
			sent: map[string]string{"finish round": `{"broken":{"cause":"branch","error":"Broken"},"execution":"run","round":1,"scope":"round"}`},
		},
	}
}

func extractScenarios() []scenario {
	toFinish := "IsThereAnythingToLoad" + closed
	return []scenario{
		{
			name:   "an extraction takes turns and waits",
			script: script{"extract A": {more, more, waitFor}},
			output: success, took: time.Hour,
			traces: oneJob(map[string]trace{"A-extract-1": {
				"ExtractSlice IsExtracted ExtractSlice IsExtracted ExtractSlice IsExtracted WaitForHubSpot " + extracted, 11 + 7 + 7 + 9,
			}}),
			calls: map[string]int{"extract A": 4},
		},
		{
			name:   "a job that another run holds is skipped and closed",
			script: script{"extract A": {`{"status":"SKIPPED"}`}, "finish job A": {`{"status":"DONE","outcome":"Skipped"}`}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {toFinish, 13}}),
			sent:   map[string]string{"finish job A": `{"extract":{"status":"SKIPPED"},"run":"A","scope":"job"}`},
		},
		{
			name:   "an extraction that fails is closed as failed, with the reason",
			script: script{"extract A": {"!Invalid No scope."}},
			output: success,
			traces: oneJob(map[string]trace{"A-extract-1": {"ExtractSlice ExtractEnded", 9}, "A-load-1": {toFinish, 13}}),
			sent: map[string]string{"finish job A": `{"extract":{"cause":"{\"errorMessage\":\"No scope.\",\"errorType\":\"Invalid\"}","error":"Invalid","status":"FAILED"},` +
				`"run":"A","scope":"job"}`},
		},
		{
			name:   "a long reason is cut",
			script: script{"extract A": {"!Invalid " + strings.Repeat("é", 2000)}},
			output: success,
			traces: oneJob(map[string]trace{"A-extract-1": {"ExtractSlice ExtractEnded", 9}, "A-load-1": {toFinish, 13}}),
			sent: map[string]string{"finish job A": `{"extract":{"cause":"{\"errorMessage\":\"` + strings.Repeat("é", 1000-len(`{"errorMessage":"`)) +
				`","error":"Invalid","status":"FAILED"},"run":"A","scope":"job"}`},
		},
		{
			name:   "the first extraction may break, and the job's load closes it",
			script: script{"extract A": {`{"status":"WHAT"}`}},
			output: success,
			traces: oneJob(map[string]trace{"A-extract-1": {"ExtractSlice IsExtracted", 8}, "A-load-1": {toFinish, 13}}),
		},
		{
			name:   "the next extraction may break, and its own load closes it",
			script: script{"plan": {twoJobs}, "extract B": {`{"status":"WHAT"}`}},
			output: success,
			traces: oneJob(map[string]trace{
				"run":         {strings.Replace(begin+job, "ExtractNext SettleJob", "ExtractNext NoteExtractFailed SettleJob", 1) + lastJob + end, 83},
				"B-extract-1": {"ExtractSlice IsExtracted", 8},
				"B-load-1":    {toFinish, 13},
			}),
		},
		{
			name:   "an extraction that does not say how many parts there are is no success",
			script: script{"extract A": {`{"status":"DONE"}`}},
			output: success,
			traces: map[string]trace{
				"run":         {strings.Replace(begin+lastJob, "LoadJob", "LoadJob NoteLoadFailed", 1) + end, 57},
				"A-extract-1": {extracted, 11},
				"A-load-1":    {"IsThereAnythingToLoad ListParts", 6},
			},
		},
		{
			name:   "a function whose process dies is tried again",
			script: script{"extract A": {"!panic", "!panic"}},
			output: success, took: 15 * time.Second,
			traces: oneJob(map[string]trace{"A-extract-1": {extracted, 11 + 2*3}}),
		},
		{
			name:   "a function that takes too long is tried again",
			script: script{"extract A": {"@20m {}"}},
			output: success, took: 15*time.Minute + 5*time.Second,
			traces: oneJob(map[string]trace{"A-extract-1": {extracted, 11 + 3}}),
		},
	}
}
