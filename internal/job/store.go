package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// Store keeps jobs on a table. The first three fields are required.
type Store struct {
	Table    table.Table
	Activity *activity.Store
	// NewID returns an id that was never returned before.
	NewID func() string
	// Check finds what is wrong with a job's mapping before it is stored; nil =
	// nothing is checked.
	Check func(ctx context.Context, j Job) error
	// Chains returns the names of the chains that a job is in; nil = none.
	Chains func(ctx context.Context, id string) ([]string, error)
}

func key(id string) table.Key { return table.Key{Partition: "JOB", Sort: id} }

// nameKey holds which job has a name.
func nameKey(name string) table.Key { return table.Key{Partition: "JOBNAME", Sort: NameKey(name)} }

type holder struct {
	ID string `json:"id"`
}

func decode(it table.Item) (Job, error) {
	var j Job
	if err := json.Unmarshal(it.Doc, &j); err != nil {
		return j, fmt.Errorf("decode job %s: %w", it.Sort, err)
	}
	j.Version = it.Version
	return j, nil
}

// Get returns a job by its id, or fault.NotFound.
func (s *Store) Get(ctx context.Context, id string) (Job, error) {
	if id == "" {
		return Job{}, fault.New(fault.NotFound, "There is no job without an id.")
	}
	it, err := s.Table.Get(ctx, key(id))
	if fault.Is(err, fault.NotFound) {
		return Job{}, fault.Wrap(err, fault.NotFound, "The job %q does not exist any more.", id)
	}
	if err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return decode(it)
}

// Find returns a job by its id, or by its name without regard to case. One that
// is not known is fault.NotFound, which lists the known names.
func (s *Store) Find(ctx context.Context, nameOrID string) (Job, error) {
	if NameKey(nameOrID) != "" {
		j, err := s.byName(ctx, nameOrID)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return j, err
		}
		j, err = s.Get(ctx, strings.TrimSpace(nameOrID))
		if err == nil || !fault.Is(err, fault.NotFound) {
			return j, err
		}
	}
	all, err := s.List(ctx)
	if err != nil {
		return Job{}, err
	}
	names := make([]string, len(all))
	for i, j := range all {
		names[i] = j.Name
	}
	return Job{}, fault.New(fault.NotFound, "There is no job %q. %s", nameOrID, KnownNames("job", names))
}

func (s *Store) byName(ctx context.Context, name string) (Job, error) {
	var h holder
	if _, err := table.Load(ctx, s.Table, nameKey(name), &h); err != nil {
		return Job{}, err
	}
	return s.Get(ctx, h.ID)
}

