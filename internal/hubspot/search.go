package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

const (
	// searchLimit is the largest page of search.
	searchLimit = 200
	// maxSearch is the longest search body that is sent: HubSpot documents 3,000
	// characters without saying of what (search guide, November 2026).
	maxSearch = 3000
)

type searchBody struct {
	Groups     []filterGroup `json:"filterGroups"`
	Sorts      []sorting     `json:"sorts"`
	Properties []string      `json:"properties"`
	Limit      int           `json:"limit"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

type filter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

type sorting struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

// search reads the next page of the records that changed in the window. The
// keyset makes it complete: whatever leaves or joins the window meanwhile, no
// id above the last one moves (an offset would skip one for each that leaves).
func (c *Client) search(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	last, err := position(searchCursor, q.After)
	if err != nil {
		return record.Page{}, err
	}
	if last != "" && !isID(last) {
		return record.Page{}, fault.New(fault.Invalid, "A page of another kind of query cannot be continued. Start the run again.")
	}
	if !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return record.Page{}, nil // an empty window needs no call
	}
	body := searchFor(q, last)
	tooLong := long(body)
	if tooLong {
		body.Properties = []string{modifiedProperty(q.Object)}
	}
	found, err := c.read(ctx, connection, body.Properties, apiclient.Request{
		Method: http.MethodPost, Path: c.path("/crm/objects/%s/%s/search", url.PathEscape(q.Object)),
		JSON: body, Budget: BudgetSearch, Repeat: true,
	})
	if err != nil {
		return record.Page{}, err
	}
	page, err := keyset(found, q, last)
	if err == nil && tooLong {
		page.Records, err = c.batch(ctx, connection, q, ids(page.Records), false)
	}
	return page, err
}

func searchFor(q record.Query, last string) searchBody {
	modified := modifiedProperty(q.Object)
	// A date filter of 0 makes search fail with a 500.
	filters := []filter{{modified, "GTE", strconv.FormatInt(max(1, q.Since.UnixMilli()), 10)}}
	if !q.Until.IsZero() {
		filters = append(filters, filter{modified, "LT", strconv.FormatInt(max(1, q.Until.UnixMilli()), 10)})
	}
	if last != "" {
		filters = append(filters, filter{"hs_object_id", "GT", last})
	}
	properties := slices.Clone(q.Properties)
	if !slices.Contains(properties, modified) {
		properties = append(properties, modified)
	}
	return searchBody{
		Groups: []filterGroup{{filters}}, Sorts: []sorting{{"hs_object_id", "ASCENDING"}},
		Properties: properties, Limit: searchLimit,
	}
}

func long(body searchBody) bool {
	encoded, err := json.Marshal(body)
	return err == nil && len(encoded) > maxSearch
}

// modifiedProperty is the property that search filters by; the wrong one finds
// nothing, without an error.
func modifiedProperty(object string) string {
	if object == "0-1" {
		return "lastmodifieddate"
	}
	return "hs_lastmodifieddate"
}

// keyset makes a page of search results: inside the window, above the last id, in
// order, each once. Search may answer out of order, or with records that left the
// window or are not in it yet: those belong to another window, and must not move
// the cursor past records of this one.
func keyset(f found, q record.Query, last string) (record.Page, error) {
	var page record.Page
	highest := "" // of all results, for a page that left the window as a whole
	for _, r := range f.records {
		if !isID(r.ID) {
			return page, fault.New(fault.Transient, "HubSpot's search found a record without a proper id.")
		}
		if compareIDs(r.ID, last) <= 0 {
			continue
		}
		if compareIDs(r.ID, highest) > 0 {
			highest = r.ID
		}
		if inside(r, q) {
			page.Records = append(page.Records, r)
		}
	}
	slices.SortFunc(page.Records, byID)
	page.Records = slices.CompactFunc(page.Records, func(a, b record.Record) bool { return a.ID == b.ID })
	n := len(page.Records)
	more := f.total > int64(n)
	if f.total < 0 {
		more = len(f.records) >= searchLimit
	}
	switch {
	case !more:
		return page, nil
	case n > 0:
		highest = page.Records[n-1].ID
	case highest == "":
		return page, fault.New(fault.Transient, "HubSpot's search counted records that it did not send.")
	}
	page.Next = searchCursor + highest
	return page, nil
}

// inside reports whether the record was modified in the window, and takes away
// the property that says so unless it is wanted. A record that does not say is.
func inside(r record.Record, q record.Query) bool {
	name := modifiedProperty(q.Object)
	at, err := millis(r.Text(name))
	if !slices.Contains(q.Properties, name) {
		delete(r.Values, name)
	}
	if err != nil || at == 0 {
		return true
	}
	return at >= q.Since.UnixMilli() && (q.Until.IsZero() || at < q.Until.UnixMilli())
}

// isID reports whether s is a record id as HubSpot writes them.
func isID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == s
}
