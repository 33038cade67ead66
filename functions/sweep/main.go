// Command sweep is the Lambda function that heals what dead executions left
// behind. It is started every hour and by failed executions.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("sweep", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app, deployed.Machines, deployed.Schedules)
	if err != nil {
		return nil, err
	}
	return c.Tasks(app.Log)[app.Name], nil
}
