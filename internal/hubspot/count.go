package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/record"
)

// Count returns how many records a query for all records, or for those that changed
// in a window, has: 0 if HubSpot does not say. It takes one search. Its errors are
// those of Page.
func (c *Client) Count(ctx context.Context, connection string, q record.Query) (int, error) {
	body := searchBody{Groups: []filterGroup{}, Sorts: []sorting{}, Properties: []string{"hs_object_id"}, Limit: 1}
	if !q.Since.IsZero() {
		body.Groups = searchFor(q, "").Groups
	}
	found, err := c.read(ctx, connection, body.Properties, apiclient.Request{
		Method: http.MethodPost, Path: c.path("/crm/objects/%s/%s/search", url.PathEscape(q.Object)),
		JSON: body, Budget: BudgetSearch, Repeat: true,
	})
	if err != nil {
		return 0, fmt.Errorf("count records of %s: %w", q.Object, err)
	}
	return int(max(0, found.total)), nil
}
