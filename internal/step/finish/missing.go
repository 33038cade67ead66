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
	all := plan.Query.Since.IsZero() && (plan.Mode == run.ModeFull || plan.Mode == run.ModeChanges)
	if f.Marked == nil || !all || !well(r) {
		return nil
	}
	known, err := f.Runs.Watermark(ctx, r.Job, r.Lane)
	if err != nil || known.At.IsZero() { // its first run knows nothing from before
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
		if _, found := slices.BinarySearch(read, n); err != nil || found || p.Gone != "" {
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
