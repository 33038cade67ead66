package connector_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/schedule/localscheduler"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// unreliable is a scheduler that can be out of reach.
type unreliable struct {
	localscheduler.Scheduler

	down bool
}

func (u *unreliable) Put(ctx context.Context, o schedule.Owner, s schedule.Schedule) error {
	if u.down {
		return fault.New(fault.Throttled, "Not now.")
	}
	return u.Scheduler.Put(ctx, o, s)
}

// deployed is a connector with a connection, two jobs and a chain of both.
type deployed struct {
	*connector.Connector

	t         *testing.T
	scheduler *unreliable
	log       *strings.Builder
	conn      connection.Connection
	chain     chain.Chain
}

func deploy(t *testing.T) *deployed {
	t.Helper()
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	d := &deployed{t: t, scheduler: &unreliable{}, log: &strings.Builder{}}
	accepts := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
	})
	d.Connector = connector.New(connector.Settings{}, connector.Ports{
		Table: items, Sealer: sealer, Scheduler: d.scheduler, Log: slog.New(slog.NewTextHandler(d.log, nil)),
		HubSpotHTTP: &http.Client{Transport: accepts}, NewID: func() string { n++; return fmt.Sprintf("%026d", n) },
	})
	if d.conn, err = d.Connections.Create(t.Context(), "HubSpot", "admin"); err != nil {
		t.Fatal(err)
	}
	d.authorize()
	for _, id := range []string{"companies", "people"} {
		ops := d.Jobs.SaveOps(nil, job.Job{ID: id, Name: id, Connection: d.conn.ID}, "admin")
		if err := d.Jobs.Table.Write(t.Context(), ops); err != nil {
			t.Fatal(err)
		}
	}
	if d.chain, err = d.Chains.Save(t.Context(), chain.Chain{Name: "both", Jobs: []string{"companies", "people"}}, "admin"); err != nil {
		t.Fatal(err)
	}
	return d
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (d *deployed) authorize() {
	d.t.Helper()
	_, err := d.Connections.Authorized(d.t.Context(), d.conn.ID, token.Token{Access: "a", Refresh: "r", PortalID: 7, Expires: time.Now().Add(time.Hour)}, "admin")
	if err != nil {
		d.t.Fatal(err)
	}
}

func jobOf(id string) schedule.Owner { return schedule.Owner{What: schedule.Job, ID: id} }

func (d *deployed) ofChain() schedule.Owner {
	return schedule.Owner{What: schedule.Chain, ID: d.chain.ID}
}

// set stores a daily schedule, enabled or not.
func (d *deployed) set(o schedule.Owner, enabled bool) {
	d.t.Helper()
	stored, err := d.Schedules.Get(d.t.Context(), o)
	if err != nil && !fault.Is(err, fault.NotFound) {
		d.t.Fatal(err)
	}
	s := schedule.Schedule{Enabled: enabled, Kind: schedule.Daily, At: "06:30", Zone: "UTC", Version: stored.Version}
	if _, err := d.Schedules.Put(d.t.Context(), o, s, "admin"); err != nil {
		d.t.Fatal(err)
	}
}

// follows checks which schedules are followed.
func (d *deployed) follows(when string, want ...string) {
	d.t.Helper()
	entries, err := d.scheduler.List(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Owner.What+" "+strings.ReplaceAll(e.Owner.ID, d.chain.ID, "both"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestEveryChangeReachesTheSchedulerAtOnce(t *testing.T) {
	d := deploy(t)
	ok := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d.follows("nothing is scheduled")
	d.set(jobOf("companies"), true)
	d.set(jobOf("people"), true)
	d.follows("a job's schedule is saved", "job companies", "job people")
	d.set(d.ofChain(), true)
	d.follows("a chain's schedule counts alone", "chain both")
	d.set(d.ofChain(), false)
	d.follows("a chain's schedule that is disabled", "job companies", "job people")
	d.set(d.ofChain(), true)
	d.chain.Jobs = []string{"people"}
	ok(d.Chains.Save(t.Context(), d.chain, "admin"))
	d.follows("a job is taken out of the chain", "chain both", "job companies")
	ok(nil, d.Connections.NeedsReauthorization(t.Context(), d.conn.ID))
	d.follows("the connection needs to be authorized again")
	d.authorize()
	d.follows("it is authorized again", "chain both", "job companies")
	ok(nil, d.Jobs.Delete(t.Context(), "companies", "admin"))
	d.follows("a job is deleted", "chain both")
	ok(nil, d.Chains.Delete(t.Context(), d.chain.ID, "admin"))
	d.follows("a chain is deleted", "job people")
	ok(nil, d.Schedules.Delete(t.Context(), jobOf("people"), "admin"))
	d.follows("a schedule is deleted")
	d.set(jobOf("people"), true)
	ok(d.Connections.Revoke(t.Context(), d.conn.ID, "admin"))
	d.follows("the connection is revoked")
	d.authorize()
	d.follows("a revoked connection is authorized again", "job people")
	ok(nil, d.Connections.Delete(t.Context(), d.conn.ID, "admin"))
	d.follows("the connection is deleted")
	if d.log.Len() > 0 {
		t.Errorf("log: %s", d.log)
	}
}

func TestTheSweepRepairsWhatDidNotReachTheScheduler(t *testing.T) {
	d := deploy(t)
	d.scheduler.down = true
	d.set(d.ofChain(), true) // is stored
	d.follows("the scheduler is out of reach")
	if !strings.Contains(d.log.String(), "kind=Throttled") {
		t.Errorf("log %q, want the reason", d.log)
	}
	if err := d.Sweep.Repair(t.Context()); !fault.Is(err, fault.Throttled) {
		t.Errorf("%v, want Throttled", err)
	}
	d.scheduler.down = false
	if _, err := d.Sweep.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.follows("after the sweep", "chain both")
}

func TestWithoutASchedulerTheSweepRepairsNothing(t *testing.T) {
	c := connector.New(connector.Settings{}, connector.Ports{})
	if c.Keeper != nil || c.Sweep.Repair != nil {
		t.Error("there is something to repair")
	}
}
