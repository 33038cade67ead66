package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret"
)

const demoExplains = `demo simulates HubSpot and Gainsight in this process, with their limits, in a time
that runs faster. It authorizes a connection, syncs owners, companies and
contacts, edits some in HubSpot, syncs again, and compares both sides. It succeeds
only if they hold what they must.
`

// options are the flags of the demo.
type options struct {
	owners, companies, contacts int
	speed                       float64
	latency                     time.Duration
	data, summary               string
}

func (o *options) check() error {
	switch {
	case o.owners < 0 || o.companies < 0 || o.contacts < 0 || o.owners > 10_000 || o.companies > 2_000_000 || o.contacts > 2_000_000:
		return fault.New(fault.Invalid, "-owners takes 0 to 10,000, -companies and -contacts 0 to 2,000,000.")
	case o.speed < 1 || o.speed > 1_000_000:
		return fault.New(fault.Invalid, "-speed takes 1 to 1,000,000.")
	case o.latency < 0 || o.latency > time.Minute:
		return fault.New(fault.Invalid, "-latency takes 0s to 1m.")
	}
	return nil
}

// The demo's app, account and organisation.
const (
	demoPortal   = 90210
	demoClient   = "c0ffee00-0000-4000-8000-000000000001"
	demoSecret   = "demo-client-secret" //nolint:gosec // of a simulated app
	demoKey      = "demo-access-key"
	demoRedirect = "http://localhost:8976/oauth/callback"
)

// memoryLimit makes the garbage collector work harder before the process takes
// more, in bytes.
const memoryLimit = 100 << 20

func demo(ctx context.Context, args []string, out io.Writer) error {
	o := options{}
	set := flags("demo", demoExplains, out)
	set.IntVar(&o.owners, "owners", 40, "owners in HubSpot")
	set.IntVar(&o.companies, "companies", 600, "companies in HubSpot")
	set.IntVar(&o.contacts, "contacts", 2400, "contacts in HubSpot")
	set.Float64Var(&o.speed, "speed", 100, "how many times faster than real time")
	set.DurationVar(&o.latency, "latency", 150*time.Millisecond, "how long each call takes, in the demo's time")
	set.StringVar(&o.data, "data", "", "data folder, empty or new (default: a new temporary one, which stays)")
	set.StringVar(&o.summary, "summary", "", "write a JSON summary to this file")
	if _, err := set.parse(args, 0); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.data == "" {
		dir, err := os.MkdirTemp("", "hubspot-gainsight-demo-")
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "No temporary folder can be made. Choose one with -data.")
		}
		o.data = dir
	} else if entries, err := os.ReadDir(o.data); err == nil && len(entries) > 0 {
		return fault.New(fault.Invalid, "The demo starts afresh, but %s is not empty. Choose another folder with -data.", o.data)
	}
	debug.SetMemoryLimit(memoryLimit)
	w, closeAll, err := newStage(o, out)
	if err != nil {
		return err
	}
	defer closeAll()
	if err = w.play(ctx); errors.Is(err, context.Canceled) {
		err = &outcomeError{"Stopped. The simulated accounts are gone: the demo starts afresh when it is given again."}
	}
	return errors.Join(err, write(w.summary, w.all))
}

// stage is the demo's world.
type stage struct {
	options
	out    io.Writer
	clock  *clock
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	sys    *inprocess.System
	all    []summary
}

func newStage(o options, out io.Writer) (*stage, func(), error) {
	w := &stage{options: o, out: out, clock: newClock()}
	w.source = hubspotsim.New(hubspotsim.Options{
		Now: w.clock.Now, Sleep: w.clock.Sleep, Seed: 1, Latency: o.latency, AutoApprove: true, AssociationTouches: true,
		IndexLag: hubspotsim.Lag(1, time.Second, 5*time.Second),
	})
	w.source.AddApp(demoClient, demoSecret, []string{demoRedirect})
	w.portal = w.source.AddPortal(demoPortal, "customer.example")
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: o.owners, Companies: o.companies, Contacts: o.contacts})
	w.target = gainsightsim.New(gainsightsim.Options{Now: w.clock.Now, Sleep: w.clock.Sleep, Seed: 1, Latency: o.latency, AccessKey: demoKey})
	w.target.SeedExisting(w.existing())
	sys, closeAll, err := open(o.data, connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: demoClient, ClientSecret: secret.Text(demoSecret), RedirectURL: demoRedirect,
			APIURL: "https://api.hubapi.example", AppURL: "https://app.hubspot.example", Version: "2026-09",
		},
		Gainsight:      gainsight.Config{URL: "https://demo.gainsightcloud.example", AccessKey: secret.Text(demoKey)},
		ConnectionName: "HubSpot",
	}, vendors{
		hubspot:   &http.Client{Transport: w.source.Transport()},
		gainsight: &http.Client{Transport: w.target.Transport()},
		now:       w.clock.Now, sleep: w.clock.Sleep, throwaway: true,
	})
	w.sys = sys
	return w, closeAll, err
}

