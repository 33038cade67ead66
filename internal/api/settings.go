package api

import (
	"context"
	"fmt"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/signin"
)

// Destination is what may be shown of the Gainsight organisation.
type Destination struct {
	URL             string `json:"url"`
	ClientID        string `json:"clientId,omitempty"`
	HasAccessKey    bool   `json:"hasAccessKey"`
	HasClientSecret bool   `json:"hasClientSecret"`
	Version         int64  `json:"version" doc:"0 = nothing is stored: then that of the deployment counts."`
}

func destinationOf(t setting.Tenant) Destination {
	return Destination{URL: t.URL, ClientID: t.ClientID, HasAccessKey: t.HasAccessKey, HasClientSecret: t.HasSecret, Version: t.Version}
}

// DestinationInput is the Gainsight organisation, and as whom it is written to:
// with an access key, or as an M2M OAuth client.
type DestinationInput struct {
	URL          string `json:"url" maxLength:"1000" doc:"Origin, such as https://acme.gainsightcloud.com."`
	AccessKey    string `json:"accessKey,omitempty" maxLength:"4000" writeOnly:"true" doc:"Missing = as stored, unless the URL or the client is another."`
	ClientID     string `json:"clientId,omitempty" maxLength:"1000"`
	ClientSecret string `json:"clientSecret,omitempty" maxLength:"4000" writeOnly:"true" doc:"Likewise."`
}

// Notifications say who is told how runs end.
type Notifications struct {
	Success     []string `json:"success" nullable:"false" doc:"Mail addresses."`
	Partial     []string `json:"partial" nullable:"false"`
	Failure     []string `json:"failure" nullable:"false" doc:"If it is empty nobody is told of failures."`
	Threshold   float64  `json:"threshold" doc:"Share of rejected records from which a Partial Success is told; 0 = always."`
	WebhookHost string   `json:"webhookHost,omitempty" doc:"Host of the webhook; missing = there is none."`
	Version     int64    `json:"version"`
}

func notificationsOf(n setting.Notifications) Notifications {
	return Notifications{
		Success: append([]string{}, n.Success...), Partial: append([]string{}, n.Partial...), Failure: append([]string{}, n.Failure...),
		Threshold: n.Threshold, WebhookHost: n.WebhookHost, Version: n.Version,
	}
}

// NotificationsInput is likewise, with the secrets.
type NotificationsInput struct {
	Recipients
	Threshold     float64 `json:"threshold,omitempty" minimum:"0" maximum:"1"`
	WebhookHost   string  `json:"webhookHost,omitempty" maxLength:"300" doc:"That of the stored webhook keeps it; missing without a URL = no webhook."`
	WebhookURL    string  `json:"webhookUrl,omitempty" maxLength:"4000" writeOnly:"true" doc:"Where messages go, as JSON that Slack understands. It is a secret."`
	WebhookSecret string  `json:"webhookSecret,omitempty" maxLength:"4000" writeOnly:"true" doc:"Signs the messages; missing = as stored, as long as the host stays."`
}

// Window is a quota.
type Window struct {
	Calls   int     `json:"calls" minimum:"1" maximum:"1000000000"`
	Seconds float64 `json:"seconds" minimum:"0.1" maximum:"2678400"`
}

// Limits are the vendors' quotas.
type Limits struct {
	HubSpot       *Window  `json:"hubspot,omitempty" doc:"General calls; missing = the vendor's own, as with the others."`
	HubSpotSearch *Window  `json:"hubspotSearch,omitempty"`
	Gainsight     *Window  `json:"gainsight,omitempty"`
	GainsightDay  *Window  `json:"gainsightDay,omitempty"`
	Reserve       *float64 `json:"reserve,omitempty" minimum:"0" maximum:"0.5" doc:"Share that is left to webhooks and people; missing = the default."`
}

func windowOf(w budget.Window) *Window {
	if w.Calls == 0 {
		return nil
	}
	return &Window{w.Calls, w.Per.Seconds()}
}

func (w *Window) window(fixed bool) budget.Window {
	if w == nil {
		return budget.Window{}
	}
	return budget.Window{Calls: w.Calls, Per: time.Duration(w.Seconds * float64(time.Second)), Fixed: fixed}
}

func limitsOf(l setting.Limits) Limits {
	return Limits{HubSpot: windowOf(l.HubSpot), HubSpotSearch: windowOf(l.HubSpotSearch), Gainsight: windowOf(l.Gainsight), GainsightDay: windowOf(l.GainsightDay), Reserve: l.Reserve}
}

func (l Limits) limits(version int64) setting.Limits {
	return setting.Limits{
		HubSpot: l.HubSpot.window(false), HubSpotSearch: l.HubSpotSearch.window(false), Gainsight: l.Gainsight.window(true), GainsightDay: l.GainsightDay.window(true),
		Reserve: l.Reserve, Version: version,
	}
}

// Retention says how many days things are kept.
type Retention struct {
	ErrorFiles int `json:"errorFiles" minimum:"1" maximum:"3650"`
	Staged     int `json:"staged" minimum:"1" maximum:"30" doc:"Records on their way."`
	Runs       int `json:"runs" minimum:"30" maximum:"3650" doc:"Runs and activity."`
}

