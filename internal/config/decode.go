package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"hubspotconnector/internal/fault"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line    int    // from 1; 0 if the file as a whole is meant
	Path    string // such as "jobs[0].mapping.direct[2].to"
	Message string // one sentence with the way out
}

// Problems is everything that is wrong with a file, by line. As an error it is
// fault.Invalid.
type Problems []Problem //nolint:errname // read as config.Problems

func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, one := range p {
		texts[i] = one.Message
		if one.Line > 0 {
			texts[i] = fmt.Sprintf("Line %d: %s", one.Line, one.Message)
		}
	}
	return strings.Join(texts, "\n")
}

// Unwrap gives the error its kind.
func (p Problems) Unwrap() error { return fault.New(fault.Invalid, "%s", p.Error()) }

// decoder reads a file strictly: what it does not know is a problem, never
// ignored, and it goes on to find the next one.
type decoder struct {
	lines    map[string]int // :: path → line
	problems Problems
}

// line returns where a path stands in the file, or what it is part of.
func (d *decoder) line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

func (d *decoder) fail(path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: d.line(path), Path: path, Message: fmt.Sprintf(format, args...)})
}

// err returns the problems by line, nil if there are none.
func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
	return d.problems
}

func (d *decoder) decode(data []byte) (file, error) {
	var f file
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		p := Problem{Message: "The file is not valid YAML."}
		if e, ok := errors.AsType[yaml.Error](err); ok {
			if t := e.GetToken(); t != nil && t.Position != nil {
				p.Line = t.Position.Line
			}
			p.Message = "This is not valid YAML: " + strings.TrimSuffix(e.GetMessage(), ".") + "."
		}
		return f, Problems{p}
	}
	docs := slices.DeleteFunc(tree.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil })
	if len(docs) != 1 {
		return f, Problems{{Message: "The file must hold one YAML document."}}
	}
	d.value(docs[0].Body, reflect.ValueOf(&f).Elem(), "")
	if len(d.lines) == 0 {
		return f, d.err() // not even an object
	}
	if f.Version != formVersion && d.lines["version"] != 0 {
		d.fail("version", "The version of the form is %d, and only %d is known.", f.Version, formVersion)
	}
	if d.lines["version"] == 0 {
		d.fail("", "The file does not say its version: start it with \"version: %d\".", formVersion)
	}
	return f, d.err()
}

// value reads a node into v, a field of a form.
func (d *decoder) value(node ast.Node, v reflect.Value, path string) {
	if path != "" {
		d.lines[path] = node.GetToken().Position.Line
	}
	if _, null := node.(*ast.NullNode); null && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) {
		return
	}
	switch v.Kind() { //nolint:exhaustive // the default has the others
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(node, v.Elem(), path)
	case reflect.Struct:
		d.object(node, v, path)
	case reflect.Slice:
		list, ok := node.(*ast.SequenceNode)
		if !ok {
			d.fail(path, "%s must be a list.", name(path))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
		for i, one := range list.Values {
			d.value(one, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		d.scalar(node, v, path)
	}
}

func (d *decoder) object(node ast.Node, v reflect.Value, path string) {
	var pairs []*ast.MappingValueNode
	switch node := node.(type) {
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		d.fail(path, "%s must hold names with values.", name(path))
		return
	}
	fields := map[string]int{} // :: name → field
	var known []string
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag != "-" && tag != "" {
			fields[tag] = i
			known = append(known, tag)
		}
	}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		at := strings.TrimPrefix(path+"."+key, ".")
		d.lines[at] = pair.Key.GetToken().Position.Line
		if i, ok := fields[key]; ok {
			d.value(pair.Value, v.Field(i), at)
			d.lines[at] = pair.Key.GetToken().Position.Line
			continue
		}
		d.fail(at, "%q is not known in %s: use %s.", key, name(path), strings.Join(known, ", "))
	}
}

func (d *decoder) scalar(node ast.Node, v reflect.Value, path string) {
	switch v.Kind() { //nolint:exhaustive // the default has the others
	case reflect.String:
		switch node := node.(type) {
		case *ast.StringNode:
			v.SetString(node.Value)
			return
		case *ast.LiteralNode:
			v.SetString(node.Value.Value)
			return
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode: // as it is written: 007 stays 007
			v.SetString(node.GetToken().Value)
			return
		}
		d.fail(path, "%s must be a text.", name(path))
	case reflect.Int:
		n, err := strconv.Atoi(node.GetToken().Value)
		if _, ok := node.(*ast.IntegerNode); !ok || err != nil {
			d.fail(path, "%s must be a whole number.", name(path))
			return
		}
		v.SetInt(int64(n))
	case reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			d.fail(path, "%s must be true or false.", name(path))
			return
		}
		v.SetBool(b.Value)
	default:
		panic("config: no form for " + v.Type().String())
	}
}

// name is how a message calls a place of the file.
func name(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
