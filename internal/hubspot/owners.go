package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// ownerLimit is the largest page of owners (owners guide, November 2026).
const ownerLimit = "500"

// Owners are read in two lists, because archived ones still own records.
const (
	activeOwners   = "owners:active:"
	archivedOwners = "owners:archived:"
)

// ownerSchema describes the values of owner.record.
func ownerSchema() record.Schema {
	field := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	kind := field("type", "Type")
	kind.Type = record.Enumeration
	kind.Options = []record.Option{{Value: "PERSON", Label: "Person", Active: true}, {Value: "QUEUE", Label: "Queue", Active: true}}
	return record.Schema{Object: owner, Label: "Owner", Fields: []record.Field{
		field("ownerId", "Owner ID"), field("email", "Email"), field("firstName", "First Name"), field("lastName", "Last Name"),
		field("userId", "User ID"), kind, field("team", "Team"),
	}}
}

type ownerPage struct {
	Results *[]ownerJSON `json:"results"`
	Paging  struct {
		Next struct {
			After text `json:"after"`
		} `json:"next"`
	} `json:"paging"`
}

type ownerJSON struct {
	ID        text `json:"id"`
	Email     text `json:"email"`
	Type      text `json:"type"`
	FirstName text `json:"firstName"`
	LastName  text `json:"lastName"`
	UserID    text `json:"userId"`
	// AnyUserID is there for archived owners too, who have no UserID.
	AnyUserID text `json:"userIdIncludingInactive"`
	Archived  bool `json:"archived"`
	Teams     []struct {
		Name    text `json:"name"`
		Primary bool `json:"primary"`
	} `json:"teams"`
}

// owners reads the next page of all owners: the active ones, then the archived
// ones. They have no modified time, so a window does not count.
func (c *Client) owners(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	if len(q.IDs) > 0 || len(q.Associations) > 0 {
		return record.Page{}, fault.New(fault.Invalid, "Owners can be read all at once only, and have no associations.")
	}
	kind, archived := activeOwners, "false"
	if strings.HasPrefix(q.After, archivedOwners) {
		kind, archived = archivedOwners, "true"
	}
	after, ok := strings.CutPrefix(q.After, kind)
	if !ok && q.After != "" {
		return record.Page{}, fault.New(fault.Invalid, "A page of another kind of query cannot be continued. Start the run again.")
	}
	query := url.Values{"limit": {ownerLimit}, "archived": {archived}}
	if after != "" {
		query.Set("after", after)
	}
	var answer ownerPage
	err := c.do(ctx, connection, apiclient.Request{
		Method: http.MethodGet, Path: c.path("/crm/owners/%s?") + query.Encode(), Budget: BudgetObjects, Repeat: true,
		Into: checked(&answer, ownerPage.whole),
	})
	if err != nil {
		return record.Page{}, err
	}
	var page record.Page
	for _, o := range *answer.Results {
		page.Records = append(page.Records, o.record(archived == "true"))
	}
	next := answer.Paging.Next.After.String()
	switch {
	case next != "" && !rises(after, next):
		return record.Page{}, fault.New(fault.Transient, "HubSpot gave the same page twice, so reading stopped.")
	case next != "":
		page.Next = kind + next
	case kind == activeOwners:
		page.Next = archivedOwners
	}
	return page, nil
}

func (p ownerPage) whole() bool {
	if p.Results == nil {
		return false
	}
	for _, o := range *p.Results {
		if o.ID.String() == "" {
			return false
		}
	}
	return true
}

// record returns an owner; one whose user is inactive counts as archived.
func (o ownerJSON) record(archived bool) record.Record {
	user := o.UserID
	if user.value == nil {
		user = o.AnyUserID
		archived = archived || user.value != nil
	}
	var team text
	for i, t := range o.Teams {
		if i == 0 || t.Primary {
			team = t.Name
		}
	}
	return record.Record{ID: o.ID.String(), Archived: archived || o.Archived, Values: map[string]*string{
		"ownerId": o.ID.value, "email": o.Email.value, "firstName": o.FirstName.value, "lastName": o.LastName.value,
		"userId": user.value, "type": o.Type.value, "team": team.value,
	}}
}
