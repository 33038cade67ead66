// Package token keeps the access tokens of connections: sealed in the table, and
// fresh. However many processes use a token, one refreshes it at a time, and a
// connection is given up only when the vendor refused the refresh twice.
package token

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/secret"
)

const (
	// renewBefore is how long before its end a token is refreshed. One that lives
	// for less than four times as long is refreshed in its last quarter.
	renewBefore = 5 * time.Minute
	// usableFor is what a token must still be good for to be handed out while it
	// cannot be refreshed: one call.
	usableFor = 30 * time.Second
	// refreshLease is how long others wait for a refresher that died. One that is
	// alive keeps its lease.
	refreshLease = 12 * time.Second
	// patience is how long a refresher that is alive is waited for.
	patience = 2 * time.Minute
	// poll is the pause between two looks at what another refresher stored.
	poll = 500 * time.Millisecond
	// secondTry is the pause before a refused refresh is tried once more.
	secondTry = 2 * time.Second
)

// Broker hands out tokens that are fresh. The first three fields are required.
// It is used by pointer and may be used at once.
type Broker struct {
	Store *Store
	// Leases says who may refresh; the broker sets its own TTL.
	Leases *lease.Store
	// Refresh gets a new token for an old one. Empty fields of its answer are
	// kept from the old one. Its errors are faults.
	Refresh func(ctx context.Context, t Token) (Token, error)
	// Lost is told that the vendor refused the connection's refresh twice; nil =
	// nobody.
	Lost func(ctx context.Context, connection string) error
	// First says that Refresh can make the first token from a zero one (client
	// credentials). If false, a connection without a stored token is not
	// authorized.
	First bool
	Now   func() time.Time                                 // nil = time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer
	NewID func() string                                    // names lease owners; nil = random

	mu      sync.Mutex
	cache   map[string]Token   // :: connection → the token last seen
	flights map[string]*flight // :: connection → the refresh at work in this process
}

// flight is one refresh that all who need it wait for.
type flight struct {
	done    chan struct{}
	token   Token
	err     error
	stopped bool // its caller gave up; the result says nothing to others
}

// Token returns a token of the connection that is good for a call. A token near
// its end is refreshed by one caller; if that is not possible at the moment, the
// old one is returned as long as it works. Its errors are Reauthorize (not
// authorized, or refused twice), those of Refresh, and those of the table.
func (b *Broker) Token(ctx context.Context, connection string) (Token, error) {
	b.mu.Lock()
	t, cached := b.cache[connection]
	b.mu.Unlock()
	if cached && b.fresh(t) {
		return t, nil
	}
	return b.get(ctx, connection, "")
}

// Renew returns another token than bad, which the vendor refused with a 401. It
// refreshes unless somebody has done so already.
func (b *Broker) Renew(ctx context.Context, connection string, bad secret.Text) (Token, error) {
	return b.get(ctx, connection, bad)
}

// get joins the connection's refresh, or makes one.
func (b *Broker) get(ctx context.Context, connection string, bad secret.Text) (Token, error) {
	for {
		b.mu.Lock()
		f := b.flights[connection]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			if b.flights == nil {
				b.flights, b.cache = map[string]*flight{}, map[string]Token{}
			}
			b.flights[connection] = f
			b.mu.Unlock()
			return b.fly(ctx, connection, bad, f)
		}
		t := b.cache[connection]
		b.mu.Unlock()
		if bad == "" && b.usable(t) {
			return t, nil
		}
		select {
		case <-ctx.Done():
			return Token{}, fault.Wrap(ctx.Err(), fault.Transient, "Waiting for a token was stopped.")
		case <-f.done:
		}
		if f.stopped || f.err == nil && bad != "" && f.token.Access == bad {
			continue
		}
		return f.token, f.err
	}
}

func (b *Broker) fly(ctx context.Context, connection string, bad secret.Text, f *flight) (Token, error) {
	t, err := b.current(ctx, connection, bad)
	b.mu.Lock()
	defer b.mu.Unlock()
	f.token, f.err, f.stopped = t, err, ctx.Err() != nil
	delete(b.flights, connection)
	delete(b.cache, connection)
	if err == nil {
		b.cache[connection] = t
	}
	close(f.done)
	return t, err
}

