// Package condition chooses records: conditions on fields, joined by an
// expression over their letters, checked against the fields' types.
//
// Absent, null and "" are the same here: null. isNull holds for it, isNotNull
// does not; of the other comparisons only the negative ones (notEquals,
// notContains, notIn, excludes) hold for null. A value that does not fit the
// type of its field, such as "1,800.00" in a number, is compared like null,
// though isNull does not hold for it.
package condition

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/record"
)

// Problem is one thing that is wrong with a Filter.
type Problem struct {
	Path    string // such as "conditions[0].value" or "expression"
	Message string // one sentence for the admin
}

// Matcher is a compiled Filter. Its methods may run at once. The zero Matcher
// always holds.
type Matcher struct{ whole test }

// maxConditions is one condition per letter.
const maxConditions = 26

// Compile checks a Filter against the fields it may compare and reports every
// problem; with problems the Matcher is nil. A condition on an archived field is
// not checked and never holds: it is for the caller to report such fields.
func Compile(f Filter, fields []record.Field) (*Matcher, []Problem) {
	if len(f.Conditions) == 0 {
		if strings.TrimSpace(f.Expression) == "" {
			return &Matcher{}, nil
		}
		return nil, []Problem{{"expression", "The expression has no conditions to join: add conditions, or clear it."}}
	}
	if len(f.Conditions) > maxConditions {
		return nil, []Problem{{"conditions", fmt.Sprintf("A filter has at most %d conditions, and this one has %d: remove some.", maxConditions, len(f.Conditions))}}
	}
	var problems []Problem
	tests := make([]test, len(f.Conditions))
	for i, c := range f.Conditions {
		var wrong []Problem
		tests[i], wrong = compile(c, fields)
		for _, p := range wrong {
			problems = append(problems, Problem{fmt.Sprintf("conditions[%d].%s", i, p.Path), "Condition " + letter(i) + ": " + p.Message})
		}
	}
	whole := every(tests)
	if strings.TrimSpace(f.Expression) != "" {
		var wrong []string
		whole, wrong = parse(f.Expression, tests)
		for _, message := range wrong {
			problems = append(problems, Problem{"expression", message})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return &Matcher{whole: whole}, nil
}

// Match reports whether the filter holds. values are parallel to the fields that
// Compile was given; nil is absent or null. Relative conditions count from now.
func (m *Matcher) Match(values []*string, now time.Time) bool {
	return m.whole == nil || m.whole(values, now)
}

// compile compiles one condition; the paths of its problems are its own fields.
func compile(c Condition, fields []record.Field) (test, []Problem) {
	at := slices.IndexFunc(fields, func(f record.Field) bool { return f.Name == c.Field })
	if c.Field == "" {
		return nil, []Problem{{"field", "it compares no field yet; choose one, or remove the condition."}}
	}
	if at < 0 {
		return nil, []Problem{{"field", fmt.Sprintf("the dataset has no field %q; add it to the dataset, or choose another one.", c.Field)}}
	}
	field := fields[at]
	if field.Archived {
		return func([]*string, time.Time) bool { return false }, nil
	}
	kind := kindOf(field.Type)
	if !slices.Contains(kind.ops(), c.Op) {
		return nil, []Problem{{"op", misfit(c.Op, field, kind)}}
	}
	if wrong := count(c); wrong != "" {
		return nil, []Problem{{"value", wrong}}
	}
	holds, wrong := kind.compare(c, field)
	if wrong != "" {
		return nil, []Problem{{"value", wrong}}
	}
	null := holdsForNull(c.Op)
	return func(values []*string, now time.Time) bool {
		if v := values[at]; v != nil && *v != "" {
			return holds(*v, now)
		}
		return null
	}, nil
}

func misfit(op Op, field record.Field, k kind) string {
	name := field.Label
	if name == "" {
		name = field.Name
	}
	if len(k.ops()) == 0 {
		return fmt.Sprintf("%q is of a type that cannot be compared; choose another field.", name)
	}
	texts := make([]string, len(k.ops()))
	for i, one := range k.ops() {
		texts[i] = string(one)
	}
	return fmt.Sprintf("%q does not fit %q, which is a %s; use one of %s.", string(op), name, k, strings.Join(texts, ", "))
}

// count checks how many values a condition has.
func count(c Condition) string {
	n := len(c.Value)
	switch c.Op {
	case IsNull, IsNotNull:
		if n > 0 {
			return fmt.Sprintf("%s takes no value; clear it.", c.Op)
		}
	case In, NotIn, Includes, Excludes:
		if n == 0 {
			return fmt.Sprintf("%s needs at least one value; give one.", c.Op)
		}
	case Between:
		if n != 2 {
			return "between needs two values, the first and the last day; give both."
		}
	case Equals, NotEquals, Contains, NotContains, StartsWith, EndsWith, Less, LessOrEqual, Greater, GreaterOrEqual,
		Before, After, InLastDays:
		if n != 1 {
			return fmt.Sprintf("%s needs one value; give exactly one.", c.Op)
		}
	}
	if c.Op != IsNull && slices.Contains(c.Value, "") {
		return "a value is empty; give one, or use isNull or isNotNull."
	}
	return ""
}

// negative says whether the comparison is the opposite of another one.
func negative(op Op) bool {
	return op == NotEquals || op == NotContains || op == NotIn || op == Excludes
}

func holdsForNull(op Op) bool { return op == IsNull || negative(op) }
