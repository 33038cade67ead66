package gainsightsim

import (
	"slices"
	"strings"
)

// object is an object with its rows. A row keeps its slot, the position in
// rows, for ever.
type object struct {
	name, label string
	prefix      string            // of its GSIDs
	fields      []*field          // by number; nil once removed
	byName      map[string]*field // :: API name → field
	byLookup    map[string]*field // :: look-up name → field

	rows    []string // encoded, by slot; "" once deleted
	count   int
	order   []int32        // slots in the order of GSIDs; lacks the slots from ordered on
	ordered int            // slots below it are in order
	indexes map[int]*index // :: field number → index, made when first needed
}

// index finds the rows with a value. It keeps hashes only, and never forgets
// what a row once had: whoever asks compares the rows that it names.
type index struct {
	heads map[uint64]int32 // :: hash of a value → its first node, from 1
	nodes []node
}

type node struct{ slot, next int32 }

func (x *index) add(v value, slot int32) {
	if v.kind == null {
		return
	}
	h := v.hash()
	x.nodes = append(x.nodes, node{slot, x.heads[h]})
	x.heads[h] = int32(len(x.nodes)) //nolint:gosec // rows are counted in thousands
}

func (o *object) index(num int) *index {
	x := o.indexes[num]
	if x == nil {
		x = &index{heads: make(map[uint64]int32, o.count), nodes: make([]node, 0, o.count)}
		for slot, row := range o.rows {
			if row != "" {
				x.add(valueOf(row, num), int32(slot))
			}
		}
		o.indexes[num] = x
	}
	return x
}

// find returns the slots of the rows whose field has one of the values, in their
// order.
func (o *object) find(num int, fold bool, values ...value) []int32 {
	x := o.index(num)
	var slots []int32
	for _, v := range values {
		for at := x.heads[v.hash()]; at != 0; at = x.nodes[at-1].next {
			slot := x.nodes[at-1].slot
			if valueOf(o.rows[slot], num).compare(v, fold) == 0 {
				slots = append(slots, slot)
			}
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// row returns the encoded row of a GSID, and its slot.
func (o *object) row(gsid string) (string, int32, bool) {
	if slots := o.find(numGsid, false, textValue(gsid)); len(slots) > 0 {
		return o.rows[slots[0]], slots[0], true
	}
	return "", 0, false
}

func (o *object) insert(c cells) {
	row, slot := c.encode(), int32(len(o.rows)) //nolint:gosec // see index.add
	o.rows = append(o.rows, row)
	o.count++
	for num, x := range o.indexes {
		x.add(valueOf(row, num), slot)
	}
}

func (o *object) replace(slot int32, c cells) {
	was, row := o.rows[slot], c.encode()
	o.rows[slot] = row
	for num, x := range o.indexes {
		if v := valueOf(row, num); v != valueOf(was, num) {
			x.add(v, slot)
		}
	}
}

func (o *object) remove(slot int32) {
	o.rows[slot] = ""
	o.count--
	o.order, o.ordered = nil, 0
}

// sorted returns the slots of the rows in the order of GSIDs.
func (o *object) sorted() []int32 {
	if o.ordered == len(o.rows) {
		return o.order
	}
	type key struct {
		gsid string
		slot int32
	}
	keys := make([]key, 0, o.count)
	for _, slot := range o.order {
		keys = append(keys, key{gsidOf(o.rows[slot]), slot})
	}
	for slot := o.ordered; slot < len(o.rows); slot++ {
		if row := o.rows[slot]; row != "" {
			keys = append(keys, key{gsidOf(row), int32(slot)}) //nolint:gosec // see index.add
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.gsid, b.gsid) })
	o.order = make([]int32, len(keys))
	for i, k := range keys {
		o.order[i] = k.slot
	}
	o.ordered = len(o.rows)
	return o.order
}

// drop forgets a field with its values.
func (o *object) drop(f *field) {
	delete(o.byName, f.Name)
	if o.byLookup[f.lookupName()] == f {
		delete(o.byLookup, f.lookupName())
	}
	delete(o.indexes, f.num)
	o.fields[f.num] = nil
	for slot, row := range o.rows {
		if row != "" && valueOf(row, f.num).kind != null {
			o.rows[slot] = decode(row).set(f.num, value{}).encode()
		}
	}
}

// resolve returns the field of a possibly dotted name, and the look-up fields
// that lead to it. It reports false if there is none.
func (s *Sim) resolve(o *object, name string) (p path, ok bool) {
	parts := strings.Split(name, ".")
	for _, hop := range parts[:len(parts)-1] {
		f := o.byLookup[hop]
		if f == nil {
			return path{}, false
		}
		target := s.objects[strings.ToLower(f.LookupObject)]
		if target == nil {
			return path{}, false
		}
		p.hops = append(p.hops, step{f.num, target})
		o = target
	}
	p.field = o.byName[parts[len(parts)-1]]
	return p, p.field != nil
}

// path leads from a row to a field, through look-ups.
type path struct {
	hops  []step
	field *field
}

type step struct {
	num    int // of the look-up field
	target *object
}

// of returns the value at the end of the path; null if a look-up leads nowhere.
func (p path) of(row string) value {
	for _, hop := range p.hops {
		v := valueOf(row, hop.num)
		if v.kind == null {
			return value{}
		}
		var ok bool
		if row, _, ok = hop.target.row(v.s); !ok {
			return value{}
		}
	}
	return valueOf(row, p.field.num)
}
