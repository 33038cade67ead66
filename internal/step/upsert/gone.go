package upsert

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/table"
)

// classifyGone settles a record that left the source if nothing is to be done in
// the target: it has no row there, or its row was dealt with before.
func (w *work) classifyGone(it *item) {
	how, do := it.entry.Gone.How, w.plan.Job.Options.WhenDeleted
	if it.was.Run == "" { // it was never ours
		it.outcome = run.Filtered
		return
	}
	if it.was.Run == w.run.ID && it.was.Gone == how && it.was.Outcome != run.Rejected { // before the position moved
		it.outcome = it.was.Outcome
		return
	}
	_, tried := w.claimed[it.id]
	told := how == record.Merged && it.was.Outcome == run.Rejected && !tried
	again := it.was.Gone == how && (it.gsid == "" ||
		do.Do == job.DoSet && it.was.Set == do.Field || do.Do == job.DoNothing && (how != record.Merged || told))
	if how != record.Private && (it.gsid == "" || again) { // else its claims are read first
		it.outcome, it.changed = run.Filtered, it.was.Gone != how || it.was.Outcome != run.Filtered
		it.set, it.filled = it.was.Set, it.was.Filled
	}
	if again && do.Do == job.DoNothing && told { // people know of it, and it stays as they were told
		it.changed = false
	}
}

