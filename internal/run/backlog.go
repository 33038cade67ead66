package run

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Backlog is what a job still has to read in its backlog lane, slice by slice. It
// is gone when all is read.
type Backlog struct {
	Job    string    `json:"job"`
	Chain  string    `json:"chain,omitempty"` // id of the chain that does it; "" = the job alone
	Opened time.Time `json:"opened"`
	// Spans are read one after the other, at least one.
	Spans []Span `json:"spans"`
	// Total and Read are how many records there were when it was opened and how many
	// are settled; Total 0 = nobody knows.
	Total int `json:"total,omitempty"`
	Read  int `json:"read"`
	// PerDay is how many records the target takes in a day if the quotas last as they
	// are; 0 = nobody knows.
	PerDay int `json:"perDay,omitempty"`
	// Failures is how many slices failed in a row, and NotBefore when the next one may
	// start then.
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`

	version int64
}

// Span is a query that is read from a cursor on.
type Span struct {
	// Since and Until bound the modified time; zero = all records.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Cursor is the source's own, "" at the start.
	Cursor string `json:"cursor,omitempty"`
	// Last is the highest id that was read, "" at the start.
	Last string `json:"last,omitempty"`
	// First says that nothing of the job was delivered before.
	First bool `json:"first,omitempty"`
	// Opened is when it was put here.
	Opened time.Time `json:"opened"`
}

// All reports whether the span holds all records.
func (s Span) All() bool { return s.Since.IsZero() }

// Pending reports whether the backlog is to be gone on with.
func (b Backlog) Pending(now time.Time) bool { return len(b.Spans) > 0 && !now.Before(b.NotBefore) }

// HasAll reports whether it is to read all records.
func (b Backlog) HasAll() bool {
	for _, s := range b.Spans {
		if s.All() {
			return true
		}
	}
	return false
}

// LaneOf is the lease of a job's lane.
func LaneOf(job string, lane Lane) string { return Run{Job: job, Lane: lane}.LeaseName() }

func backlogKey(job string) table.Key { return table.Key{Partition: "BACKLOG", Sort: job} }

// Backlog returns what the job has in its backlog lane; the Backlog of a job that
// has nothing there has no spans.
func (s *Store) Backlog(ctx context.Context, job string) (Backlog, error) {
	b := Backlog{Job: job}
	version, err := table.Load(ctx, s.Table, backlogKey(job), &b)
	if fault.Is(err, fault.NotFound) {
		return Backlog{Job: job}, nil
	}
	if b.version = version; err != nil {
		return b, fmt.Errorf("read backlog of job %s: %w", job, err)
	}
	return b, nil
}

// Backlogs returns the backlogs of all jobs that have one.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	var all []Backlog
	err := table.All(ctx, s.Table, "BACKLOG", table.Range{}, func(item table.Item) error {
		var b Backlog
		if err := json.Unmarshal(item.Doc, &b); err != nil {
			return fmt.Errorf("decode backlog of job %s: %w", item.Sort, err)
		}
		b.version = item.Version
		all = append(all, b)
		return nil
	})
	return all, err
}

// BacklogOp is the write that stores a backlog unless it changed since it was read;
// without spans it is removed.
func BacklogOp(b Backlog) table.Op {
	op := table.Op{Verb: table.Put, Item: table.New(backlogKey(b.Job), b), If: table.Absent()}
	if b.version > 0 {
		op.If = table.VersionIs(b.version)
	}
	if len(b.Spans) == 0 {
		op.Verb = table.Delete
	}
	return op
}

// ForgetBacklog removes what a job has in its backlog lane.
func (s *Store) ForgetBacklog(ctx context.Context, job string) error {
	return s.Table.Delete(ctx, backlogKey(job), table.Condition{})
}

// Compared is when all records of a job were read last.
type Compared struct {
	At time.Time `json:"at"`
	// Records is how many there were.
	Records int `json:"records"`
}

func comparedKey(job string) table.Key { return table.Key{Partition: "JOB#" + job, Sort: "compared"} }

// Compared returns it; zero if they never were.
func (s *Store) Compared(ctx context.Context, job string) (Compared, error) {
	var c Compared
	_, err := table.Load(ctx, s.Table, comparedKey(job), &c)
	if fault.Is(err, fault.NotFound) {
		return Compared{}, nil
	}
	return c, err
}

// ComparedOp is the write that notes it, to be part of the closing of a run.
func ComparedOp(job string, c Compared) table.Op {
	return table.Op{Verb: table.Put, Item: table.New(comparedKey(job), c)}
}
