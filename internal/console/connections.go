package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
)

func (c *console) connectionRoutes() {
	c.look("GET /connections", c.connections)
	c.change("GET /connections/new", c.newConnection)
	c.change("POST /connections", c.createConnection)
	c.look("GET /connections/{id}", c.connection)
	c.change("GET /connections/{id}/edit", c.editConnection)
	c.change("POST /connections/{id}/edit", c.renameConnection)
	c.change("POST /connections/{id}/authorize", c.authorize)
	c.change("GET /connections/{id}/revoke", c.askRevoke)
	c.change("POST /connections/{id}/revoke", c.revoke)
	c.change("GET /connections/{id}/delete", c.askDeleteConnection)
	c.change("POST /connections/{id}/delete", c.deleteConnection)
	c.look("GET /connections/{id}/test", c.testConnection)
	c.look("GET /oauth/callback", c.callback)
}

// connectionRow is a connection as its pages show it.
type connectionRow struct {
	connection.Connection
	Account      string
	CreatedAt    moment
	LastUsed     moment
	AuthorizeVia string // what the button to HubSpot's page says
}

func (q *request) connectionRow(cn connection.Connection) connectionRow {
	row := connectionRow{Connection: cn, CreatedAt: q.at(cn.Created), LastUsed: moment{Text: "–"}, AuthorizeVia: "Re-Authorize"}
	if cn.Status == connection.NotAuthorized {
		row.AuthorizeVia = "Authorize"
	}
	if cn.PortalID != 0 {
		row.Account = fmt.Sprintf("%d", cn.PortalID)
	}
	return row
}

// used is a connection with the time of its last run.
func (c *console) used(q *request, cn connection.Connection) (connectionRow, error) {
	row := q.connectionRow(cn)
	jobs, err := c.admin.JobRows(q.ctx(), admin.JobFilter{Connection: cn.ID})
	if err != nil {
		return row, err
	}
	var last time.Time
	for _, j := range jobs {
		if j.LastRun.After(last) {
			last = j.LastRun
		}
	}
	row.LastUsed = q.at(last)
	return row, nil
}

type connectionsPage struct {
	Rows   []connectionRow
	Full   bool // no other connection is possible
	Quotas []admin.Quota
}

func (c *console) connections(q *request) error {
	list, err := c.Connections.List(q.ctx())
	if err != nil {
		return err
	}
	body := connectionsPage{Full: len(list) >= max(1, c.Connections.Limit)}
	for _, cn := range list {
		row, err := c.used(q, cn)
		if err != nil {
			return err
		}
		body.Rows = append(body.Rows, row)
	}
	if len(list) > 0 {
		if body.Quotas, err = c.admin.Quotas(q.ctx()); err != nil {
			return err
		}
	}
	return q.show("connections", "Connections", body)
}

// nameForm is a form with one name.
type nameForm struct {
	ID, Name, Wrong string
}

func (c *console) newConnection(q *request) error {
	return q.show("connection-new", "Create Connection", nameForm{Name: "HubSpot"})
}

func (c *console) createConnection(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	cn, err := c.Connections.Create(q.ctx(), form.Get("name"), q.by())
	if fault.Is(err, fault.Invalid) {
		return q.showStatus(422, "connection-new", "Create Connection", nameForm{Name: form.Get("name"), Wrong: fault.MessageOf(err)})
	}
	if err != nil {
		return err
	}
	return c.toHubSpot(q, cn.ID)
}

// toHubSpot leads to HubSpot's page, from which HubSpot leads back.
func (c *console) toHubSpot(q *request, id string) error {
	address, err := c.Flow.Begin(q.ctx(), id, q.by())
	if err != nil {
		return err
	}
	return q.to(address, "")
}

func (c *console) authorize(q *request) error { return c.toHubSpot(q, q.id()) }

// callback is where HubSpot leads back to. The address holds a code, so no other
// site may learn it.
func (c *console) callback(q *request) error {
	q.w.Header().Set("Referrer-Policy", "no-referrer")
	cn, err := c.Flow.Callback(q.ctx(), q.query("code"), q.query("state"), q.query("error"))
	if cn.ID == "" {
		return err
	}
	if err != nil { // authorized, but its jobs could not be made
		c.log.ErrorContext(q.ctx(), "connection not equipped", "connection", cn.ID, "error", err.Error())
		return q.to("/connections/"+cn.ID, "half-authorized")
	}
	return q.to("/connections/"+cn.ID, "authorized")
}

type connectionPage struct {
	connectionRow
	Jobs, Chains []named
	Grants       []grant
}

// named is a thing with a page of its own.
type named struct{ ID, Name string }

// grant is what the account allows for an object.
type grant struct {
	Object, Scopes string
	Granted        bool
}

