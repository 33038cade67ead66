package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/setting"
)

func (c *console) settingRoutes() {
	c.look("GET /settings", func(q *request) error { return c.showSettings(q, 200, settingsForms{}) })
	c.change("POST /settings/destination", c.saveDestination)
	c.look("GET /settings/destination/test", c.testDestination)
	c.change("POST /settings/notifications", c.saveNotifications)
	c.change("POST /settings/limits", c.saveLimits)
	c.change("POST /settings/retention", c.saveRetention)
	c.look("GET /settings/zone", func(q *request) error { return q.show("zone", "Time zone", zonePage{Zone: q.zone.String()}) })
	c.look("POST /settings/zone", c.saveZone)
}

// settingsForms are the forms that were sent and not taken; nil = as stored.
type settingsForms struct {
	Destination   *setting.Destination
	Notifications *setting.Notifications
	Limits        *setting.Limits
	Retention     *setting.Retention
	Section       string // whose Wrong is meant
	Wrong         string
}

// settingsPage is all settings.
type settingsPage struct {
	Tenant        setting.Tenant
	Deployed      string // the tenant that the deployment sets, while none is stored
	URL, ClientID control
	Key, Secret   control

	Success, Partial, Failure, Threshold, Webhook, HookSecret control
	Notifications                                             setting.Notifications
	FailureEmpty                                              bool

	Limits     []limitRow
	LimitsVers int64
	Reserve    control

	Retention     []control
	RetentionVers int64

	Section, Wrong string
}

// limitRow is one quota: calls and the seconds that they count in.
type limitRow struct {
	Label, Own   string
	Calls, Every control
}

func (c *console) showSettings(q *request, status int, sent settingsForms) error {
	page := settingsPage{Section: sent.Section, Wrong: sent.Wrong}
	for _, load := range []func(*request, settingsForms, *settingsPage) error{c.tenantForm, c.notificationsForm, c.limitsForm, c.retentionForm} {
		if err := load(q, sent, &page); err != nil {
			return err
		}
	}
	return q.showStatus(status, "settings", "Settings", page)
}

func (c *console) tenantForm(q *request, sent settingsForms, p *settingsPage) error {
	var err error
	if p.Tenant, err = c.Settings.Tenant(q.ctx()); err != nil {
		return err
	}
	if p.Tenant.URL == "" {
		p.Deployed = c.Gainsight.Config.URL
	}
	address, client := p.Tenant.URL, p.Tenant.ClientID
	if d := sent.Destination; d != nil {
		address, client = d.URL, d.ClientID
	}
	stored := func(has bool) string {
		if has {
			return "Stored. Leave empty to keep it."
		}
		return "Not stored."
	}
	p.URL = control{Path: "url", Label: "Gainsight tenant URL", Kind: "url", Value: address, Hold: "https://acme.gainsightcloud.com"}
	p.Key = control{Path: "accessKey", Label: "Access key", Kind: "password", Hint: stored(p.Tenant.HasAccessKey)}
	p.ClientID = control{Path: "clientId", Label: "M2M OAuth client id", Kind: "text", Value: client, Hint: "Instead of an access key."}
	p.Secret = control{Path: "clientSecret", Label: "M2M OAuth client secret", Kind: "password", Hint: stored(p.Tenant.HasSecret)}
	return nil
}

func (c *console) notificationsForm(q *request, sent settingsForms, p *settingsPage) error {
	n, err := c.Settings.Notifications(q.ctx())
	if err != nil {
		return err
	}
	p.FailureEmpty = len(n.Failure) == 0
	stored := n
	if sent.Notifications != nil {
		n = *sent.Notifications
	}
	list := func(name, label string, value []string) control {
		return control{Path: name, Label: label, Kind: "area", Value: strings.Join(value, "\n"), Hold: "name@example.com", Hint: "One mail address a line."}
	}
	p.Notifications = n
	p.Success, p.Partial, p.Failure = list("success", "On success", n.Success), list("partial", "On partial success", n.Partial), list("failure", "On failure", n.Failure)
	p.Threshold = control{Path: "threshold", Label: "Tell a partial success from this share of rejected records on, in percent", Kind: "number", Value: strconv.FormatFloat(n.Threshold*100, 'f', -1, 64), Hint: "0 = always."}
	p.Webhook = control{Path: "webhook", Label: "Webhook URL", Kind: "url", Hold: "https://hooks.slack.com/…", Hint: "None. Each message is sent there as JSON that Slack understands."}
	p.HookSecret = control{Path: "hookSecret", Label: "Secret that signs the messages", Kind: "password", Hint: "Needed with a webhook."}
	if stored.WebhookHost != "" {
		p.Webhook.Hint = "Stored: a URL at " + stored.WebhookHost + ". Leave empty to keep it."
		p.HookSecret.Hint = "Stored. Leave empty to keep it."
	}
	return nil
}

