// Package finish closes what a run opened: the sums must add up, the error file
// is written, the watermark moves, the lease is freed. Each of these is
// conditional, so it is safe to run again: a closed run answers with its outcome.
package finish

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"

	"hubspotconnector/internal/blob"
)

// Finisher closes runs and rounds. All fields but the last two are required.
type Finisher struct {
	Runs     *run.Store
	Staging  *staging.Store
	Bucket   blob.Bucket
	Activity *activity.Store
	Now      func() time.Time
	Metrics  metric.Sink
	// Marked finds the marks that runs have served; nil = there are none.
	Marked *step.Marked
}

// Cause is an error as the machine saw it.
type Cause struct {
	Part  int    `json:"part,omitempty"`
	Error string `json:"error"`
	Cause string `json:"cause"`
}

// Input is the task's payload. Fields may be added, never renamed or removed.
type Input struct {
	Scope     string `json:"scope"` // job, rest or round
	Run       run.ID `json:"run,omitempty"`
	Execution string `json:"execution,omitempty"`
	Round     int    `json:"round,omitempty"`
	Extract   *struct {
		Status step.Status `json:"status"`
		Cause
	} `json:"extract,omitempty"`
	Failed int    `json:"failed,omitempty"` // parts that failed
	First  *Cause `json:"first,omitempty"`  // the first of them
	Broken *Cause `json:"broken,omitempty"` // the machine itself broke off
}

// Output tells how it ended.
type Output struct {
	step.Turn
	Outcome run.Status `json:"outcome,omitempty"`
	Again   bool       `json:"again"`
}

// Close closes a job's run, the rest of a round, or the round.
func (f *Finisher) Close(ctx context.Context, in Input) (Output, error) {
	var outcome run.Status
	var again bool
	var err error
	switch in.Scope {
	case "job":
		outcome, err = f.job(ctx, in)
	case "rest":
		err = f.rest(ctx, in.Execution, in.Round, run.Skipped, "An earlier job of the chain failed, so this one did not run.")
	case "round":
		outcome, again, err = f.round(ctx, in)
	default:
		return Output{}, fault.New(fault.Invalid, "The event's scope is none of job, rest and round. Start the function through its state machine.")
	}
	if err != nil {
		return Output{}, fmt.Errorf("finish %s: %w", in.Scope, err)
	}
	return Output{Turn: step.Turn{Status: step.Done}, Outcome: outcome, Again: again}, nil
}

func (f *Finisher) job(ctx context.Context, in Input) (run.Status, error) {
	r, err := f.Runs.Get(ctx, in.Run)
	if err != nil {
		return "", err
	}
	if r.Status.Closed() {
		return r.Status, nil
	}
	plan, err := f.Staging.Plan(ctx, in.Run)
	if err != nil {
		return "", err
	}
	if err := f.judge(ctx, &r, plan, in); err != nil {
		return "", err
	}
	if r.Counts.Rejected > 0 {
		if r.ErrorFile, err = f.errorFile(ctx, r, plan); err != nil {
			return "", err
		}
	}
	if err := f.settleMarks(ctx, r, plan); err != nil {
		return "", err
	}
	if err := f.markMissing(ctx, r, plan); err != nil {
		return "", err
	}
	return f.close(ctx, r, plan)
}

