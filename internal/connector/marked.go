package connector

import (
	"context"
	"encoding/json"
	"fmt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/webhook"
)

// serveMarks starts a run for marks that wait: their own start may have been lost,
// or their run failed. One that runs already finds them too, and then this one
// has nothing to do.
func (c *Connector) serveMarks(ctx context.Context, p Ports) error {
	pending, err := c.Plan.Pending(ctx)
	if !pending || err != nil {
		return err
	}
	input, err := json.Marshal(run.Input{Mode: run.ModeMarked, Cause: webhook.Cause})
	if err != nil {
		return fmt.Errorf("encode input: %w", err)
	}
	err = p.Machines.Start(ctx, "marked-swept-"+p.Now().UTC().Format("20060102T1504"), input)
	if fault.Is(err, fault.Conflict) { // by another sweep of this minute
		return nil
	}
	return err
}
