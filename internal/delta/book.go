package delta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Book is the prints of one job. It remembers some pages that it has read, so that
// what is read of a record is as old as the first reading of its page. It is used
// by one goroutine.
type Book struct {
	table table.Table
	job   string
	pages []*page // by start; they do not overlap
}

// Book opens the prints of a job.
func (s *Store) Book(job string) *Book { return &Book{table: s.Table, job: job} }

// Prints returns what is known of the records. :: source id → print
func (s *Store) Prints(ctx context.Context, job string, sources []string) (map[string]Print, error) {
	return s.Book(job).Prints(ctx, sources)
}

// Each visits the prints of a job, by pages. An error of visit ends it.
func (s *Store) Each(ctx context.Context, job string, visit func(source string, p Print) error) error {
	err := table.All(ctx, s.Table, pages(job), table.Range{}, func(item table.Item) error {
		p, err := decode(item)
		if err != nil {
			return err
		}
		for _, e := range p.entries {
			if err := visit(e.ID, e.Print); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read prints of job %s: %w", job, err)
	}
	return nil
}

// Prints returns what is known of the records. :: source id → print
func (b *Book) Prints(ctx context.Context, sources []string) (map[string]Print, error) {
	if err := b.read(ctx, sources); err != nil {
		return nil, fmt.Errorf("read prints of %d records: %w", len(sources), err)
	}
	prints := make(map[string]Print, len(sources))
	for _, id := range sources {
		p := b.page(place(id))
		if i, known := p.find(id); known {
			prints[id] = p.entries[i].Print
		}
	}
	return prints, nil
}

// page returns the page that covers a place, nil if it was not read.
func (b *Book) page(at string) *page {
	i, found := slices.BinarySearchFunc(b.pages, at, func(p *page, at string) int { return strings.Compare(p.start, at) })
	if !found {
		i--
	}
	if i < 0 || !b.pages[i].covers(at) {
		return nil
	}
	return b.pages[i]
}

// readers is how many pages are read at once, and enough how many are remembered: a
// page takes some 30 KB, and records that changed here and there have one each.
const (
	readers = 8
	enough  = 300
)

// tries bounds how often pages are read again that another one has written meanwhile.
const tries = 10

// read reads the pages of records that were not read yet.
func (b *Book) read(ctx context.Context, sources []string) error {
	if len(b.pages) > enough {
		b.pages = nil
	}
	for range tries {
		places := map[string]bool{}
		for _, id := range sources {
			if at := place(id); b.page(at) == nil {
				places[at] = true
			}
		}
		if len(places) == 0 {
			return nil
		}
		if err := b.fetch(ctx, slices.Sorted(maps.Keys(places))); err != nil {
			return err
		}
	}
	return busy()
}

// busy is the error of pages that change all the time.
func busy() error {
	return fault.New(fault.Transient, "Too many wrote what is known of neighbouring records at once. It is tried again.")
}

// fetch reads the pages of places, which are sorted, several at once if they are many.
// One that is divided meanwhile may leave a place without its page.
func (b *Book) fetch(ctx context.Context, places []string) error {
	if err := b.walk(ctx, places[:1]); err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(places), b.page(places[0]).covers)
	if len(left) == 0 {
		return nil
	}
	pages := len(left) / (len(places) - len(left)) // if the others hold as many
	n := min(readers, pages/4+1)                   // neighbours may both read one page
	books := make([]Book, n)
	group, ctx := errgroup.WithContext(ctx)
	for i := range books {
		books[i] = Book{table: b.table, job: b.job}
		group.Go(func() error { return books[i].walk(ctx, left[len(left)*i/n:len(left)*(i+1)/n]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range books {
		for _, p := range books[i].pages {
			b.add(p)
		}
	}
	return nil
}

// walk reads the pages of places, which are sorted, one after the other.
func (b *Book) walk(ctx context.Context, places []string) error {
	for _, at := range places {
		if b.page(at) != nil {
			continue
		}
		p, err := b.load(ctx, at)
		if err != nil {
			return err
		}
		b.add(p)
	}
	return nil
}

// add takes a page in, in the place of those that it overlaps.
func (b *Book) add(p *page) {
	b.pages = slices.DeleteFunc(b.pages, func(old *page) bool {
		return (p.end == "" || old.start < p.end) && (old.end == "" || p.start < old.end)
	})
	i, _ := slices.BinarySearchFunc(b.pages, p.start, func(old *page, start string) int { return strings.Compare(old.start, start) })
	b.pages = slices.Insert(b.pages, i, p)
}

// load reads the page that covers a place. One that is not stored has version 0.
func (b *Book) load(ctx context.Context, at string) (*page, error) {
	for range tries {
		found, err := b.table.Query(ctx, pages(b.job), table.Range{To: at + behind}, 1, "", true)
		if err != nil {
			return nil, err
		}
		if len(found.Items) == 0 {
			return &page{start: firstPage}, nil // it is stored before any other
		}
		p, err := decode(found.Items[0])
		if err != nil || p.covers(at) {
			return p, err
		}
		gap := &page{start: p.end}
		next, err := b.table.Query(ctx, pages(b.job), table.Range{From: gap.start}, 1, "", false)
		if err != nil {
			return nil, err
		}
		if len(next.Items) > 0 {
			gap.end = next.Items[0].Sort
		}
		if gap.covers(at) { // else it was filled meanwhile
			return gap, nil
		}
	}
	return nil, busy()
}

// Put stores prints, nil to forget a record, unless somebody else has changed one
// since it was read: fault.Conflict. Prints of a page are stored as one, those of
// several pages are not: after an error any of them may be stored. A print's
// revision is one higher afterwards.
func (b *Book) Put(ctx context.Context, prints map[string]*Print) error {
	left := maps.Clone(prints)
	for try := 1; ; try++ {
		err := b.put(ctx, left)
		if err == nil {
			return nil
		}
		b.pages = nil
		if !b.isLost(err) {
			return fmt.Errorf("store %d prints: %w", len(prints), err)
		}
		if try == tries {
			return busy()
		}
	}
}

// put stores prints, and takes those out that were stored.
func (b *Book) put(ctx context.Context, left map[string]*Print) error {
	if err := b.read(ctx, slices.Collect(maps.Keys(left))); err != nil {
		return err
	}
	changes := map[*page]map[string]*Print{}
	for id, print := range left {
		p := b.page(place(id))
		if print != nil && print.Stored != p.rev(id) {
			return fault.New(fault.Conflict, "What is known of a record was changed at the same time. It is read again.")
		}
		if changes[p] == nil {
			changes[p] = map[string]*Print{}
		}
		changes[p][id] = print
	}
	var mu sync.Mutex
	var lost error // a page that another one has written
	var group errgroup.Group
	group.SetLimit(readers)
	for p, prints := range changes {
		group.Go(func() error {
			parts, err := b.write(ctx, p, prints)
			mu.Lock()
			defer mu.Unlock()
			for _, part := range parts {
				b.add(part)
				for id := range prints {
					if part.covers(place(id)) {
						delete(left, id)
					}
				}
			}
			if b.isLost(err) {
				lost, err = err, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return lost
}

// isLost reports whether another one has written a page since it was read.
func (b *Book) isLost(err error) bool {
	failed, ok := errors.AsType[*table.FailedError](err)
	return ok && failed.Key.Partition == pages(b.job)
}

// write stores a page with changes, and returns the pages that it is now, also those
// that were stored before an error.
func (b *Book) write(ctx context.Context, p *page, prints map[string]*Print) ([]*page, error) {
	now := *p
	now.entries = slices.Clone(p.entries)
	grown := true
	for id, print := range prints {
		if n := len(p.entries); n > 0 && print != nil && print.Stored == 0 && compare(id, p.entries[n-1].ID) < 0 {
			grown = false
		}
		now.set(id, print)
	}
	parts, ops, err := b.fit(now.divide(grown, len(p.entries)))
	if err != nil {
		return nil, err
	}
	if len(ops) > 1 && (!grown || len(parts[0].entries) < len(p.entries)) { // prints go to another page
		if err := b.table.Write(ctx, ops); err != nil {
			return nil, err
		}
		for _, part := range parts {
			part.version++
		}
		return parts, nil
	}
	for i, part := range parts { // the first says where the next begins
		item, err := b.table.Put(ctx, ops[i].Item, ops[i].If)
		if err != nil {
			return parts[:i], err
		}
		part.version = item.Version
	}
	return parts, nil
}

// fit halves pages that are too large, and returns the writes that store them.
func (b *Book) fit(parts []*page) ([]*page, []table.Op, error) {
	var ops []table.Op
	for i := 0; i < len(parts); {
		p := parts[i]
		item, err := p.item(b.job)
		if err != nil {
			return nil, nil, err
		}
		if len(item.Doc) > mostBytes {
			if halves := p.split(2, 0); len(halves) > 1 {
				parts = slices.Replace(parts, i, i+1, halves...)
				continue
			}
		}
		cond := table.Absent()
		if p.version > 0 {
			cond = table.VersionIs(p.version)
		}
		ops = append(ops, table.Op{Verb: table.Put, Item: item, If: cond})
		i++
	}
	return parts, ops, nil
}
