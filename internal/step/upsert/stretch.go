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
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table"
)

// scan is the most entries that one stretch looks at.
const scan = 500

// ahead is of how many entries is read at once what is known of them.
const ahead = 100

// known is what is known of a record before it is settled.
type known struct {
	print  delta.Print
	avatar string // users only
}

// look returns what is known of the i-th entry. It is read once, together with
// that of the next entries.
func (w *work) look(ctx context.Context, i int) (known, error) {
	id := w.entries[i].ID()
	if k, ok := w.known[id]; ok {
		return k, nil
	}
	wanted := map[string]bool{}
	for _, e := range w.entries[i:min(i+ahead, len(w.entries))] {
		if _, ok := w.known[e.ID()]; !ok {
			wanted[e.ID()] = true
		}
	}
	ids := sorted(wanted)
	prints, err := w.Delta.Prints(ctx, w.plan.Job.ID, ids)
	if err != nil {
		return known{}, err
	}
	links := map[string]avatar.Avatar{}
	if w.object == users {
		if links, err = w.Avatars.GetMany(ctx, w.run.Connection, ids); err != nil {
			return known{}, err
		}
	}
	for _, id := range ids {
		w.known[id] = known{prints[id], links[id].UserGSID}
	}
	return w.known[id], nil
}

// settled forgets what was known of records that have an outcome now.
func (w *work) settled(stretch []*item) {
	for _, it := range stretch {
		delete(w.known, it.id)
	}
}

func (w *work) forgetKnown() { w.known = map[string]known{} }

// item is one entry on its way through a stretch.
type item struct {
	entry staging.Entry
	id    string
	was   delta.Print
	hash  string // fingerprint of the row
	gsid  string // of the row in the target, once known
	// keys :: hashes of the identifiers it claims
	keys []string
	// tried says that an insert may have happened before: its claim was held
	// already, and no row is known.
	tried  bool
	avatar string // the user that the owner is linked to, users only

	// waits marks a deferred row of a known record: the second pass decides.
	waits bool
	// counted marks a record that the first pass of this run rejected.
	counted bool
	// aside marks a record that the other lane decides about, and lost one of those
	// that it is at just now.
	aside, lost bool
	locks       map[string]delta.Claim // :: hash → the claim that says that we send
	doubted     bool                   // the print says so
	// losers :: records that were merged into this one → what is known of them
	losers map[string]delta.Print
	// survivor is the record that this one, which is gone, was merged into, if it is
	// to be read.
	survivor string
	set      string     // the field that says that the record is gone
	claims   []table.Op // that give up what the record, which is gone, claims

	outcome run.Outcome // "" until settled
	reject  *record.Reject
	filled  []string
	changed bool // the print must be stored
	link    bool // the avatar must be stored
}

// leaver marks the fingerprint of a user who was deactivated with the owner.
const leaver = "-leaver"

func (it *item) row() record.Row { return *it.entry.Row }

// deny rejects the record. One that was rejected like this before is remembered
// already, but the second pass looks for the run of a deferred one.
func (it *item) deny(reject record.Reject) {
	reject.SourceID, reject.Step = it.id, "upsert"
	if it.entry.Row != nil {
		reject.Source = it.entry.Row.Source
	}
	it.outcome, it.reject = run.Rejected, &reject
	it.changed = it.news() || it.entry.Row != nil && len(it.entry.Row.Defer) > 0
}

// news reports whether the record was not rejected like this before.
func (it *item) news() bool {
	return it.was.Outcome != run.Rejected || it.was.Code != it.reject.Code || it.was.Reason != it.reject.Reason
}

// delivered notes that the target holds the row now.
func (w *work) delivered(it *item, outcome run.Outcome, gsid string, filled []string) {
	if w.pass == 2 && it.was.Run == w.run.ID && it.was.Outcome == run.Inserted {
		outcome = run.Inserted // by the first pass
	}
	it.outcome, it.filled, it.changed = outcome, filled, true
	if gsid != "" {
		it.gsid = gsid
	}
	it.link = w.object == users && outcome != run.Unchanged && it.gsid != "" && it.gsid != it.avatar
}

