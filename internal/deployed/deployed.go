// Package deployed builds the connector of a Lambda function: it reads the
// function's environment and opens what it names on AWS. Nothing is called
// before it is used.
package deployed

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/awshttp"
	"hubspotconnector/internal/blob/s3blob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/machine/sfnmachine"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/sesmail"
	"hubspotconnector/internal/schedule/ebscheduler"
	"hubspotconnector/internal/secret/kmssealer"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/table/dynamotable"
)

// Part opens what only some functions use, so that the linker leaves the clients
// that it takes out of all others.
type Part func(aws.Config, connector.Deployment, *connector.Ports) error

// Connector builds the connector of the function, with these parts. Every problem
// of the environment is in one error.
func Connector(app *serve.App, parts ...Part) (*connector.Connector, error) {
	d, ports, err := Ports(app, parts...)
	if err != nil {
		return nil, err
	}
	return connector.New(d.Settings, ports), nil
}

// Ports returns what the connector of the function is built from.
func Ports(app *serve.App, parts ...Part) (connector.Deployment, connector.Ports, error) {
	d := connector.ReadDeployment(app.Env, app.Name)
	account := account(app.Env)
	if err := app.Env.Err(); err != nil {
		return d, connector.Ports{}, err
	}
	p := open(account, d)
	p.Metrics, p.Log = app.Metrics, app.Log
	for _, add := range parts {
		if err := add(account, d, &p); err != nil {
			return d, p, err
		}
	}
	if d.ChainMachine != "" && p.Machines == nil || d.ScheduleGroup != "" && p.Scheduler == nil || d.MailFrom != "" && p.Sender == mail.Sender(nobody{}) {
		panic(app.Name + " is built without a part that its environment names")
	}
	return d, p, nil
}

// open returns the ports of what every deployment has.
func open(account aws.Config, d connector.Deployment) connector.Ports {
	files := s3.NewFromConfig(account, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	p := connector.Ports{
		Table:  dynamotable.New(dynamodb.NewFromConfig(account), d.Table, dynamotable.Options{}),
		Bucket: s3blob.New(files, d.Bucket, s3blob.Options{}),
		Sealer: kmssealer.New(kms.NewFromConfig(account), d.Key),
		Sender: nobody{},
		NewID:  func() string { return ulid.Make().String() },
	}
	if d.Secret != "" {
		p.Secret = (&Secrets{Read: secretsmanager.NewFromConfig(account).GetSecretValue, ID: d.Secret}).Get
	}
	return p
}

// Machines starts and stops executions.
func Machines(account aws.Config, d connector.Deployment, p *connector.Ports) (err error) {
	p.Machines, err = sfnmachine.New(sfn.NewFromConfig(account), d.ChainMachine)
	return err
}

// Schedules keeps schedules.
func Schedules(account aws.Config, d connector.Deployment, p *connector.Ports) error {
	p.Scheduler = ebscheduler.New(scheduler.NewFromConfig(account), ebscheduler.Options{
		Group: d.ScheduleGroup, Machine: d.ChainMachine, Role: d.ScheduleRole, DeadLetters: d.ScheduleDLQ,
	})
	return nil
}

// Mail sends messages, if there is an address to send from.
func Mail(account aws.Config, d connector.Deployment, p *connector.Ports) error {
	if d.MailFrom != "" {
		p.Sender = sesmail.New(sesv2.NewFromConfig(account), sesmail.Options{From: d.MailFrom, To: d.MailTo})
	}
	return nil
}

// account is the configuration that Lambda gives in the environment. The SDK's own
// reader knows other places that may hold credentials, each with a client: it would
// be a tenth of the function.
func account(env *serve.Env) aws.Config {
	found := aws.Config{
		Region: env.String("AWS_REGION"), DefaultsMode: aws.DefaultsModeInRegion, HTTPClient: sender(),
		Credentials: credentials.NewStaticCredentialsProvider(
			env.Optional("AWS_ACCESS_KEY_ID", ""), env.Optional("AWS_SECRET_ACCESS_KEY", ""), env.Optional("AWS_SESSION_TOKEN", "")),
	}
	if endpoint := env.Optional("AWS_ENDPOINT_URL", ""); endpoint != "" {
		found.BaseEndpoint = &endpoint
	}
	if tries := env.Optional("AWS_MAX_ATTEMPTS", ""); tries != "" {
		n, err := strconv.Atoi(tries)
		if err != nil || n < 1 {
			env.Wrong("AWS_MAX_ATTEMPTS", "a number from 1 on")
		}
		found.RetryMaxAttempts = n
	}
	return found
}

// connectTime is how long a connection within a region may take to open, twice:
// for itself and for its encryption (the SDK's defaults mode in-region, November
// 2026).
const connectTime = 1100 * time.Millisecond

// sender sends the calls of all clients over the same connections.
func sender() *http.Client {
	base := sdk.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTime }).
		WithTransportOptions(func(t *http.Transport) { t.TLSHandshakeTimeout = connectTime })
	return &http.Client{Transport: awshttp.Transport{Base: base.GetTransport()}}
}

// nobody is told anything: there is no sender.
type nobody struct{}

// Send implements mail.Sender.
func (nobody) Send(context.Context, string, mail.Message) error { return nil }
