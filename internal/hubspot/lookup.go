package hubspot

import (
	"context"
	"net/http"
	"net/url"

	"hubspotconnector/internal/apiclient"
)

// Search returns the ids of records whose property has a value, compared without
// case, at most 20. It finds what HubSpot's search index has by now.
func (c *Client) Search(ctx context.Context, connection, object, property, value string) ([]string, error) {
	body := searchBody{
		Groups: []filterGroup{{[]filter{{property, "EQ", value}}}}, Sorts: []sorting{{"hs_object_id", "ASCENDING"}},
		Properties: []string{property}, Limit: 20,
	}
	found, err := c.read(ctx, connection, body.Properties, apiclient.Request{
		Method: http.MethodPost, Path: c.path("/crm/objects/%s/%s/search", url.PathEscape(object)), JSON: body, Budget: BudgetSearch, Repeat: true,
	})
	return ids(found.records), err
}
