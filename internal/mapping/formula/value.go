package formula

import (
	"math"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/mapping/condition"
)

func isNull(v any) bool { return v == nil || v == "" }

// number returns a value that is a number.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// numberOf reads a number that a float64 holds exactly to 15 digits.
func numberOf(text string) (float64, bool) {
	n, ok := condition.ParseNumber(text)
	if !ok {
		return 0, false
	}
	digits := strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(n.String()), "0")
	f, err := strconv.ParseFloat(n.String(), 64)
	return f, err == nil && len(digits) <= 15
}

// whole returns a value that is a whole number of a size that counts characters.
func whole(v any) (int, bool) {
	n, ok := asNumber(v)
	if !ok || n != math.Trunc(n) || math.Abs(n) > 1e9 {
		return 0, false
	}
	return int(n), true
}

// finite refuses what no number is, such as the result of a division by zero.
func finite(n float64) (any, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, errArgument
	}
	return n, nil
}

// textOf is the text of a value. A number is written to 15 digits, which hides
// what binary fractions add to 0.1 + 0.2.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format("2006-01-02")
		}
		return v.Format("2006-01-02T15:04:05.000Z")
	}
	n, _ := asNumber(v)
	short, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 15, 64), 64)
	if err != nil || short == 0 { // and no minus before zero
		return "0"
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

func truth(v any) (bool, error) {
	if isNull(v) {
		return false, nil
	}
	b, ok := v.(bool)
	if !ok {
		return false, errArgument
	}
	return b, nil
}

func moment(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case string:
		if m, ok := condition.ParseMoment(v, false); ok {
			return time.UnixMilli(m.Milli).UTC(), nil
		}
	}
	return time.Time{}, errArgument
}

func concat(args []any) (any, error) {
	var b strings.Builder
	for _, v := range args {
		if !isNull(v) {
			b.WriteString(textOf(v))
		}
		if b.Len() > maxText {
			return nil, errArgument
		}
	}
	return b.String(), nil
}

// cut returns n characters of a text behind the first skip.
func cut(text, skip, n any) (any, error) {
	from, okFrom := whole(skip)
	count, okCount := whole(n)
	if !okFrom || !okCount {
		return nil, errArgument
	}
	runes := []rune(textOf(text))
	from = min(max(from, 0), len(runes))
	return string(runes[from:min(from+max(count, 0), len(runes))]), nil
}

func substring(args []any) (any, error) {
	from, ok := whole(args[1])
	if !ok || from < 1 {
		return nil, errArgument
	}
	n := any(1e9)
	if len(args) == 3 {
		n = args[2]
	}
	return cut(args[0], float64(from-1), n)
}

// replace of null is null; what is replaced by null is taken out.
func replace(args []any) (any, error) {
	if isNull(args[0]) || isNull(args[1]) {
		return args[0], nil
	}
	by := ""
	if !isNull(args[2]) {
		by = textOf(args[2])
	}
	text, what := textOf(args[0]), textOf(args[1])
	if strings.Count(text, what)*len(by) > maxText {
		return nil, errArgument
	}
	return strings.ReplaceAll(text, what, by), nil
}

func split(args []any) (any, error) {
	n, ok := whole(args[2])
	if !ok || n == 0 {
		return nil, errArgument
	}
	pieces := strings.Split(textOf(args[0]), textOf(args[1]))
	if n < 0 {
		n += len(pieces) + 1
	}
	if n < 1 || n > len(pieces) {
		return nil, nil //nolint:nilnil // null is a value here
	}
	return pieces[n-1], nil
}

func toNumber(args []any) (any, error) {
	if n, ok := asNumber(args[0]); ok {
		return n, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, errArgument
	}
	n, ok := numberOf(text)
	if !ok {
		return nil, errArgument
	}
	return n, nil
}

