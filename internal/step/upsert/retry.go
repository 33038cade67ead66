package upsert

import (
	"context"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// claims reads the marks of rejected records that the run has claimed.
func (w *work) claims(ctx context.Context) error {
	w.claimed = map[string]mark.Mark{}
	if !w.marks() {
		return nil
	}
	claimed, err := w.Staging.Marks(ctx, w.run.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	for _, m := range claimed {
		if m.Kind == mark.Rejected {
			w.claimed[m.ID] = m
		}
	}
	return err
}

// marks reports whether rejected records of the job come back by their marks. Of
// an object that is read whole each time they come back anyway.
func (w *work) marks() bool { return w.plan.Mode != "" }

// heal is the writes that let a record not be tried again that is rejected no more.
func (w *work) heal(it *item) []table.Op {
	_, tried := w.claimed[it.id]
	healed := it.outcome != run.Rejected && (tried || it.changed && it.was.Outcome == run.Rejected)
	private := it.entry.Gone != nil && it.entry.Gone.How == record.Private
	if !healed || private || !w.marks() || it.counted || it.aside {
		return nil
	}
	return mark.HealOps(w.plan.Query.Object, w.plan.Job.ID, it.id)
}

// retry is the writes that say when a rejected record is tried again: after more and
// more runs, or when an edit or the value that it waits for comes.
func (w *work) retry(it *item) []table.Op {
	was, tried := w.claimed[it.id]
	if !w.marks() || it.counted || it.outcome != run.Rejected || !tried && !it.news() {
		return nil
	}
	m := mark.Mark{Job: w.plan.Job.ID, ID: it.id, Kind: mark.Rejected, At: w.Now().UTC(), Code: it.reject.Code, Waits: it.entry.Waits}
	if tried && !it.news() {
		m.Tries = was.Tries + 1
		if was.Waits == nil || was.Woken {
			m.Waits = nil // it was tried with that value
		}
	}
	if !edited(*it.reject) {
		m.Due = mark.Next(w.plan.Turn, m.Tries)
	}
	return mark.RejectOps(w.plan.Query.Object, m)
}

// edited reports whether only people can heal the reject, by an edit.
func edited(r record.Reject) bool {
	switch r.Code { //nolint:exhaustive // the others may heal without it
	case record.MissingIdentifier, record.MissingValue, record.BadValue, record.MergedRows:
		return true
	case record.NoMatch:
		return strings.TrimSpace(r.Value) == "" && r.Step == "transform" // there is nothing to look for
	}
	return false
}
