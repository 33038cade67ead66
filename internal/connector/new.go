package connector

import (
	"context"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/config"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gauge"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/meter"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/oauth"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/privacy"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
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

// New puts a connector together. It does no I/O.
func New(s Settings, p Ports) *Connector {
	if p.Now == nil {
		p.Now = time.Now
	}
	p.Table = table.Guard(p.Table)
	c := &Connector{Bucket: p.Bucket}
	c.follows(&p)
	leases := &lease.Store{Table: p.Table, Now: p.Now}
	tokens := &token.Store{Table: p.Table, Sealer: p.Sealer}
	c.vendors(s, p, tokens, leases)
	c.configuration(p, tokens)
	c.Runs = &run.Store{Table: p.Table, Leases: leases, Now: p.Now}
	c.Staging = &staging.Store{Bucket: p.Bucket}
	c.Delta = &delta.Store{Table: p.Table}
	c.Marks = &mark.Store{Table: p.Table}
	c.steps(p)
	c.Plan.Slice = s.Slice
	c.Notify.PublicURL = s.PublicURL
	c.followLimits()
	c.now = p.Now
	kept := &keeper{c: c, now: p.Now}
	c.Runs.Kept, c.Activity.Kept = kept.runs, kept.runs
	c.Webhook = &webhook.Handler{
		URL: s.Webhook.URL, AppID: s.Webhook.AppID, Window: s.Webhook.Window, Secret: c.HubSpot.Secret,
		Connections: c.Connections, Jobs: c.Jobs, Marks: c.Marks, Machines: p.Machines, Now: p.Now, Metrics: p.Metrics,
	}
	eraser := &privacy.Eraser{Table: p.Table, Bucket: p.Bucket, Runs: c.Runs, Staging: c.Staging, Now: p.Now}
	c.Webhook.Erase, c.Sweep.Erase = eraser.Ask, eraser.All
	c.Sweep.Serve = func(ctx context.Context) error { return c.serveMarks(ctx, p) }
	if c.Webhook.Secret == nil {
		c.Webhook.Secret = func(context.Context, bool) (secret.Text, error) { return s.HubSpot.ClientSecret, nil }
	}
	return c
}

// callTime is the most that one try of a call may take. It fits, with a write and
// an answer, into the time that steps keep before their deadline.
const callTime = 40 * time.Second

// vendors builds the clients of both, with their budgets and tokens.
func (c *Connector) vendors(s Settings, p Ports, tokens *token.Store, leases *lease.Store) {
	c.Budgets = budgets(s.Limits, p)
	api := apiclient.Client{Timeout: callTime, Now: p.Now, Sleep: p.Sleep, Counted: func(ctx context.Context, vendor string) {
		meter.Count(ctx, vendor)
		p.Metrics.Emit(ctx, metric.VendorCalls, vendor, 1)
	}, Refused: func(ctx context.Context, vendor string) {
		p.Metrics.Emit(ctx, metric.Throttles, vendor, 1)
	}}
	api.HTTP, api.Budgets = p.HubSpotHTTP, c.Budgets[HubSpot]
	c.HubSpot = &hubspot.Client{Config: s.HubSpot, API: api}
	if p.Secret != nil {
		c.HubSpot.Secret = func(ctx context.Context, fresh bool) (secret.Text, error) {
			return p.Secret(ctx, SecretHubSpotClient, fresh)
		}
	}
	c.Tokens = &token.Broker{
		Store: tokens, Leases: leases, Now: p.Now, Sleep: p.Sleep, NewID: p.NewID,
		Refresh: func(ctx context.Context, t token.Token) (token.Token, error) {
			p.Metrics.Emit(ctx, metric.TokenRefreshes, HubSpot, 1)
			return c.HubSpot.Refresh(ctx, t)
		},
		Lost: func(ctx context.Context, id string) error {
			p.Metrics.Emit(ctx, metric.ReauthorizationNeeded, "", 1)
			return c.Connections.NeedsReauthorization(ctx, id)
		},
	}
	c.HubSpot.Tokens = c.Tokens
	api.HTTP, api.Budgets = p.GainsightHTTP, c.Budgets[Gainsight]
	c.Gainsight = &gainsight.Client{Config: s.Gainsight, API: api}
	c.Gainsight.Destination = func(ctx context.Context, fresh bool) (gainsight.Config, error) {
		return c.destination(ctx, s.Gainsight, p, fresh)
	}
	c.Gainsight.Tokens = tenantTokens{c, &token.Broker{
		Store: tokens, Leases: leases, First: true, Now: p.Now, Sleep: p.Sleep, NewID: p.NewID,
		Refresh: func(ctx context.Context, _ token.Token) (token.Token, error) {
			p.Metrics.Emit(ctx, metric.TokenRefreshes, Gainsight, 1)
			return c.Gainsight.Grant(ctx)
		},
	}}
	c.Found = &doctor.Store{Table: p.Table, Now: p.Now, Origin: func(ctx context.Context) (string, error) {
		set, err := c.Gainsight.Current(ctx)
		return set.URL, err
	}}
	c.HubSpot.Dialect, c.Gainsight.Dialect = c.Found.HubSpot, c.Found.Gainsight
}

// budgets are the quotas of both vendors: their own, or those of the settings.
func budgets(l Limits, p Ports) map[string]map[string]*budget.Budget {
	quota := func(vendor, name string, windows ...budget.Window) *budget.Budget {
		return &budget.Budget{Table: p.Table, Name: name, Vendor: vendor, Windows: windows, Now: p.Now}
	}
	// many is the quota of calls that come by the hundred: sixteen of them are one write.
	many := func(vendor, name string, windows ...budget.Window) *budget.Budget {
		b := quota(vendor, name, windows...)
		b.Lease = 16
		return b
	}
	set := func(w, vendors budget.Window) budget.Window {
		if w.Calls == 0 {
			return vendors
		}
		return w
	}
	own := gainsight.Windows()
	calls, users := own[gainsight.BudgetCalls], own[gainsight.BudgetUsers]
	return map[string]map[string]*budget.Budget{
		// HubSpot's limits of an OAuth app per portal (usage guidelines, November 2026).
		HubSpot: {
			hubspot.BudgetObjects:      many(HubSpot, "hubspot-objects", set(l.HubSpot, budget.Window{Calls: 110, Per: 10 * time.Second})),
			hubspot.BudgetSearch:       quota(HubSpot, "hubspot-search", set(l.HubSpotSearch, budget.Window{Calls: 5, Per: time.Second})),
			hubspot.BudgetAssociations: many(HubSpot, "hubspot-associations", budget.Window{Calls: 100, Per: 10 * time.Second}),
		},
		Gainsight: {
			gainsight.BudgetCalls: many(Gainsight, "gainsight-calls", set(l.Gainsight, calls[0]), set(l.GainsightDay, calls[1])),
			gainsight.BudgetUsers: quota(Gainsight, "gainsight-users", set(l.GainsightUsers, users[0]), set(l.GainsightUsersDay, users[1])),
		},
	}
}

// configuration builds the stores of what admins configure.
func (c *Connector) configuration(p Ports, tokens *token.Store) {
	c.Activity = &activity.Store{Table: p.Table, Now: p.Now, NewID: p.NewID}
	c.Settings = &setting.Store{Table: p.Table, Sealer: p.Sealer, Activity: c.Activity, Now: p.Now}
	c.Schedules = &schedule.Store{Table: p.Table, Activity: c.Activity}
	c.Jobs = &job.Store{Table: p.Table, Activity: c.Activity, NewID: p.NewID, Check: c.checkJob}
	c.Chains = &chain.Store{Table: p.Table, Activity: c.Activity, Jobs: c.Jobs, NewID: p.NewID}
	c.Jobs.Chains = c.Chains.NamesWith
	c.Connections = &connection.Store{
		Table: p.Table, Activity: c.Activity, Tokens: tokens, Jobs: c.Jobs, Chains: c.Chains, NewID: p.NewID,
		Withdraw: c.HubSpot.Revoke, Running: c.running, Now: p.Now,
	}
	c.People = &person.Store{Table: p.Table, Activity: c.Activity, Jobs: c.Jobs}
	c.Config = &config.Files{
		Table: p.Table, Connections: c.Connections, Jobs: c.Jobs, Chains: c.Chains, Schedules: c.Schedules, People: c.People,
		Check: func(ctx context.Context, j job.Job, keys []string) error { return c.Plan.Check(ctx, j, keys) },
	}
	c.Avatars = &avatar.Store{Table: p.Table}
	c.Ready = &ootb.Creator{
		Table: p.Table, Connections: c.Connections, Jobs: c.Jobs, Chains: c.Chains, Schema: c.Gainsight.Schema, NewID: p.NewID,
	}
	c.Flow = &oauth.Flow{
		Table: p.Table, Connections: c.Connections, AuthorizeURL: c.HubSpot.AuthorizeURL, Exchange: c.HubSpot.Exchange,
		Ready: c.Ready.Ready, Now: p.Now,
	}
}

// checkJob finds what is wrong with a job's mapping, all at once.
func (c *Connector) checkJob(ctx context.Context, j job.Job) error {
	return c.Plan.Check(ctx, j, nil)
}

// running reports whether a run of the connection is open.
func (c *Connector) running(ctx context.Context, id string) (bool, error) {
	rounds, err := c.Runs.OpenRounds(ctx)
	if err != nil {
		return false, err
	}
	for _, round := range rounds {
		for _, runID := range round.Jobs {
			r, err := c.Runs.Get(ctx, runID)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return false, err
			}
			if err == nil && r.Connection == id && !r.Status.Closed() {
				return true, nil
			}
		}
	}
	return false, nil
}

