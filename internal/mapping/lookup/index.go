// Package lookup finds the rows of the target that have given values. Values
// are compared as text, without case and outer spaces.
//
// An Index keeps a 128-bit hash of each key instead of the key, and of each GSID
// only what follows the 18 characters that all rows of one object share: about
// 50 bytes a row, so that a million rows fit beside everything else in 128 MB.
package lookup

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Result is what a look-up found.
type Result struct {
	// GSIDs of the rows, sorted, each once; empty if no row matches.
	GSIDs []string
}

// Index finds the GSIDs of rows by their values in some fields. Calls of Find
// may run at once; Add must run alone.
type Index struct {
	width    int      // values of a key
	prefixes []string // the beginnings of GSIDs; the first is ""
	entries  []entry
	ends     []byte // the ends of GSIDs, each behind its length

	prefixAt map[string]uint32 // :: prefix → its place in prefixes

	mu     sync.Mutex // held while sorting
	sorted bool
}

// entry is one row.
type entry struct {
	key    [16]byte
	prefix uint32
	end    uint32 // where the end of the GSID begins in ends
}

const (
	// shared is how many characters the GSIDs of one object have in common
	// (seen on samples of Gainsight, November 2026). Nothing relies on it.
	shared = 18
	// maxPrefixes bounds the list of beginnings; GSIDs with another one are kept
	// whole.
	maxPrefixes = 256
)

// NewIndex returns an empty index over rows by their values in the fields.
func NewIndex(fields []string) *Index {
	return &Index{width: len(fields), prefixes: []string{""}, prefixAt: map[string]uint32{"": 0}}
}

// Add adds a row by its values, in the order of the fields. A row that is added
// twice counts once. It panics if the number of values is not that of the fields.
func (x *Index) Add(values []string, gsid string) {
	key := x.hash(values)
	prefix := ""
	if len(gsid) > shared {
		prefix = gsid[:shared]
	}
	at, known := x.prefixAt[prefix]
	switch {
	case known:
	case len(x.prefixes) < maxPrefixes:
		at = uint32(len(x.prefixes)) //nolint:gosec // lengths below 4 GiB
		prefix = strings.Clone(prefix)
		x.prefixes = append(x.prefixes, prefix)
		x.prefixAt[prefix] = at
	default:
		prefix, at = "", 0
	}
	end := gsid[len(prefix):]
	x.entries = append(x.entries, entry{key: key, prefix: at, end: uint32(len(x.ends))}) //nolint:gosec // lengths below 4 GiB
	x.ends = binary.AppendUvarint(x.ends, uint64(len(end)))
	x.ends = append(x.ends, end...)
	x.sorted = false
}

// Find returns the rows with these values, in the order of the fields. It panics
// if the number of values is not that of the fields.
func (x *Index) Find(values []string) Result {
	key := x.hash(values)
	x.sort()
	at, found := slices.BinarySearchFunc(x.entries, key, func(e entry, key [16]byte) int {
		return compare(e.key, key)
	})
	if !found {
		return Result{}
	}
	var out Result
	for ; at < len(x.entries) && x.entries[at].key == key; at++ {
		out.GSIDs = append(out.GSIDs, x.gsid(x.entries[at]))
	}
	slices.Sort(out.GSIDs)
	out.GSIDs = slices.Compact(out.GSIDs)
	return out
}

// hash is the form in which a key is kept. It is the same in every process.
func (x *Index) hash(values []string) [16]byte {
	if len(values) != x.width {
		panic(fmt.Sprintf("lookup: %d values for an index over %d fields", len(values), x.width))
	}
	var room [128]byte
	b := room[:0]
	for _, v := range values {
		v = strings.ToLower(strings.TrimSpace(v))
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

func (x *Index) gsid(e entry) string {
	n, size := binary.Uvarint(x.ends[e.end:])
	from := int(e.end) + size
	return x.prefixes[e.prefix] + string(x.ends[from:from+int(n)]) //nolint:gosec // lengths below 4 GiB
}

func (x *Index) sort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sorted {
		return
	}
	slices.SortFunc(x.entries, func(a, b entry) int {
		return cmp.Or(compare(a.key, b.key), cmp.Compare(a.end, b.end))
	})
	x.sorted = true
}

func compare(a, b [16]byte) int {
	return cmp.Or(
		cmp.Compare(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])),
		cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:])),
	)
}
