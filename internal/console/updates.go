package console

import (
	"cmp"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
)

// updateRow is a change of the configuration.
type updateRow struct {
	activity.Update
	When    moment
	Changes []change
}

type updatesPage struct {
	Tab      string
	Filter   admin.UpdateFilter
	From, To string
	What     []choice
	Rows     []updateRow
	Filtered bool
	Wrong    string
	Pager    pager
}

func (c *console) updates(q *request) error {
	f := admin.UpdateFilter{What: q.query("what"), By: q.query("by"), ID: q.query("id"), Limit: perPage, Cursor: q.query("after")}
	body := updatesPage{Tab: "update", From: q.query("from"), To: q.query("to"), What: updateKinds()}
	f.From, f.To, body.Wrong = q.days()
	body.Filter, body.Filtered = f, f.What+f.By+f.ID != "" || !f.From.IsZero() || !f.To.IsZero()
	page, err := c.admin.Updates(q.ctx(), f)
	if err != nil {
		return err
	}
	label, err := c.idLabels(q)
	if err != nil {
		return err
	}
	for _, u := range page.Updates {
		row := updateRow{Update: u, When: q.at(u.At), Changes: differences(u.Before, u.After)}
		for i := range row.Changes {
			row.Changes[i].Before, row.Changes[i].After = label(row.Changes[i].Before), label(row.Changes[i].After)
		}
		if row.Name == "" {
			row.Name = label(strings.TrimPrefix(strings.TrimPrefix(u.ID, "job#"), "chain#"))
		}
		body.Rows = append(body.Rows, row)
	}
	body.Pager = q.cursor(f.Cursor, page.Next)
	return q.show("updates", "Activity", body)
}

// updateKinds are the kinds of things that change.
func updateKinds() []choice {
	return []choice{{"connection", "connection"}, {"job", "job"}, {"chain", "job chain"}, {"schedule", "schedule"}, {"avatar", "avatar"}, {"setting", "setting"}, {"run", "run"}}
}

// Kind is what people call the changed thing.
func (r updateRow) Kind() string {
	for _, c := range updateKinds() {
		if c.Value == r.What {
			return c.Label
		}
	}
	return r.What
}

// idLabels returns what turns the ids of jobs and connections into names.
func (c *console) idLabels(q *request) (func(string) string, error) {
	names := map[string]string{}
	jobs, err := c.Jobs.List(q.ctx())
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		names[j.ID] = j.Name
	}
	list, err := c.Connections.List(q.ctx())
	if err != nil {
		return nil, err
	}
	for _, cn := range list {
		names[cn.ID] = cn.Name
	}
	return func(text string) string {
		parts := strings.Split(text, ", ") // a list of jobs is one text
		for i, part := range parts {
			parts[i] = cmp.Or(names[part], part)
		}
		return strings.Join(parts, ", ")
	}, nil
}
