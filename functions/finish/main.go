// Command finish is the Lambda function of the step finish.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("finish", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app)
	if err != nil {
		return nil, err
	}
	return c.Tasks(app.Log)[app.Name], nil
}
