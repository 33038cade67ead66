package api

import (
	"context"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/signin"
)

// ScheduleAnswer is a schedule, and what becomes of it.
type ScheduleAnswer struct {
	Schedule schedule.Schedule `json:"schedule"`
	Honoured bool              `json:"honoured" doc:"False for a job in a job chain that has an enabled schedule: then that counts."`
	Version  int64             `json:"version"`
}

// Recipients are who is told how runs of a job or job chain end, instead of the
// lists of the deployment.
type Recipients struct {
	Success []string `json:"success,omitempty" nullable:"false" maxItems:"100" doc:"Mail addresses."`
	Partial []string `json:"partial,omitempty" nullable:"false" maxItems:"100" doc:"Likewise, on a Partial Success."`
	Failure []string `json:"failure,omitempty" nullable:"false" maxItems:"100" doc:"Likewise. An empty list is nobody."`
}

// ifAny is what the first of its kind is made from, too.
const ifAny = "Of what does not exist yet the If-Match is \"0\"."

// owned is the job or job chain of a kind whose schedule or lists are meant.
type owned struct {
	what, path, tag string
	find            func(ctx context.Context, id string) (schedule.Owner, error)
}

func (a *api) timings() {
	for _, o := range []owned{
		{"Job", "/jobs/{id}", "Jobs", func(ctx context.Context, id string) (schedule.Owner, error) {
			j, err := a.Jobs.Get(ctx, id)
			return schedule.Owner{What: schedule.Job, ID: j.ID, Name: j.Name}, err
		}},
		{"Chain", "/chains/{id}", "Job chains", func(ctx context.Context, id string) (schedule.Owner, error) {
			c, err := a.Chains.Get(ctx, id)
			return schedule.Owner{What: schedule.Chain, ID: c.ID, Name: c.Name}, err
		}},
	} {
		a.scheduleOf(o)
		a.recipientsOf(o)
	}
}

func (a *api) scheduleOf(o owned) {
	const of = "Schedules and notification"
	path, what := o.path+"/schedule", map[string]string{"Job": "a job", "Chain": "a job chain"}[o.what]
	register(a, operation{id: "get" + o.what + "Schedule", method: "GET", path: path, tag: of, summary: "Read the schedule of " + what, description: "One without a schedule is 404."},
		func(ctx context.Context, in *ByID) (*versioned[ScheduleAnswer], error) {
			owner, err := o.find(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			s, err := a.Schedules.Get(ctx, owner)
			if err != nil {
				return nil, err
			}
			return a.scheduleAnswer(ctx, owner, s)
		})
	register(a, operation{id: "put" + o.what + "Schedule", method: "PUT", path: path, tag: of, summary: "Set the schedule of " + what, role: signin.Admin, description: ifAny},
		func(ctx context.Context, in *change[schedule.Schedule]) (*versioned[ScheduleAnswer], error) {
			owner, err := o.find(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			read := func() (int64, error) { return versionOf(a.Schedules.Get(ctx, owner)) }
			was, err := read()
			if err != nil {
				return nil, err
			}
			if err := in.from(was); err != nil {
				return nil, err
			}
			in.Body.Version = was
			if wrong := scheduleProblems(in.Body); len(wrong) > 0 {
				return nil, invalid(wrong...)
			}
			s, err := a.Schedules.Put(ctx, owner, in.Body, by(ctx))
			if err != nil {
				return nil, inBody(overtaken(err, read), "body")
			}
			return a.scheduleAnswer(ctx, owner, s)
		})
	register(a, operation{
		id: "delete" + o.what + "Schedule", method: "DELETE", path: path, tag: of, summary: "Remove the schedule of " + what, role: signin.Admin, description: "Again, it does nothing.",
	}, func(ctx context.Context, in *drop) (*nothing, error) {
		owner, err := o.find(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		was, err := versionOf(a.Schedules.Get(ctx, owner))
		if err != nil {
			return nil, err
		}
		if err := in.from(was); err != nil {
			return nil, err
		}
		return nil, a.Schedules.Delete(ctx, owner, by(ctx))
	})
}

// versionOf is the version of a schedule, 0 if there is none.
func versionOf(s schedule.Schedule, err error) (int64, error) {
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	return s.Version, err
}

func scheduleProblems(s schedule.Schedule) []Detail {
	var all []Detail
	for _, p := range s.Check() {
		all = append(all, Detail{Path: "body." + p.Field, Message: p.Message})
	}
	return all
}

func (a *api) scheduleAnswer(ctx context.Context, o schedule.Owner, s schedule.Schedule) (*versioned[ScheduleAnswer], error) {
	out := ScheduleAnswer{s, true, s.Version}
	if o.What == schedule.Job {
		in, err := a.Chains.With(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		ids := make([]string, len(in))
		for i, c := range in {
			ids[i] = c.ID
		}
		if out.Honoured, _, err = a.Schedules.Honoured(ctx, ids); err != nil {
			return nil, err
		}
	}
	return &versioned[ScheduleAnswer]{tag(s.Version), out}, nil
}

func (a *api) recipientsOf(o owned) {
	const of = "Schedules and notification"
	path, what := o.path+"/recipients", map[string]string{"Job": "a job", "Chain": "a job chain"}[o.what]
	read := func(ctx context.Context, id string) (owner schedule.Owner, r setting.Recipients, err error) {
		if owner, err = o.find(ctx, id); err != nil {
			return owner, r, err
		}
		r, err = a.Settings.Recipients(ctx, owner)
		if fault.Is(err, fault.NotFound) {
			r, err = setting.Recipients{}, nil
		}
		return owner, r, err
	}
	register(a, operation{
		id: "get" + o.what + "Recipients", method: "GET", path: path, tag: of, summary: "Tell who is told how runs of " + what + " end",
		description: "If it has no lists of its own the ETag is \"0\", and those of the deployment count.",
	}, func(ctx context.Context, in *ByID) (*versioned[Recipients], error) {
		_, r, err := read(ctx, in.ID)
		return recipientsAnswer(r, err)
	})
	register(a, operation{id: "put" + o.what + "Recipients", method: "PUT", path: path, tag: of, summary: "Set who is told how runs of " + what + " end", role: signin.Admin, description: ifAny},
		func(ctx context.Context, in *change[Recipients]) (*versioned[Recipients], error) {
			owner, was, err := read(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if err := in.from(was.Version); err != nil {
				return nil, err
			}
			if wrong := addressProblems(in.Body); len(wrong) > 0 {
				return nil, invalid(wrong...)
			}
			r, err := a.Settings.PutRecipients(ctx, owner, setting.Recipients{Success: in.Body.Success, Partial: in.Body.Partial, Failure: in.Body.Failure, Version: was.Version}, by(ctx))
			return recipientsAnswer(r, inBody(overtaken(err, func() (int64, error) {
				_, now, err := read(ctx, in.ID)
				return now.Version, err
			}), "body"))
		})
	register(a, operation{
		id: "delete" + o.what + "Recipients", method: "DELETE", path: path, tag: of, summary: "Give " + what + " the lists of the deployment again", role: signin.Admin,
	}, func(ctx context.Context, in *drop) (*nothing, error) {
		owner, was, err := read(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := in.from(was.Version); err != nil {
			return nil, err
		}
		return nil, a.Settings.DropRecipients(ctx, owner, by(ctx))
	})
}

func recipientsAnswer(r setting.Recipients, err error) (*versioned[Recipients], error) {
	return &versioned[Recipients]{tag(r.Version), Recipients{Success: r.Success, Partial: r.Partial, Failure: r.Failure}}, err
}
