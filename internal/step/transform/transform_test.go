package transform_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/transform"
	"hubspotconnector/internal/table/bolttable"
)

// reader is a target in memory that fails its test when it is misused.
type reader struct {
	t     *testing.T
	rows  []map[string]any // of every object, by GSID
	calls []string
	fail  func(call int) error // nil = none
	exact bool                 // Find says that it tells upper from lower case, which it does
}

func (r *reader) call(what string) error {
	r.calls = append(r.calls, what)
	if r.fail != nil {
		return r.fail(len(r.calls) - 1)
	}
	return nil
}

func (r *reader) Exact(context.Context) (bool, error) { return r.exact, nil }

func (r *reader) Find(_ context.Context, object string, sel []string, field string, values []string) ([]map[string]any, error) {
	if len(values) == 0 || !slices.IsSorted(values) || len(slices.Compact(slices.Clone(values))) != len(values) || !slices.Contains(sel, "Gsid") || !slices.Contains(sel, field) {
		r.t.Errorf("Find in %s of %q by %s %q", object, sel, field, values)
	}
	if err := r.call(fmt.Sprintf("find %s by %s %d", object, field, len(values))); err != nil {
		return nil, err
	}
	var found []map[string]any
	for _, row := range r.rows {
		if slices.Contains(values, fmt.Sprint(row[field])) {
			found = append(found, row)
		}
	}
	return found, nil
}

func (r *reader) Scan(_ context.Context, object string, _ []string, after string, limit int) ([]map[string]any, error) {
	if err := r.call(fmt.Sprintf("scan %s after %q", object, after)); err != nil {
		return nil, err
	}
	var found []map[string]any
	for _, row := range r.rows {
		if fmt.Sprint(row["Gsid"]) > after && len(found) < limit {
			found = append(found, row)
		}
	}
	return found, nil
}

type world struct {
	*transform.Transformer
	t      *testing.T
	reader *reader
	plan   staging.Plan
	run    run.Run
}

// config maps a contact to a custom object that looks up its company, and its
// parent in the same object.
func config() mapping.Config {
	return mapping.Config{
		Source: "contact", Target: "thing__gc",
		Fields: []mapping.Field{{Name: "email"}, {Name: "account"}, {Name: "country"}, {Name: "parent"}},
		Filter: condition.Filter{Conditions: []condition.Condition{{Field: "email", Op: condition.NotContains, Value: []string{"@hidden"}}}},
		Direct: []mapping.Direct{{From: "email", To: "Email__gc", Identifier: true}},
		Derived: []mapping.Derived{
			{To: "Company__gc", Object: "company", Match: []mapping.Pair{{From: "account", Field: "HS_ID"}, {From: "country", Field: "Country"}}, Multiple: mapping.MultipleError, None: mapping.NoneReject},
			{To: "Parent__gc", Object: "thing__gc", Match: []mapping.Pair{{From: "parent", Field: "Email__gc"}}, Multiple: mapping.MultipleAny, None: mapping.NoneReject},
		},
	}
}

func fields(kind record.Type, names ...string) (list []record.Field) {
	for _, name := range names {
		list = append(list, record.Field{Name: name, Label: name, Type: kind})
	}
	return list
}

