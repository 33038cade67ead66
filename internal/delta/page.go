package delta

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"hubspotconnector/internal/table"
)

// The prints of a job lie on pages, sorted by the ids of their records, because a
// table takes money by the KB that an item has begun: a page of 4 KB holds some
// sixty prints.

const (
	// full is how many prints a new page gets, and most is how many one may grow to.
	full, most = 64, 96
	// mostBytes is from which size on a page with several prints is divided.
	mostBytes = 8 << 10
	// firstPage is the place of the first page, before that of any record.
	firstPage = "0"
	// behind, after a place, is behind it and before the next.
	behind = "!"
)

// compare orders records by their ids: numbers by their value.
func compare(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// place is where a record stands in the order of pages. Ten neighbours share one, so
// that no page has the id of a record for its bounds: records are to be forgotten.
func place(source string) string {
	return fmt.Sprintf("%02d%s", len(source), source[:max(len(source)-1, 0)])
}

// entry is a print on a page.
type entry struct {
	ID  string `json:"id"`
	Rev int64  `json:"rev"`
	Print
}

// page holds the prints from its start on, up to its end.
type page struct {
	start   string
	end     string  // "" = no end
	version int64   // of the item; 0 = not stored
	entries []entry // by id
}

// pageDoc is a page as it is stored.
type pageDoc struct {
	End string `json:"end,omitempty"`
	// Prints are entries as compressed JSON.
	Prints []byte `json:"prints,omitempty"`
}

func pages(job string) string { return "PRINT#" + job }

func (p *page) covers(at string) bool { return p.start <= at && (p.end == "" || at < p.end) }

// find returns where a record stands, or would stand.
func (p *page) find(source string) (int, bool) {
	return slices.BinarySearchFunc(p.entries, source, func(e entry, source string) int { return compare(e.ID, source) })
}

// set changes what is known of a record; nil removes it.
func (p *page) set(source string, print *Print) {
	i, known := p.find(source)
	switch {
	case print == nil && known:
		p.entries = slices.Delete(p.entries, i, i+1)
	case print == nil:
	default:
		e := entry{ID: source, Rev: 1, Print: *print}
		if known {
			e.Rev += p.entries[i].Rev
			p.entries = slices.Delete(p.entries, i, i+1)
		}
		e.Stored = e.Rev
		p.entries = slices.Insert(p.entries, i, e)
	}
}

// rev is the revision of a record's print, 0 if there is none.
func (p *page) rev(source string) int64 {
	if i, known := p.find(source); known {
		return p.entries[i].Rev
	}
	return 0
}

var packers = sync.Pool{New: func() any { //nolint:gochecknoglobals // each takes a megabyte
	w, _ := flate.NewWriter(nil, flate.DefaultCompression) // the level is known
	return w
}}

func (p *page) item(job string) (table.Item, error) {
	doc := pageDoc{End: p.end}
	if len(p.entries) > 0 {
		text, err := json.Marshal(p.entries)
		if err != nil {
			return table.Item{}, fmt.Errorf("encode prints: %w", err)
		}
		var packed bytes.Buffer
		w := packers.Get().(*flate.Writer)
		defer packers.Put(w)
		w.Reset(&packed)
		_, _ = w.Write(text) // a buffer never fails
		_ = w.Close()
		doc.Prints = packed.Bytes()
	}
	return table.New(table.Key{Partition: pages(job), Sort: p.start}, doc), nil
}

func decode(item table.Item) (*page, error) {
	var doc pageDoc
	if err := json.Unmarshal(item.Doc, &doc); err != nil {
		return nil, fmt.Errorf("decode prints %s: %w", item.Sort, err)
	}
	p := &page{start: item.Sort, end: doc.End, version: item.Version}
	if len(doc.Prints) == 0 {
		return p, nil
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(doc.Prints)))
	if err == nil {
		err = json.Unmarshal(text, &p.entries)
	}
	if err != nil {
		return nil, fmt.Errorf("decode prints %s: %w", item.Sort, err)
	}
	for i := range p.entries {
		p.entries[i].Stored = p.entries[i].Rev
	}
	return p, nil
}

// divide returns the page in parts of a size that is good to store. grown says that
// all that is new stands behind the prints that were there: the parts are filled
// then, and a full one at the end of all is closed, so that it is not written again
// for what comes behind it.
func (p *page) divide(grown bool, were int) []*page {
	parts := []*page{p}
	n := (len(p.entries) + full - 1) / full
	switch {
	case grown && n > 1:
		parts = p.split(n, were)
	case len(p.entries) > most:
		parts = p.split(n, 0)
	}
	last := parts[len(parts)-1]
	if grown && p.end == "" && len(last.entries) >= full/2 {
		last.end = place(last.entries[len(last.entries)-1].ID) + behind
	}
	return parts
}

// split returns the page in n parts, n ≥ 1, or fewer: neighbours with one place stay
// together. The first keeps some prints at least.
func (p *page) split(n, keep int) []*page {
	parts := make([]*page, 0, n)
	for rest := p.entries; len(rest) > 0; n-- {
		size := min(max((len(rest)+n-1)/max(n, 1), keep), len(rest))
		for size < len(rest) && place(rest[size].ID) == place(rest[size-1].ID) {
			size++
		}
		part := &page{start: place(rest[0].ID), entries: slices.Clip(rest[:size])}
		if last := len(parts) - 1; last >= 0 {
			parts[last].end = part.start
		}
		parts, rest, keep = append(parts, part), rest[size:], 0
	}
	parts[0].start, parts[0].version, parts[len(parts)-1].end = p.start, p.version, p.end
	return parts
}
