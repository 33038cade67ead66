package condition

import (
	"fmt"
	"strings"
	"time"
)

// test is a compiled condition or expression.
type test func(values []*string, now time.Time) bool

// maxExpression is the longest expression; it bounds how deep one can nest.
const maxExpression = 1000

// parser reads an expression: AND binds tighter than OR.
type parser struct {
	words []string
	tests []test
	used  []bool
	wrong []string // messages
}

// parse compiles an expression over the conditions' letters. Every letter must
// be known, and every condition must be used.
func parse(expression string, tests []test) (test, []string) {
	if len(expression) > maxExpression {
		return nil, []string{fmt.Sprintf("The expression is longer than %d characters: make it shorter.", maxExpression)}
	}
	p := &parser{tests: tests, used: make([]bool, len(tests))}
	p.split(expression)
	whole := p.any()
	if len(p.words) > 0 {
		p.fail("The expression cannot be read at %q: put AND or OR between letters, and close every parenthesis.", p.words[0])
	}
	for i, used := range p.used {
		if !used && len(p.wrong) == 0 {
			p.fail("Condition %s is not in the expression: add it, or delete the condition.", letter(i))
		}
	}
	return whole, p.wrong
}

func letter(i int) string { return string(rune('A' + i)) } //nolint:gosec // 26 letters at most

func (p *parser) fail(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

func (p *parser) split(s string) {
	s = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s)
	p.words = strings.Fields(strings.ToUpper(s))
}

func (p *parser) take(word string) bool {
	if len(p.words) == 0 || p.words[0] != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) any() test {
	tests := []test{p.all()}
	for p.take("OR") {
		tests = append(tests, p.all())
	}
	return either(tests)
}

func (p *parser) all() test {
	tests := []test{p.one()}
	for p.take("AND") {
		tests = append(tests, p.one())
	}
	return every(tests)
}

func (p *parser) one() test {
	switch {
	case len(p.words) == 0:
		p.fail("The expression ends too early: a letter is missing at its end.")
		return nil
	case p.take("("):
		inner := p.any()
		if !p.take(")") && len(p.wrong) == 0 {
			p.fail("A parenthesis is not closed in the expression: add the missing \")\".")
		}
		return inner
	}
	word := p.words[0]
	switch {
	case len(word) == 1 && word[0] >= 'A' && word[0] <= 'Z':
		p.words = p.words[1:]
		i := int(word[0] - 'A')
		if i >= len(p.tests) {
			p.fail("The expression names condition %s, which does not exist: add the condition, or take the letter out.", word)
			return nil
		}
		p.used[i] = true
		return p.tests[i]
	case word == "AND", word == "OR", word == ")":
		p.fail("A letter is missing before %q in the expression.", word)
	default:
		p.words = p.words[1:]
		p.fail("The expression cannot contain %q: use the conditions' letters, AND, OR and parentheses.", word)
	}
	return nil
}

func every(tests []test) test {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(values []*string, now time.Time) bool {
		for _, t := range tests {
			if !t(values, now) {
				return false
			}
		}
		return true
	}
}

func either(tests []test) test {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(values []*string, now time.Time) bool {
		for _, t := range tests {
			if t(values, now) {
				return true
			}
		}
		return false
	}
}
