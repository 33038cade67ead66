package gainsight

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

const usersPath = "/v1/users/services"

// users is the object whose rows are users.
const users = "gsuser"

// CreateUsers creates users, at most 50, without telling them by mail. Results and
// errors are those of Insert. Unlike other writes, one refused user does not keep
// the others from being stored.
func (c *Client) CreateUsers(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
	results, err := c.write(ctx, users, rows, func(ctx context.Context, _ Dialect, rows []map[string]any, results []record.Result) error {
		r := apiclient.Request{Method: http.MethodPost, Path: usersPath + "?notify=false", JSON: body{rows}}
		return c.sendUsers(ctx, r, rows, results, []string{"SFDCUserName", "Email"})
	})
	if err != nil {
		return results, fmt.Errorf("create users: %w", err)
	}
	return results, nil
}

// UpdateUsers changes users by their Gsid, at most 50. Results and errors are those
// of Insert. Twice is once.
func (c *Client) UpdateUsers(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
	results, err := c.write(ctx, users, rows, func(ctx context.Context, _ Dialect, rows []map[string]any, results []record.Result) error {
		r := apiclient.Request{Method: http.MethodPut, Path: usersPath + "?key=Gsid", JSON: body{rows}, Repeat: true}
		err := c.sendUsers(ctx, r, rows, results, []string{gsid})
		for i := range results {
			if results[i].Done && results[i].Refusal == nil {
				results[i].GSID, _ = rows[i][gsid].(string)
			}
		}
		return err
	})
	if err != nil {
		return results, fmt.Errorf("update users: %w", err)
	}
	return results, nil
}

// SetUserStatus activates or deactivates users, at most 50. It returns one result
// per GSID, in order; a user that Gainsight refuses, because it is not there any
// more, is a refusal. Errors are those of Insert. Twice is once.
func (c *Client) SetUserStatus(ctx context.Context, gsids []string, active bool) ([]record.Result, error) {
	rows := make([]map[string]any, len(gsids))
	for i, id := range gsids {
		rows[i] = map[string]any{gsid: id}
	}
	results, err := c.write(ctx, users, rows, func(ctx context.Context, _ Dialect, rows []map[string]any, results []record.Result) error {
		ids := idsOf(rows)
		r := apiclient.Request{
			Method: http.MethodPut, Path: usersPath + "/status?status=" + strconv.FormatBool(active), JSON: ids, Repeat: true,
		}
		err := c.callUsers(ctx, r, func(e envelope) error {
			if len(e.details()) > 0 {
				return c.fault(http.StatusOK, e, true)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := range results {
			results[i] = record.Result{Done: true, GSID: ids[i]}
		}
		return nil
	})
	if err != nil {
		return results, fmt.Errorf("set status of users: %w", err)
	}
	return results, nil
}

// sendUsers sends users, of which some may be stored and others refused in one
// answer. It echoes the stored ones; the fields keys tell whose they are.
func (c *Client) sendUsers(ctx context.Context, r apiclient.Request, rows []map[string]any, results []record.Result, keys []string) error {
	var stored []map[string]any
	err := c.callUsers(ctx, r, func(e envelope) (err error) {
		if stored, err = readStored(e.Data); err == nil && len(e.details()) > 0 {
			return c.fault(http.StatusOK, e, true)
		}
		return err
	})
	a := refusedRows(err)
	switch {
	case err == nil:
		return note(idsOf(stored), results)
	case a == nil:
		return err
	}
	if stored, readErr := readStored(a.data); readErr == nil && !match(stored, rows, results, keys) {
		ids := slices.DeleteFunc(idsOf(stored), func(id string) bool { return id == "" })
		found, findErr := c.Find(ctx, users, keys, gsid, ids)
		switch {
		case findErr != nil && refusedRows(findErr) == nil:
			return findErr
		case findErr != nil || len(found) < len(ids) || !match(found, rows, results, keys):
			return fault.New(fault.Transient, "Gainsight stored some of the users, but does not say which.")
		}
	}
	return err
}

// match fills the results of the rows that are among the stored ones. It reports
// whether it found the row of each.
func match(stored, rows []map[string]any, results []record.Result, keys []string) bool {
	all := true
	for i, id := range idsOf(stored) {
		if id == "" || slices.ContainsFunc(results, func(r record.Result) bool { return r.GSID == id }) {
			continue
		}
		n := slices.IndexFunc(rows, func(row map[string]any) bool { return same(stored[i], row, keys) })
		if n < 0 || results[n].Done {
			all = false
			continue
		}
		results[n] = record.Result{Done: true, GSID: id}
	}
	return all
}

// same reports whether both are the same user, by the first key that both have.
func same(a, b map[string]any, keys []string) bool {
	for _, key := range keys {
		x, y := valueString(a[key]), valueString(b[key])
		if x != "" && y != "" {
			return strings.EqualFold(x, y)
		}
	}
	return false
}
