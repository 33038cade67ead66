package connector

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/serve"
)

// Settings are what an operator sets.
type Settings struct {
	HubSpot        hubspot.Config
	Gainsight      gainsight.Config
	ConnectionName string
	Limits         Limits
}

// Limits are the vendors' quotas. A zero Window means the vendor's own limit.
type Limits struct {
	HubSpot       budget.Window // general calls, rolling
	HubSpotSearch budget.Window // searches, rolling
	Gainsight     budget.Window // calls, aligned to the clock
	GainsightDay  budget.Window // calls, aligned to the clock
}

// ReadSettings reads the settings of both vendors. Problems are in env.Err.
func ReadSettings(env *serve.Env) Settings {
	s := Settings{
		HubSpot: hubspot.Config{
			ClientID:     env.String("HUBSPOT_CLIENT_ID"),
			ClientSecret: env.Secret("HUBSPOT_CLIENT_SECRET"),
			APIURL:       origin(env, "HUBSPOT_API_URL", env.Optional("HUBSPOT_API_URL", "https://api.hubapi.com")),
			AppURL:       origin(env, "HUBSPOT_APP_URL", env.Optional("HUBSPOT_APP_URL", "https://app.hubspot.com")),
			Version:      env.Optional("HUBSPOT_API_VERSION", "2026-09"),
			RedirectURL:  env.Optional("REDIRECT_URL", "http://localhost:8976/oauth/callback"),
		},
		Gainsight: gainsight.Config{
			URL:          origin(env, "GAINSIGHT_URL", env.String("GAINSIGHT_URL")),
			AccessKey:    secret.Text(env.Optional("GAINSIGHT_ACCESS_KEY", "")),
			ClientID:     env.Optional("GAINSIGHT_CLIENT_ID", ""),
			ClientSecret: secret.Text(env.Optional("GAINSIGHT_CLIENT_SECRET", "")),
		},
		ConnectionName: env.Optional("CONNECTION_NAME", "HubSpot"),
		Limits: Limits{
			HubSpot:       window(env, "HUBSPOT_LIMIT", false),
			HubSpotSearch: window(env, "HUBSPOT_SEARCH_LIMIT", false),
			Gainsight:     window(env, "GAINSIGHT_LIMIT", true),
			GainsightDay:  window(env, "GAINSIGHT_DAY_LIMIT", true),
		},
	}
	if g := s.Gainsight; g.AccessKey == "" && (g.ClientID == "" || g.ClientSecret == "") {
		env.Missing("GAINSIGHT_ACCESS_KEY (or GAINSIGHT_CLIENT_ID and GAINSIGHT_CLIENT_SECRET)")
	}
	if u, err := url.Parse(s.HubSpot.RedirectURL); err != nil || u.Host == "" || !safeScheme(u) {
		env.Wrong("REDIRECT_URL", "a URL as it is registered in the HubSpot app, https or on localhost")
	}
	return s
}

// origin checks that a URL is an origin to which secrets may be sent.
func origin(env *serve.Env, name, value string) string {
	value = strings.TrimSuffix(value, "/")
	u, err := url.Parse(value)
	switch {
	case value == "": // noted as missing
	case err != nil || u.Host == "" || u.Path != "" || strings.ContainsAny(value, "?#") || u.User != nil:
		env.Wrong(name, "an origin such as https://example.com, without a path")
	case !safeScheme(u):
		env.Wrong(name, "an https origin; http is for this machine only")
	}
	return value
}

func safeScheme(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
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
