// Command upsert is the Lambda function of the step upsert.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("upsert", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, c.Upsert.Part), nil
}
