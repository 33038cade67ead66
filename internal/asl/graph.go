package asl

import (
	"maps"
	"slices"
)

// An edge is a way from a state to another one, with the variables that it sets.
type edge struct {
	exit  *exit
	field string
}

func (s *state) edges() []edge {
	var out []edge
	switch s.kind {
	case succeed, fail:
	case choice:
		for _, r := range s.rules {
			out = append(out, edge{r.exit, "Choices"})
		}
		if s.exit.next != "" {
			out = append(out, edge{s.exit, "Default"})
		}
	case pass, task, wait, parallel, mapItems:
		out = append(out, edge{s.exit, "Next"})
		for _, c := range s.catch {
			out = append(out, edge{c.exit, "Catch"})
		}
	}
	return out
}

type names map[string]bool

func union(a, b names) names {
	out := maps.Clone(a)
	if out == nil {
		out = names{}
	}
	maps.Copy(out, b)
	return out
}

// checkScope refuses targets that do not exist, states that are never entered,
// variables that may have no value where they are read, and assignments to
// variables of an outer scope. Set holds the variables that have a value when
// the scope starts, outer every one that outer scopes ever set.
func (l *loader) checkScope(sc *scope, where string, set, outer names) {
	if sc.states[sc.startAt] == nil {
		l.refuse(where, "StartAt names the state %q, which does not exist here", sc.startAt)
		return
	}
	inner := names{}
	for _, name := range slices.Sorted(maps.Keys(sc.states)) {
		s := sc.states[name]
		for _, e := range s.edges() {
			if e.exit.next != "" && sc.states[e.exit.next] == nil {
				l.refuse(l.at(s), "%s names the state %q, which does not exist here", e.field, e.exit.next)
				return
			}
			for _, v := range slices.Sorted(maps.Keys(e.exit.assign)) {
				inner[v] = true
				if where, called := l.calls[v]; called {
					l.refuse(where, "a function $%s is called, but the file has a variable of that name", v)
				}
				if outer[v] {
					l.refuse(l.at(s), "Assign sets %s, which belongs to the states around it", v)
				}
			}
		}
	}
	known := flow(sc, set)
	for _, name := range slices.Sorted(maps.Keys(sc.states)) {
		s := sc.states[name]
		if known[name] == nil {
			l.refuse(l.at(s), "no other state leads to it")
			continue
		}
		for _, u := range s.uses {
			if !known[name][u.name] {
				l.refuse(l.at(s), "%s uses the variable $%s, which is not set on every way there", u.field, u.name)
			}
		}
		for _, b := range s.branches {
			l.checkScope(b, l.at(s), known[name], union(outer, inner))
		}
	}
}

func (l *loader) at(s *state) string { return l.file + ": state " + s.name }

// flow returns, for each state that can be reached, the variables that are set
// on every way to it.
func flow(sc *scope, set names) map[string]names {
	known := map[string]names{sc.startAt: union(set, nil)}
	for queue := []string{sc.startAt}; len(queue) > 0; queue = queue[1:] {
		from := sc.states[queue[0]]
		for _, e := range from.edges() {
			if e.exit.next == "" {
				continue
			}
			after := union(known[from.name], nil)
			for v := range e.exit.assign {
				after[v] = true
			}
			before, seen := known[e.exit.next]
			if seen {
				maps.DeleteFunc(after, func(v string, _ bool) bool { return !before[v] })
			}
			if !seen || len(after) < len(before) {
				known[e.exit.next] = after
				queue = append(queue, e.exit.next)
			}
		}
	}
	return known
}
