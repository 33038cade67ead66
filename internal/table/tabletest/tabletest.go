// Package tabletest is the contract of table.Table as tests.
package tabletest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Run runs the contract on tables that open returns. They may share their
// storage: each test uses partitions of its own. Their clock is time.Now.
func Run(t *testing.T, open func(t *testing.T) table.Table) {
	tests := []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"what is put is read", testPutGet},
		{"versions count the puts", testVersions},
		{"a failed condition returns the stored item", testConditions},
		{"of 40 writers of one key one wins", testRace},
		{"counting up by compare-and-swap loses nothing", testCounter},
		{"writes at once are all or nothing", testWriteRace},
		{"expired items do not exist", testExpiry},
		{"a write is all or nothing", testWrite},
		{"a write refuses what it cannot do", testWriteLimits},
		{"items have a largest size", testSize},
		{"keys are not empty", testKeys},
		{"GetMany finds each item once", testGetMany},
		{"PutMany stores many items", testPutMany},
		{"a query returns its range in order", testRanges},
		{"a query goes on page by page", testPaging},
		{"a query ends its pages before they are too large", testLargePages},
		{"partitions do not mix", testPartitions},
		{"a document is kept byte by byte", testDocuments},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, suite{Table: open(t), partition: fmt.Sprintf("TEST#%d#%d", time.Now().UnixNano(), i)})
		})
	}
}

// suite is a table and a partition of it that nobody else uses.
type suite struct {
	table.Table
	partition string
}

func (s suite) key(sort string) table.Key { return table.Key{Partition: s.partition, Sort: sort} }

func (s suite) item(sort, doc string) table.Item {
	return table.Item{Key: s.key(sort), Doc: json.RawMessage(doc)}
}

// put stores an item without a condition.
func (s suite) put(t *testing.T, item table.Item) table.Item {
	t.Helper()
	stored, err := s.Put(t.Context(), item, table.Condition{})
	if err != nil {
		t.Fatalf("put %s: %v", item.Sort, err)
	}
	return stored
}

// want fails the test unless these are the documents of the partition, by sort
// key. :: sort key → document
func (s suite) want(t *testing.T, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := table.All(t.Context(), s, s.partition, table.Range{}, func(item table.Item) error {
		got[item.Sort] = string(item.Doc)
		return nil
	})
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("error %v, want a fault.%s", err, kind)
	}
}

// wantConflict fails the test unless err says that the condition on the key
// failed, and that the item stored is want (nil: none).
func wantConflict(t *testing.T, err error, key table.Key, want *table.Item) {
	t.Helper()
	failed, ok := errors.AsType[*table.FailedError](err)
	if !fault.Is(err, fault.Conflict) || !ok {
		t.Errorf("error %v, want a fault.Conflict with a FailedError", err)
		return
	}
	if diff := cmp.Diff(&table.FailedError{Key: key, Stored: want}, failed, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("conflict (-want +got):\n%s", diff)
	}
}

func testPutGet(t *testing.T, s suite) {
	_, err := s.Get(t.Context(), s.key("a"))
	wantKind(t, err, fault.NotFound)

	in := s.item("a", `{"n":1}`)
	in.Version = 99 // ignored
	want := s.item("a", `{"n":1}`)
	want.Version = 1
	if diff := cmp.Diff(want, s.put(t, in)); diff != "" {
		t.Errorf("put returned (-want +got):\n%s", diff)
	}
	got, err := s.Get(t.Context(), s.key("a"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("get: %v, item (-want +got):\n%s", err, diff)
	}
	if err := s.Delete(t.Context(), s.key("a"), table.Condition{}); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = s.Get(t.Context(), s.key("a"))
	wantKind(t, err, fault.NotFound)
	if err := s.Delete(t.Context(), s.key("a"), table.Condition{}); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}
}

func testVersions(t *testing.T, s suite) {
	for want := int64(1); want <= 3; want++ {
		if got := s.put(t, s.item("a", `1`)).Version; got != want {
			t.Errorf("put %d has version %d", want, got)
		}
	}
	err := s.Write(t.Context(), []table.Op{{Verb: table.Put, Item: s.item("a", `2`), If: table.VersionIs(3)}})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(t.Context(), []table.Op{{Verb: table.Check, Item: s.item("a", ``), If: table.VersionIs(4)}})
	if err != nil {
		t.Errorf("check of version 4: %v", err)
	}
	if got, err := s.Get(t.Context(), s.key("a")); err != nil || got.Version != 4 {
		t.Errorf("version %d after a check, %v; want 4", got.Version, err)
	}
	if err := s.Delete(t.Context(), s.key("a"), table.VersionIs(4)); err != nil {
		t.Fatal(err)
	}
	if got := s.put(t, s.item("a", `1`)).Version; got != 1 {
		t.Errorf("put after delete has version %d, want 1", got)
	}
}

