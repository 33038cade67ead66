package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
)

// Cause is the cause of executions that go on with a backlog.
const Cause = "backlog"

// Backlogs are what jobs still have to read, slice by slice. All fields are required.
type Backlogs struct {
	Runs     *run.Store
	Machines machine.Machines
	// Usable reports whether runs of a job may start; fault.NotFound if there is no
	// such job.
	Usable func(ctx context.Context, job string) (bool, error)
	Now    func() time.Time
}

// All starts an execution for each chain, or job without one, that has a backlog
// which nobody is at. The names make a second start of the same hour none.
func (s *Backlogs) All(ctx context.Context) error {
	all, err := s.Runs.Backlogs(ctx)
	if err != nil {
		return fmt.Errorf("list backlogs: %w", err)
	}
	open, err := s.Runs.OpenRounds(ctx)
	errs := []error{err}
	started := map[string]bool{}
	for _, b := range all {
		owner := b.Job
		if b.Chain != "" {
			owner = b.Chain
		}
		if started[owner] || !b.Pending(s.Now()) || goesOn(open, b) {
			continue
		}
		busy, err := s.Runs.Leases.Held(ctx, run.LaneOf(b.Job, run.Slices))
		if busy || err != nil {
			errs = append(errs, err)
			continue
		}
		ok, err := s.Usable(ctx, b.Job)
		if fault.Is(err, fault.NotFound) {
			err = s.Runs.ForgetBacklog(ctx, b.Job)
		}
		if ok && err == nil {
			started[owner] = true
			err = s.start(ctx, b, owner)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// goesOn reports whether a round is open whose execution goes on with the backlog.
func goesOn(open []run.Round, b run.Backlog) bool {
	for _, r := range open {
		if r.Slices && (b.Chain != "" && r.ChainID == b.Chain || r.Input.Job == b.Job) {
			return true
		}
	}
	return false
}

func (s *Backlogs) start(ctx context.Context, b run.Backlog, owner string) error {
	in := run.Input{Chain: b.Chain, Mode: run.ModeBacklog, Cause: Cause}
	if b.Chain == "" {
		in.Job = b.Job
	}
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("backlog-%s-%d", owner, s.Now().Truncate(time.Hour).Unix())
	err = s.Machines.Start(ctx, name, input)
	if fault.Is(err, fault.Conflict) { // it was started in this hour, and has ended
		return nil
	}
	if err != nil {
		return fmt.Errorf("start backlog of %s: %w", owner, err)
	}
	return nil
}
