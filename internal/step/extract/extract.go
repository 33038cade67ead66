// Package extract reads a job's records from the source into staged parts.
//
// It is safe to run twice, one after the other or at once: a part is written
// once and says in its trailer where the next one begins, and the position is in
// the store. What a dead step had read since its last part is read again.
package extract

import (
	"context"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// Source reads records.
type Source interface {
	// Page returns a page of records. Its errors are Throttled (with the time to
	// go on), Transient, Reauthorize, Invalid or NotFound; an error means that
	// nothing is known, never that there are no records (Guarantee 6).
	Page(ctx context.Context, connection string, q record.Query) (record.Page, error)
	// Gone returns records, at most 100, that Page did not find by their ids, each
	// with how it left the source. Its errors are those of Page; a record that is
	// there after all is Transient.
	Gone(ctx context.Context, connection, object string, ids []string) ([]record.Record, error)
}

// Extractor extracts runs. All fields but the last two are required.
type Extractor struct {
	Source  Source
	Runs    *run.Store
	Staging *staging.Store
	Now     func() time.Time
	// Marked finds the marks that runs serve; nil = they serve none.
	Marked *step.Marked
	// Count returns how many records a query has; nil = nobody knows. Its errors are
	// those of Source.
	Count func(ctx context.Context, connection string, q record.Query) (int, error)
}

// Input is the task's payload. Fields may be added, never renamed or removed.
type Input struct {
	Run run.ID `json:"run"`
}

// Output tells the machine what to do next.
type Output struct {
	step.Turn
	// Parts goes with DONE: how many parts there are, 0 or more.
	Parts *int `json:"parts,omitempty"`
}

// Slice takes the job's lease, claims the marks that the run serves, and reads
// them and the pages of the plan's query until all are staged or time or quota
// runs short. A broken plan fails with its reason. A job whose lease another run
// holds is left to that run: SKIPPED, and the run says so; but a run of marked
// records is short and waited for.
func (e *Extractor) Slice(ctx context.Context, in Input) (out Output, err error) {
	err = e.Runs.Metered(ctx, in.Run, func(ctx context.Context) error {
		out, err = e.slice(ctx, in)
		return err
	})
	return out, err
}

func (e *Extractor) slice(ctx context.Context, in Input) (Output, error) {
	plan, err := e.Staging.Plan(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	r, err := e.Runs.Get(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	if r.Status.Closed() {
		return Output{Turn: step.Turn{Status: step.Skipped}}, nil
	}
	if plan.Broken != nil {
		return Output{}, fault.New(plan.Broken.Kind, "%s", plan.Broken.Message)
	}
	r, holder, err := e.Runs.Take(ctx, r)
	if holder != "" && e.short(ctx, r, holder) {
		at := e.Now().UTC().Add(shortWait).Truncate(time.Millisecond)
		return Output{Turn: step.Turn{Status: step.Wait, ResumeAt: &at}}, nil
	}
	if holder != "" {
		r.Reason = fmt.Sprintf("Run %s of this job is still at work, so this one did not start.", holder)
		if _, err := e.Runs.Save(ctx, r); err != nil && !fault.Is(err, fault.Conflict) {
			return Output{}, err
		}
		return Output{Turn: step.Turn{Status: step.Skipped}}, nil
	}
	if err != nil {
		return Output{}, err
	}
	at, err := e.Runs.Extraction(ctx, r.ID)
	if err != nil {
		return Output{}, err
	}
	pages, err := e.pages(ctx, r, plan)
	if err != nil {
		return Output{}, fmt.Errorf("claim marks of run %s: %w", r.ID, err)
	}
	for !at.Done {
		if at, err = e.part(ctx, r, pages, at); err != nil {
			break
		}
		if !at.Done && step.Short(ctx) {
			return Output{Turn: step.Turn{Status: step.More}}, nil
		}
	}
	if turn, ok := step.Later(err, e.Now()); ok {
		return Output{Turn: turn}, nil
	}
	if err != nil {
		return Output{}, fmt.Errorf("extract run %s: %w", r.ID, err)
	}
	return Output{Turn: step.Turn{Status: step.Done}, Parts: &at.Parts}, nil
}

// part stages the next part and moves the position behind it. When reading
// stops early what was read is staged all the same, so that only the page in
// hand is read again, and the reason is returned beside the new position.
func (e *Extractor) part(ctx context.Context, r run.Run, pages *pages, at run.Extraction) (run.Extraction, error) {
	if err := e.Runs.Leases.Keep(ctx, r.Lease()); err != nil {
		return at, err
	}
	if rest, ok, err := e.rest(ctx, r, pages, at); ok || err != nil {
		if err != nil {
			return at, err
		}
		return e.Runs.Extracted(ctx, r, at, rest)
	}
	number := at.Parts + 1
	if t, err := e.Staging.PartTrailer(ctx, r.ID, number); err == nil {
		return e.move(ctx, r, at, t) // written by a copy of this step
	} else if !fault.Is(err, fault.NotFound) {
		return at, err
	}
	draft, next, stopped := pages.read(ctx, at.Cursor, at.Count)
	if draft.Count == 0 && stopped != nil {
		return at, stopped
	}
	if draft.Count == 0 && next == "" {
		end := at
		end.Done = true
		return e.Runs.Extracted(ctx, r, at, end)
	}
	trailer, err := e.Staging.PutPart(ctx, r.ID, number, draft, next)
	if err != nil {
		return at, err
	}
	if at, err = e.move(ctx, r, at, trailer); err != nil {
		return at, err
	}
	return at, stopped
}

func (e *Extractor) move(ctx context.Context, r run.Run, at run.Extraction, t record.Trailer) (run.Extraction, error) {
	to := run.Extraction{Cursor: t.Next, Parts: at.Parts + 1, Count: at.Count + t.Count, Done: t.Next == ""}
	return e.Runs.Extracted(ctx, r, at, to)
}

// shortWait is how long a run waits before it looks again whether a run of marked
// records has ended, and mostWait how long in all.
const (
	shortWait = 5 * time.Second
	mostWait  = 30 * time.Minute
)

// short reports whether the lease is held by a run of marked records that this
// run, which is none, may wait for.
func (e *Extractor) short(ctx context.Context, r run.Run, holder string) bool {
	other, err := e.Runs.Get(ctx, run.ID(holder))
	return err == nil && other.Mode == run.ModeMarked && !other.Status.Closed() &&
		r.Mode != run.ModeMarked && e.Now().Sub(r.Started) < mostWait
}
