package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/setting"
)

// timing is when a job or chain runs, and who is told, as its form holds them.
type timing struct {
	Scheduled bool              `json:"scheduled"`
	Schedule  schedule.Schedule `json:"schedule"`
	// Version of the stored schedule; 0 if there is none.
	Version int64 `json:"version,omitempty"`
	// Own is true if it has lists of its own.
	Own        bool               `json:"own"`
	Recipients setting.Recipients `json:"recipients"`
	// RecipientsVersion of the stored lists; 0 if there are none.
	RecipientsVersion int64 `json:"recipientsVersion,omitempty"`
}

// newTiming is that of something new.
func (q *request) newTiming() timing {
	return timing{Schedule: schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: "02:00", Zone: q.zone.String()}}
}

// timing returns what is stored for a job or chain.
func (q *request) timing(o schedule.Owner) (timing, error) {
	t := q.newTiming()
	sch, err := q.c.Schedules.Get(q.ctx(), o)
	switch {
	case err == nil:
		t.Scheduled, t.Schedule, t.Version = true, sch, sch.Version
	case !fault.Is(err, fault.NotFound):
		return t, err
	}
	r, err := q.c.Settings.Recipients(q.ctx(), o)
	switch {
	case err == nil:
		t.Own, t.Recipients, t.RecipientsVersion = true, r, r.Version
	case !fault.Is(err, fault.NotFound):
		return t, err
	}
	return t, nil
}

// readTiming reads the form. What does not belong to the kind of schedule is left
// out.
func readTiming(f fields) timing {
	s := f.in("schedule")
	t := timing{Scheduled: s.text("type") == "time", Version: s.version("version"), Own: f.on("recipients.own"), RecipientsVersion: f.version("recipients.version")}
	t.Schedule = schedule.Schedule{
		Enabled: s.on("enabled"), Kind: schedule.Kind(s.text("kind")), At: s.text("at"), Zone: s.text("zone"), Start: s.text("start"), End: s.text("end"), Version: t.Version,
	}
	switch t.Schedule.Kind { //nolint:exhaustive // the others have no more
	case schedule.Weekly, schedule.MonthlyNth:
		for _, d := range s.all("days") {
			t.Schedule.Days = append(t.Schedule.Days, schedule.Day(d))
		}
		if t.Schedule.Kind == schedule.MonthlyNth {
			t.Schedule.Nth = s.whole("nth")
		}
	case schedule.MonthlyDay:
		t.Schedule.Day = s.whole("day")
	case schedule.Minutes:
		t.Schedule.Every = s.whole("every")
	}
	r := f.in("recipients")
	t.Recipients = setting.Recipients{Success: r.addresses("success"), Partial: r.addresses("partial"), Failure: r.addresses("failure"), Version: t.RecipientsVersion}
	return t
}

// check returns what is wrong with it.
func (t timing) check() []problem {
	var all []problem
	if t.Scheduled {
		for _, p := range t.Schedule.Check() {
			all = append(all, problem{At: fieldID("schedule." + p.Field), Message: p.Message})
		}
	}
	if !t.Own {
		return all
	}
	for _, list := range []struct {
		name      string
		addresses []string
	}{{"success", t.Recipients.Success}, {"partial", t.Recipients.Partial}, {"failure", t.Recipients.Failure}} {
		for _, a := range list.addresses {
			if !setting.IsAddress(a) {
				all = append(all, problem{At: "recipients-" + list.name, Message: fmt.Sprintf("%.100q is not a mail address: correct or remove it.", a)})
			}
		}
	}
	return all
}

// save stores what differs from what is stored.
func (t timing) save(q *request, o schedule.Owner) error {
	stored, err := q.timing(o)
	if err != nil {
		return err
	}
	sch := t.Schedule
	sch.Version = t.Version
	switch {
	case !t.Scheduled && stored.Scheduled:
		if err := q.c.Schedules.Delete(q.ctx(), o, q.by()); err != nil {
			return err
		}
	case t.Scheduled && (!stored.Scheduled || !sameJSON(stored.Schedule, sch)):
		if _, err := q.c.Schedules.Put(q.ctx(), o, sch, q.by()); err != nil {
			return err
		}
	}
	r := t.Recipients
	r.Version = t.RecipientsVersion
	switch {
	case !t.Own && stored.Own:
		return q.c.Settings.DropRecipients(q.ctx(), o, q.by())
	case t.Own && (!stored.Own || !sameJSON(stored.Recipients, r)):
		_, err := q.c.Settings.PutRecipients(q.ctx(), o, r, q.by())
		return err
	}
	return nil
}

