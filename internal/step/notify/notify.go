// Package notify tells people how a round ended. Who was told is kept with the
// round, so that running it again tells nobody twice. A message that was sent
// just before the process died may be sent once more.
package notify

import (
	"context"
	"fmt"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// Notifier sends the outcome of rounds. All fields are required.
type Notifier struct {
	Runs   *run.Store
	Sender mail.Sender
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
		return done, fmt.Errorf("note that %s was told: %w", id, err)
	}
	return done, nil
}

func message(round run.Round, runs []run.Run) mail.Message {
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
	return mail.Message{Subject: fmt.Sprintf("%s: %s", what, round.Status), Body: b.String()}
}
