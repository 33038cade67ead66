package hubspot

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// HubSpot's limits for one call (CRM guides, November 2026).
const (
	listLimit  = 100
	batchLimit = 100
)

// maxURL is the longest address that is sent. HubSpot refuses addresses from
// about 16,000 characters (414), other servers on the way from 8,000.
const maxURL = 7000

// The kinds of cursors. A cursor of one API means nothing to another.
const (
	listCursor     = "list:"
	archivedCursor = "archived:"
	searchCursor   = "search:"
)

// Page returns a page of records in the ascending order of their ids, with the
// values of q.Properties that HubSpot sent and one value for each association.
//
// Its errors are Throttled, Transient, Reauthorize, Invalid (scopes, an address,
// a cursor of another query) or NotFound (the object). An error means that
// nothing is known, never that there are no records. Guarantee 6.
func (c *Client) Page(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	page, err := c.page(ctx, connection, q)
	if err == nil && q.ArchivedSince.IsZero() {
		err = c.associate(ctx, connection, q, &page)
	}
	if err != nil {
		return record.Page{}, fmt.Errorf("read page of %s: %w", q.Object, err)
	}
	return page, nil
}

func (c *Client) page(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	switch {
	case q.Object == owner:
		return c.owners(ctx, connection, q)
	case len(q.IDs) > batchLimit:
		return record.Page{}, fault.New(fault.Invalid, "At most %d records can be read by id at once.", batchLimit)
	case len(q.IDs) > 0:
		records, err := c.batch(ctx, connection, q, q.IDs, false)
		return record.Page{Records: records}, err
	case !q.ArchivedSince.IsZero():
		return c.archived(ctx, connection, q)
	case q.Since.IsZero():
		return c.list(ctx, connection, q)
	}
	return c.search(ctx, connection, q)
}

// position returns what a cursor of the kind holds, "" for the first page.
func position(kind, cursor string) (string, error) {
	at, ok := strings.CutPrefix(cursor, kind)
	if cursor != "" && (!ok || at == "") {
		return "", fault.New(fault.Invalid, "A page of another kind of query cannot be continued. Start the run again.")
	}
	return at, nil
}

// list reads the next page of all records.
func (c *Client) list(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	after, err := position(listCursor, q.After)
	if err != nil {
		return record.Page{}, err
	}
	path := c.listPath(q, after, q.Properties)
	long, names := len(c.api().Base)+len(path) > maxURL, q.Properties
	if long {
		path, names = c.listPath(q, after, nil), nil
	}
	found, err := c.read(ctx, connection, names, apiclient.Request{
		Method: http.MethodGet, Path: path, Budget: BudgetObjects, Repeat: true,
	})
	if err != nil {
		return record.Page{}, err
	}
	page := record.Page{Records: found.records}
	if long {
		if page.Records, err = c.batch(ctx, connection, q, ids(found.records), false); err != nil {
			return record.Page{}, err
		}
	}
	if found.after != "" {
		if !rises(after, found.after) {
			return record.Page{}, fault.New(fault.Transient, "HubSpot gave the same page twice, so reading stopped.")
		}
		page.Next = listCursor + found.after
	}
	return page, nil
}

// listPath asks for properties by one key, because repeated keys double the
// length; without properties it asks for ids alone.
func (c *Client) listPath(q record.Query, after string, names []string) string {
	if len(names) == 0 {
		names = []string{"hs_object_id"}
	}
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = url.QueryEscape(name)
	}
	path := c.path("/crm/objects/%s/%s?archived=%t&limit=%d", url.PathEscape(q.Object), !q.ArchivedSince.IsZero(), listLimit)
	if after != "" {
		path += "&after=" + url.QueryEscape(after)
	}
	return path + "&properties=" + strings.Join(escaped, ",")
}

// rises reports whether a cursor leads on: ids go up, anything else changes.
func rises(from, to string) bool {
	a, errA := strconv.ParseUint(from, 10, 64)
	b, errB := strconv.ParseUint(to, 10, 64)
	if errA == nil && errB == nil {
		return a < b
	}
	return from != to
}

type batchRead struct {
	Inputs     []input  `json:"inputs"`
	Properties []string `json:"properties"`
}

type input struct {
	ID    string `json:"id"`
	After string `json:"after,omitempty"` // associations only
}

// batch reads records by their ids, in as many calls as it takes. Records that
// HubSpot says it does not have are left out; one that it says nothing about is
// an error.
func (c *Client) batch(ctx context.Context, connection string, q record.Query, wanted []string, archived bool) ([]record.Record, error) {
	wanted = slices.Compact(slices.Sorted(slices.Values(wanted)))
	var all []record.Record
	for chunk := range slices.Chunk(wanted, batchLimit) {
		body := batchRead{Properties: q.Properties}
		for _, id := range chunk {
			body.Inputs = append(body.Inputs, input{ID: id})
		}
		found, err := c.read(ctx, connection, q.Properties, apiclient.Request{
			Method: http.MethodPost, Path: c.path("/crm/objects/%s/%s/batch/read?archived=%t", url.PathEscape(q.Object), archived),
			JSON: body, Budget: BudgetObjects, Repeat: true,
		})
		if isMissing(err) {
			continue // 404: HubSpot has none of them
		}
		if err != nil {
			return nil, err
		}
		if found.failed != "" {
			return nil, fault.New(fault.Transient, "HubSpot could not read some of the records (%s).", found.failed)
		}
		all = append(all, found.records...)
	}
	slices.SortFunc(all, byID)
	return all, nil
}

func ids(records []record.Record) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = r.ID
	}
	return all
}

// byID orders numeric ids by their number, without parsing them.
func byID(a, b record.Record) int { return compareIDs(a.ID, b.ID) }

func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
