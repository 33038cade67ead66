package sweep_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/sweep"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// machines knows executions by their status; "" is one that cannot be described.
type machines struct {
	machine.Machines
	statuses map[string]machine.Status
}

func (m machines) Describe(_ context.Context, name string) (machine.Execution, error) {
	status, known := m.statuses[name]
	switch {
	case !known:
		return machine.Execution{}, fault.New(fault.NotFound, "There is no execution %q.", name)
	case status == "":
		return machine.Execution{}, fault.New(fault.Transient, "No answer.")
	}
	return machine.Execution{Name: name, Status: status, Input: json.RawMessage(`{}`)}, nil
}

func newSweeper(t *testing.T, statuses map[string]machine.Status, rounds ...string) (*sweep.Sweeper, *[]string) {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	runs := &run.Store{Table: items, Leases: &lease.Store{Table: items}}
	for _, name := range rounds {
		if _, err := runs.Open(t.Context(), run.Round{Execution: name, Round: 1, Status: run.Running}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var closed []string
	s := &sweep.Sweeper{Runs: runs, Machines: machines{statuses: statuses}}
	s.CloseRound = func(ctx context.Context, execution string, n int) error {
		closed = append(closed, fmt.Sprint(execution, "/", n))
		r, err := runs.Round(ctx, execution, n)
		if err != nil {
			return err
		}
		r.Status = run.Failed
		return runs.SaveRound(ctx, r)
	}
	return s, &closed
}

func TestSweepClosesRoundsOfDeadExecutionsOnce(t *testing.T) {
	s, closed := newSweeper(t, map[string]machine.Status{
		"a-failed": machine.Failed, "b-running": machine.Running, "c-timed-out": machine.TimedOut, "d-aborted": machine.Aborted, "f-succeeded": machine.Succeeded,
	}, "a-failed", "b-running", "c-timed-out", "d-aborted", "e-unknown", "f-succeeded")
	out, err := s.All(t.Context())
	if err != nil || out.Status != step.Done || out.Closed != 5 {
		t.Errorf("%+v, %v, want 5 closed", out, err)
	}
	if diff := cmp.Diff([]string{"a-failed/1", "c-timed-out/1", "d-aborted/1", "e-unknown/1", "f-succeeded/1"}, *closed); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
	if out, err := s.All(t.Context()); err != nil || out.Closed != 0 {
		t.Errorf("again: %+v, %v, want none closed", out, err)
	}
}

func TestSweepDoesNotGuessWhatItCannotDescribe(t *testing.T) {
	s, closed := newSweeper(t, map[string]machine.Status{"a": ""}, "a")
	if _, err := s.All(t.Context()); !fault.Is(err, fault.Transient) || len(*closed) != 0 {
		t.Errorf("err = %v, closed %v, want Transient and none", err, *closed)
	}
}

func TestSweepTellsThatARoundCouldNotBeClosed(t *testing.T) {
	s, _ := newSweeper(t, nil, "a", "b")
	broken := errors.New("broken")
	s.CloseRound = func(context.Context, string, int) error { return broken }
	if out, err := s.All(t.Context()); !errors.Is(err, broken) || out.Closed != 0 {
		t.Errorf("%+v, %v, want the error", out, err)
	}
}

// One round that cannot be described, one that cannot be closed and one that
// cannot even be read keep none of the others open.
func TestSweepGoesOnBehindARoundThatIsStuck(t *testing.T) {
	s, closed := newSweeper(t, map[string]machine.Status{"b": ""}, "a", "b", "c", "d")
	put(t, s, "bb", `"not a round"`)
	broken, closeRound := errors.New("broken"), s.CloseRound
	s.CloseRound = func(ctx context.Context, execution string, n int) error {
		if execution == "a" {
			return broken
		}
		return closeRound(ctx, execution, n)
	}
	measured := 0
	s.Measure = func(context.Context) error { measured++; return nil }
	out, err := s.All(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(fmt.Sprint(err), "No answer.") || !strings.Contains(fmt.Sprint(err), "decode open round bb") {
		t.Errorf("err = %v, want all three", err)
	}
	if diff := cmp.Diff([]string{"c/1", "d/1"}, *closed); diff != "" || out.Closed != 2 || measured != 1 {
		t.Errorf("%d closed, measured %d times; closed (-want +got):\n%s", out.Closed, measured, diff)
	}
}

func TestSweepTellsThatItCouldNotMeasure(t *testing.T) {
	s, closed := newSweeper(t, nil, "a")
	broken := errors.New("broken")
	s.Measure = func(context.Context) error { return broken }
	if _, err := s.All(t.Context()); !errors.Is(err, broken) || len(*closed) != 1 {
		t.Errorf("err = %v, closed %v", err, *closed)
	}
}

func put(t *testing.T, s *sweep.Sweeper, name, doc string) {
	t.Helper()
	item := table.Item{Key: table.Key{Partition: "OPEN", Sort: name}, Doc: json.RawMessage(doc)}
	if _, err := s.Runs.Table.Put(t.Context(), item, table.Condition{}); err != nil {
		t.Fatal(err)
	}
}

func TestSweepRepairsSchedulesWhateverElseFails(t *testing.T) {
	s, closed := newSweeper(t, map[string]machine.Status{"a": machine.Failed, "b": ""}, "a", "b")
	repaired := 0
	s.Repair = func(context.Context) error {
		repaired++
		return fault.New(fault.Throttled, "Not now.")
	}
	measured := 0
	s.Measure = func(context.Context) error { measured++; return nil }
	_, err := s.All(t.Context())
	if repaired != 1 || measured != 1 || len(*closed) != 1 || err == nil || !strings.Contains(err.Error(), "repair schedules: Not now.") {
		t.Errorf("repaired %d times, measured %d, closed %v, %v", repaired, measured, *closed, err)
	}
}
