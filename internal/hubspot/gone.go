package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// Gone tells how records left HubSpot, at most 100, that Page did not find by
// their ids: archived ones are in the recycle bin, the id of a merged one leads to
// its winner, and the others are gone for good. Its errors are those of Page; a
// record that is there after all is Transient.
func (c *Client) Gone(ctx context.Context, connection, object string, ids []string) ([]record.Record, error) {
	archived, err := c.batch(ctx, connection, record.Query{Object: object, Properties: []string{"hs_object_id"}}, ids, true)
	if err != nil {
		return nil, err
	}
	all := make([]record.Record, 0, len(ids))
	for _, id := range ids {
		rec := record.Record{ID: id, Gone: record.Archived}
		inBin := func(r record.Record) bool { return r.ID == id }
		if !slices.ContainsFunc(archived, inBin) {
			if rec, err = c.whereabouts(ctx, connection, object, id); err != nil {
				return nil, err
			}
		}
		all = append(all, rec)
	}
	return all, nil
}

// archived reads the next page of the records in the recycle bin and keeps those
// that were archived since the time asked for, or do not say. The list has no
// filter of its own (CRM guides, November 2026).
func (c *Client) archived(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	after, err := position(archivedCursor, q.After)
	if err != nil {
		return record.Page{}, err
	}
	found, err := c.read(ctx, connection, nil, apiclient.Request{
		Method: http.MethodGet, Path: c.listPath(q, after, nil), Budget: BudgetObjects, Repeat: true,
	})
	if err != nil {
		return record.Page{}, err
	}
	var page record.Page
	for i, r := range found.records {
		if at := found.archived[i]; at == 0 || at >= q.ArchivedSince.UnixMilli() {
			page.Records = append(page.Records, record.Record{ID: r.ID, Gone: record.Archived})
		}
	}
	if found.after != "" {
		if !rises(after, found.after) {
			return record.Page{}, fault.New(fault.Transient, "HubSpot gave the same page twice, so reading stopped.")
		}
		page.Next = archivedCursor + found.after
	}
	return page, nil
}

// named is the part of a record that tells which one it is.
type named struct {
	ID text `json:"id"`
}

// whereabouts asks for one record that is neither in the list nor in the bin.
func (c *Client) whereabouts(ctx context.Context, connection, object, id string) (record.Record, error) {
	var answer named
	err := c.do(ctx, connection, apiclient.Request{
		Method: http.MethodGet, Budget: BudgetObjects, Repeat: true,
		Path: c.path("/crm/objects/%s/%s/%s?properties=hs_object_id", url.PathEscape(object), url.PathEscape(id)),
		Into: checked(&answer, func(a named) bool { return a.ID.String() != "" }),
	})
	switch {
	case isMissing(err):
		return record.Record{ID: id, Gone: record.Deleted}, nil
	case err != nil:
		return record.Record{}, err
	case answer.ID.String() == id:
		return record.Record{}, fault.New(fault.Transient, "HubSpot has a record that it did not have a moment ago.")
	}
	return record.Record{ID: id, Gone: record.Merged, Into: answer.ID.String()}, nil
}
