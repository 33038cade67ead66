package tabletest

import (
	"context"
	"strconv"
	"sync"

	"hubspotconnector/internal/table"
)

// Meter is a table that counts what its calls would cost on DynamoDB, on demand
// (developer guide, "DynamoDB read and write operations", November 2026). What
// it needs to know of stored items it reads from the table below, for nothing.
// It is used by pointer and may be used at once.
type Meter struct {
	table.Table

	mu            sync.Mutex
	reads, writes int64
}

// Units returns the read and write units so far.
func (m *Meter) Units() (reads, writes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads, m.writes
}

// size is that of an item with the attributes pk, sk, version, doc, mark (a
// ULID) and expires, in bytes: names and values. No item counts as an empty one.
func size(item *table.Item) int64 {
	if item == nil {
		return 0
	}
	n := len("pk") + len(item.Partition) + len("sk") + len(item.Sort) + len("doc") + len(item.Doc) + len("mark") + 26
	n += len("version") + number(item.Version)
	if !item.Expires.IsZero() {
		n += len("expires") + number(item.Expires.Unix())
	}
	return int64(n)
}

// number is the size of a number: a byte, and one for each two digits.
func number(n int64) int { return 1 + (len(strconv.FormatInt(n, 10))+1)/2 }

// units are what a call of so many bytes costs, one at least.
func units(bytes, each int64) int64 { return max(1, (bytes+each-1)/each) }

const (
	readUnit  = 4 << 10 // of a consistent read
	writeUnit = 1 << 10
)

func (m *Meter) read(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads += n
}

// stored is what a write finds. An error of the table is that of the write too.
func (m *Meter) stored(ctx context.Context, key table.Key) *table.Item {
	item, err := m.Table.Get(ctx, key)
	if err != nil {
		return nil
	}
	return &item
}

// wrote counts a write by the larger of what was there and what is put there,
// whether or not its condition held. Each part of a Write counts twice.
func (m *Meter) wrote(ctx context.Context, op table.Op, times int64) {
	n := size(m.stored(ctx, op.Item.Key))
	if op.Verb == table.Put {
		n = max(n, size(&op.Item))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes += times * units(n, writeUnit)
}

// Get implements table.Table.
func (m *Meter) Get(ctx context.Context, key table.Key) (table.Item, error) {
	item, err := m.Table.Get(ctx, key)
	m.read(units(size(&item), readUnit))
	return item, err
}

// GetMany implements table.Table. A key without an item costs a unit too.
func (m *Meter) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	items, err := m.Table.GetMany(ctx, keys)
	asked := map[table.Key]bool{}
	for _, key := range keys {
		asked[key] = true
	}
	n := int64(len(asked) - len(items))
	for i := range items {
		n += units(size(&items[i]), readUnit)
	}
	m.read(n)
	return items, err
}

// Query implements table.Table. A page is counted as a whole.
func (m *Meter) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	page, err := m.Table.Query(ctx, partition, r, limit, cursor, descending)
	n := int64(0)
	for i := range page.Items {
		n += size(&page.Items[i])
	}
	m.read(units(n, readUnit))
	return page, err
}

// Put implements table.Table.
func (m *Meter) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	m.wrote(ctx, table.Op{Verb: table.Put, Item: item}, 1)
	return m.Table.Put(ctx, item, cond)
}

// PutMany implements table.Table.
func (m *Meter) PutMany(ctx context.Context, items []table.Item) error {
	for _, item := range items {
		m.wrote(ctx, table.Op{Verb: table.Put, Item: item}, 1)
	}
	return m.Table.PutMany(ctx, items)
}

// Delete implements table.Table.
func (m *Meter) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	m.wrote(ctx, table.Op{Verb: table.Delete, Item: table.Item{Key: key}}, 1)
	return m.Table.Delete(ctx, key, cond)
}

// Write implements table.Table.
func (m *Meter) Write(ctx context.Context, ops []table.Op) error {
	for _, op := range ops {
		m.wrote(ctx, op, 2)
	}
	return m.Table.Write(ctx, ops)
}