// steps builds the steps of a run.
func (c *Connector) steps(p Ports) {
	marked := &step.Marked{Marks: c.Marks, Delta: c.Delta}
	c.Plan = &plan.Planner{
		Source: c.HubSpot, Target: c.Gainsight, Connections: c.Connections, Jobs: c.Jobs, Chains: c.Chains, People: c.People,
		Runs: c.Runs, Staging: c.Staging, Complete: c.Ready.Complete, NewID: p.NewID, Now: p.Now, PartSize: p.PartSize,
		Marked: marked, Schedules: c.Schedules,
	}
	c.Extract = &extract.Extractor{Source: c.HubSpot, Runs: c.Runs, Staging: c.Staging, Now: p.Now, Marked: marked}
	c.Transform = &transform.Transformer{Target: c.Gainsight, Runs: c.Runs, Staging: c.Staging, Compile: plan.Compile, Now: p.Now}
	c.Upsert = &upsert.Upserter{Target: c.Gainsight, Runs: c.Runs, Staging: c.Staging, Delta: c.Delta, Avatars: c.Avatars, Now: p.Now, Every: c.minute}
	c.Finish = &finish.Finisher{Runs: c.Runs, Staging: c.Staging, Bucket: p.Bucket, Activity: c.Activity, Now: p.Now, Metrics: p.Metrics, Marked: marked}
	c.Notify = &notify.Notifier{Runs: c.Runs, Sender: p.Sender, Audience: audience{c, p.WebhookHTTP, p.Now}.of}
	c.Sweep = &sweep.Sweeper{Runs: c.Runs, Machines: p.Machines, CloseRound: func(ctx context.Context, execution string, round int) error {
		_, err := c.Finish.Close(ctx, finish.Input{Scope: "round", Execution: execution, Round: round})
		return err
	}}
	c.lanes(p)
	if c.Keeper != nil {
		c.Sweep.Repair = func(ctx context.Context) error { _, err := c.Keeper.Repair(ctx); return err }
	}
	if p.Metrics != nil {
		gauges := &gauge.Gauge{
			Runs: c.Runs, Schedules: c.Schedules, Connections: c.Connections, Budgets: c.Budgets, Metrics: p.Metrics, Now: p.Now,
		}
		c.Sweep.Measure = gauges.Measure
	}
}

// minute is how long a window of Gainsight's quota is, 0 if it rolls.
func (c *Connector) minute() time.Duration {
	if w := c.Budgets[Gainsight][gainsight.BudgetCalls].Limits()[0]; w.Fixed {
		return w.Per
	}
	return 0
}
