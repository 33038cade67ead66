package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// What can have a schedule.
const (
	Job   = "job"
	Chain = "chain"
)

// Owner is what a schedule belongs to.
type Owner struct {
	What string // Job or Chain
	ID   string
	Name string // for the activity alone; it is not stored
}

// Entry is a stored schedule.
type Entry struct {
	Owner    Owner // without Name
	Schedule Schedule
}

// Store keeps schedules on a table. Both fields are required.
type Store struct {
	Table    table.Table
	Activity *activity.Store
}

func key(o Owner) table.Key {
	return table.Key{Partition: "SCHEDULE", Sort: o.What + "#" + o.ID}
}

func decode(it table.Item) (Entry, error) {
	e := Entry{Schedule: Schedule{Version: it.Version}}
	e.Owner.What, e.Owner.ID, _ = strings.Cut(it.Sort, "#")
	if err := json.Unmarshal(it.Doc, &e.Schedule); err != nil {
		return e, fmt.Errorf("decode schedule %s: %w", it.Sort, err)
	}
	return e, nil
}

// Get returns the schedule of a job or chain, or fault.NotFound.
func (s *Store) Get(ctx context.Context, o Owner) (Schedule, error) {
	it, err := s.Table.Get(ctx, key(o))
	if fault.Is(err, fault.NotFound) {
		return Schedule{}, fault.Wrap(err, fault.NotFound, "The %s has no schedule.", o.What)
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("read schedule of %s %s: %w", o.What, o.ID, err)
	}
	e, err := decode(it)
	return e.Schedule, err
}

// List returns all schedules, those of chains first.
func (s *Store) List(ctx context.Context) ([]Entry, error) {
	var list []Entry
	err := table.All(ctx, s.Table, "SCHEDULE", table.Range{}, func(it table.Item) error {
		e, err := decode(it)
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return list, nil
}

// Put stores a valid schedule with its activity. A schedule that was read before
// is fault.Conflict if it changed since; one with Version 0 must be the first of
// its owner. All problems of one that is not valid are one fault.Invalid.
func (s *Store) Put(ctx context.Context, o Owner, sch Schedule, by string) (Schedule, error) {
	var old *Schedule
	if sch.Version > 0 {
		stored, err := s.Get(ctx, o)
		if err != nil {
			return sch, err
		}
		old = &stored
	}
	ops, err := s.PutOps(o, old, sch, by)
	if err != nil {
		return sch, err
	}
	if err := s.Table.Write(ctx, ops); err != nil {
		return sch, fmt.Errorf("save schedule of %s %s: %w", o.What, o.ID, err)
	}
	sch.Version++
	return sch, nil
}

// PutOps are the writes that replace old (nil: there is none) by a valid
// schedule, whose Version tells which stored one it was made from.
func (s *Store) PutOps(o Owner, old *Schedule, sch Schedule, by string) ([]table.Op, error) {
	if err := sch.Validate(); err != nil {
		return nil, err
	}
	u := activity.Update{By: by, What: "schedule", ID: o.What + "#" + o.ID, Name: o.Name, Type: activity.Created, After: activity.JSON(sch)}
	cond := table.Absent()
	if old != nil {
		u.Type, u.Before = activity.Edited, activity.JSON(*old)
		cond = table.VersionIs(sch.Version)
	}
	return []table.Op{{Verb: table.Put, Item: table.New(key(o), sch), If: cond}, s.Activity.UpdateOp(u)}, nil
}

// Delete removes the schedule of a job or chain with its activity. One that is
// not there is no error and no activity.
func (s *Store) Delete(ctx context.Context, o Owner, by string) error {
	old, err := s.Get(ctx, o)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.Table.Write(ctx, s.DeleteOps(o, old, by)); err != nil {
		return fmt.Errorf("delete schedule of %s %s: %w", o.What, o.ID, err)
	}
	return nil
}

// DeleteOps are the writes that remove a stored schedule.
func (s *Store) DeleteOps(o Owner, old Schedule, by string) []table.Op {
	u := activity.Update{By: by, What: "schedule", ID: o.What + "#" + o.ID, Name: o.Name, Type: activity.Deleted, Before: activity.JSON(old)}
	return []table.Op{
		{Verb: table.Delete, Item: table.Item{Key: key(o)}, If: table.VersionIs(old.Version)},
		s.Activity.UpdateOp(u),
	}
}

// DropOp is the write that removes the schedule of an owner that is deleted, if
// it has one; the owner's own activity tells of it.
func DropOp(o Owner) table.Op { return table.Op{Verb: table.Delete, Item: table.Item{Key: key(o)}} }

// Honoured reports whether a job's own schedule counts: it does not while a
// chain that the job is in has an enabled schedule, and then the id of that
// chain is returned.
func (s *Store) Honoured(ctx context.Context, chains []string) (ok bool, overruledBy string, err error) {
	for _, id := range chains {
		sch, err := s.Get(ctx, Owner{What: Chain, ID: id})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return false, "", err
		}
		if err == nil && sch.Enabled {
			return false, id, nil
		}
	}
	return true, "", nil
}
