package sweep_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step/sweep"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// starter notes what is started.
type starter struct {
	machine.Machines
	inputs []string
}

// Start implements machine.Machines.
func (s *starter) Start(_ context.Context, _ string, input json.RawMessage) error {
	s.inputs = append(s.inputs, string(input))
	return nil
}

func TestBacklogsThatNobodyIsAtAreGoneOnWith(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	ofChain := `{"chain":"c1","mode":"backlog","cause":"backlog"}`
	tests := []struct {
		name   string
		chain  string
		change func(t *testing.T, runs *run.Store, b *run.Backlog)
		usable bool
		fails  error
		want   []string
		left   int
	}{
		{name: "of a chain", chain: "c1", usable: true, want: []string{ofChain}, left: 1},
		{name: "of a job", usable: true, want: []string{`{"job":"j1","mode":"backlog","cause":"backlog"}`}, left: 1},
		{name: "without permission", chain: "c1", left: 1},
		{name: "of a job that was deleted", chain: "c1", fails: fault.New(fault.NotFound, "There is no such job."), left: 0},
		{name: "at work", chain: "c1", usable: true, left: 1, change: func(t *testing.T, runs *run.Store, _ *run.Backlog) {
			if _, err := runs.Leases.Acquire(t.Context(), run.LaneOf("j1", run.Slices), "r1"); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "whose round is open", chain: "c1", usable: true, left: 1, change: func(t *testing.T, runs *run.Store, _ *run.Backlog) {
			if _, err := runs.Open(t.Context(), run.Round{Execution: "e1", Round: 1, ChainID: "c1", Slices: true}, nil); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "that failed just now", chain: "c1", usable: true, left: 1, change: func(_ *testing.T, _ *run.Store, b *run.Backlog) {
			b.NotBefore = now.Add(time.Minute)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = items.Close() })
			runs := &run.Store{Table: items, Leases: &lease.Store{Table: items}}
			b := run.Backlog{Job: "j1", Chain: tt.chain, Spans: []run.Span{{Opened: now}}}
			if tt.change != nil {
				tt.change(t, runs, &b)
			}
			if err := items.Write(t.Context(), []table.Op{run.BacklogOp(b)}); err != nil {
				t.Fatal(err)
			}
			started := &starter{}
			s := sweep.Backlogs{Runs: runs, Machines: started, Now: func() time.Time { return now }, Usable: func(context.Context, string) (bool, error) {
				return tt.usable, tt.fails
			}}
			if err := s.All(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, started.inputs); d != "" {
				t.Errorf("started (-want +got):\n%s", d)
			}
			all, err := runs.Backlogs(t.Context())
			if err != nil || len(all) != tt.left {
				t.Errorf("%d backlogs are left, %v; want %d", len(all), err, tt.left)
			}
		})
	}
}
