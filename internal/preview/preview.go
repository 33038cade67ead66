// Package preview runs a job up to the write: the steps of a real run, over
// storage in memory and a target that takes rows and keeps them to itself.
//
// What is known of the job's records (prints, claims, avatars) is read from the
// real table when it is asked for, and changed in memory alone. So a preview
// says what a run would do, because it is one, and it writes nothing anywhere.
package preview

import (
	"context"
	"fmt"
	"time"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/step/transform"
	"hubspotconnector/internal/step/upsert"
	"hubspotconnector/internal/table"
)

// Stage is what a preview is played on. All fields are required.
type Stage struct {
	Table  table.Table // is read
	Source extract.Source
	Target upsert.Target // of which only the reading methods are called
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
}

// Result is what a run would do.
type Result struct {
	Counts run.Counts
	// Whole is true if all records of the plan's query were read.
	Whole bool
	// Entries are the records by source id, in the order in which they were read.
	Entries []Entry
	// Rejects :: reason code → records
	Rejects map[record.Code]int
	// Calls and UserCalls are those to Gainsight that the steps made or would make;
	// UserCalls are among Calls.
	Calls, UserCalls int
}

// Entry is what would become of one record.
type Entry struct {
	SourceID string
	Outcome  run.Outcome
	GSID     string         // of the row that would be updated
	Fields   map[string]any // :: target field → value that would be written
	Reject   *record.Reject
}

// maxWait is how long a spent quota is waited for.
const maxWait = 15 * time.Second

// Run plays a plan on at most that many records. A quota that is spent for longer
// than some seconds is fault.Throttled.
func Run(ctx context.Context, s Stage, frozen staging.Plan, most int) (Result, error) {
	// Steps stop early when a deadline is near; here nobody would call them again.
	ctx, cancel := context.WithCancel(withoutDeadline{ctx})
	defer cancel()
	if frozen.Run == "" {
		frozen.Run = "preview"
	}
	items := newOverlay(s.Table, s.Now)
	p := &player{
		Stage: s, plan: frozen, read: &reader{source: s.Source, most: most, whole: true}, wrote: &writer{Target: s.Target},
		runs:   &run.Store{Table: items, Leases: &lease.Store{Table: items, Now: s.Now}, Now: s.Now},
		staged: &staging.Store{Bucket: &bucket{}}, delta: &delta.Store{Table: items}, avatars: &avatar.Store{Table: items},
	}
	if err := p.play(ctx); err != nil {
		return Result{}, err
	}
	res, err := p.result(ctx)
	res.Whole = p.read.whole
	if err != nil {
		return res, err
	}
	calls, err := p.runs.Calls(ctx, frozen.Run)
	res.Calls, res.UserCalls = calls["Gainsight"]+p.wrote.calls, p.wrote.userCalls
	return res, err
}

// withoutDeadline ends with its parent and knows no deadline.
type withoutDeadline struct{ context.Context }

// Deadline implements context.Context.
func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

type player struct {
	Stage
	plan    staging.Plan
	read    *reader
	wrote   *writer
	runs    *run.Store
	staged  *staging.Store
	delta   *delta.Store
	avatars *avatar.Store
	parts   int
}