// bury deals with the rows of records that left the source, as the job says. A
// row that another record holds by now is left to it.
func (w *work) bury(ctx context.Context, items []*item) error {
	if err := w.inherited(ctx, items); err != nil {
		return err
	}
	if err := w.survivors(ctx, items); err != nil {
		return err
	}
	if w.plan.Job.Options.WhenDeleted.Do != job.DoNothing && w.plan.NoDelete == "" {
		open := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.outcome != "" || it.gsid == "" })
		if err := w.doubt(ctx, open); err != nil {
			return err
		}
	}
	for _, it := range items {
		if it.outcome != "" {
			continue
		}
		it.filled = it.was.Filled
		var err error
		switch do := w.plan.Job.Options.WhenDeleted; {
		case do.Do == job.DoNothing, it.gsid == "":
			it.outcome, it.changed = run.Filtered, true
		case w.plan.NoDelete != "":
			it.deny(record.Reject{
				Code: record.RefusedByTarget, Field: do.Field, Reason: w.plan.NoDelete,
				Fix: "Correct the job, which says what becomes of rows whose record is deleted.",
			})
		case do.Do == job.DoDelete:
			err = w.deleteRow(ctx, it)
		default:
			err = w.setRow(ctx, it, do.Field)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inherited leaves out the rows whose identifiers other records hold by now.
func (w *work) inherited(ctx context.Context, items []*item) error {
	if w.plan.Unique {
		return w.heirs(ctx, items)
	}
	var keys []string
	for _, it := range items {
		keys = append(keys, it.was.Keys...)
	}
	if len(keys) == 0 {
		return nil
	}
	held, err := w.Delta.Claims(ctx, w.plan.Job.ID, keys)
	if err != nil {
		return err
	}
	for _, it := range items {
		for _, key := range it.was.Keys {
			c, taken := held[key]
			switch {
			case !taken:
			case c.Source == it.id:
				it.claims = append(it.claims, delta.DropOp(w.plan.Job.ID, key, c))
			default:
				it.outcome, it.changed, it.gsid = run.Filtered, true, ""
			}
		}
	}
	return nil
}

// heirs leaves out the people whom another record has written since under the same
// address: identifiers that the source keeps unique have no claims, but pass from one
// record to the next.
func (w *work) heirs(ctx context.Context, items []*item) error {
	left := map[string][]*item{} // :: GSID → items
	for _, it := range items {
		if it.gsid != "" {
			left[it.gsid] = append(left[it.gsid], it)
		}
	}
	if len(left) == 0 || w.object != people || w.plan.Job.Options.WhenDeleted.Do == job.DoNothing {
		return nil
	}
	return w.Delta.Each(ctx, w.plan.Job.ID, func(id string, p delta.Print) error {
		for _, it := range left[p.GSID] {
			if id != it.id && p.Gone == "" {
				it.outcome, it.changed, it.gsid = run.Filtered, true, ""
			}
		}
		return nil
	})
}

// survivors decides about the rows of records that were merged into others: the
// survivor takes the row over when it is delivered, if it has none. If both have
// one and the job does nothing, people must decide.
func (w *work) survivors(ctx context.Context, items []*item) error {
	var ids []string
	for _, it := range items {
		if it.outcome == "" && it.entry.Gone.How == record.Merged {
			ids = append(ids, it.entry.Gone.Into)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	prints, err := w.book.Prints(ctx, ids)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.outcome != "" || it.entry.Gone.How != record.Merged {
			continue
		}
		switch winner := prints[it.entry.Gone.Into]; {
		case winner.Hash == "" && winner.GSID == "": // not delivered yet
			it.outcome, it.changed, it.filled = run.Filtered, true, it.was.Filled
			if winner.Run == "" {
				it.survivor = it.entry.Gone.Into
			}
		case winner.GSID == "" || winner.GSID == it.gsid:
			it.outcome, it.changed, it.gsid = run.Filtered, true, ""
		case w.plan.Job.Options.WhenDeleted.Do == job.DoNothing:
			it.deny(record.Reject{
				Code:   record.MergedRows,
				Reason: fmt.Sprintf("HubSpot merged this record into %s, and both have a row in Gainsight.", it.entry.Gone.Into),
				Fix:    fmt.Sprintf("Merge the two rows in Gainsight, or delete the one with the GSID %s.", it.gsid),
			})
		}
	}
	return nil
}

// dealt notes what the target answered; a row that it does not have needs nothing.
// left is the GSID of the row that still stands.
func (it *item) dealt(res record.Result, left string) {
	switch {
	case !res.Done:
	case res.Refusal != nil && res.Refusal.Code == gone:
		it.outcome, it.changed, it.gsid, it.filled, it.set = run.Filtered, true, "", nil, ""
	case res.Refusal != nil:
		it.deny(refused(*res.Refusal))
	default:
		it.outcome, it.changed, it.gsid = run.Updated, true, left
	}
}

func (w *work) deleteRow(ctx context.Context, it *item) error {
	it.sent = true
	res, err := w.Target.Delete(ctx, w.object, it.gsid)
	it.filled = nil
	it.dealt(res, "")
	return it.unsent(err)
}

// setRow writes the field that says that the record is gone.
func (w *work) setRow(ctx context.Context, it *item, field string) error {
	it.set = field
	if w.object == people {
		return w.setPerson(ctx, it, field)
	}
	rows := []map[string]any{{"Gsid": it.gsid, field: w.plan.SetDeleted}}
	send := w.updateRows
	if w.object == users {
		send = w.Target.UpdateUsers
	}
	it.sent = true
	results, err := send(ctx, rows)
	for _, res := range results {
		it.dealt(res, it.gsid)
	}
	return it.unsent(err)
}

// setPerson writes a field of a person, or of its one company. The API takes
// people by their resolution keys, which are read first.
func (w *work) setPerson(ctx context.Context, it *item, field string) error {
	rows, err := w.Target.Find(ctx, "person", append([]string{"Gsid"}, w.plan.ResolutionKeys...), "Gsid", []string{it.gsid})
	if err != nil {
		return err
	}
	noRow := record.Result{Done: true, Refusal: &record.Refusal{Code: gone}}
	if len(rows) == 0 {
		it.dealt(noRow, "")
		return nil
	}
	person := map[string]any{}
	for _, key := range w.plan.ResolutionKeys {
		if rows[0][key] != nil {
			person[key] = rows[0][key]
		}
	}
	if name, ok := strings.CutPrefix(field, "Person::"); ok {
		person[name] = w.plan.SetDeleted
	} else {
		links, err := w.Target.Find(ctx, people, []string{"Gsid", "Company_ID"}, "Person_ID", []string{it.gsid})
		switch {
		case err != nil:
			return err
		case len(links) == 0:
			it.dealt(noRow, "")
			return nil
		case len(links) > 1:
			it.deny(record.Reject{
				Code: record.MultipleMatches, Field: field,
				Reason: fmt.Sprintf("The person is at %d companies in Gainsight, and none was chosen.", len(links)),
				Fix:    "Change the Company Person in Gainsight by hand, or let the job set a field of the person.",
			})
			return nil
		}
		person["companies"] = []map[string]any{{"Company_ID": step.Text(links[0]["Company_ID"]), field: w.plan.SetDeleted}}
	}
	it.sent = true
	res, err := w.Target.PutPerson(ctx, person)
	it.dealt(res, it.gsid)
	return it.unsent(err)
}

// buried is what is remembered of a record that is gone: its row, as long as it
// stands, by the identifiers it was written with. What the row holds is not known
// any more, so that a record that comes back is delivered whole.
func (it *item) buried(p delta.Print) delta.Print {
	p.Gone, p.Hash, p.GSID, p.Filled, p.Set = it.entry.Gone.How, "", it.gsid, it.filled, it.set
	if p.GSID == "" {
		p.Keys, p.Set = nil, ""
	}
	if it.outcome == run.Rejected {
		p.Set = it.was.Set
	}
	return p
}

// comesBack clears the field that said that the record was gone.
func (it *item) comesBack() {
	row := it.row()
	if _, mapped := row.Fields[it.was.Set]; mapped {
		return
	}
	row.Fields = maps.Clone(row.Fields)
	row.Fields[it.was.Set] = nil
	row.Null = append(row.Null[:len(row.Null):len(row.Null)], it.was.Set)
	it.entry.Row = &row
}

// forget is the writes that leave nothing of a record but its print.
func (w *work) forget(it *item) []table.Op {
	if !w.marks() {
		return it.claims
	}
	return append(it.claims, mark.ForgetOps(w.plan.Query.Object, w.plan.Job.ID, it.id)...)
}

// merges looks up what is known of the records that were merged into those of the
// stretch. One that is to be written and has no row takes over a loser's.
func (w *work) merges(ctx context.Context, stretch []*item) error {
	var ids []string
	for _, it := range stretch {
		if it.entry.Row != nil && it.outcome == "" {
			ids = append(ids, it.row().Merged...)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	prints, err := w.book.Prints(ctx, ids)
	if err != nil {
		return err
	}
	for _, it := range stretch {
		if it.entry.Row == nil || it.outcome != "" {
			continue
		}
		it.losers = map[string]delta.Print{}
		for _, id := range it.row().Merged {
			loser, known := prints[id]
			if !known || id == it.id || loser.GSID == "" {
				continue
			}
			it.losers[id] = loser
		}
		if it.gsid == "" && w.object != people && !it.waits {
			it.takeOver()
		}
	}
	return nil
}

// takeOver gives a survivor the row of a loser: the first that nothing was done
// about yet, which is that of the record it continues, else the first.
func (it *item) takeOver() {
	var from delta.Print
	for _, id := range it.row().Merged {
		loser, has := it.losers[id]
		if has && (from.GSID == "" || dealtWith(from) && !dealtWith(loser)) {
			from = loser
		}
	}
	it.gsid, it.was.Filled = from.GSID, from.Filled
	if it.was.Set = from.Set; it.was.Set != "" {
		it.comesBack()
	}
}

// dealtWith reports whether people were told of a loser's row, or the row says that
// its record is gone.
func dealtWith(loser delta.Print) bool {
	return loser.Gone == record.Merged && (loser.Outcome == run.Rejected || loser.Set != "")
}

// settleMerge notes what belongs to a merge, and returns the marks of records to read.
// Losers whose row the survivor has now are done; the row of another one is dealt with
// when that record is read.
func (w *work) settleMerge(it *item, prints map[string]*delta.Print) []table.Op {
	var ops []table.Op
	object, job := w.plan.Query.Object, w.plan.Job.ID
	toRead := func(id string) {
		if w.marks() {
			ops = append(ops, mark.PutOp(object, mark.Mark{Job: job, ID: id, Kind: mark.Merged, At: w.Now().UTC()}))
		}
	}
	if it.survivor != "" {
		toRead(it.survivor)
	}
	if it.outcome != run.Inserted && it.outcome != run.Updated {
		return ops
	}
	for id, loser := range it.losers {
		switch {
		case loser.GSID == it.gsid:
			loser.Gone, loser.Hash, loser.GSID, loser.Filled, loser.Keys = record.Merged, "", "", nil, nil
			if _, known := prints[id]; !known {
				prints[id] = &loser
			}
		case !dealtWith(loser):
			toRead(id)
		}
	}
	return ops
}
