// Package table is the only storage interface: items with a partition key, a
// sort key, a version for compare-and-swap, an expiry and a JSON document.
//
// Aggregates (job, run, lease, budget…) are written once, on this port. Reads
// are consistent: a read that starts after a write returned sees it.
package table

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
)

// Limits of an item and of one Write, those of DynamoDB.
const (
	MaxItemBytes  = 400 << 10
	MaxWriteOps   = 100
	MaxWriteBytes = 4 << 20
)

// Key names an item. Neither part may be empty.
type Key struct {
	Partition string
	Sort      string
}

// Item is one stored item.
type Item struct {
	Key
	// Version counts the writes of this item since it was created, from 1.
	// The table sets it; it is ignored in what is written.
	Version int64
	// Expires is when the item ends to exist, in whole seconds; zero means never.
	Expires time.Time
	Doc     json.RawMessage
}

// Condition says when a write may happen. The zero Condition is always met.
type Condition struct {
	absent  bool
	version int64
}

// Absent is met if there is no (unexpired) item.
func Absent() Condition { return Condition{absent: true} }

// VersionIs is met if the stored item has version n, n ≥ 1.
func VersionIs(n int64) Condition { return Condition{version: n} }

// Holds reports whether the condition is met by the stored item, nil if there is
// none. It is for adapters.
func (c Condition) Holds(stored *Item) bool {
	switch {
	case c.absent:
		return stored == nil
	case c.version != 0:
		return stored != nil && stored.Version == c.version
	}
	return true
}

// Parts returns the condition's parts, for adapters: absent, or the version
// wanted (0 = any).
func (c Condition) Parts() (absent bool, version int64) { return c.absent, c.version }

// FailedError is the fault.Conflict cause of a write whose condition was not met.
// Ask for it with errors.As.
type FailedError struct {
	Key Key
	// Stored is the item as it stands, nil if there is none.
	Stored *Item
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("condition failed on %s/%s", e.Key.Partition, e.Key.Sort)
}

// Conflict returns the error of a failed condition, for adapters.
func Conflict(key Key, stored *Item) error {
	return fault.Wrap(&FailedError{Key: key, Stored: stored}, fault.Conflict, "Someone else changed this at the same time. Load it again, then repeat your change.")
}

// Verb is what an Op does.
type Verb string

// What an Op can do.
const (
	Put    Verb = "put"
	Delete Verb = "delete"
	Check  Verb = "check" // nothing is written; only the condition counts
)

// Op is one part of a Write.
type Op struct {
	Verb Verb
	Item Item // for Delete and Check only its key counts
	If   Condition
}

// Range limits a Query to sort keys: those with the prefix, those ≥ From and
// those < To. Empty fields do not limit.
type Range struct {
	Prefix, From, To string
}

// Page is one answer of Query.
type Page struct {
	Items []Item
	// Next is the cursor to go on with, "" at the end. A page may hold fewer
	// items than the limit and still have a Next.
	Next string
}

// Table stores items. All methods may be called at once. An error is a
// fault.Conflict (a condition failed), Invalid (an item over MaxItemBytes, an
// empty key, more than MaxWriteOps or MaxWriteBytes, or a table that cannot be
// used), Transient or Throttled. After any other error than Conflict and Invalid
// the write may have happened.
type Table interface {
	// Get returns the item, or fault.NotFound if there is none or it expired.
	Get(ctx context.Context, key Key) (Item, error)
	// GetMany returns the items that exist, in any order; duplicate keys count once.
	GetMany(ctx context.Context, keys []Key) ([]Item, error)
	// Put writes the item if the condition holds and returns it with its new
	// version. A version goes up by one with each Put of a stored item; a new
	// item (also one whose expired predecessor is gone) starts at 1.
	Put(ctx context.Context, item Item, cond Condition) (Item, error)
	// PutMany writes items without conditions, in no order and not as one: after
	// an error any of them may be stored. Keys must differ.
	PutMany(ctx context.Context, items []Item) error
	// Delete removes the item if the condition holds. Deleting what is not there
	// without a condition is no error.
	Delete(ctx context.Context, key Key, cond Condition) error
	// Query returns the items of a partition in the order of their sort keys
	// (bytes), descending if said. limit ≤ 0 means 1,000. cursor is "" or a
	// Page's Next of the same query.
	Query(ctx context.Context, partition string, r Range, limit int, cursor string, descending bool) (Page, error)
	// Write does 1 to MaxWriteOps ops of at most MaxWriteBytes, all or nothing. The
	// keys of the ops differ.
	Write(ctx context.Context, ops []Op) error
}

// Load reads an item's document into v. It returns the item's version.
func Load(ctx context.Context, t Table, key Key, v any) (int64, error) {
	item, err := t.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(item.Doc, v); err != nil {
		return 0, fmt.Errorf("decode %s/%s: %w", key.Partition, key.Sort, err)
	}
	return item.Version, nil
}

// New returns an item with v as its document. It panics if v cannot be
// marshalled, which is a bug of the caller's type.
func New(key Key, v any) Item {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("table: marshal %s/%s: %v", key.Partition, key.Sort, err))
	}
	return Item{Key: key, Doc: doc}
}

// All yields a whole partition range, in order, by pages.
func All(ctx context.Context, t Table, partition string, r Range, visit func(Item) error) error {
	for cursor := ""; ; {
		page, err := t.Query(ctx, partition, r, 0, cursor, false)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := visit(item); err != nil {
				return err
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
