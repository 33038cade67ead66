package upsert_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// lost is what the caller of a lost request or a lost answer sees.
func lost() error { return fault.New(fault.Transient, "There was no answer.") }

// target is a target in memory that fails its test when it is misused, and when
// a second row appears for one identifier.
type target struct {
	t    *testing.T
	slow time.Duration // time that each call takes

	mu   sync.Mutex
	rows map[string]map[string]map[string]any // :: object → GSID → row
	made int
	// values :: value of a unique field → GSIDs of the rows that had it
	values map[string][]string
	calls  []string // "insert company 50"
	// fail, if set, decides what becomes of a call, counted from 0: whether it
	// happens and which error the caller sees. It may call the target.
	fail func(call int, what string) (arrives bool, err error)
	// refuse, if set, says which rows are refused.
	refuse func(row map[string]any) *record.Refusal
	// answers, if set, changes the results of a write that worked.
	answers  func([]record.Result) []record.Result
	inactive []string // GSIDs of users
	exact    bool     // Find says that it tells upper from lower case, which it does
}

// unique :: object → the field of which no two rows may have one value
var unique = map[string]string{"company": "HS_ID", "person": "Email", "gsuser": "SFDCUserName"}

func newTarget(t *testing.T) *target {
	return &target{t: t, values: map[string][]string{}, rows: map[string]map[string]map[string]any{"company": {}, "person": {}, "gsuser": {}}}
}

// call notes a call and says what becomes of it.
func (f *target) call(what string) (arrives bool, err error) {
	time.Sleep(f.slow)
	f.mu.Lock()
	n := len(f.calls)
	f.calls = append(f.calls, what)
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		return true, nil
	}
	return fail(n, what)
}

// took returns the calls since the last take.
func (f *target) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// add stores a row as if it had always been there.
func (f *target) add(object, gsid string, row map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row = maps.Clone(row)
	row["Gsid"] = gsid
	value := strings.ToLower(fmt.Sprint(row[unique[object]]))
	f.values[value] = append(f.values[value], gsid)
	f.rows[object][gsid] = row
}

// with returns the rows of object that have a value, sorted by GSID.
func (f *target) with(object, field string, value any) (rows []map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, gsid := range slices.Sorted(maps.Keys(f.rows[object])) {
		if row := f.rows[object][gsid]; row[field] == value {
			rows = append(rows, maps.Clone(row))
		}
	}
	return rows
}

func (f *target) checkBatch(what string, n int) {
	if n < 1 || n > 50 {
		f.t.Errorf("%s got %d rows, want 1 to 50", what, n)
	}
}

func (f *target) selected(row map[string]any, sel []string) map[string]any {
	out := map[string]any{}
	for _, field := range sel {
		out[field] = row[field]
	}
	return out
}

// Delete implements upsert.Target.
func (f *target) Delete(_ context.Context, object, gsid string) (record.Result, error) {
	arrives, err := f.call("delete " + object)
	f.mu.Lock()
	defer f.mu.Unlock()
	res := record.Result{Done: true, GSID: gsid}
	if f.rows[object][gsid] == nil {
		res = record.Result{Done: true, Refusal: &record.Refusal{Code: "GSOBJ_1011"}}
	}
	if arrives {
		delete(f.rows[object], gsid)
	}
	if err != nil {
		return record.Result{}, err
	}
	return res, nil
}

func (f *target) Exact(context.Context) (bool, error) { return f.exact, nil }

