// Package gauge measures how a deployment stands, for alarms: what is open for
// too long, which chain has not come to its end for too long, whether people must
// authorize again, and how much of the quotas is left.
package gauge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
)

// Gauge measures. All fields are required.
type Gauge struct {
	Runs        *run.Store
	Schedules   *schedule.Store
	Connections *connection.Store
	// Budgets :: vendor → budget's name at its client → budget
	Budgets map[string]map[string]*budget.Budget
	Metrics metric.Sink
	Now     func() time.Time
}

// Measure gives the sink one value of each gauge. What cannot be measured is in
// the error, and does not keep the rest from it.
func (g *Gauge) Measure(ctx context.Context) error {
	return errors.Join(g.rounds(ctx), g.chains(ctx), g.connections(ctx), g.quotas(ctx))
}

func (g *Gauge) rounds(ctx context.Context) error {
	rounds, err := g.Runs.OpenRounds(ctx)
	oldest := time.Duration(0)
	for _, r := range rounds {
		oldest = max(oldest, g.Now().Sub(r.Started))
	}
	g.Metrics.Emit(ctx, metric.RunAge, "", oldest.Seconds())
	if err != nil {
		return fmt.Errorf("measure open rounds: %w", err)
	}
	return nil
}

// chains measures those that have an active schedule: others may rest.
func (g *Gauge) chains(ctx context.Context) error {
	entries, err := g.Schedules.List(ctx)
	if err != nil {
		return fmt.Errorf("measure chains: %w", err)
	}
	for _, e := range entries {
		if e.Owner.What != schedule.Chain || !e.Schedule.Enabled {
			continue
		}
		at, err := g.Runs.ChainSuccess(ctx, e.Owner.ID, g.Now())
		if err != nil {
			return fmt.Errorf("measure chain %s: %w", e.Owner.ID, err)
		}
		g.Metrics.Emit(ctx, metric.SuccessAge, e.Owner.ID, g.Now().Sub(at).Seconds())
	}
	return nil
}

func (g *Gauge) connections(ctx context.Context) error {
	all, err := g.Connections.List(ctx)
	if err != nil {
		return fmt.Errorf("measure connections: %w", err)
	}
	n := 0
	for _, c := range all {
		if c.Status == connection.NeedsReauthorization {
			n++
		}
	}
	g.Metrics.Emit(ctx, metric.ReauthorizationNeeded, "", float64(n))
	return nil
}

// countsFrom is from which window on a quota's use is measured: shorter windows
// are meant to be used up.
const countsFrom = time.Hour

func (g *Gauge) quotas(ctx context.Context) error {
	var errs []error
	for _, budgets := range g.Budgets {
		for _, b := range budgets {
			used, err := b.Usage(ctx)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			longest := budget.Used{}
			for _, u := range used {
				if u.Per > longest.Per {
					longest = u
				}
			}
			if longest.Per >= countsFrom {
				g.Metrics.Emit(ctx, metric.QuotaUse, b.Name, 100*float64(longest.Calls)/float64(longest.Window.Calls))
			}
		}
	}
	return errors.Join(errs...)
}
