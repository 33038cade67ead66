package table

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"hubspotconnector/internal/fault"
)

// Format is the number of what this version stores. A version whose items an
// older one cannot read has a higher one, and stores it as FormatDoc under
// FormatKey before it writes anything else. A table without it is of format 1.
const Format = 1

// FormatKey is where a table holds its format.
func FormatKey() Key { return Key{Partition: "TABLE", Sort: "format"} }

// FormatDoc is the document there.
type FormatDoc struct {
	Format int `json:"format"`
}

// Guarded is a table that is not used if a newer version of the connector has
// stored in it what this one cannot read: then every method fails with
// fault.Invalid. It looks before its first use. Use Guard.
type Guarded struct {
	table Table
	known atomic.Bool // the format is one of ours
}

// Guard guards a table. Nothing is called.
func Guard(t Table) *Guarded { return &Guarded{table: t} }

// check looks at the format, until it has seen one that is known.
func (g *Guarded) check(ctx context.Context) error {
	if g.known.Load() {
		return nil
	}
	doc := FormatDoc{Format: 1}
	item, err := g.table.Get(ctx, FormatKey())
	if err == nil {
		err = json.Unmarshal(item.Doc, &doc)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("read the table's format: %w", err)
	}
	if doc.Format > Format {
		return fault.New(fault.Invalid,
			"The stored data was written by a newer version of the connector (format %d, and this version knows %d): install the newer version again, or restore a backup from before it.", doc.Format, Format)
	}
	g.known.Store(true)
	return nil
}

// Get implements Table.
func (g *Guarded) Get(ctx context.Context, key Key) (Item, error) {
	if err := g.check(ctx); err != nil {
		return Item{}, err
	}
	return g.table.Get(ctx, key)
}

// GetMany implements Table.
func (g *Guarded) GetMany(ctx context.Context, keys []Key) ([]Item, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	return g.table.GetMany(ctx, keys)
}

// Put implements Table.
func (g *Guarded) Put(ctx context.Context, item Item, cond Condition) (Item, error) {
	if err := g.check(ctx); err != nil {
		return Item{}, err
	}
	return g.table.Put(ctx, item, cond)
}

// PutMany implements Table.
func (g *Guarded) PutMany(ctx context.Context, items []Item) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.table.PutMany(ctx, items)
}

// Delete implements Table.
func (g *Guarded) Delete(ctx context.Context, key Key, cond Condition) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.table.Delete(ctx, key, cond)
}

// Query implements Table.
func (g *Guarded) Query(ctx context.Context, partition string, r Range, limit int, cursor string, descending bool) (Page, error) {
	if err := g.check(ctx); err != nil {
		return Page{}, err
	}
	return g.table.Query(ctx, partition, r, limit, cursor, descending)
}

// Write implements Table.
func (g *Guarded) Write(ctx context.Context, ops []Op) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.table.Write(ctx, ops)
}
