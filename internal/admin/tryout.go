package admin

import (
	"context"
	"errors"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/preview"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step/plan"
)

// Sizes of what is tried out.
const (
	sampleSize     = 20
	previewSample  = 200
	previewAll     = 20_000
	previewPerKind = 10
)

// planner plans with schemas from memory, and writes nothing.
func (s *Service) planner() *plan.Planner {
	p := s.Connector.Plan
	return &plan.Planner{
		Source: source{s}, Target: target{s}, Complete: func(context.Context) error { return nil },
		Connections: p.Connections, Jobs: p.Jobs, Chains: p.Chains, People: p.People, Runs: p.Runs, Staging: p.Staging,
		NewID: p.NewID, Now: p.Now, Overlap: p.Overlap, Settle: p.Settle, PartSize: p.PartSize,
		Marked: p.Marked, Capacity: p.Capacity, Slice: p.Slice, Schedules: p.Schedules,
	}
}

// Check returns all that is wrong with a job as it is being edited; nil = it can
// be saved.
func (s *Service) Check(ctx context.Context, j job.Job) (mapping.Problems, error) {
	ctx = budget.Urgent(ctx)
	var all mapping.Problems
	if _, err := job.CleanName("job", j.Name); err != nil {
		all = append(all, mapping.Problem{Path: "name", Message: fault.MessageOf(err)})
	}
	if j.Mapping.Target == "" || j.Mapping.Source == "" {
		what := "target"
		if j.Mapping.Source == "" {
			what = "source"
		}
		return append(all, mapping.Problem{Path: what, Message: "Choose the " + what + " object."}), nil
	}
	err := s.planner().Check(ctx, j, nil)
	if problems, ok := errors.AsType[mapping.Problems](err); ok {
		return append(all, problems...), nil
	}
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
		return append(all, mapping.Problem{Message: fault.MessageOf(err)}), nil
	}
	return all, err
}

// Sample is records as the job's dataset sees them.
type Sample struct {
	Columns []record.Field // dataset fields, then formula and case fields
	Rows    []SampleRow
	Read    int // records that were read for it
}

// SampleRow is one record.
type SampleRow struct {
	ID     string
	Link   string    // to the record in HubSpot
	Values []*string // parallel to Columns; nil = null
	Kept   bool      // whether the filter lets it pass
	// Failed is the formula field that cannot be computed for the record; "" = none.
	Failed string
}

// Sample reads 20 records from HubSpot and returns them with their formula and
// case fields. A part of the job that is wrong is mapping.Problems. The destination
// does not count.
func (s *Service) Sample(ctx context.Context, j job.Job) (Sample, error) {
	ctx = budget.Urgent(ctx)
	object, ok := catalog.Find(j.Mapping.Source)
	if !ok {
		return Sample{}, fault.New(fault.Invalid, "Choose the source object first.")
	}
	if err := s.Connector.Connections.Usable(ctx, j.Connection); err != nil {
		return Sample{}, err
	}
	schema, err := source{s}.Schema(ctx, j.Connection, object.TypeID)
	if err != nil {
		return Sample{}, err
	}
	program, err := mapping.Dataset(j.Mapping, schema)
	if err != nil {
		return Sample{}, err
	}
	q := record.Query{Object: object.TypeID, Properties: program.Properties()}
	if q.Associations, err = mapping.Associations(j.Mapping); err != nil {
		return Sample{}, err
	}
	page, err := s.Connector.HubSpot.Page(ctx, j.Connection, q)
	if err != nil {
		return Sample{}, err
	}
	portal, err := s.portal(ctx, j.Connection)
	sample := Sample{Columns: program.Columns()}
	for _, r := range page.Records[:min(sampleSize, len(page.Records))] {
		row := SampleRow{ID: r.ID, Link: object.Link(portal, r.ID), Kept: program.Keep(r, s.now())}
		row.Values, row.Failed = program.Values(r, s.now())
		sample.Rows = append(sample.Rows, row)
	}
	sample.Read = len(sample.Rows)
	return sample, err
}

// Preview is what a run would do.
type Preview struct {
	Counts run.Counts // Inserted and Updated are what would be
	// Whole is true if it saw all records that the next run would read.
	Whole   bool
	Rows    []PreviewRow // at most 10 of each outcome
	Rejects []RejectGroup
	Skipped []string // mapped fields that the source no longer has
	// GainsightCalls is what a run on these records costs, Needs the time that takes
	// at the quota.
	GainsightCalls int
	Needs          time.Duration
}

// PreviewRow is one record of a preview.
type PreviewRow struct {
	SourceID string
	Link     string
	Outcome  run.Outcome
	GSID     string         // of the row that would be updated
	Fields   map[string]any // :: target field → value that would be written
	Reject   *record.Reject
}

// Preview runs a job up to the write: on a sample of 200 records, or on all that
// the next run would read (at most 20,000). It reads from both vendors and writes
// nothing anywhere. What is wrong with the job's mapping is mapping.Problems.
func (s *Service) Preview(ctx context.Context, j job.Job, all bool) (Preview, error) {
	ctx = budget.Urgent(ctx)
	in, most := run.Input{Mode: run.ModeFull}, previewSample
	if all {
		in.Mode, most = run.ModeChanges, previewAll
	}
	frozen, err := s.planner().Freeze(ctx, j, in)
	if fault.Is(err, fault.Invalid) {
		if checked := s.planner().Check(ctx, j, nil); checked != nil {
			err = checked
		}
	}
	if err != nil {
		return Preview{}, err
	}
	res, err := preview.Run(ctx, preview.Stage{
		Table: s.Connector.Delta.Table, Source: s.Connector.HubSpot, Target: s.Connector.Gainsight, Now: s.now, Sleep: s.sleep,
	}, frozen, most)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{
		Counts: res.Counts, Whole: res.Whole && all, Rejects: groups(res.Rejects), Skipped: frozen.Skipped,
		GainsightCalls: res.Calls, Needs: s.needs(res.Calls, res.UserCalls),
	}
	object, _ := catalog.Find(j.Mapping.Source)
	shown := map[run.Outcome]int{}
	for _, e := range res.Entries {
		if shown[e.Outcome]++; shown[e.Outcome] <= previewPerKind {
			p.Rows = append(p.Rows, PreviewRow{
				SourceID: e.SourceID, Link: object.Link(frozen.PortalID, e.SourceID), Outcome: e.Outcome, GSID: e.GSID, Fields: e.Fields, Reject: e.Reject,
			})
		}
	}
	return p, nil
}

// needs is the time that calls take at Gainsight's quotas, if nobody else uses
// them: all but those of the last window wait for the next one.
func (s *Service) needs(calls, userCalls int) time.Duration {
	longest := time.Duration(0)
	for name, n := range map[string]int{gainsight.BudgetCalls: calls, gainsight.BudgetUsers: userCalls} {
		b := s.Connector.Budgets[connector.Gainsight][name]
		if b == nil || n == 0 {
			continue
		}
		for _, w := range b.Limits() {
			longest = max(longest, time.Duration((n-1)/max(1, w.Calls))*w.Per)
		}
	}
	return longest
}

func (s *Service) sleep(ctx context.Context, d time.Duration) error {
	if s.Sleep != nil {
		return s.Sleep(ctx, d)
	}
	return clock.Sleep(ctx, d)
}
