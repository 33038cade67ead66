package admin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/table"
)

// stored is everything in the partitions that a run writes.
func (w *world) stored() map[string]int64 {
	w.t.Helper()
	all := map[string]int64{}
	jobs, err := w.sys.Jobs.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	partitions := []string{"RUN", "ROUND", "OPEN"}
	for _, j := range jobs {
		partitions = append(partitions, "PRINT#"+j.ID)
		partitions = append(partitions, "LEASE#"+j.ID+"#changes", "JOB#"+j.ID, "AVATAR#"+w.conn.ID)
		for i := range 64 {
			partitions = append(partitions, fmt.Sprintf("CLAIM#%s#%02x", j.ID, i))
		}
	}
	for _, p := range partitions {
		err := table.All(w.t.Context(), w.table, p, table.Range{}, func(it table.Item) error {
			all[it.Partition+"/"+it.Sort] = it.Version
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	files, err := w.sys.Bucket.List(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		all["file/"+f.Name] = f.Size
	}
	return all
}

func (w *world) job(name string) job.Job {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func TestAPreviewSaysWhatTheRunDoesAndWritesNothing(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(130)
	w.run(admin.Start{Job: companyJob})
	w.later(2 * time.Hour)
	for _, id := range ids[:60] {
		w.portal.Set("companies", id, map[string]string{"name": "Renamed " + id})
	}
	w.portal.Set("companies", ids[60], map[string]string{"name": ""})
	for i := range 55 {
		w.portal.Create("companies", map[string]string{"name": fmt.Sprint("New ", i)})
	}
	w.later(time.Minute)
	writes, before := w.target.Writes(), w.stored()
	p, err := w.Preview(t.Context(), w.job(companyJob), true)
	if err != nil {
		t.Fatal(fault.MessageOf(err))
	}
	if n := w.target.Writes() - writes; n != 0 {
		t.Errorf("%d calls wrote to Gainsight", n)
	}
	if d := cmp.Diff(before, w.stored()); d != "" {
		t.Errorf("stored (-before +after):\n%s", d)
	}
	r := w.run(admin.Start{Job: companyJob})
	want := run.Counts{Extracted: 185, Inserted: 55, Updated: 60, Unchanged: 69, Rejected: 1}
	if p.Counts != want || r.Counts != want || !p.Whole {
		t.Errorf("previewed %+v, ran %+v, whole %v", p.Counts, r.Counts, p.Whole)
	}
	// The run also reads the target's schema.
	if more := r.Calls["Gainsight"] - p.GainsightCalls; more < 0 || more > 3 {
		t.Errorf("previewed %d calls, ran %d", p.GainsightCalls, r.Calls["Gainsight"])
	}
	if len(p.Rejects) != 1 || p.Rejects[0].Code != record.MissingValue || p.Rejects[0].Count != 1 {
		t.Errorf("rejects %+v", p.Rejects)
	}
	shown := map[run.Outcome]int{}
	for _, row := range p.Rows {
		shown[row.Outcome]++
		switch row.Outcome { //nolint:exhaustive // the others are counted
		case run.Updated:
			if row.GSID == "" || row.Fields["Name"] != "Renamed "+row.SourceID || row.Link == "" {
				t.Errorf("%+v", row)
			}
		case run.Inserted:
			if row.GSID != "" || row.Fields["Name"] == nil {
				t.Errorf("%+v", row)
			}
		case run.Rejected:
			if row.SourceID != ids[60] || row.Reject == nil || row.Reject.Reason == "" || row.Fields != nil {
				t.Errorf("%+v", row)
			}
		}
	}
	if d := cmp.Diff(map[run.Outcome]int{run.Inserted: 10, run.Updated: 10, run.Unchanged: 10, run.Rejected: 1}, shown); d != "" {
		t.Errorf("rows shown (-want +got):\n%s", d)
	}
}

func TestASampleForAPreviewIsSmall(t *testing.T) {
	w := newWorld(t)
	w.companies(450)
	p, err := w.Preview(t.Context(), w.job(companyJob), false)
	if err != nil {
		t.Fatal(err)
	}
	if p.Counts.Extracted != 200 || p.Counts.Inserted != 200 || p.Whole {
		t.Errorf("%+v, whole %v", p.Counts, p.Whole)
	}
	w.run(admin.Start{Job: companyJob})
	if p, err = w.Preview(t.Context(), w.job(companyJob), false); err != nil || p.Counts.Unchanged != 200 || p.GainsightCalls != 0 {
		t.Errorf("after a run %+v with %d calls, %v", p.Counts, p.GainsightCalls, err)
	}
}

func TestPeopleAndUsersArePreviewedToo(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(1)
	for i := range 3 {
		w.portal.Create("contacts", map[string]string{"email": fmt.Sprintf("p%d@acme.example", i), "lastname": "P", "associatedcompanyid": ids[0]})
		w.portal.AddOwner(ownerOf(i))
	}
	w.later(time.Minute)
	w.run(admin.Start{Job: companyJob})
	writes := w.target.Writes()
	p, err := w.Preview(t.Context(), w.job(peopleJob), true)
	if err != nil || p.Counts.Inserted != 3 || len(p.Rejects) != 0 {
		t.Errorf("people: %+v, %+v, %v", p.Counts, p.Rejects, err)
	}
	u, err := w.Preview(t.Context(), w.job("User Sync_HS"), true)
	if err != nil || u.Counts.Inserted != 3 {
		t.Errorf("users: %+v, %+v, %v", u.Counts, u.Rejects, err)
	}
	if n := w.target.Writes() - writes; n != 0 {
		t.Errorf("%d calls wrote", n)
	}
}

func TestAJobThatIsWrongIsNotPreviewed(t *testing.T) {
	w := newWorld(t)
	j := w.job(companyJob)
	j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "nothing", To: "Nowhere"})
	_, err := w.Preview(t.Context(), j, false)
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok || len(problems) != 2 {
		t.Errorf("%v", err)
	}
	checked, err := w.Check(t.Context(), j)
	if err != nil || len(checked) != 2 {
		t.Errorf("%v, %v", checked, err)
	}
	j = w.job(companyJob)
	if checked, err = w.Check(t.Context(), j); err != nil || checked != nil {
		t.Errorf("a right one: %v, %v", checked, err)
	}
	j.Name, j.Mapping.Target = " ", ""
	if checked, err = w.Check(t.Context(), j); err != nil || len(checked) != 2 || checked[0].Path != "name" || checked[1].Path != "target" {
		t.Errorf("%v, %v", checked, err)
	}
}

func TestASampleShowsFiltersAndComputedFields(t *testing.T) {
	w := newWorld(t)
	w.companies(30)
	big := "big"
	j := job.Job{Connection: w.conn.ID, Mapping: mapping.Config{
		Source: "company", Fields: []mapping.Field{{Name: "name"}},
		Filter:   condition.Filter{Conditions: []condition.Condition{{Field: "name", Op: condition.EndsWith, Value: []string{"1"}}}},
		Formulas: []mapping.Formula{{Name: "number", Type: "number", Expression: `number(split(name, " ", 2))`}},
		Cases: []mapping.Case{{Name: "size", Type: "string", When: []mapping.When{{
			If: condition.Filter{Conditions: []condition.Condition{{Field: "number", Op: condition.Greater, Value: []string{"9"}}}}, Then: mapping.Value{Text: &big},
		}}}},
	}}
	s, err := w.Sample(t.Context(), j)
	if err != nil {
		t.Fatal(fault.MessageOf(err))
	}
	if len(s.Rows) != 20 || s.Read != 20 || len(s.Columns) != 3 {
		t.Fatalf("%d rows, columns %+v", len(s.Rows), s.Columns)
	}
	kept := 0
	for _, row := range s.Rows {
		name, number, size := *row.Values[0], *row.Values[1], row.Values[2]
		if name != "Company "+number || (size != nil) != (len(number) == 2) || row.Kept != strings.HasSuffix(name, "1") || row.Failed != "" {
			t.Errorf("%s, %s, %v, kept %v", name, number, size, row.Kept)
		}
		if row.Kept {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("%d kept, want 1 and 11", kept)
	}
	j.Mapping.Formulas[0].Expression = `number(name)`
	if s, err = w.Sample(t.Context(), j); err != nil || s.Rows[0].Failed != "number" || s.Rows[0].Values[1] != nil {
		t.Errorf("%+v, %v", s.Rows, err)
	}
	j.Mapping.Formulas[0].Expression = `number(`
	if _, err = w.Sample(t.Context(), j); err == nil || !fault.Is(err, fault.Invalid) {
		t.Errorf("a wrong formula: %v", err)
	}
}

func TestSchemasAreReadOnceInAWhile(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		schema, err := w.SourceSchema(t.Context(), w.conn.ID, "company")
		if err != nil || len(schema.Fields) == 0 || slices.ContainsFunc(schema.Fields, func(f record.Field) bool { return f.Archived }) {
			t.Fatal(err)
		}
		if schema, err = w.TargetSchema(t.Context(), "company_person"); err != nil || !slices.ContainsFunc(schema.Fields, func(f record.Field) bool { return f.Name == "Person::Email" }) {
			t.Fatal(err)
		}
		objects, err := w.TargetObjects(t.Context())
		if err != nil || len(objects) < 3 || objects[0].Name != "company" || objects[1].Label != "Person and Company Person" {
			t.Fatalf("%+v, %v", objects, err)
		}
	}
	before := total(w.target.Calls())
	if _, err := w.TargetSchema(t.Context(), "company_person"); err != nil || total(w.target.Calls()) != before {
		t.Errorf("a schema that is known is read again, %v", err)
	}
	w.later(5 * time.Minute)
	if _, err := w.TargetSchema(t.Context(), "company_person"); err != nil || total(w.target.Calls()) != before+2 {
		t.Errorf("an old schema is not read again, %v", err)
	}
	if _, err := w.SourceSchema(t.Context(), w.conn.ID, "nothing"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown object: %v", err)
	}
}

func total(calls map[string]int) int {
	n := 0
	for _, c := range calls {
		n += c
	}
	return n
}

func TestMappingsAreSuggestedByName(t *testing.T) {
	w := newWorld(t)
	w.target.AddField("company", gainsightField("City__gc", "City"))
	j := job.Job{Connection: w.conn.ID, Mapping: mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{{Name: "name"}, {Name: "city"}, {Name: "industry"}}}}
	got, err := w.Suggest(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	has := func(from, to string) bool { return slices.Contains(got, mapping.Direct{From: from, To: to}) }
	if !has("name", "Name") || !has("city", "City__gc") {
		t.Errorf("%+v", got)
	}
	j.Mapping.Direct = []mapping.Direct{{From: "city", To: "Name"}}
	if got, err = w.Suggest(t.Context(), j); err != nil || has("name", "Name") {
		t.Errorf("a mapped field is suggested: %+v, %v", got, err)
	}
}

func TestDraftsAreOnesOwnAndEndAfterAWeek(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	d, err := w.PutDraft(ctx, "ann", admin.Draft{Job: job.Job{Name: "<b>é😀</b>"}})
	if err != nil || d.Key == "" {
		t.Fatal(d, err)
	}
	w.later(time.Minute)
	if _, err = w.PutDraft(ctx, "ann", admin.Draft{Key: "other"}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Draft(ctx, "ann", d.Key)
	if err != nil || got.Job.Name != "<b>é😀</b>" {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := w.Drafts(ctx, "ann"); err != nil || len(all) != 2 || all[0].Key != "other" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := w.Draft(ctx, "bo", d.Key); !fault.Is(err, fault.NotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	for range 2 {
		if err := w.DropDraft(ctx, "ann", "other"); err != nil {
			t.Fatal(err)
		}
	}
	w.later(7 * 24 * time.Hour)
	if _, err := w.Draft(ctx, "ann", d.Key); !fault.Is(err, fault.NotFound) {
		t.Errorf("after a week: %v", err)
	}
}

func TestAConnectionIsTested(t *testing.T) {
	w := newWorld(t)
	lines, err := w.TestConnection(t.Context(), w.conn.ID)
	if err != nil || len(lines) < 8 {
		t.Fatalf("%+v, %v", lines, err)
	}
	for _, l := range lines {
		if !l.OK || !strings.HasSuffix(l.Message, ".") {
			t.Errorf("%+v", l)
		}
	}
	if lines, err = w.TestGainsight(t.Context()); err != nil || len(lines) != 5 || !lines[0].OK {
		t.Errorf("%+v, %v", lines, err)
	}
	if _, err := w.sys.Connections.Revoke(t.Context(), w.conn.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if lines, err = w.TestConnection(t.Context(), w.conn.ID); err != nil || len(lines) != 1 || lines[0].OK || !strings.Contains(lines[0].Message, "revoked") {
		t.Errorf("revoked: %+v, %v", lines, err)
	}
}

func TestTheEffectsOfAKeyCountStoredRecords(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(1)
	for i := range 4 {
		w.portal.Create("contacts", map[string]string{"email": fmt.Sprintf("p%d@acme.example", i), "lastname": "P", "associatedcompanyid": ids[0]})
	}
	w.later(time.Minute)
	w.run(admin.Start{Job: companyJob})
	w.run(admin.Start{Job: peopleJob})
	effects, err := w.KeyEffects(t.Context(), []string{"LastName"})
	if err != nil || len(effects) != 1 || effects[0].Records != 4 || effects[0].More || effects[0].After.Name != peopleJob {
		t.Errorf("%+v, %v", effects, err)
	}
}

func TestLimitsThatAreSetAreFollowed(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sys.Settings.PutLimits(t.Context(), setting.Limits{Gainsight: budget.Window{Calls: 7, Per: 30 * time.Second}}, "ann"); err != nil {
		t.Fatal(err)
	}
	w.later(time.Minute)
	quotas, err := w.Quotas(t.Context())
	if err != nil || !slices.ContainsFunc(quotas, func(q admin.Quota) bool {
		return q.Vendor == "Gainsight" && q.Name == "calls" && q.Calls == 7 && q.Per == 30*time.Second
	}) {
		t.Errorf("%+v, %v", quotas, err)
	}
	w.companies(400)
	if r := w.run(admin.Start{Job: companyJob}); r.Status != run.Success || r.Calls["Gainsight"] < 8 {
		t.Errorf("%s with %v: %s", r.Status, r.Calls, r.Reason)
	}
}

func TestOldFilesAreDeletedWhenAdminsWantIt(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(2)
	w.portal.Set("companies", ids[0], map[string]string{"name": ""})
	w.later(time.Minute)
	w.run(admin.Start{Job: companyJob})
	files := func(prefix string) int {
		if err := w.sys.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := w.sys.Bucket.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if files("runs/") == 0 || files("errors/") != 1 {
		t.Error("young files are gone")
	}
	w.later(4 * 24 * time.Hour)
	if files("runs/") != 0 || files("errors/") != 1 {
		t.Error("after 4 days staged files must be gone, and error files not")
	}
	if _, err := w.sys.Settings.PutRetention(t.Context(), setting.Retention{ErrorFiles: 3, Staged: 1, Runs: 30}, "ann"); err != nil {
		t.Fatal(err)
	}
	if files("errors/") != 0 {
		t.Error("error files older than what is set are there")
	}
	w.later(10 * time.Minute) // by then every process has seen it
	r := w.run(admin.Start{Job: companyJob, Mode: run.ModeFull})
	w.later(31 * 24 * time.Hour)
	if _, err := w.RunDetail(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a run older than what is set: %v", err)
	}
	if page, err := w.Executions(t.Context(), admin.ExecutionFilter{Job: r.Job}); err != nil || len(page.Runs) != 1 { // the first one, from before
		t.Errorf("%d executions, %v", len(page.Runs), err)
	}
}
