package preview_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"hubspotconnector/internal/preview"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
)

func below(t *testing.T) table.Table {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return items
}

func TestOverlay(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) table.Table { return preview.NewOverlay(below(t)) })
}

func TestTheOverlayShowsWhatIsKnownAndWritesNothingBelow(t *testing.T) {
	real := below(t)
	key := table.Key{Partition: "PRINT#job#01", Sort: "1"}
	if _, err := real.Put(t.Context(), table.Item{Key: key, Doc: json.RawMessage(`"real"`)}, table.Absent()); err != nil {
		t.Fatal(err)
	}
	over := preview.NewOverlay(real)
	seen, err := over.Get(t.Context(), key)
	if err != nil || string(seen.Doc) != `"real"` {
		t.Fatalf("%s, %v", seen.Doc, err)
	}
	if err := over.Write(t.Context(), []table.Op{{Verb: table.Put, Item: table.Item{Key: key, Doc: json.RawMessage(`"new"`)}, If: table.VersionIs(seen.Version)}}); err != nil {
		t.Fatal(err)
	}
	if seen, err = over.Get(t.Context(), key); err != nil || string(seen.Doc) != `"new"` {
		t.Errorf("after a write: %s, %v", seen.Doc, err)
	}
	if err := over.Delete(t.Context(), key, table.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err = over.Get(t.Context(), key); err == nil {
		t.Error("a deleted item comes back")
	}
	if page, err := over.Query(t.Context(), key.Partition, table.Range{}, 0, "", false); err != nil || len(page.Items) != 0 {
		t.Errorf("a deleted item is listed: %v, %v", page, err)
	}
	if page, err := preview.NewOverlay(real).Query(t.Context(), key.Partition, table.Range{To: "2"}, 1, "", true); err != nil || len(page.Items) != 1 {
		t.Errorf("%v, %v, want the real item", page, err)
	}
	if still, err := real.Get(t.Context(), key); err != nil || string(still.Doc) != `"real"` || still.Version != 1 {
		t.Errorf("below: %s version %d, %v", still.Doc, still.Version, err)
	}
	lease := table.Key{Partition: "LEASE#job#changes", Sort: "lease"}
	if _, err := real.Put(t.Context(), table.Item{Key: lease, Doc: json.RawMessage(`1`)}, table.Absent()); err != nil {
		t.Fatal(err)
	}
	if _, err := over.Get(t.Context(), lease); err == nil {
		t.Error("leases of real runs are seen")
	}
}
