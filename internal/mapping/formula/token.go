package formula

import (
	"strconv"
	"strings"
	"unicode"
)

// kind is what a token is.
type kind string

const (
	word   kind = "word" // a name, or an operator such as and
	number kind = "number"
	text   kind = "text"
	sign   kind = "sign" // an operator, a bracket or a comma
	end    kind = "end"
)

// token is a piece of an expression.
type token struct {
	kind  kind
	text  string // of a text what it says
	value float64
	at    int // the place of its first character, from 1
}

// said is the token in a message.
func (t token) said() string {
	if t.kind == end {
		return "the end"
	}
	return strconv.Quote(t.text)
}

// signs are the signs, those of two characters first.
var signs = []string{"==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "?", ":", "(", ")", ","} //nolint:gochecknoglobals // a constant

// scan splits an expression.
func scan(expression string) ([]token, error) {
	var tokens []token
	chars := []rune(expression)
	for i := 0; i < len(chars); {
		c, begun := chars[i], i
		t := token{at: i + 1}
		switch {
		case unicode.IsSpace(c):
			i++
			continue
		case c == '"' || c == '\'' || c == '`':
			said, length, ok := quoted(chars[i:])
			if !ok {
				return nil, wrong("The text that begins at character %d has no end: close it with %c.", t.at, c)
			}
			t.kind, t.text, i = text, said, i+length
		case c >= '0' && c <= '9':
			for i < len(chars) && (chars[i] >= '0' && chars[i] <= '9' || chars[i] == '.') {
				i++
			}
			n, err := strconv.ParseFloat(string(chars[begun:i]), 64)
			if err != nil {
				return nil, wrong("%q at character %d is not a number.", string(chars[begun:i]), t.at)
			}
			t.kind, t.text, t.value = number, string(chars[begun:i]), n
		case c == '_' || unicode.IsLetter(c):
			for i < len(chars) && (chars[i] == '_' || unicode.IsLetter(chars[i]) || unicode.IsDigit(chars[i])) {
				i++
			}
			t.kind, t.text = word, string(chars[begun:i])
		default:
			for _, s := range signs {
				if strings.HasPrefix(string(chars[i:min(i+2, len(chars))]), s) {
					t.kind, t.text = sign, s
					break
				}
			}
			if t.kind == "" {
				return nil, wrong("%q at character %d is not one of the signs of formulas: use fields, texts, numbers, operators and functions.", string(c), t.at)
			}
			i += len(t.text)
		}
		tokens = append(tokens, t)
	}
	return append(tokens, token{kind: end, at: len(chars) + 1}), nil
}

// quoted reads a text in quotation marks and returns its length with them. Between
// backquotes nothing is escaped.
func quoted(chars []rune) (said string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(chars); i++ {
		c := chars[i]
		switch {
		case c == chars[0]:
			return b.String(), i + 1, true
		case c == '\\' && chars[0] != '`' && i+1 < len(chars):
			i++
			if escaped, known := map[rune]rune{'n': '\n', 't': '\t', 'r': '\r'}[chars[i]]; known {
				b.WriteRune(escaped)
				continue
			}
			b.WriteRune(chars[i])
		default:
			b.WriteRune(c)
		}
	}
	return "", 0, false
}
