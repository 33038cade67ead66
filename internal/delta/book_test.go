package delta_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
)

// gsid is as random as those of Gainsight: 18 characters that all rows of an object
// share, and 18 others.
func gsid(r *rand.Rand) string {
	b := []byte("1P02ABCDEFGHIJKLMN")
	for range 18 {
		b = append(b, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[r.IntN(36)])
	}
	return string(b)
}

func delivered(r *rand.Rand) *delta.Print {
	version := 1_764_000_000_000 + r.Int64N(30*86400_000)
	return &delta.Print{
		Hash: strings.ReplaceAll(fmt.Sprintf("%012x", r.Uint64N(1<<48)), "0", "Z"), Version: version, Seen: version, Read: 1_764_100_000_000,
		GSID: gsid(r), Filled: []string{"HubSpot_Account_ID_1__gc", "Name"}, Run: "01J00000000000000000000001", Outcome: run.Inserted,
	}
}

// fill stores so many prints in stretches, as a first load does, and returns their ids.
func fill(t testing.TB, s *delta.Store, n, stretch int) []string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	ids, id := make([]string, n), int64(48_293_848_234)
	for i := range ids {
		id += 1 + r.Int64N(90)
		ids[i] = strconv.FormatInt(id, 10)
	}
	book := s.Book("j1")
	for some := range slices.Chunk(ids, stretch) {
		for _, sending := range []bool{true, false} {
			known, err := book.Prints(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			prints := map[string]*delta.Print{}
			for _, id := range some {
				p := known[id]
				if p.Sending = "01J00000000000000000000001"; !sending {
					p = *delivered(r)
					p.Stored = known[id].Stored
				}
				prints[id] = &p
			}
			if err := book.Put(t.Context(), prints); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ids
}

// A million prints are to cost some cents: a write unit is 1 KB of an item.
func TestPrintsOfAFirstLoadTakeFewUnits(t *testing.T) {
	for _, stretch := range []int{95, 384} {
		s := newStore(t)
		meter := &tabletest.Meter{Table: s.Table}
		s.Table = meter
		const n = 8000
		ids := fill(t, s, n, stretch)
		reads, writes := meter.Units()
		t.Log(stretch, reads, writes)
		if reads > n/20 || writes > n/8 {
			t.Errorf("in stretches of %d, %d prints took %d read units and %d write units", stretch, n, reads, writes)
		}
		if _, err := s.Prints(t.Context(), "j1", ids[:4000]); err != nil {
			t.Fatal(err)
		}
		if after, _ := meter.Units(); after-reads > 4000/25 {
			t.Errorf("reading 4,000 prints took %d units", after-reads)
		}
	}
}

func TestPrintsOfNumbersComeInTheirOrder(t *testing.T) {
	s := newStore(t)
	ids := fill(t, s, 1000, 95)
	got := []string{}
	err := s.Each(t.Context(), "j1", func(id string, _ delta.Print) error {
		got = append(got, id)
		return nil
	})
	if diff := cmp.Diff(ids, got); err != nil || diff != "" {
		t.Errorf("%v, ids (-want +got):\n%s", err, diff)
	}
	stop := errors.New("stop")
	n := 0
	if err := s.Each(t.Context(), "j1", func(string, delta.Print) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%d visits, %v; want an end after the first", n, err)
	}
}

// A record that is forgotten leaves nothing of its id, also if its page began with it.
func TestNothingIsLeftOfARecordThatIsForgotten(t *testing.T) {
	s := newStore(t)
	ids := fill(t, s, 500, 95)
	prints := map[string]*delta.Print{}
	for _, id := range ids {
		prints[id] = nil
	}
	if err := s.Book("j1").Put(t.Context(), prints); err != nil {
		t.Fatal(err)
	}
	items := 0
	err := table.All(t.Context(), s.Table, "PRINT#j1", table.Range{}, func(item table.Item) error {
		items++
		for _, id := range ids {
			if strings.Contains(item.Sort+string(item.Doc), id) {
				t.Errorf("%s %s holds the id %s", item.Sort, item.Doc, id)
			}
		}
		return nil
	})
	known, readErr := s.Prints(t.Context(), "j1", ids)
	if err != nil || readErr != nil || items < 5 || len(known) != 0 {
		t.Errorf("%d pages, %d prints, %v, %v; want empty pages", items, len(known), err, readErr)
	}
}

// listed counts what is listed.
type listed struct {
	table.Table
	queries atomic.Int64
}

func (l *listed) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	l.queries.Add(1)
	return l.Table.Query(ctx, partition, r, limit, cursor, descending)
}

// Records that changed here and there have a page each, of which a book remembers some
// only: all of them would take more memory than a step has.
func TestABookRemembersSomePages(t *testing.T) {
	s := newStore(t)
	ids := fill(t, s, 64*420, 640)
	l := &listed{Table: s.Table}
	book := (&delta.Store{Table: l}).Book("j1")
	some := func(from, to int) (sparse []string) {
		for page := from; page < to; page++ {
			sparse = append(sparse, ids[64*page])
		}
		return sparse
	}
	read := func(sparse []string) int64 {
		before := l.queries.Load()
		if known, err := book.Prints(t.Context(), sparse); err != nil || len(known) != len(sparse) {
			t.Fatalf("%d prints, %v, want %d", len(known), err, len(sparse))
		}
		return l.queries.Load() - before
	}
	first := read(some(0, 100))
	if again := read(some(0, 100)); first < 90 || again != 0 {
		t.Errorf("%d pages were read, and %d of them again", first, again)
	}
	for from := 100; from < 420; from += 80 {
		read(some(from, from+80))
	}
	known, err := book.Prints(t.Context(), some(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if again := read(some(0, 100)); again < 90 {
		t.Errorf("only %d of the first pages are read again, so that 420 are remembered", again)
	}
	p := known[ids[0]]
	p.Hash = "changed"
	if err := book.Put(t.Context(), map[string]*delta.Print{ids[0]: &p}); err != nil {
		t.Error(err)
	}
}

// meddled lets another one write while a book reads: before it reads behind a place,
// once it has read what lies between two pages.
type meddled struct {
	table.Table
	behind string
	meddle func()
	read   chan struct{}

	once, seen sync.Once
}

func (m *meddled) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	if descending && r.To > m.behind {
		<-m.read
		m.once.Do(m.meddle)
	}
	page, err := m.Table.Query(ctx, partition, r, limit, cursor, descending)
	if !descending {
		m.seen.Do(func() { close(m.read) })
	}
	return page, err
}

// What one reader has read may be divided by somebody else before the next one reads.
func TestPagesThatAreDividedWhileTheyAreReadAreReadAgain(t *testing.T) {
	s := newStore(t)
	ids := fill(t, s, 64, 64)
	sources, others := ids[:1], map[string]*delta.Print{}
	for i := range 400 {
		id := strconv.Itoa(90_000_000_000 + 1000*i)
		if others[id] = (&delta.Print{Hash: id}); i%10 == 5 {
			sources = append(sources, strconv.Itoa(90_000_000_000+1000*i))
		}
	}
	m := &meddled{Table: s.Table, behind: "119000035", read: make(chan struct{}), meddle: func() {
		if err := s.Book("j1").Put(t.Context(), others); err != nil {
			t.Error(err)
		}
	}}
	known, err := (&delta.Store{Table: m}).Book("j1").Prints(t.Context(), sources)
	if err != nil || known[ids[0]].GSID == "" {
		t.Errorf("%d prints, %v", len(known), err)
	}
}

// filled always has a page where another one ends.
type filled struct{ table.Table }

func (f filled) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	if !descending {
		return table.Page{Items: []table.Item{{Key: table.Key{Partition: partition, Sort: r.From}}}}, nil
	}
	return f.Table.Query(ctx, partition, r, limit, cursor, descending)
}

func TestPagesThatChangeAllTheTimeAreTriedAgainLater(t *testing.T) {
	s := newStore(t)
	fill(t, s, 64, 64)
	if _, err := (&delta.Store{Table: filled{s.Table}}).Prints(t.Context(), "j1", []string{"99999999999"}); !fault.Is(err, fault.Transient) {
		t.Errorf("err = %v, want Transient", err)
	}
}

// shaky loses a write, or its answer, when it is told to.
type shaky struct {
	table.Table
	lose func() (before, after bool)
}

var errLost = fault.New(fault.Transient, "lost")

func (s shaky) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	before, after := s.lose()
	if before {
		return table.Item{}, errLost
	}
	item, err := s.Table.Put(ctx, item, cond)
	if after && err == nil {
		err = errLost
	}
	return item, err
}

