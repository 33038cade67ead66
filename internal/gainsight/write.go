package gainsight

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// maxRows is the most rows of one write (Gainsight's APIs, November 2026).
const maxRows = 50

// Insert creates rows of object, at most 50. It returns one result per row, in
// order. Rows that Gainsight refuses are refusals, and cost about 12 calls each.
// An error is for the whole call; the results then hold what is known, and any
// row that is not Done may be stored all the same if the error is Transient. No
// insert is sent twice.
func (c *Client) Insert(ctx context.Context, object string, rows []map[string]any) ([]record.Result, error) {
	results, err := c.write(ctx, object, rows, func(ctx context.Context, d Dialect, rows []map[string]any, results []record.Result) error {
		r := apiclient.Request{Method: http.MethodPost, Path: d.data(object), JSON: body{rows}}
		return c.sendRows(ctx, object, r, results)
	})
	if err != nil {
		return results, fmt.Errorf("insert rows of %s: %w", object, err)
	}
	return results, nil
}

// Update changes rows of object by their Gsid, at most 50: fields that a row does
// not have are left alone, null clears. Results and errors are those of Insert. A
// row that is not there any more is refused with the code GSOBJ_1011. Updating
// twice is updating once.
func (c *Client) Update(ctx context.Context, object string, rows []map[string]any) ([]record.Result, error) {
	results, err := c.write(ctx, object, rows, func(ctx context.Context, d Dialect, rows []map[string]any, results []record.Result) error {
		r := apiclient.Request{Method: http.MethodPut, Path: d.data(object) + "?keys=Gsid", JSON: body{rows}, Repeat: true}
		if err := c.sendRows(ctx, object, r, results); err != nil {
			return err
		}
		for i := range rows {
			results[i].GSID, _ = rows[i][gsid].(string)
		}
		return nil
	})
	if err != nil {
		return results, fmt.Errorf("update rows of %s: %w", object, err)
	}
	return results, nil
}

// codeNoRow is Gainsight's answer to the deletion of a row that it does not have
// (Company API, error codes, November 2026).
const codeNoRow = "GSOBJ_1004"

// Delete deletes a row of Company or of a custom object. One that is not there is
// refused with the code GSOBJ_1011. Twice is once, refused.
func (c *Client) Delete(ctx context.Context, object, id string) (record.Result, error) {
	d, err := c.dialect(ctx)
	if err != nil {
		return record.Result{}, fmt.Errorf("delete a row of %s: %w", object, err)
	}
	r := apiclient.Request{Method: http.MethodDelete, Path: d.data(object) + "/" + url.PathEscape(id), Repeat: true}
	err = c.call(ctx, r, func(envelope) error { return nil })
	if a := refusedRows(err); a != nil {
		refusal := a.refusal()
		if refusal.Code == codeNoRow {
			refusal.Code = codeNoEntity
		}
		return record.Result{Done: true, Refusal: refusal}, nil
	}
	if err != nil {
		return record.Result{}, fmt.Errorf("delete a row of %s: %w", object, named(err, object))
	}
	return record.Result{Done: true, GSID: id}, nil
}

// body is the body of a write.
type body struct {
	Records []map[string]any `json:"records"`
}

// sendRows sends rows that are stored all or not at all, and fills their results
// if they are.
func (c *Client) sendRows(ctx context.Context, object string, r apiclient.Request, results []record.Result) error {
	var ids []string
	err := c.call(ctx, r, func(e envelope) (err error) {
		ids, err = storedIDs(e.Data)
		return err
	})
	if err != nil {
		return named(err, object)
	}
	return note(ids, results)
}

// note fills the results of rows that are all stored.
func note(ids []string, results []record.Result) error {
	if len(ids) > 0 && len(ids) != len(results) {
		return fault.New(fault.Transient, "Gainsight answered for %d rows instead of %d.", len(ids), len(results))
	}
	for i := range results {
		results[i].Done = true
		if len(ids) > 0 {
			results[i].GSID = ids[i]
		}
	}
	return nil
}

// storedIDs reads the GSIDs of the stored rows, which come in the order of the
// request; none if the answer does not say.
func storedIDs(raw json.RawMessage) ([]string, error) {
	stored, err := readStored(raw)
	return idsOf(stored), err
}

// idsOf returns the GSID of each row, "" where there is none.
func idsOf(rows []map[string]any) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row[gsid].(string)
	}
	return ids
}

// readStored reads the rows that an answer to a write echoes in data.records, if
// it does.
func readStored(raw json.RawMessage) ([]map[string]any, error) {
	var data struct {
		Records []map[string]any `json:"records"`
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	err := json.Unmarshal(raw, &data)
	return data.Records, err
}

// send sends rows and fills the results of those whose end it knows. If rows are
// refused, the others are not Done and the error's answer is refused.
type send func(ctx context.Context, rows []map[string]any, results []record.Result) error

// write sends rows of object and finds those that are refused.
func (c *Client) write(ctx context.Context, object string, rows []map[string]any, to func(context.Context, Dialect, []map[string]any, []record.Result) error) ([]record.Result, error) {
	if len(rows) > maxRows {
		return nil, fmt.Errorf("%d rows in one write", len(rows))
	}
	results := make([]record.Result, len(rows))
	if len(rows) == 0 {
		return results, nil
	}
	d, err := c.dialect(ctx)
	if err != nil {
		return results, err
	}
	if rows, err = c.spell(ctx, object, rows); err != nil {
		return results, err
	}
	_, err = bisect(ctx, rows, results, false, func(ctx context.Context, rows []map[string]any, results []record.Result) error {
		return to(ctx, d, rows, results)
	})
	return results, err
}

// bisect sends rows, and halves what is refused until the guilty rows are alone.
// It goes from left to right, so that what is known after an error is a prefix.
// bad says that the rows are known to be refused together: they are not sent as
// they are, unless it is one, whose reason is wanted. It reports whether any row
// was refused. One bad row of n costs at most 2·log2(n) calls, n of them 2n - 1.
func bisect(ctx context.Context, rows []map[string]any, results []record.Result, bad bool, send send) (refused bool, err error) {
	if !bad || len(rows) == 1 {
		err := send(ctx, rows, results)
		a := refusedRows(err)
		switch {
		case a == nil:
			return false, err
		case len(rows) == 1:
			results[0] = record.Result{Done: true, Refusal: a.refusal()}
			return true, nil
		case slices.ContainsFunc(results, isDone): // users: some are stored
			return true, singly(ctx, rows, results, send)
		}
	}
	half := len(rows) / 2
	refused, err = bisect(ctx, rows[:half], results[:half], false, send)
	if err != nil {
		return true, err
	}
	_, err = bisect(ctx, rows[half:], results[half:], !refused, send)
	return true, err
}

// singly sends the rows that are not done one by one.
func singly(ctx context.Context, rows []map[string]any, results []record.Result, send send) error {
	for i := range rows {
		if results[i].Done {
			continue
		}
		if _, err := bisect(ctx, rows[i:i+1], results[i:i+1], false, send); err != nil {
			return err
		}
	}
	return nil
}

func isDone(r record.Result) bool { return r.Done }
