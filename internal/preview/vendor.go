package preview

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hubspotconnector/internal/record"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/upsert"
)

// reader gives out the first records of a source.
type reader struct {
	source extract.Source
	most   int
	read   int
	whole  bool
}

// Page implements extract.Source.
func (r *reader) Page(ctx context.Context, connection string, q record.Query) (record.Page, error) {
	page, err := r.source.Page(ctx, connection, q)
	if err != nil {
		return page, err
	}
	left := r.most - r.read
	if len(page.Records) > left {
		page.Records, page.Next, r.whole = page.Records[:left], "", false
	}
	if r.read += len(page.Records); r.read == r.most && page.Next != "" {
		page.Next, r.whole = "", false
	}
	return page, nil
}

// Gone implements extract.Source.
func (r *reader) Gone(ctx context.Context, connection, object string, ids []string) ([]record.Record, error) {
	return r.source.Gone(ctx, connection, object, ids)
}

// writer takes rows and sends nothing: of the target it is given it calls what
// reads. Rows that it took are found by later look-ups.
type writer struct {
	upsert.Target

	mu               sync.Mutex
	rows             map[string][]map[string]any // :: object → rows inserted, in the order of their GSIDs
	calls, userCalls int                         // that would have been sent
	made             int
}

// ours marks the GSIDs of rows that no target has; it sorts behind all others.
const ours = "~preview-"

func isOurs(gsid string) bool { return strings.HasPrefix(gsid, ours) }

func (w *writer) insert(object string, rows []map[string]any) []record.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.rows == nil {
		w.rows = map[string][]map[string]any{}
	}
	results := make([]record.Result, len(rows))
	for i, row := range rows {
		w.made++
		kept := map[string]any{"Gsid": fmt.Sprintf("%s%09d", ours, w.made)}
		for name, value := range row {
			kept[name] = value
		}
		w.rows[object] = append(w.rows[object], kept)
		results[i] = record.Result{Done: true, GSID: step.Text(kept["Gsid"])}
	}
	return results
}

func (w *writer) update(rows []map[string]any) []record.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	results := make([]record.Result, len(rows))
	for i, row := range rows {
		results[i] = record.Result{Done: true, GSID: step.Text(row["Gsid"])}
	}
	return results
}

// Insert implements upsert.Target.
func (w *writer) Insert(_ context.Context, object string, rows []map[string]any) ([]record.Result, error) {
	return w.insert(object, rows), nil
}

// Update implements upsert.Target.
func (w *writer) Update(_ context.Context, _ string, rows []map[string]any) ([]record.Result, error) {
	return w.update(rows), nil
}

// Delete implements upsert.Target.
func (w *writer) Delete(_ context.Context, _, gsid string) (record.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	return record.Result{Done: true, GSID: gsid}, nil
}

// PutPerson implements upsert.Target.
func (w *writer) PutPerson(context.Context, map[string]any) (record.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	return record.Result{Done: true}, nil
}

// CreateUsers implements upsert.Target.
func (w *writer) CreateUsers(_ context.Context, rows []map[string]any) ([]record.Result, error) {
	results := w.insert("gsuser", rows)
	w.user()
	return results, nil
}

// UpdateUsers implements upsert.Target.
func (w *writer) UpdateUsers(_ context.Context, rows []map[string]any) ([]record.Result, error) {
	results := w.update(rows)
	w.user()
	return results, nil
}

// SetUserStatus implements upsert.Target.
func (w *writer) SetUserStatus(_ context.Context, gsids []string, _ bool) ([]record.Result, error) {
	rows := make([]map[string]any, len(gsids))
	for i, gsid := range gsids {
		rows[i] = map[string]any{"Gsid": gsid}
	}
	results := w.update(rows)
	w.user()
	return results, nil
}

func (w *writer) user() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.userCalls++
}

// Find implements step.Reader.
func (w *writer) Find(ctx context.Context, object string, sel []string, field string, values []string) ([]map[string]any, error) {
	rows, err := w.Target.Find(ctx, object, sel, field, values)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range w.rows[object] {
		has := step.Text(row[field])
		if slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, has) }) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Scan implements step.Reader.
func (w *writer) Scan(ctx context.Context, object string, sel []string, afterGSID string, limit int) ([]map[string]any, error) {
	var rows []map[string]any
	if !isOurs(afterGSID) {
		var err error
		if rows, err = w.Target.Scan(ctx, object, sel, afterGSID, limit); err != nil || len(rows) == limit {
			return rows, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range w.rows[object] {
		if len(rows) < limit && step.Text(row["Gsid"]) > afterGSID {
			rows = append(rows, row)
		}
	}
	return rows, nil
}
