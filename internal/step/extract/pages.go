package extract

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// pages are the pages of a run: first those of the records that it has claimed by
// their marks, then those of its query without them, then archived records.
type pages struct {
	source  Source
	run     run.Run
	plan    staging.Plan
	claimed []mark.Mark
	ids     map[string]bool // of claimed
	now     func() time.Time
}

// The kinds of cursors beside those of the source, which has "" for its first page.
const (
	markCursor   = "marks:"  // and the number of claimed marks that are read
	sourceCursor = "source:" // and the source's own
	binCursor    = "bin:"    // and the source's own, of archived records
)

// batch is the most records that are read by their ids at once.
const batch = 100

// pages claims the marks that the run serves, once: a mark that changes later is
// of what happened later. Every slice of the run has the same ones.
func (e *Extractor) pages(ctx context.Context, r run.Run, plan staging.Plan) (*pages, error) {
	p := &pages{source: e.Source, run: r, plan: plan, ids: map[string]bool{}, now: e.Now}
	if e.Marked == nil || plan.Mode == "" || plan.Mode == run.ModeBacklog {
		return p, nil
	}
	var err error
	p.claimed, err = e.Staging.Marks(ctx, r.ID)
	if fault.Is(err, fault.NotFound) {
		if p.claimed, err = e.Marked.Claim(ctx, plan); err != nil {
			return p, err
		}
		if err = e.Staging.PutMarks(ctx, r.ID, p.claimed); err == nil {
			p.claimed, err = e.Staging.Marks(ctx, r.ID) // a copy may have been faster
		}
	}
	for _, m := range p.claimed {
		p.ids[m.ID] = true
	}
	return p, err
}

// read gathers pages from a cursor until a part is full, the records end (next
// is ""), time runs short, the run has as many as it may read, or reading fails,
// which it returns as stopped. before is how many records the run has.
func (p *pages) read(ctx context.Context, cursor string, before int) (draft *staging.Draft, next string, stopped error) {
	draft, next = staging.NewDraft(), cursor
	for draft.Count < p.plan.PartSize && !p.full(next, before+draft.Count) {
		now := p.now().UnixMilli()
		page, err := p.page(ctx, next)
		if err != nil {
			return draft, next, err
		}
		if page.Next == next && next != "" {
			return draft, next, fault.New(fault.Transient, "HubSpot gave the same page twice, so reading stopped.")
		}
		for _, rec := range page.Records {
			if p.plan.Mode != "" {
				rec.Read = now
			}
			if err := draft.Add(rec); err != nil {
				return draft, next, err
			}
		}
		if next = page.Next; next == "" || step.Short(ctx) {
			break
		}
	}
	return draft, next, nil
}

// page reads the page at a cursor.
func (p *pages) page(ctx context.Context, cursor string) (record.Page, error) {
	if at, ok := strings.CutPrefix(cursor, markCursor); ok || cursor == "" && len(p.claimed) > 0 {
		n := 0
		if ok {
			var err error
			if n, err = strconv.Atoi(at); err != nil || n < 0 || n > len(p.claimed) {
				return record.Page{}, fmt.Errorf("cursor %q is none of %d marks", cursor, len(p.claimed))
			}
		}
		return p.marked(ctx, n)
	}
	if p.plan.Mode == run.ModeMarked || p.plan.Mode == run.ModeRejected {
		return record.Page{}, nil
	}
	q := p.plan.Query
	kind := ""
	for _, one := range []string{sourceCursor, binCursor} {
		if strings.HasPrefix(cursor, one) {
			kind = one
		}
	}
	q.After = strings.TrimPrefix(cursor, kind)
	if q.After == "" && kind == "" {
		q.After = p.plan.From
	}
	if kind == binCursor {
		q.ArchivedSince = p.plan.ArchivedSince
	}
	page, err := p.source.Page(ctx, p.run.Connection, q)
	if err != nil {
		return page, err
	}
	if len(p.ids) > 0 { // a record that was read by its id is at least as new as the page's
		all := page.Records
		page.Records = nil
		for _, rec := range all {
			if !p.ids[rec.ID] {
				page.Records = append(page.Records, rec)
			}
		}
	}
	switch {
	case page.Next != "":
		page.Next = kind + page.Next
	case kind != binCursor && !p.plan.ArchivedSince.IsZero():
		page.Next = binCursor
	}
	return page, nil
}

// marked reads the records of the next marks from place n on.
func (p *pages) marked(ctx context.Context, n int) (record.Page, error) {
	q := p.plan.Query
	private := map[string]bool{}
	for ; n < len(p.claimed); n++ {
		m := p.claimed[n]
		if len(q.IDs) == 0 || q.IDs[len(q.IDs)-1] != m.ID {
			if len(q.IDs) == batch {
				break
			}
			q.IDs = append(q.IDs, m.ID)
		}
		private[m.ID] = private[m.ID] || m.Kind == mark.Privacy
	}
	page, err := p.source.Page(ctx, p.run.Connection, q)
	if err != nil {
		return page, err
	}
	found := map[string]bool{}
	for _, rec := range page.Records {
		found[rec.ID] = true
	}
	var missing []string
	for _, id := range q.IDs {
		if !found[id] {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		gone, err := p.source.Gone(ctx, p.run.Connection, q.Object, missing)
		if err != nil {
			return page, err
		}
		for _, rec := range gone {
			if rec.Gone == record.Deleted && private[rec.ID] {
				rec.Gone = record.Private
			}
			page.Records = append(page.Records, rec)
		}
	}
	switch {
	case n < len(p.claimed):
		page.Next = markCursor + strconv.Itoa(n)
	case p.plan.Mode == run.ModeMarked, p.plan.Mode == run.ModeRejected:
		page.Next = ""
	default:
		page.Next = sourceCursor
	}
	return page, nil
}
