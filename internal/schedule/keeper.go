package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Keeper makes a scheduler follow what is stored. Store and Scheduler are required.
type Keeper struct {
	Store     *Store
	Scheduler Scheduler
	// Counts reports whether the schedule of an owner is followed: not that of an
	// owner that is gone or cannot run, nor a job's own beside that of its chain.
	// nil = all are.
	Counts func(ctx context.Context, o Owner) (bool, error)
	Now    func() time.Time // nil = time.Now
}

// Change is what Repair did about one owner's schedule.
type Change struct {
	Owner   Owner // without Name
	Removed bool  // else it was put
}

// Repair makes the scheduler follow the stored schedules that count, and no
// others. It returns what it changed: nothing if they agreed. An owner that
// fails keeps no other from it, and is in the error. Repeating it goes on.
func (k *Keeper) Repair(ctx context.Context) ([]Change, error) {
	followed, err := k.Scheduler.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list what the scheduler follows: %w", err)
	}
	stored, err := k.Store.List(ctx) // after the scheduler's: what was saved since is in it
	if err != nil {
		return nil, err
	}
	was := map[Owner]Schedule{}
	for _, e := range followed {
		was[e.Owner] = e.Schedule
	}
	var (
		changes []Change
		errs    []error
	)
	note := func(c Change, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("schedule of %s %s: %w", c.Owner.What, c.Owner.ID, err))
			return
		}
		changes = append(changes, c)
	}
	for _, e := range stored {
		counts, err := k.counts(ctx, e)
		if err != nil {
			note(Change{Owner: e.Owner}, err)
			delete(was, e.Owner) // not known: left as it is
			continue
		}
		if !counts {
			continue
		}
		old, there := was[e.Owner]
		delete(was, e.Owner)
		if !there || !old.Same(e.Schedule) {
			note(Change{Owner: e.Owner}, k.Scheduler.Put(ctx, e.Owner, e.Schedule))
		}
	}
	for o := range was {
		note(Change{Owner: o, Removed: true}, k.Scheduler.Delete(ctx, o))
	}
	return changes, errors.Join(errs...)
}

// counts reports whether a stored schedule is to be followed.
func (k *Keeper) counts(ctx context.Context, e Entry) (bool, error) {
	now := time.Now
	if k.Now != nil {
		now = k.Now
	}
	if _, more := e.Schedule.Next(now()); !more {
		return false, nil
	}
	if k.Counts == nil {
		return true, nil
	}
	return k.Counts(ctx, e.Owner)
}
