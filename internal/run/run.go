// Package run keeps what a run is made of: the round that an execution planned,
// one run per job, how far its extraction and its parts have come, and the
// watermark up to which a job's changes were delivered.
//
// Positions only move forward, by compare-and-swap, in the same write as what
// they stand for and under the job's lease: a run that lost it moves nothing.
package run

import (
	"fmt"
	"strings"
	"time"

	"hubspotconnector/internal/record"
)

// ID names a run of one job: a ULID, so later runs sort behind earlier ones.
type ID string

// Lane separates work on one job that may go on at once.
type Lane string

// The lanes. Keys carry them.
const (
	Changes Lane = "changes" // windows, marks, and what fits in one run
	Slices  Lane = "backlog" // what does not, and full comparisons
)

// Mode says which records a run reads.
type Mode string

// What a Mode can be.
const (
	ModeChanges Mode = "changes" // what changed since the watermark; all, if there is none
	ModeFull    Mode = "full"    // all records
	// ModeMarked reads the marked records alone. Without a chain or job it is for
	// all jobs that are in real time and have marks.
	ModeMarked Mode = "marked"
	// ModeRejected tries all rejected records again, at most 10,000.
	ModeRejected Mode = "rejected"
	// ModeBacklog goes on with what the chain or job has in its backlog lane.
	ModeBacklog Mode = "backlog"
)

// Status of a run or round.
type Status string

// What a Status can be. The last four are final.
const (
	Planned Status = "Planned"
	Running Status = "Running"
	Success Status = "Success"
	Partial Status = "Partial Success"
	Failed  Status = "Failed"
	Skipped Status = "Skipped"
)

// Closed reports whether the status is final.
func (s Status) Closed() bool {
	return s == Success || s == Partial || s == Failed || s == Skipped
}

// Outcome is what became of one record.
type Outcome string

// Every record read ends in exactly one of these (Guarantee 1).
const (
	Filtered  Outcome = "filtered"
	Inserted  Outcome = "inserted"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
	Rejected  Outcome = "rejected"
)

// Counts are records by outcome.
type Counts struct {
	Extracted int `json:"extracted"`
	Filtered  int `json:"filtered"`
	Inserted  int `json:"inserted"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
}

// Add counts n records of an outcome.
func (c *Counts) Add(o Outcome, n int) {
	switch o {
	case Filtered:
		c.Filtered += n
	case Inserted:
		c.Inserted += n
	case Updated:
		c.Updated += n
	case Unchanged:
		c.Unchanged += n
	case Rejected:
		c.Rejected += n
	}
}

// Sum adds the outcomes of other. Extracted is not touched.
func (c *Counts) Sum(other Counts) {
	c.Filtered += other.Filtered
	c.Inserted += other.Inserted
	c.Updated += other.Updated
	c.Unchanged += other.Unchanged
	c.Rejected += other.Rejected
}

// Settled is how many records have an outcome.
func (c Counts) Settled() int {
	return c.Filtered + c.Inserted + c.Updated + c.Unchanged + c.Rejected
}

// Run is one run of one job.
type Run struct {
	ID         ID     `json:"id"`
	Execution  string `json:"execution"`
	Round      int    `json:"round"`
	Job        string `json:"job"`
	JobName    string `json:"jobName"`
	Chain      string `json:"chain,omitempty"` // the chain's name; "" if the job ran alone
	Connection string `json:"connection"`
	Lane       Lane   `json:"lane"`
	Mode       Mode   `json:"mode"`
	Cause      string `json:"cause"`
	Status     Status `json:"status"`
	Counts     Counts `json:"counts"`
	// Rejects :: reason code → records
	Rejects map[record.Code]int `json:"rejects,omitempty"`
	// Calls :: vendor → calls sent for the run. Until it is closed these are the
	// plan's alone; Store.Calls has those of the steps.
	Calls map[string]int `json:"calls,omitempty"`
	// Reason is one sentence on why the run failed, was skipped, or is partial
	// for another reason than rejects.
	Reason string `json:"reason,omitempty"`
	// ErrorFile is the name of the error file in the bucket, "" if there is none.
	ErrorFile string `json:"errorFile,omitempty"`
	// Started is when its extraction began; before that, when it was planned.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Fence is the number of the lease that the run took, 0 before that.
	Fence int64 `json:"fence,omitempty"`

	version int64
}

// LeaseName is the lease that a run of this job and lane needs.
func (r Run) LeaseName() string { return r.Job + "#" + string(r.Lane) }

// Round is what one execution of the chain machine planned in one turn.
type Round struct {
	Execution string `json:"execution"`
	Round     int    `json:"round"`
	Chain     string `json:"chain,omitempty"`   // its name
	ChainID   string `json:"chainId,omitempty"` // "" also in rounds of earlier versions
	OnFailure string `json:"onFailure"`
	Jobs      []ID   `json:"jobs"`
	// Input is what the execution was started with, so that it can be started again.
	Input    Input     `json:"input"`
	Status   Status    `json:"status"`
	Reason   string    `json:"reason,omitempty"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Notified bool      `json:"notified,omitempty"`
	// Again says that another round of the execution follows.
	Again bool `json:"again,omitempty"`
	// Slices says that the execution goes on with the backlog of its chain or job.
	Slices bool `json:"slices,omitempty"`

	version int64
}

