// Package upsert delivers one part of a run to the target.
//
// It works in stretches: entries up to a batch of writes. A stretch claims its
// identifiers, notes that it sends, writes, and settles: what was delivered, then the
// position, guarded by the job's lease. It is safe to run twice, one after the other
// or at once. An insert whose answer was lost is found by its identifiers: a print
// says that it may have happened (Guarantee 3).
package upsert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// Target is the system that rows are written to. Its methods may be called at
// once. Their errors are Throttled, Transient, Reauthorize or Invalid and are
// for the whole call, which may have stored any number of its rows; the results,
// one per row in order, say for which rows the target has answered.
type Target interface {
	step.Reader
	// Insert creates rows, at most 50.
	Insert(ctx context.Context, object string, rows []map[string]any) ([]record.Result, error)
	// Update changes rows by their Gsid, at most 50. A row that is not there any
	// more is refused with the code GSOBJ_1011.
	Update(ctx context.Context, object string, rows []map[string]any) ([]record.Result, error)
	// Delete deletes a row of Company or of a custom object. One that is not there is
	// refused with the code GSOBJ_1011.
	Delete(ctx context.Context, object, gsid string) (record.Result, error)
	// PutPerson creates or updates a person by the resolution keys, with its
	// companies.
	PutPerson(ctx context.Context, person map[string]any) (record.Result, error)
	// CreateUsers and UpdateUsers (by Gsid) write users, at most 50.
	CreateUsers(ctx context.Context, rows []map[string]any) ([]record.Result, error)
	UpdateUsers(ctx context.Context, rows []map[string]any) ([]record.Result, error)
	// SetUserStatus activates or deactivates users, at most 50.
	SetUserStatus(ctx context.Context, gsids []string, active bool) ([]record.Result, error)
}

// Upserter delivers parts. All fields but the last two are required.
type Upserter struct {
	Target  Target
	Runs    *run.Store
	Staging *staging.Store
	Delta   *delta.Store
	Avatars *avatar.Store
	Now     func() time.Time
	// IndexFrom is from how many records of a run on the rows of the target are
	// read as a whole to find existing ones, instead of asking for each batch;
	// 0 = 2,000.
	IndexFrom int
	// Every returns how long a window of the target's quota is, 0 if its windows are not
	// fixed; nil = 0.
	Every func() time.Duration
}

// Input is the task's payload. Fields may be added, never renamed or removed.
type Input struct {
	Run  run.ID `json:"run"`
	Part int    `json:"part"`
	Pass int    `json:"pass"`
}

// Output tells the machine what to do next.
type Output struct {
	step.Turn
	// Deferred goes with DONE: rows wait for a second pass.
	Deferred bool `json:"deferred,omitempty"`
}

// Part settles the entries of a part's pass, until all are or time or quota
// runs short.
func (u *Upserter) Part(ctx context.Context, in Input) (out Output, err error) {
	err = u.Runs.Metered(ctx, in.Run, func(ctx context.Context) error {
		out, err = u.part(ctx, in)
		return err
	})
	return out, err
}

