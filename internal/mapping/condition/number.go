package condition

import (
	"strconv"
	"strings"
)

// Number is a decimal number, kept exactly. The zero Number is 0.
type Number struct {
	negative bool
	digits   string // without leading and trailing zeros, "" for 0
	exp      int    // the value is 0.digits × 10^exp
}

// maxExponent bounds a number's size: what no double can hold is not a number
// that either side could mean.
const maxExponent = 308

// ParseNumber reads a number in the form that JSON has: "-0", "1e21" and
// "9007199254740993" are numbers, "1,800.00", "+5", "007", ".5" and "N/A" are
// not; nor is one outside 1e±308. Outer spaces do not count.
func ParseNumber(s string) (Number, bool) {
	s = strings.TrimSpace(s)
	var n Number
	rest, negative := strings.CutPrefix(s, "-")
	n.negative = negative
	whole, rest := digits(rest)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return Number{}, false
	}
	var fraction string
	if after, dot := strings.CutPrefix(rest, "."); dot {
		if fraction, rest = digits(after); fraction == "" {
			return Number{}, false
		}
	}
	exp := 0
	if rest != "" {
		if rest[0] != 'e' && rest[0] != 'E' || len(rest) > 10 {
			return Number{}, false
		}
		var err error
		if exp, err = strconv.Atoi(rest[1:]); err != nil {
			return Number{}, false
		}
	}
	all := strings.TrimLeft(whole+fraction, "0")
	n.exp = exp + len(whole) - (len(whole) + len(fraction) - len(all))
	n.digits = strings.TrimRight(all, "0")
	if n.digits == "" {
		return Number{}, exp >= -maxExponent && exp <= maxExponent
	}
	return n, n.exp-1 <= maxExponent && n.exp-1 >= -maxExponent
}

// digits cuts the digits that s begins with.
func digits(s string) (head, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// Compare returns -1, 0 or 1 as n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int {
	a, b := n.sign(), m.sign()
	if a != b || a == 0 {
		return order(a < b, a > b)
	}
	size := order(n.exp < m.exp, n.exp > m.exp)
	if size == 0 {
		size = strings.Compare(n.digits, m.digits)
	}
	return a * size
}

func (n Number) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.negative:
		return -1
	}
	return 1
}

func order(less, greater bool) int {
	switch {
	case less:
		return -1
	case greater:
		return 1
	}
	return 0
}

// String returns the number without an exponent and without needless zeros, the
// same text for equal numbers.
func (n Number) String() string {
	var b strings.Builder
	if n.digits == "" {
		return "0"
	}
	if n.negative {
		b.WriteByte('-')
	}
	switch {
	case n.exp <= 0:
		b.WriteString("0." + strings.Repeat("0", -n.exp) + n.digits)
	case n.exp >= len(n.digits):
		b.WriteString(n.digits + strings.Repeat("0", n.exp-len(n.digits)))
	default:
		b.WriteString(n.digits[:n.exp] + "." + n.digits[n.exp:])
	}
	return b.String()
}

// ParseBool reads "true" or "false" in any case; nothing else is a boolean.
// Outer spaces do not count.
func ParseBool(s string) (value, ok bool) {
	s = strings.TrimSpace(s)
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// Items returns the items of a multi-select value, which the source joins with
// ";", without outer spaces and empty items.
func Items(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ";") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
