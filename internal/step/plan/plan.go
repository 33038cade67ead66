// Package plan decides what a round of the chain machine does: it resolves the
// chain or job, opens the round with one run per job, and freezes each job with
// both schemas and its window. A job that cannot run gets a broken plan, whose
// reason its first step raises, so that it fails alone.
package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/meter"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// Source describes the source's objects.
type Source interface {
	// Schema returns the fields of an object by its type id. Its errors are
	// Throttled, Transient, Reauthorize, Invalid (scopes) or NotFound.
	Schema(ctx context.Context, connection, object string) (record.Schema, error)
}

// Target describes the target's objects, likewise.
type Target interface {
	Schema(ctx context.Context, object string) (record.Schema, error)
}

// Planner plans rounds. All fields but the last five are required.
type Planner struct {
	Source      Source
	Target      Target
	Connections *connection.Store
	Jobs        *job.Store
	Chains      *chain.Store
	People      *person.Store
	Runs        *run.Store
	Staging     *staging.Store
	// Complete makes incomplete jobs ready whose missing fields exist by now.
	Complete func(ctx context.Context) error
	NewID    func() string
	Now      func() time.Time
	// Overlap is read again before the watermark, against a late search index;
	// 0 = 1 hour.
	Overlap time.Duration
	// Settle keeps the end of a window behind now; 0 = 5 seconds.
	Settle time.Duration
	// PartSize is the records of a part; 0 = 10,000.
	PartSize int
	// Marked finds the marks that runs serve; nil = there are none.
	Marked *step.Marked
	// Capacity returns how many rows of an object the target takes in a time from
	// runs without hurry; nil = as many as there are, and nothing is done in slices.
	Capacity func(object string, d time.Duration) int
	// Slice is how long a slice of backlog may take; 0 = 6 hours.
	Slice time.Duration
	// Schedules say whether a start by a schedule counts; nil = each does.
	Schedules *schedule.Store

	recent recent
}

// Input is the task's payload. Fields may be added, never renamed or removed.
type Input struct {
	Execution string    `json:"execution"`
	Round     int       `json:"round"`
	Input     run.Input `json:"input"`
}

// Output names the runs of the round.
type Output struct {
	step.Turn
	Jobs      []JobRun `json:"jobs,omitempty"`
	OnFailure string   `json:"onFailure,omitempty"`
}

// JobRun is one job's run.
type JobRun struct {
	Run run.ID `json:"run"`
}

// Round plans a round, or answers as before if it is planned. The first round of an
// execution does what its input says, the others serve the marks that came
// meanwhile. A start by a schedule that does not count is NOTHING, as is a round
// without a job that has marks.
func (p *Planner) Round(ctx context.Context, in Input) (Output, error) {
	stored, err := p.Runs.Round(ctx, in.Execution, in.Round)
	if err == nil {
		return answer(stored), nil
	}
	if !fault.Is(err, fault.NotFound) {
		return Output{}, fmt.Errorf("read round %d of %s: %w", in.Round, in.Execution, err)
	}
	round, jobs, err := p.resolve(ctx, in)
	if turn, ok := step.Later(err, p.Now()); ok {
		return Output{Turn: turn}, nil
	}
	if err != nil {
		return Output{}, err
	}
	if len(jobs) == 0 {
		return Output{Turn: step.Turn{Status: step.Nothing}}, nil
	}
	for _, j := range jobs {
		if more, err := p.adopt(ctx, j); more || err != nil {
			return Output{Turn: step.Turn{Status: step.More}}, err
		}
	}
	runs := make([]run.Run, len(jobs))
	schemas := map[string]record.Schema{}
	for i, j := range jobs {
		metered, calls := meter.With(ctx)
		frozen, err := p.frozen(metered, j, round.Input, schemas)
		if turn, ok := step.Later(err, p.Now()); ok {
			return Output{Turn: turn}, nil
		}
		if err != nil {
			return Output{}, fmt.Errorf("plan job %s: %w", j.ID, err)
		}
		if frozen.Mode != run.ModeBacklog {
			frozen.Chain = round.ChainID
		}
		if err := p.Staging.PutPlan(ctx, frozen); err != nil {
			return Output{}, fmt.Errorf("store plan of job %s: %w", j.ID, err)
		}
		round.Jobs = append(round.Jobs, frozen.Run)
		runs[i] = run.Run{
			ID: frozen.Run, Execution: in.Execution, Round: in.Round, Job: j.ID, JobName: j.Name, Chain: round.Chain,
			Connection: j.Connection, Lane: lane(frozen), Mode: mode(frozen), Cause: in.Input.Cause,
			Status: run.Planned, Started: round.Started, Calls: calls.Calls(),
		}
	}
	if round, err = p.Runs.Open(ctx, round, runs); err != nil {
		return Output{}, err
	}
	return answer(round), nil
}

