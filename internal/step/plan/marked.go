package plan

import (
	"context"
	"slices"
	"time"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/staging"
)

// marked finds the jobs that have marks to be served: those of the chain or job
// that the round's input names or, without one, all that are in real time, in the
// order of their chains, so that companies come before their contacts. A job at
// work is left out; its own execution serves the marks when it has ended. A job
// that has never run is left out too: nobody has asked for its rows yet.
func (p *Planner) marked(ctx context.Context, round run.Round) (run.Round, []job.Job, error) {
	var jobs []job.Job
	var err error
	if round.Input.Chain == "" && round.Input.Job == "" {
		round.OnFailure = "continue" // chains have nothing to do with each other
		jobs, err = p.realTime(ctx)
	} else {
		round, jobs, err = p.named(ctx, round)
	}
	if err != nil || p.Marked == nil {
		return round, nil, err
	}
	var ready []job.Job
	var rest time.Time // until when the marks of the others rest
	for _, j := range jobs {
		ok, until, err := p.hasMarks(ctx, j)
		if err != nil {
			return round, nil, err
		}
		switch {
		case ok && until.IsZero():
			ready = append(ready, j)
		case ok && (rest.IsZero() || until.Before(rest)):
			rest = until
		}
	}
	if len(ready) == 0 && !rest.IsZero() {
		return round, nil, fault.Until(rest, "Another run is at work on these records.")
	}
	return round, ready, nil
}

// Pending reports whether a round of marked records would have a job.
func (p *Planner) Pending(ctx context.Context) (bool, error) {
	_, jobs, err := p.marked(ctx, run.Round{Input: run.Input{Mode: run.ModeMarked}})
	if fault.Is(err, fault.Throttled) { // they rest
		return true, nil
	}
	return len(jobs) > 0, err
}

// hasMarks reports whether a job has marks to be served, and until when they rest.
func (p *Planner) hasMarks(ctx context.Context, j job.Job) (has bool, until time.Time, err error) {
	object, ok := catalog.Find(j.Mapping.Source)
	if !ok || object.ModifiedProperty == "" || len(j.Missing) > 0 {
		return false, until, nil
	}
	if err := p.Connections.Usable(ctx, j.Connection); err != nil {
		if fault.Is(err, fault.Reauthorize) || fault.Is(err, fault.NotFound) {
			return false, until, nil // it has been told; the marks stay
		}
		return false, until, err
	}
	turn, err := p.Runs.Turn(ctx, j.ID)
	if turn == 0 || err != nil {
		return false, until, err
	}
	busy, err := p.Runs.Leases.Held(ctx, run.Run{Job: j.ID, Lane: run.Changes}.LeaseName())
	if busy || err != nil {
		return false, until, err
	}
	f := staging.Plan{Job: j, Now: p.Now()}
	f.Query.Object = object.TypeID
	if f.Writers, err = p.writers(ctx, j); err != nil {
		return false, until, err
	}
	if has, err = p.Marked.Pending(ctx, f); has && err == nil {
		until, err = p.Marked.Rests(ctx, f)
	}
	return has, until, err
}

// realTime returns the jobs that are in real time, in the order of their chains.
func (p *Planner) realTime(ctx context.Context) ([]job.Job, error) {
	all, err := p.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	chains, err := p.Chains.List(ctx)
	if err != nil {
		return nil, err
	}
	var order []string
	for _, c := range chains {
		for _, id := range c.Jobs {
			if !slices.Contains(order, id) {
				order = append(order, id)
			}
		}
	}
	place := func(j job.Job) int {
		if at := slices.Index(order, j.ID); at >= 0 {
			return at
		}
		return len(order)
	}
	all = slices.DeleteFunc(all, func(j job.Job) bool { return !j.Options.RealTime })
	slices.SortStableFunc(all, func(a, b job.Job) int { return place(a) - place(b) })
	return all, nil
}

