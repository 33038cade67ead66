package console

import (
	"cmp"

	"hubspotconnector/internal/job"
	"hubspotconnector/internal/schedule"
)

// configureForm is the third step: when the job runs, who is told, and its
// options.
type configureForm struct {
	Schedule   scheduleForm
	Recipients recipientsForm
	Deactivate *control // for owners
	// For all but owners, of whom HubSpot tells nothing: changes at once, the weekly
	// comparison, and what becomes of rows whose record is deleted.
	RealTime, NoComparison    *control
	Do, DeleteField, SetValue control
	OverruledBy               string // the chain because of which its schedule does not count
}

func (c *console) configureForm(q *request, e editing, wrong map[string]string) (*configureForm, error) {
	form := &configureForm{Schedule: q.scheduleForm(e.Page.Timing, wrong), Recipients: q.recipientsForm(e.Page.Timing, wrong)}
	if err := c.optionsForm(q, e, form, wrong); err != nil {
		return nil, err
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

// optionsForm adds the options that fit the job's source.
func (c *console) optionsForm(q *request, e editing, form *configureForm, wrong map[string]string) error {
	o := e.Job.Options
	if e.Job.Mapping.Source == "owner" {
		form.Deactivate = &control{
			Path: "options.deactivateLeavers", Label: "Deactivate leavers", Kind: "check", Checked: o.DeactivateLeavers,
			Hint: "Users of owners who are inactive or archived in HubSpot are deactivated in Gainsight. If not, they are left as they are.",
		}
	}
	if e.Job.Mapping.Source == "owner" {
		return nil
	}
	fields, _, err := c.target(q, e.Job.Mapping.Target)
	if err != nil {
		return err
	}
	form.RealTime = &control{
		Path: "options.realTime", Label: "Real time", Kind: "check", Checked: o.RealTime,
		Hint: "When HubSpot tells of changes, a run for just those records starts within a minute.",
	}
	form.NoComparison = &control{
		Path: "options.noComparison", Label: "Leave out the weekly comparison", Kind: "check", Checked: o.NoComparison,
		Hint: "Once a week all records are read and compared with their rows; without it, changes that HubSpot does not note on the record itself (associations, calculated values, restored records) may never arrive.",
	}
	at := func(name, label, kind, value string) control {
		path := "options.whenDeleted." + name
		return control{Path: path, Label: label, Kind: kind, Value: value, Wrong: wrong[fieldID(path)]}
	}
	form.Do = at("do", "When deleted in HubSpot", "select", string(o.WhenDeleted.Do))
	form.Do.Choices = []choice{{string(job.DoNothing), "Do nothing"}, {string(job.DoSet), "Set a field to a value"}, {string(job.DoDelete), "Delete in Gainsight"}}
	form.DeleteField = at("field", "Field to set", "select", o.WhenDeleted.Field)
	form.DeleteField.Choices = fields.choices(o.WhenDeleted.Field, writable)
	form.SetValue = at("value", "Value", "text", o.WhenDeleted.Value)
	return nil
}

// readConfigure reads the third step.
func (c *console) readConfigure(e *editing, f fields) {
	e.Page.Timing = readTiming(f)
	o := f.in("options")
	if e.Job.Mapping.Source == "owner" {
		e.Job.Options.DeactivateLeavers = o.on("deactivateLeavers")
		return
	}
	e.Job.Options.RealTime, e.Job.Options.NoComparison = o.on("realTime"), o.on("noComparison")
	deleted := job.WhenDeleted{Do: job.Do(o.text("whenDeleted.do"))}
	if deleted.Do == job.DoSet {
		deleted.Field, deleted.Value = o.text("whenDeleted.field"), o.text("whenDeleted.value")
	}
	e.Job.Options.WhenDeleted = deleted
}

// owner is what the schedule of a job belongs to.
func owner(id, name string) schedule.Owner {
	return schedule.Owner{What: schedule.Job, ID: id, Name: name}
}
