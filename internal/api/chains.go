package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/signin"
)

// ChainInput is what people say of a job chain.
type ChainInput struct {
	Name      string          `json:"name" doc:"1 to 200 characters, unlike those of the others."`
	Jobs      []string        `json:"jobs" nullable:"false" maxItems:"1000" doc:"Ids, in their order; at least one."`
	OnFailure chain.OnFailure `json:"onFailure,omitempty" doc:"What becomes of the jobs behind one that failed: missing = stop."`
}

// Chain is a job chain.
type Chain struct {
	ID string `json:"id"`
	ChainInput
	Version int64 `json:"version"`
}

func chainOf(c chain.Chain) Chain {
	return Chain{ID: c.ID, ChainInput: ChainInput{Name: c.Name, Jobs: append([]string{}, c.Jobs...), OnFailure: c.OnFailure}, Version: c.Version}
}

// ChainRow is a job chain in the list.
type ChainRow struct {
	Chain
	Schedule string     `json:"schedule" doc:"Scheduled Execution or On Demand."`
	Next     *time.Time `json:"next,omitempty" doc:"When it runs next by its schedule."`
}

type chainsInput struct {
	Paging
	Searching
}

func (a *api) chains() {
	register(a, operation{id: "listChains", method: "GET", path: "/chains", tag: "Job chains", summary: "List the job chains, by name"}, a.listChains)
	register(a, operation{
		id: "createChain", method: "POST", path: "/chains", tag: "Job chains", summary: "Create a job chain", role: signin.Admin, status: http.StatusCreated, conflict: true,
	}, func(ctx context.Context, in *struct{ Body ChainInput }) (*created[Chain], error) {
		c, err := a.saveChain(ctx, chain.Chain{Name: in.Body.Name, Jobs: in.Body.Jobs, OnFailure: in.Body.OnFailure})
		return &created[Chain]{tag(c.Version), Prefix + "/chains/" + c.ID, chainOf(c)}, err
	})
	register(a, operation{id: "getChain", method: "GET", path: "/chains/{id}", tag: "Job chains", summary: "Read a job chain"},
		func(ctx context.Context, in *ByID) (*versioned[Chain], error) {
			return chainAnswer(a.Chains.Get(ctx, in.ID))
		})
	register(a, operation{id: "updateChain", method: "PUT", path: "/chains/{id}", tag: "Job chains", summary: "Change a job chain", role: signin.Admin},
		func(ctx context.Context, in *change[ChainInput]) (*versioned[Chain], error) {
			was, err := a.Chains.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if err := in.from(was.Version); err != nil {
				return nil, err
			}
			c, err := a.saveChain(ctx, chain.Chain{ID: was.ID, Name: in.Body.Name, Jobs: in.Body.Jobs, OnFailure: in.Body.OnFailure, Version: was.Version})
			return chainAnswer(c, overtaken(err, func() (int64, error) {
				now, err := a.Chains.Get(ctx, in.ID)
				return now.Version, err
			}))
		})
	register(a, operation{
		id: "deleteChain", method: "DELETE", path: "/chains/{id}", tag: "Job chains", summary: "Delete a job chain with its schedule", role: signin.Admin, description: "Its jobs stay.",
	}, func(ctx context.Context, in *drop) (*nothing, error) {
		c, err := a.Chains.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := in.from(c.Version); err != nil {
			return nil, err
		}
		return nil, a.Chains.Delete(ctx, in.ID, by(ctx))
	})
}

func chainAnswer(c chain.Chain, err error) (*versioned[Chain], error) {
	return &versioned[Chain]{tag(c.Version), chainOf(c)}, err
}

func (a *api) listChains(ctx context.Context, in *chainsInput) (*answer[List[ChainRow]], error) {
	all, err := a.Chains.List(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := a.Schedules.List(ctx)
	if err != nil {
		return nil, err
	}
	enabled := map[string]schedule.Schedule{}
	for _, e := range entries {
		if e.Owner.What == schedule.Chain && e.Schedule.Enabled {
			enabled[e.Owner.ID] = e.Schedule
		}
	}
	all = slices.DeleteFunc(all, func(c chain.Chain) bool { return !in.finds(c.Name) })
	return page(all, in.Paging, func(c chain.Chain) string { return job.NameKey(c.Name) + "\x00" + c.ID }, func(c chain.Chain) ChainRow {
		row := ChainRow{Chain: chainOf(c), Schedule: admin.OnDemand}
		if s, ok := enabled[c.ID]; ok {
			row.Schedule = admin.Scheduled
			if next, ok := s.Next(a.now()); ok {
				row.Next = &next
			}
		}
		return row
	})
}

// saveChain stores a job chain, or says everything that is wrong with it.
func (a *api) saveChain(ctx context.Context, c chain.Chain) (chain.Chain, error) {
	var wrong []Detail
	if _, err := job.CleanName("job chain", c.Name); err != nil {
		wrong = append(wrong, Detail{Path: "body.name", Message: fault.MessageOf(err)})
	}
	if len(c.Jobs) == 0 {
		wrong = append(wrong, Detail{Path: "body.jobs", Message: "The job chain has no job: name at least one."})
	}
	jobs, err := a.Jobs.List(ctx)
	if err != nil {
		return c, err
	}
	for i, id := range c.Jobs {
		at := fmt.Sprintf("body.jobs[%d]", i)
		switch {
		case !slices.ContainsFunc(jobs, func(j job.Job) bool { return j.ID == id }):
			wrong = append(wrong, Detail{Path: at, Message: "There is no such job. GET /jobs lists those that there are."})
		case slices.Index(c.Jobs, id) < i:
			wrong = append(wrong, Detail{Path: at, Message: "The job is in the chain already: name it once."})
		}
	}
	if len(wrong) > 0 {
		return c, invalid(wrong...)
	}
	saved, err := a.Chains.Save(ctx, c, by(ctx))
	return saved, inBody(err, "body.name")
}
