package console

import (
	"net/url"
	"strings"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connection"
)

func (c *console) avatarRoutes() {
	c.look("GET /avatars", c.avatars)
	c.change("GET /avatars/{id}", c.chooseUser)
	c.change("POST /avatars/{id}", c.associate)
	c.change("POST /avatars/{id}/remove", c.dissociate)
	c.change("POST /avatars/retry", c.retryOwners)
}

type avatarsPage struct {
	Connection  connection.Connection
	None        bool // there is no connection
	Search      string
	State       string
	States      []admin.OwnerState
	Rows        []admin.Owner
	Waiting     int // how many need somebody
	Pager       pager
	Any         bool
	Job, JobKey string // that makes users of owners, to run it again
}

// owned returns the connection whose owners are meant: the one that the address
// names, or the first.
func (c *console) owned(q *request) (connection.Connection, bool, error) {
	list, err := c.Connections.List(q.ctx())
	if err != nil || len(list) == 0 {
		return connection.Connection{}, false, err
	}
	for _, cn := range list {
		if cn.ID == q.query("connection") {
			return cn, true, nil
		}
	}
	return list[0], true, nil
}

func (c *console) avatars(q *request) error {
	cn, ok, err := c.owned(q)
	if err != nil {
		return err
	}
	page := avatarsPage{Connection: cn, None: !ok || cn.Status == connection.NotAuthorized, Search: q.query("q"), State: q.query("state"), States: []admin.OwnerState{admin.Ambiguous, admin.Unmatched, admin.Associated}}
	if page.None {
		return q.show("avatars", "Avatars", page)
	}
	owners, err := c.admin.Owners(q.ctx(), cn.ID)
	if err != nil {
		return err
	}
	page.Any = len(owners) > 0
	var shown []admin.Owner
	for _, o := range owners {
		if o.State != admin.Associated && !o.Archived {
			page.Waiting++
		}
		text := strings.ToLower(o.Name + "\n" + o.Email + "\n" + o.ID + "\n" + o.User.Name)
		if (page.State == "" || page.State == string(o.State)) && strings.Contains(text, strings.ToLower(page.Search)) {
			shown = append(shown, o)
		}
	}
	from, to, p := q.paged(len(shown))
	page.Rows, page.Pager = shown[from:to], p
	jobs, err := c.Jobs.List(q.ctx())
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Connection == cn.ID && j.Mapping.Source == "owner" && j.Mapping.Target == "gsuser" {
			page.Job = j.ID
			break
		}
	}
	return q.show("avatars", "Avatars", page)
}

type userPage struct {
	Connection string
	Owner      admin.Owner
	Search     string
	Users      []admin.User
	More       bool
	Wrong      string
}

// shownUsers is how many users there are to choose from at a time.
const shownUsers = 25

// chooseUser shows the users with whom an owner can be associated, at first those
// who look like the owner.
func (c *console) chooseUser(q *request) error {
	cn, ok, err := c.owned(q)
	if err != nil {
		return err
	}
	if !ok {
		return errNoPage
	}
	owners, err := c.admin.Owners(q.ctx(), cn.ID)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if o.ID == q.id() {
			return c.showUsers(q, cn.ID, o)
		}
	}
	return errNoPage
}

func (c *console) showUsers(q *request, connection string, o admin.Owner) error {
	page := userPage{Connection: connection, Owner: o, Search: q.query("q")}
	searches := []string{page.Search}
	if _, asked := q.r.URL.Query()["q"]; !asked {
		searches = []string{o.Email, o.Name, ""}
	}
	for _, search := range searches {
		found, err := c.admin.Users(q.ctx(), search, shownUsers+1)
		if err != nil {
			return err
		}
		page.Search, page.More = search, len(found) > shownUsers
		page.Users = found[:min(len(found), shownUsers)]
		if len(found) > 0 {
			break
		}
	}
	return q.show("avatar", "Associate "+o.Name, page)
}

func (c *console) associate(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	if err := c.admin.Associate(q.ctx(), form.Get("connection"), q.id(), form.Get("user"), q.by()); err != nil {
		return err
	}
	return q.to("/avatars?"+url.Values{"connection": {form.Get("connection")}}.Encode(), "associated")
}

func (c *console) dissociate(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	if err := c.admin.Dissociate(q.ctx(), form.Get("connection"), q.id(), q.by()); err != nil {
		return err
	}
	return q.to("/avatars?"+url.Values{"connection": {form.Get("connection")}}.Encode(), "unassociated")
}

// retryOwners runs the rejected owners again.
func (c *console) retryOwners(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	if _, err := c.admin.RetryRejected(q.ctx(), form.Get("job"), q.by(), ""); err != nil {
		return err
	}
	return q.to("/activity", "retried")
}
