package gauge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/gauge"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type world struct {
	*gauge.Gauge
	t     *testing.T
	table table.Table
	now   time.Time
	got   []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: noon}
	clock := func() time.Time { return w.now }
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	w.table = items
	history := &activity.Store{Table: items, Now: clock, NewID: func() string { return fmt.Sprint(w.now.UnixNano(), len(w.got)) }}
	ids := 0
	w.Gauge = &gauge.Gauge{
		Runs:        &run.Store{Table: items, Leases: &lease.Store{Table: items}, Now: clock},
		Schedules:   &schedule.Store{Table: items, Activity: history},
		Connections: &connection.Store{Table: items, Activity: history, Now: clock, NewID: func() string { ids++; return fmt.Sprint("c", ids) }},
		Now:         clock,
		Metrics: func(_ context.Context, name metric.Name, of string, value float64) {
			w.got = append(w.got, strings.TrimSpace(fmt.Sprint(name, " ", of, " ", value)))
		},
	}
	return w
}

func (w *world) measure() []string {
	w.t.Helper()
	w.got = nil
	if err := w.Measure(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(w.got)
	return w.got
}

func (w *world) want(want ...string) {
	w.t.Helper()
	if d := cmp.Diff(want, w.measure()); d != "" {
		w.t.Errorf("metrics (-want +got):\n%s", d)
	}
}

func TestAnEmptyDeploymentIsWell(t *testing.T) {
	newWorld(t).want("ReauthorizationNeeded  0", "RunAge  0")
}

func TestRunAgeIsThatOfTheOldestOpenRound(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"b", "a"} {
		r := run.Round{Execution: name, Round: 1, Status: run.Running, Started: noon.Add(-time.Duration(i+1) * time.Hour)}
		if _, err := w.Runs.Open(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.want("ReauthorizationNeeded  0", "RunAge  7200")
}

func TestSuccessAgeIsOfChainsThatAreScheduled(t *testing.T) {
	w := newWorld(t)
	for id, enabled := range map[string]bool{"on": true, "off": false} {
		s := schedule.Schedule{Enabled: enabled, Kind: schedule.Daily, At: "06:00", Zone: "UTC"}
		if _, err := w.Schedules.Put(t.Context(), schedule.Owner{What: schedule.Chain, ID: id}, s, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	w.want("ReauthorizationNeeded  0", "RunAge  0", "SuccessAge on 0") // first seen now
	w.now = noon.Add(time.Hour)
	w.want("ReauthorizationNeeded  0", "RunAge  0", "SuccessAge on 3600")
	for i, status := range []run.Status{run.Success, run.Partial, run.Failed, run.Skipped} {
		w.now = noon.Add(time.Duration(i+2) * time.Hour)
		name := fmt.Sprint("e", i)
		r, err := w.Runs.Open(t.Context(), run.Round{Execution: name, Round: 1, Chain: "On", ChainID: "on", Status: run.Running, Started: w.now}, nil)
		if err == nil {
			r, err = w.Runs.Round(t.Context(), name, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Status, r.Ended = status, w.now
		if err := w.Runs.SaveRound(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	// The partial success at 15:00 counts, the later ones do not; it is 17:00.
	w.want("ReauthorizationNeeded  0", "RunAge  0", "SuccessAge on 7200")
}

func TestConnectionsThatNeedPeopleAreCounted(t *testing.T) {
	w := newWorld(t)
	c, err := w.Connections.Create(t.Context(), "HS", "ann")
	if err != nil {
		t.Fatal(err)
	}
	w.want("ReauthorizationNeeded  0", "RunAge  0")
	key := table.Key{Partition: "CONN#" + c.ID, Sort: "connection"}
	c.Status = connection.NeedsReauthorization
	if _, err := w.table.Put(t.Context(), table.New(key, c), table.Condition{}); err != nil {
		t.Fatal(err)
	}
	w.want("ReauthorizationNeeded  1", "RunAge  0")
}

func TestQuotaUseIsThatOfLongWindows(t *testing.T) {
	w := newWorld(t)
	clock := func() time.Time { return w.now }
	day := &budget.Budget{Table: w.table, Name: "vendor-calls", Now: clock, Windows: []budget.Window{
		{Calls: 100, Per: time.Minute, Fixed: true}, {Calls: 200, Per: 24 * time.Hour, Fixed: true},
	}}
	short := &budget.Budget{Table: w.table, Name: "vendor-search", Now: clock, Windows: []budget.Window{{Calls: 5, Per: time.Second}}}
	w.Budgets = map[string]map[string]*budget.Budget{"V": {"calls": day, "search": short}}
	for range 50 {
		if err := day.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.want("QuotaUse vendor-calls 25", "ReauthorizationNeeded  0", "RunAge  0")
}

func TestWhatCannotBeReadKeepsNoOtherFromBeingMeasured(t *testing.T) {
	w := newWorld(t)
	r := run.Round{Execution: "a", Round: 1, Status: run.Running, Started: noon.Add(-time.Minute)}
	if _, err := w.Runs.Open(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []table.Key{{Partition: "OPEN", Sort: "b"}, {Partition: "SCHEDULE", Sort: "chain#x"}} {
		if _, err := w.table.Put(t.Context(), table.Item{Key: key, Doc: json.RawMessage(`7`)}, table.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Measure(t.Context())
	if err == nil || !strings.Contains(err.Error(), "open rounds") || !strings.Contains(err.Error(), "chains") {
		t.Errorf("err = %v, want both", err)
	}
	if d := cmp.Diff([]string{"RunAge  60", "ReauthorizationNeeded  0"}, w.got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}
