package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
)

// counted counts the reads of a table, and fails the first if told to.
type counted struct {
	table.Table
	gets int
	fail error
}

func (c *counted) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.gets++
	if err := c.fail; err != nil {
		c.fail = nil
		return table.Item{}, err
	}
	return c.Table.Get(ctx, key)
}

func open(t *testing.T) *bolttable.Table {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return items
}

func TestAGuardedTableKeepsTheContract(t *testing.T) {
	items := open(t)
	tabletest.Run(t, func(*testing.T) table.Table { return table.Guard(items) })
}

// uses are all that a table can do. :: name → use
func uses(ctx context.Context, t table.Table) map[string]func() error {
	key := table.Key{Partition: "P", Sort: "a"}
	item := table.New(key, 1)
	return map[string]func() error{
		"Get":     func() error { _, err := t.Get(ctx, key); return err },
		"GetMany": func() error { _, err := t.GetMany(ctx, []table.Key{key}); return err },
		"Put":     func() error { _, err := t.Put(ctx, item, table.Condition{}); return err },
		"PutMany": func() error { return t.PutMany(ctx, []table.Item{item}) },
		"Delete":  func() error { return t.Delete(ctx, key, table.Condition{}) },
		"Query":   func() error { _, err := t.Query(ctx, "P", table.Range{}, 0, "", false); return err },
		"Write":   func() error { return t.Write(ctx, []table.Op{{Verb: table.Put, Item: item}}) },
	}
}

func TestATableOfANewerVersionIsNotUsed(t *testing.T) {
	for format, refused := range map[int]bool{table.Format: false, table.Format + 1: true} {
		items := open(t)
		stored, err := items.Put(t.Context(), table.New(table.FormatKey(), table.FormatDoc{Format: format}), table.Absent())
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"format":%d}`, format); string(stored.Doc) != want {
			t.Errorf("the format is stored as %s, want %s", stored.Doc, want)
		}
		for name, use := range uses(t.Context(), table.Guard(items)) {
			err := use()
			if got := fault.Is(err, fault.Invalid); got != refused {
				t.Errorf("format %d, %s: %v; want it refused: %t", format, name, err, refused)
			}
			want := "The stored data was written by a newer version of the connector (format 2, and this version knows 1): " +
				"install the newer version again, or restore a backup from before it."
			if refused && fault.MessageOf(err) != want {
				t.Errorf("%s says %q", name, fault.MessageOf(err))
			}
		}
		if _, err := items.Get(t.Context(), table.Key{Partition: "P", Sort: "a"}); refused && !fault.Is(err, fault.NotFound) {
			t.Errorf("a refused use wrote: %v", err)
		}
	}
}

func TestTheFormatIsReadOnceAndAgainAfterAFailure(t *testing.T) {
	down := fault.New(fault.Transient, "Down.")
	c := &counted{Table: open(t), fail: down}
	g := table.Guard(c)
	if err := g.PutMany(t.Context(), nil); !errors.Is(err, down) {
		t.Errorf("first use: %v, want %v", err, down)
	}
	for range 3 {
		if err := g.PutMany(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if c.gets != 2 {
		t.Errorf("the format was read %d times, want 2", c.gets)
	}
}

func TestOneWriteHasALargestSize(t *testing.T) {
	doc := `"` + strings.Repeat("x", 399<<10) + `"`
	var ops []table.Op
	for i := range 11 {
		ops = append(ops, table.Op{Verb: table.Put, Item: table.Item{Key: table.Key{Partition: "P", Sort: fmt.Sprint(i)}, Doc: json.RawMessage(doc)}})
	}
	if err := table.CheckOps(ops[:10]); err != nil {
		t.Errorf("4 MB: %v", err)
	}
	want := "This is too large to be stored in one piece: 4390 KB of at most 4096 KB."
	if err := table.CheckOps(ops); !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != want {
		t.Errorf("more than 4 MB: %v", err)
	}
}
