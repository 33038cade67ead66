package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// associationLimit is the largest batch (changelog, 2025-02-10).
const associationLimit = 1000

// HubSpot's categories of batch errors that are no failure.
const (
	notFound       = "OBJECT_NOT_FOUND"
	noAssociations = "crm.associations.NO_ASSOCIATIONS_FOUND"
)

// link is one associated record with the types of the association.
type link struct {
	ID    text       `json:"toObjectId"`
	Types []linkType `json:"associationTypes"`
}

type linkType struct {
	Category string `json:"category"`
	TypeID   text   `json:"typeId"`
	Label    string `json:"label"`
}

type associationPage struct {
	Results *[]struct {
		From struct {
			ID text `json:"id"`
		} `json:"from"`
		To     []link `json:"to"`
		Paging struct {
			Next struct {
				After text `json:"after"`
			} `json:"next"`
		} `json:"paging"`
	} `json:"results"`
	Errors []struct {
		Category    string            `json:"category"`
		SubCategory string            `json:"subCategory"`
		Context     map[string][]text `json:"context"`
	} `json:"errors"`
}

// associate adds the association fields to the page's records. Search returns no
// associations and lists return them without labels, so all come from here.
func (c *Client) associate(ctx context.Context, connection string, q record.Query, page *record.Page) error {
	if len(q.Associations) == 0 {
		return nil
	}
	d, err := c.dialect(ctx)
	if err != nil {
		return err
	}
	read := map[string]map[string][]link{} // :: object → record id → its links
	for _, a := range q.Associations {
		if _, done := read[a.Object]; done || len(page.Records) == 0 {
			continue
		}
		r := &associationReader{client: c, connection: connection, from: q.Object, to: a.Object, silent: d.SilentlyEmpty}
		links, err := r.all(ctx, ids(page.Records))
		if err != nil {
			return fmt.Errorf("read associations with %s: %w", a.Object, err)
		}
		// Records that vanished since the page was read are no longer in it.
		page.Records = slices.DeleteFunc(page.Records, func(rec record.Record) bool { return r.gone[rec.ID] })
		read[a.Object] = links
	}
	for _, rec := range page.Records {
		for _, a := range q.Associations {
			rec.Values[a.As] = pick(read[a.Object][rec.ID], a.Label)
		}
	}
	return nil
}

// pick returns the lowest associated id with the label, or nil.
func pick(links []link, label string) *string {
	var lowest *string
	for _, l := range links {
		if !slices.ContainsFunc(l.Types, func(t linkType) bool { return t.is(label) }) {
			continue
		}
		if lowest == nil || compareIDs(*l.ID.value, *lowest) < 0 {
			lowest = l.ID.value
		}
	}
	return lowest
}

// is reports whether the type is of the label; "" asks for the primary one, by
// its label or its fixed ids: contact to company 1 (back 2), deal 5 (6), ticket
// 26 (25).
func (t linkType) is(label string) bool {
	if label = strings.TrimSpace(label); label != "" {
		return strings.EqualFold(strings.TrimSpace(t.Label), label)
	}
	if t.Category != "HUBSPOT_DEFINED" {
		return false // custom types count their ids from 1 as well
	}
	return strings.EqualFold(t.Label, "Primary") || slices.Contains([]string{"1", "2", "5", "6", "25", "26"}, t.TypeID.String())
}

// associationReader reads the links of records to one object, all of them.
type associationReader struct {
	client     *Client
	connection string
	from, to   string
	silent     bool // records without associations are left out of an answer
	links      map[string][]link
	gone       map[string]bool // :: record id
	// settled are the records that the last answer speaks of.
	settled map[string]bool
	// nameless says that the last answer has records without associations that it
	// does not name.
	nameless bool
}

func (r *associationReader) all(ctx context.Context, from []string) (map[string][]link, error) {
	r.links, r.gone = map[string][]link{}, map[string]bool{}
	todo := make([]input, len(from))
	for i, id := range from {
		todo[i] = input{ID: id}
	}
	for len(todo) > 0 {
		n := min(len(todo), associationLimit)
		more, err := r.batch(ctx, todo[:n])
		if err != nil {
			return nil, err
		}
		todo = append(todo[n:], more...)
	}
	return r.links, nil
}

// batch reads one page of links of each input and returns the inputs that have
// more pages. An input about which the answer says nothing makes it an error:
// unknown is not empty.
func (r *associationReader) batch(ctx context.Context, inputs []input) (more []input, err error) {
	var answer associationPage
	err = r.client.do(ctx, r.connection, apiclient.Request{
		Method: http.MethodPost, Budget: BudgetAssociations, Repeat: true,
		Path: r.client.path("/crm/associations/%s/%s/%s/batch/read", url.PathEscape(r.from), url.PathEscape(r.to)),
		JSON: map[string]any{"inputs": inputs},
		Into: checked(&answer, associationPage.whole),
	})
	if err != nil {
		return nil, err
	}
	if err := r.errors(answer); err != nil {
		return nil, err
	}
	before := map[string]string{} // :: id → the cursor that was sent
	for _, in := range inputs {
		before[in.ID] = in.After
	}
	for _, result := range *answer.Results {
		id, next := result.From.ID.String(), result.Paging.Next.After.String()
		sent, asked := before[id]
		if !asked {
			continue
		}
		r.settled[id] = true
		r.links[id] = append(r.links[id], result.To...)
		if next == "" {
			continue
		}
		if next == sent {
			return nil, fault.New(fault.Transient, "HubSpot gave the same page of associations twice, so reading stopped.")
		}
		more = append(more, input{ID: id, After: next})
	}
	for _, in := range inputs {
		if !r.settled[in.ID] && !r.nameless && !r.silent {
			return nil, fault.New(fault.Transient, "HubSpot did not say which records %s is associated with.", in.ID)
		}
	}
	return more, nil
}

// errors reads the errors of a 207: records without associations and records
// that are gone are answers, anything else leaves something unknown.
func (r *associationReader) errors(answer associationPage) error {
	r.settled, r.nameless = map[string]bool{}, false
	for _, e := range answer.Errors {
		if e.Category != notFound || (e.SubCategory != "" && e.SubCategory != noAssociations) {
			return fault.New(fault.Transient, "HubSpot could not read some associations (error %s).", plain(e.Category))
		}
		named := e.Context["fromObjectId"]
		if e.SubCategory == "" {
			named = append(named, e.Context["ids"]...)
			if len(named) == 0 {
				return fault.New(fault.Transient, "HubSpot lost a record while its associations were read.")
			}
		}
		r.nameless = r.nameless || len(named) == 0
		for _, id := range named {
			r.settled[id.String()] = true
			if e.SubCategory == "" {
				r.gone[id.String()] = true
			}
		}
	}
	return nil
}

func (p associationPage) whole() bool {
	if p.Results == nil {
		return false
	}
	for _, result := range *p.Results {
		if result.From.ID.String() == "" || slices.ContainsFunc(result.To, func(l link) bool { return l.ID.String() == "" }) {
			return false
		}
	}
	return true
}
