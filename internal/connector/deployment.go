package connector

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/setting"
)

// Deployment is what a function of a deployment reads from its environment.
// What the function does not need is empty.
type Deployment struct {
	Settings Settings
	// Table, Bucket and Key name the stores: a table, a bucket, a KMS key.
	Table, Bucket, Key string
	// Secret is the name or the ARN of the Secrets Manager entry.
	Secret string
	// ChainMachine is the ARN of the chain machine's alias.
	ChainMachine string
	// ScheduleGroup, ScheduleRole and ScheduleDLQ are what schedules are made with:
	// a group's name, the role that starts the machine, and the queue for starts
	// that failed; the last two are ARNs.
	ScheduleGroup, ScheduleRole, ScheduleDLQ string
	// MailFrom sends, and MailTo are told how runs end. Without a sender there are
	// no messages.
	MailFrom string
	MailTo   []string
	SignIn   SignIn
}

// SignIn says which OpenID Connect issuer knows the people.
type SignIn struct {
	Issuer, ClientID string
	// RoleClaim holds the roles; "" = "roles".
	RoleClaim string
}

// need is a part of the environment that a function reads.
type need func(*serve.Env, *Deployment)

// needs is what each function reads beside what all do. :: function → parts
func needs() map[string][]need {
	return map[string][]need{
		"plan":          {stores, secrets, hubSpotApp, gainsightTenant, slicing},
		"extract":       {stores, secrets, hubSpotApp},
		"transform":     {stores, secrets, gainsightTenant},
		"upsert":        {stores, secrets, gainsightTenant},
		"finish":        {stores, limits},
		"notify":        {stores, mails},
		"sweep":         {stores, machines, schedules, limits},
		"oauthcallback": {stores, secrets, machines, schedules, hubSpotApp, gainsightTenant},
		"console":       {stores, secrets, machines, schedules, hubSpotApp, gainsightTenant, slicing, signIn},
		"webhook":       {stores, secrets, machines, webhooks},
	}
}

// ReadDeployment reads the environment of a function. Problems are in env.Err.
func ReadDeployment(env *serve.Env, function string) Deployment {
	var d Deployment
	for _, read := range needs()[function] {
		read(env, &d)
	}
	return d
}

// Variables returns the names of all environment variables that a function
// reads, sorted; nothing for a function that does not exist.
func Variables(function string) []string {
	if needs()[function] == nil {
		return nil
	}
	env := &serve.Env{Lookup: func(string) (string, bool) { return "", false }}
	serve.ReadProcess(env)
	ReadDeployment(env, function)
	return env.Asked()
}

func stores(env *serve.Env, d *Deployment) {
	d.Table, d.Bucket, d.Key = env.String("TABLE"), env.String("BUCKET"), env.String("KEY")
}

func signIn(env *serve.Env, d *Deployment) {
	d.Settings.PublicURL = origin(env, "PUBLIC_URL", env.String("PUBLIC_URL"))
	d.SignIn = SignIn{Issuer: env.String("OIDC_ISSUER"), ClientID: env.String("OIDC_CLIENT_ID"), RoleClaim: env.Optional("OIDC_ROLE_CLAIM", "")}
	if u, err := url.Parse(d.SignIn.Issuer); d.SignIn.Issuer != "" && (err != nil || u.Host == "" || !setting.SafeScheme(u)) {
		env.Wrong("OIDC_ISSUER", "the https URL of an OpenID Connect issuer")
	}
}

func secrets(env *serve.Env, d *Deployment) { d.Secret = env.String("SECRET") }

func machines(env *serve.Env, d *Deployment) { d.ChainMachine = arn(env, "CHAIN_MACHINE") }

func schedules(env *serve.Env, d *Deployment) {
	d.ScheduleGroup, d.ScheduleRole, d.ScheduleDLQ = env.String("SCHEDULE_GROUP"), arn(env, "SCHEDULE_ROLE"), arn(env, "SCHEDULE_DLQ")
}

func webhooks(env *serve.Env, d *Deployment) {
	env.String("WEBHOOK_URL")
	d.Settings.Webhook.read(env, "")
}

func mails(env *serve.Env, d *Deployment) {
	d.Settings.PublicURL = origin(env, "PUBLIC_URL", env.Optional("PUBLIC_URL", ""))
	d.MailFrom = env.Optional("MAIL_FROM", "")
	for address := range strings.SplitSeq(env.Optional("MAIL_TO", ""), ",") {
		if address = strings.TrimSpace(address); address != "" {
			d.MailTo = append(d.MailTo, address)
		}
	}
	noAddress := func(s string) bool { _, err := mail.ParseAddress(s); return err != nil }
	if d.MailFrom != "" && noAddress(d.MailFrom) {
		env.Wrong("MAIL_FROM", "a mail address")
	}
	if slices.ContainsFunc(d.MailTo, noAddress) {
		env.Wrong("MAIL_TO", "mail addresses with commas between them")
	}
}

func hubSpotApp(env *serve.Env, d *Deployment) {
	d.Settings.HubSpot = readHubSpot(env, env.String("REDIRECT_URL"))
	d.Settings.Limits.readHubSpot(env)
}

// gainsightTenant reads the tenant, which may also be set on the page Settings.
func gainsightTenant(env *serve.Env, d *Deployment) {
	d.Settings.Gainsight = gainsight.Config{
		URL:      origin(env, "GAINSIGHT_URL", env.Optional("GAINSIGHT_URL", "")),
		ClientID: env.Optional("GAINSIGHT_CLIENT_ID", ""),
	}
	d.Settings.Limits.readGainsight(env)
}

func slicing(env *serve.Env, d *Deployment) { d.Settings.readSlice(env) }

func limits(env *serve.Env, d *Deployment) {
	d.Settings.Limits.readHubSpot(env)
	d.Settings.Limits.readGainsight(env)
}

// arn reads the name of a resource of AWS.
func arn(env *serve.Env, name string) string {
	value := env.String(name)
	if value != "" && strings.Count(value, ":") < 5 {
		env.Wrong(name, "an ARN such as arn:aws:…")
	}
	return value
}

// readHubSpot reads what both forms of the connector set of the HubSpot app.
func readHubSpot(env *serve.Env, redirectURL string) hubspot.Config {
	return hubspot.Config{
		ClientID:    env.String("HUBSPOT_CLIENT_ID"),
		APIURL:      origin(env, "HUBSPOT_API_URL", env.Optional("HUBSPOT_API_URL", "https://api.hubapi.com")),
		AppURL:      origin(env, "HUBSPOT_APP_URL", env.Optional("HUBSPOT_APP_URL", "https://app.hubspot.com")),
		Version:     env.Optional("HUBSPOT_API_VERSION", "2026-09"),
		RedirectURL: redirect(env, redirectURL),
	}
}
