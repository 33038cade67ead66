// Command plan is the Lambda function of the step plan.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("plan", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app)
	if err != nil {
		return nil, err
	}
	return c.Tasks(app.Log)[app.Name], nil
}