// Input starts the chain machine. Fields may be added, never renamed.
type Input struct {
	Chain     string    `json:"chain,omitempty"` // name or id
	Job       string    `json:"job,omitempty"`   // name or id, instead of Chain
	Mode      Mode      `json:"mode,omitempty"`  // "" = changes
	Since     time.Time `json:"since,omitzero"`
	WaitUntil time.Time `json:"waitUntil,omitzero"`
	Cause     string    `json:"cause,omitempty"` // "" = manual execution
	// Due is the time for which a schedule has started it, with the cause
	// "schedule": it runs only if the stored schedule still says so.
	Due time.Time `json:"due,omitzero"`
	// By is who asked for it, "" if nobody did.
	By string `json:"by,omitempty"`
}

// Extraction is how far a run's extraction has come.
type Extraction struct {
	Cursor string `json:"cursor"`
	Parts  int    `json:"parts"`
	Count  int    `json:"count"`
	Done   bool   `json:"done"`
	// More says that the query was not read to its end: it goes on, in a slice, at
	// Rest. Total is then how many records it has in all, 0 if nobody knows.
	More  bool   `json:"more,omitempty"`
	Rest  string `json:"rest,omitempty"`
	Total int    `json:"total,omitempty"`
}

// Part is how far one part has come.
type Part struct {
	Number int `json:"number"`
	// Pass is the pass that At counts in: 1, or 2 for deferred rows.
	Pass int `json:"pass"`
	// At is the first entry of the pass that is not settled.
	At     int    `json:"at"`
	Counts Counts `json:"counts"`
	// Rejects :: reason code → records
	Rejects map[record.Code]int `json:"rejects,omitempty"`
	// Deferred says that rows of the first pass wait for the second.
	Deferred bool `json:"deferred,omitempty"`
	// Done is true when every entry of the pass is settled.
	Done bool `json:"done,omitempty"`

	version int64
}

// Watermark is up to when a job's changes were delivered in a lane.
type Watermark struct {
	At  time.Time `json:"at"`
	Run ID        `json:"run"`
}

// name of a part's position and of its reject items, in sort order.
func partKey(n int) string { return fmt.Sprintf("part-%05d", n) }

func rejectKey(part, pass, at int) string {
	return fmt.Sprintf("reject-%05d-%d-%06d", part, pass, at)
}

func roundKey(execution string, round int) string {
	return fmt.Sprintf("%s#%05d", strings.ReplaceAll(execution, "#", "-"), round)
}