func (f *target) Find(_ context.Context, object string, sel []string, field string, values []string) ([]map[string]any, error) {
	if len(values) == 0 || !slices.IsSorted(values) || !slices.Contains(sel, "Gsid") {
		f.t.Errorf("Find in %s of %q by %s %q", object, sel, field, values)
	}
	arrives, err := f.call(fmt.Sprintf("find %s %d", object, len(values)))
	if err != nil || !arrives {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var rows []map[string]any
	for _, row := range f.rows[object] {
		if slices.Contains(values, fmt.Sprint(row[field])) {
			rows = append(rows, f.selected(row, sel))
		}
	}
	return rows, nil
}

func (f *target) Scan(_ context.Context, object string, sel []string, after string, limit int) ([]map[string]any, error) {
	if _, err := f.call("scan " + object); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var rows []map[string]any
	for _, gsid := range slices.Sorted(maps.Keys(f.rows[object])) {
		if gsid > after && len(rows) < limit {
			rows = append(rows, f.selected(f.rows[object][gsid], sel))
		}
	}
	return rows, nil
}

// write does one call that writes rows.
func (f *target) write(what, object string, rows []map[string]any, one func(map[string]any) record.Result) ([]record.Result, error) {
	f.checkBatch(what, len(rows))
	results := make([]record.Result, len(rows))
	arrives, err := f.call(fmt.Sprintf("%s %s %d", what, object, len(rows)))
	if arrives {
		f.mu.Lock()
		for i, row := range rows {
			if f.refuse != nil {
				if r := f.refuse(row); r != nil {
					results[i] = record.Result{Done: true, Refusal: r}
					continue
				}
			}
			results[i] = one(row)
		}
		f.mu.Unlock()
	}
	if err != nil {
		return make([]record.Result, len(rows)), err
	}
	if f.answers != nil {
		results = f.answers(results)
	}
	return results, nil
}

// insert stores a new row. The lock is held.
func (f *target) insert(object string, row map[string]any) record.Result {
	if row["Gsid"] != nil {
		f.t.Errorf("a new row of %s has the GSID %v", object, row["Gsid"])
	}
	field := unique[object]
	value := strings.ToLower(fmt.Sprint(row[field]))
	for _, gsid := range f.values[value] {
		if other, there := f.rows[object][gsid]; there && strings.EqualFold(fmt.Sprint(other[field]), value) {
			f.t.Errorf("a second row of %s for %s %v", object, field, row[field])
		}
	}
	f.made++
	gsid := fmt.Sprintf("1P%08d", f.made)
	f.values[value] = append(f.values[value], gsid)
	stored := maps.Clone(row)
	stored["Gsid"] = gsid
	f.rows[object][gsid] = stored
	return record.Result{Done: true, GSID: gsid}
}

// update changes a row. The lock is held.
func (f *target) update(object string, row map[string]any) record.Result {
	gsid, _ := row["Gsid"].(string)
	if gsid == "" {
		f.t.Errorf("an update of %s without a GSID", object)
	}
	stored, there := f.rows[object][gsid]
	if !there {
		return record.Result{Done: true, Refusal: &record.Refusal{Code: "GSOBJ_1011"}}
	}
	maps.Copy(stored, row)
	return record.Result{Done: true, GSID: gsid}
}

func (f *target) Insert(_ context.Context, object string, rows []map[string]any) ([]record.Result, error) {
	return f.write("insert", object, rows, func(row map[string]any) record.Result { return f.insert(object, row) })
}

func (f *target) Update(_ context.Context, object string, rows []map[string]any) ([]record.Result, error) {
	return f.write("update", object, rows, func(row map[string]any) record.Result { return f.update(object, row) })
}

func (f *target) CreateUsers(_ context.Context, rows []map[string]any) ([]record.Result, error) {
	for _, row := range rows {
		if row["LicenseType"] == nil || row["Name"] == nil || row["Email"] == nil {
			f.t.Errorf("a new user without licence, name or e-mail: %v", row)
		}
	}
	return f.write("create", "gsuser", rows, func(row map[string]any) record.Result { return f.insert("gsuser", row) })
}

func (f *target) UpdateUsers(_ context.Context, rows []map[string]any) ([]record.Result, error) {
	return f.write("update", "gsuser", rows, func(row map[string]any) record.Result { return f.update("gsuser", row) })
}

func (f *target) SetUserStatus(_ context.Context, gsids []string, active bool) ([]record.Result, error) {
	f.checkBatch("SetUserStatus", len(gsids))
	results := make([]record.Result, len(gsids))
	arrives, err := f.call(fmt.Sprintf("status %v %d", active, len(gsids)))
	for i, gsid := range gsids {
		switch {
		case !arrives:
		case f.rows["gsuser"][gsid] == nil:
			results[i] = record.Result{Done: true, Refusal: &record.Refusal{Code: "GSOBJ_1011"}}
		default:
			results[i] = record.Result{Done: true, GSID: gsid}
			f.inactive = append(f.inactive, gsid)
		}
	}
	if err != nil {
		return make([]record.Result, len(gsids)), err
	}
	return results, nil
}

func (f *target) PutPerson(_ context.Context, person map[string]any) (record.Result, error) {
	email := fmt.Sprint(person["Email"])
	if person["Email"] == nil || person["Gsid"] != nil {
		f.t.Errorf("a person without e-mail, or with a GSID: %v", person)
	}
	results, err := f.write("person", email, []map[string]any{person}, func(row map[string]any) record.Result {
		for gsid, stored := range f.rows["person"] {
			phone := row["Phone"] != nil && stored["Phone"] == row["Phone"]
			if phone || strings.EqualFold(fmt.Sprint(stored["Email"]), email) {
				maps.Copy(stored, row)
				return record.Result{Done: true, GSID: gsid}
			}
		}
		return f.insert("person", row)
	})
	return results[0], err
}
