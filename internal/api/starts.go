package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// StartInput says what a run reads.
type StartInput struct {
	Mode  string     `json:"mode,omitempty" enum:"changes,full" doc:"changes (if missing) or full: all records."`
	Since *time.Time `json:"since,omitempty" doc:"With changes: what changed since then; missing = since the last run."`
}

// Started is an execution that was started.
type Started struct {
	Execution string `json:"execution" doc:"Its name. Nothing has been planned yet: GET /executions/{execution} tells how it goes."`
}

// accepted is a start.
type accepted struct {
	Location string `header:"Location" doc:"Where it is read how it goes."`
	Body     Started
}

func started(execution string, err error) (*accepted, error) {
	return &accepted{Prefix + "/executions/" + url.PathEscape(execution), Started{execution}}, err
}

// Once makes a request that is sent twice start once.
type Once struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"Any text: the same one of the same person starts once, and is answered alike. For something else it is 409."`
}

type startInput struct {
	ByID
	Once
	Body StartInput
}

func (in startInput) start() admin.Start {
	s := admin.Start{Mode: run.Mode(in.Body.Mode)}
	if in.Body.Since != nil {
		s.Since = *in.Body.Since
	}
	return s
}

func (a *api) starts() {
	start := func(id, path, tag, summary string) operation {
		return operation{
			id: id, method: "POST", path: path, tag: tag, summary: summary, role: signin.Admin, status: http.StatusAccepted, vendor: true, conflict: true,
			description: "It does not move the schedule.",
		}
	}
	register(a, start("runJob", "/jobs/{id}/run", "Jobs", "Run a job now"), func(ctx context.Context, in *startInput) (*accepted, error) {
		j, err := a.Jobs.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		s := in.start()
		s.Job = j.ID
		name, err := a.admin.StartRun(ctx, by(ctx), s, in.Key)
		return started(name, inBody(err, "body"))
	})
	register(a, start("runChain", "/chains/{id}/run", "Job chains", "Run a job chain now"), func(ctx context.Context, in *startInput) (*accepted, error) {
		c, err := a.Chains.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		s := in.start()
		s.Chain = c.ID
		name, err := a.admin.StartRun(ctx, by(ctx), s, in.Key)
		return started(name, inBody(err, "body"))
	})
	register(a, start("retryRejected", "/jobs/{id}/retry-rejected", "Jobs", "Try the rejected records of a job again"), func(ctx context.Context, in *struct {
		ByID
		Once
	},
	) (*accepted, error) {
		j, err := a.Jobs.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return started(a.admin.RetryRejected(ctx, j.ID, by(ctx), in.Key))
	})
}
