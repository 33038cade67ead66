package formula

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"hubspotconnector/internal/record"
)

// operators :: operator → the function that takes its place
var operators = map[string]string{
	"+": "op_add", "-": "op_subtract", "*": "op_multiply", "/": "op_divide", "%": "op_modulo",
	"==": "op_equal", "!=": "op_different", "<": "op_less", "<=": "op_most", ">": "op_more", ">=": "op_least",
	"contains": "op_contains", "startsWith": "op_starts", "endsWith": "op_ends",
	"and": "op_and", "&&": "op_and", "or": "op_or", "||": "op_or",
}

// rewriter makes an expression of what it knows: nothing is let through by
// forgetting to forbid it. Operators become functions, because those of the
// library fail for null.
type rewriter struct {
	fields []record.Field
	used   []int
	nodes  int
}

func (w *rewriter) rewrite(node ast.Node) (ast.Node, error) {
	if w.nodes++; w.nodes > maxNodes {
		return nil, wrong("The expression has more than %d parts: split it into several formula fields.", maxNodes)
	}
	switch n := node.(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
		return node, nil
	case *ast.IdentifierNode:
		return w.field(n.Value)
	case *ast.UnaryNode:
		name := map[string]string{"-": "op_negative", "+": "op_positive", "!": "op_not", "not": "op_not"}[n.Operator]
		if name == "" {
			return nil, wrong("The operator %q is not one of formulas.", n.Operator)
		}
		return w.call(name, n.Node)
	case *ast.BinaryNode:
		name := operators[n.Operator]
		if name == "" {
			return nil, wrong("The operator %q is not one of formulas: use + - * / %% == != < <= > >= contains startsWith endsWith and or.", n.Operator)
		}
		return w.call(name, n.Left, n.Right)
	case *ast.ConditionalNode:
		return w.call("if", n.Cond, n.Exp1, n.Exp2)
	case *ast.BuiltinNode:
		return w.function(n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return w.function(callee.Value, n.Arguments)
		}
	}
	return nil, wrong("The expression has a part that formulas do not have, such as a list or a member: use fields, texts, numbers, operators and functions.")
}

func (w *rewriter) field(name string) (ast.Node, error) {
	at := slices.IndexFunc(w.fields, func(f record.Field) bool { return f.Name == name })
	if at < 0 {
		return nil, wrong("There is no field %q in the dataset: add it, or correct the name. Texts stand in quotation marks.", name)
	}
	if !slices.Contains(w.used, at) {
		w.used = append(w.used, at)
	}
	return &ast.IdentifierNode{Value: fieldName(at)}, nil
}

// function rewrites a call that an admin wrote.
func (w *rewriter) function(name string, args []ast.Node) (ast.Node, error) {
	if name == ifName {
		name = "if"
	}
	switch name {
	case "field":
		if len(args) == 1 {
			if text, ok := args[0].(*ast.StringNode); ok {
				return w.field(text.Value)
			}
		}
		return nil, wrong("field takes one name in quotation marks, such as field(\"First Name\").")
	case "now":
		if len(args) == 0 {
			return &ast.IdentifierNode{Value: nowName}, nil
		}
		return nil, wrong("now takes no argument: write now().")
	}
	fn, ok := functions[name]
	if !ok || fn.usage == "" {
		return nil, wrong("There is no function %q: see the list of functions.", name)
	}
	if len(args) < fn.least || fn.most >= 0 && len(args) > fn.most {
		return nil, wrong("%s is written %s.", name, fn.usage)
	}
	return w.call(name, args...)
}

func (w *rewriter) call(name string, args ...ast.Node) (ast.Node, error) {
	made := &ast.CallNode{Callee: &ast.IdentifierNode{Value: prefix + name}}
	for _, arg := range args {
		safe, err := w.rewrite(arg)
		if err != nil {
			return nil, err
		}
		made.Arguments = append(made.Arguments, safe)
	}
	return made, nil
}
