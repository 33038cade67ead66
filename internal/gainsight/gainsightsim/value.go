package gainsightsim

import (
	"cmp"
	"encoding/binary"
	"math"
	"strings"
)

// kind is how a value is stored.
type kind byte

const (
	null   kind = iota
	text        // also picklists (GSIDs, several joined with ";") and look-ups
	number      // also times, in milliseconds since the epoch
	boolean
)

// kindOf returns how values of a data type are stored, null if there is no such
// type.
func kindOf(dataType string) kind {
	switch dataType {
	case "STRING", "RICHTEXTAREA", "URL", "EMAIL", "PICKLIST", "MULTISELECTDROPDOWNLIST", "LOOKUP", "GSID", "SFDCID":
		return text
	case "NUMBER", "PERCENTAGE", "CURRENCY", "DATE", "DATETIME":
		return number
	case "BOOLEAN":
		return boolean
	}
	return null
}

// value is a field's value in a row.
type value struct {
	kind kind
	s    string
	n    float64 // 1 is true
}

func textValue(s string) value    { return value{kind: text, s: s} }
func numberValue(n float64) value { return value{kind: number, n: n} }

func boolValue(b bool) value {
	if b {
		return value{kind: boolean, n: 1}
	}
	return value{kind: boolean}
}

// compare orders values of one kind; null comes first.
func (v value) compare(w value, fold bool) int {
	switch {
	case v.kind != w.kind:
		return cmp.Compare(v.kind, w.kind)
	case v.kind != text:
		return cmp.Compare(v.n, w.n)
	case fold:
		return strings.Compare(strings.ToLower(v.s), strings.ToLower(w.s))
	}
	return strings.Compare(v.s, w.s)
}

// hash is equal for values that are equal without case.
func (v value) hash() uint64 {
	if v.kind != text {
		return math.Float64bits(v.n + 0) // -0 is 0
	}
	s := v.s
	for i := range len(s) {
		if s[i] >= 0x80 {
			s = strings.ToLower(s)
			break
		}
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// cell is the value of the field with that number.
type cell struct {
	num int
	v   value
}

// cells is a row being written, without nulls, in the order of numbers.
type cells []cell

func (c cells) get(num int) value {
	for _, one := range c {
		if one.num == num {
			return one.v
		}
	}
	return value{}
}

// set returns the cells with a value set, or left out if it is null.
func (c cells) set(num int, v value) cells {
	i := 0
	for i < len(c) && c[i].num < num {
		i++
	}
	switch there := i < len(c) && c[i].num == num; {
	case there && v.kind == null:
		return append(c[:i], c[i+1:]...)
	case there:
		c[i].v = v
	case v.kind != null:
		c = append(c, cell{})
		copy(c[i+1:], c[i:])
		c[i] = cell{num, v}
	}
	return c
}

// A row is stored as one string: for each cell its number, its kind and its
// value. So 100,000 rows are 100,000 small objects without pointers, and a row
// that was read cannot change. Every row begins with its GSID.

func (c cells) encode() string {
	var space [512]byte
	b := space[:0]
	for _, one := range c {
		b = binary.AppendUvarint(b, uint64(one.num)) //nolint:gosec // a number that is never negative
		b = append(b, byte(one.v.kind))
		switch one.v.kind {
		case null:
		case text:
			b = binary.AppendUvarint(b, uint64(len(one.v.s)))
			b = append(b, one.v.s...)
		case number:
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(one.v.n))
		case boolean:
			b = append(b, byte(one.v.n))
		}
	}
	return string(b)
}

// next takes the first cell off an encoded row.
func next(row string) (c cell, rest string) {
	num, row := uvarint(row)
	c.num, c.v.kind = num, kind(row[0])
	row = row[1:]
	switch c.v.kind {
	case null:
	case text:
		n, row := uvarint(row)
		c.v.s, rest = row[:n], row[n:]
	case number:
		var bits uint64
		for i := range 8 {
			bits = bits<<8 | uint64(row[i])
		}
		c.v.n, rest = math.Float64frombits(bits), row[8:]
	case boolean:
		c.v.n, rest = float64(row[0]), row[1:]
	}
	return c, rest
}

func uvarint(s string) (int, string) {
	n := 0
	for i := 0; ; i++ {
		n |= int(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return n, s[i+1:]
		}
	}
}

func decode(row string) cells {
	var c cells
	for row != "" {
		var one cell
		one, row = next(row)
		c = append(c, one)
	}
	return c
}

// valueOf returns a field's value in an encoded row.
func valueOf(row string, num int) value {
	for row != "" {
		var c cell
		if c, row = next(row); c.num >= num {
			if c.num == num {
				return c.v
			}
			break
		}
	}
	return value{}
}

// gsidOf returns the GSID of an encoded row.
func gsidOf(row string) string {
	c, _ := next(row)
	return c.v.s
}
