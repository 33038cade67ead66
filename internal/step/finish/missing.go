package finish

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

// markMissing marks the records that we know and that a run over all records did
// not find: they were deleted or merged without anybody telling. The next round
// asks for each of them what became of it. It may run again.
func (f *Finisher) markMissing(ctx context.Context, r run.Run, plan staging.Plan) error {
	all := plan.Query.Since.IsZero() && (plan.Mode == run.ModeFull || plan.Mode == run.ModeChanges || plan.Mode == run.ModeBacklog)
	if f.Marked == nil || !all || !well(r) {
		return nil
	}
	known, err := f.Runs.Watermark(ctx, r.Job, run.Changes)
	if err != nil || known.At.IsZero() { // its first run knows nothing from before
		return err
	}
	within, err := f.within(ctx, r)
	if err != nil || within == nil {
		return err
	}
	read, err := f.read(ctx, r.ID)
	if err != nil {
		return err
	}
	var missing []mark.Mark
	put := func() error {
		err := f.Marked.Marks.Put(ctx, plan.Query.Object, missing)
		missing = missing[:0]
		return err
	}
	err = f.Marked.Delta.Each(ctx, r.Job, func(id string, p delta.Print) error {
		n, err := strconv.ParseUint(id, 10, 64)
		if _, found := slices.BinarySearch(read, n); err != nil || found || p.Gone != "" || !within(n, read) {
			return nil //nolint:nilerr // an id that is no number is not of this source
		}
		missing = append(missing, mark.Mark{Job: r.Job, ID: id, Kind: mark.Deleted, At: f.Now().UTC()})
		if len(missing) < 1000 {
			return nil
		}
		return put()
	})
	if err == nil {
		err = put()
	}
	if err != nil {
		return fmt.Errorf("mark missing records: %w", err)
	}
	return nil
}

// within returns what tells whether a record would have been read by the run if it
// were there, by its id and all that were read; nil if the run knows no such records.
// A slice has read the ids behind those of the slice before.
func (f *Finisher) within(ctx context.Context, r run.Run) (func(id uint64, read []uint64) bool, error) {
	ext, err := f.Runs.Extraction(ctx, r.ID)
	if err != nil || ext.More && ext.Parts == 0 {
		return nil, err
	}
	var last uint64
	if r.Lane == run.Slices {
		b, err := f.Runs.Backlog(ctx, r.Job)
		at := slices.IndexFunc(b.Spans, run.Span.All)
		if err != nil || at < 0 || b.Spans[at].First {
			return nil, err
		}
		last, _ = strconv.ParseUint(b.Spans[at].Last, 10, 64) // "" at the start
	}
	return func(id uint64, read []uint64) bool {
		return id > last && (!ext.More || len(read) > 0 && id <= read[len(read)-1])
	}, nil
}

// read returns the ids of all records that the run has read, sorted: eight bytes
// each, so that a million fit.
func (f *Finisher) read(ctx context.Context, id run.ID) ([]uint64, error) {
	ext, err := f.Runs.Extraction(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := make([]uint64, 0, ext.Count)
	for part := range ext.Parts {
		err := f.Staging.Part(ctx, id, part+1, func(r record.Record) error {
			if n, err := strconv.ParseUint(r.ID, 10, 64); err == nil {
				ids = append(ids, n)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read ids of part %d: %w", part+1, err)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
