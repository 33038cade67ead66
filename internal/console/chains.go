package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/schedule"
)

func (c *console) chainRoutes() {
	c.look("GET /chains", c.chains)
	c.change("GET /chains/new", c.newChain)
	c.change("POST /chains/new", c.saveChain)
	c.change("GET /chains/{id}/edit", c.editChain)
	c.change("POST /chains/{id}/edit", c.saveChain)
	c.change("GET /chains/{id}/run", c.askRunChain)
	c.change("POST /chains/{id}/run", c.runChain)
	c.change("GET /chains/{id}/delete", c.askDeleteChain)
	c.change("POST /chains/{id}/delete", c.deleteChain)
}

// chainRow is a chain in the list.
type chainRow struct {
	chain.Chain
	JobNames []string
	Schedule string
	Next     moment
	Continue bool
}

type chainsPage struct {
	Search string
	Rows   []chainRow
	Any    bool
	Jobs   bool // there are jobs to make a chain of
	Pager  pager
}

func (c *console) chains(q *request) error {
	all, err := c.Chains.List(q.ctx())
	if err != nil {
		return err
	}
	names, err := c.jobNames(q)
	if err != nil {
		return err
	}
	body := chainsPage{Search: q.query("q"), Any: len(all) > 0, Jobs: len(names) > 0}
	all = slices.DeleteFunc(all, func(ch chain.Chain) bool {
		return !strings.Contains(strings.ToLower(ch.Name), strings.ToLower(body.Search))
	})
	from, to, p := q.paged(len(all))
	body.Pager = p
	for _, ch := range all[from:to] {
		row := chainRow{Chain: ch, Schedule: "On Demand", Next: moment{Text: "–"}, Continue: ch.OnFailure == chain.Continue}
		for _, id := range ch.Jobs {
			row.JobNames = append(row.JobNames, nameIn(names, id))
		}
		t, err := q.timing(schedule.Owner{What: schedule.Chain, ID: ch.ID})
		if err != nil {
			return err
		}
		if t.Scheduled && t.Schedule.Enabled {
			row.Schedule = "Scheduled Execution"
			if next, ok := t.Schedule.Next(c.now()); ok {
				row.Next = q.at(next)
			}
		}
		body.Rows = append(body.Rows, row)
	}
	return q.show("chains", "Job Chains", body)
}

// nameIn is the name of a thing, or its id if it is gone.
func nameIn(all []named, id string) string {
	for _, n := range all {
		if n.ID == id {
			return n.Name
		}
	}
	return id
}

// chainForm is a chain as its form holds it.
type chainForm struct {
	Chain  chain.Chain
	Timing timing
}

// chainPage is the editor of a chain.
type chainPage struct {
	chainForm
	New        bool
	Action     string
	Name       control
	OnFailure  control
	Rows       []chainJob
	Others     []choice // jobs that are not in it
	Problems   []problem
	Schedule   scheduleForm
	Recipients recipientsForm
	Conflict   *conflict
}

type chainJob struct {
	Row
	ID, Job string
	// Unhonoured says that the job has a schedule of its own that does not count.
	Unhonoured bool
}

func (c *console) newChain(q *request) error {
	return c.showChain(q, 200, chainForm{Chain: chain.Chain{}, Timing: q.newTiming()}, nil, nil)
}

func (c *console) editChain(q *request) error {
	form, err := c.storedChain(q, q.id())
	if err != nil {
		return err
	}
	return c.showChain(q, 200, form, nil, nil)
}

func (c *console) storedChain(q *request, id string) (chainForm, error) {
	ch, err := c.Chains.Get(q.ctx(), id)
	if err != nil {
		return chainForm{}, err
	}
	t, err := q.timing(schedule.Owner{What: schedule.Chain, ID: id})
	return chainForm{ch, t}, err
}

func (c *console) showChain(q *request, status int, form chainForm, problems []problem, con *conflict) error {
	names, err := c.jobNames(q)
	if err != nil {
		return err
	}
	wrong := wrongs(problems)
	ch := form.Chain
	page := chainPage{
		chainForm: form, New: ch.ID == "", Action: q.r.URL.Path, Problems: problems, Conflict: con,
		Name:      control{Path: "name", Label: "Name of the job chain", Kind: "text", Value: ch.Name, Wrong: wrong["name"]},
		OnFailure: control{Path: "onFailure", Label: "Continue after failure", Kind: "check", Checked: ch.OnFailure == chain.Continue, Hint: "If not, a job that fails stops the job chain, and the jobs behind it are skipped."},
		Schedule:  q.scheduleForm(form.Timing, wrong), Recipients: q.recipientsForm(form.Timing, wrong),
	}
	for i, id := range ch.Jobs {
		name := nameIn(names, id)
		row := chainJob{Row: order("jobs", i, len(ch.Jobs), name), ID: id, Job: name}
		if form.Timing.Scheduled && form.Timing.Schedule.Enabled {
			own, err := q.timing(schedule.Owner{What: schedule.Job, ID: id})
			if err != nil {
				return err
			}
			row.Unhonoured = own.Scheduled && own.Schedule.Enabled
		}
		page.Rows = append(page.Rows, row)
	}
	for _, n := range names {
		if !slices.Contains(ch.Jobs, n.ID) {
			page.Others = append(page.Others, choice{n.ID, n.Name})
		}
	}
	title := "Create Job Chain"
	if !page.New {
		title = "Job chain " + ch.Name
	}
	return q.showStatus(status, "chain", title, page)
}

