package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/meter"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/table"
)

// kept is how long a run and its positions are stored.
const kept = 365 * 24 * time.Hour

// keptRejects is how long rejects with their values are stored: as long as what the
// run has staged, and until then it is in its error file.
const keptRejects = 14 * 24 * time.Hour

// Store keeps rounds, runs and positions. Table and Leases are required; Now nil
// means time.Now.
type Store struct {
	Table  table.Table
	Leases *lease.Store
	Now    func() time.Time
	// Kept is how long what is written now is kept; nil = a year.
	Kept func() time.Duration
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Store) item(partition, sort string, v any) table.Item {
	item := table.New(table.Key{Partition: partition, Sort: sort}, v)
	life := kept
	if s.Kept != nil {
		life = s.Kept()
	}
	item.Expires = s.now().Add(life).Truncate(time.Second)
	return item
}

// Open stores a round with its runs, all or nothing. If the round is there
// already it is returned instead, as it was first stored.
func (s *Store) Open(ctx context.Context, r Round, runs []Run) (Round, error) {
	ops := []table.Op{
		{Verb: table.Put, Item: s.item("ROUND", roundKey(r.Execution, r.Round), r), If: table.Absent()},
		{Verb: table.Put, Item: s.item("OPEN", roundKey(r.Execution, r.Round), r)},
	}
	for _, one := range runs {
		ops = append(ops, table.Op{Verb: table.Put, Item: s.item("RUN", string(one.ID), one), If: table.Absent()})
	}
	err := s.Table.Write(ctx, ops)
	if fault.Is(err, fault.Conflict) {
		return s.Round(ctx, r.Execution, r.Round)
	}
	if err != nil {
		return Round{}, fmt.Errorf("open round %d of %s: %w", r.Round, r.Execution, err)
	}
	return r, nil
}

// Round returns a round, or fault.NotFound.
func (s *Store) Round(ctx context.Context, execution string, round int) (Round, error) {
	var r Round
	v, err := table.Load(ctx, s.Table, table.Key{Partition: "ROUND", Sort: roundKey(execution, round)}, &r)
	r.version = v
	return r, err
}

// OpenRounds returns the rounds that nobody has closed, oldest name first. Those
// that cannot be read are in the error, beside the others.
func (s *Store) OpenRounds(ctx context.Context) ([]Round, error) {
	var rounds []Round
	var damaged []error
	err := table.All(ctx, s.Table, "OPEN", table.Range{}, func(item table.Item) error {
		var r Round
		if err := json.Unmarshal(item.Doc, &r); err != nil {
			damaged = append(damaged, fmt.Errorf("decode open round %s: %w", item.Sort, err))
			return nil
		}
		rounds = append(rounds, r)
		return nil
	})
	return rounds, errors.Join(append(damaged, err)...)
}

// success is when a chain's round last ended well, or when it was first asked for.
type success struct {
	At time.Time `json:"at"`
}

func successItem(chainID string, at time.Time) table.Item {
	return table.New(table.Key{Partition: "SUCCESS", Sort: chainID}, success{At: at})
}

// ChainSuccess returns when a round of the chain last ended as Success or Partial
// Success. For a chain without one it is the now with which it was first asked
// for, which is stored.
func (s *Store) ChainSuccess(ctx context.Context, chainID string, now time.Time) (time.Time, error) {
	item := successItem(chainID, now.UTC())
	_, err := s.Table.Put(ctx, item, table.Absent())
	if err == nil {
		return now, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return time.Time{}, err
	}
	var known success
	_, err = table.Load(ctx, s.Table, item.Key, &known)
	return known.At, err
}

// SaveRound stores a round that was read before. Closing it takes it off the
// open ones. fault.Conflict means that it changed since.
func (s *Store) SaveRound(ctx context.Context, r Round) error {
	key := roundKey(r.Execution, r.Round)
	cond := table.Absent()
	if r.version > 0 {
		cond = table.VersionIs(r.version)
	}
	ops := []table.Op{{Verb: table.Put, Item: s.item("ROUND", key, r), If: cond}}
	if r.Status.Closed() {
		ops = append(ops, table.Op{Verb: table.Delete, Item: table.Item{Key: table.Key{Partition: "OPEN", Sort: key}}})
	}
	if r.ChainID != "" && (r.Status == Success || r.Status == Partial) {
		ops = append(ops, table.Op{Verb: table.Put, Item: successItem(r.ChainID, r.Ended)})
	}
	return s.Table.Write(ctx, ops)
}

