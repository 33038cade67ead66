package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// send sends a request and returns the status and the body of the answer.
func (s *stack) send(c *http.Client, method, address string, body []byte, headers map[string]string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// console signs an admin in and reads a page, then the API with a token.
func (s *stack) console() {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var way []string
	person, site := s.browser(), s.outputs["ConsoleUrl"]
	person.Jar = jar
	person.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		way = append(way, r.URL.Path)
		return nil
	}
	status, page := s.send(person, http.MethodGet, site+"/jobs", nil, nil)
	if got := strings.Join(way, " "); status != http.StatusOK || !strings.Contains(page, userJob) || got != "/signin /authorize /signin/callback /jobs" {
		s.t.Errorf("the way to the jobs is %s and ends with %d: %s\n%s", got, status, page, tail(s.engine.Log()))
	}

	program, token := s.browser(), map[string]string{"Authorization": "Bearer " + s.issuer.tokenOf("")}
	for path, want := range map[string]string{"/openapi.json": `"openapi":"3.1.0"`, "/jobs": userJob, "/me": `"role":"admin"`} {
		if status, body := s.send(program, http.MethodGet, site+"/api/v1"+path, nil, token); status != http.StatusOK || !strings.Contains(body, want) {
			s.t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	if status, body := s.send(program, http.MethodGet, site+"/api/v1/jobs", nil, nil); status != http.StatusUnauthorized {
		s.t.Errorf("somebody unknown reads the jobs: %d %s", status, body)
	}
}

// told counts the requests that are accepted.
type told struct {
	http.RoundTripper
	accepted atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (t *told) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusOK {
		t.accepted.Add(1)
	}
	return resp, err //nolint:wrapcheck // passed on
}

// webhooks lets HubSpot tell of an edit, and waits for the runs that it starts.
func (s *stack) webhooks() {
	s.t.Helper()
	address, now := s.outputs["WebhookUrl"], time.Now().UnixMilli()
	forged := map[string]string{
		"Content-Type": "application/json", "X-HubSpot-Request-Timestamp": strconv.FormatInt(now, 10),
		"X-HubSpot-Signature-v3": hubspotsim.SignatureV3("another secret", http.MethodPost, address, []byte("[]"), now),
	}
	if status, _ := s.send(s.browser(), http.MethodPost, address, []byte("[]"), forged); status != http.StatusUnauthorized {
		s.t.Errorf("a forged webhook is answered with %d, want 401", status)
	}

	way := &told{RoundTripper: s.browser().Transport}
	stop := s.source.StartWebhooks(s.t.Context(), hubspotsim.Webhooks{
		URL: address, Secret: clientSecret, AppID: appID, Client: &http.Client{Transport: way}, Gather: time.Second,
	})
	defer stop()
	s.edit()
	for deadline := time.Now().Add(patience); !s.marked() || way.accepted.Load() == 0; {
		if time.Now().After(deadline) {
			s.t.Fatalf("HubSpot has told of an edit, %d requests were accepted, and no run has ended\n%s", way.accepted.Load(), tail(s.engine.Log()))
		}
		time.Sleep(time.Second) // a foreign process is polled
	}
}

// marked reports whether the edit has arrived: the runs of webhooks have ended,
// and there are some.
func (s *stack) marked() bool {
	s.t.Helper()
	list, err := s.machine.ListExecutions(s.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.outputs["ChainMachineArn"])})
	if err != nil {
		s.t.Fatal(err)
	}
	ended := 0
	for _, e := range list.Executions {
		if !strings.HasPrefix(aws.ToString(e.Name), "marked-") {
			continue
		}
		switch e.Status { //nolint:exhaustive // the others are failures
		case types.ExecutionStatusRunning:
			return false
		case types.ExecutionStatusSucceeded:
			ended++
		default:
			s.t.Fatalf("execution %s: %s\n%s", aws.ToString(e.Name), e.Status, tail(s.engine.Log()))
		}
	}
	return ended > 0
}
