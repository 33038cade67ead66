package asl

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// scope takes StartAt and States.
func (l *loader) scope(f *fields) *scope {
	s := &scope{startAt: f.text("StartAt"), states: map[string]*state{}}
	states := l.object(f.where+": States", f.need("States"))
	if len(states.all) == 0 {
		f.refuse("States is empty")
	}
	for _, name := range slices.Sorted(maps.Keys(states.all)) {
		where := l.file + ": state " + name
		if l.names[name] {
			l.refuse(where, "the name is used twice in the file")
		}
		if name == "" || len(name) > 80 {
			l.refuse(where, "the name must have 1 to 80 characters")
		}
		l.names[name] = true
		s.states[name] = l.loadState(name, l.object(where, states.all[name]))
	}
	return s
}

func (l *loader) loadState(name string, f *fields) *state {
	outer := l.state
	defer func() { l.state = outer }()
	s := &state{name: name, kind: kind(f.text("Type")), exit: &exit{}}
	l.state = s
	f.text("Comment")
	here := place{item: l.depth > 0}
	switch s.kind {
	case pass:
		s.exit = f.exit(here)
	case task:
		f.task(s, here)
	case choice:
		f.choice(s, here)
	case wait:
		f.wait(s, here)
	case parallel:
		f.parallel(s, here)
	case mapItems:
		f.mapItems(s, here)
	case succeed:
		s.exit.output = f.template("Output", here)
	case fail:
		s.failure, s.cause = f.template("Error", here), f.template("Cause", here)
	default:
		f.refuse("the Type %q is not known", s.kind)
		return s
	}
	f.done()
	return s
}

// exit takes Assign, Output and either Next or End.
func (f *fields) exit(at place) *exit {
	e := f.turn("Next", at)
	raw, ends := f.take("End")
	if ends && string(raw) != "true" {
		f.refuse("End can only be true")
	}
	if (e.next != "") == ends {
		f.refuse("either Next or End is needed")
	}
	return e
}

// turn takes Assign, Output and the target of that name.
func (f *fields) turn(target string, at place) *exit {
	return &exit{next: f.text(target), assign: f.assign(at), output: f.template("Output", at)}
}

