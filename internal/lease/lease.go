// Package lease says who may work on something: one owner at a time, for a
// limited time. Each change of hands raises a fence number, so that the writes
// of a former owner, however late, are refused.
//
// A lease is two items: "fence", which never expires and whose version is the
// fence number, and "held", which exists as long as the lease is in force.
// Renewals touch only the second, so a Check stays true through them.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// defaultTTL is longer than a step may run (15 minutes) and a pause after it.
const defaultTTL = 20 * time.Minute

// tries bounds how often an Acquire that met another one decides again.
const tries = 8

const (
	prefix = "LEASE#"
	fence  = "fence"
	held   = "held"
)

// Lease is what Acquire gave to an owner.
type Lease struct {
	Name, Owner string
	// Fence is ≥ 1 and grows each time the lease changes hands.
	Fence int64
}

// HeldError is the cause of the fault.Conflict with which Acquire answers when
// another owner holds the lease.
type HeldError struct{ Owner string }

func (e *HeldError) Error() string { return "lease is held by " + e.Owner }

// fenceDoc is the document of the fence item.
type fenceDoc struct {
	Owner string `json:"owner,omitempty"` // "" after a release
}

// Store keeps leases. Table is required; TTL 0 means 20 minutes; Now nil means
// time.Now.
type Store struct {
	Table table.Table
	TTL   time.Duration
	Now   func() time.Time
}

// Acquire takes the lease for owner, or renews it if owner has it already, also
// after it expired if nobody else took it; the fence then stays the same. Held
// by another: fault.Conflict, caused by a HeldError. Doing it twice, also at
// once, is the same as once.
func (s *Store) Acquire(ctx context.Context, name, owner string) (Lease, error) {
	for range tries {
		at, doc, until, err := s.read(ctx, name)
		if err != nil {
			return Lease{}, fmt.Errorf("acquire lease %s: %w", name, err)
		}
		l := Lease{Name: name, Owner: owner, Fence: at}
		switch {
		case at > 0 && doc.Owner == owner:
			err = s.Renew(ctx, l)
		case !until.IsZero():
			return Lease{}, fault.Wrap(&HeldError{Owner: doc.Owner}, fault.Conflict, "%s is at work on this already.", doc.Owner)
		default:
			l.Fence = at + 1
			err = s.take(ctx, l)
		}
		if err == nil {
			return l, nil
		}
		if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Fenced) {
			return Lease{}, fmt.Errorf("acquire lease %s: %w", name, err)
		}
	}
	return Lease{}, fault.New(fault.Transient, "The lease %s changes hands all the time. Try again.", name)
}

// read returns the fence number (0 = never taken), its document, and until when the
// lease is in force; zero = it is not.
func (s *Store) read(ctx context.Context, name string) (at int64, doc fenceDoc, until time.Time, err error) {
	items, err := s.Table.GetMany(ctx, []table.Key{key(name, fence), key(name, held)})
	if err != nil {
		return 0, doc, until, err
	}
	for _, item := range items {
		if item.Sort == held {
			until = item.Expires
			continue
		}
		at = item.Version
		if err := json.Unmarshal(item.Doc, &doc); err != nil {
			return 0, doc, until, fmt.Errorf("decode lease %s: %w", name, err)
		}
	}
	return at, doc, until, nil
}

// take is the write that hands the lease over: nobody may have taken, renewed
// or released it since it was read.
func (s *Store) take(ctx context.Context, l Lease) error {
	cond := table.Absent()
	if l.Fence > 1 {
		cond = table.VersionIs(l.Fence - 1)
	}
	return s.Table.Write(ctx, []table.Op{
		{Verb: table.Put, Item: table.New(key(l.Name, fence), fenceDoc{Owner: l.Owner}), If: cond},
		{Verb: table.Put, Item: s.held(l), If: table.Absent()},
	})
}

