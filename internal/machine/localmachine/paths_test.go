package localmachine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/machine"
)

// Pieces of paths, as in the pictures of statemachines/README.md.
const (
	open      = "OpenFirstRound IsThereAWindow"
	planned   = "PlanRound IsPlanned TakePlan ExtractFirst"
	begin     = open + " " + planned
	job       = " LoadAndExtractNext NameLoad LoadJob IsThereANextJob ExtractNext SettleJob IsAJobLeft DidJobFail"
	lastJob   = " LoadAndExtractNext NameLoad LoadJob IsThereANextJob ExtractNothing SettleJob IsAJobLeft"
	closing   = " FinishRound Notify IsMoreLeft"
	end       = closing + " ChainDone"
	extracted = "ExtractSlice IsExtracted ExtractEnded"
	loading   = "IsThereAnythingToLoad ListParts LoadParts"
	part      = " TransformPart IsTransformed UpsertPart IsUpserted NotePartLoaded"
	closed    = " FinishJob IsJobFinished JobClosed"
	loaded    = " AreRowsDeferred" + closed

	twoJobs = `{"status":"DONE","jobs":[{"run":"A"},{"run":"B"}],"onFailure":"stop"}`
	more    = `{"status":"MORE"}`
	waitFor = `{"status":"WAIT","resumeAt":"2000-01-01T01:00:00Z"}` // an hour after the bubble's begin
	failed  = `{"status":"DONE","outcome":"Failed"}`
)

// trace is what a test wants of an execution: its path and its events.
type trace struct {
	Path   string
	Events int
}

type scenario struct {
	name    string
	script  script
	replace map[string]string // in the machine files
	input   string            // "" = {}
	status  machine.Status    // "" = Succeeded
	output  string
	failure string            // error and cause, if it failed
	traces  map[string]trace  // :: execution → what it did; all are named
	sent    map[string]string // :: call → its payload
	calls   map[string]int    // :: call → how often; others are not compared
	took    time.Duration
}

// brokenBranch makes the first branch of LoadAndExtractNext fail, which no
// answer of a function can.
func brokenBranch() map[string]string {
	const note = `treats the job as Failed. Writes nothing.",
              "Type": "Pass",
              "End": true`
	return map[string]string{note: `","Type":"Fail","Error":"Broken","Cause":"branch"`}
}

func TestMachinesGoThePathsOfTheirPictures(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) { s.check(t) })
		})
	}
}

func (s scenario) check(t *testing.T) {
	w := newWorld(t, s.script, s.replace)
	began := time.Now()
	input := s.input
	if input == "" {
		input = `{"chain":"c"}`
	}
	e := w.run("run", input)
	if took := time.Since(began); s.took != 0 && took != s.took {
		t.Errorf("took %s, want %s", took, s.took)
	}
	w.Close()
	want := s.status
	if want == "" {
		want = machine.Succeeded
	}
	failure := ""
	if e.Status != machine.Succeeded {
		failure = e.Error + ": " + e.Cause
	}
	if e.Status != want || string(e.Output) != s.output || failure != s.failure {
		t.Errorf("ended %s %s %s\nwant  %s %s %s", e.Status, e.Output, failure, want, s.output, s.failure)
	}
	traces := map[string]trace{}
	for name, ended := range w.ended {
		traces[name] = trace{strings.Join(ended.Path(), " "), ended.Events()}
	}
	if diff := cmp.Diff(s.traces, traces); diff != "" {
		t.Errorf("paths and events: %s", diff)
	}
	for call, payload := range s.sent {
		if diff := cmp.Diff(payload, w.payloads[call]); diff != "" {
			t.Errorf("payload of %s: %s", call, diff)
		}
	}
	for call, n := range s.calls {
		if got := w.count(call); got != n {
			t.Errorf("%s was called %d times, want %d", call, got, n)
		}
	}
}
