// Package connector puts the connector together: stores, vendor clients and
// steps over the ports. Functions and local runs build it alike, so that what
// runs on a laptop is what runs on AWS.
package connector

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/config"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/oauth"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/finish"
	"hubspotconnector/internal/step/notify"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/step/sweep"
	"hubspotconnector/internal/step/transform"
	"hubspotconnector/internal/step/upsert"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/token"
	"hubspotconnector/internal/webhook"
)

// Ports are what the connector works on. The first three and NewID are
// required; Sender only for Notify, and Machines for Sweep.
type Ports struct {
	Table    table.Table
	Bucket   blob.Bucket
	Sealer   secret.Sealer
	Sender   mail.Sender
	Machines machine.Machines
	// Scheduler starts what is due; it follows what is stored from then on. nil = the
	// sweep of another process sees to that.
	Scheduler schedule.Scheduler
	// Log tells of schedules that a change did not reach at once; nil = nobody.
	Log *slog.Logger
	// Secret returns a secret that the operator stores, by one of the Secret names;
	// "" if there is none. It may answer from a copy of a few minutes' age unless
	// fresh is asked for. nil = secrets are those of the Settings.
	Secret func(ctx context.Context, name string, fresh bool) (secret.Text, error)
	// Metrics takes what is measured; nil = nobody.
	Metrics metric.Sink
	// HubSpotHTTP and GainsightHTTP send; nil = Go's default transport.
	HubSpotHTTP, GainsightHTTP *http.Client
	// WebhookHTTP sends notifications to webhooks, likewise.
	WebhookHTTP *http.Client
	Now         func() time.Time                                 // nil = time.Now
	Sleep       func(ctx context.Context, d time.Duration) error // nil = a timer
	NewID       func() string                                    // returns ULIDs
	// PartSize is the records of a part; 0 = 10,000.
	PartSize int
}

// The names of secrets in Ports.Secret.
const (
	SecretHubSpotClient   = "hubspotClientSecret"
	SecretGainsightKey    = "gainsightAccessKey"
	SecretGainsightClient = "gainsightClientSecret"
	SecretOIDCClient      = "oidcClientSecret"
	SecretSession         = "sessionKey"
)

// Connector is the system, put together.
type Connector struct {
	Connections *connection.Store
	Tokens      *token.Broker
	Flow        *oauth.Flow
	Jobs        *job.Store
	Chains      *chain.Store
	Schedules   *schedule.Store
	Keeper      *schedule.Keeper // nil without a Scheduler
	People      *person.Store
	Avatars     *avatar.Store
	Activity    *activity.Store
	Ready       *ootb.Creator
	Config      *config.Files
	Settings    *setting.Store
	Runs        *run.Store
	Staging     *staging.Store
	Delta       *delta.Store
	Marks       *mark.Store
	Bucket      blob.Bucket

	HubSpot   *hubspot.Client
	Gainsight *gainsight.Client
	// Found is how both vendors speak, see package doctor.
	Found *doctor.Store
	// Budgets are both vendors' quotas, by vendor.
	Budgets map[string]map[string]*budget.Budget

	Plan      *plan.Planner
	Extract   *extract.Extractor
	Transform *transform.Transformer
	Upsert    *upsert.Upserter
	Finish    *finish.Finisher
	Notify    *notify.Notifier
	Sweep     *sweep.Sweeper

	now func() time.Time

	// Webhook answers HubSpot's webhooks; it needs Ports.Machines.
	Webhook *webhook.Handler
}

// The vendors, as they are named where calls are counted.
const (
	HubSpot   = "HubSpot"
	Gainsight = "Gainsight"
)