func newWorld(t *testing.T, cfg mapping.Config) *world {
	t.Helper()
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	target := record.Schema{Object: "thing__gc", Fields: append(fields(record.String, "Email__gc"), fields(record.GSID, "Company__gc", "Parent__gc")...)}
	w := &world{t: t, reader: &reader{t: t}, plan: staging.Plan{
		Run: "A", Job: job.Job{ID: "j1", Mapping: cfg}, Now: time.Now(), Target: target,
		Source: record.Schema{Object: "0-1", Fields: fields(record.String, "email", "account", "country", "parent")},
		Lookups: map[string]record.Schema{
			"company": {Object: "company", Fields: fields(record.String, "HS_ID", "Country")}, "thing__gc": target,
		},
	}}
	w.Transformer = &transform.Transformer{
		Target: w.reader, Runs: &run.Store{Table: items, Leases: &lease.Store{Table: items}}, Staging: &staging.Store{Bucket: bucket}, Now: time.Now, IndexFrom: 3,
		Compile: func(p staging.Plan) (*mapping.Program, error) {
			return mapping.Compile(p.Job.Mapping, p.Source, p.Target, mapping.Options{Lookup: p.Lookups})
		},
	}
	if err := w.Staging.PutPlan(t.Context(), w.plan); err != nil {
		t.Fatal(err)
	}
	r := run.Run{ID: "A", Job: "j1", Lane: run.Changes, Status: run.Planned}
	if _, err := w.Runs.Open(t.Context(), run.Round{Execution: "e", Round: 1, Jobs: []run.ID{"A"}}, []run.Run{r}); err != nil {
		t.Fatal(err)
	}
	r, err = w.Runs.Get(t.Context(), "A")
	if err == nil {
		w.run, _, err = w.Runs.Take(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func contact(id, email, account, country, parent string) record.Record {
	r := record.Record{ID: id, Values: map[string]*string{}}
	for name, v := range map[string]string{"email": email, "account": account, "country": country, "parent": parent} {
		r.Values[name] = &v
	}
	return r
}

func (w *world) stage(part int, records ...record.Record) {
	w.t.Helper()
	d := staging.NewDraft()
	for _, r := range records {
		if err := d.Add(r); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.Staging.PutPart(w.t.Context(), "A", part, d, ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) part(part, pass int) {
	w.t.Helper()
	out, err := w.Part(w.t.Context(), transform.Input{Run: "A", Part: part, Pass: pass})
	if err != nil || out.Status != step.Done {
		w.t.Fatalf("%+v, %v, want DONE", out, err)
	}
}

// entries returns the staged entries of a pass in short: "1 row Company=G1",
// "2 NO_MATCH", "3 filtered", "4 row defer Parent".
func (w *world) entries(part, pass int) (list []string) {
	w.t.Helper()
	err := w.Staging.Rows(w.t.Context(), "A", part, pass, func(e staging.Entry) error {
		switch {
		case e.Reject != nil:
			list = append(list, fmt.Sprintf("%s %s %s", e.ID(), e.Reject.Code, e.Reject.Field))
		case e.Row == nil:
			list = append(list, e.ID()+" filtered")
		default:
			list = append(list, fmt.Sprintf("%s row %v %v %v", e.ID(), e.Row.Fields["Company__gc"], e.Row.Fields["Parent__gc"], e.Row.Defer["Parent__gc"]))
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) want(part, pass int, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.entries(part, pass)); diff != "" {
		w.t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func (w *world) wantCalls(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.reader.calls); diff != "" {
		w.t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.reader.calls = nil
}

func company(gsid, id, country string) map[string]any {
	return map[string]any{"Gsid": gsid, "HS_ID": id, "Country": country}
}

func thing(gsid, email string) map[string]any {
	return map[string]any{"Gsid": gsid, "Email__gc": email}
}

func TestEachRecordBecomesOneEntryInItsOrder(t *testing.T) {
	w := newWorld(t, config())
	w.reader.rows = []map[string]any{company("C1", "1", "de"), company("C2", "2", "de"), company("C3", "2", "de"), company("C4", "1", "fr"), thing("T1", "p@x")}
	w.stage(1,
		contact("1", "a@x", "1", "DE ", "p@x"), // compared without case and outer spaces
		contact("2", "b@hidden", "1", "de", "p@x"),
		contact("3", "c@x", "2", "de", "p@x"),
		contact("4", "d@x", "1", "it", "p@x"),
		contact("5", "e@x", "1", "fr", "p@x"),
		contact("6", "f@x", "", "fr", "p@x"),
		contact("7", "", "1", "fr", "p@x"),
	)
	w.part(1, 1)
	w.want(1, 1, "1 row C1 T1 []", "2 filtered", "3 MULTIPLE_MATCHES Company__gc", "4 NO_MATCH Company__gc", "5 row C4 T1 []", "6 NO_MATCH Company__gc", "7 MISSING_IDENTIFIER Email__gc")
	w.wantCalls("find company by HS_ID 2", "find thing__gc by Email__gc 1")
	w.part(1, 1)
	w.wantCalls()
}

func TestAnIndexIsAskedForWhatIsFewAndReadWholeForWhatIsMany(t *testing.T) {
	tests := []struct {
		name  string
		keys  int // different ones
		parts int
		calls []string
	}{
		{"none", 0, 1, nil},
		{"up to the limit", 3, 1, []string{"find company by HS_ID 3"}},
		{"up to the limit in each part", 3, 2, []string{"find company by HS_ID 3", "find company by HS_ID 3"}},
		{"one over", 4, 1, []string{`scan company after ""`}},
		{"one over in each part: once per run", 4, 3, []string{`scan company after ""`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config()
			cfg.Derived = cfg.Derived[:1]
			w := newWorld(t, cfg)
			for i := range 10 {
				w.reader.rows = append(w.reader.rows, company(fmt.Sprint("C", i), fmt.Sprint(i), "de"))
			}
			for part := range tt.parts {
				records := []record.Record{contact("none", "n@x", "", "de", "")}
				var want []string
				want = append(want, "none NO_MATCH Company__gc")
				for i := range 2 * tt.keys { // each key twice
					id := fmt.Sprint(part, "-", i)
					records = append(records, contact(id, id+"@x", fmt.Sprint(i%tt.keys), "de", ""))
					want = append(want, fmt.Sprintf("%s row C%d <nil> []", id, i%tt.keys))
				}
				w.stage(part+1, records...)
				w.part(part+1, 1)
				w.want(part+1, 1, want...)
			}
			w.wantCalls(tt.calls...)
		})
	}
}

// Where the target tells upper from lower case, asking for a key with letters
// finds less than an index holds.
func TestAnExactTargetIsReadWholeForKeysWithLetters(t *testing.T) {
	for _, tt := range []struct {
		name, key, stored string
		calls             []string
	}{
		{"letters", "acme", "ACME", []string{`scan company after ""`}},
		{"digits", "42", "42", []string{"find company by HS_ID 1", "find company by HS_ID 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config()
			cfg.Derived = cfg.Derived[:1]
			w := newWorld(t, cfg)
			w.reader.exact = true
			w.reader.rows = []map[string]any{company("C1", tt.stored, "de")}
			for part := 1; part <= 2; part++ {
				w.stage(part, contact("1", "a@x", tt.key, "de", ""))
				w.part(part, 1)
				w.want(part, 1, "1 row C1 <nil> []")
			}
			w.wantCalls(tt.calls...)
		})
	}
}

func TestAWholeObjectIsReadByPages(t *testing.T) {
	cfg := config()
	cfg.Derived = cfg.Derived[:1]
	w := newWorld(t, cfg)
	for i := range 10001 {
		w.reader.rows = append(w.reader.rows, company(fmt.Sprintf("C%05d", i), fmt.Sprint(i), "de"))
	}
	w.stage(1, contact("1", "a@x", "0", "de", ""), contact("2", "b@x", "5000", "de", ""), contact("3", "c@x", "10000", "de", ""), contact("4", "d@x", "10001", "de", ""))
	w.part(1, 1)
	w.want(1, 1, "1 row C00000 <nil> []", "2 row C05000 <nil> []", "3 row C10000 <nil> []", "4 NO_MATCH Company__gc")
	w.wantCalls(`scan company after ""`, `scan company after "C04999"`, `scan company after "C09999"`)
}

func TestTheSecondPassHoldsTheDeferredRowsAlone(t *testing.T) {
	for _, limit := range []int{0, 100} { // by an index of the whole object, which grows meanwhile, and by keys
		t.Run(fmt.Sprint("index from ", limit), func(t *testing.T) {
			w := newWorld(t, config())
			w.IndexFrom = limit
			if limit == 0 {
				w.IndexFrom = -1
			}
			w.reader.rows = []map[string]any{company("C1", "1", "de"), thing("T1", "p@x")}
			w.stage(1, contact("1", "a@x", "1", "de", "p@x"), contact("2", "b@x", "1", "de", "a@x"), contact("3", "c@x", "1", "de", "nobody@x"), contact("4", "d@x", "9", "de", "a@x"))
			w.part(1, 1)
			w.want(1, 1, "1 row C1 T1 []", "2 row C1 <nil> [a@x]", "3 row C1 <nil> [nobody@x]", "4 NO_MATCH Company__gc")
			w.reader.rows = append(w.reader.rows, thing("T2", "a@x"))
			w.part(1, 2)
			w.want(1, 2, "2 row C1 T2 []", "3 NO_MATCH Parent__gc")
		})
	}
}

func TestMergedRecordsAreNamed(t *testing.T) {
	cfg := config()
	cfg.Derived = nil
	w := newWorld(t, cfg)
	r, ids := contact("9", "a@x", "", "", ""), "7;8"
	r.Values["hs_merged_object_ids"] = &ids
	w.stage(1, r)
	w.part(1, 1)
	err := w.Staging.Rows(t.Context(), "A", 1, 1, func(e staging.Entry) error {
		if diff := cmp.Diff([]string{"7", "8"}, e.Row.Merged); diff != "" {
			t.Errorf("merged (-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An error is never an index without rows (Guarantee 6).
func TestALookUpThatFailsStagesNothing(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Transient, fault.Invalid, fault.Reauthorize, fault.Throttled} {
		for call := range 3 {
			t.Run(fmt.Sprint(kind, " at call ", call), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, config())
					w.reader.rows = []map[string]any{thing("T1", "p@x")}
					for i := range 5001 { // two pages
						w.reader.rows = append(w.reader.rows, company(fmt.Sprintf("C%05d", i), fmt.Sprint(i), "de"))
					}
					slices.SortFunc(w.reader.rows, func(a, b map[string]any) int { return cmpText(a["Gsid"], b["Gsid"]) })
					var records []record.Record
					for i := range 5 {
						records = append(records, contact(fmt.Sprint(i), fmt.Sprint(i, "@x"), fmt.Sprint(1000*i), "de", "p@x"))
					}
					w.stage(1, records...)
					w.reader.fail = func(n int) error {
						if n == call {
							return fault.New(kind, "No.")
						}
						return nil
					}
					out, err := w.Part(t.Context(), transform.Input{Run: "A", Part: 1, Pass: 1})
					switch {
					case kind == fault.Throttled:
						if err != nil || out.Status != step.Wait || out.ResumeAt == nil || !out.ResumeAt.After(time.Now()) {
							t.Fatalf("%+v, %v, want WAIT", out, err)
						}
					case !fault.Is(err, kind):
						t.Fatalf("err = %v, want %s", err, kind)
					}
					if has, err := w.Staging.HasRows(t.Context(), "A", 1, 1); has || err != nil {
						t.Fatalf("rows are staged: %v, %v", has, err)
					}
					w.reader.fail = nil
					w.part(1, 1)
					w.want(1, 1, "0 row C00000 T1 []", "1 row C01000 T1 []", "2 row C02000 T1 []", "3 row C03000 T1 []", "4 row C04000 T1 []")
				})
			})
		}
	}
}

func cmpText(a, b any) int {
	switch x, y := fmt.Sprint(a), fmt.Sprint(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func TestTransformStopsWhenTheRunLostItsLease(t *testing.T) {
	w := newWorld(t, config())
	w.stage(1, contact("1", "a@x", "1", "de", ""))
	if err := w.Runs.Leases.Release(t.Context(), w.run.Lease()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Part(t.Context(), transform.Input{Run: "A", Part: 1, Pass: 1}); !fault.Is(err, fault.Fenced) {
		t.Errorf("err = %v, want Fenced", err)
	}
	w.wantCalls()
}

func TestTransformWithoutItsPartFails(t *testing.T) {
	w := newWorld(t, config())
	if _, err := w.Part(t.Context(), transform.Input{Run: "A", Part: 1, Pass: 1}); !fault.Is(err, fault.NotFound) {
		t.Errorf("err = %v, want NotFound", err)
	}
	if has, _ := w.Staging.HasRows(t.Context(), "A", 1, 1); has {
		t.Error("rows are staged")
	}
}
