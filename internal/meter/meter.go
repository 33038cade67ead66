// Package meter counts the calls that a piece of work sends to each vendor. The
// count travels with the context, as a trace does.
package meter

import (
	"context"
	"maps"
	"sync"
)

type key struct{}

// Meter counts calls. It may be used at once by many.
type Meter struct {
	mu    sync.Mutex
	calls map[string]int // :: vendor → calls sent
}

// With returns a context whose calls are counted by a new meter. Calls are not
// passed on to a meter that ctx has already.
func With(ctx context.Context) (context.Context, *Meter) {
	m := &Meter{calls: map[string]int{}}
	return context.WithValue(ctx, key{}, m), m
}

// Count notes one call. Without a meter in ctx it does nothing.
func Count(ctx context.Context, vendor string) {
	m, ok := ctx.Value(key{}).(*Meter)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[vendor]++
}

// Calls returns the calls so far by vendor.
func (m *Meter) Calls() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.calls)
}