// settingPair is how one setting is read and stored. Out is what it is read as, In
// what it is stored from.
type settingPair[In, Out any] struct {
	id, path, what string
	description    string
	get            func(ctx context.Context) (Out, int64, error)
	put            func(ctx context.Context, in In, version int64) (Out, int64, error)
	check          func(in In) []Detail // nil = the library's checks and those of put do
}

func registerSetting[In, Out any](a *api, s settingPair[In, Out]) {
	const of = "Settings"
	path := "/settings/" + s.path
	register(a, operation{id: "get" + s.id, method: "GET", path: path, tag: of, summary: "Read " + s.what, description: s.description},
		func(ctx context.Context, _ *struct{}) (*versioned[Out], error) {
			out, version, err := s.get(ctx)
			return &versioned[Out]{tag(version), out}, err
		})
	register(a, operation{id: "put" + s.id, method: "PUT", path: path, tag: of, summary: "Change " + s.what, role: signin.Admin, description: joined(s.description, ifAny)},
		func(ctx context.Context, in *struct {
			Edit
			Body In
		},
		) (*versioned[Out], error) {
			_, was, err := s.get(ctx)
			if err != nil {
				return nil, err
			}
			if err := in.from(was); err != nil {
				return nil, err
			}
			if s.check != nil {
				if wrong := s.check(in.Body); len(wrong) > 0 {
					return nil, invalid(wrong...)
				}
			}
			out, version, err := s.put(ctx, in.Body, was)
			return &versioned[Out]{tag(version), out}, inBody(overtaken(err, func() (int64, error) {
				_, now, err := s.get(ctx)
				return now, err
			}), "body")
		})
}

func (a *api) settings() {
	registerSetting(a, settingPair[DestinationInput, Destination]{
		id: "Destination", path: "destination", what: "the Gainsight organisation", description: "Secrets never come back out.",
		get: func(ctx context.Context) (Destination, int64, error) {
			t, err := a.Settings.Tenant(ctx)
			return destinationOf(t), t.Version, err
		},
		put: func(ctx context.Context, in DestinationInput, version int64) (Destination, int64, error) {
			t, err := a.Settings.PutDestination(ctx, setting.Destination{
				URL: in.URL, AccessKey: secret.Text(in.AccessKey), ClientID: in.ClientID, ClientSecret: secret.Text(in.ClientSecret), Version: version,
			}, by(ctx))
			return destinationOf(t), t.Version, err
		},
	})
	register(a, operation{id: "testDestination", method: "GET", path: "/settings/destination/test", tag: "Settings", summary: "Test the Gainsight organisation", vendor: true},
		func(ctx context.Context, _ *struct{}) (*answer[TestResult], error) {
			lines, err := a.admin.TestGainsight(ctx)
			return testResult(lines), err
		})
	registerSetting(a, settingPair[NotificationsInput, Notifications]{
		id: "Notifications", path: "notifications", what: "who is told how runs end", check: func(in NotificationsInput) []Detail { return addressProblems(in.Recipients) },
		get: func(ctx context.Context) (Notifications, int64, error) {
			n, err := a.Settings.Notifications(ctx)
			return notificationsOf(n), n.Version, err
		},
		put: func(ctx context.Context, in NotificationsInput, version int64) (Notifications, int64, error) {
			n, err := a.Settings.PutNotifications(ctx, setting.Notifications{
				Success: in.Success, Partial: in.Partial, Failure: in.Failure, Threshold: in.Threshold, WebhookHost: in.WebhookHost,
				WebhookURL: secret.Text(in.WebhookURL), Secret: secret.Text(in.WebhookSecret), Version: version,
			}, by(ctx))
			return notificationsOf(n), n.Version, err
		},
	})
	registerSetting(a, settingPair[Limits, Limits]{
		id: "Limits", path: "limits", what: "the vendors' limits", description: "They hold from the next minute on.",
		get: func(ctx context.Context) (Limits, int64, error) {
			l, err := a.Settings.Limits(ctx)
			return limitsOf(l), l.Version, err
		},
		put: func(ctx context.Context, in Limits, version int64) (Limits, int64, error) {
			l, err := a.Settings.PutLimits(ctx, in.limits(version), by(ctx))
			return limitsOf(l), l.Version, err
		},
	})
	registerSetting(a, settingPair[Retention, Retention]{
		id: "Retention", path: "retention", what: "how many days things are kept",
		get: func(ctx context.Context) (Retention, int64, error) {
			r, err := a.Settings.Retention(ctx)
			return Retention{r.ErrorFiles, r.Staged, r.Runs}, r.Version, err
		},
		put: func(ctx context.Context, in Retention, version int64) (Retention, int64, error) {
			r, err := a.Settings.PutRetention(ctx, setting.Retention{ErrorFiles: in.ErrorFiles, Staged: in.Staged, Runs: in.Runs, Version: version}, by(ctx))
			return Retention{r.ErrorFiles, r.Staged, r.Runs}, r.Version, err
		},
	})
}

// addressProblems are the mail addresses that are none.
func addressProblems(r Recipients) []Detail {
	var all []Detail
	for _, one := range []struct {
		name      string
		addresses []string
	}{{"success", r.Success}, {"partial", r.Partial}, {"failure", r.Failure}} {
		for i, address := range one.addresses {
			if !setting.IsAddress(address) {
				all = append(all, Detail{Path: fmt.Sprintf("body.%s[%d]", one.name, i), Message: "This is not a mail address: correct or remove it."})
			}
		}
	}
	return all
}
