package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
)

// A step is one line of a scenario: a verb, words, and name=value pairs. A word
// with blanks stands in double quotes.
type step struct {
	line  string
	words []string
	pairs map[string]string
}

func parseStep(line string) (step, error) {
	s := step{line: line, pairs: map[string]string{}}
	rest := strings.TrimSpace(line)
	for rest != "" {
		word, after, err := nextWord(rest)
		if err != nil {
			return s, fmt.Errorf("%q: %w", line, err)
		}
		rest = strings.TrimLeft(after, " \t")
		if name, value, ok := strings.Cut(word, "="); ok {
			s.pairs[name] = value
		} else {
			s.words = append(s.words, word)
		}
	}
	return s, nil
}

// nextWord takes a word off the front; double quotes hold blanks together, also
// behind an equals sign.
func nextWord(s string) (word, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", fmt.Errorf("a quote is not closed")
	}
	return b.String(), "", nil
}

// word returns the nth word, or fails the test.
func (w *world) word(s step, n int) string {
	w.t.Helper()
	if n >= len(s.words) {
		w.t.Fatalf("step %q: word %d is missing", s.line, n+1)
	}
	return s.words[n]
}

// do carries out a step.
func (w *world) do(s step) {
	w.t.Helper()
	if len(s.words) == 0 {
		w.t.Fatalf("step %q has no verb", s.line)
	}
	verbs := map[string]func(step){
		"run":        w.stepRun,
		"hubspot":    w.stepHubSpot,
		"gainsight":  w.stepGainsight,
		"connection": w.stepConnection,
		"apply":      w.stepApply,
		"key":        w.stepKey,
		"avatar":     w.stepAvatar,
		"hold":       w.stepHold,
		"die":        w.stepDie,
		"when":       w.stepWhen,
		"job":        w.stepJob,
		"webhooks":   w.stepWebhooks,
		"told":       w.stepTold,
		"burst":      w.stepBurst,
		"fill":       w.stepFill,
		"edit":       w.stepEdit,
		"option":     w.stepOption,
		"advance":    func(s step) { w.advance(w.duration(s, 1)) },
		"reset":      func(step) { w.calls = w.counters() },
	}
	verb, ok := verbs[s.words[0]]
	if !ok {
		w.t.Fatalf("step %q: no verb %q, only %q", s.line, s.words[0], slices.Sorted(maps.Keys(verbs)))
	}
	verb(s)
}

func (w *world) duration(s step, n int) time.Duration {
	d, err := time.ParseDuration(w.word(s, n))
	if err != nil {
		w.t.Fatalf("step %q: %v", s.line, err)
	}
	return d
}

func (w *world) number(s step, n int) int {
	v, err := strconv.Atoi(w.word(s, n))
	if err != nil {
		w.t.Fatalf("step %q: %v", s.line, err)
	}
	return v
}

// stepRun: run chain NAME | run job NAME, with mode= and since=. Its outcome
// becomes a line per job.
func (w *world) stepRun(s step) {
	in := run.Input{Mode: run.Mode(s.pairs["mode"]), Cause: "manual execution"}
	switch w.word(s, 1) {
	case "chain":
		in.Chain = w.word(s, 2)
	case "job":
		in.Job = w.word(s, 2)
	default:
		w.t.Fatalf("step %q: run a chain or a job", s.line)
	}
	if since := s.pairs["since"]; since != "" {
		at, err := time.Parse(time.RFC3339, since)
		if err != nil {
			w.t.Fatalf("step %q: %v", s.line, err)
		}
		in.Since = at
	}
	w.run(in)
}

