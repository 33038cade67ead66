package tabletest_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
)

func open(t *testing.T) *tabletest.Meter {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return &tabletest.Meter{Table: items}
}

// item is of n bytes: 48 beside its document.
func item(sort string, n int) table.Item {
	return table.Item{Key: table.Key{Partition: "P", Sort: sort}, Doc: json.RawMessage(`"` + strings.Repeat("x", n-50) + `"`)}
}

func TestAMeteredTableKeepsTheContract(t *testing.T) {
	m := open(t)
	tabletest.Run(t, func(*testing.T) table.Table { return m })
}

func TestUnitsAreCountedAsDynamoDBDoes(t *testing.T) {
	key := func(sort string) table.Key { return table.Key{Partition: "P", Sort: sort} }
	put := func(sort string, n int) func(context.Context, table.Table) error {
		return func(ctx context.Context, t table.Table) error {
			_, err := t.Put(ctx, item(sort, n), table.Condition{})
			return err
		}
	}
	steps := []struct {
		name          string
		use           func(ctx context.Context, t table.Table) error
		reads, writes int64
	}{
		{"a new item of 1 KB", put("a", 1024), 0, 1},
		{"a byte more", put("b", 1025), 0, 2},
		{"a small one over a large one", put("b", 100), 0, 2},
		{"a large one over a small one", put("b", 4097), 0, 5},
		{"three at once", func(ctx context.Context, t table.Table) error {
			return t.PutMany(ctx, []table.Item{item("c", 100), item("d", 1024), item("e", 1025)})
		}, 0, 4},
		{"a failed condition", func(ctx context.Context, t table.Table) error {
			_, _ = t.Put(ctx, item("b", 100), table.Absent())
			return nil
		}, 0, 5},
		{"reading 4 KB and a byte", func(ctx context.Context, t table.Table) error { _, err := t.Get(ctx, key("b")); return err }, 2, 0},
		{"reading nothing", func(ctx context.Context, t table.Table) error { _, _ = t.Get(ctx, key("z")); return nil }, 1, 0},
		{"reading many, one twice and one that is not there", func(ctx context.Context, t table.Table) error {
			_, err := t.GetMany(ctx, []table.Key{key("a"), key("b"), key("a"), key("z")})
			return err
		}, 4, 0},
		{"a query of 7.3 KB", func(ctx context.Context, t table.Table) error {
			_, err := t.Query(ctx, "P", table.Range{}, 0, "", false)
			return err
		}, 2, 0},
		{"a query of nothing", func(ctx context.Context, t table.Table) error {
			_, err := t.Query(ctx, "none", table.Range{}, 0, "", false)
			return err
		}, 1, 0},
		{"a write of three, each twice", func(ctx context.Context, t table.Table) error {
			return t.Write(ctx, []table.Op{
				{Verb: table.Put, Item: item("f", 1025)}, {Verb: table.Check, Item: item("z", 100), If: table.Absent()}, {Verb: table.Delete, Item: item("b", 100)},
			})
		}, 0, 16},
		{"deleting 1 KB and a byte", func(ctx context.Context, t table.Table) error { return t.Delete(ctx, key("e"), table.Condition{}) }, 0, 2},
		{"deleting nothing", func(ctx context.Context, t table.Table) error { return t.Delete(ctx, key("e"), table.Condition{}) }, 0, 1},
	}
	m := open(t)
	for _, step := range steps {
		readsBefore, writesBefore := m.Units()
		if err := step.use(t.Context(), m); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		reads, writes := m.Units()
		if reads, writes = reads-readsBefore, writes-writesBefore; reads != step.reads || writes != step.writes {
			t.Errorf("%s: %d read and %d write units, want %d and %d", step.name, reads, writes, step.reads, step.writes)
		}
	}
}
