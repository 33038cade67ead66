package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/run"
)

// Start says what to run: a chain or a job, by name or id.
type Start struct {
	Chain string
	Job   string
	Mode  run.Mode  // "" = changes
	Since time.Time // with mode changes: what changed since then; zero = since the last run
}

// What causes the runs that are started here.
const (
	importNow = "import now"
	resumed   = "resume"
)

// StartRun starts a run and returns the name of its execution. The same key of
// the same person starts once: again, it returns the same name. The same key for
// something else is fault.Conflict. An empty key always starts. Nothing has been
// planned on return.
//
// An execution of the same input that was cut off goes on instead, under its own
// name.
func (s *Service) StartRun(ctx context.Context, by string, start Start, key string) (execution string, err error) {
	in, err := s.input(ctx, start)
	if err != nil {
		return "", err
	}
	in.Cause, in.By = importNow, by
	name := s.NewID()
	if key != "" {
		if len(key) > 255 {
			return "", fault.New(fault.Invalid, "An idempotency key has at most 255 characters.")
		}
		name = digest("key", by, key)
		known, err := s.started(ctx, name, in)
		if err != nil || known {
			return name, err
		}
	}
	cut, err := s.cutOff(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range cut {
		if same(r.Input, in) && key == "" {
			return r.Execution, s.start(ctx, r.Execution, r.Input)
		}
	}
	// Their leases would keep the new runs from starting.
	for _, r := range cut {
		if err := s.Connector.Sweep.CloseRound(ctx, r.Execution, r.Round); err != nil {
			return "", fmt.Errorf("close round %d of %s: %w", r.Round, r.Execution, err)
		}
	}
	return name, s.start(ctx, name, in)
}

// digest is an execution's name made of texts: the same ones give the same name.
func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", texts)))
	return hex.EncodeToString(sum[:16])
}

// input checks what is to be started: here, where somebody waits for the answer,
// and not only in the plan.
func (s *Service) input(ctx context.Context, start Start) (run.Input, error) {
	in := run.Input{Mode: start.Mode, Since: start.Since.UTC()}
	switch start.Mode { //nolint:exhaustive // the modes that people choose
	case "", run.ModeChanges, run.ModeFull:
	default:
		return in, fault.New(fault.Invalid, "The mode %q is not known: use changes or full.", start.Mode)
	}
	if !start.Since.IsZero() && (start.Mode == run.ModeFull || start.Since.After(s.now())) {
		return in, fault.New(fault.Invalid, "A date to start from goes with changes alone, and lies in the past.")
	}
	switch {
	case (start.Chain == "") == (start.Job == ""):
		return in, fault.New(fault.Invalid, "Choose either a chain or a job to run.")
	case start.Job != "":
		j, err := s.Connector.Jobs.Find(ctx, start.Job)
		if err != nil {
			return in, err
		}
		in.Job = j.ID
		return in, s.Connector.Connections.Usable(ctx, j.Connection)
	}
	c, err := s.Connector.Chains.Find(ctx, start.Chain)
	in.Chain = c.ID
	return in, err
}

// same reports whether two inputs ask for the same.
func same(a, b run.Input) bool {
	mode := func(in run.Input) run.Mode {
		if in.Mode == "" {
			return run.ModeChanges
		}
		return in.Mode
	}
	return a.Chain == b.Chain && a.Job == b.Job && mode(a) == mode(b) && a.Since.Equal(b.Since)
}

// started reports whether an execution of that name was started with that input.
// With another one it is fault.Conflict.
func (s *Service) started(ctx context.Context, name string, in run.Input) (bool, error) {
	known, err := s.Machines.Describe(ctx, name)
	var was run.Input
	switch {
	case err == nil:
		if err := json.Unmarshal(known.Input, &was); err != nil {
			return false, fmt.Errorf("decode input of execution %s: %w", name, err)
		}
	case !fault.Is(err, fault.NotFound):
		return false, err
	default: // a process that ended since may have run it
		round, err := s.Connector.Runs.Round(ctx, name, 1)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		was = round.Input
	}
	if !same(was, in) {
		return false, fault.New(fault.Conflict, "This idempotency key was used to start something else. Use another key.")
	}
	return true, nil
}