// adopt lets runs find what an earlier version has delivered. It reports whether
// another call has to go on.
func (p *Planner) adopt(ctx context.Context, j job.Job) (more bool, err error) {
	if p.Marked == nil {
		return false, nil
	}
	return p.Marked.Delta.Adopt(ctx, j.ID, step.Short)
}

func lane(f staging.Plan) run.Lane {
	if f.Mode == run.ModeBacklog {
		return run.Slices
	}
	return run.Changes
}

// mode is what people read of a plan: all records may be what changed.
func mode(f staging.Plan) run.Mode {
	switch f.Mode { //nolint:exhaustive // the others follow from the query
	case run.ModeMarked, run.ModeRejected, run.ModeBacklog:
		return f.Mode
	}
	if f.Query.Since.IsZero() {
		return run.ModeFull
	}
	return run.ModeChanges
}

func answer(r run.Round) Output {
	out := Output{Turn: step.Turn{Status: step.Done}, OnFailure: r.OnFailure, Jobs: []JobRun{}}
	for _, id := range r.Jobs {
		out.Jobs = append(out.Jobs, JobRun{Run: id})
	}
	return out
}

// resolve finds the jobs of the chain or job that the execution was started for.
func (p *Planner) resolve(ctx context.Context, in Input) (run.Round, []job.Job, error) {
	round := run.Round{
		Execution: in.Execution, Round: in.Round, Input: in.Input, OnFailure: "stop", Status: run.Running, Started: p.Now().UTC(),
	}
	round.Slices = goesOn(in.Input)
	if in.Round > 1 {
		round.Input.Mode, round.Input.Since = run.ModeMarked, time.Time{}
	}
	switch round.Input.Mode {
	case "", run.ModeChanges, run.ModeFull, run.ModeRejected:
	case run.ModeMarked:
		round, jobs, err := p.marked(ctx, round)
		if err == nil && len(jobs) == 0 && round.Slices {
			return p.sliced(ctx, round)
		}
		return round, jobs, err
	case run.ModeBacklog:
		return p.sliced(ctx, round)
	default:
		return round, nil, fault.New(fault.Invalid, "The mode %q is not known: use changes, full, marked, rejected or backlog.", in.Input.Mode)
	}
	if counts, err := p.counts(ctx, in); !counts || err != nil {
		return round, nil, err
	}
	return p.named(ctx, round)
}

// named finds the jobs of the chain or the job that the round's input names.
func (p *Planner) named(ctx context.Context, round run.Round) (run.Round, []job.Job, error) {
	in := round.Input
	if (in.Chain == "") == (in.Job == "") {
		return round, nil, fault.New(fault.Invalid, `Start the machine with either a "chain" or a "job".`)
	}
	if in.Job != "" {
		j, err := p.Jobs.Find(ctx, in.Job)
		if err != nil {
			return round, nil, err
		}
		return round, []job.Job{j}, nil
	}
	c, err := p.Chains.Find(ctx, in.Chain)
	if err != nil {
		return round, nil, err
	}
	round.Chain, round.ChainID = c.Name, c.ID
	if c.OnFailure != "" {
		round.OnFailure = string(c.OnFailure)
	}
	jobs := make([]job.Job, len(c.Jobs))
	for i, id := range c.Jobs {
		if jobs[i], err = p.Jobs.Get(ctx, id); err != nil {
			return round, nil, fmt.Errorf("job %d of chain %s: %w", i+1, c.ID, err)
		}
	}
	return round, jobs, nil
}