func (s shaky) Write(ctx context.Context, ops []table.Op) error {
	before, after := s.lose()
	if before {
		return errLost
	}
	err := s.Table.Write(ctx, ops)
	if after && err == nil {
		err = errLost
	}
	return err
}

// Whatever is stored in whatever order, by books that have read before others wrote,
// with writes that are lost: a print is what was stored last, and nobody overwrites
// what he has not seen.
func TestBooksKeepEveryPrint(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		items, err := bolttable.Open(filepath.Join(dir, fmt.Sprint(n)), bolttable.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = items.Close() }()
		var mu sync.Mutex
		losses := rapid.SliceOfN(rapid.IntRange(0, 19), 1, 20).Draw(t, "losses")
		calls := 0
		s := &delta.Store{Table: shaky{items, func() (bool, bool) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			l := losses[calls%len(losses)]
			return l == 1, l == 2
		}}}
		books := []*delta.Book{s.Book("j1"), s.Book("j1")}
		model := map[string]delta.Print{} // Hash says which
		value := 0
		for range rapid.IntRange(1, 9).Draw(t, "puts") {
			from := rapid.IntRange(0, 1200).Draw(t, "from")
			step := rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "step")
			ids := []string{}
			for i := range rapid.IntRange(1, 160).Draw(t, "records") {
				ids = append(ids, strconv.Itoa(from+i*step))
			}
			book := books[rapid.IntRange(0, 1).Draw(t, "book")]
			known, err := book.Prints(t.Context(), ids)
			if err != nil {
				t.Fatal(err)
			}
			size := rapid.SampledFrom([]int{0, 0, 300}).Draw(t, "size")
			prints, stale := map[string]*delta.Print{}, false
			for i, id := range ids {
				stale = stale || known[id].Stored != model[id].Stored
				value++
				p := known[id]
				p.Hash, p.Reason = fmt.Sprint(value), strings.Repeat(strconv.Itoa(i*7919), size/5)
				if prints[id] = &p; rapid.IntRange(0, 29).Draw(t, "forget") == 0 {
					prints[id] = nil
				}
			}
			err = book.Put(t.Context(), prints)
			checkPut(t, items, model, prints, err, stale)
		}
	})
}

