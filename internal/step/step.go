// Package step holds the words that all steps answer their state machine with.
package step

import (
	"context"
	"time"

	"hubspotconnector/internal/fault"
)

// Status tells the machine what comes next.
type Status string

// What a Status can be. SKIPPED is extract's, NOTHING plan's.
const (
	Done    Status = "DONE"
	More    Status = "MORE"
	Wait    Status = "WAIT"
	Skipped Status = "SKIPPED"
	Nothing Status = "NOTHING"
)

// Turn is the part of an answer that all steps share.
type Turn struct {
	Status Status `json:"status"`
	// ResumeAt goes with WAIT: when the machine calls again.
	ResumeAt *time.Time `json:"resumeAt,omitempty"`
}

// stopBefore is how long before the Lambda deadline a step takes no more work:
// one vendor call at its 40 s timeout, one write, the answer, and some room.
const stopBefore = 60 * time.Second

// Short reports whether time for this call runs short.
func Short(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < stopBefore
}

// Later turns a spent quota into WAIT: with it, ok is true and the step returns
// the turn. Any other error is the step's own.
func Later(err error, now time.Time) (turn Turn, ok bool) {
	if !fault.Is(err, fault.Throttled) {
		return Turn{}, false
	}
	at := fault.ResumeAt(err)
	if at.Before(now) {
		at = now.Add(time.Second)
	}
	at = at.UTC().Truncate(time.Millisecond)
	return Turn{Status: Wait, ResumeAt: &at}, true
}
