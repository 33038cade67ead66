// Command oauthcallback is the Lambda function that HubSpot leads an admin back
// to after the authorization.
package main

import (
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("oauthcallback", build) }

func build(app *serve.App) (serve.Handler, error) {
	c, err := deployed.Connector(app, deployed.Machines, deployed.Schedules)
	if err != nil {
		return nil, err
	}
	return serve.HTTP(app.Log, c.Flow), nil
}
