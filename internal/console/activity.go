package console

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
)

func (c *console) activityRoutes() {
	c.look("GET /activity", c.executions)
	c.look("GET /activity/updates", c.updates)
	c.look("GET /activity/runs/{id}", c.run)
	c.look("GET /activity/runs/{id}/errors", c.errorLog)
	c.change("POST /activity/runs/{id}/stop", c.stop)
	c.change("POST /activity/runs/{id}/resume", c.resume)
	c.change("POST /activity/runs/{id}/retry", c.retry)
	c.change("POST /activity/cut-off/{id}/resume", c.resumeCutOff)
}

// progressRow is a run that is going on.
type progressRow struct {
	admin.Progress
	StartedAt, EndsAt moment
	Percent           int // of what was read; -1 = reading is not done
}

func (q *request) progressRow(p admin.Progress) progressRow {
	row := progressRow{Progress: p, StartedAt: q.at(p.Run.Started), EndsAt: q.at(p.End), Percent: -1}
	if p.Extraction.Done {
		row.Percent = 100 * p.Settled.Settled() / max(1, p.Extraction.Count)
	}
	return row
}

// Waits reports whether the run's turn has not come.
func (p progressRow) Waits() bool { return p.Run.Status == run.Planned }

// PerSecondText is its speed in words, "" if it is not known.
func (p progressRow) PerSecondText() string {
	if p.PerSecond <= 0 {
		return ""
	}
	if p.PerSecond < 10 {
		return strings.TrimSuffix(trimFloat(p.PerSecond), ".0") + " records/s"
	}
	return number(int(p.PerSecond+.5)) + " records/s"
}

// cutOff is an execution on which nobody works.
type cutOff struct {
	Execution, What string
	Started         moment
}

// executionRow is a run that has ended.
type executionRow struct {
	activity.Execution
	StartedAt, EndedAt moment
	Took               string
}

type executionsPage struct {
	Tab       string
	Filter    url.Values
	Jobs      []named
	Statuses  []run.Status
	Going     []progressRow
	CutOff    []cutOff
	Backlogs  []backlogRow
	Quotas    []admin.Quota
	Rows      []executionRow
	Filtered  bool
	Wrong     string
	Pager     pager
	Live      bool
	ShowEmpty bool
}

func (c *console) executions(q *request) error {
	f := admin.ExecutionFilter{Status: q.query("status"), Job: q.query("job"), Chain: q.query("chain"), Limit: perPage, Cursor: q.query("after")}
	body := executionsPage{Tab: "execution", Filter: q.r.URL.Query(), Statuses: []run.Status{run.Success, run.Partial, run.Failed, run.Skipped}}
	f.News = f.Status == "" && q.query("skipped") == ""
	var wrong string
	f.From, f.To, wrong = q.days()
	body.Wrong = wrong
	body.Filtered = f.Status+f.Job+f.Chain+q.query("skipped") != "" || !f.From.IsZero() || !f.To.IsZero()
	page, err := c.admin.Executions(q.ctx(), f)
	if err != nil {
		return err
	}
	for _, e := range page.Runs {
		row := executionRow{Execution: e, StartedAt: q.at(e.Started), EndedAt: q.at(e.Ended), Took: took(e.Ended.Sub(e.Started))}
		if a, b := e.Started.In(q.zone), e.Ended.In(q.zone); a.YearDay() == b.YearDay() && a.Year() == b.Year() {
			row.EndedAt.Text = b.Format("15:04")
		}
		body.Rows = append(body.Rows, row)
	}
	body.Pager = q.cursor(f.Cursor, page.Next)
	if body.Jobs, err = c.jobNames(q); err != nil {
		return err
	}
	if f.Cursor == "" {
		if err := c.going(q, &body); err != nil {
			return err
		}
	}
	body.ShowEmpty = len(body.Rows) == 0 && !body.Filtered && f.Cursor == "" && page.Next == ""
	return q.show("executions", "Activity", body)
}

// going adds the runs that go on, and those that were cut off.
func (c *console) going(q *request, body *executionsPage) error {
	going, cut, err := c.admin.Active(q.ctx())
	if err != nil {
		return err
	}
	for _, p := range going {
		body.Going = append(body.Going, q.progressRow(p))
	}
	for _, r := range cut {
		body.CutOff = append(body.CutOff, cutOff{r.Execution, cmp.Or(r.Chain, r.Input.Job, r.Input.Chain), q.at(r.Started)})
	}
	if body.Backlogs, err = c.backlogs(q); err != nil {
		return err
	}
	body.Live = len(going) > 0
	if !body.Live {
		return nil
	}
	quotas, err := c.admin.Quotas(q.ctx())
	body.Quotas = inUse(quotas)
	return err
}

