package upsert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// gone is Gainsight's code for an update of a row that does not exist (Company
// API, error codes, November 2026).
const gone = "GSOBJ_1011"

// writeRows delivers to Company and to custom objects: known rows are updated by
// their GSID, the others are looked up by identifiers, one call after the other, and
// sent while the next ones are looked up. The first call that sends has its answer
// before that, so that a stretch gets on however little quota there is.
func (w *work) writeRows(ctx context.Context, items []*item) error {
	var known, unknown []*item
	for _, it := range items {
		if it.gsid != "" {
			known = append(known, it)
		} else {
			unknown = append(unknown, it)
		}
	}
	s := w.sender(w.updateRows, w.insertRows)
	s.add(ctx, known, nil)
	for chunk := range slices.Chunk(unknown, maxRows) {
		if step.Short(ctx) {
			if err := s.wait(ctx); err != nil {
				return err
			}
			return errShort
		}
		found, err := w.locate(ctx, w.object, chunk, manyRows)
		if err != nil {
			return errors.Join(err, s.group.Wait())
		}
		first := s.calls == 0
		if s.add(ctx, found.known, found.unknown); !first || s.calls == 0 {
			continue
		}
		if err := s.group.Wait(); err != nil {
			return err
		}
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	vanished := slices.DeleteFunc(known, func(it *item) bool { return !it.vanished })
	for _, it := range vanished {
		it.vanished, it.gsid, it.tried, it.was.Filled = false, "", true, nil
	}
	found, err := w.locate(ctx, w.object, vanished, manyRows)
	if err != nil {
		return err
	}
	s.add(ctx, found.known, found.unknown)
	return s.wait(ctx)
}

// errShort says that the rest of a stretch is left to the next turn.
var errShort = errors.New("short of time")

// sender sends rows, fifty a call and several calls at once. After a failure no
// other call begins.
type sender struct {
	w              *work
	update, insert call
	known, fresh   []*item // that wait for their call to be full
	calls          int
	group          errgroup.Group
	failed         atomic.Bool
}

func (w *work) sender(update, insert call) *sender {
	s := &sender{w: w, update: update, insert: insert}
	s.group.SetLimit(inFlight)
	return s
}

// add sends items as soon as a call is full of them.
func (s *sender) add(ctx context.Context, known, fresh []*item) {
	s.known, s.fresh = append(s.known, known...), append(s.fresh, fresh...)
	for ; len(s.known) >= maxRows; s.known = s.known[maxRows:] {
		s.send(ctx, s.known[:maxRows], run.Updated)
	}
	for ; len(s.fresh) >= maxRows; s.fresh = s.fresh[maxRows:] {
		s.send(ctx, s.fresh[:maxRows], run.Inserted)
	}
}

// wait sends what is left, and waits for all answers.
func (s *sender) wait(ctx context.Context) error {
	s.send(ctx, s.known, run.Updated)
	s.send(ctx, s.fresh, run.Inserted)
	s.known, s.fresh = nil, nil
	return s.group.Wait()
}

func (s *sender) send(ctx context.Context, items []*item, outcome run.Outcome) {
	if len(items) == 0 {
		return
	}
	s.calls++
	s.group.Go(func() error {
		if s.failed.Load() {
			return nil
		}
		call := s.insert
		rows, filled := s.w.fields(items)
		for i, it := range items {
			if it.sent = true; outcome == run.Updated {
				rows[i]["Gsid"], call = it.gsid, s.update
			}
		}
		results, err := call(ctx, rows)
		for i, res := range results {
			s.w.note(items[i], res, outcome, filled[i])
		}
		if err != nil {
			s.failed.Store(true)
			for _, it := range items {
				_ = it.unsent(err)
			}
		}
		return err
	})
}

// unsent notes that a call was refused for its quota, which stored nothing of an item
// without an outcome. It returns the error.
func (it *item) unsent(err error) error {
	if fault.Is(err, fault.Throttled) && it.outcome == "" {
		it.sent = false
	}
	return err
}

type call func(context.Context, []map[string]any) ([]record.Result, error)

func (w *work) updateRows(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
	return w.Target.Update(ctx, w.object, rows)
}

func (w *work) insertRows(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
	return w.Target.Insert(ctx, w.object, rows)
}

// located are items by whether the target has their row.
type located struct{ known, unknown []*item }

// locate looks items up by their identifiers. An item with several rows is
// rejected with the reason that many gives.
func (w *work) locate(ctx context.Context, object string, items []*item, many func(n int) record.Reject) (located, error) {
	var out located
	if len(items) == 0 {
		return out, nil
	}
	found, err := w.existing(ctx, object, w.identifiers()[0], items)
	if err != nil {
		return out, err
	}
	for i, it := range items {
		switch gsids := found[i].GSIDs; len(gsids) {
		case 0:
			out.unknown = append(out.unknown, it)
		case 1:
			it.gsid = gsids[0]
			out.known = append(out.known, it)
		default:
			it.deny(many(len(gsids)))
		}
	}
	return out, nil
}

func manyRows(n int) record.Reject {
	return record.Reject{
		Code:   record.MultipleMatches,
		Reason: fmt.Sprintf("%d rows in Gainsight have this identifier, so none was changed.", n),
		Fix:    "Delete or merge the extra rows in Gainsight, or choose an identifier that is unique.",
	}
}

// maxRows is the most rows of one write (Gainsight's APIs, November 2026).
const maxRows = 50

func (w *work) fields(items []*item) (rows []map[string]any, filled [][]string) {
	for _, it := range items {
		row, now := it.was.Write(it.row())
		rows, filled = append(rows, row), append(filled, now)
	}
	return rows, filled
}

// note settles an item by the target's answer, if there is one.
func (w *work) note(it *item, res record.Result, outcome run.Outcome, filled []string) {
	switch {
	case !res.Done:
	case res.Refusal != nil && res.Refusal.Code == gone && outcome == run.Updated:
		it.vanished = true
	case res.Refusal != nil:
		it.deny(refused(*res.Refusal))
	default:
		w.delivered(it, outcome, res.GSID, filled)
	}
}

// refused turns the target's refusal into a reject with a code of ours.
func refused(r record.Refusal) record.Reject {
	reject := record.Reject{
		Code: record.RefusedByTarget, Field: r.Field, Value: cut(r.Value),
		Reason: "Gainsight refused the record.",
		Fix:    "Correct the value in HubSpot, or change the mapping of this field.",
	}
	if r.Message != "" {
		reject.Reason = "Gainsight refused the record: " + cut(r.Message)
	}
	switch r.Code {
	case "GSOBJ_1001":
		reject.Code, reject.Fix = record.TooLong, "Shorten the text in HubSpot, or make the field longer in Gainsight."
	case "GSOBJ_1012", "GSOBJ_VDTPKLST1002":
		reject.Code, reject.Fix = record.UnknownItem, "Add the item to the dropdown list in Gainsight, or map it with a case field."
	}
	return reject
}

// cut keeps a text short enough for a stored reject.
func cut(s string) string {
	const most = 1000
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
