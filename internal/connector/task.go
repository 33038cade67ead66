package connector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/step/sweep"
)

// Tasks returns the handlers of the functions that state machines and the clock
// start, by function. AWS and one machine run the same.
func (c *Connector) Tasks(log *slog.Logger) map[string]serve.Handler {
	return map[string]serve.Handler{
		"plan":      c.urgent(serve.Task(log, c.Plan.Round, "execution", "round")),
		"extract":   c.urgent(serve.Task(log, c.Extract.Slice, "run")),
		"transform": c.urgent(serve.Task(log, c.Transform.Part, "run", "part", "pass")),
		"upsert":    c.urgent(serve.Task(log, c.Upsert.Part, "run", "part", "pass")),
		"finish":    serve.Task(log, c.Finish.Close, "scope"),
		"notify":    serve.Task(log, c.Notify.Round, "execution", "round"),
		"sweep": serve.Task(log, func(ctx context.Context, _ json.RawMessage) (sweep.Output, error) {
			out, err := c.Sweep.All(ctx) // whatever the event says, all open rounds are looked at
			return out, errors.Join(err, c.Tidy(ctx))
		}),
	}
}
