package hubspotsim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"
)

// version is what an edit leaves: the modified time and the values, packed as
// (property number, length, bytes)… in the order of the numbers. A cleared
// value has length 0. Times are ms since the epoch.
type version struct {
	updated int64
	values  string
}

// record is one record. Packed, a company of a dozen values takes about 300 bytes.
type record struct {
	version
	id, created int64
	archived    int64 // 0 = not
	into        int64 // the winner of a merge, 0 = not merged
	purged      bool
}

func (r *record) live() bool { return r.archived == 0 && r.into == 0 && !r.purged }

// records are the records of one type, and what its search index shows.
type records struct {
	all   []*record // by id
	next  int64
	index index
	// scratch takes a record's values by property number; see unpack.
	scratch []string
	filled  []int
}

// index is the search index: the records, except for those that lag.
type index struct {
	lagging map[*record]*lagging
	due     dueHeap
	edits   int // grows with everything that search can see
	cache   map[string][]*record
	cached  int // edits when the cache was filled
}

// lagging is a record whose last edits search does not show yet.
type lagging struct {
	shown   *version // nil: search does not know the record
	pending []pending
}

type pending struct {
	version
	visible int64 // ns since the epoch
}

type due struct {
	visible int64
	record  *record
}

type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].visible < h[j].visible }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(due)) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (t *objectType) init(first int64) {
	t.byName = map[string]int{}
	t.next = first
	t.index = index{lagging: map[*record]*lagging{}, cache: map[string][]*record{}}
}

// changed tells that search may answer differently from now on.
func (t *objectType) changed() { t.index.edits++ }

// position returns the place of the first record with an id ≥ id.
func (r *records) position(id int64) int {
	if n := len(r.all); n == 0 || r.all[n-1].id < id {
		return n
	}
	return sort.Search(len(r.all), func(i int) bool { return r.all[i].id >= id })
}

func (r *records) find(id int64) *record {
	if i := r.position(id); i < len(r.all) && r.all[i].id == id && !r.all[i].purged {
		return r.all[i]
	}
	return nil
}

// must finds the record of an edit.
func (t *objectType) must(id string) *record {
	n, err := strconv.ParseInt(id, 10, 64)
	if rec := t.find(n); err == nil && rec != nil {
		return rec
	}
	panic(fmt.Sprintf("hubspotsim: %s have no record %q", t.plural, id))
}

// insert adds a record; its id must be new.
func (r *records) insert(rec *record) {
	i := r.position(rec.id)
	if i < len(r.all) && r.all[i].id == rec.id {
		panic(fmt.Sprintf("hubspotsim: there is a record %d already", rec.id))
	}
	r.all = slices.Insert(r.all, i, rec)
	r.next = max(r.next, rec.id)
}

// unpack calls visit for each stored value.
func (v version) unpack(visit func(number int, value string)) {
	for at := 0; at < len(v.values); {
		var number, length int
		number, at = v.uvarint(at)
		length, at = v.uvarint(at)
		visit(number, v.values[at:at+length])
		at += length
	}
}

func (v version) uvarint(at int) (value, next int) {
	for shift := 0; ; shift += 7 {
		b := v.values[at]
		at++
		value |= int(b&0x7f) << shift
		if b < 0x80 {
			return value, at
		}
	}
}

// value returns a stored value; ok is false if it was never set.
func (v version) value(number int) (value string, ok bool) {
	for at := 0; at < len(v.values); {
		var n, length int
		n, at = v.uvarint(at)
		length, at = v.uvarint(at)
		if n > number {
			return "", false
		}
		if n == number {
			return v.values[at : at+length], true
		}
		at += length
	}
	return "", false
}

// with packs the values and changes; a change to "" clears what was set.
func (v version) with(changes map[int]string) string {
	numbers := make([]int, 0, len(changes)+16)
	values := make(map[int]string, len(changes)+16)
	v.unpack(func(n int, value string) {
		numbers, values[n] = append(numbers, n), value
	})
	for n, value := range changes {
		if _, had := values[n]; !had {
			if value == "" {
				continue
			}
			numbers = append(numbers, n)
		}
		values[n] = value
	}
	slices.Sort(numbers)
	var out []byte
	for _, n := range numbers {
		out = binary.AppendUvarint(out, uint64(n)) //nolint:gosec // a number that is never negative
		out = binary.AppendUvarint(out, uint64(len(values[n])))
		out = append(out, values[n]...)
	}
	return string(out)
}

// get reads any property of a record in the version given.
func (t *objectType) get(rec *record, v version, number int) (value string, ok bool) {
	switch t.props[number].kind {
	case recordID:
		return strconv.FormatInt(rec.id, 10), true
	case createdTime:
		return iso(rec.created), true
	case modifiedTime:
		return iso(v.updated), true
	case stored:
	}
	return v.value(number)
}

// write makes a new version of the record that search shows after lag.
// known is false for a record that search has not seen before.
func (t *objectType) write(rec *record, v version, now time.Time, lag time.Duration, known bool) {
	before := rec.version
	rec.version = v
	t.changed()
	behind := t.index.lagging[rec]
	if behind == nil && lag <= 0 {
		return
	}
	if behind == nil {
		behind = &lagging{}
		if known {
			behind.shown = &before
		}
		t.index.lagging[rec] = behind
	}
	visible := now.Add(lag).UnixNano()
	behind.pending = append(behind.pending, pending{v, visible})
	heap.Push(&t.index.due, due{visible, rec})
}

// settle lets search show what is due: of each record the newest version
// whose lag is over.
func (t *objectType) settle(now time.Time) {
	for len(t.index.due) > 0 && t.index.due[0].visible <= now.UnixNano() {
		rec := heap.Pop(&t.index.due).(due).record
		behind := t.index.lagging[rec]
		if behind == nil {
			continue
		}
		for i := len(behind.pending) - 1; i >= 0; i-- {
			if behind.pending[i].visible <= now.UnixNano() {
				behind.shown = &behind.pending[i].version
				behind.pending = behind.pending[i+1:]
				t.changed()
				break
			}
		}
		if len(behind.pending) == 0 {
			delete(t.index.lagging, rec)
		}
	}
}

// shown returns the version of a live record that search sees.
func (t *objectType) shown(rec *record) (version, bool) {
	if len(t.index.lagging) > 0 {
		if behind := t.index.lagging[rec]; behind != nil {
			if behind.shown == nil {
				return version{}, false
			}
			return *behind.shown, true
		}
	}
	return rec.version, true
}