func (u *Upserter) part(ctx context.Context, in Input) (Output, error) {
	r, err := u.Runs.Get(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	at, err := u.Runs.Part(ctx, in.Run, in.Part)
	if err != nil {
		return Output{}, fmt.Errorf("read position of part %d of run %s: %w", in.Part, in.Run, err)
	}
	if at.Pass == in.Pass && at.Done || at.Pass > in.Pass {
		return Output{Turn: step.Turn{Status: step.Done}, Deferred: at.Deferred}, nil
	}
	if at.Pass < in.Pass {
		if !at.Done {
			return Output{}, fmt.Errorf("part %d of run %s: pass %d before pass %d was over", in.Part, in.Run, in.Pass, at.Pass)
		}
		at.Pass, at.At, at.Done = in.Pass, 0, false
	}
	w, err := u.open(ctx, r, in, at.At)
	if err != nil {
		return Output{}, err
	}
	began, from := u.Now(), at.At
	at, err = w.settleAll(ctx, at)
	if turn, ok := step.Later(err, u.Now()); ok {
		return Output{Turn: w.astride(turn, began, from, at.At)}, nil
	}
	if err != nil {
		return Output{}, fmt.Errorf("upsert part %d of run %s: %w", in.Part, in.Run, err)
	}
	if !at.Done {
		return Output{Turn: step.Turn{Status: step.More}}, nil
	}
	return Output{Turn: step.Turn{Status: step.Done}, Deferred: at.Deferred}, nil
}

// work is the delivery of one part's pass.
type work struct {
	*Upserter
	run     run.Run
	pass    int
	plan    staging.Plan
	object  string
	entries entries
	// archived :: source id, of the part's records that are archived or gone, if claims
	// count
	archived map[string]bool
	batch    int // writes of a stretch
	indexes  map[string]*finder
	book     *delta.Book
	// claimed :: source id → the mark of a rejected record that the run tries again
	claimed map[string]mark.Mark
	long    bool // the part pauses for long before its next row is sent
	// shared says that a run was at work in the other lane behind the reading of the
	// part's records.
	shared bool
}

func (u *Upserter) open(ctx context.Context, r run.Run, in Input, at int) (*work, error) {
	plan, err := u.Staging.Plan(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	w := &work{
		Upserter: u, run: r, pass: in.Pass, plan: plan, object: plan.Job.Mapping.Target,
		batch: 500, book: u.Delta.Book(plan.Job.ID), indexes: map[string]*finder{}, archived: map[string]bool{},
	}
	switch w.object {
	case people:
		w.batch = 100 // a call each
	case users:
		w.batch = maxRows
	}
	if err := w.claims(ctx); err != nil {
		return nil, err
	}
	if err := w.share(ctx); err != nil {
		return nil, err
	}
	err = u.Staging.RowLines(ctx, in.Run, in.Part, in.Pass, func(line []byte) error {
		var kept []byte
		if len(w.entries.lines) >= at { // else it is settled
			kept = bytes.Clone(line)
		}
		w.entries.lines = append(w.entries.lines, kept)
		if plan.Unique {
			return nil
		}
		e, err := staging.DecodeEntry(line)
		if e.Archived || e.Gone != nil {
			w.archived[e.ID()] = true
		}
		return err
	})
	return w, err
}

// renewEvery is how often a part tells that its run is alive.
const renewEvery = time.Minute

func (w *work) settleAll(ctx context.Context, at run.Part) (run.Part, error) {
	var renewed time.Time
	lost := 0 // swaps, one after the other
	for !at.Done {
		if lost > maxLost {
			return at, fault.New(fault.Transient, "Records changed hands too often; they are tried again.")
		}
		if w.Now().Sub(renewed) > renewEvery {
			if err := w.Runs.Leases.Keep(ctx, w.run.Lease()); err != nil {
				return at, err
			}
			renewed = w.Now()
		}
		if step.Short(ctx) {
			return at, nil
		}
		s, err := w.stretch(ctx, at.At)
		if err != nil {
			return at, err
		}
		writeErr := w.write(ctx, s)
		if errors.Is(writeErr, errSwapped) {
			w.reopen()
			lost++
			continue
		}
		w.long = w.pauses(writeErr)
		next, ok, err := w.settle(ctx, at, s)
		if err != nil {
			return at, err
		}
		if lost++; ok {
			lost = 0
		} else {
			w.reopen()
		}
		at = next
		switch {
		case !ok || writeErr == nil:
		case errors.Is(writeErr, errShort):
			return at, nil
		case !fault.Is(writeErr, fault.Transient) || !slices.ContainsFunc(s, answered):
			return at, writeErr
		}
	}
	return at, nil
}

// answered reports whether the target has answered for an item. As long as it does
// for some, the others are sent again at once.
func answered(it *item) bool { return it.sent && it.outcome != "" }

// write sends the rows of a stretch that need it. After an error the items that
// have an outcome are settled all the same.
func (w *work) write(ctx context.Context, s []*item) error {
	var rows []*item
	for _, it := range s {
		if it.outcome == "" && !it.waits {
			rows = append(rows, it)
		}
	}
	rows, err := w.yield(ctx, rows)
	if err != nil || len(rows) == 0 {
		return err
	}
	if rows[0].entry.Gone != nil {
		err = w.bury(ctx, rows)
	} else {
		rows, err = w.deliver(ctx, rows)
	}
	open := func(it *item) bool { return it.outcome == "" }
	if err == nil && slices.ContainsFunc(rows, open) { // else the part would try it for ever
		return fault.New(fault.Transient, "Gainsight gave no answer for a row, or lost it meanwhile.")
	}
	return err
}

// deliver sends rows, and returns those that were to be sent.
func (w *work) deliver(ctx context.Context, rows []*item) ([]*item, error) {
	rows, err := w.claim(ctx, rows)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if err := w.doubt(ctx, rows); err != nil {
		return nil, err
	}
	switch w.object {
	case people:
		err = w.writePeople(ctx, rows)
	case users:
		err = w.writeUsers(ctx, rows)
	default:
		err = w.writeRows(ctx, rows)
	}
	return rows, err
}

// Objects that have an API of their own.
const (
	people = "company_person"
	users  = "gsuser"
)