func (c *console) limitsForm(q *request, sent settingsForms, p *settingsPage) error {
	l, err := c.Settings.Limits(q.ctx())
	if err != nil {
		return err
	}
	if sent.Limits != nil {
		l = *sent.Limits
	}
	p.LimitsVers = l.Version
	for _, one := range []struct {
		name, label, own string
		budget.Window
	}{
		{"hubspot", "HubSpot calls", "110 in 10 s", l.HubSpot},
		{"hubspotSearch", "HubSpot searches", "5 in 1 s", l.HubSpotSearch},
		{"gainsight", "Gainsight calls", "100 in 60 s", l.Gainsight},
		{"gainsightDay", "Gainsight calls a day", "50,000 in 86,400 s", l.GainsightDay},
	} {
		row := limitRow{Label: one.label, Own: one.own}
		row.Calls = control{Path: one.name + ".calls", Label: one.label + ": calls", Kind: "number", Bare: true}
		row.Every = control{Path: one.name + ".per", Label: one.label + ": seconds", Kind: "number", Bare: true}
		if one.Calls > 0 || one.Per > 0 {
			row.Calls.Value, row.Every.Value = strconv.Itoa(one.Calls), strconv.FormatFloat(one.Per.Seconds(), 'f', -1, 64)
		}
		p.Limits = append(p.Limits, row)
	}
	p.Reserve = control{Path: "reserve", Label: "Share that is kept for changes told by HubSpot and for people, in percent", Kind: "number", Hint: "0 to 50; empty = the connector decides."}
	if l.Reserve != nil {
		p.Reserve.Value = strconv.FormatFloat(*l.Reserve*100, 'f', -1, 64)
	}
	return nil
}

func (c *console) retentionForm(q *request, sent settingsForms, p *settingsPage) error {
	r, err := c.Settings.Retention(q.ctx())
	if err != nil {
		return err
	}
	if sent.Retention != nil {
		r = *sent.Retention
	}
	p.RetentionVers = r.Version
	days := func(name, label, hint string, n int) control {
		return control{Path: name, Label: label, Kind: "number", Value: strconv.Itoa(n), Hint: hint}
	}
	p.Retention = []control{
		days("errorFiles", "Error logs, days", "1 to 365", r.ErrorFiles), days("staged", "Records on their way, days", "1 to 14", r.Staged),
		days("runs", "Runs and activity, days", "30 to 3,650", r.Runs),
	}
	return nil
}

// settle answers to a settings form: stored, or shown again with what is wrong.
func (c *console) settle(q *request, err error, sent settingsForms) error {
	switch {
	case fault.Is(err, fault.Invalid):
		sent.Wrong = fault.MessageOf(err)
		return c.showSettings(q, 422, sent)
	case fault.Is(err, fault.Conflict):
		sent.Wrong = "Somebody else saved these settings meanwhile. Load the page again to see theirs, then repeat your change."
		return c.showSettings(q, 409, sent)
	case err != nil:
		return err
	}
	return q.to("/settings#"+sent.Section, "saved")
}

func (c *console) saveDestination(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	f := fields{form: form}
	d := setting.Destination{
		URL: f.text("url"), AccessKey: secret.Text(f.text("accessKey")), ClientID: f.text("clientId"), ClientSecret: secret.Text(f.text("clientSecret")), Version: f.version("version"),
	}
	_, err = c.Settings.PutDestination(q.ctx(), d, q.by())
	return c.settle(q, err, settingsForms{Section: "destination", Destination: &d})
}