// stretch takes the entries from a position on, until a batch of them needs a
// write or a stored outcome.
func (w *work) stretch(ctx context.Context, from int) ([]*item, error) {
	entries := w.entries[from:min(from+scan, len(w.entries))]
	var stretch []*item
	seen := map[string]bool{}
	for i, writes := 0, 0; i < len(entries) && writes < w.batch && !seen[entries[i].ID()]; i++ {
		if (entries[i].Gone != nil) != (entries[0].Gone != nil) {
			break // rows first settle whose they are
		}
		k, err := w.look(ctx, from+i)
		if err != nil {
			return nil, err
		}
		it := &item{entry: entries[i], id: entries[i].ID(), was: k.print, avatar: k.avatar}
		seen[it.id] = true
		w.classify(it)
		w.remember(it)
		if it.outcome == "" || it.changed {
			writes++
		}
		stretch = append(stretch, it)
	}
	return stretch, w.merges(ctx, stretch)
}

// classify settles what needs no call: filtered and rejected records, and rows
// that were delivered like this before.
func (w *work) classify(it *item) {
	it.gsid = it.was.GSID
	switch {
	case w.pass == 2 && it.was.Run == w.run.ID && it.was.Outcome == run.Rejected:
		it.outcome, it.counted = run.Rejected, true
	case it.stale():
		it.outcome, it.aside = run.Unchanged, true
	case it.entry.Gone != nil:
		w.classifyGone(it)
	case it.entry.Filtered != "":
		it.outcome, it.changed = run.Filtered, it.was.Outcome != run.Filtered
	case it.entry.Reject != nil:
		it.outcome, it.reject = run.Rejected, it.entry.Reject
		it.changed = it.news()
	case w.object == users && it.avatar != "" && it.avatar != it.was.GSID:
		it.gsid, it.hash = it.avatar, delta.Fingerprint(it.row()) // linked anew: deliver again
	default:
		row := it.row()
		it.hash = delta.Fingerprint(row)
		if w.leaves(it) {
			it.hash += leaver
		}
		if it.was.Set != "" {
			it.comesBack()
		}
		if len(row.Defer) > 0 {
			it.hash = ""
			it.waits = it.was.GSID != ""
			return
		}
		mine := it.was.Run == w.run.ID && (it.was.Outcome == run.Inserted || it.was.Outcome == run.Updated)
		if mine && it.hash == it.was.Hash { // behind a row that is still to be sent; see settle
			it.outcome = it.was.Outcome
			return
		}
		older := it.was.Hash != "" && row.Version < it.was.Version
		if older || it.hash == it.was.Hash {
			it.outcome = run.Unchanged // Guarantee 7
			it.changed = it.was.Outcome == run.Rejected || it.was.Outcome == run.Filtered
		}
	}
}

// doubt notes, before rows that were delivered are changed, that the target may
// hold something else from now on: without a fingerprint a row is sent again,
// also if the source goes back to what was delivered before the answer was lost.
func (w *work) doubt(ctx context.Context, rows []*item) error {
	ops := []table.Op{w.run.Lease().Check()}
	var doubted []*item
	for _, it := range rows {
		again := it.was.GSID != "" && w.marks() // it has a row, and two lanes that may write it
		if it.was.Hash == "" && (!again || it.was.Sending == w.run.ID) {
			continue
		}
		p := it.was
		if it.entry.Row != nil {
			_, filled := p.Write(it.row())
			p.Filled = union(p.Filled, filled)
		}
		p.Hash, p.Sending = "", w.run.ID
		ops, doubted = append(ops, delta.PutOp(w.plan.Job.ID, it.id, p)), append(doubted, it)
	}
	if len(doubted) == 0 {
		return nil
	}
	err := w.Delta.Table.Write(ctx, ops)
	if err == nil {
		for _, it := range doubted {
			it.was.Stored++
			it.doubted = true
		}
	}
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	if err := w.Runs.Leases.Renew(ctx, w.run.Lease()); err != nil {
		return err // another run has taken over
	}
	return errSwapped
}

