package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// JobInput is what people say of a job.
type JobInput struct {
	Name       string         `json:"name" doc:"1 to 200 characters, unlike those of the others."`
	Connection string         `json:"connection" maxLength:"200" doc:"Its id."`
	Mapping    mapping.Config `json:"mapping"`
	Options    job.Options    `json:"options,omitzero"`
}

// job is the job that is made of it.
func (in JobInput) job() job.Job {
	return job.Job{Name: in.Name, Connection: in.Connection, Mapping: in.Mapping, Options: in.Options}
}

// Job is a job.
type Job struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Connection string         `json:"connection"`
	Mapping    mapping.Config `json:"mapping"`
	Options    job.Options    `json:"options,omitzero"`
	Missing    []job.Missing  `json:"missing,omitempty" nullable:"false" doc:"Target fields that have to be created before an out-of-the-box job can run."`
	OOTB       string         `json:"ootb,omitempty" doc:"Which of the out-of-the-box jobs it is."`
	Edited     bool           `json:"edited,omitempty" doc:"Whether somebody changed an out-of-the-box job."`
	Version    int64          `json:"version"`
}

func jobOf(j job.Job) Job {
	return Job{
		ID: j.ID, Name: j.Name, Connection: j.Connection, Mapping: j.Mapping, Options: j.Options, Missing: j.Missing, OOTB: j.OOTB, Edited: j.Edited, Version: j.Version,
	}
}

// JobRow is a job in the list.
type JobRow struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Connection  string      `json:"connection"`
	Source      string      `json:"source" doc:"Label of the object."`
	Target      string      `json:"target" doc:"Likewise."`
	Status      run.Status  `json:"status,omitempty" doc:"Of the last run that ended."`
	LastRun     *time.Time  `json:"lastRun,omitempty" doc:"When that ended."`
	Last        []Execution `json:"last" nullable:"false" doc:"The last 20 runs that ended, the newest last."`
	Schedule    string      `json:"schedule" doc:"Scheduled Execution or On Demand."`
	Chains      []string    `json:"chains" nullable:"false" doc:"Names of the job chains that it is in."`
	OverruledBy string      `json:"overruledBy,omitempty" doc:"The scheduled job chain because of which its own schedule is not honoured."`
	Running     string      `json:"running,omitempty" doc:"The execution that runs it now."`
	Backlog     *Backlog    `json:"backlog,omitempty" doc:"What it does in slices, beside its runs; missing = nothing."`
	Version     int64       `json:"version"`
}

func jobRowOf(r admin.JobRow) JobRow {
	row := JobRow{
		ID: r.Job.ID, Name: r.Job.Name, Connection: r.Job.Connection, Source: r.SourceLabel, Target: r.TargetLabel, Status: r.Status, LastRun: moment(r.LastRun),
		Last: make([]Execution, len(r.Last)), Schedule: r.Schedule, Chains: append([]string{}, r.Chains...), OverruledBy: r.OverruledBy, Running: r.Running, Version: r.Job.Version,
	}
	if r.Backlog != nil {
		b := backlogOf(*r.Backlog)
		row.Backlog = &b
	}
	for i, e := range r.Last {
		row.Last[i] = executionOf(e)
	}
	return row
}

// moment is a time, nil if it is zero.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

type jobsInput struct {
	Paging
	Searching
	Connection string `query:"connection" maxLength:"200" doc:"Id of a connection."`
}

// CloneInput names a copy.
type CloneInput struct {
	Name string `json:"name,omitempty" doc:"Missing = Copy of …"`
}

