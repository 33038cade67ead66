package chain_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/table/bolttable"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// world is a table with jobs and chains. ids are "01", "02"…
type world struct {
	jobs   *job.Store
	chains *chain.Store
	log    *activity.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	newID := func() string {
		n++
		return fmt.Sprintf("%02d", n)
	}
	w := &world{log: &activity.Store{Table: items, NewID: newID, Now: func() time.Time { return start }}}
	w.jobs = &job.Store{Table: items, Activity: w.log, NewID: newID}
	w.chains = &chain.Store{Table: items, Activity: w.log, Jobs: w.jobs, NewID: newID}
	return w
}

func (w *world) save(t *testing.T, j job.Job) job.Job {
	t.Helper()
	saved, err := w.jobs.Save(t.Context(), j, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// updates are the activity's lines, oldest first.
func (w *world) updates(t *testing.T) []string {
	t.Helper()
	list, _, err := w.log.Updates(t.Context(), start, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range list {
		lines = append([]string{fmt.Sprintf("%s %s %s %q", u.By, u.Type, u.What, u.Name)}, lines...)
	}
	return lines
}

func deals(name string) job.Job {
	return job.Job{Name: name, Connection: "c", Mapping: mapping.Config{
		Source: "deal", Target: "deal__gc", Fields: []mapping.Field{{Name: "dealname"}},
		Direct: []mapping.Direct{{From: "dealname", To: "Name__gc", Identifier: true}},
	}}
}

func TestChainHoldsJobsThatExistOnceEach(t *testing.T) {
	w := newWorld(t)
	a, b := w.save(t, deals("A")).ID, w.save(t, deals("B")).ID
	tests := []struct {
		name  string
		chain chain.Chain
		want  string
	}{
		{"no name", chain.Chain{Jobs: []string{a}}, "Give the chain a name."},
		{"no job", chain.Chain{Name: "N"}, "has no job"},
		{"a job twice", chain.Chain{Name: "N", Jobs: []string{a, b, a}}, "one job twice: jobs 1 and 3"},
		{"a job that does not exist", chain.Chain{Name: "N", Jobs: []string{a, "77"}}, `"77" does not exist`},
		{"an unknown policy", chain.Chain{Name: "N", Jobs: []string{a}, OnFailure: "retry"}, `not "retry"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.chains.Save(t.Context(), tt.chain, "ann")
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestChainIsEditedFoundAndDeleted(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, b := w.save(t, deals("A")).ID, w.save(t, deals("B")).ID
	c, err := w.chains.Save(ctx, chain.Chain{Name: "Nightly", Jobs: []string{a, b}}, "ann")
	if err != nil || c.OnFailure != chain.Stop {
		t.Fatal(c, err)
	}
	stale := c
	c.Jobs, c.Name = []string{b}, "Weekly"
	if c, err = w.chains.Save(ctx, c, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.chains.Save(ctx, stale, "bob"); !fault.Is(err, fault.Conflict) {
		t.Errorf("saving an old reading: %v", err)
	}
	if _, err := w.chains.Save(ctx, chain.Chain{Name: "WEEKLY", Jobs: []string{a}}, "bob"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a second chain of that name: %v", err)
	}
	found, err := w.chains.Find(ctx, "weekly")
	if diff := cmp.Diff(c, found); diff != "" || err != nil {
		t.Errorf("Find: %v (-want +got):\n%s", err, diff)
	}
	if _, err := w.chains.Find(ctx, "Nightly"); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.MessageOf(err), "Weekly") {
		t.Errorf("Find by its old name: %v", err)
	}
	for id, want := range map[string]int{a: 0, b: 1} {
		if with, err := w.chains.With(ctx, id); len(with) != want || err != nil {
			t.Errorf("chains with job %s: %v, %v", id, with, err)
		}
	}
	if err := w.chains.Delete(ctx, c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`ann created job "A"`, `ann created job "B"`, `ann created chain "Nightly"`, `ann edited chain "Weekly"`, `ann deleted chain "Weekly"`,
	}
	if diff := cmp.Diff(want, w.updates(t)); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}
