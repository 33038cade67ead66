// Package chain keeps the job chains: jobs that run one after the other.
package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// OnFailure says what becomes of the jobs behind one that failed.
type OnFailure string

// What OnFailure can be; "" means Stop.
const (
	Stop     OnFailure = "stop"     // they are skipped
	Continue OnFailure = "continue" // they run
)

// Chain is one chain.
type Chain struct {
	ID        string    `json:"id"` // set when it is created
	Name      string    `json:"name"`
	Jobs      []string  `json:"jobs"` // ids, in their order; at least one
	OnFailure OnFailure `json:"onFailure,omitempty"`

	Version int64 `json:"-"` // of the stored item; 0 if it is not stored
}

// Store keeps chains on a table. All fields are required.
type Store struct {
	Table    table.Table
	Activity *activity.Store
	Jobs     *job.Store
	NewID    func() string // returns an id that was never returned before
}

func key(id string) table.Key { return table.Key{Partition: "CHAIN", Sort: id} }

// nameKey holds which chain has a name.
func nameKey(name string) table.Key {
	return table.Key{Partition: "CHAINNAME", Sort: job.NameKey(name)}
}

type holder struct {
	ID string `json:"id"`
}

func decode(it table.Item) (Chain, error) {
	var c Chain
	if err := json.Unmarshal(it.Doc, &c); err != nil {
		return c, fmt.Errorf("decode chain %s: %w", it.Sort, err)
	}
	c.Version = it.Version
	return c, nil
}

// Get returns a chain by its id, or fault.NotFound.
func (s *Store) Get(ctx context.Context, id string) (Chain, error) {
	if id == "" {
		return Chain{}, fault.New(fault.NotFound, "There is no chain without an id.")
	}
	it, err := s.Table.Get(ctx, key(id))
	if fault.Is(err, fault.NotFound) {
		return Chain{}, fault.Wrap(err, fault.NotFound, "The chain %q does not exist any more.", id)
	}
	if err != nil {
		return Chain{}, fmt.Errorf("read chain %s: %w", id, err)
	}
	return decode(it)
}

