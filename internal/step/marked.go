package step

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

// The most marks that one run claims; what is left is for the next round.
const (
	maxEvents  = 20_000
	maxRetries = 10_000
)

// Marked finds the marks that are to be served. Both fields are required.
type Marked struct {
	Marks *mark.Store
	Delta *delta.Store
}

// Claim returns the marks that a run serves, those of one record beside each
// other, in the order of their ids. Which ones depends on the plan's mode: a run
// without a mode serves none.
func (m Marked) Claim(ctx context.Context, p staging.Plan) ([]mark.Mark, error) {
	var claimed []mark.Mark
	if p.Mode == "" {
		return nil, nil
	}
	object, job := p.Query.Object, p.Job.ID
	if p.Mode != run.ModeRejected {
		for _, c := range []mark.Class{mark.Deletions, mark.Events} {
			err := m.Marks.Each(ctx, object, job, c, func(one mark.Mark) (bool, error) {
				if !one.NotBefore.After(p.Now) {
					claimed = append(claimed, one)
				}
				return len(claimed) < maxEvents, nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	retries, err := m.retries(ctx, p)
	if err != nil {
		return nil, err
	}
	claimed = append(claimed, retries...)
	slices.SortFunc(claimed, func(a, b mark.Mark) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind))
	})
	return claimed, nil
}

// retries returns the marks of rejected records that the run tries again: those
// that are due, those whose value was written meanwhile, or all; the ones that
// wait longest first.
func (m Marked) retries(ctx context.Context, p staging.Plan) ([]mark.Mark, error) {
	var some []mark.Mark
	take := func(more ...mark.Mark) {
		some = append(some, more...)
		if len(some) > 2*maxRetries {
			some = oldest(some)
		}
	}
	switch p.Mode { //nolint:exhaustive // a run that reads all records tries all of them
	case run.ModeChanges, run.ModeMarked:
		err := m.woken(ctx, p, func(woken []mark.Mark) bool { take(woken...); return true }, func(waiting mark.Mark) {
			if p.Mode == run.ModeChanges && waiting.Due <= p.Turn {
				take(waiting)
			}
		})
		return oldest(some), err
	case run.ModeRejected:
		for _, c := range []mark.Class{mark.Retries, mark.Edits} {
			err := m.Marks.Each(ctx, p.Query.Object, p.Job.ID, c, func(one mark.Mark) (bool, error) { take(one); return true, nil })
			if err != nil {
				return nil, err
			}
		}
	}
	return oldest(some), nil
}

func oldest(some []mark.Mark) []mark.Mark {
	slices.SortStableFunc(some, func(a, b mark.Mark) int { return a.At.Compare(b.At) })
	return some[:min(len(some), maxRetries)]
}

// Pending reports whether something happened that the job's next run would serve
// beside its window: an event, or the writing of a value that a rejected record
// waits for.
func (m Marked) Pending(ctx context.Context, p staging.Plan) (bool, error) {
	some, err := m.Marks.Any(ctx, p.Query.Object, p.Job.ID, mark.Events, mark.Deletions)
	if some || err != nil {
		return some, err
	}
	err = m.woken(ctx, p, func([]mark.Mark) bool { some = true; return false }, func(mark.Mark) {})
	return some, err
}

// Rests returns until when all that is pending of a job rests; zero if something of
// it may be served by now.
func (m Marked) Rests(ctx context.Context, p staging.Plan) (until time.Time, err error) {
	due := false
	for _, c := range []mark.Class{mark.Deletions, mark.Events} {
		err := m.Marks.Each(ctx, p.Query.Object, p.Job.ID, c, func(one mark.Mark) (bool, error) {
			if due = !one.NotBefore.After(p.Now); !due && (until.IsZero() || one.NotBefore.Before(until)) {
				until = one.NotBefore
			}
			return !due, nil
		})
		if due || err != nil {
			return time.Time{}, err
		}
	}
	if !until.IsZero() {
		err = m.woken(ctx, p, func([]mark.Mark) bool { due = true; return false }, func(mark.Mark) {})
	}
	if due {
		until = time.Time{}
	}
	return until, err
}

// woken visits the marks of rejected records whose value was written by one of
// our jobs since, and the other ones. visit returns false to end it.
func (m Marked) woken(ctx context.Context, p staging.Plan, visit func([]mark.Mark) bool, other func(mark.Mark)) error {
	const batch = 100
	var waiting []mark.Mark
	more := true
	ask := func() error {
		written, err := m.written(ctx, p, waiting)
		if err != nil {
			return err
		}
		var woken []mark.Mark
		for i, one := range waiting {
			if written[i] {
				one.Woken = true
				woken = append(woken, one)
			} else {
				other(one)
			}
		}
		waiting = waiting[:0]
		if len(woken) > 0 {
			more = visit(woken)
		}
		return nil
	}
	err := m.Marks.Each(ctx, p.Query.Object, p.Job.ID, mark.Retries, func(one mark.Mark) (bool, error) {
		if one.Waits == nil {
			other(one)
			return true, nil
		}
		if waiting = append(waiting, one); len(waiting) < batch {
			return true, nil
		}
		err := ask()
		return more, err
	})
	if err == nil && more && len(waiting) > 0 {
		err = ask()
	}
	return err
}

// written reports for each mark whether one of our jobs has written a row with
// the value it waits for: whether it claims it as an identifier, or has written the
// record that has it as its id.
func (m Marked) written(ctx context.Context, p staging.Plan, waiting []mark.Mark) ([]bool, error) {
	written := make([]bool, len(waiting))
	for _, w := range p.Writers {
		at := map[string][]int{} // :: hash or id → marks
		for i, one := range waiting {
			if key := one.Waits.Hash; one.Waits.Object == w.Object && slices.Equal(one.Waits.Fields, w.Fields) {
				if w.ByID {
					key = one.Waits.ID
				}
				at[key] = append(at[key], i)
			}
		}
		if delete(at, ""); len(at) == 0 {
			continue
		}
		rows, err := m.rows(ctx, w, slices.Collect(maps.Keys(at)))
		if err != nil {
			return nil, err
		}
		for _, key := range rows {
			for _, i := range at[key] {
				written[i] = true
			}
		}
	}
	return written, nil
}

// rows returns those of some hashes, or ids, of which the writer has a row.
func (m Marked) rows(ctx context.Context, w staging.Writer, keys []string) ([]string, error) {
	if !w.ByID {
		claims, err := m.Delta.Claims(ctx, w.Job, keys)
		return slices.Collect(maps.Keys(claims)), err
	}
	prints, err := m.Delta.Prints(ctx, w.Job, keys)
	maps.DeleteFunc(prints, func(_ string, p delta.Print) bool { return p.GSID == "" })
	return slices.Collect(maps.Keys(prints)), err
}
