package hubspot_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// simulated is a client with all that it works with in production, connected to
// a simulated HubSpot through the consent page.
type simulated struct {
	client *hubspot.Client
	sim    *hubspotsim.Sim
	portal *hubspotsim.Portal
}

func simulate(t *testing.T, o hubspotsim.Options) *simulated {
	t.Helper()
	const redirect = "http://localhost:8080/callback"
	o.AutoApprove = true
	sim := hubspotsim.New(o)
	sim.AddApp("app-1", canary, []string{redirect})
	portal := sim.AddPortal(90210, "customer.example")
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	sealer, err := filesealer.Open(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	rolling := func(name string, calls int, per time.Duration) *budget.Budget {
		return &budget.Budget{Table: items, Name: name, Windows: []budget.Window{{Calls: calls, Per: per}}}
	}
	c := &hubspot.Client{
		Config: hubspot.Config{
			ClientID: "app-1", ClientSecret: canary, APIURL: "https://api.hubspot.example", AppURL: "https://app.hubspot.example", RedirectURL: redirect,
		},
		API: apiclient.Client{
			HTTP:   &http.Client{Transport: sim.Transport()},
			Jitter: func() float64 { return 0.5 },
			Budgets: map[string]*budget.Budget{
				hubspot.BudgetObjects:      rolling("objects", 110, 10*time.Second),
				hubspot.BudgetSearch:       rolling("search", 5, time.Second),
				hubspot.BudgetAssociations: rolling("associations", 100, 10*time.Second),
			},
		},
	}
	store := &token.Store{Table: items, Sealer: sealer}
	c.Tokens = &token.Broker{Store: store, Leases: &lease.Store{Table: items}, Refresh: c.Refresh}
	granted, err := c.Exchange(t.Context(), authorize(t, c, sim))
	if err != nil {
		t.Fatal(err)
	}
	if granted.PortalID != 90210 || granted.Domain != "customer.example" {
		t.Errorf("authorized for portal %d, %s", granted.PortalID, granted.Domain)
	}
	if err := store.Put(t.Context(), "c1", granted); err != nil {
		t.Fatal(err)
	}
	return &simulated{client: c, sim: sim, portal: portal}
}

// authorize goes through the consent page, as a browser does, and returns the
// code.
func authorize(t *testing.T, c *hubspot.Client, sim *hubspotsim.Sim) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.AuthorizeURL("state-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sim.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || back.Query().Get("state") != "state-1" {
		t.Fatalf("status %d, redirect %s, %v", resp.StatusCode, back, err)
	}
	return back.Query().Get("code")
}

// all reads a query to its end, waiting where it is told to.
func (s *simulated) all(t *testing.T, q record.Query) []record.Record {
	t.Helper()
	var all []record.Record
	for {
		page, err := s.client.Page(t.Context(), "c1", q)
		if fault.Is(err, fault.Throttled) {
			time.Sleep(time.Until(fault.ResumeAt(err)))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Records...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

func TestASimulatedPortalIsReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, hubspotsim.Options{Disorder: 3, Latency: 100 * time.Millisecond})
		hubspotsim.Seed(s.portal, hubspotsim.DemoOptions{Owners: 20, Companies: 300, Contacts: 1500})
		q := record.Query{Object: "0-1", Properties: []string{"email", "associatedcompanyid"}, Associations: []record.Association{{As: "Company", Object: "0-2"}}}
		truth := map[string][2]string{} // :: contact → e-mail, primary company
		s.portal.Each("contacts", func(r hubspotsim.Record) {
			var want [2]string
			if email, ok := r.Value("email"); ok {
				want[0] = email
			}
			for company, labels := range s.portal.Associated("contacts", r.ID, "companies") {
				if slices.Contains(labels, "Primary") {
					want[1] = company
				}
			}
			truth[r.ID] = want
		})
		listed := s.all(t, q)
		q.Since, q.Until = time.Now().Add(-10*365*24*time.Hour), time.Now()
		searched := s.all(t, q)
		got := map[string][2]string{}
		for _, r := range listed {
			got[r.ID] = [2]string{r.Text("email"), r.Text("Company")}
		}
		if diff := cmp.Diff(truth, got); diff != "" || len(listed) != len(truth) {
			t.Errorf("%d records: %s", len(listed), diff)
		}
		if diff := cmp.Diff(listed, searched); diff != "" {
			t.Errorf("list and search differ: %s", diff)
		}
		if _, known := truth[listed[0].ID]; !known || truth[listed[0].ID][1] == "" {
			t.Errorf("the truth has no company for %s", listed[0].ID)
		}
		if n := s.sim.Throttled(); n != 0 {
			t.Errorf("%d calls were throttled", n)
		}
	})
}

func TestASimulatedPortalIsReadThroughFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Tokens live for a minute only, one call in four is spoiled.
		s := simulate(t, hubspotsim.Options{TokenLife: time.Minute, Latency: time.Second})
		hubspotsim.Seed(s.portal, hubspotsim.DemoOptions{Owners: 5, Companies: 2000, Contacts: 100})
		spoil := []hubspotsim.Fault{
			{Status: 502, Body: "<html>" + canary},
			{After: true},
			{Truncate: 3},
			{Truncate: 7},
			{Before: true},
			{Status: 524, Body: "<html>"},
			{Status: 500},
			{Status: 423},
			*hubspotsim.TooMany("SECONDLY"),
			{Status: 401, Body: `{"category":"EXPIRED_AUTHENTICATION"}`},
		}
		s.sim.SetFault(func(r *http.Request, call int) *hubspotsim.Fault {
			if call%4 != 0 || strings.HasPrefix(r.URL.Path, "/oauth") {
				return nil
			}
			return &spoil[call/4%len(spoil)]
		})
		want := 0
		s.portal.Each("companies", func(r hubspotsim.Record) {
			if !r.Archived {
				want++
			}
		})
		seen := map[string]bool{}
		for _, r := range s.all(t, record.Query{Object: "0-2", Properties: []string{"name"}}) {
			if seen[r.ID] {
				t.Errorf("record %s arrived twice", r.ID)
			}
			seen[r.ID] = true
		}
		if len(seen) != want {
			t.Errorf("%d records, want %d", len(seen), want)
		}
	})
}

func TestASimulatedSchemaAndOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, hubspotsim.Options{})
		hubspotsim.Seed(s.portal, hubspotsim.DemoOptions{Owners: 20, Companies: 1, Contacts: 1})
		for object, field := range map[string]string{"0-1": "email", "0-2": "name"} {
			schema, err := s.client.Schema(t.Context(), "c1", object)
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := schema.Field(field); !ok || f.Type != record.String {
				t.Errorf("%s of %s: %v, %t", field, object, f, ok)
			}
			if f, _ := schema.Field("hs_object_id"); f.Type != record.String {
				t.Errorf("ids of %s are %s", object, f.Type)
			}
		}
		var want, got []string
		for _, o := range s.portal.Owners() {
			want = append(want, fmt.Sprintf("%s %t", o.ID, o.Archived || o.Inactive))
		}
		for _, r := range s.all(t, record.Query{Object: "owner"}) {
			got = append(got, fmt.Sprintf("%s %t", r.ID, r.Archived))
		}
		if len(want) < 20 {
			t.Fatalf("%d owners", len(want))
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
			t.Error(diff)
		}
		if _, err := s.client.Schema(t.Context(), "c1", "butterflies"); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown object: %v", err)
		}
		if account, err := s.client.Account(t.Context(), "c1"); err != nil || account.PortalID != 90210 {
			t.Errorf("account %v, %v", account, err)
		}
	})
}

func TestRecordsThatAreGoneSayHow(t *testing.T) {
	now := time.Now()
	sim := simulate(t, hubspotsim.Options{Now: func() time.Time { return now }})
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		sim.portal.Create("companies", map[string]string{"hs_object_id": id, "name": "Company " + id})
	}
	sim.portal.Archive("companies", "2")
	sim.portal.Purge("companies", "3")
	survivor := sim.portal.Merge("companies", "4", "5")
	gone, err := sim.client.Gone(t.Context(), "c1", "0-2", []string{"2", "3", "4", "5", "99"})
	if err != nil {
		t.Fatal(err)
	}
	want := []record.Record{
		{ID: "2", Gone: record.Archived},
		{ID: "3", Gone: record.Deleted},
		{ID: "4", Gone: record.Merged, Into: survivor},
		{ID: "5", Gone: record.Merged, Into: survivor},
		{ID: "99", Gone: record.Deleted},
	}
	if d := cmp.Diff(want, gone); d != "" {
		t.Errorf("gone (-want +got):\n%s", d)
	}
	if _, err := sim.client.Gone(t.Context(), "c1", "0-2", []string{"1"}); !fault.Is(err, fault.Transient) {
		t.Errorf("a record that is there: %v, want it tried again", err)
	}
	now = now.Add(time.Hour)
	since := now
	sim.portal.Archive("companies", "6")
	page, err := sim.client.Page(t.Context(), "c1", record.Query{Object: "0-2", Properties: []string{"name"}, ArchivedSince: since})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]record.Record{{ID: "6", Gone: record.Archived}}, page.Records); d != "" || page.Next != "" {
		t.Errorf("archived since then (-want +got), next %q:\n%s", page.Next, d)
	}
}
