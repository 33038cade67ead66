// Package person keeps the person resolution key: the fields of Person that tell
// people apart in the whole organisation. Several keys mean "or". Every people
// job has them as its identifiers, so changing the key changes those jobs, in
// the same write.
package person

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/table"
)

// Default is the key until somebody changes it.
const Default = "Email"

// maxKeys is how many fields the key can have.
const maxKeys = 5

// people is the target of a people job.
const people = "company_person"

// Store keeps the key on a table. All fields are required.
type Store struct {
	Table    table.Table
	Activity *activity.Store
	Jobs     *job.Store
}

// Effect is what a new key does to one people job.
type Effect struct {
	Before, After job.Job
	// Ticked and Unticked are the person's fields that become identifiers of the
	// job, or stop being so.
	Ticked, Unticked []string
	// Unmapped are fields of the key that the job does not map. The key can be
	// changed only when there are none.
	Unmapped []string
}

type setting struct {
	Keys []string `json:"keys"`
}

func key() table.Key { return table.Key{Partition: "SETTING", Sort: "person"} }

func (s *Store) load(ctx context.Context) ([]string, int64, error) {
	var stored setting
	version, err := table.Load(ctx, s.Table, key(), &stored)
	if fault.Is(err, fault.NotFound) {
		return []string{Default}, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read person resolution key: %w", err)
	}
	return stored.Keys, version, nil
}

// Keys returns the fields of the key, such as "Email".
func (s *Store) Keys(ctx context.Context) ([]string, error) {
	keys, _, err := s.load(ctx)
	return keys, err
}

// Check returns fault.Invalid if the fields cannot be a key.
func Check(keys []string) error {
	if len(keys) == 0 || len(keys) > maxKeys {
		return fault.New(fault.Invalid, "The person resolution key needs 1 to %d fields of Person.", maxKeys)
	}
	for i, k := range keys {
		if k == "" || strings.TrimSpace(k) != k || strings.Contains(k, ":") {
			return fault.New(fault.Invalid, "The person resolution key %q is not the name of a field of Person.", k)
		}
		if slices.Contains(keys[:i], k) {
			return fault.New(fault.Invalid, "The person resolution key %s is listed twice.", k)
		}
	}
	return nil
}

// Effects returns what the key would change, by job name; jobs that stay as they
// are are left out.
func (s *Store) Effects(ctx context.Context, keys []string) ([]Effect, error) {
	if err := Check(keys); err != nil {
		return nil, err
	}
	jobs, err := s.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	var effects []Effect
	for _, j := range jobs {
		if e := effect(j, keys); len(e.Ticked)+len(e.Unticked)+len(e.Unmapped) > 0 {
			effects = append(effects, e)
		}
	}
	return effects, nil
}

func effect(j job.Job, keys []string) Effect {
	e := Effect{Before: j, After: j}
	if j.Mapping.Target != people {
		return e
	}
	e.After.Mapping.Direct = slices.Clone(j.Mapping.Direct)
	mapped := map[string]bool{}
	for i, d := range e.After.Mapping.Direct {
		field, ok := strings.CutPrefix(d.To, mapping.PersonPrefix)
		if !ok {
			continue
		}
		mapped[field] = true
		is := slices.Contains(keys, field)
		switch {
		case is && !d.Identifier:
			e.Ticked = append(e.Ticked, field)
		case !is && d.Identifier:
			e.Unticked = append(e.Unticked, field)
		}
		e.After.Mapping.Direct[i].Identifier = is
	}
	for _, k := range keys {
		if !mapped[k] {
			e.Unmapped = append(e.Unmapped, k)
		}
	}
	return e
}

// Save changes the key together with the people jobs, and returns which changed
// and how. If a job does not map a field of the key nothing is stored:
// fault.Invalid names them all. The same key again changes nothing.
func (s *Store) Save(ctx context.Context, keys []string, by string) ([]Effect, error) {
	effects, err := s.Effects(ctx, keys)
	if err != nil {
		return nil, err
	}
	ops, err := s.SaveOps(ctx, keys, by)
	if err != nil {
		return nil, err
	}
	var unmapped []string
	for _, e := range effects {
		if len(e.Unmapped) > 0 {
			unmapped = append(unmapped, fmt.Sprintf("%s in the job %q", strings.Join(e.Unmapped, " and "), e.After.Name))
		}
		ops = append(ops, s.Jobs.SaveOps(&e.Before, e.After, by)...)
	}
	if len(unmapped) > 0 {
		return effects, fault.New(fault.Invalid, "Map these fields of Person before they become the resolution key: %s.", strings.Join(unmapped, "; "))
	}
	if len(ops) == 0 {
		return nil, nil
	}
	if err := s.Table.Write(ctx, ops); err != nil {
		return effects, fmt.Errorf("save person resolution key: %w", err)
	}
	return effects, nil
}

// SaveOps are the writes that change the key alone, none if it is the key
// already; the caller takes care of the jobs.
func (s *Store) SaveOps(ctx context.Context, keys []string, by string) ([]table.Op, error) {
	if err := Check(keys); err != nil {
		return nil, err
	}
	old, version, err := s.load(ctx)
	if err != nil || slices.Equal(old, keys) {
		return nil, err
	}
	cond := table.Absent()
	if version > 0 {
		cond = table.VersionIs(version)
	}
	after := setting{Keys: keys}
	return []table.Op{
		{Verb: table.Put, Item: table.New(key(), after), If: cond},
		s.Activity.UpdateOp(activity.Update{
			By: by, What: "setting", ID: "person", Name: "Person resolution key", Type: activity.Edited,
			Before: activity.JSON(setting{Keys: old}), After: activity.JSON(after),
		}),
	}, nil
}
