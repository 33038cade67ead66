package admin

import (
	"context"
	"slices"
	"time"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
)

// Backlog is how far a job has come with what is too much for one run, and is done
// in slices beside its runs.
type Backlog struct {
	Job, JobName string // id and name
	Work         Work
	State        BacklogState
	// Settled is how many of Total records are settled; Total 0 = nobody knows.
	Settled, Total int
	// Percent is Settled of Total, at most 99 as long as something is left; -1 = not
	// known.
	Percent int
	Since   time.Time
	// End is when it is expected to end; zero = not known.
	End time.Time
	// WaitsFor are the names of the jobs whose own come before it.
	WaitsFor []string
	// Failures is how many slices failed in a row, and NextTry when it is tried again.
	Failures int
	NextTry  time.Time // zero = at once
	Run      run.ID    // the slice at work, "" if none is
}

// Work is what is done in slices.
type Work string

// What Work can be.
const (
	FirstLoad  Work = "first load"
	Comparison Work = "comparison" // of all records with their rows
	Changes    Work = "changes"    // more of them than one run takes
)

// BacklogState is how a backlog stands.
type BacklogState string

// How a backlog can stand.
const (
	AtWork       BacklogState = "at work"
	WaitsForJobs BacklogState = "waits for other jobs"
	Paused       BacklogState = "paused" // after a slice that failed, until its next try
	Unauthorized BacklogState = "needs authorization"
	Due          BacklogState = "due" // its next slice has not started yet
)

// Backlogs returns what jobs do in slices, by the name of the job.
func (s *Service) Backlogs(ctx context.Context) ([]Backlog, error) {
	stored, err := s.Connector.Runs.Backlogs(ctx)
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	v := backlogs{s: s, stored: map[string]run.Backlog{}, jobs: map[string]job.Job{}, done: map[string]*Backlog{}}
	for _, b := range stored {
		v.stored[b.Job] = b
	}
	jobs, err := s.Connector.Jobs.List(ctx) // by name
	if err != nil {
		return nil, err
	}
	jobs = slices.DeleteFunc(jobs, func(j job.Job) bool { return len(v.stored[j.ID].Spans) == 0 })
	for _, j := range jobs {
		v.jobs[j.ID] = j
	}
	if v.chains, err = s.Connector.Chains.List(ctx); err != nil {
		return nil, err
	}
	if v.slices, err = s.slicesAtWork(ctx); err != nil {
		return nil, err
	}
	all := make([]Backlog, len(jobs))
	for i, j := range jobs {
		b, err := v.of(ctx, j.ID)
		if err != nil {
			return nil, err
		}
		all[i] = *b
	}
	return all, nil
}

// Backlog returns what a job does in slices; ok is false if that is nothing.
func (s *Service) Backlog(ctx context.Context, job string) (b Backlog, ok bool, err error) {
	all, err := s.Backlogs(ctx)
	i := slices.IndexFunc(all, func(b Backlog) bool { return b.Job == job })
	if i < 0 || err != nil {
		return Backlog{}, false, err
	}
	return all[i], true, nil
}

// slicesAtWork returns the slices on which somebody works. :: job → slice
func (s *Service) slicesAtWork(ctx context.Context) (map[string]Progress, error) {
	open, err := s.Connector.Runs.OpenRounds(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]Progress{}
	for _, round := range open {
		for _, id := range round.Jobs {
			r, err := s.Connector.Runs.Get(ctx, id)
			if fault.Is(err, fault.NotFound) || err == nil && (r.Lane != run.Slices || r.Status.Closed()) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if runs, err := s.going(ctx, round.Execution); err != nil || !runs {
				continue // who cannot say shows nothing
			}
			if found[r.Job], err = s.progress(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// backlogs looks at all of them, of which some wait for others.
type backlogs struct {
	s      *Service
	stored map[string]run.Backlog // :: job → what is stored
	jobs   map[string]job.Job     // those that have one
	chains []chain.Chain
	slices map[string]Progress // :: job → its slice at work
	done   map[string]*Backlog // :: job → how it stands
}

// of returns how the backlog of a job stands.
func (v *backlogs) of(ctx context.Context, id string) (*Backlog, error) {
	if known, ok := v.done[id]; ok {
		return known, nil
	}
	stored, j := v.stored[id], v.jobs[id]
	b := &Backlog{
		Job: id, JobName: j.Name, Work: workOf(stored), State: Due, Total: stored.Total, Settled: stored.Read, Percent: -1, Since: stored.Opened,
		Failures: stored.Failures, NextTry: stored.NotBefore,
	}
	begins := v.s.now()
	known, err := v.wait(ctx, b, &begins)
	if err != nil {
		return nil, err
	}
	usable := v.s.Connector.Connections.Usable(ctx, j.Connection)
	slice, works := v.slices[id]
	switch {
	case works:
		b.State, b.Run, b.NextTry, known, begins = AtWork, slice.Run.ID, time.Time{}, true, v.s.now()
		b.Settled += slice.Settled.Settled()
	case fault.Is(usable, fault.Reauthorize) || fault.Is(usable, fault.NotFound):
		b.State, known = Unauthorized, false
	case usable != nil:
		return nil, usable
	case len(b.WaitsFor) > 0:
		b.State = WaitsForJobs
	case begins.Before(b.NextTry):
		b.State, begins = Paused, b.NextTry
	}
	if b.Total > 0 {
		b.Percent = min(99, 100*b.Settled/b.Total)
	}
	if known && b.Total > 0 && stored.PerDay > 0 {
		days := float64(max(0, b.Total-b.Settled)) / float64(stored.PerDay)
		b.End = begins.Add(time.Duration(days * 24 * float64(time.Hour))).Truncate(time.Minute)
	}
	v.done[id] = b
	return b, nil
}

// wait finds the jobs for which a backlog waits, and moves when it begins behind
// them. It reports whether that is known.
func (v *backlogs) wait(ctx context.Context, b *Backlog, begins *time.Time) (known bool, err error) {
	known = true
	for _, id := range chain.Before(v.chains, b.Job) {
		if _, has := v.jobs[id]; !has {
			continue
		}
		b.WaitsFor = append(b.WaitsFor, v.jobs[id].Name)
		before, err := v.of(ctx, id)
		if err != nil {
			return false, err
		}
		if before.End.IsZero() {
			known = false
		} else if before.End.After(*begins) {
			*begins = before.End
		}
	}
	return known, nil
}

// workOf is what a backlog is, by the largest part of it.
func workOf(b run.Backlog) Work {
	work := Changes
	for _, span := range b.Spans {
		if span.All() {
			if span.First {
				return FirstLoad
			}
			work = Comparison
		}
	}
	return work
}
