package activity

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Span chooses entries: From ≤ their time < To; a zero time does not choose. Of
// executions the time is that of their start.
type Span struct {
	From, To time.Time
	// After is "" or the position of the entry to go on behind.
	After string
}

// ScanExecutions visits executions, newest first, until visit returns false. With
// a job's id it visits those of that job alone. at is the position of the entry.
// A Span.After that is no position is fault.Invalid.
func (s *Store) ScanExecutions(ctx context.Context, job string, span Span, visit func(e Execution, at string) (more bool)) error {
	if job == "" {
		return scan(ctx, s, executions, span, visit)
	}
	_, err := scanPartition(ctx, s.Table, jobPartition(job), executions, span, visit)
	return err
}

// ScanUpdates visits updates, likewise.
func (s *Store) ScanUpdates(ctx context.Context, span Span, visit func(u Update, at string) (more bool)) error {
	return scan(ctx, s, updates, span, visit)
}

// scan visits the entries of a kind, month by month: those of the last year, or
// as far back as entries are kept now.
func scan[T any](ctx context.Context, s *Store, kind string, span Span, visit func(T, string) bool) error {
	// Each month costs a query, even if it is empty.
	month, oldest := s.now(), s.now().Add(-max(kept, s.kept()))
	if !span.To.IsZero() && span.To.Before(month) {
		month = span.To.UTC()
	}
	if span.From.After(oldest) {
		oldest = span.From.UTC()
	}
	if span.After != "" {
		at, err := timeOf(span.After)
		if err != nil {
			return err
		}
		month = at
	}
	for !first(month).Before(first(oldest)) {
		more, err := scanPartition(ctx, s.Table, partition(month), kind, span, visit)
		if err != nil || !more {
			return err
		}
		month = first(month).AddDate(0, -1, 0)
	}
	return nil
}

func first(month time.Time) time.Time {
	return time.Date(month.UTC().Year(), month.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}

// timeOf reads the time of a position.
func timeOf(position string) (time.Time, error) {
	text, _, _ := strings.Cut(position, "#")
	at, err := time.Parse(instant, text)
	return at, fault.Wrap(err, fault.Invalid, "The page that you ask for is not known. Begin with the first one.")
}

// scanPartition visits the entries of one partition that lie in the span, newest
// first, and reports whether all of them were visited.
func scanPartition[T any](ctx context.Context, t table.Table, partition, kind string, span Span, visit func(T, string) bool) (bool, error) {
	r := table.Range{Prefix: kind}
	if !span.From.IsZero() {
		r.From = kind + span.From.UTC().Format(instant)
	}
	if !span.To.IsZero() {
		r.To = kind + span.To.UTC().Format(instant)
	}
	if span.After != "" {
		if _, err := timeOf(span.After); err != nil {
			return false, err
		}
		if to := kind + span.After; r.To == "" || to < r.To {
			r.To = to
		}
	}
	for limit, cursor := 100, ""; ; limit = 1000 {
		page, err := t.Query(ctx, partition, r, limit, cursor, true)
		if err != nil {
			return false, fmt.Errorf("list %s of %s: %w", kind, partition, err)
		}
		for _, it := range page.Items {
			var entry T
			if err := json.Unmarshal(it.Doc, &entry); err != nil {
				return false, fmt.Errorf("decode %s: %w", it.Sort, err)
			}
			if !visit(entry, strings.TrimPrefix(it.Sort, kind)) {
				return false, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			return true, nil
		}
	}
}
