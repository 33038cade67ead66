package preview

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// through are the partitions of which the real items are seen.
var through = []string{"PRINT#", "CLAIM#", "AVATAR#"} //nolint:gochecknoglobals // a constant

// overlay is a table in memory. In the partitions above, an item that was not
// written here is the real table's.
type overlay struct {
	below table.Table
	now   func() time.Time

	mu     sync.Mutex
	items  map[table.Key]table.Item
	pulled map[table.Key]bool // keys that were read from below
}

func newOverlay(below table.Table, now func() time.Time) *overlay {
	return &overlay{below: below, now: now, items: map[table.Key]table.Item{}, pulled: map[table.Key]bool{}}
}

// pull reads the real items of the keys, each once. The caller holds the lock.
func (o *overlay) pull(ctx context.Context, keys ...table.Key) error {
	var missing []table.Key
	for _, key := range keys {
		real := slices.ContainsFunc(through, func(prefix string) bool { return strings.HasPrefix(key.Partition, prefix) })
		if real && !o.pulled[key] {
			o.pulled[key], missing = true, append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := o.below.GetMany(ctx, missing)
	if err != nil {
		for _, key := range missing {
			delete(o.pulled, key)
		}
		return err
	}
	for _, item := range found {
		o.items[item.Key] = item
	}
	return nil
}

// find returns an unexpired item.
func (o *overlay) find(key table.Key) (table.Item, bool) {
	item, ok := o.items[key]
	if ok && !item.Expires.IsZero() && !o.now().Before(item.Expires) {
		return table.Item{}, false
	}
	item.Doc = slices.Clone(item.Doc)
	return item, ok
}

// Get implements table.Table.
func (o *overlay) Get(ctx context.Context, key table.Key) (table.Item, error) {
	items, err := o.GetMany(ctx, []table.Key{key})
	if err == nil && len(items) == 0 {
		err = fault.New(fault.NotFound, "There is no such item.")
	}
	if err != nil {
		return table.Item{}, err
	}
	return items[0], nil
}

// GetMany implements table.Table.
func (o *overlay) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	for _, key := range keys {
		if err := table.CheckKey(key); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.pull(ctx, keys...); err != nil {
		return nil, err
	}
	var found []table.Item
	seen := map[table.Key]bool{}
	for _, key := range keys {
		if item, ok := o.find(key); ok && !seen[key] {
			seen[key], found = true, append(found, item)
		}
	}
	return found, nil
}

// Put implements table.Table.
func (o *overlay) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	if err := o.Write(ctx, []table.Op{{Verb: table.Put, Item: item, If: cond}}); err != nil {
		return table.Item{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.items[item.Key], nil
}

// PutMany implements table.Table.
func (o *overlay) PutMany(ctx context.Context, items []table.Item) error {
	if err := table.CheckItems(items); err != nil {
		return err
	}
	for some := range slices.Chunk(items, table.MaxWriteOps) {
		ops := make([]table.Op, len(some))
		for i, item := range some {
			ops[i] = table.Op{Verb: table.Put, Item: item}
		}
		if err := o.Write(ctx, ops); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements table.Table.
func (o *overlay) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	return o.Write(ctx, []table.Op{{Verb: table.Delete, Item: table.Item{Key: key}, If: cond}})
}

// Write implements table.Table.
func (o *overlay) Write(ctx context.Context, ops []table.Op) error {
	if err := table.CheckOps(ops); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	keys := make([]table.Key, len(ops))
	for i, op := range ops {
		keys[i] = op.Item.Key
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.pull(ctx, keys...); err != nil {
		return err
	}
	for _, op := range ops {
		var stored *table.Item
		if item, ok := o.find(op.Item.Key); ok {
			stored = &item
		}
		if !op.If.Holds(stored) {
			return table.Conflict(op.Item.Key, stored)
		}
	}
	for _, op := range ops {
		switch op.Verb {
		case table.Put:
			item := op.Item
			old, _ := o.find(item.Key)
			item.Version, item.Doc, item.Expires = old.Version+1, slices.Clone(item.Doc), item.Expires.Truncate(time.Second)
			o.items[item.Key] = item
		case table.Delete:
			delete(o.items, op.Item.Key)
		case table.Check:
		}
	}
	return nil
}

// maxPageBytes ends a page early, as the real tables do.
const maxPageBytes = 1 << 20

// Query implements table.Table. Of the real items it shows pages of prints only: no
// step lists what else an earlier run left.
func (o *overlay) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	if err := table.CheckKey(table.Key{Partition: partition, Sort: "x"}); err != nil {
		return table.Page{}, err
	}
	if limit <= 0 {
		limit = 1000
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasPrefix(partition, through[0]) {
		real, err := o.below.Query(ctx, partition, r, limit, cursor, descending)
		if err != nil {
			return table.Page{}, err
		}
		for _, item := range real.Items {
			if !o.pulled[item.Key] {
				o.pulled[item.Key], o.items[item.Key] = true, item
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(o.items), func(a, b table.Key) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(a.Sort, b.Sort)
	})
	var page table.Page
	size := 0
	for _, key := range keys {
		in := key.Partition == partition && strings.HasPrefix(key.Sort, r.Prefix) && key.Sort >= r.From && (r.To == "" || key.Sort < r.To)
		behind := cursor == "" || !descending && key.Sort > cursor || descending && key.Sort < cursor
		item, ok := o.find(key)
		if !ok || !in || !behind {
			continue
		}
		if n := len(page.Items); n > 0 && (n == limit || size+len(item.Doc) > maxPageBytes) {
			page.Next = page.Items[n-1].Sort
			return page, nil
		}
		size += len(item.Doc)
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// bucket is files in memory, under names that our own packages made.
type bucket struct {
	mu    sync.Mutex
	files map[string][]byte
}

// Create implements blob.Bucket.
func (b *bucket) Create(_ context.Context, name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.files[name]; taken {
		return fault.New(fault.Conflict, "There is a file %s already.", name)
	}
	if b.files == nil {
		b.files = map[string][]byte{}
	}
	b.files[name] = content.Bytes()
	return nil
}

func (b *bucket) content(name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, ok := b.files[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "There is no file %s.", name)
	}
	return content, nil
}

// Open implements blob.Bucket.
func (b *bucket) Open(_ context.Context, name string) (io.ReadCloser, error) {
	content, err := b.content(name)
	return io.NopCloser(bytes.NewReader(content)), err
}

// List implements blob.Bucket.
func (b *bucket) List(_ context.Context, prefix string) ([]blob.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []blob.Info
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if strings.HasPrefix(name, prefix) {
			list = append(list, blob.Info{Name: name, Size: int64(len(b.files[name]))})
		}
	}
	return list, nil
}

// Delete implements blob.Bucket.
func (b *bucket) Delete(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.files, name)
	return nil
}

// Link implements blob.Bucket. Nobody can follow a link into memory.
func (b *bucket) Link(context.Context, string, string, time.Duration) (string, error) {
	return "", fault.New(fault.Invalid, "Files of a preview have no link.")
}
