package main

import (
	"context"
	gosync "sync"
	"time"
)

// clock is the time of the demo: it starts at the real time and as fast, until it
// is told to run faster.
type clock struct {
	mu     gosync.Mutex
	at     time.Time // what it showed…
	since  time.Time // …at this real time
	factor float64
}

func newClock() *clock {
	now := time.Now()
	return &clock{at: now, since: now, factor: 1}
}

// Now is the clock's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *clock) now() time.Time {
	return c.at.Add(time.Duration(float64(time.Since(c.since)) * c.factor)).Round(0)
}

// run makes the clock run factor times as fast as real time from now on.
func (c *clock) run(factor float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since = c.now(), time.Now()
	c.factor = factor
}

func (c *clock) speed() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.factor
}

// Sleep waits for d of the clock's time, or until ctx ends.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(time.Duration(float64(d) / c.speed()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
