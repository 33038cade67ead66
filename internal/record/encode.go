package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// order is the sorted keys of the last map that was written. Records of one
// query have the same keys, so they are sorted once.
type order struct{ keys []string }

// of returns the sorted keys of m.
func (o *order) of(m map[string]*string) []string {
	if len(o.keys) == len(m) && !slices.ContainsFunc(o.keys, func(k string) bool { _, ok := m[k]; return !ok }) {
		return o.keys
	}
	o.keys = o.keys[:0]
	for k := range m {
		o.keys = append(o.keys, k)
	}
	slices.Sort(o.keys)
	return o.keys
}

// append writes the record as its JSON tags say, keys in order.
func (r Record) append(b []byte, o *order) []byte {
	b = appendText(append(b, `{"id":`...), r.ID)
	if r.Version != 0 {
		b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	}
	if r.Read != 0 {
		b = strconv.AppendInt(append(b, `,"read":`...), r.Read, 10)
	}
	if r.Archived {
		b = append(b, `,"archived":true`...)
	}
	if r.Gone != "" {
		b = appendText(append(b, `,"gone":`...), string(r.Gone))
	}
	if r.Into != "" {
		b = appendText(append(b, `,"into":`...), r.Into)
	}
	return append(appendTexts(append(b, `,"values":`...), r.Values, o), '}')
}

// MarshalJSON writes the record as its JSON tags say, keys in order.
func (r Record) MarshalJSON() ([]byte, error) { return r.append(nil, &order{}), nil }

// append writes the row as its JSON tags say, keys in order. It fails if a field
// is of a type that a Row does not have.
func (r Row) append(b []byte) ([]byte, error) {
	b = appendText(append(b, `{"id":`...), r.SourceID)
	if r.Version != 0 {
		b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	}
	b = append(b, `,"fields":`...)
	if r.Fields == nil {
		b = append(b, "null"...)
	} else {
		var err error
		if b, err = appendMap(b, r.Fields, appendField); err != nil {
			return nil, fmt.Errorf("encode row of %s: %w", r.SourceID, err)
		}
	}
	if len(r.Keep) > 0 {
		b = appendList(append(b, `,"keep":`...), r.Keep)
	}
	if len(r.Null) > 0 {
		b = appendList(append(b, `,"null":`...), r.Null)
	}
	if len(r.Defer) > 0 {
		b, _ = appendMap(append(b, `,"defer":`...), r.Defer, func(b []byte, list []string) ([]byte, error) {
			return appendList(b, list), nil
		})
	}
	if len(r.Merged) > 0 {
		b = appendList(append(b, `,"merged":`...), r.Merged)
	}
	if len(r.Source) > 0 {
		b = appendTexts(append(b, `,"source":`...), r.Source, &order{})
	}
	return append(b, '}'), nil
}

// MarshalJSON writes the row as its JSON tags say, keys in order. It fails if a
// field is of a type that a Row does not have.
func (r Row) MarshalJSON() ([]byte, error) { return r.append(nil) }

func appendField(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendText(b, v), nil
	case json.Number:
		if number := jsontext.Value(v); number.Kind() == '0' && number.IsValid() {
			return append(b, v...), nil
		}
		return nil, fmt.Errorf("a json.Number is no number")
	case bool:
		return strconv.AppendBool(b, v), nil
	case []string:
		return appendList(b, v), nil
	}
	return nil, fmt.Errorf("no field can be a %T", v)
}

func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) ([]byte, error)) ([]byte, error) {
	var room [64]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = value(append(appendText(b, k), ':'), m[k]); err != nil {
			return nil, fmt.Errorf("field %s: %w", k, err)
		}
	}
	return append(b, '}'), nil
}

func appendTexts(b []byte, m map[string]*string, o *order) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, k := range o.of(m) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, k), ':')
		if v := m[k]; v != nil {
			b = appendText(b, *v)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

func appendList(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendText writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ = jsontext.AppendQuote(b, s) // its error only says that a byte was replaced
			return b
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
