// Command plan is the Lambda function of the step plan.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("plan", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, c.Plan.Round), nil
}
