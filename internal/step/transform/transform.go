// Package transform turns the records of an extracted part into rows, rejects
// and filtered records. It is safe to run again, or twice at once: the result is
// staged under one key and written once.
package transform

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// Transformer transforms parts. All fields but the last are required.
type Transformer struct {
	Target  step.Reader
	Runs    *run.Store
	Staging *staging.Store
	Compile func(staging.Plan) (*mapping.Program, error)
	Now     func() time.Time
	// IndexFrom is how many different look-up keys of a part make it build the
	// index of the whole object instead of asking for the keys; 0 = 100.
	IndexFrom int
}

// Input is the task's payload. Fields may be added, never renamed or removed.
type Input struct {
	Run  run.ID `json:"run"`
	Part int    `json:"part"`
	Pass int    `json:"pass"`
}

// Output tells the machine what to do next.
type Output struct{ step.Turn }

// Part stages the rows of a part, unless they are staged already. The second
// pass holds the deferred rows of the first alone, looked up again.
func (t *Transformer) Part(ctx context.Context, in Input) (out Output, err error) {
	err = t.Runs.Metered(ctx, in.Run, func(ctx context.Context) error {
		out, err = t.part(ctx, in)
		return err
	})
	return out, err
}

func (t *Transformer) part(ctx context.Context, in Input) (Output, error) {
	done := Output{Turn: step.Turn{Status: step.Done}}
	if there, err := t.Staging.HasRows(ctx, in.Run, in.Part, in.Pass); there || err != nil {
		return done, err
	}
	r, err := t.Runs.Get(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	if err := t.Runs.Leases.Keep(ctx, r.Lease()); err != nil {
		return Output{}, err
	}
	plan, err := t.Staging.Plan(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	program, err := t.Compile(plan)
	if err != nil {
		return Output{}, err
	}
	w := &work{Transformer: t, in: in, plan: plan, program: program, indexes: map[int]finder{}}
	pass := w.first
	if in.Pass == 2 {
		pass = w.second
	}
	err = pass(ctx)
	if turn, ok := step.Later(err, t.Now()); ok {
		return Output{Turn: turn}, nil
	}
	if err != nil {
		return Output{}, fmt.Errorf("transform part %d of run %s: %w", in.Part, in.Run, err)
	}
	return done, nil
}

// finder resolves the keys of one look-up.
type finder interface {
	Find(values []string) lookup.Result
}

// work is the transformation of one part.
type work struct {
	*Transformer
	in      Input
	plan    staging.Plan
	program *mapping.Program
	indexes map[int]finder // :: place of the look-up in Derived → its index
}

func (w *work) first(ctx context.Context) error {
	if err := w.resolve(ctx, w.recordKeys); err != nil {
		return err
	}
	draft := staging.NewDraft()
	err := w.Staging.Part(ctx, w.in.Run, w.in.Part, func(r record.Record) error {
		e := w.entry(r)
		if e.Read = r.Read; r.Read != 0 {
			e.Version = r.Version
		}
		return draft.Add(e)
	})
	if err != nil {
		return err
	}
	return w.Staging.PutRows(ctx, w.in.Run, w.in.Part, 1, draft)
}

func (w *work) entry(r record.Record) staging.Entry {
	if r.Gone != "" {
		return staging.Entry{Gone: &staging.Gone{ID: r.ID, How: r.Gone, Into: r.Into}}
	}
	if !w.program.Keep(r, w.plan.Now) {
		return staging.Entry{Filtered: r.ID}
	}
	keys := w.program.Lookups(r, w.plan.Now)
	found := make([]lookup.Result, len(keys))
	for i, key := range keys {
		if !key.Empty {
			found[i] = w.indexes[i].Find(key.Values)
		}
	}
	row, reject := w.program.Apply(r, w.plan.Now, found)
	if reject != nil {
		return staging.Entry{Reject: reject, Archived: r.Archived, Waits: w.waits(*reject, keys)}
	}
	if merged := r.Text(mergedProperty); merged != "" {
		row.Merged = strings.Split(merged, ";")
	}
	return staging.Entry{Row: &row, Archived: r.Archived}
}

// waits returns the value that a rejected record's look-up found nothing for, nil
// if it was rejected for another reason.
func (w *work) waits(reject record.Reject, keys []mapping.Key) *mark.Wait {
	if reject.Code != record.NoMatch {
		return nil
	}
	for i, d := range w.plan.Job.Mapping.Derived {
		if d.To == reject.Field && !keys[i].Empty {
			fields := w.matched(i)
			return &mark.Wait{Object: d.Object, Fields: fields, Hash: delta.Identifier(fields, keys[i].Values), ID: id(keys[i].Values)}
		}
	}
	return nil
}

// id returns the only value of a look-up if it may be the id of a record, else "".
func id(values []string) string {
	if len(values) != 1 || len(values[0]) > 20 || strings.Trim(values[0], "0123456789") != "" {
		return ""
	}
	return values[0]
}

// matched are the fields that a look-up compares.
func (w *work) matched(i int) []string {
	pairs := w.plan.Job.Mapping.Derived[i].Match
	fields := make([]string, len(pairs))
	for n, pair := range pairs {
		fields[n] = pair.Field
	}
	return fields
}

// mergedProperty lists the records that were merged into one, as text with
// semicolons (HubSpot CRM objects, November 2026).
const mergedProperty = "hs_merged_object_ids"

// second looks the deferred rows up again, now that the rows of all parts are
// written.
func (w *work) second(ctx context.Context) error {
	if err := w.resolve(ctx, w.deferredKeys); err != nil {
		return err
	}
	draft := staging.NewDraft()
	err := w.Staging.Rows(ctx, w.in.Run, w.in.Part, 1, func(e staging.Entry) error {
		if e.Row == nil || len(e.Row.Defer) == 0 {
			return nil
		}
		found := make([]lookup.Result, len(w.plan.Job.Mapping.Derived))
		keys := make([]mapping.Key, len(found))
		for i, d := range w.plan.Job.Mapping.Derived {
			if values, deferred := e.Row.Defer[d.To]; deferred {
				keys[i].Values, found[i] = values, w.indexes[i].Find(values)
			}
		}
		row, reject := w.program.Resolve(*e.Row, found)
		if reject != nil {
			return draft.Add(staging.Entry{Reject: reject, Version: e.Version, Read: e.Read, Archived: e.Archived, Waits: w.waits(*reject, keys)})
		}
		return draft.Add(staging.Entry{Row: &row, Version: e.Version, Read: e.Read, Archived: e.Archived})
	})
	if err != nil {
		return err
	}
	return w.Staging.PutRows(ctx, w.in.Run, w.in.Part, 2, draft)
}

// recordKeys visits the look-up keys of the part's records: the place of the
// look-up and its values.
func (w *work) recordKeys(ctx context.Context, visit func(int, []string)) error {
	return w.Staging.Part(ctx, w.in.Run, w.in.Part, func(r record.Record) error {
		if r.Gone != "" || !w.program.Keep(r, w.plan.Now) {
			return nil
		}
		for i, key := range w.program.Lookups(r, w.plan.Now) {
			if !key.Empty {
				visit(i, key.Values)
			}
		}
		return nil
	})
}

// deferredKeys visits the keys of the self look-ups that wait for the second pass.
func (w *work) deferredKeys(ctx context.Context, visit func(int, []string)) error {
	return w.Staging.Rows(ctx, w.in.Run, w.in.Part, 1, func(e staging.Entry) error {
		for i, d := range w.plan.Job.Mapping.Derived {
			if e.Row != nil && len(e.Row.Defer[d.To]) > 0 {
				visit(i, e.Row.Defer[d.To])
			}
		}
		return nil
	})
}

// resolve makes an index for each look-up that the part needs.
func (w *work) resolve(ctx context.Context, keys func(context.Context, func(int, []string)) error) error {
	derived := w.plan.Job.Mapping.Derived
	if len(derived) == 0 {
		return nil
	}
	wanted := make([]map[string]bool, len(derived)) // :: first value of the key
	for i := range wanted {
		wanted[i] = map[string]bool{}
	}
	if err := keys(ctx, func(i int, values []string) { wanted[i][values[0]] = true }); err != nil {
		return err
	}
	for i := range derived {
		x, err := w.index(ctx, i, wanted[i])
		if err != nil {
			return fmt.Errorf("look up %s: %w", derived[i].Object, err)
		}
		w.indexes[i] = x
	}
	return nil
}

// index returns the index of a look-up: of the keys that the part wants if they
// are few, else of the whole object, built once per run and pass.
func (w *work) index(ctx context.Context, i int, wanted map[string]bool) (finder, error) {
	d := w.plan.Job.Mapping.Derived[i]
	fields := w.matched(i)
	limit := w.IndexFrom
	if limit == 0 {
		limit = 100
	}
	name := fmt.Sprintf("lookup-%d", i)
	if w.plan.Job.Mapping.Target == d.Object { // grows while the run writes
		name = fmt.Sprintf("lookup-%d-pass-%d", i, w.in.Pass)
	}
	x, err := w.Staging.Index(ctx, w.in.Run, name)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return x, err
	}
	x = lookup.NewIndex(fields)
	values := slices.Sorted(maps.Keys(wanted))
	whole, err := step.Whole(ctx, w.Target, values)
	if err != nil {
		return nil, err
	}
	if len(wanted) <= limit && !whole {
		return x, step.FillKeys(ctx, w.Target, x, d.Object, fields, values)
	}
	if x, err = step.Fill(ctx, w.Target, staging.Begun{Store: w.Staging, Run: w.in.Run, Index: name}, d.Object, fields); err != nil {
		return nil, err
	}
	return x, w.Staging.PutIndex(ctx, w.in.Run, name, x)
}
