// Package activity keeps what happened, for people: how runs ended, and who
// changed what. Entries are written with what they tell of, in the same table
// write, and are never changed. A month is a partition; a year later an entry is
// gone.
package activity

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hubspotconnector/internal/table"
)

// kept is how long an entry is stored.
const kept = 365 * 24 * time.Hour

// Counts are the records of a run by outcome.
type Counts struct {
	Extracted int `json:"extracted"`
	Filtered  int `json:"filtered"`
	Inserted  int `json:"inserted"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
}

// Execution is a run of one job that has ended.
type Execution struct {
	RunID      string    `json:"runId"`
	JobID      string    `json:"jobId"`
	Job        string    `json:"job"`             // its name at that time
	Chain      string    `json:"chain,omitempty"` // likewise; "" if the job ran alone
	Connection string    `json:"connection"`      // id
	Cause      string    `json:"cause"`
	Status     string    `json:"status"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Counts     Counts    `json:"counts"`
	ErrorFile  string    `json:"errorFile,omitempty"` // name in the bucket, "" if there is none
	Reason     string    `json:"reason,omitempty"`
}

// Type is what was done.
type Type string

// What a Type can be.
const (
	Created    Type = "created"
	Edited     Type = "edited"
	Deleted    Type = "deleted"
	Authorized Type = "authorized"
	Lapsed     Type = "needs re-authorization"
	Revoked    Type = "revoked"
)

// Update is a change of the configuration.
type Update struct {
	At   time.Time `json:"at"`   // set by UpdateOp
	By   string    `json:"by"`   // who did it; "system" for what happened by itself
	What string    `json:"what"` // connection, job, chain, schedule, setting
	ID   string    `json:"id"`   // of the changed thing
	Name string    `json:"name"` // its name, after the change if it has one
	Type Type      `json:"type"`
	// Before and After are the thing as JSON; nil before it was created and after
	// it was deleted.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Store keeps entries on a table. Table is required, NewID too for UpdateOp; Now
// nil means time.Now.
type Store struct {
	Table table.Table
	Now   func() time.Time
	// NewID returns an id that was never returned before.
	NewID func() string
	// Kept is how long what is written now is kept; nil = a year.
	Kept func() time.Duration
}

func (s *Store) kept() time.Duration {
	if s.Kept == nil {
		return kept
	}
	return s.Kept()
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Sort keys start with the kind and the time, so that a month reads in order.
const (
	executions = "execution#"
	updates    = "update#"
	instant    = "2006-01-02T15:04:05.000Z"
)

func partition(month time.Time) string { return "ACTIVITY#" + month.UTC().Format("2006-01") }

func (s *Store) item(kind string, at time.Time, id string, v any) table.Item {
	it := table.New(table.Key{Partition: partition(at), Sort: kind + at.UTC().Format(instant) + "#" + id}, v)
	it.Expires = at.Add(s.kept()).Truncate(time.Second)
	return it
}

// ExecutionOps are the writes of an execution: one in the month in which the run
// started, one among those of its job. Twice is once.
func (s *Store) ExecutionOps(e Execution) []table.Op {
	all := s.item(executions, e.Started, e.RunID, e)
	own := all
	own.Partition = jobPartition(e.JobID)
	return []table.Op{{Verb: table.Put, Item: all}, {Verb: table.Put, Item: own}}
}

func jobPartition(job string) string { return "ACTIVITY#job#" + job }

// UpdateOp is the write of an update that happens now.
func (s *Store) UpdateOp(u Update) table.Op {
	u.At = s.now()
	return table.Op{Verb: table.Put, Item: s.item(updates, u.At, s.NewID(), u)}
}

// JSON is the form in which Before and After are stored. It panics if v cannot
// be marshalled, which is a bug of its type.
func JSON(v any) json.RawMessage { return table.New(table.Key{}, v).Doc }

// Executions returns the executions of the UTC month that the time lies in,
// newest first, at most limit (0 = 1,000). cursor is "" or what the call before
// returned as next; next is "" at the end.
func (s *Store) Executions(ctx context.Context, month time.Time, limit int, cursor string) (list []Execution, next string, err error) {
	return entries[Execution](ctx, s.Table, month, executions, limit, cursor)
}

// Updates returns the updates of a month, likewise.
func (s *Store) Updates(ctx context.Context, month time.Time, limit int, cursor string) (list []Update, next string, err error) {
	return entries[Update](ctx, s.Table, month, updates, limit, cursor)
}

func entries[T any](ctx context.Context, t table.Table, month time.Time, kind string, limit int, cursor string) ([]T, string, error) {
	page, err := t.Query(ctx, partition(month), table.Range{Prefix: kind}, limit, cursor, true)
	if err != nil {
		return nil, "", fmt.Errorf("list %s of %s: %w", kind, month.UTC().Format("2006-01"), err)
	}
	list := make([]T, len(page.Items))
	for i, it := range page.Items {
		if err := json.Unmarshal(it.Doc, &list[i]); err != nil {
			return nil, "", fmt.Errorf("decode %s: %w", it.Sort, err)
		}
	}
	return list, page.Next, nil
}
