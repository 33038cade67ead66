// Package notify tells people how a round ended. Who was told is kept with the
// round, so that running it again tells nobody twice. A message that was sent
// just before the process died may be sent once more.
package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// Message is what a person reads.
type Message struct {
	Subject string
	Body    string
}

// Sender sends a message to those who want to know. Its errors are for the log:
// a failing message fails no run.
type Sender interface {
	Send(ctx context.Context, id string, m Message) error
}

// Notifier sends the outcome of rounds. All fields are required.
type Notifier struct {
	Runs   *run.Store
	Sender Sender
}

// Input is the task's payload.
type Input struct {
	Execution string `json:"execution"`
	Round     int    `json:"round"`
}

// Round tells about a closed round, once.
func (n *Notifier) Round(ctx context.Context, in Input) (step.Turn, error) {
	done := step.Turn{Status: step.Done}
	round, err := n.Runs.Round(ctx, in.Execution, in.Round)
	if err != nil || round.Notified {
		return done, err
	}
	runs := make([]run.Run, len(round.Jobs))
	for i, id := range round.Jobs {
		if runs[i], err = n.Runs.Get(ctx, id); err != nil {
			return done, err
		}
	}
	id := fmt.Sprintf("%s-%d", in.Execution, in.Round)
	if err := n.Sender.Send(ctx, id, message(round, runs)); err != nil {
		return done, fmt.Errorf("send outcome of %s: %w", id, err)
	}
	round.Notified = true
	if err := n.Runs.SaveRound(ctx, round); err != nil && !fault.Is(err, fault.Conflict) {
		return done, errors.Join(err)
	}
	return done, nil
}

func message(round run.Round, runs []run.Run) Message {
	what := round.Chain
	if what == "" && len(runs) > 0 {
		what = runs[0].JobName
	}
	var b strings.Builder
	if round.Reason != "" {
		fmt.Fprintf(&b, "%s\n\n", round.Reason)
	}
	for _, r := range runs {
		c := r.Counts
		fmt.Fprintf(&b, "%s: %s\n", r.JobName, r.Status)
		fmt.Fprintf(&b, "  %d read, %d filtered, %d inserted, %d updated, %d unchanged, %d rejected\n",
			c.Extracted, c.Filtered, c.Inserted, c.Updated, c.Unchanged, c.Rejected)
		if r.Reason != "" {
			fmt.Fprintf(&b, "  %s\n", r.Reason)
		}
		if r.ErrorFile != "" {
			fmt.Fprintf(&b, "  Error file: %s\n", r.ErrorFile)
		}
	}
	return Message{Subject: fmt.Sprintf("%s: %s", what, round.Status), Body: b.String()}
}