func (s *Service) start(ctx context.Context, name string, in run.Input) error {
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode input: %w", err)
	}
	err = s.Machines.Start(ctx, name, text)
	if fault.Is(err, fault.Conflict) { // a copy of this call may have been faster
		known, describeErr := s.Machines.Describe(ctx, name)
		if describeErr == nil && bytes.Equal(compact(known.Input), compact(text)) {
			return nil
		}
	}
	return err
}

func compact(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

// Stop ends an execution; its runs end as Failed and can be resumed. One that has
// ended is left alone.
func (s *Service) Stop(ctx context.Context, execution, by string) error {
	err := s.Machines.Stop(ctx, execution, "stopped by "+by)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	rounds, readErr := s.Connector.Runs.OpenRounds(ctx)
	if readErr != nil {
		return readErr
	}
	for _, r := range rounds {
		if r.Execution != execution {
			continue
		}
		err = nil // of an execution that a dead process left
		if closeErr := s.Connector.Sweep.CloseRound(ctx, execution, r.Round); closeErr != nil {
			return fmt.Errorf("close round %d of %s: %w", r.Round, execution, closeErr)
		}
	}
	return err
}

var errRuns = fault.New(fault.Conflict, "This run is still going on. Stop it first, or wait for its end.")

// Resume goes on with an execution that failed, was stopped or was cut off, and
// returns the execution that does: rows that were delivered cost no call again.
// Twice is once. One that still runs, or that did not fail, is fault.Conflict.
func (s *Service) Resume(ctx context.Context, execution, by string) (string, error) {
	round, err := s.lastRound(ctx, execution)
	if err != nil {
		return "", err
	}
	known, err := s.Machines.Describe(ctx, execution)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return "", err
	case err == nil && known.Status == machine.Running:
		return "", errRuns
	case !round.Status.Closed() && err != nil: // its process has died: every position is in the table
		return execution, s.start(ctx, execution, round.Input)
	case !round.Status.Closed():
		if err := s.Connector.Sweep.CloseRound(ctx, execution, round.Round); err != nil {
			return "", fmt.Errorf("close round %d of %s: %w", round.Round, execution, err)
		}
	case round.Status != run.Failed:
		return "", fault.New(fault.Conflict, "This run did not fail, so there is nothing to resume. Run it again to read what changed since.")
	}
	in, name := round.Input, digest(resumed, execution)
	in.Cause, in.By = resumed, by
	again, err := s.started(ctx, name, in)
	if err != nil || again {
		return name, err
	}
	return name, s.start(ctx, name, in)
}

// lastRound returns the last round of an execution.
func (s *Service) lastRound(ctx context.Context, execution string) (run.Round, error) {
	var last run.Round
	for n := 1; ; n++ {
		r, err := s.Connector.Runs.Round(ctx, execution, n)
		switch {
		case fault.Is(err, fault.NotFound) && n > 1:
			return last, nil
		case fault.Is(err, fault.NotFound):
			return last, fault.New(fault.NotFound, "There is no run of this execution. It may be older than a year.")
		case err != nil:
			return last, err
		}
		last = r
	}
}

// cutOff returns the open rounds that nobody works on.
func (s *Service) cutOff(ctx context.Context) ([]run.Round, error) {
	open, err := s.Connector.Runs.OpenRounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("list open rounds: %w", err)
	}
	var cut []run.Round
	for _, r := range open {
		if going, err := s.going(ctx, r.Execution); err != nil {
			return nil, err
		} else if !going {
			cut = append(cut, r)
		}
	}
	return cut, nil
}

// going reports whether an execution runs.
func (s *Service) going(ctx context.Context, execution string) (bool, error) {
	known, err := s.Machines.Describe(ctx, execution)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && known.Status == machine.Running, err
}

// RetryRejected starts a run of the job's rejected records alone; the key is that
// of StartRun.
func (s *Service) RetryRejected(ctx context.Context, job, by, key string) (execution string, err error) {
	in, err := s.input(ctx, Start{Job: job})
	if err != nil {
		return "", err
	}
	in.Mode, in.Cause, in.By = run.ModeRejected, "retry rejected", by
	name := s.NewID()
	if key != "" {
		name = digest("key", by, key)
		if known, err := s.started(ctx, name, in); err != nil || known {
			return name, err
		}
	}
	return name, s.start(ctx, name, in)
}