// Get returns a run, or fault.NotFound.
func (s *Store) Get(ctx context.Context, id ID) (Run, error) {
	var r Run
	v, err := table.Load(ctx, s.Table, table.Key{Partition: "RUN", Sort: string(id)}, &r)
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	r.version = v
	return r, nil
}

// List returns runs, newest first, at most limit.
func (s *Store) List(ctx context.Context, limit int) ([]Run, error) {
	page, err := s.Table.Query(ctx, "RUN", table.Range{}, limit, "", true)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, len(page.Items))
	for i, item := range page.Items {
		if err := json.Unmarshal(item.Doc, &runs[i]); err != nil {
			return nil, fmt.Errorf("decode run %s: %w", item.Sort, err)
		}
		runs[i].version = item.Version
	}
	return runs, nil
}

// Save stores a run that was read before, unless it changed since
// (fault.Conflict). The extra ops are part of the same write.
func (s *Store) Save(ctx context.Context, r Run, extra ...table.Op) (Run, error) {
	ops := append([]table.Op{{Verb: table.Put, Item: s.item("RUN", string(r.ID), r), If: table.VersionIs(r.version)}}, extra...)
	if err := s.Table.Write(ctx, ops); err != nil {
		return r, s.fenced(err, r)
	}
	r.version++
	return r, nil
}

// Lease returns the lease that the run holds, whose Check guards its writes.
func (r Run) Lease() lease.Lease {
	return lease.Lease{Name: r.LeaseName(), Owner: string(r.ID), Fence: r.Fence}
}

// fenced turns the failure of a lease check into fault.Fenced.
func (s *Store) fenced(err error, r Run) error {
	if lease.Lost(err) {
		return fault.Wrap(err, fault.Fenced, "Another run of job %q has taken over; this one has stopped.", r.JobName)
	}
	return err
}

// Take starts the run: it takes the job's lease and becomes Running. Again by
// the same run it renews. Held by another run: fault.Conflict, and holder names it.
func (s *Store) Take(ctx context.Context, r Run) (taken Run, holder string, err error) {
	l, err := s.Leases.Acquire(ctx, r.LeaseName(), string(r.ID))
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		return r, held.Owner, err
	}
	if err != nil {
		return r, "", fmt.Errorf("take lease of run %s: %w", r.ID, err)
	}
	if r.Fence == l.Fence && r.Status == Running {
		return r, "", nil
	}
	if r.Fence != 0 && r.Fence != l.Fence {
		// The lease went to another run and came back: what that one delivered may be newer.
		if err := s.Leases.Release(ctx, l); err != nil {
			return r, "", err
		}
		return r, "", fault.New(fault.Fenced, "Another run of job %q has taken over; this one has stopped.", r.JobName)
	}
	r.Fence, r.Status, r.Started = l.Fence, Running, s.now().UTC()
	r, err = s.Save(ctx, r)
	if fault.Is(err, fault.Conflict) { // a copy of this step did the same
		again, err := s.Get(ctx, r.ID)
		return again, "", err
	}
	return r, "", err
}

// Extraction returns how far the run's extraction has come; the zero Extraction
// before its first part.
func (s *Store) Extraction(ctx context.Context, id ID) (Extraction, error) {
	var e Extraction
	_, err := table.Load(ctx, s.Table, table.Key{Partition: "RUN#" + string(id), Sort: "extract"}, &e)
	if fault.Is(err, fault.NotFound) {
		return Extraction{}, nil
	}
	return e, err
}

// Extracted moves the extraction from one position to the next. If a copy was
// faster nothing is stored, and where that copy stands is returned. It fails
// with fault.Fenced if the run lost its lease.
func (s *Store) Extracted(ctx context.Context, r Run, from, to Extraction) (Extraction, error) {
	key := table.Key{Partition: "RUN#" + string(r.ID), Sort: "extract"}
	cond := table.Absent()
	item, err := s.Table.Get(ctx, key)
	switch {
	case err == nil:
		var stored Extraction
		if err := json.Unmarshal(item.Doc, &stored); err != nil {
			return from, fmt.Errorf("decode extraction of run %s: %w", r.ID, err)
		}
		if stored != from {
			return stored, nil
		}
		cond = table.VersionIs(item.Version)
	case !fault.Is(err, fault.NotFound):
		return from, err
	}
	err = s.Table.Write(ctx, []table.Op{
		r.Lease().Check(),
		{Verb: table.Put, Item: s.item(key.Partition, key.Sort, to), If: cond},
	})
	if err = s.fenced(err, r); fault.Is(err, fault.Conflict) {
		return s.Extraction(ctx, r.ID)
	}
	if err != nil {
		return from, fmt.Errorf("move extraction of run %s: %w", r.ID, err)
	}
	return to, nil
}

