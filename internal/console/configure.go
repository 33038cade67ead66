package console

import (
	"cmp"

	"hubspotconnector/internal/schedule"
)

// configureForm is the third step: when the job runs, who is told, and its
// options.
type configureForm struct {
	Schedule    scheduleForm
	Recipients  recipientsForm
	Deactivate  *control // for owners
	OverruledBy string   // the chain because of which its schedule does not count
}

func (c *console) configureForm(q *request, e editing, wrong map[string]string) (*configureForm, error) {
	form := &configureForm{Schedule: q.scheduleForm(e.Page.Timing, wrong), Recipients: q.recipientsForm(e.Page.Timing, wrong)}
	if e.Job.Mapping.Source == "owner" {
		form.Deactivate = &control{
			Path: "options.deactivateLeavers", Label: "Deactivate leavers", Kind: "check", Checked: e.Job.Options.DeactivateLeavers,
			Hint: "Users of owners who are inactive or archived in HubSpot are deactivated in Gainsight. If not, they are left as they are.",
		}
	}
	if e.Job.ID == "" {
		return form, nil
	}
	chains, err := c.Chains.With(q.ctx(), e.Job.ID)
	if err != nil {
		return nil, err
	}
	ids, names := make([]string, len(chains)), map[string]string{}
	for i, ch := range chains {
		ids[i], names[ch.ID] = ch.ID, ch.Name
	}
	ok, by, err := c.Schedules.Honoured(q.ctx(), ids)
	if err != nil {
		return nil, err
	}
	if !ok {
		form.OverruledBy = cmp.Or(names[by], by)
	}
	return form, nil
}

// readConfigure reads the third step.
func (c *console) readConfigure(e *editing, f fields) {
	e.Page.Timing = readTiming(f)
	if e.Job.Mapping.Source == "owner" {
		e.Job.Options.DeactivateLeavers = f.on("options.deactivateLeavers")
	}
}

// owner is what the schedule of a job belongs to.
func owner(id, name string) schedule.Owner {
	return schedule.Owner{What: schedule.Job, ID: id, Name: name}
}
