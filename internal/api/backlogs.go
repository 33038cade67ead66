package api

import (
	"time"

	"hubspotconnector/internal/admin"
)

// Backlog is how far a job has come with what it does in slices.
type Backlog struct {
	Job         string             `json:"job" doc:"Its id."`
	JobName     string             `json:"jobName"`
	Work        admin.Work         `json:"work" doc:"A first load, a comparison of all records with their rows, or more changes than one run takes."`
	State       admin.BacklogState `json:"state" doc:"due = its next slice has not started yet."`
	Settled     int                `json:"settled" doc:"Records so far."`
	Total       int                `json:"total" doc:"Records in all; 0 = not known."`
	Percent     *int               `json:"percent,omitempty" doc:"Settled of total, at most 99 as long as something is left; missing = not known."`
	Since       time.Time          `json:"since"`
	ExpectedEnd *time.Time         `json:"expectedEnd,omitempty" doc:"If the quotas last as they are; missing = not known."`
	WaitsFor    []string           `json:"waitsFor" nullable:"false" doc:"Names of the jobs before it in its job chains that have one, too."`
	Failures    int                `json:"failures" doc:"How many slices failed in a row."`
	NextTry     *time.Time         `json:"nextTry,omitempty" doc:"When it is tried again after a slice that failed."`
	Run         string             `json:"run,omitempty" doc:"The slice at work."`
}

func backlogOf(b admin.Backlog) Backlog {
	out := Backlog{
		Job: b.Job, JobName: b.JobName, Work: b.Work, State: b.State, Settled: b.Settled, Total: b.Total, Since: b.Since, ExpectedEnd: moment(b.End),
		WaitsFor: append([]string{}, b.WaitsFor...), Failures: b.Failures, NextTry: moment(b.NextTry), Run: string(b.Run),
	}
	if b.Percent >= 0 {
		out.Percent = &b.Percent
	}
	return out
}
