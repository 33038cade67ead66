package asl

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Machine is a state machine that was loaded. It is safe for concurrent use.
type Machine struct {
	timeout time.Duration // 0 = none
	scope   *scope
}

// A scope is a machine, a branch or an item processor: states of which one runs
// after the other.
type scope struct {
	startAt string
	states  map[string]*state
}

type kind string

const (
	pass     kind = "Pass"
	task     kind = "Task"
	choice   kind = "Choice"
	wait     kind = "Wait"
	parallel kind = "Parallel"
	mapItems kind = "Map"
	succeed  kind = "Succeed"
	fail     kind = "Fail"
)

// A state of any kind; what its kind does not have is zero.
type state struct {
	name string
	kind kind
	// exit is the normal one; a Choice's is its Default.
	exit  *exit
	retry []retrier
	catch []catcher

	function string // of a Task, or
	child    string // the machine that it starts
	childRun *template
	payload  *template
	timeout  time.Duration

	rules       []rule
	seconds     *template
	timestamp   *template
	branches    []*scope // of a Map: the one processor
	items       *template
	selector    *template
	concurrency int
	failure     *template
	cause       *template

	uses []use
}

// An exit is a way out of a state. Next is empty at the end of the scope.
type exit struct {
	next   string
	assign map[string]*template
	output *template
}

type rule struct {
	condition *template
	exit      *exit
}

type retrier struct {
	errors   []string
	interval time.Duration
	backoff  float64
	attempts int
	most     time.Duration // 0 = no limit
	jitter   bool
}

type catcher struct {
	errors []string
	exit   *exit
}

// A use is an expression that reads a variable.
type use struct{ field, name string }

// Load reads a state machine file; file is its name for messages. ${Name} in the
// text is replaced by the substitution of that name. Whatever the package does
// not know or allow is refused with one sentence that names file, state and
// construct; nothing is ignored.
func Load(file string, text []byte, substitutions map[string]string) (*Machine, error) {
	l := &loader{file: file, names: map[string]bool{}, calls: map[string]string{}}
	text = l.substitute(text, substitutions)
	f := l.object(file, text)
	f.text("Comment")
	if language := f.text("QueryLanguage"); language != "JSONata" {
		f.refuse("QueryLanguage is %q, but only JSONata is known", language)
	}
	m := &Machine{timeout: f.seconds("TimeoutSeconds", 0)}
	m.scope = l.scope(f)
	f.done()
	if l.err == nil {
		l.checkScope(m.scope, file, nil, nil)
	}
	if l.err != nil {
		return nil, l.err
	}
	return m, nil
}

// A loader keeps the first problem and goes on with what it has.
type loader struct {
	file  string
	names map[string]bool   // :: state name, unique in the whole file
	calls map[string]string // :: function that an expression calls → where
	state *state            // being loaded
	depth int               // of Maps around it
	err   error
}

func (l *loader) refuse(where, format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
	}
}

func (l *loader) substitute(text []byte, substitutions map[string]string) []byte {
	return regexp.MustCompile(`\$\{[^}"]*\}?`).ReplaceAllFunc(text, func(found []byte) []byte {
		name := strings.TrimSuffix(strings.TrimPrefix(string(found), "${"), "}")
		value, ok := substitutions[name]
		switch {
		case !ok || !strings.HasSuffix(string(found), "}"):
			l.refuse(l.file, "the substitution %s is not known", found)
		case value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == '{' || r == '}' }):
			l.refuse(l.file, "the substitution %s has a value that cannot stand in the file", found)
		}
		return []byte(value)
	})
}

// fields are those of an object in the file. Each is taken once; what is left is
// not known.
type fields struct {
	*loader
	where string
	all   map[string]jsontext.Value
}

func (l *loader) object(where string, raw jsontext.Value) *fields {
	f := &fields{loader: l, where: where}
	if err := jsonv2.Unmarshal(raw, &f.all); err != nil { // refuses a name that stands twice
		if len(raw) > 0 && raw.IsValid() && raw.Kind() != '{' {
			err = errors.New("it is no object")
		}
		l.refuse(where, "the JSON cannot be read: %v", err)
	}
	return f
}

func (f *fields) refuse(format string, args ...any) { f.loader.refuse(f.where, format, args...) }

func (f *fields) take(name string) (jsontext.Value, bool) {
	raw, ok := f.all[name]
	delete(f.all, name)
	return raw, ok
}

// need takes a field that must be there.
func (f *fields) need(name string) jsontext.Value {
	raw, ok := f.take(name)
	if !ok {
		f.refuse("%s is missing", name)
		return jsontext.Value("null")
	}
	return raw
}

// done refuses what was not taken.
func (f *fields) done() {
	if len(f.all) > 0 {
		names := make([]string, 0, len(f.all))
		for name := range f.all {
			names = append(names, name)
		}
		slices.Sort(names)
		f.refuse("the field %q is not known here", names[0])
	}
}

// text takes a text without expressions; absent is empty.
func (f *fields) text(name string) string {
	raw, ok := f.take(name)
	if !ok {
		return ""
	}
	var s string
	if err := jsonv2.Unmarshal(raw, &s); err != nil || raw.Kind() != '"' {
		f.refuse("%s is no text", name)
	} else if name != "Comment" && strings.Contains(s, "{%") {
		f.refuse("%s is an expression, which is not allowed there", name)
	}
	return s
}

// number takes a number between least and most; absent is def.
func (f *fields) number(name string, def, least, most float64) float64 {
	raw, ok := f.take(name)
	if !ok {
		return def
	}
	var n float64
	if err := jsonv2.Unmarshal(raw, &n); err != nil || n < least || n > most {
		f.refuse("%s is not a number from %v to %v", name, least, most)
	}
	return n
}

func (f *fields) integer(name string, def, least, most int) int {
	n := f.number(name, float64(def), float64(least), float64(most))
	if n != float64(int(n)) {
		f.refuse("%s is not a whole number", name)
	}
	return int(n)
}

// maxSeconds is the longest time that ASL can name, a year and a day.
const maxSeconds = 31622400

func (f *fields) seconds(name string, def int) time.Duration {
	return time.Duration(f.integer(name, def, 1, maxSeconds)) * time.Second
}

// list takes a list that is not empty.
func (f *fields) list(name string) []jsontext.Value {
	var items []jsontext.Value
	if err := jsonv2.Unmarshal(f.need(name), &items); err != nil || len(items) == 0 {
		f.refuse("%s is not a list with entries", name)
	}
	return items
}
