package console_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// page is a page as a browser without script sees it.
type page struct {
	w    *world
	path string
	answer
	forms []*form
}

// form is a form with what a browser would send.
type form struct {
	method, action string
	values         url.Values
	buttons        []string          // values of the buttons named do
	wrong          map[string]string // :: id of a field → what is written beside it
}

// open reads a page, following redirects.
func (w *world) open(path string) *page {
	w.t.Helper()
	path, _, _ = strings.Cut(path, "#")
	a := w.get(path)
	for hops := 0; a.status == http.StatusSeeOther && hops < 5; hops++ {
		path, _, _ = strings.Cut(a.location, "#")
		a = w.get(path)
	}
	return w.page(path, a)
}

func (w *world) page(path string, a answer) *page {
	w.t.Helper()
	p := &page{w: w, path: path, answer: a}
	p.parse()
	return p
}

// parse reads the forms of the page.
func (p *page) parse() {
	p.w.t.Helper()
	d := xml.NewDecoder(strings.NewReader(p.body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var (
		f                  *form
		choice, area, told string // names of what is open
		chosen             bool
		text               strings.Builder
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.w.t.Fatalf("%s is no well-formed page: %v", p.path, err)
		}
		switch e := token.(type) {
		case xml.CharData:
			text.Write(e)
		case xml.StartElement:
			text.Reset()
			at := attributes(e)
			switch e.Name.Local {
			case "form":
				f = &form{method: at["method"], action: at["action"], values: url.Values{}, wrong: map[string]string{}}
				p.forms = append(p.forms, f)
			case "select":
				choice, chosen = at["name"], false
			case "textarea":
				area = at["name"]
			case "p":
				told, _ = strings.CutSuffix(at["id"], "-wrong")
			}
			if f != nil {
				f.start(e.Name.Local, at, choice, &chosen)
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "form":
				f = nil
			case "select":
				choice = ""
			case "textarea":
				if f != nil && area != "" {
					f.values.Add(area, text.String())
				}
				area = ""
			case "p":
				if f != nil && told != "" {
					f.wrong[told] = strings.TrimSpace(text.String())
				}
				told = ""
			}
		}
	}
}

func attributes(e xml.StartElement) map[string]string {
	at := map[string]string{}
	for _, a := range e.Attr {
		at[a.Name.Local] = a.Value
	}
	return at
}

// start adds what an element of the form would send.
func (f *form) start(name string, at map[string]string, choice string, chosen *bool) {
	_, disabled := at["disabled"]
	_, checked := at["checked"]
	_, selected := at["selected"]
	switch {
	case disabled:
	case name == "button" && at["name"] == "do":
		f.buttons = append(f.buttons, at["value"])
	case name == "option" && choice != "" && (selected || !*chosen && f.values.Get(choice) == "" && !f.values.Has(choice)):
		f.values.Set(choice, at["value"]) // the first one until another is selected
		*chosen = selected
	case name == "input" && at["name"] != "":
		if kind := at["type"]; kind != "checkbox" && kind != "radio" || checked {
			f.values.Add(at["name"], at["value"])
		}
	}
}

// editor is the form of an editor.
func (p *page) editor() *form {
	p.w.t.Helper()
	i := slices.IndexFunc(p.forms, func(f *form) bool { return f.method == "post" && f.action != "/signout" })
	if i < 0 {
		p.w.t.Fatalf("%s has no form:\n%s", p.path, told(p.body))
	}
	return p.forms[i]
}

// set enters values and returns the page.
func (p *page) set(pairs ...string) *page {
	p.w.t.Helper()
	f := p.editor()
	for i := 0; i < len(pairs); i += 2 {
		f.values[pairs[i]] = []string{pairs[i+1]}
	}
	return p
}

// press sends the form by one of its buttons, and follows.
func (p *page) press(do string) *page {
	p.w.t.Helper()
	f := p.editor()
	if do != "" {
		if _, outside, _ := strings.Cut(do, "go:"); outside != "" && strings.Contains(p.body, `form="editor" name="do" value="`+do+`"`) {
			f.buttons = append(f.buttons, do)
		}
		if !slices.Contains(f.buttons, do) {
			p.w.t.Fatalf("%s has no button %q, but %q", p.path, do, f.buttons)
		}
		f.values.Set("do", do)
	}
	a := p.w.post(f.action, f.values)
	if a.status == http.StatusSeeOther {
		return p.w.open(a.location)
	}
	return p.w.page(f.action, a)
}

// says fails the test if the page does not say the texts.
func (p *page) says(status int, texts ...string) *page {
	p.w.t.Helper()
	p.w.want(p.answer, status, texts...)
	return p
}

func TestFormsAreReadAsABrowserDoes(t *testing.T) {
	w := newWorld(t)
	p := w.page("/", answer{body: `<form method="post" action="/a"><input name="a" value="1"><input type="checkbox" name="b" value="x" checked><input type="checkbox" name="c">
<select name="d"><option value="1">One</option><option value="2" selected>Two</option></select><select name="e"><option value="1">One</option><option value="2">Two</option></select>
<textarea name="f">long</textarea><input name="g" value="no" disabled><button name="do" value="go">Go</button></form>`})
	got := p.editor().values.Encode()
	if want := "a=1&b=x&d=2&e=1&f=long"; got != want {
		t.Errorf("the form sends %s, want %s", got, want)
	}
}
