package upsert

import (
	"slices"

	"hubspotconnector/internal/staging"
)

// entries are the staged entries of a part. They are decoded as they come up: those
// of a whole part take more memory than the step has.
type entries struct {
	lines [][]byte
	at    int // of the first that is decoded
	ready []staging.Entry
}

// from returns the entries from a position on, at most n.
func (e *entries) from(at, n int) ([]staging.Entry, error) {
	end := min(at+n, len(e.lines))
	if at < e.at || at > e.at+len(e.ready) {
		e.at, e.ready = at, nil
	}
	e.ready, e.at = slices.Clone(e.ready[at-e.at:]), at // items hold the others as long as they need
	for i := at + len(e.ready); i < end; i++ {
		entry, err := staging.DecodeEntry(e.lines[i])
		if err != nil {
			return nil, err
		}
		e.ready = append(e.ready, entry)
	}
	return e.ready[:end-at], nil
}
