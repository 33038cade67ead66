package delta_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/table"
)

func TestPrintsThatWereStoredOneByOneAreMovedToPages(t *testing.T) {
	s := newStore(t)
	want := map[string]delta.Print{}
	for i := range 300 {
		id := fmt.Sprint(5000 + i)
		key := table.Key{Partition: fmt.Sprintf("PRINT#j1#%02x", i%64), Sort: id}
		doc := fmt.Sprintf(`{"hash":"di7jLDg31sBoJViLFp8R","version":5,"gsid":"G%s","run":"r1","outcome":"updated"}`, id)
		if i == 7 {
			doc = `{"hash":"di7jLDg31sBoJViLFp8R-leaver","run":"r1","outcome":"updated"}`
		}
		if _, err := s.Table.Put(t.Context(), table.Item{Key: key, Doc: json.RawMessage(doc)}, table.Absent()); err != nil {
			t.Fatal(err)
		}
		want[id] = delta.Print{Hash: "di7jLDg31sBo", Version: 5, GSID: "G" + id, Run: "r1", Outcome: "updated", Stored: 1}
	}
	want["5007"] = delta.Print{Hash: "di7jLDg31sBo-leaver", Run: "r1", Outcome: "updated", Stored: 1}
	newer := delta.Print{Hash: "newer", Run: "r2", Outcome: "updated"}
	if err := s.Book("j1").Put(t.Context(), map[string]*delta.Print{"5100": &newer}); err != nil {
		t.Fatal(err)
	}
	newer.Stored = 1
	want["5100"] = newer
	calls := 0
	for more := true; more; {
		var err error
		turns := 0
		more, err = s.Adopt(t.Context(), "j1", func(context.Context) bool { turns++; return turns > 20 })
		if calls++; err != nil || calls > 20 {
			t.Fatalf("%v after %d calls", err, calls)
		}
	}
	if calls < 3 {
		t.Errorf("done in %d calls, want one to stop when its time is over", calls)
	}
	got := map[string]delta.Print{}
	if err := s.Each(t.Context(), "j1", func(id string, p delta.Print) error { got[id] = p; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prints (-want +got):\n%s", diff)
	}
	for i := range 64 {
		if left, err := s.Table.Query(t.Context(), fmt.Sprintf("PRINT#j1#%02x", i), table.Range{}, 0, "", false); err != nil || len(left.Items) > 0 {
			t.Errorf("partition %02x still has %d prints, %v", i, len(left.Items), err)
		}
	}
	none := &delta.Store{Table: countedQueries{s.Table, t}}
	if more, err := none.Adopt(t.Context(), "j1", func(context.Context) bool { return false }); more || err != nil {
		t.Errorf("a second time: %v, %v", more, err)
	}
}

// countedQueries fails its test when something is listed.
type countedQueries struct {
	table.Table
	t *testing.T
}

func (c countedQueries) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	c.t.Errorf("%s was listed again", partition)
	return c.Table.Query(ctx, partition, r, limit, cursor, descending)
}