func (c *console) testDestination(q *request) error {
	lines, err := c.admin.TestGainsight(q.ctx())
	if err != nil {
		return err
	}
	return q.show("test", "Test of Gainsight", newTestPage("Test of Gainsight", q.r.URL.Path, "/settings", lines))
}

func (c *console) saveNotifications(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	f := fields{form: form}
	n := setting.Notifications{
		Success: f.addresses("success"), Partial: f.addresses("partial"), Failure: f.addresses("failure"), WebhookURL: secret.Text(f.text("webhook")),
		Secret: secret.Text(f.text("hookSecret")), Version: f.version("version"),
	}
	if !f.on("dropWebhook") {
		n.WebhookHost = f.text("webhookHost")
	}
	percent, wrong := f.percent("threshold")
	n.Threshold = percent
	if wrong != nil {
		return c.settle(q, wrong, settingsForms{Section: "notifications", Notifications: &n})
	}
	_, err = c.Settings.PutNotifications(q.ctx(), n, q.by())
	return c.settle(q, err, settingsForms{Section: "notifications", Notifications: &n})
}

// percent is a share that was entered in percent; empty is 0.
func (f fields) percent(name string) (float64, error) {
	text := strings.TrimSuffix(f.text(name), "%")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fault.New(fault.Invalid, "%.40q is not a number of percent: write it like 5.", text)
	}
	return n / 100, nil
}

func (c *console) saveLimits(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	f := fields{form: form}
	l := setting.Limits{Version: f.version("version")}
	l.HubSpot, l.HubSpotSearch = f.in("hubspot").window(false), f.in("hubspotSearch").window(false)
	l.Gainsight, l.GainsightDay = f.in("gainsight").window(true), f.in("gainsightDay").window(true)
	if f.text("reserve") != "" {
		share, err := f.percent("reserve")
		if err != nil {
			return c.settle(q, err, settingsForms{Section: "limits", Limits: &l})
		}
		l.Reserve = &share
	}
	_, err = c.Settings.PutLimits(q.ctx(), l, q.by())
	return c.settle(q, err, settingsForms{Section: "limits", Limits: &l})
}

// window reads a quota. One that is half entered, or no number, is one that
// cannot be stored; nothing at all is the deployment's own.
func (f fields) window(fixed bool) budget.Window {
	calls, per := f.text("calls"), f.text("per")
	if calls == "" && per == "" {
		return budget.Window{}
	}
	n, _ := strconv.Atoi(calls) // 0 is refused
	seconds, err := strconv.ParseFloat(per, 64)
	if err != nil || seconds < 0 || seconds > 1e9 {
		seconds = 0
	}
	w := budget.Window{Calls: n, Per: time.Duration(seconds * float64(time.Second)), Fixed: fixed}
	if w.Calls == 0 && w.Per == 0 {
		w.Calls = -1
	}
	return w
}

func (c *console) saveRetention(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	f := fields{form: form}
	r := setting.Retention{ErrorFiles: f.whole("errorFiles"), Staged: f.whole("staged"), Runs: f.whole("runs"), Version: f.version("version")}
	_, err = c.Settings.PutRetention(q.ctx(), r, q.by())
	return c.settle(q, err, settingsForms{Section: "retention", Retention: &r})
}

type zonePage struct{ Zone, Wrong string }

// saveZone keeps in which zone somebody reads times, in their browser.
func (c *console) saveZone(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	name := strings.TrimSpace(form.Get("zone"))
	if _, ok := loadZone(name); !ok {
		return q.showStatus(422, "zone", "Time zone", zonePage{name, "This time zone is not known: use a name such as Europe/Berlin."})
	}
	http.SetCookie(q.w, &http.Cookie{Name: zoneCookie, Value: name, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode}) //nolint:gosec // no secret; the script sets it too, and http is for this machine
	back := form.Get("back")
	if !slices.Contains([]string{"/settings", "/activity", "/jobs", "/chains"}, back) {
		back = "/activity"
	}
	return q.to(back, "zone")
}
