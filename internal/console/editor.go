package console

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
)

// The steps of the job editor.
const (
	preparation = "preparation"
	destination = "destination"
	configure   = "configure"
)

func (c *console) editorRoutes() {
	c.change("GET /jobs/new", c.newJob)
	c.change("POST /jobs/new", c.beginJob)
	c.change("GET /jobs/{id}/edit", func(q *request) error {
		step := q.query("step")
		if !slices.Contains([]string{preparation, destination, configure}, step) {
			step = preparation
		}
		return q.to("/jobs/"+url.PathEscape(q.id())+"/edit/"+step, "")
	})
	c.change("GET /jobs/{id}/edit/{step}", c.showEditor)
	c.change("POST /jobs/{id}/edit/{step}", c.saveStep)
	c.change("GET /jobs/{id}/edit/sample", c.sample)
	c.change("GET /jobs/{id}/edit/preview", c.previewDraft)
}

// editing is a job as somebody is editing it: their draft, or, before they
// changed anything, the job itself.
type editing struct {
	admin.Draft
	Page  editorPage
	Known bool // the draft is stored
}

// editorPage is what a draft holds beside the job.
type editorPage struct {
	Timing timing `json:"timing"`
	// Search is what the list of properties is searched for.
	Search string `json:"search,omitempty"`
	// Missing are ids that the form had when it was checked; true = show problems.
	Checked bool `json:"checked,omitempty"`
}

// New reports whether the job has never been saved.
func (e editing) New() bool { return e.Base == 0 }

// Stamp tells one state of the draft from another; "0" before there is one.
func (e editing) Stamp() string {
	if !e.Known {
		return "0"
	}
	return strconv.FormatInt(e.Saved.UnixNano(), 36)
}

func (c *console) editing(q *request) (editing, error) {
	d, err := c.admin.Draft(q.ctx(), q.by(), q.id())
	if err == nil {
		e := editing{Draft: d, Known: true}
		if err := json.Unmarshal(d.Page, &e.Page); err != nil {
			e.Page = editorPage{Timing: q.newTiming()}
		}
		e.Page.Timing.Schedule.Version, e.Page.Timing.Recipients.Version = e.Page.Timing.Version, e.Page.Timing.RecipientsVersion
		return e, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return editing{}, err
	}
	return c.stored(q, q.id())
}

// stored is the job as it is stored, to be edited.
func (c *console) stored(q *request, id string) (editing, error) {
	j, err := c.Jobs.Get(q.ctx(), id)
	if err != nil {
		return editing{}, err
	}
	e := editing{Draft: admin.Draft{Key: j.ID, Job: j, Base: j.Version}}
	e.Page.Timing, err = q.timing(owner(j.ID, j.Name))
	return e, err
}

// keep stores the draft.
func (c *console) keep(q *request, e *editing) error {
	e.Draft.Page = activity.JSON(e.Page)
	d, err := c.admin.PutDraft(q.ctx(), q.by(), e.Draft)
	e.Draft, e.Known = d, err == nil
	return err
}

type newJobPage struct {
	Name, Connection, Source control
	Problems                 []problem
	NoConnection             bool
}

func (c *console) newJob(q *request) error { return c.showNewJob(q, 200, fields{}, nil) }

func (c *console) showNewJob(q *request, status int, f fields, problems []problem) error {
	wrong := wrongs(problems)
	list, err := c.Connections.List(q.ctx())
	if err != nil {
		return err
	}
	page := newJobPage{Problems: problems, NoConnection: len(list) == 0}
	page.Name = control{Path: "name", Label: "Job name", Kind: "text", Value: f.exact("name"), Wrong: wrong["name"]}
	page.Connection = control{Path: "connection", Label: "Connection", Kind: "select", Value: f.text("connection"), Wrong: wrong["connection"]}
	for _, cn := range list {
		page.Connection.Choices = append(page.Connection.Choices, choice{cn.ID, cn.Name})
	}
	page.Source = control{Path: "source", Label: "Source object in HubSpot", Kind: "combo", List: "objects", Value: f.text("source"), Wrong: wrong["source"]}
	page.Source.Kind, page.Source.Choices = "select", sourceChoices("")
	return q.showStatus(status, "job-new", "Create Job", page)
}

// sourceChoices are the objects of HubSpot; also, if not among them, the custom
// object that is chosen.
func sourceChoices(chosen string) []choice {
	var all []choice
	for _, o := range objects() {
		all = append(all, choice{o.Name, o.Label})
	}
	if chosen != "" && !slices.ContainsFunc(all, func(c choice) bool { return c.Value == chosen }) {
		all = append(all, choice{chosen, sourceLabel(chosen)})
	}
	return all
}

