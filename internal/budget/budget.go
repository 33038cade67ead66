// Package budget shares call quotas among processes, on a table: never more
// calls than a quota allows in any of its windows, and nearly all of them when
// there is work.
//
// A budget is one item, changed by compare-and-swap: for each window how many
// calls were taken when. Calls are taken by the lease. They are noted for the
// end of the lease, when they are used at the latest; the next change by the same
// process notes when they were really used, and gives back the others.
package budget

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

const (
	defaultMargin = 0.04
	// leaseTime is how long leased calls may be used, at most a tenth of the
	// shortest window.
	leaseTime = time.Second
	// guard is the end of a fixed window in which no call is given, since it would
	// arrive in the next one; at most a twentieth of the window.
	guard = 500 * time.Millisecond
)

// Window is a quota of Calls per Per, both > 0.
type Window struct {
	Calls int
	Per   time.Duration
	// Fixed windows start at multiples of Per since the epoch; others roll.
	Fixed bool
}

// Budget is the quota of one account, shared by all who use its Name on the same
// table with the same windows. It is safe for concurrent use and must not be
// copied. A call must satisfy all windows.
type Budget struct {
	Table   table.Table
	Name    string
	Windows []Window // at least one
	// Margin is the share of each window that is not planned, 0 ≤ Margin < 1;
	// 0 means 0.04. In a fixed window it is calls; a rolling one is taken as longer
	// by it instead, which bears with calls that take different times to arrive.
	Margin float64
	// Current returns the windows as they are set now and the share of each, 0 to
	// less than 1, that is left to urgent calls; nil = Windows, and no share. It is
	// asked once a minute; its errors leave things as they are. The windows may have
	// other numbers of calls than Windows, and other times.
	Current func(ctx context.Context) ([]Window, float64, error)
	// Lease is the most calls taken from the table at a time; 0 means 1. It is one at
	// first, and twice as many whenever all were used within a second, or a tenth of the
	// shortest window. Those that were not are given back.
	Lease int
	// Vendor names whose quota it is in messages; "" means Name.
	Vendor string
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu      sync.Mutex
	asked   time.Time // when Current was asked last
	reserve float64   // the share that is left to urgent calls
	known   *known    // what was read or written last; nil = nothing
	lease   *lease    // the calls taken last and not settled; nil = none
}

// known is the item as it was seen last.
type known struct {
	version int64 // 0 = there is none
	state   state
}

// lease is calls taken from the table.
type lease struct {
	noted time.Time // as when the table counts them
	until time.Time // when they may be used last
	calls int
	used  []time.Time
}

func (l *lease) live(now time.Time) bool { return !now.After(l.until) }

// Take returns nil if one call may be sent now, else a Throttled error that says
// when it makes sense to ask again. Other errors are those of the table; then no
// call may be sent.
func (b *Budget) Take(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh(ctx)
	if l := b.lease; l != nil && len(l.used) < l.calls && l.live(b.now()) {
		l.used = append(l.used, b.now())
		return nil
	}
	// A table that answers slowly may give a lease that is over. After some of
	// those the last one is taken, and its calls are noted for when they were used.
	const slow = 5
	for try := 1; ; try++ {
		l, err := b.acquire(ctx)
		if err != nil {
			return err
		}
		b.lease = l
		if now := b.now(); l.live(now) || try == slow {
			l.used = append(l.used, now)
			return nil
		}
	}
}

// acquire takes the next lease from the table.
func (b *Budget) acquire(ctx context.Context) (*lease, error) {
	var (
		l     *lease
		fresh = b.known == nil
		size  = 1
	)
	if last := b.lease; last != nil && len(last.used) == last.calls && last.live(b.now()) {
		size = max(1, min(2*last.calls, b.Lease))
	}
	for {
		err := b.change(ctx, func(s *state, now time.Time) error {
			at, free := b.free(s, now, isUrgent(ctx), isPatient(ctx))
			if free <= 0 {
				return b.throttled(at, now)
			}
			end := b.leaseEnd(now)
			l = &lease{noted: end, until: end, calls: min(free, size)}
			for _, w := range b.Windows {
				s.take(w, l.noted, l.calls)
			}
			return nil
		})
		if fault.Is(err, fault.Throttled) && !fresh {
			fresh, b.known = true, nil // others may have given calls back since
			continue
		}
		return l, err
	}
}

// leaseEnd returns until when calls taken now may be used. It lies in the same
// fixed windows as now.
func (b *Budget) leaseEnd(now time.Time) time.Time {
	end := now.Add(leaseTime)
	for _, w := range b.Windows {
		if at := now.Add(w.Per / 10); at.Before(end) {
			end = at
		}
	}
	for _, w := range b.Windows {
		if at := w.close(now).Add(-1); w.Fixed && at.Before(end) {
			end = at
		}
	}
	return end
}