func (f *fields) assign(at place) map[string]*template {
	t := f.template("Assign", at)
	if t == nil {
		return nil
	}
	if len(t.fields) == 0 {
		f.refuse("Assign is not an object with variables")
	}
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		if name == "states" || !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,79}$`).MatchString(name) {
			f.refuse("Assign cannot set a variable named %q", name)
		}
	}
	return t.fields
}

func (f *fields) task(s *state, at place) {
	resource := f.text("Resource")
	args := f.object(f.where+": Arguments", f.need("Arguments"))
	switch resource {
	case "arn:aws:states:::lambda:invoke":
		s.function = args.text("FunctionName")
		s.payload = args.needTemplate("Payload", at)
		if s.function == "" {
			args.refuse("FunctionName is missing")
		}
	case "arn:aws:states:::states:startExecution.sync:2":
		s.child = args.text("StateMachineArn")
		s.childRun = args.needTemplate("Name", at)
		s.payload = args.needTemplate("Input", at)
		if s.child == "" {
			args.refuse("StateMachineArn is missing")
		}
	default:
		f.refuse("the Resource %q is not known", resource)
		return
	}
	args.done()
	s.timeout = f.seconds("TimeoutSeconds", 0)
	if s.timeout == 0 {
		f.refuse("TimeoutSeconds is missing")
	}
	if s.function != "" && s.timeout <= functionTimeoutMargin {
		f.refuse("TimeoutSeconds is not above 10: it is the function's timeout + 10")
	}
	if _, ok := f.all["Retry"]; !ok {
		f.refuse("Retry is missing")
	}
	if _, ok := f.all["Catch"]; !ok {
		f.refuse("Catch is missing")
	}
	f.attempts(s, at)
}

// attempts takes what Task, Parallel and Map have in common.
func (f *fields) attempts(s *state, at place) {
	if _, ok := f.all["Retry"]; ok {
		f.retriers(s)
	}
	if _, ok := f.all["Catch"]; ok {
		f.catchers(s, at)
	}
	at.result = true
	s.exit = f.exit(at)
}

func (f *fields) retriers(s *state) {
	entries := f.list("Retry")
	for i, raw := range entries {
		r := f.object(fmt.Sprintf("%s: Retry[%d]", f.where, i), raw)
		r.text("Comment")
		one := retrier{
			errors:   r.errorNames(i == len(entries)-1),
			interval: r.seconds("IntervalSeconds", 1),
			attempts: r.integer("MaxAttempts", 3, 0, 99999999),
			backoff:  r.number("BackoffRate", 2, 1, 1000),
			most:     r.seconds("MaxDelaySeconds", 0),
		}
		if one.most != 0 && one.most <= one.interval {
			r.refuse("MaxDelaySeconds is not above IntervalSeconds")
		}
		switch jitter := r.text("JitterStrategy"); jitter {
		case "", "NONE":
		case "FULL":
			one.jitter = true
		default:
			r.refuse("the JitterStrategy %q is not known", jitter)
		}
		r.done()
		s.retry = append(s.retry, one)
	}
}

func (f *fields) catchers(s *state, at place) {
	at.caught = true
	entries := f.list("Catch")
	for i, raw := range entries {
		c := f.object(fmt.Sprintf("%s: Catch[%d]", f.where, i), raw)
		c.text("Comment")
		one := catcher{errors: c.errorNames(i == len(entries)-1), exit: c.turn("Next", at)}
		if one.exit.next == "" {
			c.refuse("Next is missing")
		}
		c.done()
		s.catch = append(s.catch, one)
	}
}

// errorNames takes ErrorEquals. States.ALL stands alone and in the last entry.
func (f *fields) errorNames(last bool) []string {
	var names []string
	for _, raw := range f.list("ErrorEquals") {
		var name string
		if err := jsonv2.Unmarshal(raw, &name); err != nil || name == "" {
			f.refuse("ErrorEquals holds %s, which is no name", raw)
			continue
		}
		switch name {
		case statesAll, statesTimeout, taskFailed, noChoiceMatched, queryEvaluationError, dataLimitExceeded:
		case statesRuntime:
			f.refuse("ErrorEquals names States.Runtime, which nothing can catch")
		default:
			if strings.HasPrefix(name, "States.") || !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?$`).MatchString(name) {
				f.refuse("ErrorEquals holds %q, which is not known", name)
			}
		}
		if slices.Contains(names, name) {
			f.refuse("ErrorEquals holds %s twice", name)
		}
		names = append(names, name)
	}
	if slices.Contains(names, statesAll) && (len(names) > 1 || !last) {
		f.refuse("States.ALL must stand alone and in the last entry")
	}
	return names
}

func (f *fields) choice(s *state, at place) {
	s.exit = f.turn("Default", at)
	if s.exit.next == "" && (s.exit.assign != nil || s.exit.output != nil) {
		f.refuse("Assign and Output belong to a Default, which is missing")
	}
	for i, raw := range f.list("Choices") {
		r := f.object(fmt.Sprintf("%s: Choices[%d]", f.where, i), raw)
		r.text("Comment")
		one := rule{condition: r.needTemplate("Condition", at), exit: r.turn("Next", at)}
		if one.condition != nil && one.condition.expr == nil {
			r.refuse("Condition is no expression")
		}
		if one.exit.next == "" {
			r.refuse("Next is missing")
		}
		r.done()
		s.rules = append(s.rules, one)
	}
}

