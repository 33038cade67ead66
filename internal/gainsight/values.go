package gainsight

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// decodeValue reads a field's value as string, json.Number, bool or nil. The items
// of an array are joined with ";", as Gainsight itself writes several items; an
// object becomes its JSON text.
func decodeValue(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return plain(v), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = valueString(plain(item))
		}
		return strings.Join(items, ";")
	case map[string]any:
		text, _ := json.Marshal(v) //nolint:errchkjson // came from JSON
		return string(text)
	}
	return v
}

func valueString(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// layouts are the texts in which Gainsight gives dates.
func layouts() []string {
	return []string{time.RFC3339, "2006-01-02T15:04:05Z0700", time.DateTime, time.DateOnly}
}

// ParseTime reads a DATE or DATETIME that was read from Gainsight: milliseconds
// since the epoch, ISO with a zone, "2006-01-02 15:04:05.9" in UTC, or
// "2006-01-02". The zero time means that the field is empty (nil or "").
func ParseTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case json.Number:
		ms, err := v.Int64()
		if err != nil {
			return time.Time{}, errors.New("read a date: not in whole milliseconds")
		}
		return time.UnixMilli(ms).UTC(), nil
	case string:
		if v == "" {
			return time.Time{}, nil
		}
		for _, layout := range layouts() {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, errors.New("read a date: not in a form of Gainsight")
}
