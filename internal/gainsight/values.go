package gainsight

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
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