// stepHubSpot edits the source, or spoils its next calls.
func (w *world) stepHubSpot(s step) {
	p := w.portal
	switch verb := w.word(s, 1); verb {
	case "create":
		id := p.Create(w.word(s, 2), s.pairs)
		if len(s.words) > 3 {
			w.names[s.words[3]] = id
		}
	case "set":
		p.Set(w.word(s, 2), w.id(s, 3), s.pairs)
	case "silently":
		p.SetSilently(w.word(s, 2), w.id(s, 3), s.pairs)
	case "archive":
		p.Archive(w.word(s, 2), w.id(s, 3))
	case "purge":
		p.Purge(w.word(s, 2), w.id(s, 3))
	case "disassociate":
		p.Dissociate(w.word(s, 2), w.id(s, 3), w.word(s, 4), w.id(s, 5), s.pairs["label"])
	case "restore":
		p.Restore(w.word(s, 2), w.id(s, 3))
	case "merge":
		w.names[w.word(s, 5)] = p.Merge(w.word(s, 2), w.id(s, 3), w.id(s, 4))
	case "associate":
		p.Associate(w.word(s, 2), w.id(s, 3), w.word(s, 4), w.id(s, 5), s.pairs["label"])
	case "property":
		p.DefineProperty(w.word(s, 2), hubspotsim.Property{
			Name: w.word(s, 3), Label: s.pairs["label"], Type: s.pairs["type"], FieldType: s.pairs["field"], Options: options(s.pairs["options"]),
		})
	case "archive-property":
		p.ArchiveProperty(w.word(s, 2), w.word(s, 3))
	case "rename-property":
		p.RenameProperty(w.word(s, 2), w.word(s, 3), w.word(s, 4))
	case "owner":
		p.AddOwner(hubspotsim.Owner{ID: w.word(s, 2), Email: s.pairs["email"], FirstName: s.pairs["first"], LastName: s.pairs["last"]})
	case "set-owner":
		p.SetOwner(w.id(s, 2), func(o *hubspotsim.Owner) { o.Email = s.pairs["email"] })
	case "deactivate-owner":
		p.DeactivateOwner(w.id(s, 2))
	case "archive-owner":
		p.ArchiveOwner(w.id(s, 2))
	case "withdraw":
		p.Withdraw(s.words[2:]...)
	case "uninstall":
		p.Uninstall()
	case "expire-tokens":
		p.ExpireTokens()
	case "fault":
		w.hubspotFault.add(w.fault(s))
	default:
		w.t.Fatalf("step %q: HubSpot cannot %q", s.line, verb)
	}
}

// stepGainsight edits the target, or spoils its next calls.
func (w *world) stepGainsight(s step) {
	switch verb := w.word(s, 1); verb {
	case "insert":
		w.target.Insert(w.word(s, 2), values(s.pairs))
	case "set":
		w.target.Set(w.word(s, 2), w.gsid(w.word(s, 2), w.word(s, 3)), values(s.pairs))
	case "delete":
		w.target.Delete(w.word(s, 2), w.gsid(w.word(s, 2), w.word(s, 3)))
	case "field":
		w.target.AddField(w.word(s, 2), gainsightsim.Field{
			Name: w.word(s, 3), Label: s.pairs["label"], DataType: s.pairs["type"], Nillable: true,
			Options: list(s.pairs["options"]), Inactive: list(s.pairs["inactive"]), LookupObject: s.pairs["lookup"],
		})
	case "key":
		w.target.SetResolutionKeys(s.words[2:]...)
	case "object":
		w.target.AddObject(w.word(s, 2), s.pairs["label"])
	case "remove-field":
		w.target.RemoveField(w.word(s, 2), w.word(s, 3))
	case "fault":
		w.gainsightFault.add(w.fault(s))
	case "heal":
		w.gainsightFault.clear()
	default:
		w.t.Fatalf("step %q: Gainsight cannot %q", s.line, verb)
	}
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "|")
}

func options(s string) []hubspotsim.Option {
	var all []hubspotsim.Option
	for _, one := range list(s) {
		all = append(all, hubspotsim.Option{Label: one, Value: one})
	}
	return all
}

func values(pairs map[string]string) map[string]any {
	v := map[string]any{}
	for name, value := range pairs {
		switch value {
		case "true", "false":
			v[name] = value == "true"
		default:
			v[name] = value
		}
	}
	return v
}

// spoil is a fault that is still to happen.
type spoil struct {
	path string // part of the request's method and path
	nth  int    // the calls of that path to come until it happens, from 1
	last int    // the last call that it happens to
	kind string // reset, lost, truncate, html, 429, 500, …
	then func() // done before the call is answered; nil = nothing
}

// fault: fault PATH NTH[-LAST] KIND, where PATH is part of "METHOD /path".
func (w *world) fault(s step) *spoil {
	first, last, isRange := strings.Cut(w.word(s, 3), "-")
	f := &spoil{path: w.word(s, 2), kind: w.word(s, 4)}
	var err error
	if f.nth, err = strconv.Atoi(first); err != nil {
		w.t.Fatalf("step %q: %v", s.line, err)
	}
	f.last = f.nth
	if isRange {
		if f.last, err = strconv.Atoi(last); err != nil {
			w.t.Fatalf("step %q: %v", s.line, err)
		}
	}
	return f
}

// hits reports whether the fault happens to this call, and counts it.
func (f *spoil) hits(call string) bool {
	if !strings.Contains(call, f.path) {
		return false
	}
	f.nth, f.last = f.nth-1, f.last-1
	return f.nth <= 0 && f.last >= 0
}
