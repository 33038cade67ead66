// Command webhook is the Lambda function that HubSpot calls when records change.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("webhook", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app, deployed.Machines)
	if err != nil {
		return nil, err
	}
	return serve.HTTP(app.Log, c.Webhook), nil
}
