package awstest_test

import (
	"net/http"
	"testing"

	"hubspotconnector/internal/awstest"
)

func TestTheEngineAnswersAndEndsWithItsTest(t *testing.T) {
	var e awstest.Engine
	t.Run("while it runs", func(t *testing.T) {
		e = awstest.Start(t)
		resp, err := new(http.Client).Get(e.Endpoint + "/_localstack/health")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
	if e.Endpoint == "" {
		t.Skip("no engine")
	}
	if resp, err := new(http.Client).Get(e.Endpoint + "/_localstack/health"); err == nil {
		_ = resp.Body.Close()
		t.Error("the engine outlives its test")
	}
}
