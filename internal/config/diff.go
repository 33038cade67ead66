package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// changed notes an edit with what differs between before and after.
func (a *applier) changed(what, name string, before, after any) {
	a.changes = append(a.changes, Change{What: what, Name: name, Type: "edited", Lines: differences(before, after)})
}

func marshal(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("config: marshal %T: %v", v, err)) // plain data: never fails
	}
	return doc
}

// equal compares what would be stored.
func equal(a, b any) bool { return bytes.Equal(marshal(a), marshal(b)) }

// differences lists the values that differ, by path.
func differences(before, after any) []string {
	was, is := map[string]string{}, map[string]string{}
	flatten("", decoded(before), was)
	flatten("", decoded(after), is)
	paths := map[string]bool{}
	for path := range was {
		paths[path] = true
	}
	for path := range is {
		paths[path] = true
	}
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		old, had := was[path]
		now, has := is[path]
		switch {
		case had && has && old == now:
		case !had:
			lines = append(lines, fmt.Sprintf("%s: + %s", path, now))
		case !has:
			lines = append(lines, fmt.Sprintf("%s: - %s", path, old))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", path, old, now))
		}
	}
	return lines
}

func decoded(v any) any {
	var plain any
	_ = json.Unmarshal(marshal(v), &plain) // it was marshalled just now
	return plain
}

// flatten collects the values of a document. :: path → value as JSON
func flatten(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			at := name
			if path != "" {
				at = path + "." + name
			}
			flatten(at, one, into)
		}
	case []any:
		for i, one := range v {
			flatten(fmt.Sprintf("%s[%d]", path, i), one, into)
		}
	default:
		into[path] = string(marshal(v))
	}
}
