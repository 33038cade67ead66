package admin

import (
	"context"
	"encoding/json"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// SourceSchema returns the fields of a source object (catalog name or type id),
// archived ones left out. It may be 5 minutes old.
func (s *Service) SourceSchema(ctx context.Context, connection, object string) (record.Schema, error) {
	return record.Schema{}, errNotYet
}

// TargetSchema returns the fields of a target object; those of company_person
// hold the person's too, as "Person::…". It may be 5 minutes old.
func (s *Service) TargetSchema(ctx context.Context, object string) (record.Schema, error) {
	return record.Schema{}, errNotYet
}

// TargetObjects returns the objects that jobs can write. It may be 5 minutes old.
func (s *Service) TargetObjects(ctx context.Context) ([]gainsight.Object, error) {
	return nil, errNotYet
}

// Suggest returns direct mappings for target fields that are not mapped and whose
// name or label is that of a dataset, case or formula field, and whose type fits.
func (s *Service) Suggest(ctx context.Context, j job.Job) ([]mapping.Direct, error) {
	return nil, errNotYet
}

// Check returns all that is wrong with a job as it is being edited; nil = it can
// be saved.
func (s *Service) Check(ctx context.Context, j job.Job) (mapping.Problems, error) {
	return nil, errNotYet
}

// Sample is records as the job's dataset sees them.
type Sample struct {
	Columns []record.Field // dataset fields, then case and formula fields
	Rows    []SampleRow
	Read    int // records that were read for it
}

// SampleRow is one record.
type SampleRow struct {
	ID     string
	Link   string    // to the record in HubSpot
	Values []*string // parallel to Columns; nil = null
	Kept   bool      // whether the filter lets it pass
}

// Sample reads 20 records from HubSpot and returns them after filter, case and
// formula fields. A part of the job that is wrong is mapping.Problems. The
// destination does not count.
func (s *Service) Sample(ctx context.Context, j job.Job) (Sample, error) {
	return Sample{}, errNotYet
}

// Preview is what a run would do.
type Preview struct {
	Counts run.Counts // Inserted and Updated are what would be
	// Whole is true if it saw all records that the next run would read.
	Whole   bool
	Rows    []PreviewRow // at most 10 of each outcome
	Rejects []RejectGroup
	Skipped []string // mapped fields that the source no longer has
	// GainsightCalls is what a run on these records costs, Needs the time that
	// takes at the quota.
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
// the next run would read (at most 20,000). It reads from both vendors and
// writes nothing anywhere.
func (s *Service) Preview(ctx context.Context, j job.Job, all bool) (Preview, error) {
	return Preview{}, errNotYet
}

// Draft is a job as somebody is editing it.
type Draft struct {
	Key   string          `json:"key"` // the job's id, or a new id for a new job
	Job   job.Job         `json:"job"`
	Base  int64           `json:"base"` // Job.Version that the editing began with
	Page  json.RawMessage `json:"page,omitempty"`
	Saved time.Time       `json:"saved"`
}

// Draft returns somebody's draft, or fault.NotFound.
func (s *Service) Draft(ctx context.Context, by, key string) (Draft, error) {
	return Draft{}, errNotYet
}

// Drafts returns somebody's drafts, the newest first.
func (s *Service) Drafts(ctx context.Context, by string) ([]Draft, error) { return nil, errNotYet }

// PutDraft keeps a draft for 7 days, whatever was kept before.
func (s *Service) PutDraft(ctx context.Context, by string, d Draft) (Draft, error) {
	return d, errNotYet
}

// DropDraft forgets a draft. One that is not there is no error.
func (s *Service) DropDraft(ctx context.Context, by, key string) error { return errNotYet }

// TestLine is one thing that was tested.
type TestLine struct {
	Name    string
	OK      bool
	Message string // one sentence; what to do if it is not OK
}

// TestConnection tests a connection to HubSpot: its token, its portal, the scopes
// of each object, what is left of the limits. An error is ours; what HubSpot does
// not accept is a line.
func (s *Service) TestConnection(ctx context.Context, connection string) ([]TestLine, error) {
	return nil, errNotYet
}

// TestGainsight tests the destination.
func (s *Service) TestGainsight(ctx context.Context) ([]TestLine, error) { return nil, errNotYet }

// Consequences say in sentences what deleting (or, if revoke, revoking) a
// connection would do.
func (s *Service) Consequences(ctx context.Context, connection string, revoke bool) ([]string, error) {
	return nil, errNotYet
}

// KeyEffect is what a new person resolution key does to one job.
type KeyEffect struct {
	person.Effect
	// Records is how many records of the job are stored; More says that there are
	// more than were counted.
	Records int
	More    bool
}

// KeyEffects returns what a new person resolution key would change, by job name.
func (s *Service) KeyEffects(ctx context.Context, keys []string) ([]KeyEffect, error) {
	return nil, errNotYet
}

var errNotYet = fault.New(fault.Internal, "not yet")

func (s *Service) targetLabels() map[string]string { return nil }
