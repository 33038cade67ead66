// Package sweep heals what a dead execution left behind: rounds that nobody
// closed. It closes their runs, which frees their leases, once.
package sweep

import (
	"context"
	"fmt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// Sweeper closes what dead executions left open. All fields are required.
type Sweeper struct {
	Runs     *run.Store
	Machines machine.Machines
	// CloseRound closes a round and every run of it that is open, as Failed.
	CloseRound func(ctx context.Context, execution string, round int) error
}

// Output says how many rounds were closed.
type Output struct {
	step.Turn
	Closed int `json:"closed"`
}

// All looks at every open round. A round whose execution still runs is left alone.
func (s *Sweeper) All(ctx context.Context) (Output, error) {
	out := Output{Turn: step.Turn{Status: step.Done}}
	rounds, err := s.Runs.OpenRounds(ctx)
	if err != nil {
		return out, fmt.Errorf("list open rounds: %w", err)
	}
	for _, r := range rounds {
		execution, err := s.Machines.Describe(ctx, r.Execution)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return out, fmt.Errorf("describe execution %s: %w", r.Execution, err)
		}
		if err == nil && execution.Status == machine.Running {
			continue
		}
		if err := s.CloseRound(ctx, r.Execution, r.Round); err != nil {
			return out, fmt.Errorf("close round %d of %s: %w", r.Round, r.Execution, err)
		}
		out.Closed++
	}
	return out, nil
}