// scheduleForm is the schedule's part of a form.
type scheduleForm struct {
	Scheduled                                            bool
	Enabled, Kind, Every, Day, Nth, At, Zone, Start, End control
	Days                                                 []dayChoice
	DaysWrong                                            string
	Version                                              int64
	Next                                                 []moment
}

type dayChoice struct {
	Value, Label string
	Checked      bool
}

func (q *request) scheduleForm(t timing, wrong map[string]string) scheduleForm {
	s := t.Schedule
	at := func(name, label, kind, value string) control {
		path := "schedule." + name
		return control{Path: path, Label: label, Kind: kind, Value: value, Wrong: wrong[fieldID(path)]}
	}
	number := func(n, otherwise int) string { return strconv.Itoa(cmp.Or(n, otherwise)) }
	form := scheduleForm{
		Scheduled: t.Scheduled, Version: t.Version,
		Enabled: at("enabled", "Enable Schedule", "check", ""), Kind: at("kind", "Repeats", "select", string(cmp.Or(s.Kind, schedule.Daily))),
		Every: at("every", "Minutes between two runs (5 to 1,440)", "number", number(s.Every, 15)), Day: at("day", "Day of the month", "number", number(s.Day, 1)),
		Nth: at("nth", "Which one of the month", "select", number(s.Nth, 1)), At: at("at", "Start time", "time", cmp.Or(s.At, "02:00")),
		Zone: at("zone", "Time zone", "combo", cmp.Or(s.Zone, q.zone.String())), Start: at("start", "Start date (optional)", "date", s.Start), End: at("end", "End date (optional)", "date", s.End),
		DaysWrong: wrong["schedule-days"],
	}
	form.Enabled.Checked, form.Zone.List = s.Enabled, "zones"
	form.Kind.Choices = []choice{
		{string(schedule.Weekdays), "Every weekday (Mon–Fri)"},
		{string(schedule.Daily), "Everyday"},
		{string(schedule.Weekly), "Weekly, on chosen days"},
		{string(schedule.MonthlyDay), "Monthly, on a day of the month"},
		{string(schedule.MonthlyNth), "Monthly, on a day of the week"},
		{string(schedule.Hourly), "Hourly"},
		{string(schedule.Minutes), "Every N minutes"},
	}
	form.Nth.Choices = []choice{{"1", "1st"}, {"2", "2nd"}, {"3", "3rd"}, {"4", "4th"}, {"5", "Last"}}
	form.Day.Hint = "29 to 31: the last day of shorter months"
	for _, d := range []schedule.Day{schedule.Monday, schedule.Tuesday, schedule.Wednesday, schedule.Thursday, schedule.Friday, schedule.Saturday, schedule.Sunday} {
		name := string(d)
		form.Days = append(form.Days, dayChoice{name, strings.ToUpper(name[:1]) + name[1:], slices.Contains(s.Days, d)})
	}
	if t.Scheduled && s.Enabled && len(s.Check()) == 0 {
		for next := q.c.now(); len(form.Next) < 3; {
			var ok bool
			if next, ok = s.Next(next); !ok {
				break
			}
			form.Next = append(form.Next, q.at(next))
		}
	}
	return form
}

// recipientsForm is the notification's part of a form.
type recipientsForm struct {
	Own, Success, Partial, Failure control
	Version                        int64
	Warning                        string
}

func (q *request) recipientsForm(t timing, wrong map[string]string) recipientsForm {
	list := func(name, label string, value []string) control {
		return control{Wrong: wrong["recipients-"+name], Path: "recipients." + name, Label: label, Kind: "area", Value: strings.Join(value, "\n"), Hold: "name@example.com"}
	}
	form := recipientsForm{
		Own:     control{Path: "recipients.own", Label: "Use lists of its own instead of those under Settings", Kind: "check", Checked: t.Own},
		Success: list("success", "On success", t.Recipients.Success), Partial: list("partial", "On partial success", t.Recipients.Partial),
		Failure: list("failure", "On failure", t.Recipients.Failure), Version: t.RecipientsVersion,
	}
	if t.Own && len(t.Recipients.Failure) == 0 {
		form.Warning = "The list for failures is empty: nobody is told when it fails."
	}
	return form
}
