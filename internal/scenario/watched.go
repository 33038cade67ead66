package scenario

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// watched is the table under the connector. It checks each move of a watermark
// as it happens, and counts the writes of pages of prints.
type watched struct {
	table.Table
	t      testing.TB
	prints atomic.Int64 // pages
}

// printWrites is how many pages of prints were written so far.
func (w *world) printWrites() int64 { return w.bolt.(*watched).prints.Load() }

// Put implements table.Table.
func (t *watched) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	if strings.HasPrefix(item.Partition, "PRINT#") {
		t.prints.Add(1)
	}
	return t.Table.Put(ctx, item, cond)
}

// Write implements table.Table.
func (t *watched) Write(ctx context.Context, ops []table.Op) error {
	for _, op := range ops {
		switch {
		case op.Verb == table.Check:
		case strings.HasPrefix(op.Item.Partition, "PRINT#"):
			t.prints.Add(1)
		case strings.HasPrefix(op.Item.Sort, "watermark#"):
			t.checkWatermark(ctx, op.Item)
		}
	}
	return t.Table.Write(ctx, ops)
}

// checkWatermark enforces Guarantee 2: every part of the run that moves it is
// settled, and it never moves back.
func (t *watched) checkWatermark(ctx context.Context, item table.Item) {
	var was, is run.Watermark
	if err := json.Unmarshal(item.Doc, &is); err != nil {
		t.t.Error(err)
		return
	}
	if _, err := table.Load(ctx, t.Table, item.Key, &was); err == nil && is.At.Before(was.At) {
		t.t.Errorf("the watermark moved back from %s to %s", was.At, is.At)
	}
	runs := &run.Store{Table: t.Table}
	extraction, err := runs.Extraction(ctx, is.Run)
	if err != nil {
		t.t.Error(err)
	}
	parts, err := runs.Parts(ctx, is.Run)
	if err != nil {
		t.t.Error(err)
	}
	settled := 0
	for _, p := range parts {
		settled += p.Counts.Settled()
	}
	if !extraction.Done || len(parts) != extraction.Parts || settled != extraction.Count {
		t.t.Errorf("the watermark moved with %d of %d records settled in %d of %d parts", settled, extraction.Count, len(parts), extraction.Parts)
	}
}