// serve fills in what the plan needs to serve marks.
func (p *Planner) serve(ctx context.Context, f *staging.Plan, mode run.Mode) error {
	if f.Mode = mode; mode == "" {
		f.Mode = run.ModeChanges
	}
	turn, err := p.Runs.Turn(ctx, f.Job.ID)
	if err != nil {
		return err
	}
	if f.Turn = turn; f.Mode == run.ModeChanges || f.Mode == run.ModeFull {
		f.Turn++
		if err := p.sweep(ctx, f); err != nil {
			return err
		}
	}
	f.Writers, err = p.writers(ctx, f.Job)
	return err
}

// sweepEvery is how often archived records are looked for, a little less than a day,
// so that a daily run does it each time.
const sweepEvery = 23 * time.Hour

// sweep lets the run look for records that were archived since the last time,
// daily. Before its first run there is no row to deal with. The bin is up to date,
// unlike the index of search, so that a minute of overlap is for clocks alone.
func (p *Planner) sweep(ctx context.Context, f *staging.Plan) error {
	at, err := p.Runs.Swept(ctx, f.Job.ID)
	if err == nil && !at.IsZero() && f.Now.Sub(at) >= sweepEvery {
		f.ArchivedSince = at.Add(-time.Minute)
	}
	f.Swept = at.IsZero() || !f.ArchivedSince.IsZero()
	return err
}

// writers returns the jobs that write rows under the identifiers by which the job
// looks rows up.
func (p *Planner) writers(ctx context.Context, j job.Job) ([]staging.Writer, error) {
	if len(j.Mapping.Derived) == 0 {
		return nil, nil
	}
	all, err := p.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := p.People.Keys(ctx)
	if err != nil {
		return nil, err
	}
	var writers []staging.Writer
	for _, other := range all {
		for _, w := range identifiers(other, keys) {
			sought := func(w staging.Writer) bool {
				for _, d := range j.Mapping.Derived {
					fields := make([]string, len(d.Match))
					for i, pair := range d.Match {
						fields[i] = pair.Field
					}
					if d.Object == w.Object && slices.Equal(fields, w.Fields) {
						return true
					}
				}
				return false
			}
			if other.Connection == j.Connection && sought(w) {
				writers = append(writers, w)
			}
		}
	}
	return writers, nil
}

// identifiers returns under which identifiers a job writes: a people job under
// each of the resolution keys.
func identifiers(j job.Job, keys []string) []staging.Writer {
	if j.Mapping.Target == "company_person" {
		writers := make([]staging.Writer, len(keys))
		for i, key := range keys {
			writers[i] = staging.Writer{Job: j.ID, Object: "person", Fields: []string{key}}
		}
		return writers
	}
	w := staging.Writer{Job: j.ID, Object: j.Mapping.Target}
	for _, d := range j.Mapping.Direct {
		if d.Identifier {
			w.Fields = append(w.Fields, d.To)
			w.ByID = len(w.Fields) == 1 && j.Mapping.ByID(d)
		}
	}
	return []staging.Writer{w}
}

// counts reports whether a start counts: one by a schedule only if the stored
// schedule still says so, and once.
func (p *Planner) counts(ctx context.Context, in Input) (bool, error) {
	if in.Input.Cause != schedule.Cause || in.Input.Due.IsZero() || p.Schedules == nil {
		return true, nil
	}
	owner := schedule.Owner{What: schedule.Chain, ID: in.Input.Chain}
	if in.Input.Job != "" {
		owner = schedule.Owner{What: schedule.Job, ID: in.Input.Job}
		chains, err := p.Chains.With(ctx, in.Input.Job)
		if err != nil {
			return false, err
		}
		ids := make([]string, len(chains))
		for i, c := range chains {
			ids[i] = c.ID
		}
		if honoured, _, err := p.Schedules.Honoured(ctx, ids); !honoured || err != nil {
			return false, err
		}
	}
	return p.Schedules.Claim(ctx, owner, in.Input.Due, in.Execution)
}
