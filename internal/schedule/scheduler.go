package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Scheduler starts the chain machine when a schedule is due. It holds a copy of
// the schedules that are to be followed; what is stored is the truth, and a
// Keeper makes the copy agree with it. A start may come twice, or at a time that
// is no occurrence: Store.Claim tells which starts count.
//
// All methods may be called at once. An error is fault.Invalid (a schedule that
// is not valid, or a scheduler that is not set up), Transient or Throttled; after
// one of the latter two the change may have happened.
type Scheduler interface {
	// Put follows the owner's schedule from now on, in place of the one before.
	// Twice is as once. A schedule with no occurrence to come, because it is
	// disabled or over, is removed.
	Put(ctx context.Context, o Owner, s Schedule) error
	// Delete follows the owner's schedule no longer. One that is not there is nil.
	Delete(ctx context.Context, o Owner) error
	// List returns what is followed, in any order, without Names and Versions. The
	// Schedule of an entry that somebody else has changed, or that is over, is zero.
	List(ctx context.Context) ([]Entry, error)
}

// Cause is the cause of the runs that a schedule starts.
const Cause = "schedule"

// Input is what a due schedule starts the chain machine with. due is a time in
// the form of RFC 3339, or what a scheduler replaces by one.
func Input(o Owner, due string) json.RawMessage {
	var doc bytes.Buffer
	enc := json.NewEncoder(&doc)
	enc.SetEscapeHTML(false)                                                    // what is replaced has to be found
	_ = enc.Encode(map[string]string{o.What: o.ID, "cause": Cause, "due": due}) // text only: never fails
	return bytes.TrimSpace(doc.Bytes())
}

// ExecutionName names the execution that an occurrence starts, so that it starts
// one: at most 80 characters if the owner's id has at most 55.
func ExecutionName(o Owner, due time.Time) string {
	return fmt.Sprintf("%s-%s-%s", o.What, o.ID, due.UTC().Format("20060102T150405Z"))
}

// Due reports whether a time is an occurrence, to the minute. The second showing
// of a time that the clocks show twice counts as well, because not every
// scheduler says at which of both it starts; no scheduler starts at both.
func (s Schedule) Due(at time.Time) bool {
	_, due := s.occurrence(at)
	return due
}

// occurrence returns the occurrence that a start stands for.
func (s Schedule) occurrence(at time.Time) (time.Time, bool) {
	at = at.Truncate(time.Minute)
	next, ok := s.Next(at.Add(-time.Nanosecond))
	if ok && next.Equal(at) {
		return next, true
	}
	if s.Kind == Hourly || s.Kind == Minutes {
		return time.Time{}, false
	}
	loc, err := zone(s.Zone)
	if err != nil {
		return time.Time{}, false
	}
	shown := at.In(loc)
	first := instant(dayAt(shown).Add(time.Duration(shown.Hour())*time.Hour+time.Duration(shown.Minute())*time.Minute), loc)
	if !first.Before(at) {
		return time.Time{}, false
	}
	next, ok = s.Next(first.Add(-time.Nanosecond))
	return next, ok && next.Equal(first)
}
