// Package deployed builds the connector of a Lambda function: it reads the
// function's environment and opens what it names on AWS. Nothing is called
// before it is used.
package deployed

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/serve"
)

// Connector builds the connector of the function. Every problem of the
// environment is in one error.
func Connector(app *serve.App) (*connector.Connector, error) {
	connector.ReadDeployment(app.Env, app.Name)
	if err := app.Env.Err(); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Invalid, "This version has no storage on AWS yet; it runs on one machine: make run, or go run ./internal/local sync.")
}
