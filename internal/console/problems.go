package console

import (
	"errors"
	"strings"

	"hubspotconnector/internal/mapping"
)

// problem is one thing to correct.
type problem struct {
	At      string // the id of its field, "" if it has none
	Message string
	// Elsewhere is the address of the field on another page; "" = it is on this one.
	Elsewhere string
}

// problemsOf returns the problems that an error consists of, if it does.
func problemsOf(err error) ([]problem, bool) {
	list, ok := errors.AsType[mapping.Problems](err)
	all := make([]problem, len(list))
	for i, p := range list {
		all[i] = problem{At: fieldID(p.Path), Message: p.Message}
	}
	return all, ok
}

// fieldID is the id of the field for a path: "direct[2].to" is "direct-2-to".
func fieldID(path string) string {
	return strings.Trim(strings.NewReplacer("[", "-", "]", "", ".", "-", "#", "-").Replace(path), "-")
}