func testConditions(t *testing.T, s suite) {
	stored := s.put(t, s.item("a", `"stored"`))
	stored.Expires = time.Time{}
	tests := []struct {
		name string
		sort string
		cond table.Condition
		want *table.Item // in the conflict
		met  bool
	}{
		{name: "absent, and it is there", sort: "a", cond: table.Absent(), want: &stored},
		{name: "a lower version", sort: "a", cond: table.VersionIs(2), want: &stored},
		{name: "a version of nothing", sort: "b", cond: table.VersionIs(1)},
		{name: "its version", sort: "a", cond: table.VersionIs(1), met: true},
		{name: "absent", sort: "b", cond: table.Absent(), met: true},
	}
	for _, tt := range tests {
		key := s.key(tt.sort)
		calls := map[string]func() error{
			"put": func() error {
				_, err := s.Put(t.Context(), s.item(tt.sort, `"new"`), tt.cond)
				return err
			},
			"delete": func() error { return s.Delete(t.Context(), key, tt.cond) },
		}
		for _, verb := range []table.Verb{table.Put, table.Delete, table.Check} {
			calls["write of "+string(verb)] = func() error {
				return s.Write(t.Context(), []table.Op{{Verb: verb, Item: s.item(tt.sort, `"new"`), If: tt.cond}})
			}
		}
		for name, call := range calls {
			if tt.met && name != "write of check" {
				continue // what a met condition writes is tested elsewhere
			}
			t.Run(tt.name+": "+name, func(t *testing.T) {
				err := call()
				if tt.met {
					if err != nil {
						t.Errorf("error %v", err)
					}
					return
				}
				wantConflict(t, err, key, tt.want)
				s.want(t, map[string]string{"a": `"stored"`})
			})
		}
	}
}

func testRace(t *testing.T, s suite) {
	const writers = 40
	var (
		group  sync.WaitGroup
		errs   [writers]error
		winner string
	)
	for i := range writers {
		group.Go(func() { _, errs[i] = s.Put(t.Context(), s.item("one", fmt.Sprint(i)), table.Absent()) })
	}
	group.Wait()
	for i, err := range errs {
		if err == nil {
			if winner != "" {
				t.Fatalf("writers %s and %d both won", winner, i)
			}
			winner = fmt.Sprint(i)
		}
	}
	want := s.item("one", winner)
	want.Version = 1
	for i, err := range errs {
		if fmt.Sprint(i) != winner {
			wantConflict(t, err, s.key("one"), &want)
		}
	}
	s.want(t, map[string]string{"one": winner})
}

func testCounter(t *testing.T, s suite) {
	const writers, each = 8, 5
	s.put(t, s.item("counter", `0`))
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				if err := countUp(t, s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	s.want(t, map[string]string{"counter": fmt.Sprint(writers * each)})
}

// countUp adds one to the counter, with what a conflict returns.
func countUp(t *testing.T, s suite) error {
	stored, err := s.Get(t.Context(), s.key("counter"))
	for err == nil {
		var n int
		if err := json.Unmarshal(stored.Doc, &n); err != nil {
			return err
		}
		_, err = s.Put(t.Context(), s.item("counter", fmt.Sprint(n+1)), table.VersionIs(stored.Version))
		failed, ok := errors.AsType[*table.FailedError](err)
		if err == nil || !ok {
			return err
		}
		stored, err = *failed.Stored, nil
	}
	return err
}

func testWriteRace(t *testing.T, s suite) {
	const writers = 20
	var (
		group sync.WaitGroup
		errs  [writers]error
	)
	for i := range writers { // each two neighbours want one item in common
		group.Go(func() {
			errs[i] = s.Write(t.Context(), []table.Op{
				{Verb: table.Put, Item: s.item(fmt.Sprintf("%02d", i), fmt.Sprint(i)), If: table.Absent()},
				{Verb: table.Put, Item: s.item(fmt.Sprintf("%02d", (i+1)%writers), fmt.Sprint(i)), If: table.Absent()},
			})
		})
	}
	group.Wait()
	want := map[string]string{}
	for i, err := range errs {
		switch {
		case err == nil:
			want[fmt.Sprintf("%02d", i)] = fmt.Sprint(i)
			want[fmt.Sprintf("%02d", (i+1)%writers)] = fmt.Sprint(i)
		case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Transient):
			t.Errorf("writer %d: %v", i, err)
		}
	}
	s.want(t, want)
}

