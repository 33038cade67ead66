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
// first, by compare-and-swap of its print. The other lane leaves it then and marks
// the record, which is read again.
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
	busy := map[run.ID]bool{}
	for _, it := range rows {
		if _, known := busy[it.was.Sending]; !known {
			var err error
			if busy[it.was.Sending], err = w.elsewhere(ctx, it.was.Sending); err != nil {
				return nil, err
			}
		}
		if busy[it.was.Sending] {
			it.lose()
		} else {
			ours = append(ours, it)
		}
	}
	return ours, nil
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

// unlock returns what is stored of a record whose row is not sent for now, nil for
// nothing, and whether that is to be stored: of one that was not sent at all what was
// known before; of another one, before a long pause, that its row is in doubt.
func (w *work) unlock(it *item) (*delta.Print, bool) {
	p := it.was
	switch {
	case it.doubted && !it.sent:
		if p.Stored == 1 {
			return nil, true
		}
	case w.long && (it.doubted || p.Sending == w.run.ID):
		p.Hash, p.Sending, p.Tried = "", "", p.GSID == ""
	default:
		return nil, false
	}
	return &p, true
}
