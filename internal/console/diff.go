package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// change is one value that differs between two forms of a thing.
type change struct {
	Where         string // in people's words: "Mapping 3, target field"
	Before, After string // "" = not there
}

// differences returns what differs between two things in their JSON form; nil is
// a thing that does not exist. What is the same is left out.
func differences(before, after json.RawMessage) []change {
	was, is := flat(before), flat(after)
	paths := map[string]bool{}
	for p := range was {
		paths[p] = true
	}
	for p := range is {
		paths[p] = true
	}
	var changes []change
	for _, p := range slices.SortedFunc(maps.Keys(paths), comparePaths) {
		if was[p] != is[p] && !internalPath(p) {
			changes = append(changes, change{pathWords(p), was[p], is[p]})
		}
	}
	return changes
}

// flat returns the leaves of a JSON text. :: path such as "mapping.direct[2].to" → value
func flat(doc json.RawMessage) map[string]string {
	leaves := map[string]string{}
	if len(doc) == 0 {
		return leaves
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return map[string]string{"": string(doc)}
	}
	flatten(leaves, "", v)
	return leaves
}

func flatten(leaves map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			flatten(leaves, strings.TrimPrefix(at+"."+name, "."), one)
		}
	case []any:
		if texts, ok := plainTexts(v); ok {
			leaves[at] = strings.Join(texts, ", ")
			return
		}
		for i, one := range v {
			flatten(leaves, fmt.Sprintf("%s[%d]", at, i), one)
		}
	case nil:
	case bool:
		if v {
			leaves[at] = "yes"
		}
	default:
		leaves[at] = fmt.Sprint(v)
	}
}

// plainTexts returns the texts of a list that holds nothing else.
func plainTexts(list []any) ([]string, bool) {
	texts := make([]string, len(list))
	for i, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, false
		}
		texts[i] = text
	}
	return texts, true
}

// internalPath reports whether a value tells people nothing.
func internalPath(p string) bool { return p == "id" || p == "version" || strings.HasSuffix(p, ".id") }

var pathPart = regexp.MustCompile(`([A-Za-z]+)(?:\[(\d+)\])?`)

// comparePaths orders paths by their parts, numbers as numbers.
func comparePaths(a, b string) int {
	pad := func(p string) string {
		return pathPart.ReplaceAllStringFunc(p, func(part string) string {
			m := pathPart.FindStringSubmatch(part)
			n, _ := strconv.Atoi(m[2])
			return fmt.Sprintf("%s[%06d]", m[1], n)
		})
	}
	return strings.Compare(pad(a), pad(b))
}

// pathWords tells people where in a thing a value stands.
func pathWords(p string) string {
	known := map[string]string{
		"name": "name", "mapping": "", "direct": "direct mapping", "derived": "derived mapping", "fields": "dataset field", "filter": "filter",
		"conditions": "condition", "cases": "case field", "formulas": "formula field", "when": "case", "if": "", "then": "value", "from": "source",
		"to": "target field", "whenEmpty": "when empty", "identifier": "include in identifiers", "op": "comparison", "jobs": "jobs",
		"onFailure": "after a failure", "enabled": "enabled", "kind": "repeats", "at": "start time", "zone": "time zone", "multiple": "when multiple matches occur",
		"none": "when no matches are found", "match": "match", "portalId": "HubSpot account", "field": "field", "keys": "key", "ootb": "out-of-the-box job",
		"deactivateLeavers": "deactivate leavers", "realTime": "real time", "whenDeleted": "when deleted in HubSpot", "do": "action", "options": "", "every": "every … minutes", "nth": "which weekday of the month", "day": "day of the month",
		"userGsid": "Gainsight user", "equipped": "out-of-the-box jobs created", "webhookUrl": "webhook URL", "missing": "missing field",
	}
	var parts []string
	for _, m := range pathPart.FindAllStringSubmatch(p, -1) {
		word, ok := known[m[1]]
		if !ok {
			word = spaced(m[1])
		}
		if word == "" {
			continue
		}
		if m[2] != "" {
			n, _ := strconv.Atoi(m[2])
			word = fmt.Sprintf("%s %d", word, n+1)
		}
		parts = append(parts, word)
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		return "Value"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// spaced writes a name in camel case as words.
func spaced(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func trimFloat(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
