package job_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table/bolttable"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// world is a table with jobs and chains. ids are "01", "02"…
type world struct {
	jobs   *job.Store
	chains *chain.Store
	log    *activity.Store
	checks int
	wrong  error // what Check says
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
	w := &world{log: &activity.Store{Table: items, NewID: newID, Now: func() time.Time { return start }}}
	w.jobs = &job.Store{Table: items, Activity: w.log, NewID: newID, Check: func(context.Context, job.Job) error {
		mu.Lock()
		defer mu.Unlock()
		w.checks++
		return w.wrong
	}}
	w.chains = &chain.Store{Table: items, Activity: w.log, Jobs: w.jobs, NewID: newID}
	w.jobs.Chains = w.chains.NamesWith
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

func TestJobIsFoundByNameAndID(t *testing.T) {
	w := newWorld(t)
	saved := w.save(t, deals("  Deal Sync "))
	w.save(t, deals("Another"))
	for _, name := range []string{"Deal Sync", "deal sync", " DEAL SYNC ", saved.ID} {
		found, err := w.jobs.Find(t.Context(), name)
		if diff := cmp.Diff(saved, found); diff != "" || err != nil {
			t.Errorf("Find(%q): %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, name := range []string{"Deals", "", "  "} {
		_, err := w.jobs.Find(t.Context(), name)
		if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.MessageOf(err), "Another, Deal Sync") {
			t.Errorf("Find(%q): %v, want a fault that lists the names", name, err)
		}
	}
}

func TestJobIsSavedOnlyIfValid(t *testing.T) {
	w := newWorld(t)
	w.wrong = mapping.Problems{{Path: "direct", Message: "No mapping is an identifier."}, {Path: "fields", Message: "No field."}}
	_, err := w.jobs.Save(t.Context(), deals("Deal Sync"), "ann")
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), "identifier. No field.") {
		t.Errorf("got %v, want all problems", err)
	}
	w.wrong = nil
	for _, name := range []string{"", " ", "a\nb", strings.Repeat("x", 201)} {
		if _, err := w.jobs.Save(t.Context(), deals(name), "ann"); !fault.Is(err, fault.Invalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if list, err := w.jobs.List(t.Context()); len(list) != 0 || err != nil {
		t.Errorf("stored: %v, %v", list, err)
	}
}

func TestNamesAreUniqueWithoutCase(t *testing.T) {
	w := newWorld(t)
	first := w.save(t, deals("Deal Sync"))
	second := w.save(t, deals("Other"))
	if _, err := w.jobs.Save(t.Context(), deals("deal SYNC"), "ann"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a second job of that name: %v", err)
	}
	second.Name = "DEAL sync"
	if _, err := w.jobs.Save(t.Context(), second, "ann"); !fault.Is(err, fault.Invalid) {
		t.Errorf("renamed to a taken name: %v", err)
	}
	first.Name = "Deals"
	first = w.save(t, first)
	if second = w.save(t, second); second.Name != "DEAL sync" {
		t.Errorf("the name that got free: %+v", second)
	}
	first.Name = "DEALS" // only its case
	w.save(t, first)
	if _, err := w.jobs.Find(t.Context(), "other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the old name: %v", err)
	}
}

func TestOfTwoWhoSaveAtOnceOneIsRefused(t *testing.T) {
	w := newWorld(t)
	j := w.save(t, deals("Deal Sync"))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			mine := j
			mine.Name = fmt.Sprint("Deal Sync ", i)
			_, errs[i] = w.jobs.Save(context.Background(), mine, "ann")
		})
	}
	wg.Wait()
	saved := 0
	for _, err := range errs {
		switch {
		case err == nil:
			saved++
		case !fault.Is(err, fault.Conflict):
			t.Errorf("got %v, want a conflict", err)
		}
	}
	if got := len(w.updates(t)); saved != 1 || got != 2 {
		t.Errorf("%d saves and %d updates, want 1 and 2", saved, got)
	}
}

