package formula

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// function is one function of expressions.
type function struct {
	usage, meaning string // for people; none for what stands for an operator
	least, most    int    // arguments; most < 0 = any number
	// nulls says that it takes null; others give null if an argument is null.
	nulls bool
	call  func(args []any) (any, error)
}

var errArgument = errors.New("a value of another type is needed")

// guarded computes the function.
func (f function) guarded(args []any) (any, error) {
	if !f.nulls && slices.ContainsFunc(args, isNull) {
		return nil, nil //nolint:nilnil // null is a value here
	}
	made, err := f.call(args)
	if text, ok := made.(string); ok && len(text) > maxText {
		return nil, errors.New("a text is too long")
	}
	return made, err
}

// Function tells people about one function.
type Function struct{ Name, Usage, Meaning string }

// Functions returns the functions that an expression may call, by name.
func Functions() []Function {
	all := []Function{
		{"field", `field("First Name")`, "A field whose name is not a word."},
		{"now", "now()", "The moment of the run."},
	}
	for name, fn := range functions {
		if fn.usage != "" {
			all = append(all, Function{name, fn.usage, fn.meaning})
		}
	}
	slices.SortFunc(all, func(a, b Function) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// functions :: name → what it does
var functions = map[string]function{ //nolint:gochecknoglobals // a constant
	"concat": {usage: "concat(a, b, …)", meaning: "The texts one behind the other; null counts as nothing.", least: 1, most: -1, nulls: true, call: concat},
	"upper":  onText("upper(text)", "In upper case.", strings.ToUpper),
	"lower":  onText("lower(text)", "In lower case.", strings.ToLower),
	"trim":   onText("trim(text)", "Without blanks at both ends.", strings.TrimSpace),
	"left": {usage: "left(text, n)", meaning: "The first n characters.", least: 2, most: 2, call: func(a []any) (any, error) {
		return cut(a[0], 0.0, a[1])
	}},
	"right": {usage: "right(text, n)", meaning: "The last n characters.", least: 2, most: 2, call: func(a []any) (any, error) {
		n, ok := whole(a[1])
		if !ok {
			return nil, errArgument
		}
		return cut(a[0], float64(max(0, len([]rune(textOf(a[0])))-max(0, n))), float64(n))
	}},
	"substring": {usage: "substring(text, from, n)", meaning: "n characters from the given one on; the first is 1. Without n, all that follow.", least: 2, most: 3, call: substring},
	"replace":   {usage: "replace(text, what, by)", meaning: "Each occurrence of what, replaced.", least: 3, most: 3, nulls: true, call: replace},
	"split":     {usage: "split(text, separator, n)", meaning: "The nth piece between separators; the first is 1, the last -1. Null if there is none.", least: 3, most: 3, call: split},
	"length":    {usage: "length(text)", meaning: "The number of characters.", least: 1, most: 1, call: func(a []any) (any, error) { return float64(len([]rune(textOf(a[0])))), nil }},
	"text":      {usage: "text(value)", meaning: "The value as a text.", least: 1, most: 1, call: func(a []any) (any, error) { return textOf(a[0]), nil }},
	"number":    {usage: "number(text)", meaning: "The number that the text holds.", least: 1, most: 1, call: toNumber},
	"round":     {usage: "round(number, digits)", meaning: "Rounded, half away from zero; without digits to a whole number.", least: 1, most: 2, call: round},
	"abs":       onNumber("abs(number)", "Without its sign.", math.Abs),
	"floor":     onNumber("floor(number)", "The next lower whole number.", math.Floor),
	"ceil":      onNumber("ceil(number)", "The next higher whole number.", math.Ceil),
	"min":       {usage: "min(a, b, …)", meaning: "The smallest number.", least: 1, most: -1, call: extreme(math.Min)},
	"max":       {usage: "max(a, b, …)", meaning: "The greatest number.", least: 1, most: -1, call: extreme(math.Max)},
	"date":      {usage: `date("2026-01-31")`, meaning: "The date or time that the text holds.", least: 1, most: 1, call: func(a []any) (any, error) { return moment(a[0]) }},
	"dateAdd": {
		usage: `dateAdd(date, n, "days")`, meaning: "The date n days, months, years, hours or minutes later. A month later than 31 January is the last day of February.",
		least: 3, most: 3, call: dateAdd,
	},
	"dateDiff": {usage: "dateDiff(a, b)", meaning: "The whole days from b to a.", least: 2, most: 2, call: dateDiff},
	"dateFormat": {
		usage: `dateFormat(date, "YYYY-MM-DD")`, meaning: "The date as a text, in UTC: YYYY, YY, MM, DD, HH, mm and ss are replaced.",
		least: 2, most: 2, call: dateFormat,
	},
	"coalesce": {usage: "coalesce(a, b, …)", meaning: "The first that is not null.", least: 1, most: -1, nulls: true, call: func(a []any) (any, error) {
		for _, v := range a {
			if !isNull(v) {
				return v, nil
			}
		}
		return nil, nil //nolint:nilnil // null is a value here
	}},
	"if": {usage: "if(condition, then, else)", meaning: "One of two values; null counts as false.", least: 2, most: 3, nulls: true, call: func(a []any) (any, error) {
		holds, err := truth(a[0])
		switch {
		case err != nil:
			return nil, err
		case holds:
			return a[1], nil
		case len(a) == 3:
			return a[2], nil
		}
		return nil, nil //nolint:nilnil // null is a value here
	}},

	"op_add":       {least: 2, most: 2, call: add},
	"op_subtract":  {least: 2, most: 2, call: arithmetic(func(a, b float64) float64 { return a - b })},
	"op_multiply":  {least: 2, most: 2, call: arithmetic(func(a, b float64) float64 { return a * b })},
	"op_divide":    {least: 2, most: 2, call: arithmetic(func(a, b float64) float64 { return a / b })},
	"op_modulo":    {least: 2, most: 2, call: arithmetic(math.Mod)},
	"op_negative":  onNumber("", "", func(a float64) float64 { return -a }),
	"op_positive":  onNumber("", "", func(a float64) float64 { return a }),
	"op_equal":     {least: 2, most: 2, nulls: true, call: func(a []any) (any, error) { return equal(a[0], a[1]), nil }},
	"op_different": {least: 2, most: 2, nulls: true, call: func(a []any) (any, error) { return !equal(a[0], a[1]), nil }},
	"op_less":      comparison(func(order int) bool { return order < 0 }),
	"op_most":      comparison(func(order int) bool { return order <= 0 }),
	"op_more":      comparison(func(order int) bool { return order > 0 }),
	"op_least":     comparison(func(order int) bool { return order >= 0 }),
	"op_not":       {least: 1, most: 1, nulls: true, call: func(a []any) (any, error) { b, err := truth(a[0]); return !b, err }},
	"op_contains":  onTexts(strings.Contains),
	"op_starts":    onTexts(strings.HasPrefix),
	"op_ends":      onTexts(strings.HasSuffix),
	"op_and":       logic(func(a, b bool) bool { return a && b }),
	"op_or":        logic(func(a, b bool) bool { return a || b }),
}

func onText(usage, meaning string, make func(string) string) function {
	return function{usage: usage, meaning: meaning, least: 1, most: 1, call: func(a []any) (any, error) { return make(textOf(a[0])), nil }}
}

// onTexts compares two texts without case; with null it does not hold.
func onTexts(holds func(text, part string) bool) function {
	return function{least: 2, most: 2, nulls: true, call: func(a []any) (any, error) {
		return !isNull(a[0]) && !isNull(a[1]) && holds(strings.ToLower(textOf(a[0])), strings.ToLower(textOf(a[1]))), nil
	}}
}

func onNumber(usage, meaning string, make func(float64) float64) function {
	return function{usage: usage, meaning: meaning, least: 1, most: 1, call: func(a []any) (any, error) {
		n, ok := asNumber(a[0])
		if !ok {
			return nil, errArgument
		}
		return finite(make(n))
	}}
}

func logic(join func(a, b bool) bool) function {
	return function{least: 2, most: 2, nulls: true, call: func(args []any) (any, error) {
		a, errA := truth(args[0])
		b, errB := truth(args[1])
		return join(a, b), errors.Join(errA, errB)
	}}
}

// comparison holds for two numbers, two dates or two texts; with null never.
func comparison(holds func(order int) bool) function {
	return function{least: 2, most: 2, nulls: true, call: func(args []any) (any, error) {
		if isNull(args[0]) || isNull(args[1]) {
			return false, nil
		}
		order, err := compare(args[0], args[1])
		return holds(order), err
	}}
}

func compare(a, b any) (int, error) {
	x, okX := asNumber(a)
	y, okY := asNumber(b)
	_, timeA := a.(time.Time)
	_, timeB := b.(time.Time)
	switch {
	case okX && okY:
		return cmp.Compare(x, y), nil
	case timeA || timeB:
		at, errA := moment(a)
		bt, errB := moment(b)
		return at.Compare(bt), errors.Join(errA, errB)
	}
	s, okS := a.(string)
	t, okT := b.(string)
	if !okS || !okT {
		return 0, errArgument
	}
	return strings.Compare(s, t), nil
}

// equal compares values of any types; those of different types differ.
func equal(a, b any) bool {
	if isNull(a) || isNull(b) {
		return isNull(a) && isNull(b)
	}
	if x, ok := a.(bool); ok {
		y, ok := b.(bool)
		return ok && x == y
	}
	order, err := compare(a, b)
	return err == nil && order == 0
}