func testExpiry(t *testing.T, s suite) {
	now := time.Now()
	past, future := now.Add(-time.Hour).Truncate(time.Second), now.Add(time.Hour).Truncate(time.Second)
	expired := func(sort string) {
		item := s.item(sort, `"old"`)
		item.Expires = past
		s.put(t, item)
	}
	for _, sort := range []string{"a", "b", "c", "d", "e"} {
		expired(sort)
	}
	alive := s.item("z", `"alive"`)
	alive.Expires = future.Add(time.Second - 1)
	if got := s.put(t, alive).Expires; !got.Equal(future) {
		t.Errorf("put returned that it expires %v, want whole seconds: %v", got, future)
	}

	if got, err := s.Get(t.Context(), s.key("z")); err != nil || !got.Expires.Equal(future) {
		t.Errorf("get: expires %v, %v; want %v", got.Expires, err, future)
	}
	_, err := s.Get(t.Context(), s.key("a"))
	wantKind(t, err, fault.NotFound)
	if got, err := s.GetMany(t.Context(), []table.Key{s.key("a"), s.key("z")}); err != nil || len(got) != 1 {
		t.Errorf("GetMany: %d items, %v; want the one alive", len(got), err)
	}
	s.want(t, map[string]string{"z": `"alive"`})

	_, err = s.Put(t.Context(), s.item("a", `"new"`), table.VersionIs(1))
	wantConflict(t, err, s.key("a"), nil)
	wantConflict(t, s.Delete(t.Context(), s.key("a"), table.VersionIs(1)), s.key("a"), nil)
	if got, err := s.Put(t.Context(), s.item("a", `"new"`), table.Absent()); err != nil || got.Version != 1 {
		t.Errorf("put over an expired item: version %d, %v; want 1", got.Version, err)
	}
	expired("b") // an expired item put again starts again
	if got := s.put(t, s.item("b", `"new"`)).Version; got != 1 {
		t.Errorf("put over an expired item: version %d, want 1", got)
	}
	err = s.Write(t.Context(), []table.Op{
		{Verb: table.Check, Item: s.item("c", ``), If: table.Absent()},
		{Verb: table.Put, Item: s.item("d", `"new"`), If: table.Absent()},
		{Verb: table.Delete, Item: s.item("e", ``), If: table.Absent()},
	})
	if err != nil {
		t.Errorf("write where expired items are absent: %v", err)
	}
	s.want(t, map[string]string{"a": `"new"`, "b": `"new"`, "d": `"new"`, "z": `"alive"`})
}

