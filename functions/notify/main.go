// Command notify is the Lambda function of the step notify.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("notify", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, c.Notify.Round), nil
}
