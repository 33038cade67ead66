package connection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// plainSealer hides nothing, but opens only what was sealed about the same thing.
type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, about map[string]string, plain []byte) ([]byte, error) {
	return append([]byte(fmt.Sprint(about)+"\n"), plain...), nil
}

func (plainSealer) Open(_ context.Context, about map[string]string, sealed []byte) ([]byte, error) {
	head, plain, _ := strings.Cut(string(sealed), "\n")
	if head != fmt.Sprint(about) {
		return nil, fault.New(fault.Invalid, "sealed about something else")
	}
	return []byte(plain), nil
}

type world struct {
	*connection.Store
	schedules *schedule.Store
	log       *activity.Store

	running   bool
	refuse    error // what HubSpot answers to a revocation
	withdrawn []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	var mu sync.Mutex
	n := 0
	newID := func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("%02d", n)
	}
	now := func() time.Time { return start }
	w := &world{log: &activity.Store{Table: items, NewID: newID, Now: now}}
	jobs := &job.Store{Table: items, Activity: w.log, NewID: newID}
	w.schedules = &schedule.Store{Table: items, Activity: w.log}
	w.Store = &connection.Store{
		Table: items, Activity: w.log, Tokens: &token.Store{Table: items, Sealer: plainSealer{}}, Jobs: jobs,
		Chains: &chain.Store{Table: items, Activity: w.log, Jobs: jobs, NewID: newID}, NewID: newID, Now: now,
		Withdraw: func(_ context.Context, t token.Token) error {
			w.withdrawn = append(w.withdrawn, t.Refresh.Expose())
			return w.refuse
		},
		Running: func(context.Context, string) (bool, error) { return w.running, nil },
	}
	return w
}

