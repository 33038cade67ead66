// Command sweep is the Lambda function that heals what dead executions left
// behind. It is started every hour and by failed executions.
package main

import (
	"context"
	"encoding/json"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/step/sweep"
)

func main() { serve.Run("sweep", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, func(ctx context.Context, _ json.RawMessage) (sweep.Output, error) {
		return c.Sweep.All(ctx) // whatever the event says, all open rounds are looked at
	}), nil
}
