package admin

import (
	"context"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// ExecutionFilter chooses runs that have ended. Empty fields do not choose.
type ExecutionFilter struct {
	Status string // one of run.Status
	Job    string // id
	Chain  string // name
	// From and To bound the time at which a run started: From ≤ started < To.
	From, To time.Time
	Limit    int    // 0 = 50, at most 200
	Cursor   string // "" or the Next of the page before
}

// ExecutionPage is runs, newest first.
type ExecutionPage struct {
	Runs []activity.Execution
	Next string // "" at the end; a page may be short and have a Next
}

// Executions returns runs that have ended. A cursor that is not one is
// fault.Invalid.
func (s *Service) Executions(ctx context.Context, f ExecutionFilter) (ExecutionPage, error) {
	return ExecutionPage{}, errNotYet
}

// UpdateFilter chooses changes of the configuration, likewise.
type UpdateFilter struct {
	What     string // connection, job, chain, schedule, setting…
	ID       string // of the changed thing
	By       string
	From, To time.Time
	Limit    int
	Cursor   string
}

// UpdatePage is changes, newest first.
type UpdatePage struct {
	Updates []activity.Update
	Next    string
}

// Updates returns changes of the configuration.
func (s *Service) Updates(ctx context.Context, f UpdateFilter) (UpdatePage, error) {
	return UpdatePage{}, errNotYet
}

// Progress is how far a run has come.
type Progress struct {
	Run     run.Run
	Settled run.Counts // by outcome; Extracted is 0
	// Extraction is what was read so far, and whether that is all.
	Extraction run.Extraction
	// PerSecond is the records settled a second since it started; 0 = not known.
	PerSecond float64
	// End is when it will end at that speed; zero = not known.
	End time.Time
}

// Quota is how much of a vendor's limit is used.
type Quota struct {
	Vendor string // HubSpot or Gainsight
	Name   string // such as "calls"
	Per    time.Duration
	Used   int
	Calls  int // the limit
}

// Active returns the runs that are going on or wait for their turn, by execution
// and in the order of their chains, and executions that were cut off: nobody
// works on these until they are resumed.
func (s *Service) Active(ctx context.Context) (going []Progress, cutOff []run.Round, err error) {
	return nil, nil, errNotYet
}

// RejectGroup is the rejects of one reason.
type RejectGroup struct {
	mapping.Reason
	Count int
}

// RunDetail is one run with its execution.
type RunDetail struct {
	Progress
	Round run.Round
	// Siblings are the progress of all runs of the execution, this one included, in
	// the order of the chain.
	Siblings []Progress
	// Rejects are the reasons, the most frequent first.
	Rejects []RejectGroup
	Quotas  []Quota // while it runs
	Calls   map[string]int
	// What may be done with it now.
	CanStop, CanResume, CanRetry bool
}

// RunDetail returns a run, or fault.NotFound.
func (s *Service) RunDetail(ctx context.Context, id run.ID) (RunDetail, error) {
	return RunDetail{}, errNotYet
}

// ErrorFile returns a link to the error file of a run, good for some minutes, or
// fault.NotFound. On a laptop the link is a path of this machine.
func (s *Service) ErrorFile(ctx context.Context, id run.ID) (link, name string, err error) {
	return "", "", errNotYet
}

// Quotas returns how much of each limit is used.
func (s *Service) Quotas(ctx context.Context) ([]Quota, error) { return nil, errNotYet }

// JobFilter chooses jobs.
type JobFilter struct {
	Search     string // part of the name, without regard to case
	Connection string // id
}

// JobRow is a job in the list of jobs.
type JobRow struct {
	Job            job.Job
	ConnectionName string
	SourceLabel    string // such as "Company"
	TargetLabel    string // such as "Company"; the object's name if it is not known
	// Status and LastRun are of the last run that ended; "" and zero if none has.
	Status  run.Status
	LastRun time.Time
	// Last are the statuses of the last 20 runs, the newest last.
	Last []activity.Execution
	// Schedule is "Scheduled Execution" or "On Demand".
	Schedule string
	Chains   []string // names of the chains that it is in
	// OverruledBy is the name of the scheduled chain because of which its own
	// schedule is not honoured; "" = it is honoured.
	OverruledBy string
	// Running is the execution that runs it now, "" if none does.
	Running string
}

// JobRows returns the jobs, by name.
func (s *Service) JobRows(ctx context.Context, f JobFilter) ([]JobRow, error) { return nil, errNotYet }

// Found is what became of a record in one job.
type Found struct {
	Job      job.Job
	SourceID string
	Link     string // to the record in HubSpot; "" if it has no page
	Outcome  run.Outcome
	Run      run.ID
	When     time.Time // when the run ended; zero while it runs, or if it is no longer kept
	GSID     string    // of its row; "" if it has none that we know
	Code     record.Code
	Reason   string
	Fix      string
}

// Find returns what became of records in each job: by HubSpot id, by link to the
// record in HubSpot, by e-mail address, or by the name of its row in Gainsight.
// Nothing found is an empty list.
func (s *Service) Find(ctx context.Context, query string) ([]Found, error) { return nil, errNotYet }