func (w *world) create(t *testing.T, name string) connection.Connection {
	t.Helper()
	c, err := w.Create(t.Context(), name, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) authorize(t *testing.T, id string) connection.Connection {
	t.Helper()
	c, err := w.Authorized(t.Context(), id, granted(90210, "r1"), "ann")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func granted(portal int64, refresh string) token.Token {
	return token.Token{
		Access: "a", Refresh: secret.Text(refresh), PortalID: portal, Domain: "acme.example",
		Scopes: []string{"oauth", "crm.objects.contacts.read"}, Expires: start.Add(time.Hour),
	}
}

// updates are the activity's lines of connections, oldest first.
func (w *world) updates(t *testing.T) []string {
	t.Helper()
	list, _, err := w.log.Updates(t.Context(), start, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range list {
		var before, after connection.Connection
		_ = json.Unmarshal(u.Before, &before)
		_ = json.Unmarshal(u.After, &after)
		line := fmt.Sprintf("%s %s %s %q", u.By, u.Type, u.What, u.Name)
		if u.What == "connection" {
			line += fmt.Sprintf(": %s>%s", before.Status, after.Status)
		}
		lines = append([]string{line}, lines...)
	}
	return lines
}

func TestConnectionGoesThroughItsLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.create(t, " HubSpot ")
	usable := func(want string) {
		t.Helper()
		err := w.Usable(ctx, c.ID)
		if want == "" && err != nil || want != "" && (!fault.Is(err, fault.Reauthorize) || !strings.Contains(fault.MessageOf(err), want)) {
			t.Errorf("Usable: %v, want %q", err, want)
		}
	}
	usable(`The connection "HubSpot" is not authorized yet.`)
	if err := w.NeedsReauthorization(ctx, c.ID); err != nil { // there is nothing to lose yet
		t.Error(err)
	}
	w.authorize(t, c.ID)
	usable("")
	for range 2 {
		if err := w.NeedsReauthorization(ctx, c.ID); err != nil {
			t.Fatal(err)
		}
	}
	usable("Re-authorize it under Connections.")
	w.authorize(t, c.ID)
	usable("")
	for range 2 {
		if _, err := w.Revoke(ctx, c.ID, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	usable(`The connection "HubSpot" is revoked`)
	if err := w.NeedsReauthorization(ctx, c.ID); err != nil { // a refresh that came too late
		t.Error(err)
	}
	usable(`The connection "HubSpot" is revoked`)
	if _, err := w.Tokens.Get(ctx, c.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the token of a revoked connection: %v", err)
	}
	if diff := cmp.Diff([]string{"r1"}, w.withdrawn); diff != "" {
		t.Errorf("revoked at HubSpot (-want +got):\n%s", diff)
	}
	w.authorize(t, c.ID)
	got, err := w.Get(ctx, c.ID)
	want := connection.Connection{
		ID: c.ID, Name: "HubSpot", Status: connection.Active, PortalID: 90210, Domain: "acme.example",
		Scopes: []string{"oauth", "crm.objects.contacts.read"}, Created: start, Version: 6,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("connection: %v (-want +got):\n%s", err, diff)
	}
	lines := []string{
		`ann created connection "HubSpot": >Not authorized`,
		`ann authorized connection "HubSpot": Not authorized>Active`,
		`system needs re-authorization connection "HubSpot": Active>Needs re-authorization`,
		`ann authorized connection "HubSpot": Needs re-authorization>Active`,
		`bob revoked connection "HubSpot": Active>Revoked`,
		`ann authorized connection "HubSpot": Revoked>Active`,
	}
	if diff := cmp.Diff(lines, w.updates(t)); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}

func TestSecondConnectionIsRefusedWithTheReason(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "HubSpot")
	_, err := w.Create(ctx, "Other", "ann")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.MessageOf(err), `Only one connection is possible, and "HubSpot" exists.`) {
		t.Errorf("got %v", err)
	}
	w.Limit = 2
	if _, err := w.Create(ctx, "hubspot", "ann"); !fault.Is(err, fault.Invalid) {
		t.Errorf("the same name: %v", err)
	}
	w.create(t, "Other")
	if _, err := w.Create(ctx, "Third", "ann"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a third: %v", err)
	}
	list, err := w.List(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "HubSpot" || list[1].Name != "Other" {
		t.Errorf("List: %v, %v", list, err)
	}
}

func TestOfManyWhoCreateAtOnceOneSucceeds(t *testing.T) {
	w := newWorld(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = w.Create(context.Background(), fmt.Sprint("HubSpot ", i), "ann")
		})
	}
	wg.Wait()
	created := 0
	for _, err := range errs {
		switch {
		case err == nil:
			created++
		case !fault.Is(err, fault.Conflict):
			t.Errorf("got %v, want a conflict", err)
		}
	}
	list, err := w.List(t.Context())
	if created != 1 || len(list) != 1 || err != nil {
		t.Errorf("%d created, %d stored, %v", created, len(list), err)
	}
}

func TestAnotherAccountIsRefused(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.create(t, "HubSpot")
	w.authorize(t, c.ID)
	_, err := w.Authorized(ctx, c.ID, granted(555, "other"), "ann")
	if message := fault.MessageOf(err); !fault.Is(err, fault.Conflict) || !strings.Contains(message, "90210") || !strings.Contains(message, "555") {
		t.Errorf("got %v, want both account ids", err)
	}
	stored, err := w.Tokens.Get(ctx, c.ID)
	if err != nil || stored.Refresh.Expose() != "r1" {
		t.Errorf("the token of the right account is gone: %v", err)
	}
	if _, err := w.Authorized(ctx, c.ID, granted(0, "x"), "ann"); err == nil {
		t.Error("a token of no account was taken")
	}
}

func TestUntouchedJobsFollowARename(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.create(t, "HubSpot")
	for _, j := range []job.Job{
		{ID: "j1", Name: "Company Sync_HubSpot", OOTB: "Company Sync"},
		{ID: "j2", Name: "My users", OOTB: "User Sync"},
		{ID: "j3", Name: "Deals_HubSpot"},
		{ID: "j4", Name: "Company Person Sync_HubSpot", OOTB: "Company Person Sync", Missing: []job.Missing{{Label: "x"}}},
	} {
		j.Connection = c.ID
		if err := w.Table.Write(ctx, w.Jobs.SaveOps(nil, j, "system")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Rename(ctx, c.ID, "Acme CRM", "bob"); err != nil {
		t.Fatal(err)
	}
	jobs, err := w.Jobs.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range jobs {
		names = append(names, j.ID+" "+j.Name)
		if j.Edited {
			t.Errorf("%s counts as edited", j.Name)
		}
	}
	if diff := cmp.Diff([]string{"j4 Company Person Sync_Acme CRM", "j1 Company Sync_Acme CRM", "j3 Deals_HubSpot", "j2 My users"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if _, err := w.Jobs.Find(ctx, "company sync_acme crm"); err != nil {
		t.Error(err)
	}
	if _, err := w.Rename(ctx, c.ID, "Acme CRM", "bob"); err != nil { // again
		t.Error(err)
	}
	if got := len(w.updates(t)); got != 4+1+1+2 {
		t.Errorf("%d updates, want 8", got)
	}
}

func TestDeleteTakesJobsChainsAndSchedulesAlong(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.create(t, "HubSpot")
	w.authorize(t, c.ID)
	var ids []string
	for _, name := range []string{"A", "B"} {
		j, err := w.Jobs.Save(ctx, job.Job{Name: name, Connection: c.ID, Mapping: mapping.Config{Source: "deal"}}, "ann")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	ch, err := w.Chains.Save(ctx, chain.Chain{Name: "Nightly", Jobs: ids}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []schedule.Owner{{What: schedule.Chain, ID: ch.ID}, {What: schedule.Job, ID: ids[0]}} {
		if _, err := w.schedules.Put(ctx, o, schedule.Schedule{Kind: schedule.Hourly, At: "00:00", Zone: "UTC"}, "ann"); err != nil {
			t.Fatal(err)
		}
	}

	w.running = true
	if err := w.Delete(ctx, c.ID, "bob"); !fault.Is(err, fault.Conflict) || w.Usable(ctx, c.ID) != nil {
		t.Fatalf("deleted while a run is active: %v", err)
	}
	w.running = false
	w.refuse = fault.New(fault.Transient, "HubSpot did not answer.")
	if err := w.Delete(ctx, c.ID, "bob"); !fault.Is(err, fault.Transient) {
		t.Fatalf("got %v, want that HubSpot did not answer", err)
	}
	if err := w.Usable(ctx, c.ID); !fault.Is(err, fault.Reauthorize) {
		t.Errorf("half deleted it can be used: %v", err)
	}
	w.refuse = fault.New(fault.Reauthorize, "HubSpot does not know this token.")
	if err := w.Delete(ctx, c.ID, "bob"); err != nil {
		t.Fatal(err)
	}

	jobs, _ := w.Jobs.List(ctx)
	chains, _ := w.Chains.List(ctx)
	schedules, _ := w.schedules.List(ctx)
	list, _ := w.List(ctx)
	if len(jobs)+len(chains)+len(schedules)+len(list) != 0 {
		t.Errorf("left: %v %v %v %v", jobs, chains, schedules, list)
	}
	if _, err := w.Tokens.Get(ctx, c.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the token is left: %v", err)
	}
	if err := w.Delete(ctx, c.ID, "bob"); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleting again: %v", err)
	}
	lines := w.updates(t)
	want := []string{
		`bob revoked connection "HubSpot": Active>Revoked`, `bob deleted chain "Nightly"`, `bob deleted job "A"`, `bob deleted job "B"`,
		`bob deleted connection "HubSpot": Revoked>`,
	}
	if diff := cmp.Diff(want, lines[len(lines)-5:]); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
	w.create(t, "HubSpot") // there is room again
}