func (a *api) jobs() {
	register(a, operation{id: "listJobs", method: "GET", path: "/jobs", tag: "Jobs", summary: "List the jobs, by name"},
		func(ctx context.Context, in *jobsInput) (*answer[List[JobRow]], error) {
			rows, err := a.admin.JobRows(ctx, admin.JobFilter{Search: in.Search, Connection: in.Connection})
			if err != nil {
				return nil, err
			}
			return page(rows, in.Paging, func(r admin.JobRow) string { return job.NameKey(r.Job.Name) + "\x00" + r.Job.ID }, jobRowOf)
		})
	register(a, operation{
		id: "createJob", method: "POST", path: "/jobs", tag: "Jobs", summary: "Create a job", role: signin.Admin, status: http.StatusCreated, vendor: true,
		description: "Nothing is stored unless everything is right.", conflict: true,
	}, a.createJob)
	register(a, operation{id: "getJob", method: "GET", path: "/jobs/{id}", tag: "Jobs", summary: "Read a job"},
		func(ctx context.Context, in *ByID) (*versioned[Job], error) {
			return jobAnswer(a.Jobs.Get(ctx, in.ID))
		})
	register(a, operation{
		id: "updateJob", method: "PUT", path: "/jobs/{id}", tag: "Jobs", summary: "Change a job", role: signin.Admin, vendor: true,
		description: "Nothing is stored unless everything is right. A run that goes on keeps the job as it was.",
	}, a.updateJob)
	register(a, operation{
		id: "deleteJob", method: "DELETE", path: "/jobs/{id}", tag: "Jobs", summary: "Delete a job with its schedule", role: signin.Admin,
		description: "Refused while a job chain has it. What it wrote to Gainsight stays.",
	}, func(ctx context.Context, in *drop) (*nothing, error) {
		j, err := a.Jobs.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := in.from(j.Version); err != nil {
			return nil, err
		}
		return nil, a.Jobs.Delete(ctx, in.ID, by(ctx))
	})
	register(a, operation{
		id: "cloneJob", method: "POST", path: "/jobs/{id}/clone", tag: "Jobs", summary: "Copy a job under another name", role: signin.Admin, status: http.StatusCreated, conflict: true, vendor: true,
	}, func(ctx context.Context, in *struct {
		ByID
		Body CloneInput
	},
	) (*created[Job], error) {
		if _, err := a.Jobs.Get(ctx, in.ID); err != nil {
			return nil, err
		}
		j, err := a.Jobs.Clone(ctx, in.ID, in.Body.Name, by(ctx))
		return &created[Job]{tag(j.Version), Prefix + "/jobs/" + j.ID, jobOf(j)}, inBody(err, "body.name")
	})
}

func jobAnswer(j job.Job, err error) (*versioned[Job], error) {
	return &versioned[Job]{tag(j.Version), jobOf(j)}, err
}

func (a *api) createJob(ctx context.Context, in *struct{ Body JobInput }) (*created[Job], error) {
	j, err := a.saveJob(ctx, in.Body.job())
	return &created[Job]{tag(j.Version), Prefix + "/jobs/" + j.ID, jobOf(j)}, err
}

func (a *api) updateJob(ctx context.Context, in *change[JobInput]) (*versioned[Job], error) {
	was, err := a.Jobs.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.from(was.Version); err != nil {
		return nil, err
	}
	j := in.Body.job()
	j.ID, j.Missing, j.OOTB, j.Edited, j.Version = was.ID, was.Missing, was.OOTB, was.Edited, was.Version
	j, err = a.saveJob(ctx, j)
	return jobAnswer(j, overtaken(err, func() (int64, error) {
		now, err := a.Jobs.Get(ctx, in.ID)
		return now.Version, err
	}))
}

// saveJob stores a job, or says everything that is wrong with it.
func (a *api) saveJob(ctx context.Context, j job.Job) (job.Job, error) {
	wrong, err := a.wrong(ctx, j)
	if err != nil {
		return j, err
	}
	if len(wrong) > 0 {
		return j, invalid(wrong...)
	}
	saved, err := a.Jobs.Save(ctx, j, by(ctx))
	return saved, inBody(err, "body.name")
}

// wrong returns everything that is wrong with a job, but for whether its name is
// free.
func (a *api) wrong(ctx context.Context, j job.Job) ([]Detail, error) {
	var all []Detail
	if _, err := job.CleanName("job", j.Name); err != nil {
		all = append(all, Detail{Path: "body.name", Message: fault.MessageOf(err)})
	}
	_, err := a.Connections.Get(ctx, j.Connection)
	switch {
	case fault.Is(err, fault.NotFound):
		return append(all, Detail{Path: "body.connection", Message: "There is no such connection. GET /connections lists those that there are."}), nil
	case err != nil:
		return nil, err
	}
	if j.Mapping.Target == "" {
		return append(all, Detail{Path: "body.mapping.target", Message: "The job has no destination: name the object of Gainsight that it writes."}), nil
	}
	problems, err := a.admin.Check(ctx, j)
	switch kind := fault.KindOf(err); {
	case err == nil:
	case kind == fault.Invalid, kind == fault.NotFound:
		if found := details(err); len(found) > 0 {
			return append(all, found...), nil
		}
		return append(all, Detail{Path: "body.mapping", Message: fault.MessageOf(err)}), nil
	default:
		return nil, fmt.Errorf("check job: %w", err)
	}
	for _, p := range problems {
		all = append(all, Detail{Path: jobPath(p.Path), Message: cmp.Or(p.Message, p.Path)})
	}
	return all, nil
}
