// Package sweep heals what a dead execution left behind: rounds that nobody
// closed. It closes their runs, which frees their leases, once. It also makes the
// scheduler agree with what is stored, starts runs for marks and backlogs that nobody is at,
// and erases from files what was deleted for privacy.
package sweep

import (
	"context"
	"errors"
	"fmt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// Sweeper closes what dead executions left open. All fields but the last five are
// required.
type Sweeper struct {
	Runs     *run.Store
	Machines machine.Machines
	// CloseRound closes a round and every run of it that is open, as Failed.
	CloseRound func(ctx context.Context, execution string, round int) error
	// Repair makes the scheduler follow the stored schedules; nil = there is none.
	Repair func(ctx context.Context) error
	// Measure tells how the deployment stands; nil = nobody wants to know.
	Measure func(ctx context.Context) error
	// Serve starts a run for marks whose own start was lost; nil = there are none.
	Serve func(ctx context.Context) error
	// GoOn goes on with backlogs that nobody is at; nil = there are none.
	GoOn func(ctx context.Context) error
	// Erase takes records that were deleted for privacy out of files; nil = there are
	// none.
	Erase func(ctx context.Context) error
}

// Output says how many rounds were closed.
type Output struct {
	step.Turn
	Closed int `json:"closed"`
}

// All does everything; what cannot be done keeps nothing else from it, and is in
// the error.
func (s *Sweeper) All(ctx context.Context) (Output, error) {
	out, err := s.Close(ctx)
	return out, errors.Join(err, s.Tend(ctx))
}

// Tend does everything but closing what is open. What cannot be done keeps nothing else
// from it, and is in the error.
func (s *Sweeper) Tend(ctx context.Context) error {
	var errs []error
	for _, also := range []struct {
		what string
		do   func(context.Context) error
	}{{"repair schedules", s.Repair}, {"serve marks", s.Serve}, {"go on with backlogs", s.GoOn}, {"erase records", s.Erase}} {
		if also.do == nil {
			continue
		}
		if err := also.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", also.what, err))
		}
	}
	if s.Measure != nil {
		errs = append(errs, s.Measure(ctx))
	}
	return errors.Join(errs...)
}

// Close looks at every open round. A round whose execution still runs is left
// alone; one that cannot be closed keeps no other from it, and is in the error.
func (s *Sweeper) Close(ctx context.Context) (Output, error) {
	out := Output{Turn: step.Turn{Status: step.Done}}
	rounds, err := s.Runs.OpenRounds(ctx)
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("list open rounds: %w", err))
	}
	for _, r := range rounds {
		closed, err := s.one(ctx, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("round %d of %s: %w", r.Round, r.Execution, err))
		}
		if closed {
			out.Closed++
		}
	}
	return out, errors.Join(errs...)
}

// one closes a round unless its execution still runs.
func (s *Sweeper) one(ctx context.Context, r run.Round) (closed bool, err error) {
	execution, err := s.Machines.Describe(ctx, r.Execution)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return false, fmt.Errorf("describe execution: %w", err)
	}
	if err == nil && execution.Status == machine.Running {
		return false, nil
	}
	if err := s.CloseRound(ctx, r.Execution, r.Round); err != nil {
		return false, fmt.Errorf("close: %w", err)
	}
	return true, nil
}
