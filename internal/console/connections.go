package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
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

// quota is how much of a call quota is used.
type quota struct {
	Name    string
	Windows []quotaWindow
}

type quotaWindow struct {
	Used, Calls, Percent int
	Per                  string
}

// quotas are the call quotas of both vendors.
func (q *request) quotas() ([]quota, error) {
	var all []quota
	for _, vendor := range []string{connector.HubSpot, connector.Gainsight} {
		budgets := q.c.Connector.Budgets[vendor]
		for _, name := range slices.Sorted(maps.Keys(budgets)) {
			used, err := budgets[name].Usage(q.ctx())
			if err != nil {
				return nil, err
			}
			one := quota{Name: vendor + " " + name}
			for _, u := range used {
				one.Windows = append(one.Windows, quotaWindow{u.Calls, u.Window.Calls, 100 * u.Calls / max(1, u.Window.Calls), per(u.Per)})
			}
			all = append(all, one)
		}
	}
	return all, nil
}

type connectionsPage struct {
	Rows   []connectionRow
	Full   bool // no other connection is possible
	Quotas []quota
}

func (c *console) connections(q *request) error {
	list, err := c.Connector.Connections.List(q.ctx())
	if err != nil {
		return err
	}
	body := connectionsPage{Full: len(list) >= max(1, c.Connector.Connections.Limit)}
	for _, cn := range list {
		body.Rows = append(body.Rows, q.connectionRow(cn))
	}
	if len(list) > 0 {
		if body.Quotas, err = q.quotas(); err != nil {
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
	cn, err := c.Connector.Connections.Create(q.ctx(), form.Get("name"), q.who.Name)
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
	address, err := c.Connector.Flow.Begin(q.ctx(), id, q.who.Name)
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
	cn, err := c.Connector.Flow.Callback(q.ctx(), q.query("code"), q.query("state"), q.query("error"))
	if cn.ID == "" {
		return err
	}
	if err != nil { // authorized, but its jobs could not be made
		c.Log.ErrorContext(q.ctx(), "connection not equipped", "connection", cn.ID, "error", err.Error())
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
	cn, err := c.Connector.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	body := connectionPage{connectionRow: q.connectionRow(cn), Grants: grants(cn.Scopes)}
	if body.Jobs, body.Chains, err = c.reach(q, cn.ID); err != nil {
		return err
	}
	return q.show("connection", cn.Name, body)
}

func (c *console) editConnection(q *request) error {
	cn, err := c.Connector.Connections.Get(q.ctx(), q.id())
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
	_, err = c.Connector.Connections.Rename(q.ctx(), q.id(), form.Get("name"), q.who.Name)
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
	Heading  string
	Effects  []string // what happens, one sentence each
	Action   string   // where the answer goes
	Button   string
	Back     string
	Named    []named // what is reached
	Of       string  // what those are
	Refusal  string  // why it is not possible; "" = it is
	NamePath string  // where those have their pages
}

func (c *console) askRevoke(q *request) error {
	cn, err := c.Connector.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	jobs, _, err := c.reach(q, cn.ID)
	if err != nil {
		return err
	}
	return q.show("confirm", "Revoke "+cn.Name, confirm{
		Heading: fmt.Sprintf("Revoke %q?", cn.Name), Button: "Revoke", Action: "/connections/" + cn.ID + "/revoke", Back: "/connections",
		Effects: []string{
			"The permission is withdrawn: our access is revoked at HubSpot and deleted here.",
			"Its jobs then do not work: their runs fail at once, and nothing is called.",
			"Jobs, chains, schedules and history stay. Re-Authorize makes all of them work again.",
		},
		Named: jobs, Of: counted(len(jobs), "job") + " stop working", NamePath: "/jobs/",
	})
}

func (c *console) revoke(q *request) error {
	if _, err := c.Connector.Connections.Revoke(q.ctx(), q.id(), q.who.Name); err != nil {
		return err
	}
	return q.to("/connections", "revoked")
}

func (c *console) askDeleteConnection(q *request) error {
	cn, err := c.Connector.Connections.Get(q.ctx(), q.id())
	if err != nil {
		return err
	}
	jobs, chains, err := c.reach(q, cn.ID)
	if err != nil {
		return err
	}
	ask := confirm{
		Heading: fmt.Sprintf("Delete %q?", cn.Name), Button: "Delete permanently", Action: "/connections/" + cn.ID + "/delete", Back: "/connections",
		Effects: []string{
			"This cannot be undone.",
			"The permission is withdrawn: our access is revoked at HubSpot and deleted here.",
			fmt.Sprintf("%s and %s are deleted with their schedules.", counted(len(jobs), "job"), counted(len(chains), "chain")),
			"What was written to Gainsight stays there, and the history stays under Activity.",
		},
		Named: append(slices.Clone(jobs), chains...), Of: "These are deleted",
	}
	if running, err := c.Connector.Connections.Running(q.ctx(), cn.ID); err != nil {
		return err
	} else if running {
		ask.Refusal = "A run of this connection is active. Wait for its end or stop it under Activity, then delete the connection."
	}
	return q.show("confirm", "Delete "+cn.Name, ask)
}

func (c *console) deleteConnection(q *request) error {
	if err := c.Connector.Connections.Delete(q.ctx(), q.id(), q.who.Name); err != nil {
		return err
	}
	return q.to("/connections", "deleted")
}

// reach returns the jobs of a connection, and the chains that have none but
// those.
func (c *console) reach(q *request, id string) (jobs, chains []named, err error) {
	all, err := c.Connector.Jobs.List(q.ctx())
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
	every, err := c.Connector.Chains.List(q.ctx())
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
