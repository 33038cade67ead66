package hubspotsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// matcher decides whether a record answers a search.
type matcher struct {
	groups [][]condition // one group must hold, with all its conditions
	words  []string      // of the query: each must start a word of the record
	texts  []int         // the properties that the query looks at
}

// condition is one filter, compiled.
type condition struct {
	number     int
	kind       kind
	operator   string
	compares   comparison
	low, high  string
	lowN       float64
	highN      float64
	values     []string
	linked     func(rec *record) []int64 // of an associations.x filter
	exactLow   int64                     // of an id or a time
	exactHigh  int64
	exactLists []int64
}

// comparison is how values of a property are compared.
type comparison int

const (
	asText   comparison = iota // without case
	asChoice                   // as it is
	asNumber
	asTime // ms since the epoch
)

func comparisonOf(d *property) comparison {
	switch d.Type {
	case "number":
		return asNumber
	case "date", "datetime":
		return asTime
	case "enumeration", "bool":
		return asChoice
	}
	return asText
}

// noSuchProperty answers a filter or a sort on an unknown property (assumed).
func (c *call) noSuchProperty(name string) answer {
	return c.invalid("There was a problem with the request: the property %q does not exist.", name)
}

func (c *call) compile(t *objectType, groups []group, query string) (*matcher, answer, bool) {
	m := &matcher{words: tokens(query)}
	for _, name := range []string{"name", "domain", "website", "phone", "email", "firstname", "lastname", "company", "dealname", "subject", "hs_name"} {
		if n, ok := t.readable(name); ok {
			m.texts = append(m.texts, n)
		}
	}
	for _, g := range groups {
		var all []condition
		for _, f := range g.Filters {
			compiled, refused, ok := c.condition(t, f)
			if !ok {
				return nil, refused, false
			}
			all = append(all, compiled)
		}
		// Conditions on the record itself cost nothing: they go first.
		slices.SortStableFunc(all, func(a, b condition) int { return rank(a) - rank(b) })
		m.groups = append(m.groups, all)
	}
	return m, answer{}, true
}

func rank(c condition) int {
	if c.kind != stored {
		return 0
	}
	return 1
}

func (c *call) condition(t *objectType, f filter) (condition, answer, bool) {
	out := condition{operator: f.Operator}
	if problem := f.problem(); problem != "" {
		return out, c.invalid("Invalid filter on %q: %s.", f.Property, problem), false
	}
	if to, ok := strings.CutPrefix(f.Property, "associations."); ok {
		other := c.portal.served(to)
		if other == nil || other.schema != nil || t.schema != nil {
			return out, c.noSuchProperty(f.Property), false
		}
		out.linked = func(rec *record) []int64 { return c.portal.linkedIDs(t, rec.id, other) }
		out.values = f.all()
		return out, answer{}, true
	}
	n, ok := t.readable(f.Property)
	if !ok {
		return out, c.noSuchProperty(f.Property), false
	}
	out.number, out.kind, out.compares = n, t.props[n].kind, comparisonOf(t.props[n])
	return c.operands(out, f)
}

// operands reads the values of the filter as its property has them.
func (c *call) operands(out condition, f filter) (condition, answer, bool) {
	texts := f.all()
	for i, value := range texts {
		if out.compares != asNumber && out.compares != asTime || out.operator == "CONTAINS_TOKEN" || out.operator == "NOT_CONTAINS_TOKEN" {
			continue
		}
		exact, number, ok := operand(value, out.compares)
		if !ok {
			return out, c.invalid("Invalid filter on %q: %q is no value of this property.", f.Property, value), false
		}
		if out.compares == asTime && exact == 0 {
			// A filter on the epoch makes HubSpot fail.
			return out, c.refuse(http.StatusInternalServerError, "", "internal error"), false
		}
		out.exactLists = append(out.exactLists, exact)
		switch i {
		case 0:
			out.exactLow, out.lowN = exact, number
		case 1:
			out.exactHigh, out.highN = exact, number
		}
	}
	if len(texts) > 0 {
		out.low = texts[0]
	}
	if len(texts) > 1 {
		out.high = texts[1]
	}
	out.values = texts
	return out, answer{}, true
}

// problem tells what the operator lacks, "" = nothing.
func (f filter) problem() string {
	switch f.Operator {
	case "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN":
		if f.Value == nil {
			return "the operator needs a value"
		}
	case "BETWEEN":
		if f.Value == nil || f.High == nil {
			return "BETWEEN needs value and highValue"
		}
	case "IN", "NOT_IN":
		if f.Values == nil || len(*f.Values) == 0 {
			return "the operator needs values"
		}
	case "HAS_PROPERTY", "NOT_HAS_PROPERTY":
	default:
		return fmt.Sprintf("unknown operator %q", f.Operator)
	}
	return ""
}

// all returns the operands: values, or value and highValue.
func (f filter) all() []string {
	var out []string
	switch f.Operator {
	case "HAS_PROPERTY", "NOT_HAS_PROPERTY":
	case "IN", "NOT_IN":
		for _, v := range *f.Values {
			out = append(out, string(v))
		}
	default:
		out = append(out, string(*f.Value))
		if f.Operator == "BETWEEN" {
			out = append(out, string(*f.High))
		}
	}
	return out
}

