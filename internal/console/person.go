package console

import (
	"net/http"
	"slices"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

func (c *console) personRoutes() {
	c.look("GET /person-resolution-key", c.personKey)
	c.change("POST /person-resolution-key", c.savePersonKey)
}

type keyPage struct {
	Keys     []string // the key as it is stored
	Wanted   []string // as it would be
	Fields   []keyField
	Effects  []admin.KeyEffect
	Asked    bool // the effects are shown
	Blocked  bool // a field of the key is not mapped in a job
	Wrong    string
	NoFields string // why the fields are not known
}

type keyField struct {
	Name, Label string
	Checked     bool
}

// Shown are fields as people call them.
func (p keyPage) Shown(names []string) []string {
	labels := slices.Clone(names)
	for i, name := range names {
		if at := slices.IndexFunc(p.Fields, func(f keyField) bool { return f.Name == name }); at >= 0 {
			labels[i] = p.Fields[at].Label
		}
	}
	return labels
}

func (c *console) personKey(q *request) error {
	keys, err := c.People.Keys(q.ctx())
	if err != nil {
		return err
	}
	page := keyPage{Keys: keys, Wanted: keys}
	if wanted := q.r.URL.Query()["key"]; len(wanted) > 0 || q.query("ask") != "" {
		return c.askKey(q, page, wanted)
	}
	return c.showKey(q, http.StatusOK, page)
}

// askKey shows what another key would change.
func (c *console) askKey(q *request, page keyPage, wanted []string) error {
	page.Wanted = wanted
	effects, err := c.admin.KeyEffects(q.ctx(), wanted)
	if fault.Is(err, fault.Invalid) {
		page.Wrong = fault.MessageOf(err)
		return c.showKey(q, 422, page)
	}
	if err != nil {
		return err
	}
	page.Effects, page.Asked = effects, !slices.Equal(page.Keys, wanted)
	page.Blocked = slices.ContainsFunc(effects, func(e admin.KeyEffect) bool { return len(e.Unmapped) > 0 })
	return c.showKey(q, 200, page)
}

func (c *console) showKey(q *request, status int, page keyPage) error {
	schema, err := c.admin.TargetSchema(q.ctx(), "person")
	if err != nil {
		page.NoFields = fault.MessageOf(err)
	}
	for _, f := range schema.Fields {
		if f.ReadOnly || !keyType(f.Type) {
			continue
		}
		page.Fields = append(page.Fields, keyField{f.Name, f.Label, slices.Contains(page.Wanted, f.Name)})
	}
	for _, k := range page.Keys {
		if !slices.ContainsFunc(page.Fields, func(f keyField) bool { return f.Name == k }) {
			page.Fields = append(page.Fields, keyField{k, k, slices.Contains(page.Wanted, k)})
		}
	}
	return q.showStatus(status, "person-key", "Person Resolution Key", page)
}

// keyType reports whether people can be told apart by fields of a type.
func keyType(t record.Type) bool {
	return t == record.String || t == record.Number || t == record.Email || t == record.GSID
}

func (c *console) savePersonKey(q *request) error {
	form, err := q.form()
	if err != nil {
		return err
	}
	keys, err := c.People.Keys(q.ctx())
	if err != nil {
		return err
	}
	_, err = c.People.Save(q.ctx(), form["key"], q.by())
	if fault.Is(err, fault.Invalid) {
		return c.showKey(q, 422, keyPage{Keys: keys, Wanted: form["key"], Wrong: fault.MessageOf(err)})
	}
	if err != nil {
		return err
	}
	return q.to("/person-resolution-key", "saved")
}
