package config

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// Change is one thing that a file changes.
type Change struct {
	What string // setting, job, chain or schedule
	Name string // of the job or chain; a schedule has that of its owner
	Type string // created, edited or deleted
	// Lines tell what changes, such as `onFailure: "stop" → "continue"`; none for
	// what is created or deleted.
	Lines []string
}

// Diff returns what Apply would change, and stores nothing. All problems of the
// file are one error, Problems.
func (f *Files) Diff(ctx context.Context, data []byte) ([]Change, error) {
	a, err := f.prepare(ctx, data, "")
	if err != nil {
		return nil, err
	}
	return a.changes, nil
}

// Apply makes what is stored as the file says and returns what changed. All
// problems of the file are one error, Problems, and then nothing is stored. Up
// to some 30 jobs are stored all or nothing; more in several writes, in an order
// in which each leaves a sound configuration. fault.Conflict means that somebody
// changed something meanwhile: apply again. What is so already costs no write.
func (f *Files) Apply(ctx context.Context, data []byte, by string) ([]Change, error) {
	a, err := f.prepare(ctx, data, by)
	if err != nil {
		return nil, err
	}
	for len(a.groups) > 0 {
		var ops []table.Op
		for len(a.groups) > 0 && len(ops)+len(a.groups[0]) <= table.MaxWriteOps {
			ops = append(ops, a.groups[0]...)
			a.groups = a.groups[1:]
		}
		if err := f.Table.Write(ctx, ops); err != nil {
			return nil, fmt.Errorf("apply configuration: %w", err)
		}
	}
	return a.changes, nil
}

// applier turns a file into writes.
type applier struct {
	*Files
	*decoder
	state
	names    names
	by       string
	preparer *job.Store        // does not check jobs: that is done here, under the file's key
	rekeyed  bool              // the file changes the person resolution key
	ids      map[string]string // :: name of a job → id
	seen     map[string]int    // :: kind and name of what the file names → line
	groups   [][]table.Op      // each is written as one
	changes  []Change
}

func (f *Files) prepare(ctx context.Context, data []byte, by string) (*applier, error) {
	a := &applier{Files: f, decoder: &decoder{lines: map[string]int{}}, by: by, ids: map[string]string{}, seen: map[string]int{}}
	var err error
	if a.state, err = f.state(ctx); err != nil {
		return nil, err
	}
	a.names = namesOf(a.conn)
	unchecked := *f.Jobs
	unchecked.Check = nil
	a.preparer = &unchecked
	in, err := a.decode(data)
	if err != nil {
		return nil, err
	}
	for _, j := range a.jobs {
		a.ids[job.NameKey(j.Name)] = j.ID
	}
	if err := a.key(ctx, in); err != nil {
		return nil, err
	}
	for i, e := range in.Jobs {
		if err := a.job(ctx, fmt.Sprintf("jobs[%d]", i), e); err != nil {
			return nil, err
		}
	}
	for i, l := range in.Chains {
		if err := a.chain(fmt.Sprintf("chains[%d]", i), l); err != nil {
			return nil, err
		}
	}
	return a, a.err()
}

// key prepares the person resolution key, with the people jobs that the file
// does not name.
func (a *applier) key(ctx context.Context, in file) error {
	if len(in.PersonResolutionKey) == 0 {
		return nil
	}
	const path = "personResolutionKey"
	if err := person.Check(in.PersonResolutionKey); err != nil {
		a.fail(path, "%s", fault.MessageOf(err))
		return nil
	}
	ops, err := a.People.SaveOps(ctx, in.PersonResolutionKey, a.by)
	if err != nil || len(ops) == 0 {
		return err
	}
	effects, err := a.People.Effects(ctx, in.PersonResolutionKey)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, e := range in.Jobs {
		if n, err := a.names.decode(e.Name); err == nil {
			named[job.NameKey(n)] = true
		}
	}
	a.changed("setting", "Person resolution key", a.keys, in.PersonResolutionKey)
	a.keys, a.rekeyed = in.PersonResolutionKey, true
	for _, e := range effects {
		if named[job.NameKey(e.Before.Name)] {
			continue
		}
		for _, field := range e.Unmapped {
			a.fail(path, "The job %q does not map %s of Person, which the file makes a part of the resolution key: map it first.", e.Before.Name, field)
		}
		ops = append(ops, a.Jobs.SaveOps(&e.Before, e.After, a.by)...)
		a.changed("job", e.After.Name, e.Before.Mapping, e.After.Mapping)
	}
	a.groups = append(a.groups, ops)
	return nil
}

// text reads a name with its placeholders.
func (a *applier) text(path, text string) string {
	n, err := a.names.decode(text)
	if err != nil {
		a.fail(path, "%v.", err)
	}
	return n
}

// report makes an error that is about the file a problem at a path, or returns it.
func (a *applier) report(path string, err error) error {
	if problems, ok := errors.AsType[mapping.Problems](err); ok {
		for _, p := range problems {
			a.fail(path+".mapping."+p.Path, "%s", p.Message)
		}
		return nil
	}
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
		a.fail(path, "%s", fault.MessageOf(err))
		return nil
	}
	return err
}

