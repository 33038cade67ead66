package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
)

// JobFilter chooses jobs.
type JobFilter struct {
	Search     string // part of the name, without regard to case
	Connection string // id
}

// JobRow is a job in the list of jobs.
type JobRow struct {
	Job            job.Job
	ConnectionName string
	SourceLabel    string // such as "Company"
	TargetLabel    string // such as "Company"; the object's name if it is not known
	// Status and LastRun are of the last run that ended; "" and zero if none has.
	Status  run.Status
	LastRun time.Time
	// Last are the last 20 runs that ended, the newest last.
	Last []activity.Execution
	// Schedule is "Scheduled Execution" or "On Demand".
	Schedule string
	Chains   []string // names of the chains that it is in
	// OverruledBy is the name of the scheduled chain because of which its own
	// schedule is not honoured; "" = it is honoured.
	OverruledBy string
	// Running is the execution that runs it now, "" if none does.
	Running string
	// Backlog is what it does in slices, nil if that is nothing.
	Backlog *Backlog
}

// The kinds of schedules, as people read them.
const (
	Scheduled = "Scheduled Execution"
	OnDemand  = "On Demand"
)

// strip is how many runs of a job its row shows.
const strip = 20

// JobRows returns the jobs, by name. It costs a few reads and one for each job,
// however many runs there are.
func (s *Service) JobRows(ctx context.Context, f JobFilter) ([]JobRow, error) {
	jobs, err := s.Connector.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	search := strings.ToLower(strings.TrimSpace(f.Search))
	jobs = slices.DeleteFunc(jobs, func(j job.Job) bool {
		return f.Connection != "" && j.Connection != f.Connection || !strings.Contains(strings.ToLower(j.Name), search)
	})
	known, err := s.surroundings(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]JobRow, len(jobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, j := range jobs {
		rows[i] = known.row(j)
		group.Go(func() (err error) {
			rows[i].Last, err = s.lastRuns(ctx, j.ID)
			if n := len(rows[i].Last); n > 0 {
				rows[i].Status, rows[i].LastRun = run.Status(rows[i].Last[n-1].Status), rows[i].Last[n-1].Ended
			}
			return err
		})
	}
	return rows, group.Wait()
}

// lastRuns returns the last runs of a job, the newest last.
func (s *Service) lastRuns(ctx context.Context, id string) ([]activity.Execution, error) {
	var last []activity.Execution
	err := s.Connector.Activity.ScanExecutions(ctx, id, activity.Span{}, func(e activity.Execution, _ string) bool {
		last = append(last, e)
		return len(last) < strip
	})
	slices.Reverse(last)
	return last, err
}

// surroundings is what the rows of jobs tell beside the jobs.
type surroundings struct {
	connections map[string]string       // :: id → name
	scheduled   map[schedule.Owner]bool // those with an enabled schedule
	chains      map[string][]chainOfJob // :: job → chains that it is in
	running     map[string]string       // :: job → execution
	labels      map[string]string       // :: target object → label
	backlogs    map[string]*Backlog     // :: job → what it does in slices
}

type chainOfJob struct{ id, name string }

func (s *Service) surroundings(ctx context.Context) (surroundings, error) {
	k := surroundings{
		connections: map[string]string{}, scheduled: map[schedule.Owner]bool{}, chains: map[string][]chainOfJob{},
		running: map[string]string{}, labels: s.targetLabels(), backlogs: map[string]*Backlog{},
	}
	backlogs, err := s.Backlogs(ctx)
	if err != nil {
		return k, err
	}
	for _, b := range backlogs {
		k.backlogs[b.Job] = &b
	}
	connections, err := s.Connector.Connections.List(ctx)
	if err != nil {
		return k, err
	}
	for _, c := range connections {
		k.connections[c.ID] = c.Name
	}
	schedules, err := s.Connector.Schedules.List(ctx)
	if err != nil {
		return k, err
	}
	for _, e := range schedules {
		if e.Schedule.Enabled {
			k.scheduled[e.Owner] = true
		}
	}
	chains, err := s.Connector.Chains.List(ctx)
	if err != nil {
		return k, err
	}
	for _, c := range chains {
		for _, id := range c.Jobs {
			k.chains[id] = append(k.chains[id], chainOfJob{c.ID, c.Name})
		}
	}
	open, err := s.Connector.Runs.OpenRounds(ctx)
	if err != nil {
		return k, err
	}
	for _, round := range open {
		if runs, err := s.going(ctx, round.Execution); err != nil || !runs {
			continue // who cannot say shows nothing
		}
		for _, id := range round.Jobs {
			r, err := s.Connector.Runs.Get(ctx, id)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return k, err
			}
			if err == nil && !r.Status.Closed() {
				k.running[r.Job] = round.Execution
			}
		}
	}
	return k, nil
}

func (k surroundings) row(j job.Job) JobRow {
	row := JobRow{
		Job: j, ConnectionName: k.connections[j.Connection], SourceLabel: j.Mapping.Source, TargetLabel: j.Mapping.Target,
		Schedule: OnDemand, Running: k.running[j.ID], Backlog: k.backlogs[j.ID],
	}
	if object, ok := catalog.Find(j.Mapping.Source); ok {
		row.SourceLabel = object.Label
	}
	if label := k.labels[j.Mapping.Target]; label != "" {
		row.TargetLabel = label
	}
	own := k.scheduled[schedule.Owner{What: schedule.Job, ID: j.ID}]
	for _, c := range k.chains[j.ID] {
		row.Chains = append(row.Chains, c.name)
		if k.scheduled[schedule.Owner{What: schedule.Chain, ID: c.id}] {
			row.Schedule = Scheduled
			if own && row.OverruledBy == "" {
				row.OverruledBy = c.name
			}
		}
	}
	if own {
		row.Schedule = Scheduled
	}
	return row
}
