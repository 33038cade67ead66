package doctor_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

// counted counts reads.
type counted struct {
	table.Table
	reads int
}

func (c *counted) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.reads++
	return c.Table.Get(ctx, key)
}

func items(t *testing.T) *counted {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return &counted{Table: items}
}

func TestWhatWasFoundIsReadOnceInFiveMinutes(t *testing.T) {
	table, now := items(t), time.Now()
	reader := &doctor.Store{Table: table, Now: func() time.Time { return now }}
	exact := func() bool {
		t.Helper()
		d, err := reader.Gainsight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d.Exact
	}
	if exact() {
		t.Error("found without an examination")
	}
	other := &doctor.Store{Table: table}
	if err := other.SaveGainsight(t.Context(), "https://a.test", gainsight.Dialect{Exact: true}); err != nil {
		t.Fatal(err)
	}
	table.reads = 0
	now = now.Add(4 * time.Minute)
	if exact() || table.reads != 0 {
		t.Errorf("read again after 4 minutes, %d reads", table.reads)
	}
	now = now.Add(2 * time.Minute)
	if first, second := exact(), exact(); !first || !second || table.reads != 1 {
		t.Errorf("not taken up after 6 minutes, %d reads", table.reads)
	}
}

func TestBothVendorsAreKept(t *testing.T) {
	table := items(t)
	s := &doctor.Store{Table: table}
	if err := s.SaveHubSpot(t.Context(), hubspot.Dialect{SilentlyEmpty: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveGainsight(t.Context(), "https://a.test", gainsight.Dialect{PageRows: 1000}); err != nil {
		t.Fatal(err)
	}
	fresh := &doctor.Store{Table: table}
	h, errH := fresh.HubSpot(t.Context())
	g, errG := fresh.Gainsight(t.Context())
	if errH != nil || errG != nil || !h.SilentlyEmpty || g.PageRows != 1000 {
		t.Errorf("%+v %v, %+v %v", h, errH, g, errG)
	}
}

func TestWhatWasFoundAtAnotherOrganisationDoesNotCount(t *testing.T) {
	origin := "https://a.test"
	s := &doctor.Store{Table: items(t), Origin: func(context.Context) (string, error) { return origin, nil }}
	if err := s.SaveGainsight(t.Context(), origin, gainsight.Dialect{Exact: true}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		origin string
		exact  bool
	}{{"https://a.test", true}, {"https://b.test", false}, {"https://a.test", true}} {
		origin = tt.origin
		if d, err := s.Gainsight(t.Context()); err != nil || d.Exact != tt.exact {
			t.Errorf("%s: %+v, %v", origin, d, err)
		}
	}
}

// The form of the stored item is that of the first version.
func TestTheStoredItemIsReadAsItWasWritten(t *testing.T) {
	const stored = `{"origin":"https://a.test","gainsight":{"tokenBody":"empty","describeByPost":true,"names":{"company":"Company"},"pageRows":1000,
		"inValues":25,"exact":true,"dateTime":"colon","date":"epoch","itemsAsList":true},"hubspot":{"silentlyEmpty":true},"later":1}`
	items := items(t)
	key := table.Key{Partition: "SETTING", Sort: "found"}
	if _, err := items.Put(t.Context(), table.Item{Key: key, Doc: json.RawMessage(stored)}, table.Condition{}); err != nil {
		t.Fatal(err)
	}
	got, err := (&doctor.Store{Table: items}).Gainsight(t.Context())
	want := gainsight.Dialect{
		TokenBody: gainsight.TokenEmpty, DescribeByPost: true, Names: map[string]string{"company": "Company"}, PageRows: 1000, InValues: 25,
		Exact: true, DateTime: gainsight.TimeColon, Date: gainsight.TimeEpoch, ItemsAsList: true,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