// Part returns how far a part has come; its start if nothing is stored.
func (s *Store) Part(ctx context.Context, id ID, n int) (Part, error) {
	p := Part{Number: n, Pass: 1}
	v, err := table.Load(ctx, s.Table, table.Key{Partition: "RUN#" + string(id), Sort: partKey(n)}, &p)
	if fault.Is(err, fault.NotFound) {
		return p, nil
	}
	p.version = v
	return p, err
}

// Parts returns the positions of all parts that have one, by number.
func (s *Store) Parts(ctx context.Context, id ID) ([]Part, error) {
	var parts []Part
	err := table.All(ctx, s.Table, "RUN#"+string(id), table.Range{Prefix: "part-"}, func(item table.Item) error {
		var p Part
		if err := json.Unmarshal(item.Doc, &p); err != nil {
			return fmt.Errorf("decode %s of run %s: %w", item.Sort, id, err)
		}
		p.version = item.Version
		parts = append(parts, p)
		return nil
	})
	return parts, err
}

// SettleOps is the room that Settle leaves in one table.Write for extra ops.
const SettleOps = table.MaxWriteOps - 3

// Settle moves a part from what was read to where it stands now, with the
// rejects of that stretch and what else belongs to it, as one write. If a copy
// of the step was faster nothing is stored, and where that copy stands is
// returned with ok false. It fails with fault.Fenced if the run lost its lease.
func (s *Store) Settle(ctx context.Context, r Run, from, to Part, rejects []record.Reject, extra []table.Op) (at Part, ok bool, err error) {
	cond := table.Absent()
	if from.version > 0 {
		cond = table.VersionIs(from.version)
	}
	ops := append([]table.Op{
		r.Lease().Check(),
		{Verb: table.Put, Item: s.item("RUN#"+string(r.ID), partKey(to.Number), to), If: cond},
	}, extra...)
	if len(rejects) > 0 {
		item := s.item("RUN#"+string(r.ID), rejectKey(from.Number, to.Pass, from.At), rejects)
		if soon := s.now().Add(keptRejects).Truncate(time.Second); soon.Before(item.Expires) {
			item.Expires = soon
		}
		ops = append(ops, table.Op{Verb: table.Put, Item: item})
	}
	err = s.fenced(s.Table.Write(ctx, ops), r)
	if fault.Is(err, fault.Conflict) {
		at, err = s.Part(ctx, r.ID, from.Number)
		return at, false, err
	}
	if err != nil {
		return from, false, fmt.Errorf("settle part %d of run %s: %w", from.Number, r.ID, err)
	}
	to.version = from.version + 1
	return to, true, nil
}

// Rejects returns the rejects that upsert stored for a part, by source id; those
// of the second pass replace those of the first.
func (s *Store) Rejects(ctx context.Context, id ID, part int) (map[string]record.Reject, error) {
	all := map[string]record.Reject{}
	err := table.All(ctx, s.Table, "RUN#"+string(id), table.Range{Prefix: fmt.Sprintf("reject-%05d-", part)}, func(item table.Item) error {
		var rejects []record.Reject
		if err := json.Unmarshal(item.Doc, &rejects); err != nil {
			return fmt.Errorf("decode %s of run %s: %w", item.Sort, id, err)
		}
		for _, reject := range rejects {
			all[reject.SourceID] = reject
		}
		return nil
	})
	return all, err
}

