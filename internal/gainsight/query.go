package gainsight

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
)

const (
	// pageRows is the most rows of one read (Gainsight's read API, November 2026).
	pageRows = 5000
	// chunkValues is how many values one IN holds; Gainsight states no maximum.
	chunkValues = 50
)

// query is the body of a read. Rows come in the order of their GSIDs, and the next
// page is asked for by the last one: an offset skips rows while others write.
type query struct {
	Select []string `json:"select"`
	Where  *where   `json:"where,omitempty"`
	Order  order    `json:"orderBy"`
	Limit  int      `json:"limit"`
	Offset int      `json:"offset"`
	after  string   // the GSID that the page starts behind
}

type where struct {
	Conditions []condition `json:"conditions"`
	Expression string      `json:"expression"`
}

type condition struct {
	Name     string   `json:"name"`
	Alias    string   `json:"alias"`
	Value    []string `json:"value"`
	Operator string   `json:"operator"`
}

// order is a struct, because the order of its keys counts.
type order struct {
	Gsid string `json:"Gsid"`
}

// newQuery asks for the rows behind a GSID that meet the condition; "" and nil do
// not limit.
func newQuery(sel []string, in *condition, after string, limit int) query {
	if !slices.Contains(sel, gsid) {
		sel = append([]string{gsid}, sel...)
	}
	q := query{Select: sel, Order: order{"asc"}, Limit: limit, after: after}
	var conditions []condition
	if in != nil {
		conditions = append(conditions, *in)
	}
	if after != "" {
		conditions = append(conditions, condition{Name: gsid, Value: []string{after}, Operator: "GT"})
	}
	expression := []string{"", "A", "A AND B"}[len(conditions)]
	for i := range conditions {
		conditions[i].Alias = string(rune('A' + i))
	}
	if len(conditions) > 0 {
		q.Where = &where{conditions, expression}
	}
	return q
}

// Find returns the rows of object whose field has one of the values, each row
// once, with the selected fields and Gsid. Values are string, json.Number, bool or
// nil; a field that is null may be absent. Fifty values cost one call for each
// 5,000 rows. See Exact for how values are compared.
func (c *Client) Find(ctx context.Context, object string, sel []string, field string, values []string) ([]map[string]any, error) {
	var found []map[string]any
	d, err := c.dialect(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{} // :: GSID; values that differ in case alone may find a row twice
	for chunk := range slices.Chunk(values, d.inValues()) {
		in := &condition{Name: field, Value: chunk, Operator: "IN"}
		for after, full := "", true; full; {
			rows, err := c.page(ctx, d.name(object), newQuery(sel, in, after, d.pageRows()))
			if err != nil {
				return nil, fmt.Errorf("find rows of %s by %s: %w", object, field, err)
			}
			for _, row := range rows {
				after, _ = row[gsid].(string)
				if !seen[after] {
					seen[after] = true
					found = append(found, row)
				}
			}
			full = len(rows) >= d.pageRows()
		}
	}
	return found, nil
}

// Scan returns up to limit rows (1 to 5,000) behind a GSID, in the order of GSIDs;
// "" starts. Fewer rows than limit mean that there are no more. It costs one call
// for each Dialect.PageRows.
func (c *Client) Scan(ctx context.Context, object string, sel []string, afterGSID string, limit int) ([]map[string]any, error) {
	if limit < 1 || limit > pageRows {
		return nil, fmt.Errorf("scan %s: a page of %d rows", object, limit)
	}
	d, err := c.dialect(ctx)
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for {
		want := min(limit-len(rows), d.pageRows())
		page, err := c.page(ctx, d.name(object), newQuery(sel, nil, afterGSID, want))
		if err != nil {
			return nil, fmt.Errorf("scan %s: %w", object, err)
		}
		rows = append(rows, page...)
		if len(page) < want || len(rows) >= limit {
			return rows, nil
		}
		afterGSID, _ = page[len(page)-1][gsid].(string)
	}
}

// Exact reports whether Find tells upper case from lower case. It costs nothing.
func (c *Client) Exact(ctx context.Context) (bool, error) {
	d, err := c.dialect(ctx)
	return d.Exact, err
}

// page sends one query. No rows is what Gainsight says in three ways; an answer
// that does not say so is an error (Guarantee 6).
func (c *Client) page(ctx context.Context, object string, q query) ([]map[string]any, error) {
	var rows []map[string]any
	r := apiclient.Request{
		Method: http.MethodPost, Path: "/v1/data/objects/query/" + url.PathEscape(object), JSON: q, Repeat: true,
	}
	err := c.call(ctx, r, func(e envelope) (err error) {
		rows, err = readRows(e.Data)
		return err
	})
	if a := refusedRows(err); a != nil && a.empty() {
		return nil, nil
	}
	if err != nil {
		return nil, named(err, object)
	}
	for _, row := range rows {
		if row[gsid] == q.after {
			return nil, fault.New(fault.Invalid, "Gainsight gave the same page of %s twice, so reading was stopped.", object)
		}
	}
	return rows, nil
}

// readRows reads data.records, or data as an array.
func readRows(data json.RawMessage) ([]map[string]any, error) {
	if bytes.HasPrefix(data, []byte("{")) {
		var wrapped struct {
			Records json.RawMessage `json:"records"`
		}
		if err := json.Unmarshal(data, &wrapped); err != nil {
			return nil, err
		}
		if data = wrapped.Records; string(data) == "null" {
			return nil, nil
		}
	}
	if !bytes.HasPrefix(data, []byte("[")) {
		return nil, errors.New("no rows in the answer")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var rows []map[string]any
	if err := d.Decode(&rows); err != nil {
		return nil, err
	}
	for _, row := range rows {
		if id, _ := row[gsid].(string); id == "" {
			return nil, errors.New("a row without a GSID")
		}
		for name, value := range row {
			row[name] = plain(value)
		}
	}
	return rows, nil
}

// named makes an error about an unknown object name it.
func named(err error, object string) error {
	if a, ok := errors.AsType[*answerError](err); ok && a.code == codeUnknownObject {
		return fault.Wrap(a, fault.Invalid, "%s", unknownObject(object))
	}
	return err
}

func unknownObject(object string) string {
	return fmt.Sprintf("Gainsight has no object %q. Create it in Gainsight's Data Management, or choose another object.", object)
}
