package upsert_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/table"
)

// counted counts the prints that are read.
type counted struct {
	table.Table
	prints atomic.Int64
}

// GetMany implements table.Table.
func (c *counted) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	for _, key := range keys {
		if strings.HasPrefix(key.Partition, "PRINT#") {
			c.prints.Add(1)
		}
	}
	return c.Table.GetMany(ctx, keys)
}

// However many stretches a part has, what is known of a record is read once.
func TestPrintsAreReadOnce(t *testing.T) {
	const n = 1200
	w := newWorld(t, companies())
	w.begin(some(n, "New")...)
	c := &counted{Table: w.table}
	w.Delta = &delta.Store{Table: c}
	w.part()
	if got := c.prints.Load(); got != n {
		t.Errorf("%d prints were read for %d new records, want each once", got, n)
	}
	entries := some(n, "New")
	for i := 0; i < n; i += 3 {
		entries[i] = company(fmt.Sprint(i), "Changed")
	}
	w.begin(entries...)
	c.prints.Store(0)
	w.part()
	if got := c.prints.Load(); got != n {
		t.Errorf("%d prints were read for %d records of which some changed, want each once", got, n)
	}
}