// current returns the stored token if it will do, or sees to a new one.
func (b *Broker) current(ctx context.Context, connection string, bad secret.Text) (Token, error) {
	leases := &lease.Store{Table: b.Leases.Table, TTL: refreshLease, Now: b.Leases.Now}
	owner := b.newID()
	for until := b.now().Add(patience); ; {
		t, err := b.stored(ctx, connection)
		if err != nil || b.fresh(t) && t.Access != bad {
			return t, err
		}
		l, err := leases.Acquire(ctx, "token#"+connection, owner)
		if err == nil {
			release := b.hold(ctx, leases, l)
			defer release()
			return b.refresh(ctx, connection, bad)
		}
		if !fault.Is(err, fault.Conflict) {
			return Token{}, fmt.Errorf("claim refresh of connection %s: %w", connection, err)
		}
		if t.Access != bad && b.usable(t) {
			return t, nil
		}
		if b.now().After(until) {
			return Token{}, fault.Wrap(err, fault.Transient, "The token of connection %s is being refreshed for too long.", connection)
		}
		if err := b.sleep(ctx, poll); err != nil {
			return Token{}, fault.Wrap(err, fault.Transient, "Waiting for a token was stopped.")
		}
	}
}

// hold keeps a lease in force until it is released, or ctx ends, or the process
// dies: a vendor may take longer to answer than the lease lasts.
func (b *Broker) hold(ctx context.Context, leases *lease.Store, l lease.Lease) (release func()) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b.sleep(ctx, refreshLease/3) == nil {
			if fault.Is(leases.Renew(ctx, l), fault.Fenced) {
				return // it was taken over; Swap decides whose token counts
			}
		}
	}()
	return func() {
		stop()
		<-ended
		_ = leases.Release(context.WithoutCancel(ctx), l) // else it ends by itself
	}
}

// refresh gets and stores a new token. The caller holds the lease.
func (b *Broker) refresh(ctx context.Context, connection string, bad secret.Text) (Token, error) {
	for second := false; ; second = true {
		old, err := b.stored(ctx, connection)
		if err != nil || b.fresh(old) && old.Access != bad {
			return old, err // somebody was faster, or authorized the connection again
		}
		t, err := b.Refresh(ctx, old)
		switch {
		case err == nil:
			return b.keep(ctx, connection, old, t)
		case !fault.Is(err, fault.Reauthorize):
			if old.Access != bad && b.usable(old) {
				return old, nil
			}
			return Token{}, fmt.Errorf("refresh connection %s: %w", connection, err)
		case second:
			if b.Lost != nil {
				err = errors.Join(err, b.Lost(ctx, connection))
			}
			return Token{}, fmt.Errorf("refresh connection %s twice: %w", connection, err)
		}
		if err := b.sleep(ctx, secondTry); err != nil {
			return Token{}, fault.Wrap(err, fault.Transient, "Refreshing a token was stopped.")
		}
	}
}

// keep stores what a refresh returned. If somebody stored another token
// meanwhile, that one counts: it is from a new authorization.
func (b *Broker) keep(ctx context.Context, connection string, old, t Token) (Token, error) {
	if t.Refresh == "" {
		t.Refresh = old.Refresh
	}
	if t.PortalID == 0 {
		t.PortalID = old.PortalID
	}
	if t.Domain == "" {
		t.Domain = old.Domain
	}
	if len(t.Scopes) == 0 {
		t.Scopes = old.Scopes
	}
	if t.Issued.IsZero() {
		t.Issued = b.now()
	}
	t.Version = old.Version
	for try := 1; ; try++ {
		swapped, err := b.Store.Swap(context.WithoutCancel(ctx), connection, t) // the old refresh token may be void now
		if err == nil {
			return swapped, nil
		}
		if fault.Is(err, fault.Conflict) {
			return b.stored(ctx, connection) // perhaps t itself, from a try whose answer was lost
		}
		if try == 3 || b.sleep(ctx, poll) != nil {
			return Token{}, err
		}
	}
}

// stored returns the stored token. None is a zero one for brokers that can make
// the first, and Reauthorize for others.
func (b *Broker) stored(ctx context.Context, connection string) (Token, error) {
	t, err := b.Store.Get(ctx, connection)
	switch {
	case !fault.Is(err, fault.NotFound):
		return t, err
	case b.First:
		return Token{}, nil
	}
	return Token{}, fault.Wrap(err, fault.Reauthorize, "The connection is not authorized. Authorize it.")
}

// fresh reports whether a token needs no refresh yet.
func (b *Broker) fresh(t Token) bool {
	before := renewBefore
	if !t.Issued.IsZero() {
		before = min(before, t.Expires.Sub(t.Issued)/4)
	}
	return t.Access != "" && t.Expires.Sub(b.now()) > before
}

func (b *Broker) usable(t Token) bool {
	return t.Access != "" && t.Expires.Sub(b.now()) > usableFor
}

func (b *Broker) now() time.Time {
	if b.Now == nil {
		return time.Now()
	}
	return b.Now()
}

func (b *Broker) sleep(ctx context.Context, d time.Duration) error {
	if b.Sleep != nil {
		return b.Sleep(ctx, d)
	}
	return clock.Sleep(ctx, d)
}

func (b *Broker) newID() string {
	if b.NewID == nil {
		return rand.Text()
	}
	return b.NewID()
}