// beginJob opens a draft for a new job.
func (c *console) beginJob(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	f := fields{form: form}
	var problems []problem
	name, err := job.CleanName("job", f.text("name"))
	if err != nil {
		problems = append(problems, problem{At: "name", Message: fault.MessageOf(err)})
	}
	if _, err := c.Connections.Get(q.ctx(), f.text("connection")); err != nil {
		problems = append(problems, problem{At: "connection", Message: "Choose the connection of the job."})
	}
	if len(problems) > 0 {
		return c.showNewJob(q, 422, f, problems)
	}
	e := editing{Draft: admin.Draft{Key: "new-" + strings.ToLower(rand.Text()[:16])}}
	e.Job = job.Job{Name: name, Connection: f.text("connection"), Mapping: mapping.Config{Source: f.text("source")}}
	e.Page.Timing = q.newTiming()
	if err := c.keep(q, &e); err != nil {
		return err
	}
	return q.to("/jobs/"+e.Key+"/edit/"+preparation, "")
}

// editor is what all steps show.
type editor struct {
	editing
	Step     string
	Steps    []editorStep
	Here     string
	Problems []problem
	Conflict *conflict
	Prep     *preparationForm
	Dest     *destinationForm
	Conf     *configureForm
	Chains   []string // that the job is in
	Backlog  *backlogRow
}

type editorStep struct {
	Name, Label, Path string
	Number            int
	Problems          int
}

func editorSteps(key string, problems []mapping.Problem) []editorStep {
	steps := []editorStep{{Name: preparation, Label: "Preparation"}, {Name: destination, Label: "Destination"}, {Name: configure, Label: "Configure"}}
	for i := range steps {
		steps[i].Number, steps[i].Path = i+1, "/jobs/"+url.PathEscape(key)+"/edit/"+steps[i].Name
		for _, p := range problems {
			if stepOf(p.Path) == steps[i].Name {
				steps[i].Problems++
			}
		}
	}
	return steps
}

// stepOf is the step on which a path stands.
func stepOf(path string) string {
	first := strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == '-' })
	if len(first) == 0 {
		return configure
	}
	switch first[0] {
	case "target", "direct", "derived":
		return destination
	case "schedule", "recipients", "options":
		return configure
	}
	return preparation
}

func (c *console) showEditor(q *request) error {
	e, err := c.editing(q)
	if err != nil {
		return err
	}
	return c.edit(q, 200, e, nil)
}

