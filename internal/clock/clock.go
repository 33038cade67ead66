// Package clock waits, where no other clock is given.
package clock

import (
	"context"
	"time"
)

// Sleep waits for a time, or until the context ends, whose error it returns. A d
// of zero or less does not wait.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