// List returns all jobs, by name.
func (s *Store) List(ctx context.Context) ([]Job, error) {
	var jobs []Job
	err := table.All(ctx, s.Table, "JOB", table.Range{}, func(it table.Item) error {
		j, err := decode(it)
		jobs = append(jobs, j)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	slices.SortFunc(jobs, func(a, b Job) int { return strings.Compare(NameKey(a.Name), NameKey(b.Name)) })
	return jobs, nil
}

// Save stores what an admin made of a job, with its activity. A job with Version
// 0 is created; another one is fault.Conflict if it changed since it was read.
// A new or changed mapping must pass Check, and then nothing is missing any more:
// the admin decided. A name that another job has is fault.Invalid. Saving what
// is stored already changes nothing.
func (s *Store) Save(ctx context.Context, j Job, by string) (Job, error) {
	var old *Job
	if j.Version > 0 {
		stored, err := s.Get(ctx, j.ID)
		if err != nil {
			return j, err
		}
		old = &stored
	}
	j, err := s.Prepare(ctx, old, j)
	if err != nil {
		return j, err
	}
	if old != nil && old.Version == j.Version && same(*old, j) {
		return j, nil
	}
	if old == nil {
		j.Creator = by
	}
	if err := s.Table.Write(ctx, s.SaveOps(old, j, by)); err != nil {
		return j, fmt.Errorf("save job %s: %w", j.ID, NameTaken("job", j.Name, nameKey(j.Name), err))
	}
	j.Version++
	return j, nil
}

// Prepare returns a job as Save would store it in place of old (nil: there is
// none), or why it would not.
func (s *Store) Prepare(ctx context.Context, old *Job, j Job) (Job, error) {
	var err error
	if j.Name, err = CleanName("job", j.Name); err != nil {
		return j, err
	}
	if old == nil {
		if j.Connection == "" {
			return j, fault.New(fault.Invalid, "Choose the connection of the job %q.", j.Name)
		}
		j.ID, j.OOTB, j.Edited, j.Missing, j.Creator = s.NewID(), "", false, nil, ""
		return j, s.check(ctx, j)
	}
	remapped := !same(old.Mapping, j.Mapping)
	j.ID, j.Connection, j.OOTB, j.Missing, j.Creator = old.ID, old.Connection, old.OOTB, old.Missing, old.Creator
	j.Edited = old.OOTB != "" && (old.Edited || remapped || j.Options != old.Options || j.Name != old.Name)
	switch {
	case remapped:
		j.Missing = nil
	case j.Options.WhenDeleted == old.Options.WhenDeleted || len(j.Missing) > 0:
		return j, nil
	}
	return j, s.check(ctx, j)
}

func (s *Store) check(ctx context.Context, j Job) error {
	if s.Check == nil {
		return nil
	}
	return s.Check(ctx, j)
}

// same compares what would be stored.
func same(a, b any) bool { return bytes.Equal(activity.JSON(a), activity.JSON(b)) }

// SaveOps are the writes that replace old (nil: there is none) by a job that is
// prepared. In a failed write, NameTaken tells whether the name was the cause.
func (s *Store) SaveOps(old *Job, j Job, by string) []table.Op {
	if old == nil {
		j.Creator = by
	}
	u := activity.Update{By: by, What: "job", ID: j.ID, Name: j.Name, Type: activity.Created, After: activity.JSON(j)}
	cond := table.Absent()
	if old != nil {
		u.Type, u.Before = activity.Edited, activity.JSON(*old)
		cond = table.VersionIs(j.Version)
	}
	ops := []table.Op{{Verb: table.Put, Item: table.New(key(j.ID), j), If: cond}, s.Activity.UpdateOp(u)}
	if old != nil && NameKey(old.Name) == NameKey(j.Name) {
		return ops
	}
	ops = append(ops, table.Op{Verb: table.Put, Item: table.New(nameKey(j.Name), holder{ID: j.ID}), If: table.Absent()})
	if old != nil {
		ops = append(ops, table.Op{Verb: table.Delete, Item: table.Item{Key: nameKey(old.Name)}})
	}
	return ops
}

// ExistsOp guards another write: the job is there, as it was read.
func (j Job) ExistsOp() table.Op {
	return table.Op{Verb: table.Check, Item: table.Item{Key: key(j.ID)}, If: table.VersionIs(j.Version)}
}

// NameTaken turns the failure of a write whose name item was taken into
// fault.Invalid; other errors stay as they are.
func NameTaken(what, name string, item table.Key, err error) error {
	if failed, ok := errors.AsType[*table.FailedError](err); ok && failed.Key == item {
		return fault.Wrap(err, fault.Invalid, "There is a %s named %q already. Choose another name.", what, name)
	}
	return err
}

// Clone stores a copy of a job under another name; "" means "Copy of …", with a
// number if that is taken. The copy is a job of its own: no out-of-the-box job.
func (s *Store) Clone(ctx context.Context, id, name, by string) (Job, error) {
	from, err := s.Get(ctx, id)
	if err != nil {
		return from, err
	}
	if len(from.Missing) > 0 {
		return from, fault.New(fault.Invalid, "%s", from.MissingSentence())
	}
	copied := Job{Connection: from.Connection, Mapping: from.Mapping, Options: from.Options, Name: name}
	if name != "" {
		return s.Save(ctx, copied, by)
	}
	for n := 1; ; n++ {
		copied.Name = "Copy of " + from.Name
		if n > 1 {
			copied.Name = fmt.Sprintf("Copy %d of %s", n, from.Name)
		}
		_, err := s.byName(ctx, copied.Name)
		if fault.Is(err, fault.NotFound) {
			return s.Save(ctx, copied, by)
		}
		if err != nil {
			return copied, err
		}
	}
}

// Delete removes a job with its schedule, and tells the activity. A job that a
// chain uses is fault.Conflict.
func (s *Store) Delete(ctx context.Context, id, by string) error {
	j, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if s.Chains != nil {
		chains, err := s.Chains(ctx, id)
		if err != nil {
			return err
		}
		if len(chains) > 0 {
			return fault.New(fault.Conflict, "The job %q is part of the chain %q. Take it out of the chain first.", j.Name, strings.Join(chains, `", "`))
		}
	}
	if err := s.Table.Write(ctx, s.DeleteOps(j, by)); err != nil {
		return fmt.Errorf("delete job %s: %w", id, err)
	}
	return nil
}

// DeleteOps are the writes that remove a job with its schedule.
func (s *Store) DeleteOps(j Job, by string) []table.Op {
	u := activity.Update{By: by, What: "job", ID: j.ID, Name: j.Name, Type: activity.Deleted, Before: activity.JSON(j)}
	return []table.Op{
		{Verb: table.Delete, Item: table.Item{Key: key(j.ID)}, If: table.VersionIs(j.Version)},
		{Verb: table.Delete, Item: table.Item{Key: nameKey(j.Name)}},
		schedule.DropOp(schedule.Owner{What: schedule.Job, ID: j.ID}),
		s.Activity.UpdateOp(u),
	}
}
