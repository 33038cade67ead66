package connector_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/serve"
)

func least() map[string]string {
	return map[string]string{
		"HUBSPOT_CLIENT_ID": "id", "HUBSPOT_CLIENT_SECRET": "canary-a",
		"GAINSIGHT_URL": "https://acme.gainsightcloud.com/", "GAINSIGHT_ACCESS_KEY": "canary-b",
	}
}

func read(vars map[string]string) (connector.Settings, error) {
	env := &serve.Env{Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
	s := connector.ReadSettings(env)
	return s, env.Err()
}

func TestSettingsHaveDefaults(t *testing.T) {
	got, err := read(least())
	if err != nil {
		t.Fatal(err)
	}
	want := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "id", ClientSecret: "canary-a", APIURL: "https://api.hubapi.com", AppURL: "https://app.hubspot.com",
			Version: "2026-09", RedirectURL: "http://localhost:8976/oauth/callback",
		},
		Gainsight:      gainsight.Config{URL: "https://acme.gainsightcloud.com", AccessKey: "canary-b"},
		ConnectionName: "HubSpot",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsAreTakenAsSet(t *testing.T) {
	vars := least()
	delete(vars, "GAINSIGHT_ACCESS_KEY")
	maps.Copy(vars, map[string]string{
		"HUBSPOT_API_URL": "http://127.0.0.1:8080", "HUBSPOT_APP_URL": "http://localhost:8080/", "HUBSPOT_API_VERSION": "2027-03",
		"REDIRECT_URL": "https://sync.example.com/back", "GAINSIGHT_CLIENT_ID": "g", "GAINSIGHT_CLIENT_SECRET": "canary-c", "CONNECTION_NAME": "Sales",
		"HUBSPOT_LIMIT": "100/10s", "HUBSPOT_SEARCH_LIMIT": " 4 / 1s ", "GAINSIGHT_LIMIT": "100/60s", "GAINSIGHT_DAY_LIMIT": "50000/24h",
		"GAINSIGHT_USER_LIMIT": "90/1h", "GAINSIGHT_USER_DAY_LIMIT": "900/24h", "BACKLOG_SLICE": "2h",
	})
	got, err := read(vars)
	if err != nil {
		t.Fatal(err)
	}
	want := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "id", ClientSecret: "canary-a", APIURL: "http://127.0.0.1:8080", AppURL: "http://localhost:8080",
			Version: "2027-03", RedirectURL: "https://sync.example.com/back",
		},
		Gainsight:      gainsight.Config{URL: "https://acme.gainsightcloud.com", ClientID: "g", ClientSecret: "canary-c"},
		ConnectionName: "Sales",
		Limits: connector.Limits{
			HubSpot:       budget.Window{Calls: 100, Per: 10 * time.Second},
			HubSpotSearch: budget.Window{Calls: 4, Per: time.Second},
			Gainsight:     budget.Window{Calls: 100, Per: time.Minute, Fixed: true},
			GainsightDay:  budget.Window{Calls: 50000, Per: 24 * time.Hour, Fixed: true},

			GainsightUsers:    budget.Window{Calls: 90, Per: time.Hour, Fixed: true},
			GainsightUsersDay: budget.Window{Calls: 900, Per: 24 * time.Hour, Fixed: true},
		},
		Slice: 2 * time.Hour,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestEachWrongSettingIsNamed(t *testing.T) {
	type test struct{ name, variable, value string }
	tests := []test{
		{"no client id", "HUBSPOT_CLIENT_ID", ""},
		{"no client secret", "HUBSPOT_CLIENT_SECRET", ""},
		{"no tenant", "GAINSIGHT_URL", ""},
		{"no key", "GAINSIGHT_ACCESS_KEY", ""},
		{"redirect without scheme", "REDIRECT_URL", "sync.example.com/back"},
		{"redirect over http", "REDIRECT_URL", "http://sync.example.com/back"},
	}
	for _, variable := range []string{"HUBSPOT_API_URL", "HUBSPOT_APP_URL", "GAINSIGHT_URL"} {
		for name, value := range map[string]string{
			"no scheme": "api.hubapi.com", "a path": "https://api.hubapi.com/crm", "a query": "https://api.hubapi.com?a=b", "an empty query": "https://api.hubapi.com?",
			"a fragment": "https://api.hubapi.com#x", "a password": "https://u:canary-p@api.hubapi.com", "http": "http://api.hubapi.com",
			"another scheme": "ftp://api.hubapi.com", "no host": "https://", "not a URL": "https://[::1", "http on a private network": "http://10.0.0.1",
		} {
			tests = append(tests, test{name + " in " + variable, variable, value})
		}
	}
	for _, variable := range []string{"HUBSPOT_LIMIT", "HUBSPOT_SEARCH_LIMIT", "GAINSIGHT_LIMIT", "GAINSIGHT_DAY_LIMIT", "GAINSIGHT_USER_LIMIT", "GAINSIGHT_USER_DAY_LIMIT"} {
		for _, value := range []string{"100", "/60s", "100/", "0/60s", "-1/60s", "1.5/60s", "100/60", "100/50ms", "100/-60s", "100/60s/2", "many/60s"} {
			tests = append(tests, test{variable + " " + value, variable, value})
		}
	}
	for _, value := range []string{"6", "0s", "-1h", "59s", "6h1s", "long"} {
		tests = append(tests, test{"BACKLOG_SLICE " + value, "BACKLOG_SLICE", value})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vars := least()
			vars[tt.variable] = tt.value
			_, err := read(vars)
			message := fault.MessageOf(err)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(message, tt.variable) || strings.Contains(fmt.Sprint(message, err), "canary") {
				t.Errorf("err = %v, want Invalid that names %s and no secret", err, tt.variable)
			}
		})
	}
}

func TestAllWrongSettingsAreInOneError(t *testing.T) {
	_, err := read(map[string]string{"HUBSPOT_API_URL": "x", "GAINSIGHT_CLIENT_ID": "half of a client", "GAINSIGHT_LIMIT": "x"})
	for _, want := range []string{
		"HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET", "GAINSIGHT_URL", "GAINSIGHT_ACCESS_KEY (or GAINSIGHT_CLIENT_ID and GAINSIGHT_CLIENT_SECRET)", "HUBSPOT_API_URL", "GAINSIGHT_LIMIT",
	} {
		if !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%q does not name %s", fault.MessageOf(err), want)
		}
	}
}

func TestTheLimitsOfUsersAreThoseOfTheSettings(t *testing.T) {
	for _, tt := range []struct {
		name      string
		hour, day budget.Window
		want      []budget.Window
	}{
		{
			"Gainsight's own",
			budget.Window{},
			budget.Window{},
			[]budget.Window{{Calls: 100, Per: time.Hour, Fixed: true}, {Calls: 1000, Per: 24 * time.Hour, Fixed: true}},
		},
		{
			"set",
			budget.Window{Calls: 7, Per: time.Hour, Fixed: true},
			budget.Window{Calls: 70, Per: 24 * time.Hour, Fixed: true},
			[]budget.Window{{Calls: 7, Per: time.Hour, Fixed: true}, {Calls: 70, Per: 24 * time.Hour, Fixed: true}},
		},
	} {
		c := connector.New(connector.Settings{Limits: connector.Limits{GainsightUsers: tt.hour, GainsightUsersDay: tt.day}}, connector.Ports{})
		if diff := cmp.Diff(tt.want, c.Budgets[connector.Gainsight][gainsight.BudgetUsers].Windows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