func TestSavingWhatIsStoredChangesNothing(t *testing.T) {
	w := newWorld(t)
	j := w.save(t, deals("Deal Sync"))
	again := w.save(t, j)
	if again.Version != 1 || w.checks != 1 {
		t.Errorf("version %d after %d checks, want 1 and 1", again.Version, w.checks)
	}
	if diff := cmp.Diff([]string{`ann created job "Deal Sync"`}, w.updates(t)); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}

func TestIncompleteJobIsReadyOnceAnAdminMapsIt(t *testing.T) {
	w := newWorld(t)
	ootb := deals("Company Sync_HS")
	ootb.ID, ootb.OOTB = "99", "Company Sync"
	ootb.Missing = []job.Missing{{Object: "Company", Label: "HubSpot Account ID_1", Type: "string"}, {Object: "Company", Label: "X", Type: "number"}}
	want := `The job "Company Sync_HS" is incomplete: create these fields in Gainsight under Data Management: "HubSpot Account ID_1" (type string) in the object Company; "X" (type number) in the object Company.`
	if got := ootb.MissingSentence(); got != want {
		t.Errorf("sentence:\n got %s\nwant %s", got, want)
	}
	if err := w.jobs.Table.Write(t.Context(), w.jobs.SaveOps(nil, ootb, "system")); err != nil {
		t.Fatal(err)
	}
	j, err := w.jobs.Get(t.Context(), "99")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.jobs.Clone(t.Context(), "99", "", "ann"); !fault.Is(err, fault.Invalid) {
		t.Errorf("cloned while incomplete: %v", err)
	}
	j.Name = "Companies"
	j = w.save(t, j)
	if len(j.Missing) != 2 || !j.Edited || w.checks != 0 {
		t.Errorf("renamed: %d missing, edited %v, %d checks", len(j.Missing), j.Edited, w.checks)
	}
	j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "dealname", To: "Other__gc"})
	j = w.save(t, j)
	if j.MissingSentence() != "" || j.OOTB != "Company Sync" || w.checks != 1 {
		t.Errorf("mapped: %+v after %d checks", j, w.checks)
	}
}

func TestCloneIsAJobOfItsOwn(t *testing.T) {
	w := newWorld(t)
	j := w.save(t, deals("Deal Sync"))
	var names []string
	for range 3 {
		c, err := w.jobs.Clone(t.Context(), j.ID, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(j.Mapping, c.Mapping); diff != "" || c.ID == j.ID {
			t.Errorf("clone %s of %s (-want +got):\n%s", c.ID, j.ID, diff)
		}
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"Copy of Deal Sync", "Copy 2 of Deal Sync", "Copy 3 of Deal Sync"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if _, err := w.jobs.Clone(t.Context(), j.ID, "deal sync", "bob"); !fault.Is(err, fault.Invalid) {
		t.Errorf("cloned to a taken name: %v", err)
	}
}

func TestJobInAChainIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	j := w.save(t, deals("Deal Sync"))
	c, err := w.chains.Save(t.Context(), chain.Chain{Name: "Nightly", Jobs: []string{j.ID}}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.jobs.Delete(t.Context(), j.ID, "ann"); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.MessageOf(err), `"Nightly"`) {
		t.Errorf("got %v, want a conflict that names the chain", err)
	}
	if err := w.chains.Delete(t.Context(), c.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	schedules := &schedule.Store{Table: w.jobs.Table, Activity: w.log}
	if _, err := schedules.Put(t.Context(), schedule.Owner{What: schedule.Job, ID: j.ID}, schedule.Schedule{Kind: schedule.Daily, At: "06:00", Zone: "UTC"}, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.jobs.Delete(t.Context(), j.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if list, err := schedules.List(t.Context()); len(list) != 0 || err != nil {
		t.Errorf("its schedule is left: %v, %v", list, err)
	}
	w.save(t, deals("Deal Sync")) // the name is free
}
