package main

import (
	"os"
	"strings"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/serve"
)

// names are the settings; each is a flag and an environment variable.
var names = []string{ //nolint:gochecknoglobals // a constant
	"HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET", "HUBSPOT_API_URL", "HUBSPOT_APP_URL", "HUBSPOT_API_VERSION",
	"GAINSIGHT_URL", "GAINSIGHT_ACCESS_KEY", "GAINSIGHT_CLIENT_ID", "GAINSIGHT_CLIENT_SECRET",
	"CONNECTION_NAME", "REDIRECT_URL",
	"HUBSPOT_LIMIT", "HUBSPOT_SEARCH_LIMIT", "GAINSIGHT_LIMIT", "GAINSIGHT_DAY_LIMIT",
	"WEBHOOK_URL", "WEBHOOK_WINDOW", "HUBSPOT_APP_ID", "PUBLIC_URL", "BACKLOG_SLICE",
	"GAINSIGHT_USER_LIMIT", "GAINSIGHT_USER_DAY_LIMIT",
}

// flagName is the flag of a setting: HUBSPOT_API_URL is -hubspot-api-url.
func flagName(setting string) string { return strings.ToLower(strings.ReplaceAll(setting, "_", "-")) }

// settings adds a flag for each setting, and returns what reads them once the
// flags are parsed: a flag wins over the environment.
func settings(set flagSet) func() (connector.Settings, error) {
	return settingsBy(set, connector.ReadSettings)
}

// settingsBy is settings with what reads them.
func settingsBy(set flagSet, readAll func(*serve.Env) connector.Settings) func() (connector.Settings, error) {
	given := map[string]*string{}
	for _, name := range names {
		given[name] = set.String(flagName(name), "", "instead of the environment's "+name)
	}
	return func() (connector.Settings, error) {
		env := &serve.Env{}
		env.Lookup = func(name string) (string, bool) {
			if v := given[name]; v != nil && *v != "" {
				return *v, true
			}
			return serve.Lookup(name)
		}
		s := readAll(env)
		env.Optional(tokenName, "") // of a deployment: it does no harm here
		env.Known("HUBSPOT_", "GAINSIGHT_")
		return s, env.Err()
	}
}

// dataDir is the default data folder.
func dataDir() string {
	if dir, err := os.UserConfigDir(); err == nil {
		return dir + string(os.PathSeparator) + "hubspot-gainsight"
	}
	return ".data"
}
