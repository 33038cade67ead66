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
}

// Extractor extracts runs. All fields are required.
type Extractor struct {
	Source  Source
	Runs    *run.Store
	Staging *staging.Store
	Now     func() time.Time
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

// Slice takes the job's lease and reads pages until all are staged or time or
// quota runs short. A broken plan fails with its reason. A job whose lease
// another run holds is left to that run: SKIPPED, and the run says so.
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
	for !at.Done {
		if at, err = e.part(ctx, r, plan, at); err != nil {
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
func (e *Extractor) part(ctx context.Context, r run.Run, plan staging.Plan, at run.Extraction) (run.Extraction, error) {
	if err := e.Runs.Leases.Renew(ctx, r.Lease()); err != nil {
		return at, err
	}
	number := at.Parts + 1
	if t, err := e.Staging.PartTrailer(ctx, r.ID, number); err == nil {
		return e.move(ctx, r, at, t) // written by a copy of this step
	} else if !fault.Is(err, fault.NotFound) {
		return at, err
	}
	draft, next, stopped := e.read(ctx, r, plan, at.Cursor)
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

// read gathers pages from a cursor until a part is full, the records end (next
// is ""), time runs short, or reading fails, which it returns as stopped.
func (e *Extractor) read(ctx context.Context, r run.Run, plan staging.Plan, cursor string) (draft *staging.Draft, next string, stopped error) {
	draft, next = staging.NewDraft(), cursor
	q := plan.Query
	for draft.Count < plan.PartSize {
		q.After = next
		page, err := e.Source.Page(ctx, r.Connection, q)
		if err != nil {
			return draft, next, err
		}
		if page.Next == next && next != "" {
			return draft, next, fault.New(fault.Transient, "HubSpot gave the same page twice, so reading stopped.")
		}
		for _, rec := range page.Records {
			if err := draft.Add(rec); err != nil {
				return draft, next, err
			}
		}
		if next = page.Next; next == "" || step.Short(ctx) {
			break
		}
	}
	return draft, next, nil
}
