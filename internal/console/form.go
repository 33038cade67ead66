package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxRows bounds the rows of one list of a form, as many as a job could need.
const maxRows = 1000

// fields reads the fields of a form whose names are paths, such as
// "direct[2].to". A list names its rows in order: "direct" holds the number of
// each row.
type fields struct {
	form   url.Values
	prefix string
}

func (f fields) path(name string) string { return f.prefix + name }

// text returns a value without outer spaces, exact as it was typed.
func (f fields) text(name string) string  { return strings.TrimSpace(f.form.Get(f.path(name))) }
func (f fields) exact(name string) string { return f.form.Get(f.path(name)) }
func (f fields) on(name string) bool      { return f.form.Get(f.path(name)) != "" }
func (f fields) whole(name string) int {
	n, err := strconv.Atoi(f.text(name))
	if err != nil {
		return 0
	}
	return n
}

// all returns all values of a name that are not empty.
func (f fields) all(name string) []string {
	var values []string
	for _, v := range f.form[f.path(name)] {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// version is the version that a form was made from.
func (f fields) version(name string) int64 {
	n, err := strconv.ParseInt(f.text(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// in is the fields of one thing inside.
func (f fields) in(name string) fields { return fields{f.form, f.path(name) + "."} }

// rows are the rows of a list, in order.
func (f fields) rows(name string) []fields {
	var rows []fields
	for _, n := range f.form[f.path(name)] {
		if _, err := strconv.Atoi(n); err == nil && len(rows) < maxRows {
			rows = append(rows, fields{f.form, f.path(name) + "[" + n + "]."})
		}
	}
	return rows
}

// addresses are the mail addresses of a text: one a line, or separated by commas
// or semicolons.
func (f fields) addresses(name string) []string {
	split := strings.FieldsFunc(f.form.Get(f.path(name)), func(r rune) bool { return strings.ContainsRune(",;\r\n", r) })
	for i := range split {
		split[i] = strings.TrimSpace(split[i])
	}
	return slices.DeleteFunc(split, func(s string) bool { return s == "" })
}

// action is what a button asks for, such as "remove" of "direct[2]".
type action struct{ Verb, Of string }

func actionOf(form url.Values) action {
	verb, of, _ := strings.Cut(form.Get("do"), ":")
	return action{verb, of}
}

// row splits the path of a row: "direct[2]" is row 2 of "direct". ok is false for
// another path.
func (a action) row() (list string, n int, ok bool) {
	open := strings.LastIndexByte(a.Of, '[')
	if open < 0 || !strings.HasSuffix(a.Of, "]") {
		return "", 0, false
	}
	n, err := strconv.Atoi(a.Of[open+1 : len(a.Of)-1])
	return a.Of[:open], n, err == nil
}

// change does what a button says to the order of a list in the form: "remove",
// "up" and "down" of a row, "add" of a list.
func (a action) change(form url.Values) {
	if a.Verb == "add" {
		next := 0
		for _, n := range form[a.Of] {
			if have, err := strconv.Atoi(n); err == nil {
				next = max(next, have+1)
			}
		}
		if len(form[a.Of]) < maxRows {
			form.Add(a.Of, strconv.Itoa(next))
		}
		return
	}
	list, n, ok := a.row()
	at := slices.Index(form[list], strconv.Itoa(n))
	if !ok || at < 0 {
		return
	}
	switch rows := form[list]; {
	case a.Verb == "remove":
		form[list] = slices.Delete(rows, at, at+1)
	case a.Verb == "up" && at > 0:
		rows[at-1], rows[at] = rows[at], rows[at-1]
	case a.Verb == "down" && at+1 < len(rows):
		rows[at], rows[at+1] = rows[at+1], rows[at]
	}
}

// choice is one thing to choose.
type choice struct{ Value, Label string }

// control is one field of a form.
type control struct {
	Path, Label string
	Kind        string // select, combo, check, area, or the type of an input
	Bare        bool   // the label is for screen readers alone
	Value       string
	Checked     bool
	Choices     []choice
	List        string // of a combo: the id of its suggestions
	Hint, Wrong string
	Hold        string // placeholder
	Auto        bool   // the page follows at once where there is a script
}

// ID is the control's id on the page.
func (c control) ID() string { return fieldID(c.Path) }

// Row is the place of a row in a list, for the buttons that move it.
type Row struct {
	Path, List, Name string // "direct[2]", "direct", and what people call the row
	N                string // the number of the row, as its names have it
	First, Last      bool
}

func order(list string, i, n int, name string) Row {
	number := strconv.Itoa(i)
	return Row{Path: list + "[" + number + "]", List: list, Name: name, N: number, First: i == 0, Last: i == n-1}
}
