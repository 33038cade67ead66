package finish_test

import (
	"testing"

	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step/finish"
)

func TestRestSkipsWhatIsOpenAndFreesItsLease(t *testing.T) {
	w := newWorld(t)
	w.open("A", "B", "C")
	w.extracted("A", run.Extraction{Parts: 1, Count: 1, Done: true})
	w.extracted("B", run.Extraction{Parts: 1, Count: 1, Done: true}) // extracted ahead
	if out := w.job(extractDone()); out.Outcome != run.Failed {
		t.Fatalf("%+v, want Failed", out)
	}
	for range 2 {
		if _, err := w.Close(t.Context(), finish.Input{Scope: "rest", Execution: "e1", Round: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[run.ID]run.Status{"A": run.Failed, "B": run.Skipped, "C": run.Skipped} {
		if got := w.get(id); got.Status != want || got.Reason == "" {
			t.Errorf("%s: %s, reason %q, want %s with one", id, got.Status, got.Reason, want)
		}
		if !w.watermark(id).IsZero() {
			t.Errorf("%s has a watermark", id)
		}
		w.wantFree(id)
	}
	if n := len(w.activities()); n != 3 {
		t.Errorf("%d activities, want 3", n)
	}
}

func TestARoundIsClosedByItsJobs(t *testing.T) {
	tests := []struct {
		name string
		jobs []run.Status // Running: nobody closed it
		want run.Status
	}{
		{"all well", []run.Status{run.Success, run.Success}, run.Success},
		{"one partial", []run.Status{run.Success, run.Partial}, run.Partial},
		{"one failed", []run.Status{run.Failed, run.Success}, run.Failed},
		{"failed and skipped", []run.Status{run.Failed, run.Skipped}, run.Failed},
		{"all skipped", []run.Status{run.Skipped, run.Skipped}, run.Skipped},
		{"one left open", []run.Status{run.Success, run.Running}, run.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("A", "B")
			for i, id := range []run.ID{"A", "B"} {
				r := w.take(id)
				r.Status = tt.jobs[i]
				if _, err := w.Runs.Save(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				out, err := w.Close(t.Context(), finish.Input{Scope: "round", Execution: "e1", Round: 1})
				if err != nil || out.Outcome != tt.want || out.Again {
					t.Errorf("%+v, %v, want %s", out, err, tt.want)
				}
			}
			round, err := w.Runs.Round(t.Context(), "e1", 1)
			if err != nil || round.Status != tt.want || !round.Ended.Equal(start) {
				t.Errorf("round %+v, %v", round, err)
			}
			if open, err := w.Runs.OpenRounds(t.Context()); err != nil || len(open) != 0 {
				t.Errorf("open rounds %v, %v", open, err)
			}
			for _, id := range []run.ID{"A", "B"} {
				if !w.get(id).Status.Closed() {
					t.Errorf("run %s is %s", id, w.get(id).Status)
				}
			}
		})
	}
}

func TestARoundThatCouldNotBePlannedIsClosedWithItsReason(t *testing.T) {
	w := newWorld(t)
	var in finish.Input
	decode(`{"scope":"round","execution":"e9","round":1,"broken":{"error":"NotFound","cause":"{\"errorMessage\":\"There is no job X.\",\"errorType\":\"NotFound\"}"}}`, &in)
	for range 2 {
		if out, err := w.Close(t.Context(), in); err != nil || out.Outcome != run.Failed {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if round, err := w.Runs.Round(t.Context(), "e9", 1); err != nil || round.Reason != "There is no job X." || round.Status != run.Failed {
		t.Errorf("round %+v, %v", round, err)
	}
	if _, err := w.Close(t.Context(), finish.Input{Scope: "rest", Execution: "e8", Round: 1}); err != nil {
		t.Errorf("the rest of a round that nobody planned: %v", err)
	}
}

func TestAnUnknownScopeIsAnError(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Close(t.Context(), finish.Input{Scope: "chain"}); err == nil {
		t.Error("no error")
	}
}
