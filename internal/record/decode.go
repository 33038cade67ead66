package record

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// UnmarshalJSON reads what MarshalJSON wrote. Unknown names are skipped.
func (r *Record) UnmarshalJSON(b []byte) error {
	c := cursor{s: string(b)}
	*r = Record{}
	c.object(func(name string) {
		switch name {
		case "id":
			r.ID = strings.Clone(c.text()) // ids live longer than their line
		case "read":
			r.Read = c.integer()
		case "version":
			r.Version = c.integer()
		case "archived":
			r.Archived = c.boolean()
		case "gone":
			r.Gone = Gone(strings.Clone(c.text()))
		case "into":
			r.Into = strings.Clone(c.text())
		case "values":
			r.Values = c.texts()
		default:
			c.skip()
		}
	})
	return c.end()
}

// UnmarshalJSON reads what MarshalJSON wrote. Unknown names are skipped.
func (r *Row) UnmarshalJSON(b []byte) error {
	c := cursor{s: string(b)}
	*r = Row{}
	c.object(func(name string) {
		switch name {
		case "id":
			r.SourceID = strings.Clone(c.text()) // ids live longer than their line
		case "version":
			r.Version = c.integer()
		case "fields":
			r.Fields = mapOf(&c, c.field)
		case "keep":
			r.Keep = c.list()
		case "null":
			r.Null = c.list()
		case "defer":
			r.Defer = mapOf(&c, c.list)
		case "merged":
			r.Merged = c.list()
		case "source":
			r.Source = c.texts()
		default:
			c.skip()
		}
	})
	return c.end()
}

// cursor reads one JSON text from its start. Texts that it returns share the
// memory of s. After an error it stands still and returns zero values.
type cursor struct {
	s   string
	i   int
	err error
}

func (c *cursor) fail() {
	if c.err == nil {
		c.err = fmt.Errorf("bad JSON at byte %d", c.i)
	}
	c.i = len(c.s)
}

// end returns the error, or one if something is left.
func (c *cursor) end() error {
	if c.peek(); c.err == nil && c.i < len(c.s) {
		c.fail()
	}
	return c.err
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// take skips the byte if it comes next.
func (c *cursor) take(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.i++
	return true
}

func (c *cursor) want(b byte) {
	if !c.take(b) {
		c.fail()
	}
}

// literal skips the word if it comes next.
func (c *cursor) literal(word string) bool {
	c.peek()
	if !strings.HasPrefix(c.s[c.i:], word) {
		return false
	}
	c.i += len(word)
	return true
}

// object calls member at the value of each member.
func (c *cursor) object(member func(name string)) {
	c.want('{')
	if c.take('}') {
		return
	}
	for c.err == nil {
		name := c.text()
		c.want(':')
		member(name)
		if !c.take(',') {
			c.want('}')
			return
		}
	}
}

// array calls element at each element.
func (c *cursor) array(element func()) {
	c.want('[')
	if c.take(']') {
		return
	}
	for c.err == nil {
		element()
		if !c.take(',') {
			c.want(']')
			return
		}
	}
}

func (c *cursor) text() string {
	c.want('"')
	n := strings.IndexByte(c.s[c.i:], '"')
	if n < 0 {
		c.fail()
		return ""
	}
	text := c.s[c.i : c.i+n]
	if strings.IndexByte(text, '\\') >= 0 {
		return c.escaped()
	}
	c.i += n + 1
	return text
}

// escaped is text for one with escapes, behind its opening quote.
func (c *cursor) escaped() string {
	start := c.i
	for {
		n := strings.IndexByte(c.s[c.i:], '"')
		if n < 0 {
			c.fail()
			return ""
		}
		c.i += n + 1
		if !quoted(c.s[start : c.i-1]) {
			break
		}
	}
	text, err := jsontext.AppendUnquote(nil, c.s[start-1:c.i])
	if err != nil {
		c.fail()
		return ""
	}
	return string(text)
}

// quoted reports whether the byte behind s is escaped: s ends in an odd number
// of backslashes.
func quoted(s string) bool { return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 }

func (c *cursor) number() string {
	c.peek()
	start := c.i
	for c.i < len(c.s) && strings.IndexByte("+-.0123456789Ee", c.s[c.i]) >= 0 {
		c.i++
	}
	if c.i == start {
		c.fail()
	}
	return c.s[min(start, c.i):c.i]
}

func (c *cursor) integer() int64 {
	n, err := strconv.ParseInt(c.number(), 10, 64)
	if err != nil {
		c.fail()
	}
	return n
}

func (c *cursor) boolean() bool {
	if c.literal("true") {
		return true
	}
	if !c.literal("false") {
		c.fail()
	}
	return false
}

// mapOf reads an object, or nil for null.
func mapOf[V any](c *cursor, value func() V) map[string]V {
	if c.literal("null") {
		return nil
	}
	m := make(map[string]V, strings.Count(c.s[c.i:], `":`))
	c.object(func(name string) { m[name] = value() })
	return m
}

// texts reads an object of texts and nulls, or nil for null.
func (c *cursor) texts() map[string]*string {
	if c.literal("null") {
		return nil
	}
	n := strings.Count(c.s[c.i:], `":`)
	m, values := make(map[string]*string, n), make([]string, 0, n) // all texts in one piece of memory
	c.object(func(name string) {
		if c.literal("null") {
			m[name] = nil
			return
		}
		values = append(values, c.text())
		m[name] = &values[len(values)-1]
	})
	return m
}

func (c *cursor) list() []string {
	if c.literal("null") {
		return nil
	}
	list := []string{}
	c.array(func() { list = append(list, c.text()) })
	return list
}

func (c *cursor) field() any {
	switch b := c.peek(); b {
	case '"':
		return c.text()
	case '[':
		return c.list()
	case 't', 'f':
		return c.boolean()
	case 'n':
		if !c.literal("null") {
			c.fail()
		}
		return nil
	default:
		return json.Number(c.number())
	}
}

// skip passes over any value.
func (c *cursor) skip() {
	switch c.peek() {
	case '"':
		c.text()
	case '{':
		c.object(func(string) { c.skip() })
	case '[':
		c.array(c.skip)
	case 't', 'f':
		c.boolean()
	case 'n':
		c.field()
	default:
		c.number()
	}
}
