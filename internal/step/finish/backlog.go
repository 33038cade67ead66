package finish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table"
)

// A slice that failed is tried again after an hour, then after 2, 4, 8…
const (
	firstPause = time.Hour
	mostPause  = 24 * time.Hour
)

// backlog is the writes by which a run that ended leaves to slices what it has not
// read, or takes off what its slice has.
func (f *Finisher) backlog(ctx context.Context, r run.Run, plan staging.Plan) ([]table.Op, error) {
	if plan.Mode == "" || !well(r) && r.Lane != run.Slices {
		return nil, nil
	}
	ext, err := f.Runs.Extraction(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	b, err := f.Runs.Backlog(ctx, r.Job)
	if err != nil {
		return nil, err
	}
	if r.Lane == run.Slices {
		return f.sliced(ctx, r, plan, ext, b)
	}
	all := plan.Query.Since.IsZero()
	switch {
	case ext.More && all:
		first, err := f.Runs.Watermark(ctx, r.Job, run.Changes)
		if err != nil || b.HasAll() {
			return nil, err
		}
		b.Spans = append(b.Spans, run.Span{First: first.At.IsZero(), Opened: plan.Now})
		b.Total += ext.Total
	case ext.More:
		b.Spans = slices.Insert(b.Spans, windows(b), run.Span{Since: plan.Query.Since, Until: plan.Query.Until, Cursor: ext.Rest, Opened: plan.Now})
		b.Total += max(0, ext.Total-ext.Count)
	case plan.Mode != run.ModeChanges && plan.Mode != run.ModeFull:
		return nil, nil
	case all:
		return []table.Op{run.ComparedOp(r.Job, run.Compared{At: plan.Now, Records: ext.Count})}, nil
	}
	known, err := f.Runs.Compared(ctx, r.Job)
	if err != nil {
		return nil, err
	}
	if plan.Compare && !b.HasAll() {
		b.Spans = append(b.Spans, run.Span{Opened: plan.Now})
		b.Total += known.Records
	}
	var ops []table.Op
	if known.At.IsZero() { // the week counts from here
		ops = append(ops, run.ComparedOp(r.Job, run.Compared{At: plan.Now}))
	}
	if !ext.More && !plan.Compare {
		return ops, nil
	}
	b.Chain = plan.Chain
	if b.Opened.IsZero() {
		b.Opened = f.Now().UTC()
	}
	b.PerDay = plan.PerDay
	return append(ops, run.BacklogOp(b)), nil
}

// windows is how many of the spans are windows: what has changed comes before all
// the rest.
func windows(b run.Backlog) int {
	n := slices.IndexFunc(b.Spans, run.Span.All)
	if n < 0 {
		return len(b.Spans)
	}
	return n
}

// sliced moves the backlog behind what its slice has settled. A slice that failed is
// read again later.
func (f *Finisher) sliced(ctx context.Context, r run.Run, plan staging.Plan, ext run.Extraction, b run.Backlog) ([]table.Op, error) {
	at := slices.IndexFunc(b.Spans, func(s run.Span) bool {
		return s.Cursor == plan.From && s.Since.Equal(plan.Query.Since) && s.Until.Equal(plan.Query.Until)
	})
	if at < 0 {
		return nil, nil // somebody else has moved it
	}
	if r.Status == run.Skipped {
		return nil, nil
	}
	if !well(r) {
		b.NotBefore = f.Now().UTC().Add(min(mostPause, firstPause<<min(b.Failures, 6)))
		b.Failures++
		return []table.Op{run.BacklogOp(b)}, nil
	}
	b.Failures, b.NotBefore = 0, time.Time{}
	b.Read += ext.Count
	var ops []table.Op
	span := b.Spans[at]
	b.Spans = slices.Clone(b.Spans)
	if ext.More {
		b.Spans[at].Cursor = ext.Rest
		if !span.First && span.All() {
			ids, err := f.read(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			if len(ids) > 0 {
				b.Spans[at].Last = fmt.Sprint(ids[len(ids)-1])
			}
		}
	} else {
		b.Spans = slices.Delete(b.Spans, at, at+1)
		if span.All() {
			ops = append(ops, run.ComparedOp(r.Job, run.Compared{At: span.Opened, Records: b.Read}))
		}
	}
	b.PerDay = plan.PerDay
	return append(ops, run.BacklogOp(b)), nil
}

// left reports whether another round is to go on with the backlog of what the
// execution was started for.
func (f *Finisher) left(ctx context.Context, round run.Round) (bool, error) {
	if !round.Slices {
		return false, nil
	}
	jobs := map[string]bool{}
	for _, id := range round.Jobs {
		r, err := f.Runs.Get(ctx, id)
		if err != nil {
			return false, err
		}
		jobs[r.Job] = true
	}
	all, err := f.Runs.Backlogs(ctx)
	if err != nil {
		return false, fmt.Errorf("look for backlogs: %w", err)
	}
	for _, b := range all {
		ours := jobs[b.Job] || round.ChainID != "" && b.Chain == round.ChainID
		if !ours || !b.Pending(f.Now()) {
			continue
		}
		busy, err := f.Runs.Leases.Held(ctx, run.LaneOf(b.Job, run.Slices))
		if !busy || err != nil {
			return err == nil, err
		}
	}
	return false, nil
}

// large is what people read of a run that left all records to slices.
func large(total int) string {
	if total == 0 {
		return "There are too many records for one run: they are loaded in slices, while changes go on beside them."
	}
	return fmt.Sprintf("%d records are too many for one run: they are loaded in slices, while changes go on beside them.", total)
}
