package upsert

import (
	"context"
	"maps"
	"slices"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// A stretch is settled by three writes, each of which may be the last before the
// process ends: the stretch is settled once more then, and comes to the same.
//
//   1. marks of records to look at again, links and what is to be forgotten;
//   2. prints, by which the rows that were sent are known and not sent again;
//   3. the position, the counts, the rejects, and marks that are done with.

// maxRejects is how many rejects one item takes, of 2 KB at most each.
const maxRejects = 100

// settle stores the outcomes of a stretch up to its first item without one and
// moves the position there. Rows that were delivered behind that item keep their
// prints, so that they are not sent again and count as what they were when the
// position gets there. Deferred rows are settled without being counted: the
// second pass counts them. false means that others were faster: what they wrote is
// to be read.
func (w *work) settle(ctx context.Context, at run.Part, stretch []*item) (run.Part, bool, error) {
	kept, ok, err := w.remembered(ctx, stretch)
	if err != nil || !ok {
		return at, ok, err
	}
	next, ok, err := w.move(ctx, at, stretch)
	if err == nil && ok {
		err = w.release(ctx, kept)
	}
	return next, ok, err
}

// remembered stores what is known from now on of the items that are settled or were
// delivered, and returns those.
func (w *work) remembered(ctx context.Context, stretch []*item) (kept []*item, ok bool, err error) {
	prints := map[string]*delta.Print{}
	var ops []table.Op
	gap := false
	for _, it := range stretch {
		gap = gap || it.outcome == "" && !it.waits
		if gap && it.outcome != run.Inserted && it.outcome != run.Updated {
			if p, free := w.unlock(it); free && it.outcome == "" {
				prints[it.id] = p
			}
			continue
		}
		ops = append(ops, unlike(ops, w.keep(it, prints))...)
		kept = append(kept, it)
	}
	for chunk := range slices.Chunk(ops, run.SettleOps) {
		err := w.Delta.Table.Write(ctx, append([]table.Op{w.run.Lease().Check()}, chunk...))
		if err != nil && !fault.Is(err, fault.Conflict) {
			return nil, false, err
		}
		if err != nil {
			return nil, false, w.Runs.Leases.Holds(ctx, w.run.Lease())
		}
	}
	if len(prints) == 0 {
		return kept, true, nil
	}
	if err := w.Runs.Leases.Holds(ctx, w.run.Lease()); err != nil {
		return nil, false, err
	}
	err = w.book.Put(ctx, prints)
	if fault.Is(err, fault.Conflict) {
		return nil, false, nil
	}
	return kept, err == nil, err
}

// move moves the position behind the items that are settled.
func (w *work) move(ctx context.Context, at run.Part, stretch []*item) (run.Part, bool, error) {
	from, to := at, at
	to.Rejects = maps.Clone(at.Rejects)
	var rejects []record.Reject
	var ops []table.Op
	for _, it := range stretch {
		if it.outcome == "" && !it.waits {
			break
		}
		healed := unlike(ops, w.heal(it))
		if len(ops)+len(healed) > run.SettleOps || len(rejects) == maxRejects {
			next, ok, err := w.Runs.Settle(ctx, w.run, from, to, rejects, ops)
			if err != nil || !ok {
				return next, ok, err
			}
			from, to, rejects, ops = next, next, nil, nil
			to.Rejects = maps.Clone(next.Rejects)
		}
		ops = append(ops, healed...)
		to.At++
		if reject := count(&to, it); reject != nil {
			rejects = append(rejects, *reject)
		}
	}
	to.Done = to.At == len(w.entries.lines)
	if to.At == from.At && !to.Done {
		return from, true, nil
	}
	return w.Runs.Settle(ctx, w.run, from, to, rejects, ops)
}

// unlike is the ops of more whose items none of ops is about: a write may name an
// item once, and two records may have been merged into one that is to be read.
func unlike(ops, more []table.Op) []table.Op {
	return slices.DeleteFunc(more, func(m table.Op) bool {
		return slices.ContainsFunc(ops, func(op table.Op) bool { return op.Item.Key == m.Item.Key })
	})
}

// keep notes what is to be known of an item, and returns what else is written for it.
func (w *work) keep(it *item, prints map[string]*delta.Print) []table.Op {
	if it.aside {
		return w.readAgain(it)
	}
	if it.entry.Gone != nil && it.entry.Gone.How == record.Private && it.outcome != run.Rejected {
		prints[it.id] = nil
		return w.forget(it)
	}
	ops := append(w.retry(it), w.settleMerge(it, prints)...)
	if it.changed {
		p := w.print(it)
		prints[it.id] = &p
	}
	if it.link {
		ops = append(ops, w.Avatars.PutOp(w.run.Connection, avatar.Avatar{Owner: it.id, UserGSID: it.gsid, By: "job"}))
	}
	return ops
}

// count adds an item to what its part has settled, and returns its reject as far
// as it is to be stored: those of transform are in the staged rows.
func count(to *run.Part, it *item) *record.Reject {
	if it.entry.Row != nil && len(it.entry.Row.Defer) > 0 && it.outcome != run.Rejected {
		to.Deferred = true
		return nil
	}
	if it.counted {
		return nil
	}
	to.Counts.Add(it.outcome, 1)
	if it.reject == nil {
		return nil
	}
	if to.Rejects == nil {
		to.Rejects = map[record.Code]int{}
	}
	to.Rejects[it.reject.Code]++
	if it.entry.Reject != nil {
		return nil
	}
	stored := *it.reject
	stored.Source = nil // the error file takes it from the staged row
	return &stored
}

// release gives up identifiers that a delivered record no longer has. It may be
// lost with the process: the claim check sees that its holder has moved on.
func (w *work) release(ctx context.Context, stretch []*item) error {
	for _, it := range stretch {
		sent := it.outcome == run.Inserted || it.outcome == run.Updated
		if it.entry.Gone != nil {
			sent = it.gsid == "" || it.entry.Gone.How == record.Private
		}
		if !it.changed || !sent {
			continue
		}
		for _, old := range it.was.Keys {
			if !slices.Contains(it.keys, old) {
				if err := w.Delta.Release(ctx, w.plan.Job.ID, it.id, old); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
