package connector

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/webhook"
)

// Settings are what an operator sets.
type Settings struct {
	HubSpot        hubspot.Config
	Gainsight      gainsight.Config
	ConnectionName string
	// PublicURL is the origin of the console, for links in messages; "" = no links.
	PublicURL string
	Limits    Limits
	Webhook   Webhook
	// Slice is how long a slice of backlog may take by the target's quota, from a
	// minute to 6 hours; 0 = 6 hours.
	Slice time.Duration
}

// Webhook is how HubSpot's webhooks reach the connector.
type Webhook struct {
	URL    string        // that HubSpot calls, in full; "" = it calls nobody
	AppID  int64         // HubSpot's number of the app; 0 = not checked
	Window time.Duration // how long changes are gathered for one run; 0 = webhook.DefaultWindow
}

// read reads WEBHOOK_URL, HUBSPOT_APP_ID and WEBHOOK_WINDOW; def is the default of
// the first.
func (w *Webhook) read(env *serve.Env, def string) {
	w.URL = env.Optional("WEBHOOK_URL", def)
	if u, err := url.Parse(w.URL); w.URL != "" && (err != nil || u.Host == "" || !setting.SafeScheme(u)) {
		env.Wrong("WEBHOOK_URL", "the URL that the HubSpot app calls, https or on localhost")
	}
	if id := env.Optional("HUBSPOT_APP_ID", ""); id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			env.Wrong("HUBSPOT_APP_ID", "the number of the HubSpot app")
		}
		w.AppID = n
	}
	if w.Window = env.Duration("WEBHOOK_WINDOW", 0); w.Window != 0 && w.Window < webhook.MinWindow {
		env.Wrong("WEBHOOK_WINDOW", "a duration from 5s on")
	}
}

// Limits are the vendors' quotas. A zero Window means the vendor's own limit.
type Limits struct {
	HubSpot       budget.Window // general calls, rolling
	HubSpotSearch budget.Window // searches, rolling
	Gainsight     budget.Window // calls, aligned to the clock
	GainsightDay  budget.Window // calls, aligned to the clock
	// GainsightUsers and GainsightUsersDay are those of the User API, aligned to
	// the clock.
	GainsightUsers, GainsightUsersDay budget.Window
}

// ReadSettings reads the settings of both vendors, all of which are required that
// have no default. Problems are in env.Err.
func ReadSettings(env *serve.Env) Settings {
	s := ReadServed(env)
	if s.Gainsight == (gainsight.Config{}) {
		env.Missing("GAINSIGHT_URL")
		env.Missing(credentials)
	}
	return s
}

// credentials names the variables of which one or two are required.
const credentials = "GAINSIGHT_ACCESS_KEY (or GAINSIGHT_CLIENT_ID and GAINSIGHT_CLIENT_SECRET)"

// ReadServed is ReadSettings for a process with a console, where Gainsight may be
// set up: its settings may all be missing.
func ReadServed(env *serve.Env) Settings {
	s := Settings{
		HubSpot: readHubSpot(env, env.Optional("REDIRECT_URL", "http://localhost:8976/oauth/callback")),
		Gainsight: gainsight.Config{
			URL:          origin(env, "GAINSIGHT_URL", env.Optional("GAINSIGHT_URL", "")),
			AccessKey:    secret.Text(env.Optional("GAINSIGHT_ACCESS_KEY", "")),
			ClientID:     env.Optional("GAINSIGHT_CLIENT_ID", ""),
			ClientSecret: secret.Text(env.Optional("GAINSIGHT_CLIENT_SECRET", "")),
		},
		ConnectionName: env.Optional("CONNECTION_NAME", "HubSpot"),
		PublicURL:      origin(env, "PUBLIC_URL", env.Optional("PUBLIC_URL", "")),
	}
	s.HubSpot.ClientSecret = env.Secret("HUBSPOT_CLIENT_SECRET")
	s.Limits.readHubSpot(env)
	s.Limits.readGainsight(env)
	s.Webhook.read(env, "")
	s.readSlice(env)
	if g := s.Gainsight; g != (gainsight.Config{}) {
		if g.URL == "" {
			env.Missing("GAINSIGHT_URL")
		}
		if g.AccessKey == "" && (g.ClientID == "" || g.ClientSecret == "") {
			env.Missing(credentials)
		}
	}
	return s
}

func (l *Limits) readHubSpot(env *serve.Env) {
	l.HubSpot = window(env, "HUBSPOT_LIMIT", false)
	l.HubSpotSearch = window(env, "HUBSPOT_SEARCH_LIMIT", false)
}

func (l *Limits) readGainsight(env *serve.Env) {
	l.Gainsight = window(env, "GAINSIGHT_LIMIT", true)
	l.GainsightDay = window(env, "GAINSIGHT_DAY_LIMIT", true)
	l.GainsightUsers = window(env, "GAINSIGHT_USER_LIMIT", true)
	l.GainsightUsersDay = window(env, "GAINSIGHT_USER_DAY_LIMIT", true)
}

// maxSlice is the longest slice: the history of its machine holds no more minutes of
// quota (statemachines/README.md).
const maxSlice = 6 * time.Hour

func (s *Settings) readSlice(env *serve.Env) {
	s.Slice = env.Duration("BACKLOG_SLICE", 0)
	if s.Slice != 0 && (s.Slice < time.Minute || s.Slice > maxSlice) {
		env.Wrong("BACKLOG_SLICE", "a duration from 1m to 6h")
	}
}

// redirect checks the URL that HubSpot leads back to.
func redirect(env *serve.Env, value string) string {
	if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || !setting.SafeScheme(u)) {
		env.Wrong("REDIRECT_URL", "a URL as it is registered in the HubSpot app, https or on localhost")
	}
	return value
}

// origin checks that a URL is an origin to which secrets may be sent.
func origin(env *serve.Env, name, value string) string {
	if value == "" {
		return ""
	}
	value, problem := setting.SafeOrigin(value)
	if problem != "" {
		env.Wrong(name, problem)
	}
	return value
}

// window reads a limit such as "100/60s".
func window(env *serve.Env, name string, fixed bool) budget.Window {
	value := env.Optional(name, "")
	if value == "" {
		return budget.Window{}
	}
	calls, per, _ := strings.Cut(value, "/")
	n, err := strconv.Atoi(strings.TrimSpace(calls))
	d, errPer := time.ParseDuration(strings.TrimSpace(per))
	if err != nil || errPer != nil || n < 1 || d < 100*time.Millisecond {
		env.Wrong(name, "calls/duration such as 100/60s, at least 1 call and 100ms")
		return budget.Window{}
	}
	return budget.Window{Calls: n, Per: d, Fixed: fixed}
}
