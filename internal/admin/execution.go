package admin

import (
	"context"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
)

// Execution is how an execution goes.
type Execution struct {
	Running bool // somebody works on it
	Planned bool // false at its very beginning; then it has no runs yet
	// Round is its last round; zero until it is planned.
	Round run.Round
	Runs  []Progress // of all its rounds, in the order of the chain
}

// Execution returns how an execution goes, or fault.NotFound.
func (s *Service) Execution(ctx context.Context, name string) (Execution, error) {
	var e Execution
	known, err := s.Machines.Describe(ctx, name)
	missing := fault.Is(err, fault.NotFound)
	if err != nil && !missing {
		return e, err
	}
	e.Running = err == nil && known.Status == machine.Running
	for n := 1; ; n++ {
		round, err := s.Connector.Runs.Round(ctx, name, n)
		switch {
		case fault.Is(err, fault.NotFound) && n == 1 && missing:
			return e, fault.New(fault.NotFound, "There is no such execution. It may be older than a year.")
		case fault.Is(err, fault.NotFound):
			return e, nil
		case err != nil:
			return e, err
		}
		runs, err := s.ofRound(ctx, round)
		if err != nil {
			return e, err
		}
		e.Planned, e.Round, e.Runs = true, round, append(e.Runs, runs...)
	}
}
