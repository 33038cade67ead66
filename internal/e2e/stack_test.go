package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/blob/s3blob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/schedule/ebscheduler"
	"hubspotconnector/internal/secret/kmssealer"
	"hubspotconnector/internal/table/dynamotable"
)

// The deployed app, account and organisation.
const (
	name         = "e2e"
	portalID     = 90210
	appID        = 4711
	clientID     = "c0ffee00-0000-4000-8000-000000000001"
	clientSecret = "e2e-client-secret"
	accessKey    = "e2e-access-key"
)

// patience is how long an execution may take on a busy machine.
const patience = 5 * time.Minute

// stack is the deployed connector with both vendors.
type stack struct {
	t       *testing.T
	engine  awstest.Engine
	cfg     aws.Config
	machine *sfn.Client
	outputs map[string]string
	source  *hubspotsim.Sim
	portal  *hubspotsim.Portal
	target  *gainsightsim.Sim
	issuer  *issuer
	// admin is a connector over the deployed stores, for what an admin does.
	admin *connector.Connector
	tools env
}

// env is how the tools of AWS reach the engine.
type env []string

func (e env) run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir, cmd.Env = awstest.Root(t), append(os.Environ(), e...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(tool), args[0], err, out)
	}
	return string(out)
}

// deploy builds the functions and deploys the template, as make deploy does.
func deploy(t *testing.T) *stack {
	t.Helper()
	sam := awstest.Tool(t, "sam/bin/sam")
	s := &stack{t: t, engine: awstest.Start(t), issuer: newIssuer(t)}
	s.cfg = awstest.Config(t, s.engine)
	s.machine = sfn.NewFromConfig(s.cfg)
	s.vendors()
	s.tools = env{
		"AWS_ENDPOINT_URL=" + s.engine.Endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=" + awstest.Region,
		"GOARCH=" + runtime.GOARCH, "SAM_CLI_TELEMETRY=0", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	build := t.TempDir()
	s.tools.run(t, sam, "build", "--build-dir", build)
	hubSpot, gainsight := listen(t, s.source), listen(t, s.target)
	s.tools.run(t, sam, "deploy", "--template-file", filepath.Join(build, "template.yaml"), "--stack-name", name, "--resolve-s3",
		"--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "--no-confirm-changeset", "--no-progressbar", "--region", awstest.Region,
		"--parameter-overrides", "Engine=local", "DeletionProtection=no", "LogLevel=debug",
		"HubSpotClientId="+clientID, "HubSpotClientSecret="+clientSecret, "HubSpotApiUrl="+hubSpot, "HubSpotAppUrl="+hubSpot,
		"GainsightUrl="+gainsight, "GainsightAccessKey="+accessKey, "GainsightLimit=1000/10s",
		"OidcIssuer="+s.issuer.url, "OidcClientId="+client, fmt.Sprint("HubSpotAppId=", appID), "WebhookWindow=5s",
		"MailFrom=connector@example.com", "MailTo=ops@example.com", "AlarmEmail=ops@example.com")
	s.readOutputs(sam)
	s.source.AddApp(clientID, clientSecret, []string{s.outputs["RedirectUrl"]})
	s.connect(hubSpot)
	return s
}

func (s *stack) vendors() {
	// HubSpot's clock is behind ours, so that an edit is old enough for the window of a run at once.
	now := func() time.Time { return time.Now().Add(-time.Minute) }
	s.source = hubspotsim.New(hubspotsim.Options{Now: now, Seed: 1, AutoApprove: true, AssociationTouches: true})
	s.portal = s.source.AddPortal(portalID, "customer.example")
	hubspotsim.Seed(s.portal, hubspotsim.DemoOptions{Owners: 10, Companies: 240, Contacts: 160})
	s.target = gainsightsim.New(gainsightsim.Options{
		Seed: 1, AccessKey: accessKey, Limits: gainsightsim.Limits{CallsPerMinute: 6000, CallsPerDay: 50_000, UsersPerHour: 1000, UsersPerDay: 1000},
	})
	s.target.Prepare(portalID)
}

func listen(t *testing.T, h http.Handler) (origin string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *stack) readOutputs(sam string) {
	s.t.Helper()
	var outputs []struct {
		Key   string `json:"OutputKey"`
		Value string `json:"OutputValue"`
	}
	text := s.tools.run(s.t, sam, "list", "stack-outputs", "--stack-name", name, "--region", awstest.Region, "--output", "json")
	if i := strings.Index(text, "["); i >= 0 {
		text = text[i:]
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&outputs); err != nil {
		s.t.Fatalf("read outputs: %v in %s", err, text)
	}
	s.outputs = map[string]string{}
	for _, o := range outputs {
		s.outputs[o.Key] = o.Value
	}
}

// connect opens the deployed stores.
func (s *stack) connect(hubSpot string) {
	s.t.Helper()
	s.admin = connector.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: clientID, ClientSecret: clientSecret, APIURL: hubSpot, AppURL: hubSpot, Version: "2026-09", RedirectURL: s.outputs["RedirectUrl"],
		},
	}, connector.Ports{
		Table:  dynamotable.New(dynamodb.NewFromConfig(s.cfg), s.outputs["TableName"], dynamotable.Options{}),
		Bucket: s3blob.New(s3.NewFromConfig(s.cfg, func(o *s3.Options) { o.UsePathStyle = true }), s.outputs["BucketName"], s3blob.Options{}),
		Sealer: kmssealer.New(kms.NewFromConfig(s.cfg), s.sealKey()),
		Scheduler: ebscheduler.New(scheduler.NewFromConfig(s.cfg), ebscheduler.Options{
			Group: name, Machine: s.outputs["ChainMachineArn"], Role: "arn:aws:iam::000000000000:role/" + name + "-schedule",
		}),
		NewID: func() string { return ulid.Make().String() },
	})
}

// sealKey finds the key that seals secrets, by its description.
func (s *stack) sealKey() string {
	s.t.Helper()
	client := kms.NewFromConfig(s.cfg)
	keys, err := client.ListKeys(s.t.Context(), &kms.ListKeysInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys.Keys {
		d, err := client.DescribeKey(s.t.Context(), &kms.DescribeKeyInput{KeyId: key.KeyId})
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.Contains(aws.ToString(d.KeyMetadata.Description), "seals") {
			return aws.ToString(d.KeyMetadata.Arn)
		}
	}
	s.t.Fatal("no key seals secrets")
	return ""
}

// browser gets pages. Names below localhost lead to the engine.
func (s *stack) browser() *http.Client {
	engine := strings.TrimPrefix(s.engine.Endpoint, "http://")
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.Contains(address, "localhost") {
			address = engine
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: time.Minute}
}

// start starts an execution of the deployed chain machine.
func (s *stack) start(execution, input string) {
	s.t.Helper()
	_, err := s.machine.StartExecution(s.t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(s.outputs["ChainMachineArn"]), Name: aws.String(execution), Input: aws.String(input),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// wait waits until an execution has ended, and returns it.
func (s *stack) wait(execution string) *sfn.DescribeExecutionOutput {
	s.t.Helper()
	arn := strings.Replace(s.outputs["ChainMachineArn"], ":stateMachine:", ":execution:", 1) + ":" + execution
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		out, err := s.machine.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err != nil {
			s.t.Fatalf("execution %s: %v", execution, err)
		}
		if out.Status != types.ExecutionStatusRunning {
			return out
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			s.t.Fatalf("execution %s has not ended within %s\n%s", execution, patience, tail(s.engine.Log()))
		}
	}
}

func tail(log string) string {
	return log[max(0, len(log)-8000):]
}
