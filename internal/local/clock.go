package main

import (
	"context"
	"time"
)

// clock is the time of the demo: it starts at the real time and runs speed times
// as fast.
type clock struct {
	start time.Time
	speed float64
}

func newClock(speed float64) *clock { return &clock{start: time.Now(), speed: speed} }

// Now is the clock's time.
func (c *clock) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.start)) * c.speed)).Round(0)
}

// Sleep waits for d of the clock's time, or until ctx ends.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(time.Duration(float64(d) / c.speed))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