func (f *fields) wait(s *state, at place) {
	s.seconds, s.timestamp = f.template("Seconds", at), f.template("Timestamp", at)
	if (s.seconds == nil) == (s.timestamp == nil) {
		f.refuse("either Seconds or Timestamp is needed")
	}
	for _, t := range []*template{s.seconds, s.timestamp} {
		if t == nil || t.expr != nil {
			continue
		}
		if _, err := pause(t == s.timestamp, t.value, time.Time{}); err != nil {
			f.refuse("%v", err)
		}
	}
	s.exit = f.exit(at)
}

func (f *fields) parallel(s *state, at place) {
	for i, raw := range f.list("Branches") {
		b := f.object(fmt.Sprintf("%s: Branches[%d]", f.where, i), raw)
		b.text("Comment")
		s.branches = append(s.branches, f.scope(b))
		b.done()
	}
	f.attempts(s, at)
}

// maxConcurrency is what Step Functions runs at once of an inline Map at most.
const maxConcurrency = 40

func (f *fields) mapItems(s *state, at place) {
	s.items = f.needTemplate("Items", at)
	s.concurrency = f.integer("MaxConcurrency", 0, 1, maxConcurrency)
	if s.concurrency == 0 {
		f.refuse("MaxConcurrency is missing")
	}
	f.depth++
	s.selector = f.template("ItemSelector", place{item: true})
	p := f.object(f.where+": ItemProcessor", f.need("ItemProcessor"))
	p.text("Comment")
	config := f.object(p.where+": ProcessorConfig", p.need("ProcessorConfig"))
	if mode := config.text("Mode"); mode != "INLINE" {
		config.refuse("the Mode %q is not known", mode)
	}
	config.done()
	s.branches = []*scope{f.scope(p)}
	p.done()
	f.depth--
	f.attempts(s, at)
}

func (f *fields) needTemplate(name string, at place) *template {
	t := f.template(name, at)
	if t == nil {
		f.refuse("%s is missing", name)
	}
	return t
}

// template takes a field whose texts may be expressions; nil if it is absent.
func (f *fields) template(name string, at place) *template {
	raw, ok := f.take(name)
	if !ok {
		return nil
	}
	return f.parse(name, raw, at)
}

func (f *fields) parse(field string, raw jsontext.Value, at place) *template {
	t := &template{}
	switch raw.Kind() { //nolint:exhaustive // other kinds are texts, numbers and the like
	case '{':
		object := f.object(f.where+": "+field, raw)
		t.fields = map[string]*template{}
		for _, name := range slices.Sorted(maps.Keys(object.all)) {
			t.fields[name] = f.parse(field+"."+name, object.all[name], at)
		}
	case '[':
		var items []jsontext.Value
		if err := jsonv2.Unmarshal(raw, &items); err != nil {
			f.refuse("%s cannot be read: %v", field, err)
		}
		t.items = []*template{}
		for i, item := range items {
			t.items = append(t.items, f.parse(fmt.Sprintf("%s[%d]", field, i), item, at))
		}
	default:
		value, err := decode(raw)
		if err != nil {
			f.refuse("%s cannot be read: %v", field, err)
		}
		t.value = value
		if s, ok := value.(string); ok {
			t.expr = f.expression(field, s, at)
		}
	}
	return t
}

func (f *fields) expression(field, text string, at place) *expression {
	inner, opens := strings.CutPrefix(text, "{%")
	inner, closes := strings.CutSuffix(inner, "%}")
	if !opens && !closes && !strings.Contains(text, "{%") {
		return nil
	}
	if !opens || !closes {
		f.refuse("%s is an expression that does not begin with {%% and end with %%}", field)
		return nil
	}
	x, err := compile(strings.TrimSpace(inner), fmt.Sprintf("%s of state %s", field, f.state.name), at)
	if err != nil {
		f.refuse("%s %v", field, err)
		return nil
	}
	for _, name := range x.calls {
		f.calls[name] = f.where
	}
	for _, name := range x.vars {
		f.state.uses = append(f.state.uses, use{field: field, name: name})
	}
	return x
}