// Find returns a chain by its id, or by its name without regard to case. One that
// is not known is fault.NotFound, which lists the known names.
func (s *Store) Find(ctx context.Context, nameOrID string) (Chain, error) {
	if job.NameKey(nameOrID) != "" {
		var h holder
		_, err := table.Load(ctx, s.Table, nameKey(nameOrID), &h)
		if fault.Is(err, fault.NotFound) {
			h.ID, err = strings.TrimSpace(nameOrID), nil
		}
		if err != nil {
			return Chain{}, fmt.Errorf("find chain: %w", err)
		}
		c, err := s.Get(ctx, h.ID)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	all, err := s.List(ctx)
	if err != nil {
		return Chain{}, err
	}
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	return Chain{}, fault.New(fault.NotFound, "There is no chain %q. %s", nameOrID, job.KnownNames("chain", names))
}

// List returns all chains, by name.
func (s *Store) List(ctx context.Context) ([]Chain, error) {
	var chains []Chain
	err := table.All(ctx, s.Table, "CHAIN", table.Range{}, func(it table.Item) error {
		c, err := decode(it)
		chains = append(chains, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	slices.SortFunc(chains, func(a, b Chain) int { return strings.Compare(job.NameKey(a.Name), job.NameKey(b.Name)) })
	return chains, nil
}

// With returns the chains that a job is in, by name.
func (s *Store) With(ctx context.Context, jobID string) ([]Chain, error) {
	all, err := s.List(ctx)
	return slices.DeleteFunc(all, func(c Chain) bool { return !slices.Contains(c.Jobs, jobID) }), err
}

// NamesWith returns the names of the chains that a job is in.
func (s *Store) NamesWith(ctx context.Context, jobID string) ([]string, error) {
	chains, err := s.With(ctx, jobID)
	names := make([]string, len(chains))
	for i, c := range chains {
		names[i] = c.Name
	}
	return names, err
}

// Save stores a chain with its activity. A chain with Version 0 is created;
// another one is fault.Conflict if it changed since it was read. A name that
// another chain has, no job, a job twice, and a job that does not exist are
// fault.Invalid. Saving what is stored already changes nothing.
func (s *Store) Save(ctx context.Context, c Chain, by string) (Chain, error) {
	var old *Chain
	if c.Version > 0 {
		stored, err := s.Get(ctx, c.ID)
		if err != nil {
			return c, err
		}
		old = &stored
	}
	c, err := s.Prepare(old, c)
	if err != nil {
		return c, err
	}
	if old != nil && old.Version == c.Version && reflect.DeepEqual(*old, c) {
		return c, nil
	}
	ops := s.SaveOps(old, c, by)
	for _, id := range c.Jobs {
		j, err := s.Jobs.Get(ctx, id)
		if fault.Is(err, fault.NotFound) {
			return c, fault.Wrap(err, fault.Invalid, "The job %q does not exist any more: take it out of the chain %q.", id, c.Name)
		}
		if err != nil {
			return c, err
		}
		ops = append(ops, j.ExistsOp())
	}
	if err := s.Table.Write(ctx, ops); err != nil {
		return c, fmt.Errorf("save chain %s: %w", c.ID, job.NameTaken("chain", c.Name, nameKey(c.Name), err))
	}
	c.Version++
	return c, nil
}

// maxJobs keeps a chain and the checks of its jobs in one write.
const maxJobs = table.MaxWriteOps - 4

// Prepare returns a chain as Save would store it in place of old (nil: there is
// none), or why it would not. It does not look at the jobs.
func (s *Store) Prepare(old *Chain, c Chain) (Chain, error) {
	var err error
	if c.Name, err = job.CleanName("chain", c.Name); err != nil {
		return c, err
	}
	if old == nil {
		c.ID = s.NewID()
	}
	switch c.OnFailure {
	case "", Stop:
		c.OnFailure = Stop
	case Continue:
	default:
		return c, fault.New(fault.Invalid, "After a failure the chain %q can stop or continue, not %q.", c.Name, c.OnFailure)
	}
	switch {
	case len(c.Jobs) == 0:
		return c, fault.New(fault.Invalid, "The chain %q has no job: add at least one.", c.Name)
	case len(c.Jobs) > maxJobs:
		return c, fault.New(fault.Invalid, "The chain %q has more than %d jobs: make two chains of it.", c.Name, maxJobs)
	}
	for i, id := range c.Jobs {
		if slices.Contains(c.Jobs[:i], id) {
			return c, fault.New(fault.Invalid, "The chain %q has one job twice: jobs %d and %d.", c.Name, slices.Index(c.Jobs, id)+1, i+1)
		}
	}
	return c, nil
}

// SaveOps are the writes that replace old (nil: there is none) by a chain that
// is prepared.
func (s *Store) SaveOps(old *Chain, c Chain, by string) []table.Op {
	u := activity.Update{By: by, What: "chain", ID: c.ID, Name: c.Name, Type: activity.Created, After: activity.JSON(c)}
	cond := table.Absent()
	if old != nil {
		u.Type, u.Before = activity.Edited, activity.JSON(*old)
		cond = table.VersionIs(c.Version)
	}
	ops := []table.Op{{Verb: table.Put, Item: table.New(key(c.ID), c), If: cond}, s.Activity.UpdateOp(u)}
	if old != nil && job.NameKey(old.Name) == job.NameKey(c.Name) {
		return ops
	}
	ops = append(ops, table.Op{Verb: table.Put, Item: table.New(nameKey(c.Name), holder{ID: c.ID}), If: table.Absent()})
	if old != nil {
		ops = append(ops, table.Op{Verb: table.Delete, Item: table.Item{Key: nameKey(old.Name)}})
	}
	return ops
}

// Delete removes a chain with its schedule, and tells the activity. Its jobs stay.
func (s *Store) Delete(ctx context.Context, id, by string) error {
	c, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Table.Write(ctx, s.DeleteOps(c, by)); err != nil {
		return fmt.Errorf("delete chain %s: %w", id, err)
	}
	return nil
}

// DeleteOps are the writes that remove a chain with its schedule.
func (s *Store) DeleteOps(c Chain, by string) []table.Op {
	u := activity.Update{By: by, What: "chain", ID: c.ID, Name: c.Name, Type: activity.Deleted, Before: activity.JSON(c)}
	return []table.Op{
		{Verb: table.Delete, Item: table.Item{Key: key(c.ID)}, If: table.VersionIs(c.Version)},
		{Verb: table.Delete, Item: table.Item{Key: nameKey(c.Name)}},
		schedule.DropOp(schedule.Owner{What: schedule.Chain, ID: c.ID}),
		s.Activity.UpdateOp(u),
	}
}
