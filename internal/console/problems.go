package console

import (
	"errors"
	"strings"

	"hubspotconnector/internal/mapping"
)

// problem is one thing to correct. At is the id of its field on the page, "" if
// it has none there.
type problem struct{ At, Message string }

// problemsOf returns the problems that an error consists of, if it does.
func problemsOf(err error) ([]problem, bool) {
	list, ok := errors.AsType[mapping.Problems](err)
	all := make([]problem, len(list))
	for i, p := range list {
		all[i] = problem{fieldID(p.Path), p.Message}
	}
	return all, ok
}

// fieldID is the id of the field for a path: "direct[2].to" is "direct-2-to".
func fieldID(path string) string {
	return strings.Trim(strings.NewReplacer("[", "-", "]", "", ".", "-", "#", "-").Replace(path), "-")
}