// readChain reads the form of a chain.
func readChain(f fields, id string) chainForm {
	form := chainForm{Timing: readTiming(f), Chain: chain.Chain{ID: id, Name: f.text("name"), Version: f.version("version")}}
	if f.on("onFailure") {
		form.Chain.OnFailure = chain.Continue
	}
	for _, row := range f.rows("jobs") {
		form.Chain.Jobs = append(form.Chain.Jobs, row.text("id"))
	}
	return form
}

func (c *console) saveChain(q *request) error {
	posted, err := q.form()
	if err != nil {
		return err
	}
	do := actionOf(posted)
	if do.Verb == "discard" {
		return q.to(q.r.URL.Path, "discarded")
	}
	if add := posted.Get("add"); do.Verb == "add" && add != "" {
		do.change(posted)
		last := posted["jobs"][len(posted["jobs"])-1]
		posted.Set("jobs["+last+"].id", add)
	} else if do.Verb != "add" {
		do.change(posted)
	}
	form := readChain(fields{form: posted}, q.id())
	if do.Verb != "save" && do.Verb != "" {
		return c.showChain(q, 200, form, nil, nil)
	}
	if do.Of == "mine" { // over what somebody else saved meanwhile
		if err := c.takeVersions(q, &form); err != nil {
			return err
		}
	}
	if problems := c.checkChain(q, form); len(problems) > 0 {
		return c.showChain(q, 422, form, problems, nil)
	}
	ch, err := c.Chains.Save(q.ctx(), form.Chain, q.by())
	if err == nil {
		form.Chain = ch
		err = form.Timing.save(q, schedule.Owner{What: schedule.Chain, ID: ch.ID, Name: ch.Name})
	}
	switch {
	case fault.Is(err, fault.Conflict):
		return c.chainConflict(q, form)
	case fault.Is(err, fault.Invalid):
		return c.showChain(q, 422, form, []problem{{Message: fault.MessageOf(err)}}, nil)
	case err != nil:
		return err
	}
	return q.to("/chains", "saved")
}

// takeVersions makes the form one of what is stored now.
func (c *console) takeVersions(q *request, form *chainForm) error {
	if form.Chain.ID == "" {
		return nil
	}
	stored, err := c.storedChain(q, form.Chain.ID)
	form.Chain.Version, form.Timing.Version, form.Timing.RecipientsVersion = stored.Chain.Version, stored.Timing.Version, stored.Timing.RecipientsVersion
	return err
}

// checkChain returns everything that is wrong with a chain's form.
func (c *console) checkChain(q *request, form chainForm) []problem {
	var all []problem
	if _, err := job.CleanName("job chain", form.Chain.Name); err != nil {
		all = append(all, problem{At: "name", Message: fault.MessageOf(err)})
	}
	if len(form.Chain.Jobs) == 0 {
		all = append(all, problem{At: "add", Message: "The job chain has no job: add at least one."})
	}
	for i, id := range form.Chain.Jobs {
		if _, err := c.Jobs.Get(q.ctx(), id); fault.Is(err, fault.NotFound) {
			all = append(all, problem{At: fieldID(fmt.Sprintf("jobs[%d]", i)), Message: fmt.Sprintf("Job %d does not exist any more: remove it.", i+1)})
		}
	}
	return append(all, form.Timing.check()...)
}

func (c *console) chainConflict(q *request, form chainForm) error {
	stored, err := c.storedChain(q, form.Chain.ID)
	if err != nil {
		return err
	}
	names, err := c.idLabels(q)
	if err != nil {
		return err
	}
	con := newConflict("job chain", stored, form, names)
	return c.showChain(q, 409, form, nil, con)
}

func (c *console) askRunChain(q *request) error {
	ch, err := c.Chains.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.askRun(200, ch.Name, "/chains/"+ch.ID+"/run", "/chains", importNow{Mode: "changes"})
}

func (c *console) runChain(q *request) error {
	ch, err := c.Chains.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.startRun(ch.Name, "/chains/"+ch.ID+"/run", "/chains", func(s *admin.Start) { s.Chain = ch.ID })
}

func (c *console) askDeleteChain(q *request) error {
	ch, err := c.Chains.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.show("confirm", "Delete "+ch.Name, confirm{
		Heading: fmt.Sprintf("Delete %q?", ch.Name), Button: "Delete", Action: "/chains/" + url.PathEscape(ch.ID) + "/delete", Back: "/chains",
		Effects: []string{
			"The job chain and its schedule are deleted. This cannot be undone.",
			fmt.Sprintf("Its %s stay. From then on the schedules of their own count.", counted(len(ch.Jobs), "job")),
		},
	})
}

func (c *console) deleteChain(q *request) error {
	if err := c.Chains.Delete(q.ctx(), q.id(), q.by()); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return q.to("/chains", "deleted")
}