// judge sets the run's status, counts and reason from how its steps ended.
func (f *Finisher) judge(ctx context.Context, r *run.Run, plan staging.Plan, in Input) error {
	ext, err := f.Runs.Extraction(ctx, r.ID)
	if err != nil {
		return err
	}
	parts, err := f.Runs.Parts(ctx, r.ID)
	if err != nil {
		return err
	}
	calls, err := f.Runs.Calls(ctx, r.ID)
	if err != nil {
		return err
	}
	for vendor, n := range r.Calls { // the plan's
		calls[vendor] += n
	}
	r.Calls, r.Counts = calls, run.Counts{Extracted: ext.Count}
	r.Rejects = map[record.Code]int{}
	settled := len(parts) == ext.Parts && ext.Done
	for _, p := range parts {
		r.Counts.Sum(p.Counts)
		for code, n := range p.Rejects {
			r.Rejects[code] += n
		}
		settled = settled && p.Done && (!p.Deferred || p.Pass == 2)
	}
	switch {
	case in.Extract != nil && in.Extract.Status == step.Skipped:
		r.Status = run.Skipped
	case in.Extract != nil && in.Extract.Status != step.Done:
		r.Status, r.Reason = run.Failed, sentence(in.Extract.Cause)
	case in.Broken != nil:
		r.Status, r.Reason = run.Failed, sentence(*in.Broken)
	case in.First != nil:
		r.Status, r.Reason = run.Failed, fmt.Sprintf("%d of %d parts were not finished. %s", in.Failed, ext.Parts, sentence(*in.First))
	case !settled || r.Counts.Settled() != r.Counts.Extracted: // Guarantee 1
		r.Status = run.Failed
		r.Reason = fmt.Sprintf("%d records were read, but only %d have an outcome. Run the job again.", r.Counts.Extracted, r.Counts.Settled())
	case len(plan.Skipped) > 0:
		r.Status = run.Partial
		r.Reason = "Fields that changed in HubSpot were skipped: " + strings.Join(plan.Skipped, " ") + " Restore them in HubSpot, or change the job's mapping."
	case r.Counts.Rejected > 0:
		r.Status = run.Partial
	case ext.More && ext.Parts == 0:
		r.Status, r.Reason = run.Success, large(ext.Total)
	default:
		r.Status = run.Success
	}
	return nil
}

// close stores the closed run with its activity, frees its lease and, if every
// part is settled, moves the watermark: one write, under the lease.
func (f *Finisher) close(ctx context.Context, r run.Run, plan staging.Plan) (run.Status, error) {
	r.Ended = f.Now().UTC()
	if r.Fence == 0 { // it may have died between taking the lease and noting it
		l, err := f.Runs.Leases.Of(ctx, r.LeaseName(), string(r.ID))
		if err != nil {
			return "", err
		}
		r.Fence = l.Fence
	}
	ops := f.Activity.ExecutionOps(execution(r))
	if r.Fence != 0 {
		guarded := append(r.Lease().ReleaseOps(), ops...)
		moved, err := f.moved(ctx, r, plan)
		if err != nil {
			return "", err
		}
		left, err := f.backlog(ctx, r, plan)
		if err != nil {
			return "", err
		}
		guarded = append(append(guarded, moved...), left...)
		_, err = f.Runs.Save(ctx, r, guarded...)
		if err == nil {
			f.measure(ctx, r)
			return r.Status, nil
		}
		if !fault.Is(err, fault.Fenced) {
			return f.again(ctx, r, err)
		}
		r.Status, r.Reason = run.Failed, fault.MessageOf(err)
		ops = f.Activity.ExecutionOps(execution(r))
	}
	if _, err := f.Runs.Save(ctx, r, ops...); err != nil {
		return f.again(ctx, r, err)
	}
	f.measure(ctx, r)
	return r.Status, nil
}

// measure counts a run that this call has closed.
func (f *Finisher) measure(ctx context.Context, r run.Run) {
	f.Metrics.Emit(ctx, metric.Runs, string(r.Status), 1)
	c := r.Counts
	for _, one := range []struct {
		outcome string
		records int
	}{
		{"extracted", c.Extracted},
		{"filtered", c.Filtered},
		{"inserted", c.Inserted},
		{"updated", c.Updated},
		{"unchanged", c.Unchanged},
		{"rejected", c.Rejected},
	} {
		if one.records > 0 {
			f.Metrics.Emit(ctx, metric.Records, one.outcome, float64(one.records))
		}
	}
}

// again answers for a run that a copy of this step has closed.
func (f *Finisher) again(ctx context.Context, r run.Run, err error) (run.Status, error) {
	if !fault.Is(err, fault.Conflict) {
		return "", err
	}
	now, readErr := f.Runs.Get(ctx, r.ID)
	if readErr != nil || !now.Status.Closed() {
		return "", fault.Wrap(err, fault.Transient, "The run changed while it was being closed.")
	}
	return now.Status, nil
}

func execution(r run.Run) activity.Execution {
	c := r.Counts
	return activity.Execution{
		RunID: string(r.ID), JobID: r.Job, Job: r.JobName, Chain: r.Chain, Connection: r.Connection, Cause: r.Cause,
		Status: string(r.Status), Started: r.Started, Ended: r.Ended, ErrorFile: r.ErrorFile, Reason: r.Reason,
		Counts: activity.Counts{
			Extracted: c.Extracted, Filtered: c.Filtered, Inserted: c.Inserted,
			Updated: c.Updated, Unchanged: c.Unchanged, Rejected: c.Rejected,
		},
	}
}

