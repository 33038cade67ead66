package plan

import (
	"context"
	"time"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

const (
	// sliceTime is how long a slice of backlog may take by the target's quota.
	sliceTime = 6 * time.Hour
	// maxParts is the most parts of a run: its machine's history holds that many,
	// twice, and the minutes of sliceTime.
	maxParts = 400
	// compareEvery is how often all records are compared, a little less than a week,
	// so that a weekly run does it each time.
	compareEvery = 7*24*time.Hour - time.Hour
)

// goesOn reports whether an execution goes on with the backlog of what it was
// started for.
func goesOn(in run.Input) bool {
	switch in.Mode { //nolint:exhaustive // the others do what they are for
	case "", run.ModeChanges, run.ModeFull, run.ModeBacklog:
		return in.Chain != "" || in.Job != ""
	}
	return false
}

// sliced finds the job whose backlog is to be gone on with: the first of the chain
// that has one, as the others wait for it. There is none if that job's lane is at
// work, its connection cannot be used, or it waits for a job outside.
func (p *Planner) sliced(ctx context.Context, round run.Round) (run.Round, []job.Job, error) {
	round, jobs, err := p.named(ctx, round)
	if err != nil {
		return round, nil, err
	}
	round.Input.Mode, round.Input.Since = run.ModeBacklog, time.Time{}
	for _, j := range jobs {
		b, err := p.Runs.Backlog(ctx, j.ID)
		if err != nil {
			return round, nil, err
		}
		if len(b.Spans) == 0 {
			continue
		}
		ready, err := p.ready(ctx, j, b)
		if !ready || err != nil {
			return round, nil, err
		}
		return round, []job.Job{j}, nil
	}
	return round, nil, nil
}

// ready reports whether the next slice of a job's backlog may start.
func (p *Planner) ready(ctx context.Context, j job.Job, b run.Backlog) (bool, error) {
	if !b.Pending(p.Now()) {
		return false, nil
	}
	err := p.Connections.Usable(ctx, j.Connection)
	if fault.Is(err, fault.Reauthorize) || fault.Is(err, fault.NotFound) {
		return false, nil // it has been told; the backlog stays
	}
	if err != nil {
		return false, err
	}
	busy, err := p.Runs.Leases.Held(ctx, run.LaneOf(j.ID, run.Slices))
	if busy || err != nil {
		return false, err
	}
	before, err := p.behind(ctx, j.ID)
	if err != nil {
		return false, err
	}
	for _, id := range before {
		other, err := p.Runs.Backlog(ctx, id)
		if len(other.Spans) > 0 || err != nil {
			return false, err
		}
	}
	return true, nil
}

// behind returns the jobs before a job in its chains.
func (p *Planner) behind(ctx context.Context, id string) ([]string, error) {
	chains, err := p.Chains.List(ctx)
	return chain.Before(chains, id), err
}

// slice lets the run read the next slice of the job's backlog.
func (p *Planner) slice(ctx context.Context, f *staging.Plan) error {
	b, err := p.Runs.Backlog(ctx, f.Job.ID)
	if err != nil {
		return err
	}
	if len(b.Spans) == 0 {
		return fault.New(fault.Conflict, "Nothing is left of the backlog of this job.")
	}
	span := b.Spans[0]
	f.Query.Since, f.Query.Until, f.From, f.Chain = span.Since, span.Until, span.Cursor, b.Chain
	p.bound(f, p.sliceTime())
	return nil
}

func (p *Planner) sliceTime() time.Duration {
	if p.Slice == 0 {
		return sliceTime
	}
	return p.Slice
}

// bound sets how many records the run reads: as many as the target takes in a time,
// and as its machine's history holds.
func (p *Planner) bound(f *staging.Plan, d time.Duration) {
	if p.Capacity == nil {
		return
	}
	f.Most = max(1, min(p.Capacity(f.Job.Mapping.Target, d), maxParts*f.PartSize))
	f.PerDay = p.Capacity(f.Job.Mapping.Target, 24*time.Hour)
}

// lanes decides what of the records that the run is to read is left to slices. It
// returns whether the run reads all records.
func (p *Planner) lanes(ctx context.Context, f *staging.Plan, in run.Input, delivered, all bool) (bool, error) {
	p.bound(f, p.sliceTime())
	known, err := p.Runs.Compared(ctx, f.Job.ID)
	switch {
	case err != nil:
		return all, err
	case all && !delivered:
		f.Behind, err = p.behind(ctx, f.Job.ID)
		return all, err
	case all:
		if f.Most == 0 || known.Records <= f.Most {
			return all, nil
		}
		f.Mode, f.Compare, all = run.ModeChanges, true, false // too many for one run
	default:
		due := !known.At.IsZero() && f.Now.Sub(known.At) >= compareEvery
		f.Compare = due && in.Since.IsZero() && !f.Job.Options.NoComparison
	}
	p.bound(f, p.sliceTime()/6) // changes of other records should not wait for long
	if f.Compare {
		b, err := p.Runs.Backlog(ctx, f.Job.ID)
		f.Compare = err == nil && !b.HasAll()
		return all, err
	}
	return all, nil
}
