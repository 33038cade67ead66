package upsert

import (
	"context"
	"errors"
	"time"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// Two lanes of a job may come to one record at once. Whoever sends its row says so
// first, by compare-and-swap: of a known row in its print, of a new one in its
// claims. The other lane leaves it then and marks the record, which is read again.
// Between two readings the newer one counts, in whatever order they arrive.

// errSwapped says that another lane was faster; what it wrote is read first.
var errSwapped = errors.New("another lane has settled a record meanwhile")

// maxLost is how many swaps in a row may be lost.
const maxLost = 50

// rest is how long the other lane is left alone with a record.
const rest = 10 * time.Second

// stale reports whether what is known of the record comes from a newer reading.
func (it *item) stale() bool {
	e, was := it.entry, it.was
	switch {
	case e.Read == 0 || was.Read == 0: // nobody noted it
		return false
	case e.Gone != nil && e.Gone.How == record.Private: // for ever
		return false
	case e.Gone == nil && was.Gone == "" && e.Version != was.Seen:
		return e.Version < was.Seen
	}
	return e.Read < was.Read
}

// first reports whether no row of the record was delivered yet.
func (it *item) first() bool { return it.was.GSID == "" && it.was.Hash == "" }

// share looks whether the other lane is at work. A run that begins there later reads
// the records later, too.
func (w *work) share(ctx context.Context) (err error) {
	if !w.marks() {
		return nil
	}
	other := run.Slices
	if w.run.Lane == run.Slices {
		other = run.Changes
	}
	w.shared, err = w.Runs.Leases.Held(ctx, run.LaneOf(w.run.Job, other))
	return err
}

// remember lets the outcome of a newer reading be stored, also if it is the one that
// is known, while the other lane may hold an older reading.
func (w *work) remember(it *item) {
	settled := it.outcome != "" && !it.aside && !it.counted
	it.changed = it.changed || w.shared && settled && it.entry.Read > it.was.Read
}

// yield leaves out the rows of records that the other lane is at.
func (w *work) yield(ctx context.Context, rows []*item) ([]*item, error) {
	var ours []*item
	for _, it := range rows {
		busy, err := w.elsewhere(ctx, it.was.Sending)
		if err != nil {
			return nil, err
		}
		if busy {
			it.lose()
		} else {
			ours = append(ours, it)
		}
	}
	return ours, nil
}

// claimedElsewhere reports whether the other lane sends the record's first row,
// and leaves the record to it then.
func (w *work) claimedElsewhere(ctx context.Context, it *item, held map[string]delta.Claim) (bool, error) {
	if !it.first() {
		return false, nil
	}
	for _, key := range it.keys {
		c := held[key]
		if c.Source != it.id || c.Run == it.was.Run { // that run has settled the record
			continue
		}
		busy, err := w.elsewhere(ctx, c.Run)
		if busy {
			it.lose()
		}
		if busy || err != nil || c.Run == w.run.ID {
			return busy, err
		}
		now, err := w.Delta.Prints(ctx, w.plan.Job.ID, []string{it.id}) // that run may have ended since it was read
		if err == nil && now[it.id].Stored != it.was.Stored {
			err = errSwapped
		}
		return false, err
	}
	return false, nil
}

// lose leaves the record to the other lane.
func (it *item) lose() { it.outcome, it.aside, it.lost, it.changed = run.Unchanged, true, true, false }

// elsewhere reports whether a run is at work in the other lane of the job.
func (w *work) elsewhere(ctx context.Context, id run.ID) (bool, error) {
	if id == "" || id == w.run.ID || !w.marks() {
		return false, nil
	}
	other, err := w.Runs.Get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil || other.Status.Closed() || other.Lane == w.run.Lane {
		return false, err
	}
	l, err := w.Runs.Leases.Of(ctx, other.LeaseName(), string(id))
	return l.Fence > 0, err
}

// readAgain is the write that lets a record that was lost be read again.
func (w *work) readAgain(it *item) []table.Op {
	if !it.lost {
		return nil
	}
	return []table.Op{mark.PutOp(w.plan.Query.Object, mark.Mark{
		Job: w.plan.Job.ID, ID: it.id, Kind: mark.Changed, At: w.Now().UTC(), NotBefore: w.Now().UTC().Add(rest),
	})}
}

// pauses reports whether rows are sent again only after a pause in which the other
// lane should not wait.
func (w *work) pauses(err error) bool {
	return w.marks() && fault.Is(err, fault.Throttled) && fault.ResumeAt(err).Sub(w.Now()) > 2*time.Minute
}

// unlock is the writes that say that a record's row is not sent any more. What the
// target holds stays in doubt.
func (w *work) unlock(it *item) []table.Op {
	var ops []table.Op
	for hash, c := range it.locks {
		c.Run = ""
		ops = append(ops, delta.ClaimOp(w.plan.Job.ID, hash, c))
	}
	if it.doubted || it.was.Sending == w.run.ID {
		p := it.was
		p.Hash, p.Sending = "", ""
		ops = append(ops, delta.PutOp(w.plan.Job.ID, it.id, p))
	}
	return ops
}
