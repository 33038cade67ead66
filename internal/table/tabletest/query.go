package tabletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/table"
)

func testRanges(t *testing.T, s suite) {
	sorts := []string{"A", "a", "a#", "a#1", "a#10", "a#2", "a\xc3\xbc", "b", "b#1", "\xc3\xbc"}
	for i := range sorts { // stored backwards
		s.put(t, s.item(sorts[len(sorts)-1-i], `1`))
	}
	tests := []struct {
		name string
		r    table.Range
		want []string
	}{
		{"all", table.Range{}, sorts},
		{"prefix", table.Range{Prefix: "a#"}, []string{"a#", "a#1", "a#10", "a#2"}},
		{"prefix of several bytes a character", table.Range{Prefix: "\xc3\xbc"}, []string{"\xc3\xbc"}},
		{"prefix of nothing", table.Range{Prefix: "c"}, nil},
		{"from", table.Range{From: "a#2"}, []string{"a#2", "a\xc3\xbc", "b", "b#1", "\xc3\xbc"}},
		{"from between", table.Range{From: "a#11"}, []string{"a#2", "a\xc3\xbc", "b", "b#1", "\xc3\xbc"}},
		{"to", table.Range{To: "a#1"}, []string{"A", "a", "a#"}},
		{"from and to", table.Range{From: "a#", To: "b"}, []string{"a#", "a#1", "a#10", "a#2", "a\xc3\xbc"}},
		{"prefix and from", table.Range{Prefix: "a#", From: "a#10"}, []string{"a#10", "a#2"}},
		{"prefix and to", table.Range{Prefix: "a#", To: "a#2"}, []string{"a#", "a#1", "a#10"}},
		{"prefix and wider bounds", table.Range{Prefix: "a#", From: "A", To: "z"}, []string{"a#", "a#1", "a#10", "a#2"}},
		{"from after to", table.Range{From: "b", To: "a"}, nil},
		{"from is to", table.Range{From: "a", To: "a"}, nil},
		{"bounds outside of the prefix", table.Range{Prefix: "a#", From: "b"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, s.sorts(t, tt.r, 0, false), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("ascending (-want +got):\n%s", diff)
			}
			want := slices.Clone(tt.want)
			slices.Reverse(want)
			for limit := range 4 {
				if diff := cmp.Diff(want, s.sorts(t, tt.r, limit, true), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("descending by %d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
}

// sorts returns the sort keys of all pages.
func (s suite) sorts(t *testing.T, r table.Range, limit int, descending bool) []string {
	t.Helper()
	var sorts []string
	for cursor, pages := "", 0; ; pages++ {
		page, err := s.Query(t.Context(), s.partition, r, limit, cursor, descending)
		if err != nil {
			t.Fatalf("query: %v", err)
		}
		if limit > 0 && len(page.Items) > limit {
			t.Fatalf("page of %d items, limit %d", len(page.Items), limit)
		}
		for _, item := range page.Items {
			sorts = append(sorts, item.Sort)
		}
		if cursor = page.Next; cursor == "" {
			return sorts
		}
		if pages > 10_000 {
			t.Fatal("the query does not end")
		}
	}
}

func testPaging(t *testing.T, s suite) {
	const n = 1_203
	var (
		items []table.Item
		want  []string
	)
	for i := range n {
		item := s.item(fmt.Sprintf("%04d", i), `1`)
		if i%3 == 0 {
			item.Expires = time.Now().Add(-time.Hour)
		} else {
			want = append(want, item.Sort)
		}
		items = append(items, item)
	}
	if err := s.PutMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 50, 400, 401, 802, 803, 5000} {
		if diff := cmp.Diff(want, s.sorts(t, table.Range{}, limit, false)); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	for _, descending := range []bool{false, true} {
		tail := slices.Clone(want[len(want)-20:])
		if descending {
			slices.Reverse(tail)
		}
		if diff := cmp.Diff(tail, s.sorts(t, table.Range{From: want[len(want)-20]}, 1, descending)); diff != "" {
			t.Errorf("one by one, descending %v (-want +got):\n%s", descending, diff)
		}
	}
	page, err := s.Query(t.Context(), s.partition, table.Range{}, 10, "", false)
	if err != nil || page.Next == "" {
		t.Fatalf("first page: next %q, %v", page.Next, err)
	}
	s.put(t, s.item("0000a", `1`)) // before the cursor
	s.put(t, s.item("9999", `1`))  // behind it
	if err := s.Delete(t.Context(), s.key(page.Items[len(page.Items)-1].Sort), table.Condition{}); err != nil {
		t.Fatal(err)
	}
	next := want[len(page.Items)]
	page, err = s.Query(t.Context(), s.partition, table.Range{From: "0001"}, 3, page.Next, false)
	if err != nil || len(page.Items) == 0 || page.Items[0].Sort != next {
		t.Errorf("the page behind a deleted item starts with %v, %v; want %s", page.Items, err, next)
	}
	if got := s.sorts(t, table.Range{From: "0016"}, 100, false); got[0] != want[10] || got[len(got)-1] != "9999" {
		t.Errorf("from 0016: %s … %s", got[0], got[len(got)-1])
	}
}

func testLargePages(t *testing.T, s suite) {
	doc := `"` + strings.Repeat("x", 300<<10) + `"`
	var want []string
	for i := range 8 {
		want = append(want, fmt.Sprint(i))
		s.put(t, s.item(fmt.Sprint(i), doc))
	}
	page, err := s.Query(t.Context(), s.partition, table.Range{}, 0, "", false)
	if err != nil || len(page.Items) < 1 || len(page.Items) > 4 {
		t.Errorf("a page of %d items of 300 KB, %v; want about 1 MB", len(page.Items), err)
	}
	if diff := cmp.Diff(want, s.sorts(t, table.Range{}, 0, false)); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func testPartitions(t *testing.T, s suite) {
	other := func(partition, sort, doc string) {
		s.put(t, table.Item{Key: table.Key{Partition: partition, Sort: sort}, Doc: json.RawMessage(doc)})
	}
	s.put(t, s.item("b", `"mine"`))
	other(s.partition+"b", "b", `"longer"`)
	other(s.partition[:len(s.partition)-1], s.partition[len(s.partition)-1:]+"b", `"shorter"`)
	other(s.partition+"\x00", "b", `"zero"`)
	other(s.partition+"\xff", "b", `"last"`)
	s.want(t, map[string]string{"b": `"mine"`})
	if got := s.sorts(t, table.Range{}, 0, true); len(got) != 1 {
		t.Errorf("descending: %q", got)
	}
}

func testDocuments(t *testing.T, s suite) {
	for _, doc := range []string{`null`, `""`, `{"b":1,  "a":[1.0,1e3,"\u00fc ü 🙂 \u0000"]}`, `{"a":12345678901234567890.10}`} {
		item := s.item("doc", doc)
		s.put(t, item)
		got, err := s.Get(t.Context(), item.Key)
		if err != nil || !bytes.Equal(got.Doc, item.Doc) {
			t.Errorf("document %s, %v; want %s", got.Doc, err, doc)
		}
		got.Doc[0] = 'X' // what a reader does to its copy is its own business
		if again, err := s.Get(t.Context(), item.Key); err != nil || !bytes.Equal(again.Doc, item.Doc) {
			t.Errorf("document %s after its copy changed, %v; want %s", again.Doc, err, doc)
		}
	}
}
