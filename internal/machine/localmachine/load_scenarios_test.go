package localmachine_test

import (
	"strings"
	"time"
)

func loadScenarios() []scenario {
	return []scenario{
		{
			name:   "no records make no parts",
			script: script{"extract A": {`{"status":"DONE","parts":0}`}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + loaded, 21}}),
		},
		{
			name:   "rows that are deferred get a second pass, and only their parts",
			script: script{"extract A": {`{"status":"DONE","parts":3}`}, "upsert A/2": {`{"status":"DONE","deferred":true}`}, "upsert A/2 again": {`{"status":"DONE","deferred":true}`}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + part + part + part + " AreRowsDeferred LoadParts" + part + loaded, 21 + 4*18 + 6}}),
			sent: map[string]string{
				"transform A/2 again": `{"part":2,"pass":2,"run":"A"}`,
				"upsert A/2 again":    `{"part":2,"pass":2,"run":"A"}`,
				"finish job A":        `{"extract":{"parts":3,"status":"DONE"},"failed":0,"run":"A","scope":"job"}`,
			},
			calls: map[string]int{"upsert A/1 again": 0, "upsert A/3 again": 0, "upsert A/2 again": 1},
		},
		{
			name: "failures of both passes are counted, and the first is told",
			script: script{
				"extract A": {`{"status":"DONE","parts":3}`}, "upsert A/1": {"!Invalid first"}, "upsert A/2": {`{"status":"DONE","deferred":true}`}, "transform A/2 again": {"!Invalid second"},
			},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {
				loading + " TransformPart IsTransformed UpsertPart NotePartFailed" + part + part +
					" AreRowsDeferred LoadParts TransformPart NotePartFailed" + loaded, 21 + 16 + 18 + 18 + 6 + 9,
			}}),
			sent: map[string]string{"finish job A": `{"extract":{"parts":3,"status":"DONE"},"failed":2,` +
				`"first":{"cause":"{\"errorMessage\":\"first\",\"errorType\":\"Invalid\"}","error":"Invalid","part":1,"status":"FAILED"},"run":"A","scope":"job"}`},
		},
		{
			name:   "closing a job takes turns",
			script: script{"finish job A": {more, more}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + part + " AreRowsDeferred FinishJob IsJobFinished FinishJob IsJobFinished" + closed, 39 + 7 + 7}}),
			calls:  map[string]int{"finish job A": 3},
		},
	}
}

func partScenarios() []scenario {
	const twoParts = `{"status":"DONE","parts":2}`
	return []scenario{
		{
			name:   "a part takes turns and waits",
			script: script{"transform A/1": {more, waitFor}, "upsert A/1": {more, `{"status":"WAIT","resumeAt":"2000-01-01T02:00:00Z"}`}},
			output: success, took: 2 * time.Hour,
			traces: oneJob(map[string]trace{"A-load-1": {
				loading + " TransformPart IsTransformed TransformPart IsTransformed WaitToTransform TransformPart IsTransformed" +
					" UpsertPart IsUpserted UpsertPart IsUpserted WaitToUpsert UpsertPart IsUpserted NotePartLoaded" + loaded, 39 + 2*7 + 2*9,
			}}),
			sent: map[string]string{"upsert A/1": `{"part":1,"pass":1,"run":"A"}`},
		},
		{
			name:   "a part begins when the one before it has ended",
			script: script{"extract A": {twoParts}, "upsert A/1": {`{"status":"WAIT","resumeAt":"2000-01-01T01:00:00Z"}`}, "transform A/2": {waitFor}},
			output: success, took: time.Hour,
			traces: oneJob(map[string]trace{"A-load-1": {
				loading + " TransformPart IsTransformed UpsertPart IsUpserted WaitToUpsert UpsertPart IsUpserted NotePartLoaded" +
					" TransformPart IsTransformed WaitToTransform" + part + loaded, 21 + 2*18 + 2*9,
			}}),
		},
		{
			name:   "a failed part stops no other, and its reason is cut",
			script: script{"extract A": {twoParts}, "transform A/1": {"!Invalid " + strings.Repeat("x", 500)}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + " TransformPart NotePartFailed" + part + loaded, 21 + 9 + 18}}),
			sent: map[string]string{"finish job A": `{"extract":{"parts":2,"status":"DONE"},"failed":1,"first":{"cause":"{\"errorMessage\":\"` +
				strings.Repeat("x", 140-len(`{"errorMessage":"`)) + `","error":"Invalid","part":1,"status":"FAILED"},"run":"A","scope":"job"}`},
		},
		{
			name:   "what may pass later is tried again",
			script: script{"upsert A/1": {"!Transient t", "!Lambda.TooManyRequestsException t", "!Transient t"}},
			output: success, took: 16 * time.Second, // half of 10 and 20, and half of 2
			traces: oneJob(map[string]trace{"A-load-1": {loading + part + loaded, 39 + 3*3}}),
		},
		{
			name:   "what does not pass within the tries fails the part",
			script: script{"upsert A/1": {"!Transient t", "!Transient t", "!Transient t", "!Transient t", "!Transient t"}},
			output: success, took: 75 * time.Second,
			traces: oneJob(map[string]trace{"A-load-1": {loading + " TransformPart IsTransformed UpsertPart NotePartFailed" + loaded, 21 + 16 + 4*3}}),
			calls:  map[string]int{"upsert A/1": 5},
		},
		{
			name:   "a lost lease gives the run up, and no other part begins",
			script: script{"extract A": {twoParts}, "upsert A/1": {"!Fenced Another run."}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + " TransformPart IsTransformed UpsertPart GiveUpRun" + closed, 34}}),
			calls:  map[string]int{"transform A/2": 0},
			sent: map[string]string{"finish job A": `{"broken":{"cause":"{\"errorMessage\":\"Another run.\",\"errorType\":\"Fenced\"}","error":"Fenced"},` +
				`"extract":{"parts":2,"status":"DONE"},"run":"A","scope":"job"}`},
		},
		{
			name:   "a lost connection gives the run up, too",
			script: script{"transform A/1": {"!Reauthorize r"}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + " TransformPart GiveUpRun" + closed, 27}}),
		},
		{
			name:   "an unknown status of a part breaks the load, and the job is closed",
			script: script{"upsert A/1": {`{"status":"WHAT"}`}},
			output: success,
			traces: oneJob(map[string]trace{"A-load-1": {loading + " TransformPart IsTransformed UpsertPart IsUpserted" + closed, 34}}),
			sent: map[string]string{"finish job A": `{"broken":{"cause":"No choice of state IsUpserted matched, and it has no Default.","error":"States.NoChoiceMatched"},` +
				`"extract":{"parts":1,"status":"DONE"},"run":"A","scope":"job"}`},
		},
	}
}
