// Package inprocess runs the connector in one process: the state machine files
// of AWS under our interpreter, over the handlers of AWS.
//
// What a dead process left behind stands in the table as an open round. Started
// again under the same name, its execution finds every position there.
package inprocess

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/step/finish"
	"hubspotconnector/statemachines"
)

// System is a connector that runs in this process.
type System struct {
	*connector.Connector
	Machines *localmachine.Machines

	newID func() string

	mu      sync.Mutex
	failure string // what the last step that failed says
}

// New puts a system together. Of the ports, Machines is set here. log gets the
// causes of errors.
func New(s connector.Settings, p connector.Ports, log *slog.Logger) (*System, error) {
	sys := &System{newID: p.NewID}
	functions := map[string]asl.Handler{}
	machines, err := localmachine.New(statemachines.Files, localmachine.Options{Functions: functions, Log: log, Now: p.Now, Sleep: p.Sleep})
	if err != nil {
		return nil, err
	}
	p.Machines = machines
	sys.Machines = machines
	sys.Connector = connector.New(s, p)
	for name := range sys.Tasks(log) {
		functions[name] = sys.handler(name, sys.Tasks(log.With("function", name))[name])
	}
	return sys, nil
}

// handler is a step as Step Functions sees it behind Lambda.
func (s *System) handler(name string, task serve.Handler) asl.Handler {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
		answer, err := task(ctx, payload)
		if err == nil {
			return answer, nil
		}
		kind, cause := serve.Failure(err)
		if name != "notify" { // a failing message fails no run
			var said struct {
				Message string `json:"errorMessage"`
			}
			_ = json.Unmarshal([]byte(cause), &said) // JSON text, as Failure says
			s.note(said.Message)
		}
		return nil, &asl.Error{Name: kind, Cause: cause}
	}
}

// Result is how an execution ended.
type Result struct {
	Round run.Round
	Runs  []run.Run // in the order of the chain
	// Continued says that a dead process had begun it.
	Continued bool
}

// Run starts an execution, or goes on with the one of the same input that a dead
// process left, and waits for its end. Others that a dead process left are
// closed first, which frees their leases. started, if not nil, is told the
// execution's name. If ctx ends the system is closed.
func (s *System) Run(ctx context.Context, in run.Input, started func(execution string)) (Result, error) {
	s.note("")
	name, continued, err := s.unfinished(ctx, in)
	if err != nil {
		return Result{}, err
	}
	if !continued {
		if _, err := s.Sweep.Close(ctx); err != nil {
			return Result{}, err
		}
		name = s.newID()
	}
	input, err := json.Marshal(in)
	if err != nil {
		return Result{}, fmt.Errorf("encode input: %w", err)
	}
	if err := s.Machines.Start(ctx, name, input); err != nil {
		return Result{}, err
	}
	if started != nil {
		started(name)
	}
	ended, err := s.Machines.Wait(ctx, name)
	if err != nil {
		s.Close()
		return Result{}, err
	}
	res, err := s.result(ctx, name)
	res.Continued = continued
	s.explain(&res)
	if fault.Is(err, fault.NotFound) && ended.Status != machine.Succeeded {
		return res, fault.New(fault.Transient, "%s", cmp.Or(s.said(), "The run could not be started or closed. Give the same command again."))
	}
	return res, err
}

func (s *System) note(failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = failure
}

// said is what the last step that failed says, "" if none has.
func (s *System) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// explain gives the runs whose end could not be stored, with its reason, the
// reason that this process knows.
func (s *System) explain(res *Result) {
	for i := range res.Runs {
		r := &res.Runs[i]
		if said := s.said(); said != "" && (r.Reason == finish.Stopped || !r.Status.Closed()) {
			r.Reason = said
		}
	}
}

// Close ends what runs as the death of the process would, so that nobody closes
// its rounds, and waits until no step is at work. Call it before the ports are
// closed.
func (s *System) Close() { s.Machines.Close() }

// unfinished returns the execution that a dead process began with this input.
func (s *System) unfinished(ctx context.Context, in run.Input) (name string, found bool, err error) {
	rounds, err := s.Runs.OpenRounds(ctx)
	if err != nil {
		return "", false, fmt.Errorf("list open rounds: %w", err)
	}
	for _, r := range rounds {
		same := r.Input.Chain == in.Chain && r.Input.Job == in.Job && r.Input.Mode == in.Mode && r.Input.Since.Equal(in.Since)
		if r.Slices && r.Round > 1 { // its first round is behind it
			same = r.Input.Chain == in.Chain && r.Input.Job == in.Job
		}
		if _, err := s.Machines.Describe(ctx, r.Execution); same && fault.Is(err, fault.NotFound) {
			return r.Execution, true, nil
		}
	}
	return "", false, nil
}

// result reads the first round of an execution with its runs, and the runs of its
// slices of backlog.
func (s *System) result(ctx context.Context, execution string) (Result, error) {
	round, err := s.Runs.Round(ctx, execution, 1)
	if err != nil {
		return Result{}, err
	}
	res := Result{Round: round}
	for _, id := range round.Jobs {
		r, err := s.Runs.Get(ctx, id)
		if err != nil {
			return res, err
		}
		res.Runs = append(res.Runs, r)
	}
	for n := 2; round.Again; n++ {
		if round, err = s.Runs.Round(ctx, execution, n); err != nil {
			if fault.Is(err, fault.NotFound) {
				err = nil
			}
			return res, err
		}
		for _, id := range round.Jobs {
			r, err := s.Runs.Get(ctx, id)
			if err != nil {
				return res, err
			}
			if r.Lane == run.Slices {
				res.Runs = append(res.Runs, r)
			}
		}
	}
	return res, nil
}

// Progress is how far a run has come.
type Progress struct {
	Run     run.Run
	Settled run.Counts
	// Extraction is what was read so far, and whether that is all.
	Extraction run.Extraction
	At         time.Time
}

// Progress returns how far the runs of an execution have come, or nothing while
// it is not planned yet.
func (s *System) Progress(ctx context.Context, execution string, now time.Time) ([]Progress, error) {
	res, err := s.result(ctx, execution)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := make([]Progress, len(res.Runs))
	for i, r := range res.Runs {
		p := Progress{Run: r, At: now}
		if p.Extraction, err = s.Runs.Extraction(ctx, r.ID); err != nil {
			return nil, err
		}
		parts, err := s.Runs.Parts(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			p.Settled.Sum(part.Counts)
		}
		all[i] = p
	}
	return all, nil
}