func (p *player) play(ctx context.Context) error {
	id, now := p.plan.Run, p.Now()
	r := run.Run{
		ID: id, Execution: string(id), Round: 1, Job: p.plan.Job.ID, JobName: p.plan.Job.Name, Connection: p.plan.Job.Connection,
		Lane: run.Changes, Status: run.Planned, Started: now,
	}
	round := run.Round{Execution: string(id), Round: 1, Jobs: []run.ID{id}, Status: run.Running, Started: now}
	if _, err := p.runs.Open(ctx, round, []run.Run{r}); err != nil {
		return fmt.Errorf("open preview: %w", err)
	}
	if err := p.staged.PutPlan(ctx, p.plan); err != nil {
		return fmt.Errorf("stage plan of preview: %w", err)
	}
	reading := &extract.Extractor{Source: p.read, Runs: p.runs, Staging: p.staged, Now: p.Now}
	err := p.until(ctx, func() (step.Turn, error) {
		out, err := reading.Slice(ctx, extract.Input{Run: id})
		if out.Parts != nil {
			p.parts = *out.Parts
		}
		return out.Turn, err
	})
	if err != nil {
		return err
	}
	for pass := 1; pass <= 2; pass++ {
		for part := 1; part <= p.parts; part++ {
			if err := p.deliver(ctx, part, pass); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver takes a part through a pass; a part without deferred rows has no second
// one.
func (p *player) deliver(ctx context.Context, part, pass int) error {
	id := p.plan.Run
	if pass == 2 {
		at, err := p.runs.Part(ctx, id, part)
		if err != nil || !at.Deferred {
			return err
		}
	}
	transforming := &transform.Transformer{Target: p.wrote, Runs: p.runs, Staging: p.staged, Compile: plan.Compile, Now: p.Now}
	upserting := &upsert.Upserter{Target: p.wrote, Runs: p.runs, Staging: p.staged, Delta: p.delta, Avatars: p.avatars, Now: p.Now}
	err := p.until(ctx, func() (step.Turn, error) {
		out, err := transforming.Part(ctx, transform.Input{Run: id, Part: part, Pass: pass})
		return out.Turn, err
	})
	if err != nil {
		return err
	}
	return p.until(ctx, func() (step.Turn, error) {
		out, err := upserting.Part(ctx, upsert.Input{Run: id, Part: part, Pass: pass})
		return out.Turn, err
	})
}

// until repeats a step until it is done.
func (p *player) until(ctx context.Context, work func() (step.Turn, error)) error {
	for {
		turn, err := work()
		switch {
		case err != nil:
			return err
		case turn.Status == step.Done:
			return nil
		case turn.Status != step.Wait:
			continue
		}
		wait := turn.ResumeAt.Sub(p.Now())
		if wait > maxWait {
			return fault.Until(*turn.ResumeAt, "A call quota is spent at the moment. Try the preview again at %s.", turn.ResumeAt.In(p.Now().Location()).Format("15:04:05 MST"))
		}
		if err := p.Sleep(ctx, max(wait, 0)); err != nil {
			return fmt.Errorf("wait for quota: %w", err)
		}
	}
}

// result gathers what became of the records.
func (p *player) result(ctx context.Context) (Result, error) {
	res := Result{Rejects: map[record.Code]int{}}
	for part := 1; part <= p.parts; part++ {
		at, err := p.runs.Part(ctx, p.plan.Run, part)
		if err != nil {
			return res, err
		}
		res.Counts.Sum(at.Counts)
		for code, n := range at.Rejects {
			res.Rejects[code] += n
		}
		if err := p.entries(ctx, part, &res); err != nil {
			return res, err
		}
	}
	res.Counts.Extracted = len(res.Entries)
	return res, nil
}

func (p *player) entries(ctx context.Context, part int, res *Result) error {
	rejects, err := p.runs.Rejects(ctx, p.plan.Run, part)
	if err != nil {
		return err
	}
	first := len(res.Entries)
	var ids []string
	err = p.staged.Rows(ctx, p.plan.Run, part, 1, func(e staging.Entry) error {
		entry := Entry{SourceID: e.ID(), Reject: e.Reject}
		if e.Row != nil {
			entry.Fields = e.Row.Fields
		}
		if e.Filtered != "" {
			entry.Outcome = run.Filtered
		}
		ids, res.Entries = append(ids, entry.SourceID), append(res.Entries, entry)
		return nil
	})
	if err != nil {
		return err
	}
	prints, err := p.delta.Prints(ctx, p.plan.Job.ID, ids)
	if err != nil {
		return err
	}
	for i := range res.Entries[first:] {
		e := &res.Entries[first+i]
		if known := prints[e.SourceID]; e.Outcome == "" {
			e.Outcome, e.GSID = known.Outcome, known.GSID
			if known.Run != p.plan.Run { // what stays as it is is not noted again
				e.Outcome = run.Unchanged
			}
		}
		if reject, ok := rejects[e.SourceID]; ok {
			e.Reject = &reject
		}
		if e.Reject != nil {
			e.Outcome, e.Fields = run.Rejected, nil
		}
		if isOurs(e.GSID) {
			e.GSID = ""
		}
	}
	return nil
}
