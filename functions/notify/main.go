// Command notify is the Lambda function of the step notify.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("notify", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app, deployed.Mail)
	if err != nil {
		return nil, err
	}
	return c.Tasks(app.Log)[app.Name], nil
}