// Renew prolongs the lease by TTL from now. One that expired is in force again
// if nobody took it meanwhile; else fault.Fenced.
func (s *Store) Renew(ctx context.Context, l Lease) error {
	err := s.Table.Write(ctx, []table.Op{l.Check(), {Verb: table.Put, Item: s.held(l)}})
	if Lost(err) {
		return fault.Wrap(err, fault.Fenced, "Another one has taken over the work on %s.", l.Name)
	}
	if err != nil {
		return fmt.Errorf("renew lease %s: %w", l.Name, err)
	}
	return nil
}

// Keep renews the lease if a quarter of its time is over, and is cheap if not: a step
// ends in what is left. It returns fault.Fenced as Renew does.
func (s *Store) Keep(ctx context.Context, l Lease) error {
	at, doc, until, err := s.read(ctx, l.Name)
	if err != nil {
		return fmt.Errorf("read lease %s: %w", l.Name, err)
	}
	if at != l.Fence || doc.Owner != l.Owner || until.Sub(s.now()) <= s.ttl()*3/4 {
		return s.Renew(ctx, l)
	}
	return nil
}

// Release gives the lease back. One that was lost or released before is left
// alone; that is no error.
func (s *Store) Release(ctx context.Context, l Lease) error {
	err := s.Table.Write(ctx, l.ReleaseOps())
	if err != nil && !Lost(err) {
		return fmt.Errorf("release lease %s: %w", l.Name, err)
	}
	return nil
}

// Check is the op that guards another Write: it fails if the lease changed hands
// or was released. An expired lease that nobody took still passes.
func (l Lease) Check() table.Op {
	return table.Op{Verb: table.Check, Item: table.Item{Key: key(l.Name, fence)}, If: table.VersionIs(l.Fence)}
}

// ReleaseOps are the writes that give the lease back as part of another Write,
// which they guard as Check does.
func (l Lease) ReleaseOps() []table.Op {
	return []table.Op{
		{Verb: table.Put, Item: table.New(key(l.Name, fence), fenceDoc{}), If: table.VersionIs(l.Fence)},
		{Verb: table.Delete, Item: table.Item{Key: key(l.Name, held)}},
	}
}

// Of returns the lease as owner holds it, or the zero Lease if the owner does
// not, or no longer.
func (s *Store) Of(ctx context.Context, name, owner string) (Lease, error) {
	at, doc, _, err := s.read(ctx, name)
	if err != nil {
		return Lease{}, fmt.Errorf("read lease %s: %w", name, err)
	}
	if at == 0 || doc.Owner != owner {
		return Lease{}, nil
	}
	return Lease{Name: name, Owner: owner, Fence: at}, nil
}

// Holds returns nil if the lease has not changed hands, as Check would see it, else
// fault.Fenced.
func (s *Store) Holds(ctx context.Context, l Lease) error {
	now, err := s.Of(ctx, l.Name, l.Owner)
	if err == nil && now.Fence != l.Fence {
		err = fault.New(fault.Fenced, "Another one has taken over the work on %s.", l.Name)
	}
	return err
}

// Held reports whether somebody holds the lease.
func (s *Store) Held(ctx context.Context, name string) (bool, error) {
	_, _, until, err := s.read(ctx, name)
	if err != nil {
		return false, fmt.Errorf("read lease %s: %w", name, err)
	}
	return !until.IsZero(), nil
}

// Lost reports whether a Write failed because of a lease's Check or ReleaseOps.
func Lost(err error) bool {
	failed, ok := errors.AsType[*table.FailedError](err)
	return ok && failed.Key.Sort == fence && strings.HasPrefix(failed.Key.Partition, prefix)
}

// held is the item that keeps the lease in force. Items expire at whole seconds,
// so the end is rounded up.
func (s *Store) held(l Lease) table.Item {
	item := table.New(key(l.Name, held), struct{}{})
	item.Expires = s.now().Add(s.ttl() + time.Second - 1).Truncate(time.Second)
	return item
}

func (s *Store) ttl() time.Duration {
	if s.TTL == 0 {
		return defaultTTL
	}
	return s.TTL
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func key(name, sort string) table.Key { return table.Key{Partition: prefix + name, Sort: sort} }
