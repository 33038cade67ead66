// Command extract is the Lambda function of the step extract.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("extract", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app)
	if err != nil {
		return nil, err
	}
	return c.Tasks(app.Log)[app.Name], nil
}
