package finish

import (
	"context"
	"fmt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table"
)

// moved are the writes that go with a run that ended well: the watermark, and the
// count of the job's turns.
func (f *Finisher) moved(ctx context.Context, r run.Run, plan staging.Plan) ([]table.Op, error) {
	if !well(r) {
		return nil, nil
	}
	var ops []table.Op
	ext, err := f.Runs.Extraction(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	dropped := ext.More && ext.Parts == 0 // all is left to slices
	if !plan.Watermark.IsZero() {         // Guarantee 2
		known, err := f.Runs.Watermark(ctx, r.Job, r.Lane)
		if err != nil {
			return nil, err
		}
		if dropped && !known.At.IsZero() { // they come to the changes since then late
			return nil, nil
		}
		if !plan.Watermark.Before(known.At) { // a run that was planned later may have ended before
			ops = append(ops, f.Runs.WatermarkOp(r, plan.Watermark))
		}
	}
	if plan.Mode == run.ModeChanges || plan.Mode == run.ModeFull {
		ops = append(ops, run.TurnOp(r.Job, plan.Turn))
	}
	if plan.Swept && (!ext.More || dropped) {
		ops = append(ops, run.SweptOp(r.Job, plan.Now))
	}
	return ops, nil
}

func well(r run.Run) bool { return r.Status == run.Success || r.Status == run.Partial }

// settleMarks removes the marks that the run has served, as far as they are what
// they were when it claimed them. Those of rejected records are settled with the
// records. A run that did not end well leaves all to the next one.
func (f *Finisher) settleMarks(ctx context.Context, r run.Run, plan staging.Plan) error {
	if f.Marked == nil || plan.Mode == "" || !well(r) {
		return nil
	}
	if ext, err := f.Runs.Extraction(ctx, r.ID); err != nil || ext.More && ext.Parts == 0 {
		return err
	}
	claimed, err := f.Staging.Marks(ctx, r.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var events []mark.Mark
	for _, m := range claimed {
		if m.Kind != mark.Rejected {
			events = append(events, m)
		}
	}
	_, err = f.Marked.Marks.Settle(ctx, r.Lease().Check(), plan.Query.Object, events)
	if fault.Is(err, fault.Conflict) { // the lease is lost, and closing the run says so
		return nil
	}
	return err
}

// maxRuns is the most runs of one execution: each leaves events in its history,
// of which there may be 25,000.
const maxRuns = 400

// more reports whether an execution may have another round.
func (f *Finisher) more(round run.Round) bool {
	return round.Status != run.Failed && (round.Round+1)*max(1, len(round.Jobs)) <= maxRuns
}

// pending reports whether another round is to serve marks that came while this
// one was at work. A job whose run did not end well waits for another start.
func (f *Finisher) pending(ctx context.Context, round run.Round) (bool, error) {
	if f.Marked == nil || !f.more(round) {
		return false, nil
	}
	for _, id := range round.Jobs {
		r, err := f.Runs.Get(ctx, id)
		if err != nil {
			return false, err
		}
		plan, err := f.Staging.Plan(ctx, id)
		if err != nil {
			return false, err
		}
		if plan.Mode == "" || !well(r) {
			continue
		}
		pending, err := f.Marked.Pending(ctx, plan)
		if err != nil {
			return false, fmt.Errorf("look for marks of job %s: %w", r.Job, err)
		}
		if pending {
			return true, nil
		}
	}
	return false, nil
}
