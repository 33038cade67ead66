package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// Execution is a run that has ended.
type Execution struct {
	Run        string          `json:"run"`
	Job        string          `json:"job" doc:"Its id."`
	JobName    string          `json:"jobName" doc:"At that time."`
	Chain      string          `json:"chain,omitempty" doc:"Name of the job chain; missing if the job ran alone."`
	Connection string          `json:"connection"`
	Cause      string          `json:"cause"`
	Status     string          `json:"status"`
	Started    time.Time       `json:"started"`
	Ended      time.Time       `json:"ended"`
	Counts     activity.Counts `json:"counts"`
	ErrorFile  bool            `json:"errorFile" doc:"Whether it has one."`
	Reason     string          `json:"reason,omitempty"`
}

func executionOf(e activity.Execution) Execution {
	return Execution{
		Run: e.RunID, Job: e.JobID, JobName: e.Job, Chain: e.Chain, Connection: e.Connection, Cause: e.Cause, Status: e.Status,
		Started: e.Started, Ended: e.Ended, Counts: e.Counts, ErrorFile: e.ErrorFile != "", Reason: e.Reason,
	}
}

// Progress is how far a run has come.
type Progress struct {
	Run       string     `json:"run"`
	Execution string     `json:"execution"`
	Job       string     `json:"job"`
	JobName   string     `json:"jobName"`
	Chain     string     `json:"chain,omitempty"`
	Mode      run.Mode   `json:"mode"`
	Cause     string     `json:"cause"`
	Status    run.Status `json:"status"`
	Started   time.Time  `json:"started"`
	Ended     *time.Time `json:"ended,omitempty"`
	Counts    run.Counts `json:"counts" doc:"So far; extracted is what was read."`
	Extracted bool       `json:"extracted" doc:"Whether all is read."`
	PerSecond float64    `json:"perSecond" doc:"Records settled a second; 0 = not known."`
	End       *time.Time `json:"end,omitempty" doc:"When it ends at that speed."`
	ErrorFile bool       `json:"errorFile"`
	Reason    string     `json:"reason,omitempty"`
}

func progressOf(p admin.Progress) Progress {
	out := Progress{
		Run: string(p.Run.ID), Execution: p.Run.Execution, Job: p.Run.Job, JobName: p.Run.JobName, Chain: p.Run.Chain, Mode: p.Run.Mode, Cause: p.Run.Cause,
		Status: p.Run.Status, Started: p.Run.Started, Ended: moment(p.Run.Ended), Counts: p.Settled, Extracted: p.Extraction.Done,
		PerSecond: p.PerSecond, End: moment(p.End), ErrorFile: p.Run.ErrorFile != "", Reason: p.Run.Reason,
	}
	out.Counts.Extracted = p.Extraction.Count
	return out
}

// RunDetail is a run with its execution.
type RunDetail struct {
	Progress
	Siblings  []Progress     `json:"siblings" nullable:"false" doc:"All runs of the execution's turn, this one included, in the order of the chain."`
	Rejects   []RejectGroup  `json:"rejects" nullable:"false" doc:"By reason, the most frequent first."`
	Quotas    []Quota        `json:"quotas" nullable:"false" doc:"While it runs."`
	Calls     map[string]int `json:"calls" doc:"Vendor → calls sent so far."`
	CanStop   bool           `json:"canStop"`
	CanResume bool           `json:"canResume"`
	CanRetry  bool           `json:"canRetry" doc:"Whether there are rejected records to try again."`
}

func runDetailOf(d admin.RunDetail) RunDetail {
	calls := d.Calls
	if calls == nil {
		calls = map[string]int{}
	}
	return RunDetail{
		Progress: progressOf(d.Progress), Siblings: list(d.Siblings, "", progressOf).Body.Items, Rejects: list(d.Rejects, "", rejectGroupOf).Body.Items,
		Quotas: list(d.Quotas, "", quotaOf).Body.Items, Calls: calls, CanStop: d.CanStop, CanResume: d.CanResume, CanRetry: d.CanRetry,
	}
}

// Going is what goes on now.
type Going struct {
	Runs     []Progress `json:"runs" nullable:"false" doc:"They go on, or wait for their turn."`
	CutOff   []CutOff   `json:"cutOff" nullable:"false" doc:"Nobody works on these until they are resumed."`
	Backlogs []Backlog  `json:"backlogs" nullable:"false" doc:"What jobs do in slices, beside their runs: first loads and comparisons that are too large for one run."`
}

// CutOff is an execution on which nobody works.
type CutOff struct {
	Execution string    `json:"execution"`
	Chain     string    `json:"chain,omitempty"`
	Started   time.Time `json:"started"`
}

// Turns is an execution with its runs.
type Turns struct {
	Execution string     `json:"execution"`
	Running   bool       `json:"running" doc:"Whether it goes on."`
	Planned   bool       `json:"planned" doc:"False at its very beginning: then there are no runs yet."`
	Status    run.Status `json:"status,omitempty" doc:"Of its last turn."`
	Reason    string     `json:"reason,omitempty"`
	Runs      []Progress `json:"runs" nullable:"false" doc:"In the order of the chain."`
}

// ErrorFile is where an error file is.
type ErrorFile struct {
	Name string `json:"name"`
	URL  string `json:"url" doc:"Good for some minutes; on a laptop an address of this API."`
}