// throttled says that there is no call before at.
func (b *Budget) throttled(at, now time.Time) error {
	layout := "15:04:05"
	if at.Sub(now) >= 12*time.Hour {
		layout = "15:04 on 2 January"
	}
	vendor := b.Vendor
	if vendor == "" {
		vendor = b.Name
	}
	return fault.Until(at, "%s's call quota is spent until %s.", vendor, at.In(now.Location()).Format(layout))
}

// Lower makes room after the vendor refused a call for its quota: nobody gets a
// call before until (zero means the end of the shortest window if it is fixed, in
// one second if it rolls), and the planned calls of the shortest window sink by
// half. They recover by a tenth of the window's calls with each window that
// passes without another Lower. Refusals of one window sink them once.
func (b *Budget) Lower(ctx context.Context, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lease != nil {
		b.lease.until = time.Time{} // its other calls are not sent
	}
	shortest := b.shortest()
	return b.change(ctx, func(s *state, now time.Time) error {
		until := until
		if until.IsZero() {
			until = now.Add(time.Second)
			if shortest.Fixed {
				until = shortest.end(shortest.slot(now))
			}
		}
		s.lower(shortest, now, until)
		return nil
	})
}

// Limits returns the windows as they are set.
func (b *Budget) Limits() []Window {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.Windows)
}

// refresh takes over what is set now. The caller holds the lock.
func (b *Budget) refresh(ctx context.Context) {
	now := b.now()
	if b.Current == nil || !b.asked.IsZero() && now.Sub(b.asked) < time.Minute {
		return
	}
	b.asked = now
	if windows, reserve, err := b.Current(ctx); err == nil && len(windows) > 0 {
		b.Windows, b.reserve = windows, reserve
	}
}

type urgentKey struct{}

// Urgent returns a context whose calls may use the share that is left to them:
// somebody waits for their answer.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

func isUrgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }

// Used is how much of a window is used.
type Used struct {
	Window
	// Calls taken in the window that ends now, or for a fixed one in the current
	// one; Window.Calls is how many there are.
	Calls int
}

// Usage returns how many calls were taken by all, for each of the windows.
func (b *Budget) Usage(ctx context.Context) ([]Used, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh(ctx)
	b.known = nil
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	s, now := b.settled(), b.now()
	used := make([]Used, len(b.Windows))
	for i, w := range b.Windows {
		used[i] = Used{Window: w, Calls: s.used(w, w.Per, now)}
	}
	return used, nil
}

// free returns how many calls may be taken now, and if none, when.
func (b *Budget) free(s *state, now time.Time, urgent, patient bool) (at time.Time, free int) {
	at, free = now, math.MaxInt
	if until := time.UnixMilli(s.Until); until.After(now) {
		at, free = until, 0
	}
	shortest := b.shortest()
	for _, w := range b.Windows {
		calls, hold := b.plan(w)
		left, until := b.left(w, calls, now, urgent, patient)
		calls = max(1, calls-left)
		if w == shortest {
			calls = max(1, calls*s.share(w, now)/100)
		}
		next, n := s.free(w, calls, hold, now)
		if n == 0 && until.After(now) && until.Before(next) {
			next = until
		}
		free = min(free, n)
		if next.After(at) {
			at = next
		}
	}
	return at, free
}

// plan returns how many calls are planned in a window, and for how long a call
// counts.
func (b *Budget) plan(w Window) (calls int, hold time.Duration) {
	margin := b.Margin
	if margin == 0 {
		margin = defaultMargin
	}
	if w.Fixed {
		return max(1, int(float64(w.Calls)*(1-margin))), w.Per
	}
	return w.Calls, time.Duration(float64(w.Per) / (1 - margin))
}

func (b *Budget) shortest() Window {
	shortest := b.Windows[0]
	for _, w := range b.Windows {
		if w.Per < shortest.Per {
			shortest = w
		}
	}
	return shortest
}

func (b *Budget) now() time.Time {
	if b.Now == nil {
		return time.Now()
	}
	return b.Now()
}

func (b *Budget) key() table.Key {
	return table.Key{Partition: "BUDGET#" + b.Name, Sort: "calls"}
}

// expires is when nothing in the item counts any more.
func (b *Budget) expires(now time.Time) time.Time {
	longest := time.Duration(0)
	for _, w := range b.Windows {
		_, hold := b.plan(w)
		longest = max(longest, hold)
	}
	keep := max(2*longest, 12*b.shortest().Per)
	return now.Add(keep + leaseTime + time.Second).Truncate(time.Second)
}

func (b *Budget) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("share budget %s: %w", b.Name, err)
}