// EraseRejects removes what upsert stored of rejected records of a closed run. Twice
// is once.
func (s *Store) EraseRejects(ctx context.Context, id ID, ids map[string]bool) error {
	partition := "RUN#" + string(id)
	err := table.All(ctx, s.Table, partition, table.Range{Prefix: "reject-"}, func(item table.Item) error {
		var rejects []record.Reject
		if err := json.Unmarshal(item.Doc, &rejects); err != nil {
			return fmt.Errorf("decode %s: %w", item.Sort, err)
		}
		kept := slices.DeleteFunc(slices.Clone(rejects), func(r record.Reject) bool { return ids[r.SourceID] })
		if len(kept) == len(rejects) {
			return nil
		}
		blank := table.New(item.Key, kept)
		blank.Expires = item.Expires
		_, err := s.Table.Put(ctx, blank, table.Condition{})
		return err
	})
	if err != nil {
		return fmt.Errorf("erase rejects of run %s: %w", id, err)
	}
	return nil
}

// Calls returns the vendor calls that the run's steps have sent. :: vendor → calls
func (s *Store) Calls(ctx context.Context, id ID) (map[string]int, error) {
	calls, _, err := s.calls(ctx, id)
	return calls, err
}

func (s *Store) calls(ctx context.Context, id ID) (map[string]int, table.Condition, error) {
	calls := map[string]int{}
	version, err := table.Load(ctx, s.Table, table.Key{Partition: "RUN#" + string(id), Sort: "calls"}, &calls)
	if fault.Is(err, fault.NotFound) {
		return calls, table.Absent(), nil
	}
	return calls, table.VersionIs(version), err
}

// Metered does work and adds the vendor calls that it sends to the run's. A
// process that dies in between loses the count of that piece of work.
func (s *Store) Metered(ctx context.Context, id ID, work func(context.Context) error) error {
	metered, m := meter.With(ctx)
	workErr := work(metered)
	sent := m.Calls()
	if len(sent) == 0 {
		return workErr
	}
	for {
		calls, cond, err := s.calls(ctx, id)
		if err == nil {
			for vendor, n := range sent {
				calls[vendor] += n
			}
			_, err = s.Table.Put(ctx, s.item("RUN#"+string(id), "calls", calls), cond)
		}
		switch {
		case fault.Is(err, fault.Conflict): // a step beside this one
		case workErr != nil || err == nil:
			return workErr
		default:
			return fmt.Errorf("count calls of run %s: %w", id, err)
		}
	}
}

// Watermark returns up to when the job was delivered; the zero Watermark if it
// never completed.
func (s *Store) Watermark(ctx context.Context, job string, lane Lane) (Watermark, error) {
	var w Watermark
	_, err := table.Load(ctx, s.Table, table.Key{Partition: "JOB#" + job, Sort: "watermark#" + string(lane)}, &w)
	if fault.Is(err, fault.NotFound) {
		return Watermark{}, nil
	}
	return w, err
}

// WatermarkOp is the write that moves a job's watermark, to be part of the
// closing of its run under its lease.
func (s *Store) WatermarkOp(r Run, at time.Time) table.Op {
	item := table.New(table.Key{Partition: "JOB#" + r.Job, Sort: "watermark#" + string(r.Lane)}, Watermark{At: at, Run: r.ID})
	return table.Op{Verb: table.Put, Item: item}
}

// Turn returns how many runs of the job that read its changes have ended; 0 before
// the first.
func (s *Store) Turn(ctx context.Context, job string) (int64, error) {
	var n int64
	_, err := table.Load(ctx, s.Table, turnKey(job), &n)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	return n, err
}

func turnKey(job string) table.Key { return table.Key{Partition: "JOB#" + job, Sort: "turn"} }

// TurnOp is the write that counts a run as the job's nth, to be part of its closing
// under its lease.
func TurnOp(job string, n int64) table.Op {
	return table.Op{Verb: table.Put, Item: table.New(turnKey(job), n)}
}

// Swept returns up to when the job's archived records were looked for; zero if
// they never were.
func (s *Store) Swept(ctx context.Context, job string) (time.Time, error) {
	var at time.Time
	_, err := table.Load(ctx, s.Table, sweptKey(job), &at)
	if fault.Is(err, fault.NotFound) {
		return time.Time{}, nil
	}
	return at, err
}

func sweptKey(job string) table.Key { return table.Key{Partition: "JOB#" + job, Sort: "swept"} }

// SweptOp is the write that notes it, to be part of the closing of a run under its
// lease.
func SweptOp(job string, at time.Time) table.Op {
	return table.Op{Verb: table.Put, Item: table.New(sweptKey(job), at)}
}
