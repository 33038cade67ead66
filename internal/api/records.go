package api

import (
	"context"
	"encoding/json"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// FindInput is what is sought. It stands in a body because addresses are logged.
type FindInput struct {
	Query string `json:"query" minLength:"1" maxLength:"1000" doc:"HubSpot id, link to the record, e-mail, or name."`
}

// Found is what became of a record in one job.
type Found struct {
	Job      string      `json:"job" doc:"Its id."`
	JobName  string      `json:"jobName"`
	SourceID string      `json:"sourceId"`
	Link     string      `json:"link,omitempty" doc:"To the record in HubSpot."`
	Outcome  run.Outcome `json:"outcome"`
	Run      string      `json:"run,omitempty"`
	When     *time.Time  `json:"when,omitempty" doc:"When that run ended."`
	GSID     string      `json:"gsid,omitempty" doc:"Of its row."`
	Code     record.Code `json:"code,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Fix      string      `json:"fix,omitempty"`
}

func foundOf(f admin.Found) Found {
	return Found{
		Job: f.Job.ID, JobName: f.Job.Name, SourceID: f.SourceID, Link: f.Link, Outcome: f.Outcome, Run: string(f.Run), When: moment(f.When), GSID: f.GSID, Code: f.Code, Reason: f.Reason, Fix: f.Fix,
	}
}

// Reason explains a code of rejects.
type Reason struct {
	Code    record.Code `json:"code"`
	Meaning string      `json:"meaning"`
	Fix     string      `json:"fix"`
}

// Update is a change of the configuration.
type Update struct {
	At     time.Time       `json:"at"`
	By     string          `json:"by" doc:"Who made it; system for what happened by itself."`
	What   string          `json:"what"`
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Type   activity.Type   `json:"type"`
	Before json.RawMessage `json:"before,omitempty" doc:"The thing as it was."`
	After  json.RawMessage `json:"after,omitempty" doc:"The thing as it is since."`
}

func updateOf(u activity.Update) Update { return Update(u) }

type updatesInput struct {
	Paging
	What string    `query:"what" maxLength:"100" doc:"Such as connection, job, chain, schedule, avatar or setting."`
	ID   string    `query:"id" maxLength:"200" doc:"Of the changed thing."`
	By   string    `query:"by" maxLength:"1000"`
	From time.Time `query:"from"`
	To   time.Time `query:"to" doc:"Before when."`
}

func (a *api) records() {
	const of = "Records"
	register(a, operation{
		id: "findRecord", method: "POST", path: "/find", tag: of, summary: "Tell what became of a record in each job", description: "Nothing found is an empty list. Nothing is changed.", vendor: true,
	}, func(ctx context.Context, in *struct{ Body FindInput }) (*answer[List[Found]], error) {
		found, err := a.admin.Find(ctx, in.Body.Query)
		return list(found, "", foundOf), inBody(err, "body.query")
	})
	register(a, operation{id: "listReasons", method: "GET", path: "/reasons", tag: of, summary: "List the reasons for which records are rejected"},
		func(context.Context, *struct{}) (*answer[List[Reason]], error) {
			return list(mapping.Reasons(), "", func(r mapping.Reason) Reason { return Reason{r.Code, r.Meaning, r.Fix} }), nil
		})
	register(a, operation{id: "listUpdates", method: "GET", path: "/updates", tag: "Configuration", summary: "List the changes of the configuration, the newest first", description: "A page may be short and have a next one."},
		func(ctx context.Context, in *updatesInput) (*answer[List[Update]], error) {
			p, err := a.admin.Updates(ctx, admin.UpdateFilter{What: in.What, ID: in.ID, By: in.By, From: in.From, To: in.To, Limit: in.Limit, Cursor: in.Cursor})
			if fault.Is(err, fault.Invalid) {
				err = badCursor()
			}
			return list(p.Updates, p.Next, updateOf), err
		})
	register(a, operation{id: "getMe", method: "GET", path: "/me", tag: "Configuration", summary: "Tell who is signed in"},
		func(ctx context.Context, _ *struct{}) (*answer[Me], error) {
			p, _ := signin.PersonOf(ctx)
			return &answer[Me]{Me{p.ID, p.Name, string(p.Role)}}, nil
		})
}

// Me is who is signed in.
type Me struct {
	ID   string `json:"id" doc:"As in the updates."`
	Name string `json:"name"`
	Role string `json:"role" enum:"admin,viewer"`
}
