package connector

import (
	"hubspotconnector/internal/serve"
)

// Deployed builds the connector of a function from its environment. Every
// problem of the environment is in one error.
func Deployed(app *serve.App) (*Connector, error) {
	s := ReadSettings(app.Env)
	stores, err := app.Stores()
	if err != nil {
		return nil, err
	}
	return New(s, Ports{Table: stores.Table, Bucket: stores.Bucket, Sealer: stores.Sealer}), nil
}