// Stopped is the reason of a failed run whose own Finish did not come to its end.
const Stopped = "The run was stopped before this job came to its end. Run it again; it goes on where it stood."

// rest closes every open run of a round and frees its lease.
func (f *Finisher) rest(ctx context.Context, exec string, n int, status run.Status, reason string) error {
	round, err := f.Runs.Round(ctx, exec, n)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	failed := false // a job before
	for _, id := range round.Jobs {
		r, err := f.Runs.Get(ctx, id)
		if err != nil {
			return err
		}
		if r.Status.Closed() {
			failed = failed || r.Status == run.Failed
			continue
		}
		r.Status, r.Reason = status, reason
		if status == run.Skipped && !failed { // it is the one that failed, and could not be closed then
			r.Status, r.Reason, failed = run.Failed, Stopped, true
		}
		if _, err := f.close(ctx, r, staging.Plan{}); err != nil {
			return err
		}
	}
	return nil
}

func (f *Finisher) round(ctx context.Context, in Input) (outcome run.Status, again bool, err error) {
	round, err := f.Runs.Round(ctx, in.Execution, in.Round)
	if fault.Is(err, fault.NotFound) { // it could not be planned
		round = run.Round{Execution: in.Execution, Round: in.Round, Started: f.Now().UTC(), Status: run.Running}
	} else if err != nil || round.Status.Closed() {
		return round.Status, round.Again, err
	}
	reason := Stopped
	if in.Broken != nil {
		round.Reason = sentence(*in.Broken)
		reason = round.Reason
	}
	if err := f.rest(ctx, in.Execution, in.Round, run.Failed, reason); err != nil {
		return "", false, err
	}
	statuses := map[run.Status]int{}
	for _, id := range round.Jobs {
		r, err := f.Runs.Get(ctx, id)
		if err != nil {
			return "", false, err
		}
		statuses[r.Status]++
	}
	round.Status, round.Ended = summary(statuses, len(round.Jobs)), f.Now().UTC()
	if round.Again, err = f.pending(ctx, round); err == nil && !round.Again && f.more(round) {
		round.Again, err = f.left(ctx, round)
	}
	if err != nil {
		return "", false, err
	}
	if err := f.Runs.SaveRound(ctx, round); err != nil && !fault.Is(err, fault.Conflict) {
		return "", false, err
	}
	return round.Status, round.Again, nil
}

func summary(statuses map[run.Status]int, jobs int) run.Status {
	switch {
	case jobs == 0 || statuses[run.Failed] > 0:
		return run.Failed
	case statuses[run.Skipped] == jobs:
		return run.Skipped
	case statuses[run.Success] == jobs:
		return run.Success
	}
	return run.Partial
}

// sentence is what people read of an error that the machine caught. The cause
// of a task's error is JSON text with the message that was written for them.
func sentence(c Cause) string {
	if message := messageOf(c.Cause); message != "" {
		return message
	}
	switch c.Error {
	case "States.Timeout", "Sandbox.Timedout", "Lambda.Unknown", "Runtime.ExitError":
		return "A step took too long or was stopped. Run the job again; it goes on where it stood."
	}
	return "Something went wrong on our side. The run was stopped and nothing was lost."
}

// messageOf reads the message of a function's error. The machine may have cut the
// cause; then it is as much of the message as is left, or "" if that is little.
func messageOf(cause string) string {
	const begin = `{"errorMessage":`
	rest, ok := strings.CutPrefix(cause, begin)
	if !ok {
		return ""
	}
	var message string
	if json.NewDecoder(strings.NewReader(rest)).Decode(&message) == nil { // whatever comes behind it
		return message
	}
	end := strings.LastIndexByte(rest, ' ')
	if end < 20 || json.Unmarshal([]byte(rest[:end]+`"`), &message) != nil { // little, or cut within an escape
		return ""
	}
	return message + " …"
}

// openReject joins what upsert stored of a reject with its staged row.
func openReject(stored record.Reject, e staging.Entry) record.Reject {
	if e.Row != nil {
		stored.Source = e.Row.Source
	}
	return stored
}
