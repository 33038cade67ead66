// Command console is the Lambda function that people and programs reach: the
// console, and the API.
package main

import (
	"context"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/deployed"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/site"
)

func main() { serve.Run("console", build) }

func build(app *serve.App) (serve.Handler, error) {
	d, ports, err := deployed.Ports(app, deployed.Machines, deployed.Schedules)
	if err != nil {
		return nil, err
	}
	stored := func(name string) func(context.Context) (secret.Text, error) {
		return func(ctx context.Context) (secret.Text, error) { return ports.Secret(ctx, name, false) }
	}
	door := signin.NewOIDC(signin.OIDC{
		Config: signin.Config{PublicURL: d.Settings.PublicURL, SessionKey: stored(connector.SecretSession), Explain: console.Explain},
		Issuer: d.SignIn.Issuer, ClientID: d.SignIn.ClientID, RoleClaim: d.SignIn.RoleClaim,
		ClientSecret: stored(connector.SecretOIDCClient),
	})
	return serve.HTTP(app.Log, site.New(site.Options{
		Admin: &admin.Service{Connector: connector.New(d.Settings, ports), Machines: ports.Machines, NewID: ports.NewID},
		Door:  door, Log: app.Log, PublicURL: d.Settings.PublicURL,
	})), nil
}
