package api

import (
	"net/http"
	"strconv"
	"strings"

	"hubspotconnector/internal/fault"
)

// Edit is what a request that changes something stored says about what it was
// made from.
type Edit struct {
	IfMatch string `header:"If-Match" doc:"The ETag of what the change was made from. Without it the answer is 428; if somebody else was faster it is 409 with the version that is stored now."`
}

// Removal is likewise; what is removed may be whatever it is.
type Removal struct {
	IfMatch string `header:"If-Match" doc:"The ETag of what is meant. Without it whatever is stored is removed."`
}

// tag is the entity tag of a version.
func tag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// from returns nil if the change was made from the version that is stored.
func (e Edit) from(stored int64) error {
	if e.IfMatch == "" {
		p := problem(http.StatusPreconditionRequired, "Say what the change was made from: send the ETag that you read as If-Match.", Detail{Path: "header.If-Match", Message: "The header is missing."})
		p.Kind, p.Version = string(fault.Invalid), &stored
		return p
	}
	return matches(e.IfMatch, stored)
}

// from returns nil if what is meant is what is stored.
func (e Removal) from(stored int64) error {
	if e.IfMatch == "" {
		return nil
	}
	return matches(e.IfMatch, stored)
}

func matches(header string, stored int64) error {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag(stored) {
			return nil
		}
	}
	return stale(stored)
}

// stale is the answer to a change of an earlier version.
func stale(stored int64) *Problem {
	p := problem(http.StatusConflict, "Somebody else changed this since you read it. Read it again, then repeat your change.")
	p.Kind, p.Version = string(fault.Conflict), &stored
	return p
}

// overtaken turns the conflict of a write into one that names the version that is
// stored now; other errors stay as they are.
func overtaken(err error, stored func() (int64, error)) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	version, readErr := stored()
	if readErr != nil {
		return readErr
	}
	return stale(version)
}