// freeze builds the plan of one job. Only what may pass by itself (Throttled,
// Transient) is an error; everything else makes the plan broken.
func (p *Planner) freeze(ctx context.Context, j job.Job, in run.Input, schemas map[string]record.Schema) (staging.Plan, error) {
	now := p.Now().UTC()
	frozen := staging.Plan{Run: run.ID(p.NewID()), Job: j, PartSize: p.PartSize, Now: now}
	if frozen.PartSize == 0 {
		frozen.PartSize = 10_000
	}
	err := p.fill(ctx, &frozen, in, schemas)
	switch {
	case err == nil:
	case fault.Is(err, fault.Throttled), fault.Is(err, fault.Transient), fault.Is(err, fault.Internal):
		return frozen, err
	default:
		frozen.Broken = &staging.Broken{Kind: fault.KindOf(err), Message: sentence(err)}
	}
	return frozen, nil
}

// Freeze returns the plan of a job as it would be made now, whether the job is
// stored or not. It stores nothing. A job that cannot run is an error.
func (p *Planner) Freeze(ctx context.Context, j job.Job, in run.Input) (staging.Plan, error) {
	if len(j.Missing) > 0 {
		return staging.Plan{}, fault.New(fault.Invalid, "%s", j.MissingSentence())
	}
	frozen, err := p.freeze(ctx, j, in, map[string]record.Schema{})
	if err == nil && frozen.Broken != nil {
		err = fault.New(frozen.Broken.Kind, "%s", frozen.Broken.Message)
	}
	return frozen, err
}

// mergedProperty tells which records were merged into one.
const mergedProperty = "hs_merged_object_ids"

// sentence is the message of a broken plan, with every problem of its mapping.
func sentence(err error) string {
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok {
		return fault.MessageOf(err)
	}
	parts := make([]string, len(problems))
	for i, one := range problems {
		parts[i] = one.Message
	}
	return strings.Join(parts, " ")
}

func (p *Planner) fill(ctx context.Context, f *staging.Plan, in run.Input, schemas map[string]record.Schema) error {
	j := f.Job
	if err := p.Connections.Usable(ctx, j.Connection); err != nil {
		return err
	}
	c, err := p.Connections.Get(ctx, j.Connection)
	if err != nil {
		return err
	}
	f.PortalID = c.PortalID
	if f.ResolutionKeys, err = p.People.Keys(ctx); err != nil {
		return err
	}
	if len(j.Missing) > 0 {
		if err := p.Complete(ctx); err != nil {
			return err
		}
		if j, err = p.Jobs.Get(ctx, j.ID); err != nil {
			return err
		}
		f.Job = j
	}
	if len(j.Missing) > 0 {
		return fault.New(fault.Invalid, "%s", j.MissingSentence())
	}
	if err := p.schemas(ctx, f, schemas); err != nil {
		return err
	}
	program, err := Compile(*f)
	if err != nil {
		return err
	}
	f.Unique = j.Mapping.Unique(f.ResolutionKeys)
	object, _ := catalog.Find(j.Mapping.Source)
	value, problem := whenDeleted(*f)
	if f.SetDeleted = value; problem != nil { // the field is there no more
		f.NoDelete = problem.Message
	}
	for _, skip := range program.Skipped {
		f.Skipped = append(f.Skipped, fmt.Sprintf("%q: %s", skip.Field, skip.Reason))
	}
	f.Query = record.Query{Object: object.TypeID, Properties: program.Properties()}
	if _, ok := f.Source.Field(mergedProperty); ok && !slices.Contains(f.Query.Properties, mergedProperty) {
		f.Query.Properties = append(f.Query.Properties, mergedProperty)
	}
	if f.Query.Associations, err = mapping.Associations(j.Mapping); err != nil {
		return err
	}
	if object.ModifiedProperty != "" { // else all records are read each time
		if err := p.serve(ctx, f, in.Mode); err != nil {
			return err
		}
	}
	return p.window(ctx, f, in, object)
}

// Compile compiles the mapping of a frozen plan; what drifted is skipped.
func Compile(f staging.Plan) (*mapping.Program, error) { return compile(f, true) }

func compile(f staging.Plan, allowDrift bool) (*mapping.Program, error) {
	return mapping.Compile(f.Job.Mapping, f.Source, f.Target, mapping.Options{
		ResolutionKeys: f.ResolutionKeys, Lookup: f.Lookups, AllowDrift: allowDrift,
	})
}

