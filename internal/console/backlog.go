package console

import (
	"net/url"
	"strings"

	"hubspotconnector/internal/admin"
)

// backlogRow is what a job does in slices.
type backlogRow struct {
	admin.Backlog
	SinceAt, EndsAt, NextTryAt moment
	Link                       string // to the job; "" on its own page
}

func (q *request) backlogRow(b admin.Backlog, link string) backlogRow {
	return backlogRow{Backlog: b, SinceAt: q.at(b.Since), EndsAt: q.at(b.End), NextTryAt: q.at(b.NextTry), Link: link}
}

// WorkText is what is done, at the beginning of a sentence.
func (b backlogRow) WorkText() string { return sentence(string(b.Work)) }

// StateText is how it stands, likewise.
func (b backlogRow) StateText() string { return sentence(string(b.State)) }

// Badge is the state as a class of the stylesheet.
func (b backlogRow) Badge() string {
	switch b.State {
	case admin.AtWork:
		return "running"
	case admin.Paused, admin.Unauthorized:
		return "needs-re-authorization"
	case admin.WaitsForJobs, admin.Due:
	}
	return "waiting"
}

// sentence begins words with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// jobLink is the page of a job for this person.
func (q *request) jobLink(id string) string {
	if q.admin() {
		return "/jobs/" + url.PathEscape(id) + "/edit"
	}
	return "/jobs/" + url.PathEscape(id) + "/preview"
}

// backlogs are what all jobs do in slices.
func (c *console) backlogs(q *request) ([]backlogRow, error) {
	all, err := c.admin.Backlogs(q.ctx())
	rows := make([]backlogRow, len(all))
	for i, b := range all {
		rows[i] = q.backlogRow(b, q.jobLink(b.Job))
	}
	return rows, err
}

// backlogOf is what one job does in slices, nil if that is nothing.
func (c *console) backlogOf(q *request, job string) (*backlogRow, error) {
	b, ok, err := c.admin.Backlog(q.ctx(), job)
	if !ok || err != nil {
		return nil, err
	}
	row := q.backlogRow(b, "")
	return &row, nil
}