func testWrite(t *testing.T, s suite) {
	one := s.put(t, s.item("one", `1`))
	s.put(t, s.item("two", `2`))
	good := []table.Op{
		{Verb: table.Put, Item: s.item("new", `"new"`), If: table.Absent()},
		{Verb: table.Put, Item: s.item("one", `"changed"`), If: table.VersionIs(1)},
		{Verb: table.Delete, Item: s.item("two", ``), If: table.VersionIs(1)},
		{Verb: table.Check, Item: s.item("none", ``), If: table.Absent()},
	}
	tests := []struct {
		name string
		op   table.Op
		want *table.Item
	}{
		{"put", table.Op{Verb: table.Put, Item: s.item("one", `"bad"`), If: table.Absent()}, &one},
		{"delete", table.Op{Verb: table.Delete, Item: s.item("one", ``), If: table.VersionIs(7)}, &one},
		{"check", table.Op{Verb: table.Check, Item: s.item("one", ``), If: table.VersionIs(7)}, &one},
		{"check of nothing", table.Op{Verb: table.Check, Item: s.item("nothing", ``), If: table.VersionIs(1)}, nil},
	}
	for _, tt := range tests {
		for at := range 4 { // the bad op at each place
			ops := slices.DeleteFunc(slices.Clone(good), func(op table.Op) bool { return op.Item.Key == tt.op.Item.Key })
			ops = slices.Insert(ops, min(at, len(ops)), tt.op)
			wantConflict(t, s.Write(t.Context(), ops), tt.op.Item.Key, tt.want)
			s.want(t, map[string]string{"one": `1`, "two": `2`})
		}
	}
	if err := s.Write(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	s.want(t, map[string]string{"one": `"changed"`, "new": `"new"`})
}

func testWriteLimits(t *testing.T, s suite) {
	var ops []table.Op
	for i := range table.MaxWriteOps {
		ops = append(ops, table.Op{Verb: table.Put, Item: s.item(fmt.Sprintf("%03d", i), `1`)})
	}
	more := append(slices.Clone(ops), table.Op{Verb: table.Put, Item: s.item("more", `1`)})
	wantKind(t, s.Write(t.Context(), more), fault.Invalid)
	wantKind(t, s.Write(t.Context(), nil), fault.Invalid)
	wantKind(t, s.Write(t.Context(), []table.Op{ops[0], {Verb: table.Check, Item: ops[0].Item}}), fault.Invalid)
	wantKind(t, s.Write(t.Context(), []table.Op{ops[0], {Verb: "guess", Item: s.item("a", `1`)}}), fault.Invalid)
	s.want(t, map[string]string{})
	if err := s.Write(t.Context(), ops); err != nil {
		t.Errorf("write of %d ops: %v", len(ops), err)
	}
}

func testSize(t *testing.T, s suite) {
	doc := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	const fits = table.MaxItemBytes - 4096 // the rest is for keys and names
	large := s.item("large", doc(table.MaxItemBytes+1))
	_, err := s.Put(t.Context(), large, table.Condition{})
	wantKind(t, err, fault.Invalid)
	wantKind(t, s.PutMany(t.Context(), []table.Item{large}), fault.Invalid)
	wantKind(t, s.Write(t.Context(), []table.Op{{Verb: table.Put, Item: s.item("small", `1`)}, {Verb: table.Put, Item: large}}), fault.Invalid)
	s.want(t, map[string]string{})
	s.put(t, s.item("fits", doc(fits)))
	s.want(t, map[string]string{"fits": doc(fits)})
}

func testKeys(t *testing.T, s suite) {
	for _, key := range []table.Key{{}, {Partition: s.partition}, {Sort: "a"}} {
		item := table.Item{Key: key, Doc: json.RawMessage(`1`)}
		_, err := s.Get(t.Context(), key)
		wantKind(t, err, fault.Invalid)
		_, err = s.GetMany(t.Context(), []table.Key{key})
		wantKind(t, err, fault.Invalid)
		_, err = s.Put(t.Context(), item, table.Condition{})
		wantKind(t, err, fault.Invalid)
		wantKind(t, s.PutMany(t.Context(), []table.Item{item}), fault.Invalid)
		wantKind(t, s.Delete(t.Context(), key, table.Condition{}), fault.Invalid)
		for _, verb := range []table.Verb{table.Put, table.Delete, table.Check} {
			wantKind(t, s.Write(t.Context(), []table.Op{{Verb: verb, Item: item}}), fault.Invalid)
		}
	}
	_, err := s.Query(t.Context(), "", table.Range{}, 0, "", false)
	wantKind(t, err, fault.Invalid)
}

func testGetMany(t *testing.T, s suite) {
	if got, err := s.GetMany(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no keys: %d items, %v", len(got), err)
	}
	const n = 250
	var (
		keys []table.Key
		want []string
	)
	for i := range n {
		sort := fmt.Sprintf("%03d", i)
		if got := s.put(t, s.item(sort, `"`+sort+`"`)).Version; got != 1 {
			t.Errorf("put of %s has version %d, want 1", sort, got)
		}
		keys = append(keys, s.key(sort), s.key("none"+sort), s.key(sort))
		want = append(want, sort+` "`+sort+`" 1`)
	}
	items, err := s.GetMany(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, item := range items {
		got = append(got, fmt.Sprintf("%s %s %d", item.Sort, item.Doc, item.Version))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func testPutMany(t *testing.T, s suite) {
	if err := s.PutMany(t.Context(), nil); err != nil {
		t.Errorf("no items: %v", err)
	}
	const n = 310
	s.put(t, s.item("007", `"old"`))
	var items []table.Item
	want := map[string]string{}
	for i := range n {
		sort := fmt.Sprintf("%03d", i)
		items, want[sort] = append(items, s.item(sort, fmt.Sprint(i))), fmt.Sprint(i)
	}
	if err := s.PutMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	s.want(t, want)
	if got, err := s.Get(t.Context(), s.key("300")); err != nil || got.Version != 1 {
		t.Errorf("a new item has version %d, %v; want 1", got.Version, err)
	}
	wantKind(t, s.PutMany(t.Context(), []table.Item{s.item("x", `1`), s.item("x", `2`)}), fault.Invalid)
}
