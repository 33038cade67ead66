package upsert

import (
	"context"
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
const scan = 2000

// known is what is known of a record before it is settled.
type known struct {
	print  delta.Print
	avatar string // users only
}

// look returns what is known of the records of entries. :: source id → known
func (w *work) look(ctx context.Context, entries []staging.Entry) (map[string]known, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID()
	}
	prints, err := w.book.Prints(ctx, ids)
	if err != nil {
		return nil, err
	}
	links := map[string]avatar.Avatar{}
	if w.object == users {
		if links, err = w.Avatars.GetMany(ctx, w.run.Connection, ids); err != nil {
			return nil, err
		}
	}
	all := make(map[string]known, len(ids))
	for _, id := range ids {
		all[id] = known{prints[id], links[id].UserGSID}
	}
	return all, nil
}

// reopen lets what others have stored meanwhile be read.
func (w *work) reopen() { w.book = w.Delta.Book(w.plan.Job.ID) }

// item is one entry on its way through a stretch.
type item struct {
	entry staging.Entry
	id    string
	was   delta.Print
	hash  string // fingerprint of the row
	gsid  string // of the row in the target, once known
	// keys :: hashes of the identifiers it claims
	keys []string
	// tried says that an insert may have happened before.
	tried  bool
	avatar string // the user that the owner is linked to, users only

	// waits marks a deferred row of a known record: the second pass decides.
	waits bool
	// counted marks a record that the first pass of this run rejected.
	counted bool
	// aside marks a record that the other lane decides about, and lost one of those
	// that it is at just now.
	aside, lost bool
	doubted     bool // the print says that we send it
	sent        bool // the target may hold it
	vanished    bool // the target has its row no more
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
	entries, err := w.entries.from(from, scan)
	if err != nil {
		return nil, err
	}
	var stretch []*item
	seen := map[string]bool{}
	batch := w.batch
	if len(entries) > 0 && entries[0].Gone != nil {
		batch = 50 // each may take a call of its own
	}
	looked := map[string]known{}
	for i, writes := 0, 0; i < len(entries) && writes < batch && !seen[entries[i].ID()]; i++ {
		if (entries[i].Gone != nil) != (entries[0].Gone != nil) {
			break // rows first settle whose they are
		}
		k, ok := looked[entries[i].ID()]
		if !ok { // as many as may fill the stretch
			if looked, err = w.look(ctx, entries[i:min(i+batch-writes, len(entries))]); err != nil {
				return nil, err
			}
			k = looked[entries[i].ID()]
		}
		it := &item{entry: entries[i], id: entries[i].ID(), was: k.print, tried: k.print.Tried, avatar: k.avatar}
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
	case w.pass == 2 && it.was.Run == w.run.ID && it.was.Outcome == run.Rejected && it.was.Pass == 0:
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

// doubt notes, before rows are sent, that the target may hold something else from
// now on: without a fingerprint a row is sent again, also if the source goes back to
// what was delivered before the answer was lost, and a row that may have been inserted
// is looked for.
func (w *work) doubt(ctx context.Context, rows []*item) error {
	if err := w.Runs.Leases.Holds(ctx, w.run.Lease()); err != nil {
		return err
	}
	prints := map[string]*delta.Print{}
	var doubted []*item
	for _, it := range rows {
		p := it.was
		if p.Hash == "" && p.Sending == w.run.ID && (p.GSID != "" || p.Tried) {
			continue
		}
		if it.entry.Row != nil {
			_, filled := p.Write(it.row())
			p.Filled = union(p.Filled, filled)
		}
		p.Hash, p.Sending, p.Tried = "", w.run.ID, p.GSID == ""
		prints[it.id], doubted = &p, append(doubted, it)
	}
	err := w.book.Put(ctx, prints)
	if fault.Is(err, fault.Conflict) {
		return errSwapped
	}
	if err == nil {
		for _, it := range doubted {
			it.was.Stored++
			it.doubted = true
		}
	}
	return err
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
	if p.Pass = 0; w.pass == 2 {
		p.Pass = 2
	}
	p.Seen, p.Read, p.Sending, p.Tried = it.entry.Version, it.entry.Read, "", p.Tried && !it.sent
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
			p.Tried = false
		}
	}
	return p
}