// checkPut compares what is stored with the model after a Put, and brings the model up.
func checkPut(t *rapid.T, items table.Table, model map[string]delta.Print, prints map[string]*delta.Print, err error, stale bool) {
	if err != nil && !errors.Is(err, errLost) && (!stale || !fault.Is(err, fault.Conflict)) {
		t.Fatalf("put: %v, stale %v", err, stale)
	}
	got := map[string]delta.Print{}
	if err := (&delta.Store{Table: items}).Each(t.Context(), "j1", func(id string, p delta.Print) error {
		if _, twice := got[id]; twice {
			t.Fatalf("record %s stands on two pages", id)
		}
		got[id] = p
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ids := slices.Collect(maps.Keys(model))
	for id := range prints {
		ids = append(ids, id)
	}
	found, readErr := (&delta.Store{Table: items}).Prints(t.Context(), "j1", ids)
	if diff := cmp.Diff(got, found); readErr != nil || diff != "" {
		t.Fatalf("asked for by id, prints are others (-listed +asked):\n%s%v", diff, readErr)
	}
	for id, want := range prints {
		was, had := model[id]
		is, has := got[id]
		now := had == has && is.Stored == was.Stored && is.Hash == was.Hash // as before
		next := want == nil && !has || want != nil && has && is.Hash == want.Hash && is.Stored == want.Stored+1 && want.Stored == was.Stored
		if err == nil && !next || err != nil && !now && !next {
			t.Fatalf("record %s after %v: %+v, was %+v, want %+v", id, err, is, was, want)
		}
		if delete(model, id); has {
			model[id] = is
		}
	}
	if len(got) != len(model) {
		t.Fatalf("%d prints, want %d", len(got), len(model))
	}
	for id, want := range model {
		if got[id].Hash != want.Hash {
			t.Fatalf("record %s, which was not touched, is %+v, want %+v", id, got[id], want)
		}
	}
}

// Neighbours on one page do not disturb each other.
func TestManyWritersOfOnePageLoseNothing(t *testing.T) {
	s := newStore(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 5 {
				id := strconv.Itoa(1000 + i + 8*n)
				err := s.Book("j1").Put(t.Context(), map[string]*delta.Print{id: {Hash: id}})
				for fault.Is(err, fault.Transient) {
					err = s.Book("j1").Put(t.Context(), map[string]*delta.Print{id: {Hash: id}})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	n := 0
	if err := s.Each(t.Context(), "j1", func(id string, p delta.Print) error {
		n++
		if p.Hash != id || p.Stored != 1 {
			t.Errorf("record %s: %+v", id, p)
		}
		return nil
	}); err != nil || n != 40 {
		t.Errorf("%d prints, %v, want 40", n, err)
	}
}

func TestAPrintThatAnotherHasChangedIsNotOverwritten(t *testing.T) {
	s := newStore(t)
	put := func(b *delta.Book, p delta.Print) error {
		return b.Put(t.Context(), map[string]*delta.Print{"7": &p})
	}
	one, other := s.Book("j1"), s.Book("j1")
	for _, b := range []*delta.Book{one, other} {
		if known, err := b.Prints(t.Context(), []string{"7"}); err != nil || len(known) != 0 {
			t.Fatalf("%v, %v, want nothing", known, err)
		}
	}
	if err := put(one, delta.Print{Hash: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := put(other, delta.Print{Hash: "b"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a print that appeared: %v, want Conflict", err)
	}
	if err := put(other, delta.Print{Hash: "b", Stored: 1}); err != nil {
		t.Errorf("after the page was read again: %v", err)
	}
	if err := put(one, delta.Print{Hash: "c", Stored: 1}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a print that changed: %v, want Conflict", err)
	}
}