func (c *console) connection(q *request) error {
	cn, err := c.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	row, err := c.used(q, cn)
	if err != nil {
		return err
	}
	body := connectionPage{connectionRow: row, Grants: grants(cn.Scopes)}
	if body.Jobs, body.Chains, err = c.reach(q, cn.ID); err != nil {
		return err
	}
	return q.show("connection", cn.Name, body)
}

func (c *console) editConnection(q *request) error {
	cn, err := c.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	return q.show("connection-edit", "Edit "+cn.Name, nameForm{ID: cn.ID, Name: cn.Name})
}

func (c *console) renameConnection(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	_, err = c.Connections.Rename(q.ctx(), q.id(), form.Get("name"), q.by())
	if fault.Is(err, fault.Invalid) {
		return q.showStatus(422, "connection-edit", "Edit connection", nameForm{ID: q.id(), Name: form.Get("name"), Wrong: fault.MessageOf(err)})
	}
	if err != nil {
		return err
	}
	return q.to("/connections", "renamed")
}

// confirm asks before something that cannot be undone.
type confirm struct {
	Heading string
	Effects []string // what happens, one sentence each
	Action  string   // where the answer goes
	Button  string
	Back    string
	Refusal string // why it is not possible; "" = it is
}

func (c *console) askRevoke(q *request) error {
	cn, err := c.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	effects, err := c.admin.Consequences(q.ctx(), cn.ID, true)
	if err != nil {
		return err
	}
	return q.show("confirm", "Revoke "+cn.Name, confirm{
		Heading: fmt.Sprintf("Revoke %q?", cn.Name), Effects: effects, Button: "Revoke", Action: "/connections/" + cn.ID + "/revoke", Back: "/connections",
	})
}

func (c *console) revoke(q *request) error {
	if _, err := c.Connections.Revoke(q.ctx(), q.id(), q.by()); err != nil {
		return err
	}
	return q.to("/connections", "revoked")
}

func (c *console) askDeleteConnection(q *request) error {
	cn, err := c.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	ask := confirm{Heading: fmt.Sprintf("Delete %q?", cn.Name), Button: "Delete permanently", Action: "/connections/" + cn.ID + "/delete", Back: "/connections"}
	if ask.Effects, err = c.admin.Consequences(q.ctx(), cn.ID, false); err != nil {
		return err
	}
	if running, err := c.Connections.Running(q.ctx(), cn.ID); err != nil {
		return err
	} else if running {
		ask.Refusal = "A run of this connection is active. Wait for its end or stop it under Activity, then delete the connection."
	}
	return q.show("confirm", "Delete "+cn.Name, ask)
}

// testPage is what a test of one side found.
type testPage struct {
	Heading, Again, Back string
	Lines                []admin.TestLine
	OK                   bool
}

func newTestPage(heading, again, back string, lines []admin.TestLine) testPage {
	ok := !slices.ContainsFunc(lines, func(l admin.TestLine) bool { return !l.OK })
	return testPage{Heading: heading, Again: again, Back: back, Lines: lines, OK: ok}
}

func (c *console) testConnection(q *request) error {
	cn, err := c.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	lines, err := c.admin.TestConnection(q.ctx(), cn.ID)
	if err != nil {
		return err
	}
	return q.show("test", "Test of "+cn.Name, newTestPage("Test of "+cn.Name, q.r.URL.Path, "/connections/"+cn.ID, lines))
}

func (c *console) deleteConnection(q *request) error {
	if err := c.Connections.Delete(q.ctx(), q.id(), q.by()); err != nil {
		return err
	}
	return q.to("/connections", "deleted")
}

// reach returns the jobs of a connection, and the chains that have none but
// those.
func (c *console) reach(q *request, id string) (jobs, chains []named, err error) {
	all, err := c.Jobs.List(q.ctx())
	if err != nil {
		return nil, nil, err
	}
	its := map[string]bool{}
	for _, j := range all {
		if j.Connection == id {
			its[j.ID] = true
			jobs = append(jobs, named{j.ID, j.Name})
		}
	}
	every, err := c.Chains.List(q.ctx())
	if err != nil {
		return nil, nil, err
	}
	for _, ch := range every {
		if !slices.ContainsFunc(ch.Jobs, func(job string) bool { return !its[job] }) {
			chains = append(chains, named{ch.ID, ch.Name})
		}
	}
	return jobs, chains, nil
}

// grants tells for the objects that a connection was granted, and for those that
// come out of the box, whether they can be read.
func grants(scopes []string) []grant {
	var all []grant
	for _, o := range objects() {
		missing := slices.ContainsFunc(o.Scopes, func(s string) bool { return !slices.Contains(scopes, s) })
		if missing && !o.Usual {
			continue
		}
		all = append(all, grant{Object: o.Label, Scopes: strings.Join(o.Scopes, ", "), Granted: !missing})
	}
	return all
}
