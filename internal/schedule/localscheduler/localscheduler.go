// Package localscheduler starts what is due from within this process.
//
// What it follows is in memory; a schedule.Keeper fills it when the process
// starts. Up to when everything due was started is kept in the table: of the
// times that a schedule missed while the process was down, the last one is
// started once at the start of Run, and the others never. A schedule that was
// changed while the process was down counts as if it had been so all the time.
// A process that dies just after a start may repeat it under the same name.
package localscheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// Scheduler is a schedule.Scheduler. It is used by pointer; Table and Start are
// required.
type Scheduler struct {
	// Table keeps up to when all was started. Nobody else runs a Scheduler on it.
	Table table.Table
	// Start starts an execution of the chain machine by its name and does not wait
	// for it. fault.Conflict means that it was started before. After any other error
	// it is tried again, until the next occurrence takes its place.
	Start func(ctx context.Context, name string, input json.RawMessage) error
	Log   *slog.Logger                                     // tells of starts that failed; nil = nobody
	Now   func() time.Time                                 // nil = time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer

	mu       sync.Mutex
	followed map[schedule.Owner]*followed
	began    bool // by Run
	changed  bool // what is followed, since the last pass
}

var _ schedule.Scheduler = (*Scheduler)(nil)

// followed is a schedule with its next occurrence.
type followed struct {
	schedule schedule.Schedule
	next     time.Time // zero before Run
}

// Put implements schedule.Scheduler. It never fails but for fault.Invalid.
func (s *Scheduler) Put(_ context.Context, o schedule.Owner, sch schedule.Schedule) error {
	if err := sch.Validate(); err != nil {
		return err
	}
	o.Name, sch.Version, sch.Days = "", 0, slices.Clone(sch.Days)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
	next, more := sch.Next(s.now())
	switch old := s.followed[o]; {
	case !more:
		delete(s.followed, o)
		return nil
	case old != nil && old.schedule.Same(sch):
		return nil // what is due of it stays due
	case !s.began:
		next = time.Time{}
	}
	if s.followed == nil {
		s.followed = map[schedule.Owner]*followed{}
	}
	s.followed[o] = &followed{schedule: sch, next: next}
	return nil
}

// Delete implements schedule.Scheduler. It never fails.
func (s *Scheduler) Delete(_ context.Context, o schedule.Owner) error {
	o.Name = ""
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
	delete(s.followed, o)
	return nil
}

// List implements schedule.Scheduler. It never fails.
func (s *Scheduler) List(context.Context) ([]schedule.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []schedule.Entry
	for o, f := range s.followed {
		e := schedule.Entry{Owner: o, Schedule: f.schedule}
		if _, more := f.schedule.Next(s.now()); !more {
			e.Schedule = schedule.Schedule{}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Run starts what is due until the context ends, and returns its cause. Run it
// once, when what is to be followed was put. It fails at once if the table does.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	for {
		if err := s.pass(ctx); err != nil {
			s.log().WarnContext(ctx, "time of the last start not kept", "kind", fault.KindOf(err), "err", err)
		}
		// Occurrences are whole minutes. Looking each minute also notices a clock that
		// was set, and a machine that slept.
		now := s.now()
		if err := s.sleep(ctx, now.Truncate(time.Minute).Add(time.Minute).Sub(now)); err != nil {
			return context.Cause(ctx)
		}
	}
}

// place is where the mark is kept.
func place() table.Key { return table.Key{Partition: "SCHEDULER", Sort: "local"} }

// begin reads from when on times may have been missed.
func (s *Scheduler) begin(ctx context.Context) error {
	var mark time.Time
	_, err := table.Load(ctx, s.Table, place(), &mark)
	if fault.Is(err, fault.NotFound) {
		mark, err = s.now(), nil
	}
	if err != nil {
		return fmt.Errorf("read up to when all was started: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.changed = true, true // so that the first pass keeps the mark
	for _, f := range s.followed {
		f.next, _ = f.schedule.Next(mark)
	}
	return nil
}

// due is an occurrence to be started.
type due struct {
	owner schedule.Owner
	at    time.Time
}

// pass starts what is due, the last occurrence of each. If all was started, or
// what is followed changed, it keeps the mark.
func (s *Scheduler) pass(ctx context.Context) error {
	now := s.now()
	all, moved := s.due(now)
	failed := false
	for _, d := range all {
		err := s.Start(ctx, schedule.ExecutionName(d.owner, d.at), schedule.Input(d.owner, d.at.UTC().Format(time.RFC3339)))
		if err != nil && !fault.Is(err, fault.Conflict) {
			failed = true
			if ctx.Err() == nil {
				s.log().WarnContext(ctx, "scheduled start failed", "kind", fault.KindOf(err), "err", err)
			}
			continue
		}
		moved = true
		s.started(d.owner, now)
	}
	if !moved || failed {
		return nil
	}
	_, err := s.Table.Put(ctx, table.New(place(), now.UTC()), table.Condition{})
	return err
}

// due returns the last occurrence of each schedule that is due, the oldest
// first, and whether what is followed has changed.
func (s *Scheduler) due(now time.Time) (all []due, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, s.changed = s.changed, false
	for o, f := range s.followed {
		if !f.next.IsZero() && !f.next.After(now) {
			f.next = last(f.schedule, f.next, now)
			all = append(all, due{o, f.next})
		}
	}
	slices.SortFunc(all, func(a, b due) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.owner.What, b.owner.What), strings.Compare(a.owner.ID, b.owner.ID))
	})
	return all, changed
}

// last returns the last occurrence until now; first is one.
func last(sch schedule.Schedule, first, now time.Time) time.Time {
	at := first
	// From near now, because there may be very many since the first.
	for back := time.Minute; now.Add(-back).After(first); back *= 2 {
		if next, more := sch.Next(now.Add(-back)); more && !next.After(now) {
			at = next
			break
		}
	}
	for next, more := sch.Next(at); more && !next.After(now); next, more = sch.Next(next) {
		at = next
	}
	return at
}

// started moves a schedule on, as it is now.
func (s *Scheduler) started(o schedule.Owner, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.followed[o]; f != nil {
		f.next, _ = f.schedule.Next(now)
	}
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Scheduler) sleep(ctx context.Context, d time.Duration) error {
	if s.Sleep != nil {
		return s.Sleep(ctx, d)
	}
	return clock.Sleep(ctx, d)
}

func (s *Scheduler) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}
