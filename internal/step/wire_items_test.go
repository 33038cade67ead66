package step_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/oauth"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// bare seals nothing, so that what was sealed can be read here.
type bare struct{}

func (bare) Seal(_ context.Context, _ map[string]string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (bare) Open(_ context.Context, _ map[string]string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// oldTable is a table in which each item stands as an earlier version wrote it.
func oldTable(t *testing.T) (table.Table, []string) {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	files, err := filepath.Glob("testdata/wire/items/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var old struct {
			Partition string          `json:"partition"`
			Sort      string          `json:"sort"`
			Doc       json.RawMessage `json:"doc"`
		}
		if err := json.Unmarshal(text, &old); err != nil {
			t.Fatal(err)
		}
		if _, err := items.Put(t.Context(), table.Item{Key: table.Key{Partition: old.Partition, Sort: old.Sort}, Doc: old.Doc}, table.Absent()); err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	return items, names
}

// when the old items were written, to the minute.
var when = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// aggregate reads an item through the store that keeps it.
type aggregate struct {
	read func(context.Context, table.Table) (any, error)
	want any
}

// aggregates :: file name → who reads it, and what stands in it
func aggregates() map[string]aggregate {
	connections := func(t table.Table) *connection.Store { return &connection.Store{Table: t} }
	hubspot := connection.Connection{
		ID: "c1", Name: "HubSpot", Status: connection.Active, PortalID: 90210, Domain: "customer.example",
		Scopes: []string{"oauth", "tickets"}, Created: when, Equipped: true, Version: 1,
	}
	contacts := job.Job{
		ID: "j1", Name: "Company Sync_HubSpot", Connection: "c1",
		Mapping: mapping.Config{
			Source: "contact", Target: "company_person",
			Fields:  []mapping.Field{{Name: "vid", Label: "vid", Property: "hs_object_id"}, {Name: "associatedcompanyid", Label: "Associated Company ID"}},
			Direct:  []mapping.Direct{{From: "vid", To: "Hubspot_Contact_ID__gc", Identifier: true}},
			Derived: []mapping.Derived{{To: "Company_ID", Object: "company", Match: []mapping.Pair{{From: "associatedcompanyid", Field: "HubSpot_Account_ID_90210__gc"}}, Multiple: "error", None: "reject"}},
		},
		Options: job.Options{DeactivateLeavers: true}, Missing: []job.Missing{{Object: "Company", Label: "Size", Type: record.Type("number")}},
		OOTB: "Company Sync", Edited: true, Version: 1,
	}
	both := chain.Chain{ID: "h1", Name: "HUBSPOT_Company Person Sync", Jobs: []string{"j1", "j2"}, OnFailure: chain.Stop, Version: 1}
	jobs := func(t table.Table) *job.Store { return &job.Store{Table: t} }
	chains := func(t table.Table) *chain.Store { return &chain.Store{Table: t} }
	schedules := func(t table.Table) *schedule.Store { return &schedule.Store{Table: t} }
	leases := func(t table.Table) *lease.Store { return &lease.Store{Table: t} }
	history := func(t table.Table) *activity.Store { return &activity.Store{Table: t} }
	return map[string]aggregate{
		"connection":       {func(ctx context.Context, t table.Table) (any, error) { return connections(t).Get(ctx, "c1") }, hubspot},
		"connection-index": {func(ctx context.Context, t table.Table) (any, error) { return connections(t).List(ctx) }, []connection.Connection{hubspot}},
		"token": {func(ctx context.Context, t table.Table) (any, error) {
			got, err := (&token.Store{Table: t, Sealer: bare{}}).Get(ctx, "c1")
			return []any{got.Access.Expose(), got.Refresh.Expose(), got.Issued, got.Expires, got.PortalID, got.Domain, got.Scopes, got.Version}, err
		}, []any{"a", "r", when, when.Add(30 * time.Minute), int64(90210), "customer.example", []string{"oauth"}, int64(1)}},
		"prints": {func(ctx context.Context, t table.Table) (any, error) {
			return (&delta.Store{Table: t}).Prints(ctx, "j1", []string{"711", "712", "713"})
		}, map[string]delta.Print{
			"711": {
				Hash: "di7jLDg31sBo", Version: 1764000000000, Seen: 1764000000000, Read: 1764000100000, GSID: "1P02ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
				Filled: []string{"Name"}, Run: "01J00000000000000000000001", Outcome: run.Inserted, Stored: 1,
			},
			"712": {Sending: "01J00000000000000000000001", Tried: true, Stored: 1},
		}},
		"job": {func(ctx context.Context, t table.Table) (any, error) { return jobs(t).Get(ctx, "j1") }, contacts},
		"job-name": {func(ctx context.Context, t table.Table) (any, error) {
			return jobs(t).Find(ctx, "Company Sync_HubSpot")
		}, contacts},
		"chain": {func(ctx context.Context, t table.Table) (any, error) { return chains(t).Get(ctx, "h1") }, both},
		"chain-name": {func(ctx context.Context, t table.Table) (any, error) {
			return chains(t).Find(ctx, "HubSpot_Company Person Sync")
		}, both},
		"schedule": {func(ctx context.Context, t table.Table) (any, error) {
			return schedules(t).Get(ctx, schedule.Owner{What: "chain", ID: "h1"})
		}, schedule.Schedule{
			Enabled: true, Kind: schedule.Weekly, Days: []schedule.Day{schedule.Monday, schedule.Friday}, At: "06:30", Zone: "Europe/Berlin",
			Start: "2026-11-30", End: "2027-11-30", Version: 1,
		}},
		"schedule-interval": {func(ctx context.Context, t table.Table) (any, error) {
			return schedules(t).Get(ctx, schedule.Owner{What: "job", ID: "j1"})
		}, schedule.Schedule{Enabled: true, Kind: schedule.Minutes, Every: 15, At: "06:30", Zone: "Europe/Berlin", Version: 1}},
		"lease": {
			func(ctx context.Context, t table.Table) (any, error) { return leases(t).Of(ctx, "j1#changes", "run1") },
			lease.Lease{Name: "j1#changes", Owner: "run1", Fence: 1},
		},
		"lease-free": {
			func(ctx context.Context, t table.Table) (any, error) {
				return leases(t).Acquire(ctx, "j2#changes", "run2")
			},
			lease.Lease{Name: "j2#changes", Owner: "run2", Fence: 2},
		},
		"budget": {func(ctx context.Context, t table.Table) (any, error) {
			return used(ctx, t, "gainsight-calls", time.UnixMilli(29926109*60_000), budget.Window{Calls: 100, Per: time.Minute, Fixed: true}, budget.Window{Calls: 50000, Per: 24 * time.Hour, Fixed: true})
		}, []int{10, 52}},
		"budget-rolling": {func(ctx context.Context, t table.Table) (any, error) {
			slot := 10 * time.Second / 512
			return used(ctx, t, "hubspot-objects", time.Unix(0, 0).Add(slot*91933008870), budget.Window{Calls: 110, Per: 10 * time.Second})
		}, []int{4}},
		"execution": {func(ctx context.Context, t table.Table) (any, error) {
			list, _, err := history(t).Executions(ctx, when, 0, "")
			return list, err
		}, []activity.Execution{{
			RunID: "run1", JobID: "j1", Job: "Company Sync_HubSpot", Chain: "C", Connection: "c1", Cause: "schedule", Status: "Partial Success",
			Started: when, Ended: when.Add(5 * time.Minute), Counts: activity.Counts{Extracted: 15, Filtered: 1, Inserted: 2, Updated: 3, Unchanged: 4, Rejected: 5},
			ErrorFile: "errors/run1.csv", Reason: "No.",
		}}},
		"update": {func(ctx context.Context, t table.Table) (any, error) {
			list, _, err := history(t).Updates(ctx, when, 0, "")
			return list, err
		}, []activity.Update{{
			At: when.Add(-time.Hour), By: "jane", What: "job", ID: "j1", Name: "Company Sync_HubSpot", Type: activity.Edited,
			Before: json.RawMessage(`{"name":"Old"}`), After: json.RawMessage(`{"name":"New"}`),
		}}},
		"person": {func(ctx context.Context, t table.Table) (any, error) { return (&person.Store{Table: t}).Keys(ctx) }, []string{"Email", "ExternalID"}},
		"avatar": {
			func(ctx context.Context, t table.Table) (any, error) {
				return (&avatar.Store{Table: t}).List(ctx, "c1")
			},
			[]avatar.Avatar{{Owner: "41629779", UserGSID: "1P01", By: "job"}},
		},
		"state": {authorized, []string{"c1", "jane"}},
	}
}

// used returns how many calls of each window an old budget counts at a time.
func used(ctx context.Context, t table.Table, name string, now time.Time, windows ...budget.Window) (any, error) {
	b := &budget.Budget{Table: t, Name: name, Vendor: "V", Windows: windows, Now: func() time.Time { return now }}
	usage, err := b.Usage(ctx)
	var calls []int
	for _, u := range usage {
		calls = append(calls, u.Calls)
	}
	return calls, err
}

// authorized comes back from HubSpot with a state that an earlier version gave
// out, and returns which connection was authorized, and by whom.
func authorized(ctx context.Context, t table.Table) (any, error) {
	now := func() time.Time { return when.AddDate(0, 1, 0) }
	history := &activity.Store{Table: t, Now: now, NewID: func() string { return "new" }}
	connections := &connection.Store{Table: t, Activity: history, Tokens: &token.Store{Table: t, Sealer: bare{}}, Now: now}
	flow := &oauth.Flow{Table: t, Connections: connections, Now: now, Exchange: func(context.Context, string) (token.Token, error) {
		return token.Token{PortalID: 90210, Domain: "other.example"}, nil
	}}
	c, err := flow.Callback(ctx, "code", "s1", "")
	if err != nil {
		return nil, err
	}
	updates, _, err := history.Updates(ctx, now(), 0, "")
	if err != nil || len(updates) != 1 {
		return updates, err
	}
	return []string{c.ID, updates[0].By}, nil
}

// Items of the previous version are in the table after a deploy: each must say
// what it said.
func TestOldItemsAreReadWhole(t *testing.T) {
	_, names := oldTable(t)
	all := aggregates()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			a, known := all[name]
			if !known {
				t.Fatalf("nobody reads %s", name)
			}
			items, _ := oldTable(t)
			got, err := a.read(t.Context(), items)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for name := range all {
		if !slices.Contains(names, name) {
			t.Errorf("no file shows an item of %s", name)
		}
	}
}
