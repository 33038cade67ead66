package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/truth"
)

const (
	portalID     = 90210
	clientID     = "c0ffee00-client"
	clientSecret = "canary-client-secret"
	accessKey    = "canary-access-key"
	m2mSecret    = "canary-m2m-secret"
	redirectURL  = "http://localhost:8976/oauth/callback"
)

// options say how both vendors speak, and what they hold.
type options struct {
	source hubspotsim.Options
	target gainsightsim.Switches
	m2m    bool
	empty  bool // no rows in Gainsight before the first sync
}

// world is both vendors and a connector between them.
type world struct {
	t      *testing.T
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	table  table.Table
	sys    *inprocess.System
	ids    int
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t}
	o.source.AutoApprove, o.source.Seed = true, 7
	o.source.Limits.Search = hubspotsim.Limit{Calls: 1000, Per: time.Second} // the tests do not wait
	w.source = hubspotsim.New(o.source)
	w.source.AddApp(clientID, clientSecret, []string{redirectURL})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 4, Companies: 12, Contacts: 16})
	w.target = gainsightsim.New(gainsightsim.Options{
		AccessKey: accessKey, ClientID: "m2m", ClientSecret: m2mSecret, Switches: o.target, Limits: gainsightsim.Limits{Off: true},
	})
	w.prepare(o.empty)
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "table.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	w.table = items
	files, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	settings := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL,
			APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight:      gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: accessKey},
		ConnectionName: "HS",
	}
	settings.Limits.HubSpotSearch.Calls, settings.Limits.HubSpotSearch.Per = 1000, time.Second
	settings.Limits.Gainsight.Calls, settings.Limits.Gainsight.Per, settings.Limits.Gainsight.Fixed = 100_000, time.Minute, true
	if o.m2m {
		settings.Gainsight = gainsight.Config{URL: "https://acme.gainsight.test", ClientID: "m2m", ClientSecret: m2mSecret}
	}
	w.sys, err = inprocess.New(settings, connector.Ports{
		Table: items, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		HubSpotHTTP:   &http.Client{Transport: w.source.Transport()},
		GainsightHTTP: &http.Client{Transport: w.target.Transport()},
		NewID:         func() string { w.ids++; return fmt.Sprintf("01J00000000000000000%06d", w.ids) },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sys.Close)
	return w
}

// prepare gives the organisation its fields, and rows in mixed case: a company
// and a user that exist in HubSpot too, and companies that do not.
func (w *world) prepare(empty bool) {
	w.target.Prepare(portalID)
	for _, f := range []gainsightsim.Field{
		{Name: "Seen__gc", Label: "Seen", DataType: "DATETIME", Nillable: true},
		{Name: "Topics__gc", Label: "Topics", DataType: "MULTISELECTDROPDOWNLIST", Nillable: true, Options: []string{"Red", "Blue", "Green"}},
	} {
		w.target.AddField("company", f)
	}
	if empty {
		return
	}
	for i := range 25 {
		w.target.Insert("company", map[string]any{"Name": fmt.Sprintf("Elsewhere %d", i)})
	}
	for _, o := range w.portal.Owners() {
		if !o.Archived {
			w.target.Insert("gsuser", map[string]any{
				"Name": "Typed", "Email": o.Email, "SFDCUserName": strings.ToUpper(o.Email), "FirstName": "Typed", "IsActiveUser": true,
			})
			break
		}
	}
}

// doctor examines with the connector's clients.
func (w *world) doctor(write bool) *doctor.Doctor {
	return &doctor.Doctor{HubSpot: w.sys.HubSpot, Gainsight: w.sys.Gainsight, Store: w.sys.Found, Write: write}
}

// authorize goes through the consent page. The connection may lack its jobs if
// Gainsight speaks in a way that is not known yet.
func (w *world) authorize() connection.Connection {
	w.t.Helper()
	ctx := w.t.Context()
	c, err := w.sys.Connections.Create(ctx, "HS", "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	page, err := w.sys.Flow.Begin(ctx, c.ID, "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := w.source.Consent(ctx, page)
	if err != nil {
		w.t.Fatal(err)
	}
	c, _ = w.sys.Flow.Callback(ctx, back.Get("code"), back.Get("state"), "")
	if c.Status != connection.Active {
		w.t.Fatalf("the connection is %+v", c)
	}
	return c
}

// examineAll examines both vendors, and connects them between.
func (w *world) examineAll(write bool) map[string]doctor.Finding {
	w.t.Helper()
	d := w.doctor(write)
	organisation, err := d.Organisation(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.authorize()
	account, err := d.Account(w.t.Context(), doctor.Connection{ID: c.ID, PortalID: c.PortalID, Scopes: c.Scopes})
	if err != nil {
		w.t.Fatal(err)
	}
	return byID(w.t, organisation, account)
}

// byID are the findings by their ids. They hold no secrets and no values.
func byID(t *testing.T, reports ...doctor.Report) map[string]doctor.Finding {
	t.Helper()
	all := map[string]doctor.Finding{}
	for _, r := range reports {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"canary", "Elsewhere", "@us.", "customer.example", "CKfs"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("the report holds %q: %s", secret, text)
			}
		}
		for _, f := range r.Findings {
			if _, twice := all[f.ID]; twice || f.Assumption == "" || f.Does == "" || (f.Found == "") != (f.Verdict == doctor.Unchecked) {
				t.Errorf("finding %+v", f)
			}
			all[f.ID] = f
		}
	}
	return all
}

// sync syncs owners, companies and contacts, and compares both sides. It returns
// what is wrong, "" if nothing is.
func (w *world) sync(ctx context.Context) string {
	w.t.Helper()
	for _, c := range must(w.sys.Connections.List(ctx)) {
		if err := w.sys.Ready.Ready(ctx, c.ID); err != nil {
			return err.Error()
		}
	}
	var wrong []string
	for _, in := range []run.Input{{Job: "User Sync_HS"}, {Chain: ootb.ChainName}, {Chain: ootb.ChainName, Mode: run.ModeFull}} {
		in.Cause = "test"
		if in.Mode == "" {
			in.Mode = run.ModeChanges
		}
		res, err := w.sys.Run(ctx, in, nil)
		if err != nil {
			return err.Error()
		}
		for _, r := range res.Runs {
			if r.Status != run.Success && r.Status != run.Partial {
				wrong = append(wrong, fmt.Sprintf("%s: %s %s", r.JobName, r.Status, r.Reason))
			}
		}
	}
	wrong = append(wrong, truth.Compare(w.portal, w.target, true).Problems...)
	slices.Sort(wrong)
	return strings.Join(wrong, "\n")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