// Check finds what is wrong with a job's mapping, before it is saved: all
// problems at once, as fault.Invalid over mapping.Problems. A connection that
// cannot be used is its error instead. keys are the person resolution keys; nil
// means those of the organisation.
func (p *Planner) Check(ctx context.Context, j job.Job, keys []string) error {
	f := staging.Plan{Job: j, ResolutionKeys: keys}
	if err := p.Connections.Usable(ctx, j.Connection); err != nil {
		return err
	}
	var err error
	if keys == nil {
		if f.ResolutionKeys, err = p.People.Keys(ctx); err != nil {
			return err
		}
	}
	if err := p.schemas(ctx, &f, map[string]record.Schema{}); err != nil {
		return err
	}
	_, err = compile(f, false)
	problems, ok := errors.AsType[mapping.Problems](err)
	if err != nil && !ok {
		return err
	}
	if _, problem := whenDeleted(f); problem != nil {
		problems = append(problems, *problem)
	}
	if len(problems) > 0 {
		return fault.Wrap(problems, fault.Invalid, "%s", sentence(problems))
	}
	return nil
}

// schemas fills in what the plan needs to know of both sides. known :: object of
// the target → its schema, as far as it was read before.
func (p *Planner) schemas(ctx context.Context, f *staging.Plan, known map[string]record.Schema) error {
	j := f.Job
	object, ok := catalog.Find(j.Mapping.Source)
	if !ok {
		return fault.New(fault.Invalid, "HubSpot has no object %q.", j.Mapping.Source)
	}
	var err error
	if f.Source, err = p.Source.Schema(ctx, j.Connection, object.TypeID); err != nil {
		return err
	}
	if f.Target, err = p.targetSchema(ctx, j.Mapping.Target, known); err != nil {
		return err
	}
	f.Lookups = map[string]record.Schema{}
	for _, d := range j.Mapping.Derived {
		if f.Lookups[d.Object], err = p.describe(ctx, d.Object, known); err != nil {
			return err
		}
	}
	return nil
}

// targetSchema describes the target; a people job writes two objects.
func (p *Planner) targetSchema(ctx context.Context, object string, schemas map[string]record.Schema) (record.Schema, error) {
	schema, err := p.describe(ctx, object, schemas)
	if err != nil || object != "company_person" {
		return schema, err
	}
	person, err := p.describe(ctx, "person", schemas)
	if err != nil {
		return schema, err
	}
	return mapping.PeopleSchema(person, schema), nil
}

func (p *Planner) describe(ctx context.Context, object string, schemas map[string]record.Schema) (record.Schema, error) {
	if schema, known := schemas[object]; known {
		return schema, nil
	}
	schema, err := p.Target.Schema(ctx, object)
	if err != nil {
		return schema, err
	}
	schemas[object] = schema
	p.recent.note(object, schema, p.Now())
	return schema, nil
}

// window sets what the run reads. The watermark is the window's end or, for all
// records, the run's start; never the newest record seen (failure mode R8).
func (p *Planner) window(ctx context.Context, f *staging.Plan, in run.Input, object catalog.Object) error {
	overlap, settle := p.Overlap, p.Settle
	if overlap == 0 {
		overlap = time.Hour
	}
	if settle == 0 {
		settle = 5 * time.Second
	}
	mark, err := p.Runs.Watermark(ctx, f.Job.ID, run.Changes)
	if err != nil {
		return err
	}
	if in.Mode == run.ModeMarked || in.Mode == run.ModeRejected { // no window, so no watermark
		return nil
	}
	if in.Mode == run.ModeBacklog {
		return p.slice(ctx, f)
	}
	f.Watermark = f.Now.Add(-settle)
	if object.ModifiedProperty == "" {
		return nil
	}
	all, err := p.lanes(ctx, f, in, !mark.At.IsZero(), in.Mode == run.ModeFull || (mark.At.IsZero() && in.Since.IsZero()))
	if all || err != nil {
		return err
	}
	f.Query.Since, f.Query.Until = mark.At.Add(-overlap), f.Watermark
	if in.Since.After(f.Query.Since) { // what changed between the two is left to the next run
		f.Watermark = mark.At
	}
	if !in.Since.IsZero() {
		f.Query.Since = in.Since
	}
	return nil
}
