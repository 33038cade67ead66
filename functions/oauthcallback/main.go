// Command oauthcallback is the Lambda function that HubSpot leads an admin back
// to after the authorization.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("oauthcallback", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.HTTP(c.Flow), nil
}
