package upsert_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/table"
)

// counted counts how often each page of prints is read.
type counted struct {
	table.Table
	mu    sync.Mutex
	pages map[string]int
}

// Query implements table.Table.
func (c *counted) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	page, err := c.Table.Query(ctx, partition, r, limit, cursor, descending)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range page.Items {
		if strings.HasPrefix(item.Partition, "PRINT#") {
			c.pages[item.Sort]++
		}
	}
	return page, err
}

// However many stretches a part has, what is known of its records is read once, but
// for pages on which two readers meet.
func TestPrintsAreReadOnce(t *testing.T) {
	const n = 1200
	w := newWorld(t, companies())
	w.begin(some(n, "New")...)
	c := &counted{Table: w.table, pages: map[string]int{}}
	w.Delta = &delta.Store{Table: c}
	w.part()
	if len(c.pages) > 5 {
		t.Errorf("%d pages were read of the prints of %d new records, want almost none", len(c.pages), n)
	}
	entries := some(n, "New")
	for i := 0; i < n; i += 3 {
		entries[i] = company(fmt.Sprint(i), "Changed")
	}
	w.begin(entries...)
	c.pages = map[string]int{}
	w.part()
	twice := 0
	for _, times := range c.pages {
		twice += times - 1
	}
	if len(c.pages) < n/100 || len(c.pages) > n/40 || twice > 3 {
		t.Errorf("%d pages were read, %d of them again, for %d records of which some changed; want each once", len(c.pages), twice, n)
	}
}
