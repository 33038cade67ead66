package console

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
)

// perPage is how many rows a list shows at a time.
const perPage = 50

func (c *console) jobRoutes() {
	c.look("GET /jobs", c.jobs)
	c.look("GET /jobs/{id}", func(q *request) error { return q.to("/jobs/"+url.PathEscape(q.id())+"/preview", "") })
	c.change("POST /jobs/{id}/clone", c.cloneJob)
	c.change("GET /jobs/{id}/run", c.askRunJob)
	c.change("POST /jobs/{id}/run", c.runJob)
	c.change("GET /jobs/{id}/delete", c.askDeleteJob)
	c.change("POST /jobs/{id}/delete", c.deleteJob)
	c.look("GET /jobs/{id}/preview", c.preview)
}

// jobRow is a job in the list.
type jobRow struct {
	admin.JobRow
	LastRunOn  moment
	Strip      []activity.Execution
	StripText  string // the strip in words
	Incomplete string // what is missing; "" = nothing
	InSlices   *backlogRow
}

type jobsPage struct {
	Search, Connection string
	Connections        []named
	Rows               []jobRow
	Any                bool // there is a job, whether it is shown or not
	Pager              pager
	Drafts             []draftRow
}

// draftRow is a job that somebody began to edit and did not save.
type draftRow struct {
	Key, Name string
	New       bool
	SavedAt   moment
}

// pager leads through a list.
type pager struct{ Previous, Next, Text string }

func (c *console) jobs(q *request) error {
	f := admin.JobFilter{Search: q.query("q"), Connection: q.query("connection")}
	rows, err := c.admin.JobRows(q.ctx(), f)
	if err != nil {
		return err
	}
	body := jobsPage{Search: f.Search, Connection: f.Connection, Any: len(rows) > 0 || f != admin.JobFilter{}}
	list, err := c.Connections.List(q.ctx())
	if err != nil {
		return err
	}
	for _, cn := range list {
		body.Connections = append(body.Connections, named{cn.ID, cn.Name})
	}
	if q.admin() {
		drafts, err := c.admin.Drafts(q.ctx(), q.by())
		if err != nil {
			return err
		}
		for _, d := range drafts {
			body.Drafts = append(body.Drafts, draftRow{d.Key, d.Job.Name, d.Base == 0, q.at(d.Saved)})
		}
	}
	from, to, pages := q.paged(len(rows))
	body.Pager = pages
	for _, row := range rows[from:to] {
		if row.TargetLabel == row.Job.Mapping.Target {
			row.TargetLabel = targetLabel(row.Job.Mapping.Target)
		}
		shown := jobRow{
			JobRow: row, LastRunOn: q.at(row.LastRun), Strip: row.Last, StripText: stripText(row.Last), Incomplete: row.Job.MissingSentence(),
		}
		if row.Backlog != nil {
			b := q.backlogRow(*row.Backlog, "")
			shown.InSlices = &b
		}
		body.Rows = append(body.Rows, shown)
	}
	return q.show("jobs", "Jobs", body)
}

// paged returns which of n rows the page shows, and what leads to the others.
func (q *request) paged(n int) (from, to int, p pager) {
	at, err := strconv.Atoi(q.query("page"))
	last := max(1, (n+perPage-1)/perPage)
	if err != nil || at < 1 {
		at = 1
	}
	at = min(at, last)
	from, to = (at-1)*perPage, min(at*perPage, n)
	if last == 1 {
		return from, to, p
	}
	p.Text = fmt.Sprintf("%s to %s of %s", number(from+1), number(to), number(n))
	if at > 1 {
		p.Previous = q.with("page", strconv.Itoa(at-1))
	}
	if at < last {
		p.Next = q.with("page", strconv.Itoa(at+1))
	}
	return from, to, p
}

// with is the address of this page with another value of a parameter; "" removes
// it.
func (q *request) with(name, value string) string {
	v := q.r.URL.Query()
	v.Set(name, value)
	if value == "" {
		v.Del(name)
	}
	if len(v) == 0 {
		return q.r.URL.Path
	}
	return q.r.URL.Path + "?" + v.Encode()
}

