// Command finish is the Lambda function of the step finish.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("finish", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, c.Finish.Close), nil
}
