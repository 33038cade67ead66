// Command forward is a Lambda function that lets a test answer: it sends its
// payload to TARGET/name and returns what comes back, errors under their names.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

func main() { lambda.Start(forward) }

func forward(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
	url := os.Getenv("TARGET") + "/" + os.Getenv("AWS_LAMBDA_FUNCTION_NAME")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	var failure struct{ Type, Message string }
	if err := json.Unmarshal(body, &failure); err != nil {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	return nil, messages.InvokeResponse_Error{Type: failure.Type, Message: failure.Message}
}
