package connector

import (
	"context"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/step/sweep"
)

// rows is how many rows a write of an object takes: the People API takes one
// person (Gainsight's APIs, November 2026).
func rows(object string) int {
	if object == "company_person" {
		return 1
	}
	return 50
}

// lanes lets the steps do in slices what is too much for one run.
func (c *Connector) lanes(p Ports) {
	calls := c.Budgets[Gainsight][gainsight.BudgetCalls]
	c.Plan.Capacity = func(object string, d time.Duration) int { return calls.Room(d) * rows(object) }
	c.Extract.Count = c.HubSpot.Count
	backlogs := &sweep.Backlogs{Runs: c.Runs, Machines: p.Machines, Now: p.Now, Usable: c.usable}
	c.Sweep.GoOn = backlogs.All
}

// usable reports whether runs of a job may start.
func (c *Connector) usable(ctx context.Context, id string) (bool, error) {
	j, err := c.Jobs.Get(ctx, id)
	if err != nil {
		return false, err
	}
	err = c.Connections.Usable(ctx, j.Connection)
	if fault.Is(err, fault.Reauthorize) || fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