// operand reads a number, or a time as ms or ISO 8601.
func operand(value string, as comparison) (exact int64, number float64, ok bool) {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return n, float64(n), true
	}
	if as == asTime {
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, value); err == nil {
				return at.UnixMilli(), float64(at.UnixMilli()), true
			}
		}
		return 0, 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	return int64(n), n, err == nil
}

func (m *matcher) match(rec *record, v version) bool {
	return m.matchGroups(rec, v) && m.matchWords(v)
}

func (m *matcher) matchGroups(rec *record, v version) bool {
	if len(m.groups) == 0 {
		return true
	}
	for _, all := range m.groups {
		holds := true
		for i := range all {
			if !all[i].match(rec, v) {
				holds = false
				break
			}
		}
		if holds {
			return true
		}
	}
	return false
}

func (m *matcher) matchWords(v version) bool {
	if len(m.words) == 0 {
		return true
	}
	var have []string
	for _, n := range m.texts {
		value, _ := v.value(n)
		have = append(have, tokens(value)...)
	}
	for _, word := range m.words {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, word) }) {
			return false
		}
	}
	return true
}

func (c *condition) match(rec *record, v version) bool {
	if c.linked != nil {
		return c.matchLinked(rec)
	}
	switch c.kind {
	case recordID:
		return c.exact(rec.id)
	case createdTime:
		return c.exact(rec.created)
	case modifiedTime:
		return c.exact(v.updated)
	case stored:
	}
	value, ok := v.value(c.number)
	has := ok && value != ""
	switch c.operator {
	case "HAS_PROPERTY":
		return has
	case "NOT_HAS_PROPERTY":
		return !has
	case "NEQ", "NOT_IN", "NOT_CONTAINS_TOKEN":
		return !has || !c.holds(negated(c.operator), value)
	}
	return has && c.holds(c.operator, value)
}

func negated(operator string) string {
	switch operator {
	case "NEQ":
		return "EQ"
	case "NOT_IN":
		return "IN"
	}
	return "CONTAINS_TOKEN"
}

// exact compares ids and times of the record itself.
func (c *condition) exact(have int64) bool {
	switch c.operator {
	case "EQ":
		return have == c.exactLow
	case "NEQ":
		return have != c.exactLow
	case "LT":
		return have < c.exactLow
	case "LTE":
		return have <= c.exactLow
	case "GT":
		return have > c.exactLow
	case "GTE":
		return have >= c.exactLow
	case "BETWEEN":
		return have >= c.exactLow && have <= c.exactHigh
	case "IN":
		return slices.Contains(c.exactLists, have)
	case "NOT_IN":
		return !slices.Contains(c.exactLists, have)
	case "HAS_PROPERTY":
		return true
	}
	return false
}

// holds compares a stored value.
func (c *condition) holds(operator, value string) bool {
	switch operator {
	case "IN":
		// Strings are kept in lower case and found so only; choices as they are.
		if c.compares == asText {
			value = strings.ToLower(value)
		}
		return slices.ContainsFunc(c.values, func(v string) bool { return v == value || c.compares == asNumber && sameNumber(v, value) })
	case "CONTAINS_TOKEN":
		return containsToken(value, c.low)
	}
	if c.compares == asNumber || c.compares == asTime {
		_, have, ok := operand(value, c.compares)
		return ok && compare(operator, have, c.lowN, c.highN)
	}
	if c.compares == asChoice {
		return compare(operator, value, c.low, c.high)
	}
	return compare(operator, strings.ToLower(value), strings.ToLower(c.low), strings.ToLower(c.high))
}

func compare[T float64 | string](operator string, have, low, high T) bool {
	switch operator {
	case "EQ":
		return have == low
	case "LT":
		return have < low
	case "LTE":
		return have <= low
	case "GT":
		return have > low
	case "GTE":
		return have >= low
	case "BETWEEN":
		return have >= low && have <= high
	}
	return false
}

func sameNumber(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

func (c *condition) matchLinked(rec *record) bool {
	ids := c.linked(rec)
	has := func(v string) bool {
		id, err := strconv.ParseInt(v, 10, 64)
		return err == nil && slices.Contains(ids, id)
	}
	switch c.operator {
	case "HAS_PROPERTY":
		return len(ids) > 0
	case "NOT_HAS_PROPERTY":
		return len(ids) == 0
	case "EQ", "IN":
		return slices.ContainsFunc(c.values, has)
	case "NEQ", "NOT_IN":
		return !slices.ContainsFunc(c.values, has)
	}
	return false
}

// tokens are the words of a text in lower case.
func tokens(value string) []string {
	return strings.FieldsFunc(strings.ToLower(value), func(r rune) bool {
		return r != '*' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// containsToken looks for the words of a filter, which may hold a * at either end.
func containsToken(value, wanted string) bool {
	have := tokens(value)
	for _, word := range tokens(wanted) {
		bare := strings.Trim(word, "*")
		match := func(h string) bool {
			switch start, end := strings.HasPrefix(word, "*"), strings.HasSuffix(word, "*"); {
			case start && end:
				return strings.Contains(h, bare)
			case start:
				return strings.HasSuffix(h, bare)
			case end:
				return strings.HasPrefix(h, bare)
			}
			return h == bare
		}
		if !slices.ContainsFunc(have, match) {
			return false
		}
	}
	return true
}
