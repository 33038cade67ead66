package connector

import (
	"context"
	"encoding/json"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/webhook"
)

// followLimits makes the budgets follow the limits that admins set.
func (c *Connector) followLimits() {
	follow := func(vendor, name string, choose func(setting.Limits) []budget.Window) {
		b := c.Budgets[vendor][name]
		deployed := b.Windows
		b.Current = func(ctx context.Context) ([]budget.Window, float64, error) {
			l, err := c.Settings.Limits(ctx)
			if err != nil {
				return nil, 0, err
			}
			windows := append([]budget.Window(nil), deployed...)
			for i, w := range choose(l) {
				if w.Calls > 0 {
					windows[i] = w
				}
			}
			reserve := 0.0
			if l.Reserve != nil {
				reserve = *l.Reserve
			}
			return windows, reserve, nil
		}
	}
	none := func(setting.Limits) []budget.Window { return nil }
	follow(HubSpot, hubspot.BudgetObjects, func(l setting.Limits) []budget.Window { return []budget.Window{l.HubSpot} })
	follow(HubSpot, hubspot.BudgetSearch, func(l setting.Limits) []budget.Window { return []budget.Window{l.HubSpotSearch} })
	follow(HubSpot, hubspot.BudgetAssociations, none)
	follow(Gainsight, gainsight.BudgetCalls, func(l setting.Limits) []budget.Window { return []budget.Window{l.Gainsight, l.GainsightDay} })
	follow(Gainsight, gainsight.BudgetUsers, none)
}

// urgent lets a task of a run that a webhook started use the share of the limits
// that is left to those for whom somebody waits, and one of a slice leave a share to the
// others.
func (c *Connector) urgent(task serve.Handler) serve.Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var in struct {
			Run   run.ID    `json:"run"`
			Input run.Input `json:"input"`
		}
		_ = json.Unmarshal(payload, &in) // the task itself says what is wrong with it
		cause, lane := in.Input.Cause, run.Changes
		if in.Run != "" {
			if r, err := c.Runs.Get(ctx, in.Run); err == nil {
				cause, lane = r.Cause, r.Lane
			}
		}
		switch {
		case lane == run.Slices:
			ctx = budget.Patient(ctx)
		case cause == webhook.Cause:
			ctx = budget.Urgent(ctx)
		}
		return task(ctx, payload)
	}
}
