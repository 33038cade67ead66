package bolttable

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Limits of one page and of one transaction of PutMany, which keep memory small.
const (
	defaultPage  = 1000
	maxPageBytes = 1 << 20
	maxPutMany   = 256
)

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := table.CheckKey(key); err != nil {
		return table.Item{}, err
	}
	var (
		item table.Item
		ok   bool
	)
	err := t.view(ctx, func(items *bbolt.Bucket, now int64) error {
		v, found, err := find(items, itemKey(key), now)
		if found {
			item, ok = v.item(key), true
		}
		return err
	})
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "There is no such item.")
	}
	return item, err
}

// GetMany implements table.Table; what it returns was stored at one moment.
func (t *Table) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	for _, key := range keys {
		if err := table.CheckKey(key); err != nil {
			return nil, err
		}
	}
	var found []table.Item
	seen := make(map[table.Key]bool, len(keys))
	err := t.view(ctx, func(items *bbolt.Bucket, now int64) error {
		for _, key := range keys {
			if seen[key] {
				continue
			}
			seen[key] = true
			v, ok, err := find(items, itemKey(key), now)
			if err != nil {
				return err
			}
			if ok {
				found = append(found, v.item(key))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Put implements table.Table.
func (t *Table) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	if err := table.CheckItem(item); err != nil {
		return table.Item{}, err
	}
	err := t.update(ctx, func(items *bbolt.Bucket, now int64) error {
		v, err := apply(items, table.Op{Verb: table.Put, Item: item, If: cond}, now)
		item.Version, item.Expires = v.version, v.expiry()
		return err
	})
	if err != nil {
		return table.Item{}, err
	}
	return item, nil
}

// PutMany implements table.Table.
func (t *Table) PutMany(ctx context.Context, items []table.Item) error {
	if err := table.CheckItems(items); err != nil {
		return err
	}
	for some := range slices.Chunk(items, maxPutMany) {
		err := t.update(ctx, func(bucket *bbolt.Bucket, now int64) error {
			for _, item := range some {
				if _, err := apply(bucket, table.Op{Verb: table.Put, Item: item}, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements table.Table.
func (t *Table) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	return t.Write(ctx, []table.Op{{Verb: table.Delete, Item: table.Item{Key: key}, If: cond}})
}

// Write implements table.Table. Of several failed conditions it returns the
// first.
func (t *Table) Write(ctx context.Context, ops []table.Op) error {
	if err := table.CheckOps(ops); err != nil {
		return err
	}
	return t.update(ctx, func(items *bbolt.Bucket, now int64) error {
		for _, op := range ops {
			if _, err := apply(items, op, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply does one op in a transaction and returns the value that is stored then.
func apply(items *bbolt.Bucket, op table.Op, now int64) (value, error) {
	key := itemKey(op.Item.Key)
	old, found, err := find(items, key, now)
	if err != nil {
		return value{}, err
	}
	var stored *table.Item
	if found {
		stored = &table.Item{Version: old.version}
	}
	if !op.If.Holds(stored) {
		if found {
			*stored = old.item(op.Item.Key)
		}
		return value{}, table.Conflict(op.Item.Key, stored)
	}
	switch op.Verb {
	case table.Put:
		v := value{version: 1, doc: op.Item.Doc}
		if found {
			v.version = old.version + 1
		}
		if !op.Item.Expires.IsZero() {
			v.expires = op.Item.Expires.Unix()
		}
		return v, items.Put(key, v.encode(key))
	case table.Delete:
		return value{}, items.Delete(key)
	case table.Check:
	}
	return old, nil
}

// Query implements table.Table. A page ends early at 1 MB. The cursor is the
// last sort key.
func (t *Table) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	if err := table.CheckKey(table.Key{Partition: partition, Sort: "x"}); err != nil {
		return table.Page{}, err
	}
	if limit <= 0 {
		limit = defaultPage
	}
	s := span{prefix: partitionKey(partition), descending: descending}
	s.limit(r, cursor)
	var page table.Page
	err := t.view(ctx, func(items *bbolt.Bucket, now int64) error {
		size := 0
		return s.visit(items.Cursor(), func(key, b []byte) (more bool, err error) {
			v, err := decode(key, b)
			if err != nil || v.expired(now) {
				return err == nil, err
			}
			if n := len(page.Items); n > 0 && (n == limit || size+len(b) > maxPageBytes) {
				page.Next = page.Items[n-1].Sort
				return false, nil
			}
			size += len(b)
			page.Items = append(page.Items, v.item(table.Key{Partition: partition, Sort: string(key[len(s.prefix):])}))
			return true, nil
		})
	})
	if err != nil {
		return table.Page{}, err
	}
	return page, nil
}

// span is the keys from ≤ key < to of a partition.
type span struct {
	prefix     []byte // of the partition
	from, to   []byte // to nil: no end
	descending bool
}

// limit sets the bounds: those of r, and behind the cursor.
func (s *span) limit(r table.Range, cursor string) {
	key := func(sort string) []byte { return append(slices.Clone(s.prefix), sort...) }
	s.from, s.to = key(r.Prefix), behind(key(r.Prefix))
	s.start(key(r.From))
	if r.To != "" {
		s.end(key(r.To))
	}
	if cursor == "" {
		return
	}
	if s.descending {
		s.end(key(cursor))
	} else {
		s.start(append(key(cursor), 0)) // the next key there can be
	}
}

func (s *span) start(from []byte) {
	if bytes.Compare(from, s.from) > 0 {
		s.from = from
	}
}

func (s *span) end(to []byte) {
	if s.to == nil || bytes.Compare(to, s.to) < 0 {
		s.to = to
	}
}

// visit calls see at each key in order, as long as it wants more.
func (s *span) visit(c *bbolt.Cursor, see func(key, b []byte) (more bool, err error)) error {
	next := c.Next
	key, b := c.Seek(s.from)
	if s.descending {
		next = c.Prev
		if key, b = c.Last(); s.to != nil {
			if key, _ = c.Seek(s.to); key == nil {
				key, b = c.Last()
			} else {
				key, b = c.Prev()
			}
		}
	}
	for ; key != nil && bytes.Compare(key, s.from) >= 0 && (s.to == nil || bytes.Compare(key, s.to) < 0); key, b = next() {
		if more, err := see(key, b); err != nil || !more {
			return err
		}
	}
	return nil
}
