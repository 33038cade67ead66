package formula

import (
	"slices"
	"time"

	"hubspotconnector/internal/record"
)

// source is the record that an expression is computed for.
type source struct {
	fields []record.Field
	values []*string
	now    time.Time
}

// node computes a part of an expression.
type node func(s *source) (any, error)

// levels are the operators between two parts, those that bind least first. ::
// operator → the function that computes it
var levels = []map[string]string{ //nolint:gochecknoglobals // a constant
	{"or": "op_or", "||": "op_or"},
	{"and": "op_and", "&&": "op_and"},
	{
		"==": "op_equal", "!=": "op_different", "<": "op_less", "<=": "op_most", ">": "op_more", ">=": "op_least",
		"contains": "op_contains", "startsWith": "op_starts", "endsWith": "op_ends",
	},
	{"+": "op_add", "-": "op_subtract"},
	{"*": "op_multiply", "/": "op_divide", "%": "op_modulo"},
}

// notLevel is the level whose parts not stands before.
const notLevel = 2

// parser makes nodes of tokens. There is a library for expressions, but its
// machine makes the linker keep all methods of all types: a function of ours
// would be half as large again.
type parser struct {
	tokens []token
	at     int
	fields []record.Field
	used   []int
	parts  int
	depth  int
}

func (p *parser) token() token { return p.tokens[p.at] }

// is reports whether the next token is a word or sign, and takes it then.
func (p *parser) is(what string) bool {
	t := p.token()
	if (t.kind != word && t.kind != sign) || t.text != what {
		return false
	}
	p.at++
	return true
}

// want takes a sign that must come.
func (p *parser) want(what string) error {
	if p.is(what) {
		return nil
	}
	return wrong("At character %d, %q is wanted and not %s.", p.token().at, what, p.token().said())
}

// whole reads all tokens as one expression.
func (p *parser) whole() (node, error) {
	root, err := p.expression()
	if err == nil && p.token().kind != end {
		err = wrong("At character %d, an operator is wanted and not %s.", p.token().at, p.token().said())
	}
	return root, err
}

// expression reads a ? b : c, or what binds more.
func (p *parser) expression() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, wrong("The expression has more than %d parts within parts: split it into several formula fields.", maxDepth)
	}
	condition, err := p.level(0)
	if err != nil || !p.is("?") {
		return condition, err
	}
	then, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.want(":"); err != nil {
		return nil, err
	}
	other, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.call("if", condition, then, other)
}

// level reads parts with the operators of a level between them.
func (p *parser) level(n int) (node, error) {
	if n == len(levels) {
		return p.unary()
	}
	if n == notLevel && p.is("not") {
		part, err := p.deeper(func() (node, error) { return p.level(n) })
		if err != nil {
			return nil, err
		}
		return p.call("op_not", part)
	}
	left, err := p.level(n + 1)
	for err == nil {
		t := p.token()
		name := levels[n][t.text]
		if name == "" || t.kind != word && t.kind != sign {
			return left, nil
		}
		p.at++
		var right node
		if right, err = p.level(n + 1); err == nil {
			left, err = p.call(name, left, right)
		}
	}
	return nil, err
}

// deeper reads a part within another one of its kind.
func (p *parser) deeper(read func() (node, error)) (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, wrong("The expression has more than %d parts within parts: split it into several formula fields.", maxDepth)
	}
	return read()
}

// unary reads a part with signs before it.
func (p *parser) unary() (node, error) {
	for text, name := range map[string]string{"-": "op_negative", "+": "op_positive", "!": "op_not", "not": "op_not"} {
		if p.is(text) {
			part, err := p.deeper(p.unary)
			if err != nil {
				return nil, err
			}
			return p.call(name, part)
		}
	}
	return p.primary()
}

func (p *parser) primary() (node, error) {
	t := p.token()
	p.at++
	switch {
	case t.kind == text:
		return p.constant(t.text)
	case t.kind == number:
		return p.constant(t.value)
	case t.kind == sign && t.text == "(":
		inner, err := p.expression()
		if err != nil {
			return nil, err
		}
		return inner, p.want(")")
	case t.kind != word:
		return nil, wrong("At character %d, a field, a text, a number or a function is wanted and not %s.", t.at, t.said())
	}
	if p.is("(") {
		return p.function(t)
	}
	switch t.text {
	case "true", "false":
		return p.constant(t.text == "true")
	case "null", "nil":
		return p.constant(nil)
	}
	return p.field(t.text)
}

func (p *parser) count() error {
	if p.parts++; p.parts > maxParts {
		return wrong("The expression has more than %d parts: split it into several formula fields.", maxParts)
	}
	return nil
}

func (p *parser) constant(v any) (node, error) {
	return func(*source) (any, error) { return v, nil }, p.count()
}

func (p *parser) field(name string) (node, error) {
	at := slices.IndexFunc(p.fields, func(f record.Field) bool { return f.Name == name })
	if at < 0 {
		return nil, wrong("There is no field %q in the dataset: add it, or correct the name. Texts stand in quotation marks.", name)
	}
	if !slices.Contains(p.used, at) {
		p.used = append(p.used, at)
	}
	return func(s *source) (any, error) { return typed(s.fields[at].Type, s.values[at]), nil }, p.count()
}

// function reads the rest of a call, whose bracket is open.
func (p *parser) function(name token) (node, error) {
	if name.text == "field" {
		t := p.token()
		p.at++
		if t.kind != text || !p.is(")") {
			return nil, wrong("field takes one name in quotation marks, such as field(\"First Name\").")
		}
		return p.field(t.text)
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if name.text == "now" {
		if len(args) > 0 {
			return nil, wrong("now takes no argument: write now().")
		}
		return func(s *source) (any, error) { return s.now, nil }, p.count()
	}
	fn, ok := functions[name.text]
	if !ok || fn.usage == "" {
		return nil, wrong("There is no function %q: see the list of functions.", name.text)
	}
	if len(args) < fn.least || fn.most >= 0 && len(args) > fn.most {
		return nil, wrong("%s is written %s.", name.text, fn.usage)
	}
	return p.call(name.text, args...)
}

// arguments reads expressions with commas between them, and the closing bracket.
func (p *parser) arguments() ([]node, error) {
	var args []node
	if p.is(")") {
		return nil, nil
	}
	for {
		arg, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if p.is(")") {
			return args, nil
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
}

// call computes a function of parts.
func (p *parser) call(name string, parts ...node) (node, error) {
	fn := functions[name]
	return func(s *source) (any, error) {
		values := make([]any, len(parts))
		for i, part := range parts {
			var err error
			if values[i], err = part(s); err != nil {
				return nil, err
			}
		}
		return fn.guarded(values)
	}, p.count()
}
