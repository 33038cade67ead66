package asl

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/xiatechs/jsonata-go/jparse"
)

// A place says what $states holds beside input and the execution's context.
type place struct {
	result, caught, item bool
}

// arity returns how many arguments a function takes. Only functions that agree
// with the reference are known. All arguments are written out: an argument that
// is taken from the context would be the library's own.
func arity(name string) (least, most int, known bool) {
	switch name {
	case "count", "exists", "boolean", "sum", "min", "max", "floor", "ceil", "number", "distinct", "string", "merge":
		return 1, 1, true
	case "round", "join", "sort", "fromMillis", "toMillis":
		return 1, 2, true
	case "append", "contains", "map", "filter", "formatNumber":
		return 2, 2, true
	case "split", "substring", "pad", "reduce":
		return 2, 3, true
	case "replace":
		return 3, 4, true
	}
	return 0, 0, false
}

// A checker walks an expression. It notes what is read, and the first form that
// is not allowed.
type checker struct {
	at       place
	locals   []map[string]bool // names bound in the expression, innermost last
	inFilter bool              // inside […] the context is an item, and names are its fields
	vars     []string
	states   []string
	calls    []string
	err      error
}

func (c *checker) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func note(list *[]string, s string) {
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

func (c *checker) check(nodes ...jparse.Node) {
	for _, node := range nodes {
		c.node(node)
	}
}

func (c *checker) node(node jparse.Node) {
	switch n := node.(type) {
	case *jparse.StringNode, *jparse.BooleanNode, *jparse.NullNode, *jparse.RegexNode:
	case *jparse.NumberNode:
		if n.Value != math.Trunc(n.Value) {
			c.refuse("uses the fraction %v: fractions are computed differently by the library", n.Value)
		}
	case *jparse.VariableNode:
		c.variable(n)
	case *jparse.PathNode:
		c.path(n)
	case *jparse.PredicateNode:
		c.check(n.Expr)
		c.filters(n)
	case *jparse.NegationNode:
		c.check(n.RHS)
	case *jparse.RangeNode:
		c.check(n.LHS, n.RHS)
	case *jparse.ArrayNode:
		c.array(n)
	case *jparse.ObjectNode:
		c.object(n)
	case *jparse.BlockNode:
		c.within(nil, n.Exprs...)
	case *jparse.ConditionalNode:
		c.check(n.If, n.Then)
		if n.Else != nil {
			c.check(n.Else)
		}
	case *jparse.AssignmentNode:
		c.check(n.Value)
		c.bind(n.Name)
	case *jparse.FunctionCallNode:
		c.call(n, false)
	case *jparse.NumericOperatorNode:
		c.numeric(n)
	case *jparse.ComparisonOperatorNode:
		c.comparison(n)
	case *jparse.BooleanOperatorNode:
		c.check(n.LHS, n.RHS)
	case *jparse.StringConcatenationNode:
		c.scalar("&", n.LHS)
		c.scalar("&", n.RHS)
		c.check(n.LHS, n.RHS)
	default:
		c.refuse("uses %q (%s), which is not allowed", fmt.Sprint(n), strings.TrimPrefix(fmt.Sprintf("%T", n), "*jparse."))
	}
}

func (c *checker) variable(n *jparse.VariableNode) {
	switch {
	case n.Name == "" && c.inFilter:
	case n.Name == "" || n.Name == "$":
		c.refuse("uses $%s, which has no value here", n.Name)
	case n.Name == "states":
		c.refuse("uses $states as a whole: name what is needed of it")
	case c.isLocal(n.Name):
	default:
		note(&c.vars, n.Name)
	}
}

func (c *checker) isLocal(name string) bool {
	return slices.ContainsFunc(c.locals, func(names map[string]bool) bool { return names[name] })
}

func (c *checker) bind(name string) {
	if name == "states" || name == "" {
		c.refuse("binds $%s, which has another meaning", name)
	}
	c.locals[len(c.locals)-1][name] = true
}

// within checks nodes that see the names as well.
func (c *checker) within(names []string, nodes ...jparse.Node) {
	c.locals = append(c.locals, map[string]bool{})
	for _, name := range names {
		c.bind(name)
	}
	c.check(nodes...)
	c.locals = c.locals[:len(c.locals)-1]
}

func (c *checker) filters(n *jparse.PredicateNode) {
	outer := c.inFilter
	c.inFilter = true
	c.check(n.Filters...)
	c.inFilter = outer
}

// path allows fields after a variable, a call or a block, with predicates.
func (c *checker) path(n *jparse.PathNode) {
	for i, step := range n.Steps {
		expr := step
		if p, ok := step.(*jparse.PredicateNode); ok {
			c.filters(p)
			expr = p.Expr
		}
		switch e := expr.(type) {
		case *jparse.NameNode:
			if i == 0 && !c.inFilter {
				c.refuse("uses the bare name %s: fields are reached through a variable", e.Value)
			}
		case *jparse.VariableNode:
			switch {
			case i > 0:
				c.refuse("uses $%s as a step of a path", e.Name)
			case e.Name == "states" && expr != step:
				c.refuse("uses $states[…]")
			case e.Name == "states":
				c.statesPath(n.Steps)
			default:
				c.variable(e)
			}
		case *jparse.FunctionCallNode, *jparse.BlockNode:
			if i > 0 {
				c.refuse("uses %q as a step of a path", fmt.Sprint(e))
			}
			c.check(e)
		default:
			c.refuse("uses %q in a path", fmt.Sprint(e))
		}
	}
}

// statesPath allows what $states is known to hold.
func (c *checker) statesPath(steps []jparse.Node) {
	full, plain := make([]string, 0, len(steps)), 1 // plain is the number of steps before the first predicate
	for i, step := range steps {
		if p, ok := step.(*jparse.PredicateNode); ok {
			step = p.Expr
		} else if plain == i {
			plain = i + 1
		}
		if name, ok := step.(*jparse.NameNode); ok {
			full = append(full, name.Value)
		}
	}
	text := strings.Join(full, ".")
	for _, known := range []struct {
		path   string
		leaf   bool // it has no fields of its own
		usable bool
	}{
		{"input", false, true},
		{"result", false, c.at.result},
		{"errorOutput.Error", true, c.at.caught},
		{"errorOutput.Cause", true, c.at.caught},
		{"context.Execution.Name", true, true},
		{"context.Execution.Input", false, true},
		{"context.Execution.StartTime", true, true},
		{"context.State.Name", true, true},
		{"context.State.EnteredTime", true, true},
		{"context.Map.Item.Index", true, c.at.item},
		{"context.Map.Item.Value", false, c.at.item},
	} {
		rest, ok := strings.CutPrefix(text+".", known.path+".")
		if !ok {
			continue
		}
		switch {
		case !known.usable:
			c.refuse("uses $states.%s, which has no value here", known.path)
		case known.leaf && rest != "", plain < strings.Count(known.path, ".")+1:
			c.refuse("uses $states.%s in a way that is not known", text)
		default:
			note(&c.states, known.path)
		}
		return
	}
	c.refuse("uses $states.%s, which is not known", text)
}

func (c *checker) array(n *jparse.ArrayNode) {
	for _, item := range n.Items {
		if call, ok := item.(*jparse.FunctionCallNode); ok {
			c.call(call, true)
			continue
		}
		c.check(item)
	}
}

func (c *checker) object(n *jparse.ObjectNode) {
	for _, pair := range n.Pairs {
		if _, ok := pair[0].(*jparse.StringNode); !ok {
			c.refuse("computes the name of a field: %q", fmt.Sprint(pair[0]))
		}
		c.check(pair[1])
	}
}

func (c *checker) call(n *jparse.FunctionCallNode, inArray bool) {
	name := ""
	if v, ok := n.Func.(*jparse.VariableNode); ok && !c.isLocal(v.Name) {
		name = v.Name
	}
	least, most, known := arity(name)
	switch {
	case !known:
		c.refuse("calls %s, which is not among the functions that agree with the reference", fmt.Sprint(n.Func))
	case len(n.Args) < least || len(n.Args) > most:
		c.refuse("calls $%s with %d arguments", name, len(n.Args))
	case (name == "map" || name == "filter") && !inArray:
		c.refuse("calls $%s outside of […]: one result would not be a list", name)
	case name == "string":
		c.scalar("$string", n.Args[0])
	}
	note(&c.calls, name)
	for _, arg := range n.Args {
		if f, ok := arg.(*jparse.LambdaNode); ok {
			outer := c.inFilter
			c.inFilter = false
			c.within(f.ParamNames, f.Body)
			c.inFilter = outer
			continue
		}
		c.check(arg)
	}
}

func (c *checker) scalar(what string, n jparse.Node) {
	switch n.(type) {
	case *jparse.ObjectNode, *jparse.ArrayNode:
		c.refuse("makes a text of %q with %s: the library writes it differently", fmt.Sprint(n), what)
	}
}

func (c *checker) numeric(n *jparse.NumericOperatorNode) {
	if n.Type == jparse.NumericDivide || n.Type == jparse.NumericModulo {
		c.refuse("divides with %s: the library computes it differently", n.Type)
	}
	c.check(n.LHS, n.RHS)
}

// comparison allows an order only between what is never missing: the library
// answers false where the reference has no answer.
func (c *checker) comparison(n *jparse.ComparisonOperatorNode) {
	switch n.Type {
	case jparse.ComparisonEqual, jparse.ComparisonNotEqual, jparse.ComparisonIn:
	case jparse.ComparisonLess, jparse.ComparisonLessEqual, jparse.ComparisonGreater, jparse.ComparisonGreaterEqual:
		for _, side := range []jparse.Node{n.LHS, n.RHS} {
			if !neverMissing(side) {
				c.refuse("compares %q by %s: it may be missing, so compare literals and $count(…)", fmt.Sprint(side), n.Type)
			}
		}
	}
	c.check(n.LHS, n.RHS)
}

func neverMissing(n jparse.Node) bool {
	switch n := n.(type) {
	case *jparse.NumberNode, *jparse.StringNode:
		return true
	case *jparse.FunctionCallNode:
		f, ok := n.Func.(*jparse.VariableNode)
		return ok && f.Name == "count"
	}
	return false
}
