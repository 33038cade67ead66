// Package config writes jobs, chains, schedules and the person resolution key as
// one YAML file, and takes them from one: to keep them in git, to compare them,
// and to move them from one deployment to another.
//
// The file names no ids and no account. Where a name ends in the connection's
// name or a field's name in the HubSpot account's id, it says ${connection} or
// ${portal}. What a file does not name stays as it is; a job or chain that it
// names becomes as the file says, its schedule included.
package config

import (
	"context"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// formVersion is the version of the file's form.
const formVersion = 1

// file is the form of the file.
type file struct {
	Version int `json:"version"`
	// PersonResolutionKey is left alone if it is missing.
	PersonResolutionKey []string `json:"personResolutionKey,omitempty"`
	Jobs                []entry  `json:"jobs,omitempty"`
	Chains              []link   `json:"chains,omitempty"`
}

// entry is a job.
type entry struct {
	Name     string             `json:"name"`
	Mapping  mapping.Config     `json:"mapping"`
	Options  job.Options        `json:"options,omitzero"`
	Schedule *schedule.Schedule `json:"schedule,omitempty"`
}

// link is a chain; its jobs are names.
type link struct {
	Name      string             `json:"name"`
	Jobs      []string           `json:"jobs"`
	OnFailure chain.OnFailure    `json:"onFailure,omitempty"`
	Schedule  *schedule.Schedule `json:"schedule,omitempty"`
}

// Files writes and takes files. All fields but Check and Connection are required.
type Files struct {
	Table       table.Table
	Connections *connection.Store
	Jobs        *job.Store
	Chains      *chain.Store
	Schedules   *schedule.Store
	People      *person.Store
	// Check finds what is wrong with the mapping of a job, under a person
	// resolution key; nil = nothing is checked. Its mapping.Problems are reported
	// with their lines.
	Check func(ctx context.Context, j job.Job, resolutionKeys []string) error
	// Connection is the id of the connection whose jobs are meant; "" = the only one.
	Connection string
}

func (f *Files) connection(ctx context.Context) (connection.Connection, error) {
	if f.Connection != "" {
		return f.Connections.Get(ctx, f.Connection)
	}
	list, err := f.Connections.List(ctx)
	if err != nil {
		return connection.Connection{}, err
	}
	switch len(list) {
	case 0:
		return connection.Connection{}, fault.New(fault.Invalid, "There is no connection yet. Create and authorize it first.")
	case 1:
		return list[0], nil
	}
	return connection.Connection{}, fault.New(fault.Invalid, "There are %d connections: say which one is meant.", len(list))
}

// state is what is stored.
type state struct {
	conn      connection.Connection
	keys      []string
	jobs      []job.Job // of the connection
	chains    []chain.Chain
	schedules map[schedule.Owner]schedule.Schedule
}

func (f *Files) state(ctx context.Context) (state, error) {
	s := state{schedules: map[schedule.Owner]schedule.Schedule{}}
	var err error
	if s.conn, err = f.connection(ctx); err != nil {
		return s, err
	}
	if s.keys, err = f.People.Keys(ctx); err != nil {
		return s, err
	}
	jobs, err := f.Jobs.List(ctx)
	if err != nil {
		return s, err
	}
	for _, j := range jobs {
		if j.Connection == s.conn.ID {
			s.jobs = append(s.jobs, j)
		}
	}
	if s.chains, err = f.Chains.List(ctx); err != nil {
		return s, err
	}
	entries, err := f.Schedules.List(ctx)
	for _, e := range entries {
		s.schedules[e.Owner] = e.Schedule
	}
	return s, err
}

func (s state) schedule(what, id string) *schedule.Schedule {
	sch, ok := s.schedules[schedule.Owner{What: what, ID: id}]
	if !ok {
		return nil
	}
	return &sch
}

const header = `# Jobs, job chains and schedules of the HubSpot to Gainsight connector.
# ${connection} stands for the connection's name, ${portal} for the id of its
# HubSpot account. What this file does not name stays as it is.
`

// Export returns the file of what is stored. The same configuration gives the
// same bytes.
func (f *Files) Export(ctx context.Context) ([]byte, error) {
	s, err := f.state(ctx)
	if err != nil {
		return nil, err
	}
	names := namesOf(s.conn)
	out := file{Version: formVersion, PersonResolutionKey: s.keys}
	known := map[string]string{} // :: job id → name
	for _, j := range s.jobs {
		known[j.ID] = j.Name
		m := j.Mapping
		mapFields(&m, names.encodeField)
		out.Jobs = append(out.Jobs, entry{Name: names.encode(j.Name), Mapping: m, Options: j.Options, Schedule: s.schedule(schedule.Job, j.ID)})
	}
	for _, c := range s.chains {
		l := link{Name: names.encode(c.Name), OnFailure: c.OnFailure, Schedule: s.schedule(schedule.Chain, c.ID)}
		for _, id := range c.Jobs {
			if known[id] != "" {
				l.Jobs = append(l.Jobs, names.encode(known[id]))
			}
		}
		if len(l.Jobs) > 0 {
			out.Chains = append(out.Chains, l)
		}
	}
	return append([]byte(header), encode(out)...), nil
}