// edit shows a step of the editor. Once somebody tried to save, all problems are
// shown, those of this step beside their fields too.
func (c *console) edit(q *request, status int, e editing, con *conflict) error {
	step := q.r.PathValue("step")
	ed := editor{editing: e, Step: step, Conflict: con, Here: "/jobs/" + url.PathEscape(e.Key) + "/edit/" + step}
	problems, err := c.problems(q, e)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	if e.Page.Checked {
		for _, p := range problems {
			shown := problem{At: fieldID(p.Path), Message: p.Message}
			if p.Path != "" && stepOf(p.Path) != step {
				shown.Elsewhere = "/jobs/" + url.PathEscape(e.Key) + "/edit/" + stepOf(p.Path) + "#" + fieldID(p.Path)
			}
			ed.Problems = append(ed.Problems, shown)
		}
		ed.Steps = editorSteps(e.Key, problems)
		wrong = wrongs(ed.Problems)
	} else {
		ed.Steps = editorSteps(e.Key, nil)
	}
	if !e.New() {
		if ed.Chains, err = c.Chains.NamesWith(q.ctx(), e.Job.ID); err != nil {
			return err
		}
		if ed.Backlog, err = c.backlogOf(q, e.Job.ID); err != nil {
			return err
		}
	}
	switch step {
	case preparation:
		ed.Prep, err = c.preparationForm(q, e, wrong)
	case destination:
		ed.Dest, err = c.destinationForm(q, e, wrong)
	case configure:
		ed.Conf, err = c.configureForm(q, e, wrong)
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	title := e.Job.Name
	if title == "" {
		title = "Job"
	}
	return q.showStatus(status, "editor", title, ed)
}

// problems returns everything that is wrong with a job as it is edited, unless
// nobody has asked yet.
func (c *console) problems(q *request, e editing) ([]mapping.Problem, error) {
	if !e.Page.Checked {
		return nil, nil
	}
	var all []mapping.Problem
	found, err := c.admin.Check(q.ctx(), e.Job)
	switch {
	case err == nil:
		all = append(all, found...)
	case fault.Is(err, fault.Internal):
		return nil, err
	default:
		all = append(all, mapping.Problem{Message: fault.MessageOf(err)})
	}
	for _, p := range e.Page.Timing.check() {
		all = append(all, mapping.Problem{Path: p.At, Message: p.Message})
	}
	return all, nil
}

func (c *console) saveStep(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	e, err := c.editing(q)
	if err != nil {
		return err
	}
	do := actionOf(form)
	if do.Verb == "discard" {
		return c.discard(q, e)
	}
	do.change(form)
	mine := e
	step := q.r.PathValue("step")
	if err := c.readStep(q, step, &mine, form, do); err != nil {
		return err
	}
	if form.Get("saved") != e.Stamp() && do.Of != "mine" && !sameJSON(e.Job, mine.Job) {
		return c.draftConflict(q, e, mine)
	}
	if do.Verb == "save" || do.Verb == "check" {
		mine.Page.Checked = true
	}
	if err := c.keep(q, &mine); err != nil {
		return err
	}
	here := "/jobs/" + url.PathEscape(e.Key) + "/edit/" + step
	switch do.Verb {
	case "draft": // the script keeps it while somebody types
		q.w.Header().Set("X-Saved", mine.Stamp())
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	case "save":
		return c.saveJob(q, mine, do.Of)
	case "go":
		return q.to("/jobs/"+url.PathEscape(e.Key)+"/edit/"+url.PathEscape(do.Of), "")
	case "preview":
		return q.to("/jobs/"+url.PathEscape(e.Key)+"/edit/preview", "")
	}
	return q.to(here+"#"+fieldID(do.Of), "")
}

// readStep reads the form of one step into what is edited.
func (c *console) readStep(q *request, step string, e *editing, form url.Values, do action) error {
	f := fields{form: form}
	switch step {
	case preparation:
		return c.readPreparation(q, e, f, do)
	case destination:
		return c.readDestination(q, e, f, do)
	case configure:
		c.readConfigure(e, f)
		return nil
	}
	return errNoPage
}

func (c *console) discard(q *request, e editing) error {
	if err := c.admin.DropDraft(q.ctx(), q.by(), e.Key); err != nil {
		return err
	}
	if e.New() {
		return q.to("/jobs", "discarded")
	}
	return q.to("/jobs/"+e.Key+"/edit/"+q.r.PathValue("step"), "draft-discarded")
}

// draftConflict shows what another tab kept, and what this one holds.
func (c *console) draftConflict(q *request, theirs, mine editing) error {
	label, err := c.idLabels(q)
	if err != nil {
		return err
	}
	con := newConflict("draft", theirs.Job, mine.Job, label)
	con.SaveMine, con.OtherTab = "keep:mine", "/jobs/"+url.PathEscape(mine.Key)+"/edit/"+q.r.PathValue("step")
	return c.edit(q, http.StatusConflict, mine, con)
}

// saveJob makes the draft the job, if nothing is wrong with it.
func (c *console) saveJob(q *request, e editing, over string) error {
	problems, err := c.problems(q, e)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return c.edit(q, http.StatusUnprocessableEntity, e, nil)
	}
	j := e.Job
	j.Version = e.Base
	if over == "over" { // over what somebody else saved meanwhile
		theirs, err := c.stored(q, j.ID)
		if err != nil {
			return err
		}
		j.Version, e.Page.Timing.Version, e.Page.Timing.RecipientsVersion = theirs.Base, theirs.Page.Timing.Version, theirs.Page.Timing.RecipientsVersion
	}
	saved, err := c.Jobs.Save(q.ctx(), j, q.by())
	if err == nil {
		e.Base, e.Job = saved.Version, saved
		if err := c.keep(q, &e); err != nil {
			return err
		}
		err = e.Page.Timing.save(q, owner(saved.ID, saved.Name))
	}
	switch {
	case fault.Is(err, fault.Conflict):
		return c.jobConflict(q, e)
	case fault.Is(err, fault.Invalid):
		e.Page.Checked = false
		return c.refused(q, e, err)
	case err != nil:
		return err
	}
	if err := c.admin.DropDraft(q.ctx(), q.by(), e.Key); err != nil {
		return err
	}
	return q.to("/jobs", "job-saved")
}

// refused shows why a job that looked right could not be saved, such as a name
// that was taken meanwhile.
func (c *console) refused(q *request, e editing, err error) error {
	con := &conflict{What: "job", Refused: fault.MessageOf(err)}
	return c.edit(q, http.StatusUnprocessableEntity, e, con)
}

func (c *console) jobConflict(q *request, e editing) error {
	theirs, err := c.stored(q, e.Job.ID)
	if err != nil {
		return err
	}
	label, err := c.idLabels(q)
	if err != nil {
		return err
	}
	type both struct {
		Job    job.Job
		Timing timing
	}
	con := newConflict("job", both{theirs.Job, theirs.Page.Timing}, both{e.Job, e.Page.Timing}, label)
	con.SaveMine = "save:over"
	return c.edit(q, http.StatusConflict, e, con)
}
