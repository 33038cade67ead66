// Package notify tells people how a round ended. Who was told is kept with the
// round, so that running it again tells nobody twice. A message that was sent
// just before the process died may be sent once more.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// Notifier sends the outcome of rounds. The first two fields are required.
type Notifier struct {
	Runs   *run.Store
	Sender mail.Sender
	// Audience says who wants to know how a round ended; nil = those of the Sender,
	// always.
	Audience func(ctx context.Context, round run.Round, runs []run.Run) (Audience, error)
	// PublicURL is the origin of the console, for links; "" = no links.
	PublicURL string
}

// Audience is who wants to know.
type Audience struct {
	// Set says that somebody said who wants to know. If it is false, those of the
	// Sender are told.
	Set bool
	// The mail addresses for each outcome; none = nobody.
	Success, Partial, Failure []string
	// Threshold is the share of rejected records, 0 to 1, from which a Partial
	// Success is told, unless there is another reason for it than rejects.
	Threshold float64
	// Post tells by another way too: failures, Partial Successes, and Successes if
	// somebody wants to know of them. nil = there is none.
	Post func(ctx context.Context, m mail.Message) error
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
	if !quiet(round, runs) {
		if err := n.tell(ctx, id, round, runs); err != nil {
			return done, fmt.Errorf("send outcome of %s: %w", id, err)
		}
	}
	round.Notified = true
	if err := n.Runs.SaveRound(ctx, round); err != nil && !fault.Is(err, fault.Conflict) {
		return done, fmt.Errorf("note that %s was told: %w", id, err)
	}
	return done, nil
}

// quiet reports whether nobody wants to know: runs of marked records come every
// minute, and are told if they fail.
func quiet(round run.Round, runs []run.Run) bool {
	other := func(r run.Run) bool { return r.Mode != run.ModeMarked }
	return round.Status != run.Failed && len(runs) > 0 && !slices.ContainsFunc(runs, other)
}

// tell sends the message to whom it concerns. One way that fails does not keep
// the message from the other.
func (n *Notifier) tell(ctx context.Context, id string, round run.Round, runs []run.Run) error {
	var a Audience
	if n.Audience != nil {
		var err error
		if a, err = n.Audience(ctx, round, runs); err != nil {
			return err
		}
	}
	m := n.message(round, runs)
	if !a.Set {
		return errors.Join(n.Sender.Send(ctx, id, m), post(ctx, a, m, round.Status != run.Success))
	}
	m.To = a.to(round.Status)
	if round.Status == run.Partial && few(runs, a.Threshold) {
		return nil
	}
	var err error
	if len(m.To) > 0 {
		err = n.Sender.Send(ctx, id, m)
	}
	return errors.Join(err, post(ctx, a, m, round.Status != run.Success || len(m.To) > 0))
}

func post(ctx context.Context, a Audience, m mail.Message, wanted bool) error {
	if a.Post == nil || !wanted {
		return nil
	}
	return a.Post(ctx, m)
}

// to are the addresses for an outcome. A round that was skipped as a whole is told
// like a Partial Success.
func (a Audience) to(status run.Status) []string {
	switch status { //nolint:exhaustive // a closed round has no other status
	case run.Success:
		return a.Success
	case run.Failed:
		return a.Failure
	}
	return a.Partial
}

// few reports whether the share of rejected records is below the threshold, and
// nothing else is wrong.
func few(runs []run.Run, threshold float64) bool {
	rejected, read := 0, 0
	for _, r := range runs {
		if r.Reason != "" || r.Status == run.Skipped {
			return false
		}
		rejected, read = rejected+r.Counts.Rejected, read+r.Counts.Extracted
	}
	return float64(rejected) < threshold*float64(read)
}

func (n *Notifier) message(round run.Round, runs []run.Run) mail.Message {
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
		n.links(&b, r)
	}
	reasons(&b, runs)
	return mail.Message{Subject: fmt.Sprintf("%s: %s", what, round.Status), Body: b.String()}
}

func (n *Notifier) links(b *strings.Builder, r run.Run) {
	switch page := n.PublicURL + "/activity/runs/" + url.PathEscape(string(r.ID)); {
	case n.PublicURL == "" && r.ErrorFile != "":
		fmt.Fprintf(b, "  Error file: %s\n", r.ErrorFile)
	case n.PublicURL == "":
	case r.ErrorFile != "":
		fmt.Fprintf(b, "  Activity: %s\n  Error file: %s/errors\n", page, page)
	default:
		fmt.Fprintf(b, "  Activity: %s\n", page)
	}
}

// mostReasons is how many reasons a message tells.
const mostReasons = 3

// reasons writes the most frequent reasons for rejects, with their counts.
func reasons(b *strings.Builder, runs []run.Run) {
	counts := map[record.Code]int{}
	for _, r := range runs {
		for code, n := range r.Rejects {
			counts[code] += n
		}
	}
	if len(counts) == 0 {
		return
	}
	codes := slices.SortedFunc(maps.Keys(counts), func(x, y record.Code) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	b.WriteString("\nMost frequent reasons for rejects:\n")
	for _, code := range codes[:min(mostReasons, len(codes))] {
		reason, _ := mapping.Explain(code)
		fmt.Fprintf(b, "  %d × %s: %s\n", counts[code], code, strings.TrimSpace(reason.Meaning+" "+reason.Fix))
	}
}
