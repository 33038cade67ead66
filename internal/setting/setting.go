// Package setting keeps what an admin sets for the whole deployment: the
// Gainsight tenant, who is told how runs end, limits, and how long things are
// kept.
//
// Each setting is one versioned item, written together with its entry in the
// activity. Secrets are sealed and never come back out but to the client that
// uses them; the activity tells that a secret changed, never what it is.
package setting

import (
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table"
)

// Store keeps settings on a table. The first three fields are required. It is
// used by pointer and may be used at once.
type Store struct {
	Table    table.Table
	Sealer   secret.Sealer
	Activity *activity.Store
	Now      func() time.Time // nil = time.Now

	cache   cache
	session sessionCache
}

// Destination is the Gainsight organisation that is written to, and as whom:
// with an access key, or as an M2M OAuth client.
type Destination struct {
	URL          string // origin, such as https://acme.gainsightcloud.com
	AccessKey    secret.Text
	ClientID     string
	ClientSecret secret.Text

	Version int64 // of the stored item; 0 if it is not stored
}

// Tenant is what may be shown of a Destination.
type Tenant struct {
	URL          string `json:"url"`
	ClientID     string `json:"clientId,omitempty"`
	HasAccessKey bool   `json:"hasAccessKey"`
	HasSecret    bool   `json:"hasClientSecret"` // of the M2M OAuth client

	Version int64 `json:"version"` // 0 if nothing is stored
}

// Notifications say who is told how runs end. The lists hold mail addresses.
type Notifications struct {
	Success []string `json:"success,omitempty"`
	Partial []string `json:"partial,omitempty"`
	Failure []string `json:"failure,omitempty"`
	// Threshold is the share of rejected records, 0 to 1, from which a Partial
	// Success is told; 0 = always.
	Threshold float64 `json:"threshold,omitempty"`
	// WebhookHost is where messages go as JSON that Slack understands, as it may
	// be shown: such a URL is itself a secret. "" = no webhook.
	WebhookHost string `json:"webhookHost,omitempty"`
	// WebhookURL is the whole URL. In a Put, "" keeps the stored one if WebhookHost
	// is the stored one's, and means no webhook without a WebhookHost.
	WebhookURL secret.Text `json:"-"`
	// Secret signs what the webhook gets. In a Put, "" keeps the stored one as long
	// as the host stays.
	Secret secret.Text `json:"-"`

	Version int64 `json:"-"`
}

// Recipients are the lists of one job or chain, instead of those of the
// deployment. An empty list is nobody.
type Recipients struct {
	Success []string `json:"success,omitempty"`
	Partial []string `json:"partial,omitempty"`
	Failure []string `json:"failure,omitempty"`

	Version int64 `json:"-"`
}

// Owner is the job or chain that recipients belong to.
type Owner = schedule.Owner

// Limits are the vendors' quotas. A zero Window means the deployment's own.
type Limits struct {
	HubSpot       budget.Window `json:"hubspot,omitzero"`       // general calls, rolling
	HubSpotSearch budget.Window `json:"hubspotSearch,omitzero"` // searches, rolling
	Gainsight     budget.Window `json:"gainsight,omitzero"`     // calls, aligned to the clock
	GainsightDay  budget.Window `json:"gainsightDay,omitzero"`  // likewise
	// Reserve is the share of each window that is left to webhooks and people,
	// 0 to 0.5; nil = the default.
	Reserve *float64 `json:"reserve,omitempty"`

	Version int64 `json:"-"`
}

// Retention says how many days things are kept.
type Retention struct {
	ErrorFiles int `json:"errorFiles"` // 1 to 365
	Staged     int `json:"staged"`     // 1 to 14
	Runs       int `json:"runs"`       // 30 to 3,650, activity included

	Version int64 `json:"-"`
}

// DefaultRetention is kept until somebody changes it.
var DefaultRetention = Retention{ErrorFiles: 30, Staged: 3, Runs: 365} //nolint:gochecknoglobals // a constant
