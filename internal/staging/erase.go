package staging

import (
	"context"
	"fmt"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// Erase takes all values of records out of what a closed run has staged. Their
// places stay, so that a run that is resumed finds its positions. A process that
// dies in between may lose a file, and the run can be resumed no more.
func (s *Store) Erase(ctx context.Context, id run.ID, ids map[string]bool) error {
	files, err := s.Bucket.List(ctx, name(id, ""))
	if err != nil {
		return err
	}
	for _, f := range files {
		base := strings.TrimPrefix(f.Name, name(id, ""))
		switch {
		case strings.HasPrefix(base, "part-"):
			err = erase(ctx, s, f.Name, func(r record.Record) (record.Record, bool) {
				return record.Record{ID: r.ID, Gone: record.Private}, ids[r.ID] && r.Gone != record.Private
			})
		case strings.HasPrefix(base, "rows-"):
			err = erase(ctx, s, f.Name, func(e Entry) (Entry, bool) {
				return Entry{Filtered: e.ID()}, ids[e.ID()] && (e.Row != nil || e.Reject != nil)
			})
		}
		if err != nil && !fault.Is(err, fault.NotFound) { // deleted meanwhile
			return fmt.Errorf("erase records of run %s: %w", id, err)
		}
	}
	return nil
}

// erase writes a file anew in which some lines are others.
func erase[T any](ctx context.Context, s *Store, file string, other func(T) (T, bool)) error {
	d, changed := NewDraft(), false
	t, err := read(ctx, s, file, func(v T) error {
		if blank, erased := other(v); erased {
			v, changed = blank, true
		}
		return d.Add(v)
	})
	if err != nil || !changed {
		return err
	}
	if err := s.Bucket.Delete(ctx, file); err != nil {
		return err
	}
	_, err = s.put(ctx, file, d, record.Trailer{Next: t.Next})
	return err
}
