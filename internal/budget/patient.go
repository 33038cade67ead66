package budget

import (
	"context"
	"time"
)

// backlogShare is the share of each window that calls without hurry leave to the
// others. Of a fixed window of hours it shrinks while the window passes, so that in
// the end nothing of it is left over.
const backlogShare = 0.25

// shares is into how many steps a long fixed window is divided for that.
const shares = 96

// long is from when on a fixed window is divided.
const long = 6 * time.Hour

type patientKey struct{}

// Patient returns a context whose calls leave a share to those of others: nobody
// waits for their answer.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patientKey{}, true) }

func isPatient(ctx context.Context) bool { return ctx.Value(patientKey{}) != nil }

// left is how many of a window's calls are left to more urgent ones, and when that
// number shrinks next.
func (b *Budget) left(w Window, calls int, now time.Time, urgent, patient bool) (left int, until time.Time) {
	if urgent {
		return 0, time.Time{}
	}
	left = int(float64(calls) * b.reserve)
	if !patient {
		return left, time.Time{}
	}
	share := float64(calls) * backlogShare
	if w.Fixed && w.Per >= long {
		step := w.Per / shares
		begin := w.end(w.slot(now)).Add(-w.Per)
		n := int(now.Sub(begin)/step) + 1
		share = share * float64(shares-n) / shares
		until = begin.Add(time.Duration(n) * step)
	}
	return max(left, int(share)), until
}

// Room is how many calls without hurry there are in a time, if nobody else makes
// any.
func (b *Budget) Room(d time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := 0
	for i, w := range b.Windows {
		calls, hold := b.plan(w)
		if !w.Fixed || w.Per < long {
			calls -= max(int(float64(calls)*backlogShare), int(float64(calls)*b.reserve))
		}
		n := max(1, int(float64(max(1, calls))*max(1, float64(d)/float64(hold))))
		if i == 0 || n < room {
			room = n
		}
	}
	return room
}
