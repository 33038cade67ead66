package upsert

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// gone is Gainsight's code for an update of a row that does not exist (Company
// API, error codes, November 2026).
const gone = "GSOBJ_1011"

// writeRows delivers to Company and to custom objects: known rows are updated by
// their GSID, the others are looked up by identifiers and then inserted.
func (w *work) writeRows(ctx context.Context, items []*item) error {
	var known, unknown []*item
	for _, it := range items {
		if it.gsid != "" {
			known = append(known, it)
		} else {
			unknown = append(unknown, it)
		}
	}
	vanished, err := w.update(ctx, known, w.updateRows)
	if err != nil {
		return err
	}
	for _, it := range vanished {
		it.gsid, it.tried, it.was.Filled = "", true, nil
	}
	unknown = append(unknown, vanished...)
	found, err := w.locate(ctx, w.object, unknown, manyRows)
	if err != nil {
		return err
	}
	if _, err := w.update(ctx, found.known, w.updateRows); err != nil {
		return err
	}
	return w.insert(ctx, found.unknown, w.insertRows)
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

// update sends known rows and returns those that the target no longer has.
func (w *work) update(ctx context.Context, items []*item, send call) (vanished []*item, err error) {
	err = w.send(ctx, items, run.Updated, func(ctx context.Context, rows []map[string]any, chunk []*item) ([]record.Result, error) {
		for i, it := range chunk {
			rows[i]["Gsid"] = it.gsid
		}
		return send(ctx, rows)
	})
	for _, it := range items {
		if it.vanished {
			it.vanished, vanished = false, append(vanished, it)
		}
	}
	return vanished, err
}

func (w *work) insert(ctx context.Context, items []*item, send call) error {
	return w.send(ctx, items, run.Inserted, func(ctx context.Context, rows []map[string]any, _ []*item) ([]record.Result, error) {
		return send(ctx, rows)
	})
}

// send sends rows, several calls at once. After a failure no other call begins.
func (w *work) send(ctx context.Context, items []*item, outcome run.Outcome, call func(context.Context, []map[string]any, []*item) ([]record.Result, error)) error {
	var group errgroup.Group
	group.SetLimit(inFlight)
	var failed atomic.Bool
	for chunk := range slices.Chunk(items, maxRows) {
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			rows, filled := w.fields(chunk)
			for _, it := range chunk {
				it.sent = true
			}
			results, err := call(ctx, rows, chunk)
			for i, res := range results {
				w.note(chunk[i], res, outcome, filled[i])
			}
			if err != nil {
				failed.Store(true)
				for _, it := range chunk {
					_ = it.unsent(err)
				}
			}
			return err
		})
	}
	return group.Wait()
}

// unsent notes that a call was refused for its quota, which stored nothing of an item
// without an outcome. It returns the error.
func (it *item) unsent(err error) error {
	if fault.Is(err, fault.Throttled) && it.outcome == "" {
		it.sent = false
	}
	return err
}

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