func round(args []any) (any, error) {
	n, ok := asNumber(args[0])
	digits := 0
	if ok && len(args) == 2 {
		digits, ok = whole(args[1])
	}
	if !ok || digits < -15 || digits > 15 {
		return nil, errArgument
	}
	// By its decimal digits, because 1.005 is a little less than it looks.
	short, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 15, 64)+"e"+strconv.Itoa(digits), 64)
	if err != nil {
		short = n * math.Pow10(digits)
	}
	back, err := strconv.ParseFloat(strconv.FormatFloat(math.Round(short), 'f', -1, 64)+"e"+strconv.Itoa(-digits), 64)
	if err != nil {
		return nil, errArgument
	}
	return finite(back)
}

func extreme(pick func(a, b float64) float64) func([]any) (any, error) {
	return func(args []any) (any, error) {
		best, ok := asNumber(args[0])
		for _, v := range args[1:] {
			n, isNumber := asNumber(v)
			best, ok = pick(best, n), ok && isNumber
		}
		if !ok {
			return nil, errArgument
		}
		return best, nil
	}
}

func arithmetic(combine func(a, b float64) float64) func([]any) (any, error) {
	return func(args []any) (any, error) {
		a, okA := asNumber(args[0])
		b, okB := asNumber(args[1])
		if !okA || !okB {
			return nil, errArgument
		}
		return finite(combine(a, b))
	}
}

// add adds two numbers, or joins two texts or a text and another value.
func add(args []any) (any, error) {
	_, textA := args[0].(string)
	_, textB := args[1].(string)
	if textA || textB {
		return concat(args)
	}
	return arithmetic(func(a, b float64) float64 { return a + b })(args)
}

func dateAdd(args []any) (any, error) {
	at, err := moment(args[0])
	n, ok := whole(args[1])
	unit, isText := args[2].(string)
	if err != nil || !ok || !isText || n > 1_000_000 || n < -1_000_000 {
		return nil, errArgument
	}
	switch strings.TrimSuffix(strings.ToLower(unit), "s") {
	case "minute":
		at = at.Add(time.Duration(n) * time.Minute)
	case "hour":
		at = at.Add(time.Duration(n) * time.Hour)
	case "day":
		at = at.AddDate(0, 0, n)
	case "week":
		at = at.AddDate(0, 0, 7*n)
	case "month":
		at = addMonths(at, n)
	case "year":
		at = addMonths(at, 12*n)
	default:
		return nil, errArgument
	}
	if at.Year() < 1 || at.Year() > 9999 {
		return nil, errArgument
	}
	return at, nil
}

// addMonths keeps the day, or takes the last one of a shorter month.
func addMonths(at time.Time, n int) time.Time {
	first := time.Date(at.Year(), at.Month()+time.Month(n), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

func dateDiff(args []any) (any, error) {
	a, errA := moment(args[0])
	b, errB := moment(args[1])
	if errA != nil || errB != nil {
		return nil, errArgument
	}
	return math.Trunc(float64(a.Unix()-b.Unix()) / (24 * 60 * 60)), nil
}

var layouts = strings.NewReplacer("YYYY", "2006", "YY", "06", "MM", "01", "DD", "02", "HH", "15", "mm", "04", "ss", "05") //nolint:gochecknoglobals // a constant

func dateFormat(args []any) (any, error) {
	at, err := moment(args[0])
	layout, ok := args[1].(string)
	if err != nil || !ok {
		return nil, errArgument
	}
	// Piece by piece, because other digits and words would be taken for a layout.
	var b strings.Builder
	for layout != "" {
		piece := layout[:1]
		for _, known := range []string{"YYYY", "YY", "MM", "DD", "HH", "mm", "ss"} {
			if strings.HasPrefix(layout, known) {
				piece = known
				break
			}
		}
		layout = layout[len(piece):]
		if len(piece) > 1 {
			piece = at.Format(layouts.Replace(piece))
		}
		b.WriteString(piece)
	}
	return b.String(), nil
}