// stripText tells the last runs in words: "Last 5 runs: 4 Success, 1 Failed".
func stripText(last []activity.Execution) string {
	if len(last) == 0 {
		return "No runs yet"
	}
	var parts []string
	for _, status := range []run.Status{run.Success, run.Partial, run.Failed, run.Skipped} {
		n := 0
		for _, e := range last {
			if e.Status == string(status) {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	return fmt.Sprintf("Last %s: %s", counted(len(last), "run"), strings.Join(parts, ", "))
}

func (c *console) cloneJob(q *request) error {
	j, err := c.Jobs.Clone(q.ctx(), q.id(), "", q.by())
	if err != nil {
		return err
	}
	return q.to("/jobs/"+j.ID+"/edit", "cloned")
}

// importNow asks what a run reads.
type importNow struct {
	Heading, Action, Back string
	Key                   string // makes a form that is sent twice start once
	Mode, Since, Wrong    string
	Zone                  string
}

func (c *console) askRunJob(q *request) error {
	j, err := c.Jobs.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.askRun(200, j.Name, "/jobs/"+j.ID+"/run", "/jobs", importNow{Mode: "changes"})
}

func (q *request) askRun(status int, name, action, back string, in importNow) error {
	in.Heading, in.Action, in.Back, in.Key, in.Zone = "Import Now: "+name, action, back, rand.Text(), q.zone.String()
	return q.showStatus(status, "import-now", in.Heading, in)
}

// started reads what a run shall read.
func (q *request) started(form url.Values) (s admin.Start, wrong string) {
	switch form.Get("mode") {
	case "", "changes":
		s.Mode = run.ModeChanges
	case "everything":
		s.Mode = run.ModeFull
	case "since":
		s.Mode = run.ModeChanges
		at, err := time.ParseInLocation("2006-01-02T15:04", form.Get("since"), q.zone)
		switch {
		case err != nil:
			return s, "Choose the date and time from which on changes are read."
		case at.After(q.c.now()):
			return s, "This date lies in the future: choose one in the past."
		}
		s.Since = at.UTC()
	default:
		return s, "Choose what to read: changes since the last run, changes from a date, or everything."
	}
	return s, ""
}

func (c *console) runJob(q *request) error {
	j, err := c.Jobs.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.startRun(j.Name, "/jobs/"+j.ID+"/run", "/jobs", func(s *admin.Start) { s.Job = j.ID })
}

// startRun starts what the form of askRun says.
func (q *request) startRun(name, action, back string, of func(*admin.Start)) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	start, wrong := q.started(form)
	if wrong != "" {
		return q.askRun(422, name, action, back, importNow{Mode: form.Get("mode"), Since: form.Get("since"), Wrong: wrong})
	}
	of(&start)
	if _, err := q.c.admin.StartRun(q.ctx(), q.by(), start, form.Get("key")); err != nil {
		return err
	}
	return q.to("/activity", "started")
}

func (c *console) askDeleteJob(q *request) error {
	j, err := c.Jobs.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	ask := confirm{
		Heading: fmt.Sprintf("Delete %q?", j.Name), Button: "Delete", Action: "/jobs/" + j.ID + "/delete", Back: "/jobs",
		Effects: []string{
			"The job and its schedule are deleted. This cannot be undone.",
			"What it wrote to Gainsight stays there, and its history stays under Activity.",
		},
	}
	chains, err := c.Chains.NamesWith(q.ctx(), j.ID)
	if err != nil {
		return err
	}
	if len(chains) > 0 {
		ask.Refusal = fmt.Sprintf("The job is part of %s %s. Take it out there first, then delete it.", plural(len(chains), "the job chain", "the job chains"), words(chains))
	}
	return q.show("confirm", "Delete "+j.Name, ask)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (c *console) deleteJob(q *request) error {
	if err := c.Jobs.Delete(q.ctx(), q.id(), q.by()); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return q.to("/jobs", "deleted")
}