func (a *applier) job(ctx context.Context, path string, e entry) error {
	j := job.Job{Name: a.text(path+".name", e.Name), Connection: a.conn.ID, Mapping: e.Mapping, Options: e.Options}
	for at, err := range mapFields(&j.Mapping, a.names.decode) {
		a.fail(path+".mapping."+at, "%v.", err)
	}
	var old *job.Job
	if i := slices.IndexFunc(a.jobs, func(one job.Job) bool { return job.NameKey(one.Name) == job.NameKey(j.Name) }); i >= 0 {
		old = &a.jobs[i]
		j.Version = old.Version
	}
	if a.twice(path, "job", j.Name) {
		return nil
	}
	j, err := a.preparer.Prepare(ctx, old, j)
	if err != nil {
		return a.report(path, err)
	}
	a.ids[job.NameKey(j.Name)] = j.ID
	changes := old == nil || !equal(*old, j)
	if a.Check != nil && (changes || a.rekeyed && j.Mapping.Target == "company_person") && len(j.Missing) == 0 {
		if err := a.report(path, a.Check(ctx, j, a.keys)); err != nil {
			return err
		}
	}
	var ops []table.Op
	if changes {
		ops = a.Jobs.SaveOps(old, j, a.by)
		if old == nil {
			a.changes = append(a.changes, Change{What: "job", Name: j.Name, Type: "created"})
		} else {
			a.changed("job", j.Name, *old, j)
		}
	}
	return a.schedule(path, schedule.Owner{What: schedule.Job, ID: j.ID, Name: j.Name}, e.Schedule, ops)
}

// twice notes a name that stands in the file before.
func (a *applier) twice(path, what, name string) bool {
	key := what + " " + job.NameKey(name)
	if line, ok := a.seen[key]; ok {
		a.fail(path+".name", "The %s %q stands in the file twice, first in line %d.", what, name, line)
		return true
	}
	a.seen[key] = a.line(path)
	return false
}

func (a *applier) chain(path string, l link) error {
	c := chain.Chain{Name: a.text(path+".name", l.Name), OnFailure: l.OnFailure}
	for i, text := range l.Jobs {
		at := fmt.Sprintf("%s.jobs[%d]", path, i)
		n := a.text(at, text)
		id, ok := a.ids[job.NameKey(n)]
		if !ok {
			a.fail(at, "There is no job %q, neither in the file nor stored.", n)
		}
		c.Jobs = append(c.Jobs, id)
	}
	if a.twice(path, "chain", c.Name) {
		return nil
	}
	var old *chain.Chain
	if i := slices.IndexFunc(a.chains, func(one chain.Chain) bool { return job.NameKey(one.Name) == job.NameKey(c.Name) }); i >= 0 {
		old = &a.chains[i]
		c.ID, c.Version = old.ID, old.Version
	}
	if slices.Contains(c.Jobs, "") {
		return nil // reported
	}
	c, err := a.Chains.Prepare(old, c)
	if err != nil {
		return a.report(path, err)
	}
	var ops []table.Op
	switch {
	case old == nil:
		ops = a.Chains.SaveOps(nil, c, a.by)
		a.changes = append(a.changes, Change{What: "chain", Name: c.Name, Type: "created"})
	case !equal(*old, c):
		ops = a.Chains.SaveOps(old, c, a.by)
		a.changed("chain", c.Name, a.readable(*old), a.readable(c))
	}
	return a.schedule(path, schedule.Owner{What: schedule.Chain, ID: c.ID, Name: c.Name}, l.Schedule, ops)
}

// readable is a chain with the names of its jobs.
func (a *applier) readable(c chain.Chain) link {
	l := link{Name: c.Name, OnFailure: c.OnFailure}
	for _, id := range c.Jobs {
		for n, known := range a.ids {
			if known == id {
				l.Jobs = append(l.Jobs, n)
			}
		}
	}
	return l
}

// schedule prepares the schedule of a job or chain, to be stored with ops.
func (a *applier) schedule(path string, o schedule.Owner, want *schedule.Schedule, ops []table.Op) error {
	stored := a.state.schedule(o.What, o.ID)
	switch {
	case want == nil && stored == nil:
	case want == nil:
		ops = append(ops, a.Schedules.DeleteOps(o, *stored, a.by)...)
		a.changes = append(a.changes, Change{What: "schedule", Name: o.Name, Type: "deleted"})
	case len(want.Check()) > 0:
		for _, p := range want.Check() {
			a.fail(path+".schedule."+p.Field, "%s", p.Message)
		}
	case stored == nil || !equal(*stored, *want):
		s := *want
		if stored != nil {
			s.Version = stored.Version
		}
		put, err := a.Schedules.PutOps(o, stored, s, a.by)
		if err != nil {
			return err
		}
		ops = append(ops, put...)
		if stored == nil {
			a.changes = append(a.changes, Change{What: "schedule", Name: o.Name, Type: "created"})
		} else {
			a.changed("schedule", o.Name, *stored, s)
		}
	}
	if len(ops) > 0 {
		a.groups = append(a.groups, ops)
	}
	return nil
}
