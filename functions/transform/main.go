// Command transform is the Lambda function of the step transform.
package main

import (
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("transform", build) }

func build(app *serve.App) (any, error) {
	c, err := connector.Deployed(app)
	if err != nil {
		return nil, err
	}
	return serve.Task(app.Log, c.Transform.Part), nil
}