// existing is what Gainsight holds before the first sync: some users that match
// owners, one owner whose username two users have, and companies that came by
// another way.
func (w *stage) existing() gainsightsim.Existing {
	e := gainsightsim.Existing{PortalID: demoPortal, Unrelated: 3}
	for i, owner := range w.portal.Owners() {
		if owner.Archived || i%8 != 1 {
			continue
		}
		e.Users = append(e.Users, gainsightsim.ExistingUser{Email: owner.Email, FirstName: owner.FirstName, LastName: owner.LastName, Twice: i == 9})
	}
	n := 0
	w.portal.Each("companies", func(r hubspotsim.Record) {
		if name, _ := r.Value("name"); n < 5 && name != "" {
			e.Companies = append(e.Companies, gainsightsim.ExistingCompany{HubSpotID: r.ID, Name: strings.ToUpper(name)})
			n++
		}
	})
	return e
}

// play is the demo: authorize, sync, compare, edit, sync, compare.
func (w *stage) play(ctx context.Context) error {
	say(w.out, "Simulated: HubSpot with %s owners, %s companies and %s contacts,\nand Gainsight, with the limits of both.\n",
		number(w.owners), number(w.companies), number(w.contacts))
	say(w.out, "Time runs %g times as fast: %g of the seconds below take one of yours.\nData folder: %s\n", w.speed, w.speed, w.data)
	if err := w.authorize(ctx); err != nil {
		return err
	}
	w.clock.run(w.speed) // not before: the authorization has minutes, which may be no time
	if err := w.sync(ctx, true); err != nil {
		return err
	}
	if _, err := w.compare(ctx, "first sync"); err != nil {
		return err
	}
	say(w.out, "\n")
	e := w.edit()
	say(w.out, "Edited in HubSpot: %s.\n\n", e.told)
	if err := w.clock.Sleep(ctx, time.Minute); err != nil { // the search index follows
		return err
	}
	before := w.target.Written()
	if err := w.sync(ctx, false); err != nil {
		return err
	}
	left, err := w.compare(ctx, "second sync")
	if err != nil {
		return err
	}
	if err := e.minimal(w, before, w.target.Written()); err != nil {
		return err
	}
	say(w.out, "%s\n", verdict(w.all, left))
	return nil
}

// verdict is the worst status of the runs, in a sentence. left is how many
// records are rejected now.
func verdict(all []summary, left int) string {
	if slices.ContainsFunc(all, func(s summary) bool { return s.Status != run.Success }) || left > 0 {
		return fmt.Sprintf("%s: what HubSpot holds is in Gainsight, but for %s.\nEach is in an error file, with the way to correct it.", run.Partial, count(left, "record"))
	}
	return fmt.Sprintf("%s: what HubSpot holds is in Gainsight.", run.Success)
}

// authorize goes through the consent page, which approves at once.
func (w *stage) authorize(ctx context.Context) error {
	c, err := connected(ctx, w.sys, "HubSpot")
	if err != nil {
		return err
	}
	page, err := w.sys.Flow.Begin(ctx, c.ID, operator)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return fmt.Errorf("ask for the authorize page: %w", err)
	}
	resp, err := w.source.Transport().RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask for the authorize page: %w", err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return fmt.Errorf("authorize page: status %d: %w", resp.StatusCode, err)
	}
	q := back.Query()
	if c, err = w.sys.Flow.Callback(ctx, q.Get("code"), q.Get("state"), q.Get("error")); err != nil {
		return err
	}
	say(w.out, "Connected to %s.\n\n", account(c))
	return nil
}

// sync runs User Sync, the first time, and the chain.
func (w *stage) sync(ctx context.Context, users bool) error {
	inputs := []run.Input{{Chain: ootb.ChainName, Cause: "manual execution"}}
	if users && w.owners > 0 {
		inputs = append([]run.Input{{Job: "User Sync_HubSpot", Cause: "manual execution"}}, inputs...)
	}
	for _, in := range inputs {
		all, err := execute(ctx, w.sys, in, w.out, w.clock.Now)
		if err != nil {
			return err
		}
		w.all = append(w.all, all...)
		if err := outcome(all); err != nil {
			return err
		}
	}
	return nil
}
