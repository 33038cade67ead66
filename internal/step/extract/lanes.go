package extract

import (
	"context"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
)

// full reports whether the run has as many records of its query as it may read.
func (p *pages) full(cursor string, count int) bool {
	inQuery := cursor != "" && !strings.HasPrefix(cursor, markCursor) && !strings.HasPrefix(cursor, binCursor)
	return p.plan.Most > 0 && count >= p.plan.Most && inQuery
}

// rest ends an extraction whose run has read as many records as it may: what is left
// goes to slices. All records are not begun in the lane of changes, which they would
// keep from their work, nor before those of the jobs that they wait for.
func (e *Extractor) rest(ctx context.Context, r run.Run, p *pages, at run.Extraction) (run.Extraction, bool, error) {
	all := p.plan.Query.Since.IsZero() && r.Lane == run.Changes
	full := p.full(at.Cursor, at.Count)
	if all && !full && at.Parts == 0 {
		var err error
		if full, err = e.waits(ctx, r, p.plan.Behind); err != nil {
			return at, false, err
		}
	}
	if !full {
		return at, false, nil
	}
	to := at
	to.Done, to.More, to.Rest = true, true, strings.TrimPrefix(at.Cursor, sourceCursor)
	if r.Lane == run.Changes && e.Count != nil {
		n, err := e.Count(ctx, r.Connection, p.plan.Query)
		if err != nil {
			return at, false, err
		}
		to.Total = n
	}
	if all {
		to.Cursor, to.Parts, to.Count, to.Rest = "", 0, 0, ""
	}
	return to, true, nil
}

// waits reports whether one of the jobs has records in the backlog lane, or its run
// of this round is about to put them there.
func (e *Extractor) waits(ctx context.Context, r run.Run, behind []string) (bool, error) {
	if len(behind) == 0 {
		return false, nil
	}
	before := map[string]bool{}
	for _, id := range behind {
		b, err := e.Runs.Backlog(ctx, id)
		if b.HasAll() || err != nil {
			return err == nil, err
		}
		before[id] = true
	}
	round, err := e.Runs.Round(ctx, r.Execution, r.Round)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return false, err
	}
	for _, id := range round.Jobs {
		if id == r.ID {
			break
		}
		other, err := e.Runs.Get(ctx, id)
		if err != nil {
			return false, err
		}
		ext, err := e.Runs.Extraction(ctx, id)
		if err != nil || before[other.Job] && ext.More {
			return ext.More, err
		}
	}
	return false, nil
}