// union is a and what b has beside it, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// print is what is stored of a settled item.
func (w *work) print(it *item) delta.Print {
	p := it.was
	p.Run, p.Outcome, p.Code, p.Reason, p.Fix = w.run.ID, it.outcome, "", "", ""
	p.Seen, p.Read, p.Sending = it.entry.Version, it.entry.Read, ""
	if it.entry.Gone != nil {
		p = it.buried(p)
	} else {
		p.Gone = ""
	}
	switch it.outcome { //nolint:exhaustive // the others change only the outcome
	case run.Rejected:
		p.Code, p.Reason, p.Fix = it.reject.Code, it.reject.Reason, it.reject.Fix
	case run.Inserted, run.Updated:
		if it.entry.Gone == nil {
			p.Hash, p.Version, p.GSID, p.Filled, p.Keys, p.Set = it.hash, it.row().Version, it.gsid, it.filled, it.keys, ""
		}
	}
	return p
}

// settle stores the outcomes of a stretch up to its first item without one and
// moves the position there. Rows that were delivered behind that item keep their
// prints, so that they are not sent again and count as what they were when the
// position gets there. Deferred rows are settled without being counted: the
// second pass counts them.
func (w *work) settle(ctx context.Context, at run.Part, stretch []*item) (run.Part, bool, error) {
	from := at
	to := at
	to.Rejects = maps.Clone(at.Rejects)
	var rejects []record.Reject
	var ops []table.Op
	gap := false
	for i, it := range stretch {
		gap = gap || it.outcome == "" && !it.waits
		open := gap && it.outcome != run.Inserted && it.outcome != run.Updated
		if open && (!w.long || it.outcome != "") {
			continue
		}
		var kept []table.Op
		if open {
			kept = unlike(ops, w.unlock(it))
		} else {
			kept = unlike(ops, w.keep(it))
		}
		if len(ops)+len(kept) > run.SettleOps { // rejects take more than a write holds
			next, ok, err := w.Runs.Settle(ctx, w.run, from, to, rejects, ops)
			if err != nil || !ok {
				return next, ok, err
			}
			if err := w.release(ctx, stretch[:i]); err != nil {
				return next, true, err
			}
			from, to, rejects, ops = next, next, nil, nil
			to.Rejects = maps.Clone(next.Rejects)
		}
		ops = append(ops, kept...)
		if gap {
			continue
		}
		to.At++
		if reject := count(&to, it); reject != nil {
			rejects = append(rejects, *reject)
		}
	}
	to.Done = to.At == len(w.entries)
	if to.At == from.At && !to.Done && len(ops) == 0 {
		return from, true, nil
	}
	next, ok, err := w.Runs.Settle(ctx, w.run, from, to, rejects, ops)
	if err == nil && ok {
		err = w.release(ctx, stretch)
	}
	return next, ok, err
}

// unlike is the ops of more whose items none of ops is about: a write may name an
// item once, and two records may have been merged into one that is to be read.
func unlike(ops, more []table.Op) []table.Op {
	return slices.DeleteFunc(more, func(m table.Op) bool {
		return slices.ContainsFunc(ops, func(op table.Op) bool { return op.Item.Key == m.Item.Key })
	})
}

// keep is the writes that remember an item.
func (w *work) keep(it *item) []table.Op {
	if it.aside {
		return w.readAgain(it)
	}
	ops := append(w.retry(it), w.settleMerge(it)...)
	if it.entry.Gone != nil && it.entry.Gone.How == record.Private && it.outcome != run.Rejected {
		return w.forget(it)
	}
	if it.changed {
		ops = append(ops, delta.PutOp(w.plan.Job.ID, it.id, w.print(it)))
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
