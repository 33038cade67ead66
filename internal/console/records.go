package console

import (
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/mapping"
)

// recordRoutes are the pages on what became of records.
func (c *console) recordRoutes() {
	c.look("GET /find", c.find)
	c.look("GET /reasons", func(q *request) error { return q.show("reasons", "Reasons", mapping.Reasons()) })
}

type foundRow struct {
	admin.Found
	WhenText moment
}

type findPage struct {
	Query string
	Rows  []foundRow
}

func (c *console) find(q *request) error {
	body := findPage{Query: q.query("q")}
	if body.Query == "" {
		return q.show("find", "Find a record", body)
	}
	list, err := c.admin.Find(q.ctx(), body.Query)
	if err != nil {
		return err
	}
	for _, f := range list {
		body.Rows = append(body.Rows, foundRow{f, q.at(f.When)})
	}
	return q.show("find", "Find a record", body)
}
