package person_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/table/bolttable"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func newStore(t *testing.T) *person.Store {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	newID := func() string { n++; return fmt.Sprintf("%02d", n) }
	log := &activity.Store{Table: items, NewID: newID, Now: func() time.Time { return start }}
	return &person.Store{Table: items, Activity: log, Jobs: &job.Store{Table: items, Activity: log, NewID: newID}}
}

func save(t *testing.T, s *person.Store, name, target string, direct ...mapping.Direct) job.Job {
	t.Helper()
	j, err := s.Jobs.Save(t.Context(), job.Job{Name: name, Connection: "c", Mapping: mapping.Config{Target: target, Direct: direct}}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestKeyIsEmailUntilItIsChanged(t *testing.T) {
	s := newStore(t)
	keys, err := s.Keys(t.Context())
	if diff := cmp.Diff([]string{"Email"}, keys); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if effects, err := s.Save(t.Context(), keys, "ann"); len(effects) != 0 || err != nil {
		t.Errorf("the same key: %v, %v", effects, err)
	}
	if list, _, _ := s.Activity.Updates(t.Context(), start, 0, ""); len(list) != 0 {
		t.Errorf("activity: %v", list)
	}
}

func TestChangedKeyChangesThePeopleJobs(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	people := save(t, s, "People", "company_person",
		mapping.Direct{From: "email", To: "Person::Email", Identifier: true},
		mapping.Direct{From: "ext", To: "Person::External_ID__gc"},
		mapping.Direct{From: "vid", To: "Contact__gc"})
	save(t, s, "Companies", "company", mapping.Direct{From: "id", To: "Email", Identifier: true})
	effects, err := s.Save(ctx, []string{"External_ID__gc"}, "bob")
	if err != nil || len(effects) != 1 {
		t.Fatal(effects, err)
	}
	if diff := cmp.Diff([]any{"People", []string{"External_ID__gc"}, []string{"Email"}},
		[]any{effects[0].After.Name, effects[0].Ticked, effects[0].Unticked}); diff != "" {
		t.Errorf("effect (-want +got):\n%s", diff)
	}
	got, err := s.Jobs.Get(ctx, people.ID)
	if err != nil {
		t.Fatal(err)
	}
	var ticked []string
	for _, d := range got.Mapping.Direct {
		if d.Identifier {
			ticked = append(ticked, d.To)
		}
	}
	if diff := cmp.Diff([]string{"Person::External_ID__gc"}, ticked); diff != "" {
		t.Errorf("identifiers (-want +got):\n%s", diff)
	}
	if keys, err := s.Keys(ctx); !cmp.Equal(keys, []string{"External_ID__gc"}) || err != nil {
		t.Errorf("keys %v, %v", keys, err)
	}
	if list, _, _ := s.Activity.Updates(ctx, start, 0, ""); len(list) != 4 { // two jobs, the key, the job's edit
		t.Errorf("%d updates, want 4", len(list))
	}
}

func TestKeyThatAJobDoesNotMapIsRefused(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	save(t, s, "People", "company_person", mapping.Direct{From: "email", To: "Person::Email", Identifier: true})
	save(t, s, "More people", "company_person", mapping.Direct{From: "email", To: "Person::Email", Identifier: true})
	_, err := s.Save(ctx, []string{"Email", "Phone"}, "bob")
	if message := fault.MessageOf(err); !fault.Is(err, fault.Invalid) || !strings.Contains(message, `Phone in the job "More people"; Phone in the job "People"`) {
		t.Errorf("got %v, want both jobs", err)
	}
	if keys, _ := s.Keys(ctx); !cmp.Equal(keys, []string{"Email"}) {
		t.Errorf("keys %v", keys)
	}
	for _, keys := range [][]string{nil, {""}, {"Email", "Email"}, {"Person::Email"}, {" Email"}, {"1", "2", "3", "4", "5", "6"}} {
		if _, err := s.Save(ctx, keys, "bob"); !fault.Is(err, fault.Invalid) {
			t.Errorf("key %q: %v", keys, err)
		}
	}
}