// inUse are the quotas of which something is used.
func inUse(all []admin.Quota) []admin.Quota {
	return slices.DeleteFunc(all, func(q admin.Quota) bool { return q.Used == 0 })
}

// days reads the filter by days, which are those of the reader's zone.
func (q *request) days() (from, to time.Time, wrong string) {
	read := func(name string) time.Time {
		value := q.query(name)
		if value == "" {
			return time.Time{}
		}
		day, err := time.ParseInLocation("2006-01-02", value, q.zone)
		if err != nil {
			wrong = "A date is written like 2026-11-30; this one was left out."
			return time.Time{}
		}
		return day
	}
	from, to = read("from"), read("to")
	if !to.IsZero() {
		to = to.AddDate(0, 0, 1)
	}
	return from, to, wrong
}

// cursor leads through a list that only goes forward.
func (q *request) cursor(at, next string) pager {
	var p pager
	if at != "" {
		p.Previous, p.Text = q.with("after", ""), "Previous leads back to the newest"
	}
	if next != "" {
		p.Next = q.with("after", next)
	}
	return p
}

func (c *console) jobNames(q *request) ([]named, error) {
	jobs, err := c.Jobs.List(q.ctx())
	names := make([]named, len(jobs))
	for i, j := range jobs {
		names[i] = named{j.ID, j.Name}
	}
	return names, err
}

type runPage struct {
	admin.RunDetail
	This      progressRow
	EndedAt   moment
	Took      string
	Jobs      []progressRow
	JobExists bool
	Key       string
	Live      bool
}

func (c *console) run(q *request) error {
	d, err := c.admin.RunDetail(q.ctx(), run.ID(q.id()))
	if err != nil {
		return err
	}
	body := runPage{RunDetail: d, This: q.progressRow(d.Progress), EndedAt: q.at(d.Run.Ended), Live: !d.Round.Status.Closed() && !d.CanResume}
	body.Quotas = inUse(body.Quotas)
	if !d.Run.Ended.IsZero() {
		body.Took = took(d.Run.Ended.Sub(d.Run.Started))
	}
	for _, s := range d.Siblings {
		body.Jobs = append(body.Jobs, q.progressRow(s))
	}
	_, err = c.Jobs.Get(q.ctx(), d.Run.Job)
	if body.JobExists = err == nil; err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return q.show("run", "Run of "+d.Run.JobName, body)
}

// errorLog leads to the error file, or sends it where it is a file of this
// machine.
func (c *console) errorLog(q *request) error {
	link, name, err := c.admin.ErrorFile(q.ctx(), run.ID(q.id()))
	if err != nil {
		return err
	}
	if u, err := url.Parse(link); err == nil && u.Scheme == "https" {
		http.Redirect(q.w, q.r, link, http.StatusSeeOther)
		return nil
	}
	r, err := c.Runs.Get(q.ctx(), run.ID(q.id()))
	if err != nil {
		return err
	}
	f, err := c.Bucket.Open(q.ctx(), r.ErrorFile)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := q.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename*=UTF-8''`+url.PathEscape(path.Base(name)))
	_, _ = io.Copy(q.w, f) // a browser that has gone needs no answer
	return nil
}

// execution returns the execution of a run.
func (c *console) execution(q *request) (run.Run, error) {
	return c.Runs.Get(q.ctx(), run.ID(q.id()))
}

func (c *console) stop(q *request) error {
	r, err := c.execution(q)
	if err != nil {
		return err
	}
	if err := c.admin.Stop(q.ctx(), r.Execution, q.by()); err != nil {
		return err
	}
	return q.to("/activity/runs/"+string(r.ID), "stopping")
}

func (c *console) resume(q *request) error {
	r, err := c.execution(q)
	if err != nil {
		return err
	}
	if _, err := c.admin.Resume(q.ctx(), r.Execution, q.by()); err != nil {
		return err
	}
	return q.to("/activity", "resumed")
}

func (c *console) resumeCutOff(q *request) error {
	if _, err := c.admin.Resume(q.ctx(), q.id(), q.by()); err != nil {
		return err
	}
	return q.to("/activity", "resumed")
}

func (c *console) retry(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	r, err := c.execution(q)
	if err != nil {
		return err
	}
	if _, err := c.admin.RetryRejected(q.ctx(), r.Job, q.by(), form.Get("key")); err != nil {
		return err
	}
	return q.to("/activity", "retried")
}
