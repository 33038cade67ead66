package connector_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/serve"
)

// deployment reads what a function of a deployment would.
func deployment(function string, vars map[string]string) (connector.Deployment, error) {
	env := &serve.Env{Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
	d := connector.ReadDeployment(env, function)
	return d, env.Err()
}

func complete() map[string]string {
	return map[string]string{
		"TABLE": "t", "BUCKET": "b", "KEY": "k", "SECRET": "arn:aws:secretsmanager:us-east-1:1:secret:s",
		"CHAIN_MACHINE": "arn:aws:states:us-east-1:1:stateMachine:chain:live", "REDIRECT_URL": "https://sync.example/oauth/callback",
		"HUBSPOT_CLIENT_ID": "id", "SCHEDULE_GROUP": "g", "SCHEDULE_ROLE": "arn:aws:iam::1:role/s", "SCHEDULE_DLQ": "arn:aws:sqs:us-east-1:1:q",
		"WEBHOOK_URL": "https://sync.example/webhook",
	}
}

func TestVariablesAreThoseThatAFunctionReads(t *testing.T) {
	const (
		all       = "BUCKET KEY LOG_LEVEL STACK TABLE"
		hubspot   = "HUBSPOT_API_URL HUBSPOT_API_VERSION HUBSPOT_APP_URL HUBSPOT_CLIENT_ID HUBSPOT_LIMIT HUBSPOT_SEARCH_LIMIT REDIRECT_URL"
		gainsight = "GAINSIGHT_CLIENT_ID GAINSIGHT_DAY_LIMIT GAINSIGHT_LIMIT GAINSIGHT_URL GAINSIGHT_USER_DAY_LIMIT GAINSIGHT_USER_LIMIT"
		schedules = "CHAIN_MACHINE SCHEDULE_DLQ SCHEDULE_GROUP SCHEDULE_ROLE"
		limits    = "GAINSIGHT_DAY_LIMIT GAINSIGHT_LIMIT GAINSIGHT_USER_DAY_LIMIT GAINSIGHT_USER_LIMIT HUBSPOT_LIMIT HUBSPOT_SEARCH_LIMIT"
	)
	tests := map[string][]string{
		"plan": {all, hubspot, gainsight, "BACKLOG_SLICE SECRET"}, "extract": {all, hubspot, "SECRET"},
		"transform": {all, gainsight, "SECRET"}, "upsert": {all, gainsight, "SECRET"},
		"finish": {all, limits}, "notify": {all, "MAIL_FROM MAIL_TO PUBLIC_URL"}, "sweep": {all, limits, schedules},
		"oauthcallback": {all, hubspot, gainsight, schedules, "SECRET"}, "webhook": {all, "CHAIN_MACHINE HUBSPOT_APP_ID SECRET WEBHOOK_URL WEBHOOK_WINDOW"},
	}
	for function, groups := range tests {
		want := map[string]bool{}
		for _, group := range groups {
			for name := range strings.FieldsSeq(group) {
				want[name] = true
			}
		}
		got := map[string]bool{}
		for _, name := range connector.Variables(function) {
			got[name] = true
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", function, d)
		}
	}
	if got := connector.Variables("nothing"); got != nil {
		t.Errorf("a function that does not exist reads %v", got)
	}
}

// What can be set on one machine can be set on AWS: as a variable of a function, or
// in the deployment's secret.
func TestADeploymentTakesEverySettingOfOneMachine(t *testing.T) {
	known := map[string]bool{
		"HUBSPOT_CLIENT_SECRET": true, "GAINSIGHT_ACCESS_KEY": true, "GAINSIGHT_CLIENT_SECRET": true, // in the secret
		"CONNECTION_NAME": true, // a page asks for it
	}
	for _, function := range []string{"plan", "extract", "transform", "upsert", "finish", "notify", "sweep", "oauthcallback", "console", "webhook"} {
		for _, name := range connector.Variables(function) {
			known[name] = true
		}
	}
	env := &serve.Env{Lookup: func(string) (string, bool) { return "", false }}
	connector.ReadSettings(env)
	for _, name := range env.Asked() {
		if !known[name] {
			t.Errorf("no function reads %s", name)
		}
	}
}

func TestADeploymentIsReadAsItIsSet(t *testing.T) {
	vars := complete()
	maps.Copy(vars, map[string]string{
		"GAINSIGHT_URL": "https://acme.gainsightcloud.com/", "GAINSIGHT_CLIENT_ID": "g", "GAINSIGHT_LIMIT": "50/60s", "MAIL_FROM": "a@b.example", "MAIL_TO": " c@d.example,e@f.example ",
	})
	got, err := deployment("plan", vars)
	if err != nil {
		t.Fatal(err)
	}
	if got.Table != "t" || got.Bucket != "b" || got.Key != "k" || got.Secret != vars["SECRET"] || got.ChainMachine != "" {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff(gainsight.Config{URL: "https://acme.gainsightcloud.com", ClientID: "g"}, got.Settings.Gainsight); d != "" {
		t.Error(d)
	}
	if h := got.Settings.HubSpot; h.ClientID != "id" || h.ClientSecret != "" || h.RedirectURL != vars["REDIRECT_URL"] || h.APIURL != "https://api.hubapi.com" {
		t.Errorf("%+v", h)
	}
	if d := cmp.Diff(connector.Limits{Gainsight: budget.Window{Calls: 50, Per: time.Minute, Fixed: true}}, got.Settings.Limits); d != "" {
		t.Error(d)
	}
	if got, err = deployment("notify", vars); err != nil || got.MailFrom != "a@b.example" || !cmp.Equal(got.MailTo, []string{"c@d.example", "e@f.example"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = deployment("sweep", vars); err != nil || got.ChainMachine != vars["CHAIN_MACHINE"] {
		t.Errorf("%+v, %v", got, err)
	}
}

// Gainsight may be set up later, on a page.
func TestADeploymentNeedsNoGainsight(t *testing.T) {
	for _, function := range []string{"plan", "transform", "upsert", "oauthcallback"} {
		if _, err := deployment(function, complete()); err != nil {
			t.Errorf("%s: %v", function, err)
		}
	}
}

func TestAllProblemsOfADeploymentAreInOneError(t *testing.T) {
	_, err := deployment("plan", map[string]string{"REDIRECT_URL": "sync.example", "GAINSIGHT_URL": "acme", "HUBSPOT_LIMIT": "1"})
	const want = "Set these settings: TABLE, BUCKET, KEY, SECRET, HUBSPOT_CLIENT_ID. Correct these: "
	if got := fault.MessageOf(err); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, part := range []string{"REDIRECT_URL must be", "HUBSPOT_LIMIT must be", "GAINSIGHT_URL must be"} {
		if !strings.Contains(fault.MessageOf(err), part) {
			t.Errorf("%s\ndoes not say that %s", fault.MessageOf(err), part)
		}
	}
	for name, value := range map[string]string{"MAIL_FROM": "nobody", "MAIL_TO": "a@b.example,nobody"} {
		vars := complete()
		vars[name] = value
		if _, err := deployment("notify", vars); !strings.Contains(fault.MessageOf(err), name+" must be") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
