package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
)

// previewPage is what a run would do.
type previewPage struct {
	Job           job.Job
	All           bool
	Done          bool // false until it is asked for
	Preview       admin.Preview
	Needs         string
	Groups        []previewGroup
	Problems      []problem
	Back, Here    string
	Draft         bool // of a job that is being edited
	Source        string
	Target, Wrong string
	Backlog       *backlogRow
}

// previewGroup is the samples of one outcome.
type previewGroup struct {
	Outcome run.Outcome
	Text    string
	Rows    []previewRow
}

type previewRow struct {
	admin.PreviewRow
	Values []named // target field, value
}

func (c *console) preview(q *request) error {
	j, err := c.Jobs.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return c.showPreview(q, j, previewPage{Back: "/jobs", Here: "/jobs/" + j.ID + "/preview"})
}

// showPreview shows what a run of the job would do, once it is asked for.
func (c *console) showPreview(q *request, j job.Job, body previewPage) error {
	body.Job, body.All = j, q.query("of") == "all"
	var err error
	if body.Backlog, err = c.backlogOf(q, j.ID); err != nil {
		return err
	}
	body.Source = sourceLabel(j.Mapping.Source)
	if body.Target, err = c.targetName(q, j.Mapping.Target); err != nil {
		return err
	}
	title := "Preview of " + j.Name
	if q.query("of") == "" {
		return q.show("preview", title, body)
	}
	p, err := c.admin.Preview(q.ctx(), j, body.All)
	switch problems, ok := problemsOf(err); {
	case ok:
		body.Problems = problems
		return q.showStatus(422, "preview", title, body)
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Reauthorize):
		body.Wrong = fault.MessageOf(err)
		return q.showStatus(422, "preview", title, body)
	case err != nil:
		return err
	}
	body.Done, body.Preview, body.Needs = true, p, took(p.Needs)
	fields, _, err := c.target(q, j.Mapping.Target)
	if err != nil {
		return err
	}
	body.Groups = previewGroups(p.Rows, fields)
	return q.show("preview", title, body)
}

func previewGroups(rows []admin.PreviewRow, of targetFields) []previewGroup {
	var groups []previewGroup
	for _, g := range []previewGroup{
		{Outcome: run.Inserted, Text: "Rows to insert"},
		{Outcome: run.Updated, Text: "Rows to update"},
		{Outcome: run.Unchanged, Text: "Rows that stay as they are"},
		{Outcome: run.Rejected, Text: "Records that would be rejected"},
		{Outcome: run.Filtered, Text: "Records that the filter leaves out"},
	} {
		for _, r := range rows {
			if r.Outcome == g.Outcome {
				g.Rows = append(g.Rows, previewRow{r, fieldValues(r.Fields, of)})
			}
		}
		if len(g.Rows) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// fieldValues are the values of a row, by field.
func fieldValues(fields map[string]any, of targetFields) []named {
	var all []named
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		all = append(all, named{of.shown(name), valueText(fields[name])})
	}
	return all
}

// valueText is a value as people read it; null is "".
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []string:
		return strings.Join(v, "; ")
	}
	return fmt.Sprint(v)
}
