package gainsightsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

type where struct {
	Conditions []struct {
		Name     string `json:"name"`
		Alias    string `json:"alias"`
		Value    []any  `json:"value"`
		Operator string `json:"operator"`
	} `json:"conditions"`
	Expression string `json:"expression"`
}

// condition compares a field of a row with values.
type condition struct {
	path     path
	operator string
	values   []value
}

// indexed reports whether an index can find the condition's rows.
func (c condition) indexed() bool {
	return (c.operator == "EQ" || c.operator == "IN") && len(c.path.hops) == 0
}

// operators :: name → how many values it takes; -1 is one or more.
var operators = map[string]int{ //nolint:gochecknoglobals // a table that never varies
	"EQ": 1, "NE": 1, "LT": 1, "GT": 1, "LTE": 1, "GTE": 1, "BTW": 2, "IN": -1,
	"CONTAINS": 1, "DOES_NOT_CONTAIN": 1, "STARTS_WITH": 1, "ENDS_WITH": 1,
	"IS_NULL": 0, "IS_NOT_NULL": 0, "INCLUDES": -1, "EXCLUDES": -1,
}

// conditions checks where, and returns the groups of conditions of which one
// must hold: AND binds more than OR [assumed]. nil means all rows.
func (s *Sim) conditions(o *object, w *where) ([][]condition, *refusal) {
	if w == nil || len(w.Conditions) == 0 {
		return nil, nil
	}
	byAlias := map[string]condition{}
	var all []condition
	for _, raw := range w.Conditions {
		p, ok := s.resolve(o, raw.Name)
		if !ok {
			return nil, invalidField(raw.Name, nil)
		}
		c := condition{path: p, operator: raw.Operator}
		n, ok := operators[c.operator]
		if !ok {
			return nil, malformed("Invalid operator %s", raw.Operator)
		}
		if n != len(raw.Value) && n > 0 || n < 0 && len(raw.Value) == 0 {
			return nil, malformed("Invalid number of values for operator %s", raw.Operator)
		}
		if most := s.switches.MaxIn; most > 0 && len(raw.Value) > most { // the code is [assumed]
			return nil, malformed("Too many values for operator %s", raw.Operator)
		}
		if n == 0 {
			raw.Value = nil
		}
		for _, v := range raw.Value {
			known, bad := filterValue(p.field, v)
			if bad != nil {
				return nil, bad
			}
			c.values = append(c.values, known)
		}
		byAlias[raw.Alias] = c
		all = append(all, c)
	}
	if strings.TrimSpace(w.Expression) == "" {
		return [][]condition{all}, nil // without an expression all must hold [assumed]
	}
	return combine(w.Expression, byAlias)
}

// combine parses an expression. Parentheses are refused: they are not documented.
func combine(expression string, byAlias map[string]condition) ([][]condition, *refusal) {
	wrong := malformed("Invalid expression %s", expression)
	words := strings.Fields(expression)
	if len(words)%2 == 0 {
		return nil, wrong
	}
	groups := [][]condition{nil}
	for i, word := range words {
		if i%2 == 0 {
			c, ok := byAlias[word]
			if !ok {
				return nil, wrong
			}
			last := len(groups) - 1
			groups[last] = append(groups[last], c)
			continue
		}
		switch strings.ToUpper(word) {
		case "AND":
		case "OR":
			groups = append(groups, nil)
		default:
			return nil, wrong
		}
	}
	return groups, nil
}

// filterValue returns the stored form of a value to compare with.
func filterValue(f *field, v any) (value, *refusal) {
	switch v := v.(type) {
	case bool:
		if f.DataType == "BOOLEAN" {
			return boolValue(v), nil
		}
	case float64:
		switch kindOf(f.DataType) {
		case number:
			return numberValue(v), nil
		case text: // a number as the text of one [assumed]
			return textValue(strconv.FormatFloat(v, 'f', -1, 64)), nil
		case null, boolean:
		}
	case string:
		return filterText(f, v)
	}
	return value{}, invalidType(f, v)
}

func filterText(f *field, t string) (value, *refusal) {
	switch f.DataType {
	case "PICKLIST", "MULTISELECTDROPDOWNLIST":
		if i, ok := f.item(t); ok {
			return textValue(f.items[i]), nil
		}
		return textValue(t), nil // an item that does not exist matches nothing [assumed]
	case "DATE", "DATETIME":
		// Text without a zone is UTC [assumed].
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", time.DateTime, time.DateOnly, "01-02-2006"} {
			if at, err := time.Parse(layout, t); err == nil {
				return numberValue(float64(at.UnixMilli())), nil
			}
		}
		return value{}, &refusal{code: "GSOBJ_1005", message: "Invalid dateTime format", field: f.Name, invalid: t, form: "%s (%s= %s)"}
	case "NUMBER", "PERCENTAGE", "CURRENCY":
		return convertNumber(f, t)
	case "BOOLEAN":
		return value{}, invalidType(f, t)
	}
	return textValue(t), nil
}

// holds reports whether the condition holds for a row. A null field meets only
// IS_NULL, NE, DOES_NOT_CONTAIN and EXCLUDES [assumed].
func (c condition) holds(row string, fold bool) bool {
	v := c.path.of(row)
	switch c.operator {
	case "IS_NULL":
		return v.kind == null
	case "IS_NOT_NULL":
		return v.kind != null
	case "NE":
		return v.compare(c.values[0], fold) != 0
	case "DOES_NOT_CONTAIN":
		return !c.matchesText(v, fold, strings.Contains)
	case "EXCLUDES":
		return !c.includes(v)
	}
	if v.kind == null {
		return false
	}
	switch c.operator {
	case "EQ", "IN":
		return slices.ContainsFunc(c.values, func(w value) bool { return v.compare(w, fold) == 0 })
	case "LT":
		return v.compare(c.values[0], fold) < 0
	case "LTE":
		return v.compare(c.values[0], fold) <= 0
	case "GT":
		return v.compare(c.values[0], fold) > 0
	case "GTE":
		return v.compare(c.values[0], fold) >= 0
	case "BTW": // both ends belong to it [assumed]
		return v.compare(c.values[0], fold) >= 0 && v.compare(c.values[1], fold) <= 0
	case "CONTAINS":
		return c.matchesText(v, fold, strings.Contains)
	case "STARTS_WITH":
		return c.matchesText(v, fold, strings.HasPrefix)
	case "ENDS_WITH":
		return c.matchesText(v, fold, strings.HasSuffix)
	}
	return c.includes(v) // INCLUDES
}

func (c condition) matchesText(v value, fold bool, match func(s, part string) bool) bool {
	s, part := v.s, c.values[0].s
	if fold {
		s, part = strings.ToLower(s), strings.ToLower(part)
	}
	return v.kind == text && match(s, part)
}

// includes reports whether one of the condition's items is among v's.
func (c condition) includes(v value) bool {
	for item := range strings.SplitSeq(v.s, ";") {
		if v.kind == text && slices.ContainsFunc(c.values, func(w value) bool { return w.s == item }) {
			return true
		}
	}
	return false
}