type runsInput struct {
	Paging
	Status string    `query:"status" enum:"Success,Partial Success,Failed,Skipped"`
	Job    string    `query:"job" maxLength:"200" doc:"Id of a job."`
	Chain  string    `query:"chain" maxLength:"1000" doc:"Name of a job chain."`
	From   time.Time `query:"from" doc:"When they started at the earliest."`
	To     time.Time `query:"to" doc:"Before when they started."`
}

type executionPath struct {
	Execution string `path:"execution" maxLength:"200"`
}

func (a *api) runs() {
	const of = "Runs"
	register(a, operation{id: "listRuns", method: "GET", path: "/runs", tag: of, summary: "List the runs that have ended, the newest first", description: "A page may be short and have a next one."},
		func(ctx context.Context, in *runsInput) (*answer[List[Execution]], error) {
			p, err := a.admin.Executions(ctx, admin.ExecutionFilter{Status: in.Status, Job: in.Job, Chain: in.Chain, From: in.From, To: in.To, Limit: in.Limit, Cursor: in.Cursor})
			if fault.Is(err, fault.Invalid) {
				err = badCursor()
			}
			return list(p.Runs, p.Next, executionOf), err
		})
	register(a, operation{id: "listActiveRuns", method: "GET", path: "/runs/active", tag: of, summary: "Tell what goes on now"}, a.going)
	register(a, operation{id: "getRun", method: "GET", path: "/runs/{id}", tag: of, summary: "Read a run"},
		func(ctx context.Context, in *ByID) (*answer[RunDetail], error) {
			d, err := a.admin.RunDetail(ctx, run.ID(in.ID))
			return &answer[RunDetail]{runDetailOf(d)}, err
		})
	register(a, operation{id: "getErrorFile", method: "GET", path: "/runs/{id}/error-file", tag: of, summary: "Tell where the error file of a run is", description: "A run without one is 404."}, a.errorFile)
	register(a, operation{
		id: "downloadErrorFile", method: "GET", path: "/runs/{id}/error-file/content", tag: of, summary: "Download the error file of a run", answer: "text/csv",
		description: "Where a storage service keeps it, the answer leads there (303).",
	}, a.download)
	register(a, operation{id: "getExecution", method: "GET", path: "/executions/{execution}", tag: of, summary: "Tell how an execution goes"}, a.execution)
	register(a, operation{
		id: "stopExecution", method: "POST", path: "/executions/{execution}/stop", tag: of, summary: "Stop an execution", role: signin.Admin,
		description: "Its runs end as Failed and can be resumed. One that has ended is left alone.",
	}, func(ctx context.Context, in *executionPath) (*nothing, error) {
		return nil, a.admin.Stop(ctx, in.Execution, by(ctx))
	})
	register(a, operation{
		id: "resumeExecution", method: "POST", path: "/executions/{execution}/resume", tag: of, summary: "Go on with an execution that failed, was stopped or was cut off", role: signin.Admin,
		status: http.StatusAccepted, conflict: true, description: "Rows that were delivered cost no call again. Again, it answers alike.",
	}, func(ctx context.Context, in *executionPath) (*accepted, error) {
		return started(a.admin.Resume(ctx, in.Execution, by(ctx)))
	})
}

func (a *api) going(ctx context.Context, _ *struct{}) (*answer[Going], error) {
	going, cut, err := a.admin.Active(ctx)
	if err != nil {
		return nil, err
	}
	backlogs, err := a.admin.Backlogs(ctx)
	out := Going{Runs: list(going, "", progressOf).Body.Items, CutOff: make([]CutOff, len(cut)), Backlogs: list(backlogs, "", backlogOf).Body.Items}
	for i, r := range cut {
		out.CutOff[i] = CutOff{r.Execution, r.Chain, r.Started}
	}
	return &answer[Going]{out}, err
}

func (a *api) execution(ctx context.Context, in *executionPath) (*answer[Turns], error) {
	e, err := a.admin.Execution(ctx, in.Execution)
	if err != nil {
		return nil, err
	}
	return &answer[Turns]{Turns{
		Execution: in.Execution, Running: e.Running, Planned: e.Planned, Status: e.Round.Status, Reason: e.Round.Reason, Runs: list(e.Runs, "", progressOf).Body.Items,
	}}, nil
}

func (a *api) errorFile(ctx context.Context, in *ByID) (*answer[ErrorFile], error) {
	link, name, err := a.admin.ErrorFile(ctx, run.ID(in.ID))
	if !elsewhere(link) {
		link = Prefix + "/runs/" + url.PathEscape(in.ID) + "/error-file/content"
	}
	return &answer[ErrorFile]{ErrorFile{name, link}}, err
}

// elsewhere reports whether a link leads to a storage service.
func elsewhere(link string) bool { return strings.HasPrefix(link, "https://") }

func (a *api) download(ctx context.Context, in *ByID) (*stream, error) {
	link, name, err := a.admin.ErrorFile(ctx, run.ID(in.ID))
	if err != nil {
		return nil, err
	}
	if elsewhere(link) {
		return &stream{Body: func(w http.ResponseWriter) {
			w.Header().Set("Location", link)
			w.WriteHeader(http.StatusSeeOther)
		}}, nil
	}
	r, err := a.Runs.Get(ctx, run.ID(in.ID))
	if err != nil {
		return nil, err
	}
	file, err := a.Bucket.Open(ctx, r.ErrorFile)
	if err != nil {
		return nil, err
	}
	return &stream{Body: func(w http.ResponseWriter) {
		defer func() { _ = file.Close() }()
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename*=UTF-8''`+url.PathEscape(path.Base(name)))
		_, _ = io.Copy(w, file) // a client that has gone needs no answer
	}}, nil
}
