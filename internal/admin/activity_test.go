package admin_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// history stores n runs that ended, one an hour, those of the out-of-the-box jobs
// in turn; each tenth failed. It returns the jobs' ids.
func (w *world) history(n int) []string {
	w.t.Helper()
	jobs, err := w.sys.Jobs.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var items []table.Item
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	at := w.now().Add(-time.Duration(n) * time.Minute)
	for i := range n {
		e := activity.Execution{RunID: fmt.Sprintf("old-%06d", i), JobID: ids[i%len(ids)], Job: jobs[i%len(ids)].Name, Status: "Success", Started: at, Ended: at.Add(time.Second)}
		if i%10 == 0 {
			e.Status = "Failed"
		}
		for _, op := range w.sys.Activity.ExecutionOps(e) {
			items = append(items, op.Item)
		}
		at = at.Add(time.Minute)
	}
	if err := w.table.PutMany(w.t.Context(), items); err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func TestExecutionsAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t)
	ids := w.history(300)
	for _, f := range []struct {
		name   string
		filter admin.ExecutionFilter
		want   func(i int) bool
	}{
		{"all", admin.ExecutionFilter{}, func(int) bool { return true }},
		{"by status", admin.ExecutionFilter{Status: "Failed"}, func(i int) bool { return i%10 == 0 }},
		{"by job", admin.ExecutionFilter{Job: ids[1]}, func(i int) bool { return i%3 == 1 }},
		{"by job and status", admin.ExecutionFilter{Job: ids[1], Status: "Failed"}, func(i int) bool { return i%3 == 1 && i%10 == 0 }},
		{"by an unknown job", admin.ExecutionFilter{Job: "x"}, func(int) bool { return false }},
		{"by chain", admin.ExecutionFilter{Chain: "x"}, func(int) bool { return false }},
	} {
		t.Run(f.name, func(t *testing.T) {
			var want, got []string
			for i := 299; i >= 0; i-- {
				if f.want(i) {
					want = append(want, fmt.Sprintf("old-%06d", i))
				}
			}
			f.filter.Limit = 10
			for pages := 1; ; pages++ {
				page, err := w.Executions(t.Context(), f.filter)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Runs {
					got = append(got, e.RunID)
				}
				if page.Next == "" {
					if wanted := max(1, (len(want)+9)/10); pages != wanted {
						t.Errorf("%d pages, want %d", pages, wanted)
					}
					break
				}
				f.filter.Cursor = page.Next
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if _, err := w.Executions(t.Context(), admin.ExecutionFilter{Cursor: "odd"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an odd cursor: %v", err)
	}
	page, err := w.Executions(t.Context(), admin.ExecutionFilter{Limit: 100_000})
	if err != nil || len(page.Runs) != 200 {
		t.Errorf("a page of 100,000 has %d, %v", len(page.Runs), err)
	}
}

func TestSkippedRunsOfWebhooksAreNoNews(t *testing.T) {
	w := newWorld(t)
	var items []table.Item
	for i, e := range []activity.Execution{
		{RunID: "told", Status: "Success", Cause: "webhook"},
		{RunID: "skipped", Status: "Skipped", Cause: "webhook"},
		{RunID: "skipped by its schedule", Status: "Skipped", Cause: "scheduled execution"},
		{RunID: "failed", Status: "Failed", Cause: "webhook"},
		{RunID: "skipped again", Status: "Skipped", Cause: "webhook"},
	} {
		e.JobID, e.Ended = "j", w.now().Add(time.Duration(i)*time.Minute)
		e.Started = e.Ended
		for _, op := range w.sys.Activity.ExecutionOps(e) {
			items = append(items, op.Item)
		}
	}
	if err := w.table.PutMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		filter admin.ExecutionFilter
		want   string
	}{
		{admin.ExecutionFilter{News: true}, "failed, skipped by its schedule, told"},
		{admin.ExecutionFilter{}, "skipped again, failed, skipped by its schedule, skipped, told"},
	} {
		page, err := w.Executions(t.Context(), tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range page.Runs {
			got = append(got, e.RunID)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%+v shows %q, want %q", tt.filter, got, tt.want)
		}
	}
}

func TestUpdatesAreFilteredByWhoAndWhat(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sys.Jobs.Clone(t.Context(), mustJob(t, w, companyJob), "", "bo"); err != nil {
		t.Fatal(err)
	}
	page, err := w.Updates(t.Context(), admin.UpdateFilter{By: "bo"})
	if err != nil || len(page.Updates) != 1 || page.Updates[0].What != "job" || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	page, err = w.Updates(t.Context(), admin.UpdateFilter{What: "connection"})
	if err != nil || len(page.Updates) == 0 || page.Updates[len(page.Updates)-1].Type != activity.Created {
		t.Errorf("%+v, %v", page, err)
	}
}

func mustJob(t *testing.T, w *world, name string) string {
	t.Helper()
	j, err := w.sys.Jobs.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func TestARunTellsItsRejectsAndItsErrorFile(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(3)
	w.portal.Set("companies", ids[1], map[string]string{"name": ""})
	w.later(time.Minute)
	r := w.run(admin.Start{Job: companyJob})
	d, err := w.RunDetail(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d.Run.Status != run.Partial || !d.CanRetry || d.CanResume || d.CanStop || d.Settled.Rejected != 1 || d.Settled.Inserted != 2 || len(d.Siblings) != 1 {
		t.Errorf("%+v", d)
	}
	if len(d.Rejects) != 1 || d.Rejects[0].Code != record.MissingValue || d.Rejects[0].Count != 1 || d.Rejects[0].Meaning == "" || d.Rejects[0].Fix == "" {
		t.Errorf("rejects %+v", d.Rejects)
	}
	if d.Calls["HubSpot"] == 0 || d.Calls["Gainsight"] == 0 {
		t.Errorf("calls %v", d.Calls)
	}
	link, name, err := w.ErrorFile(t.Context(), r.ID)
	if err != nil || !strings.HasSuffix(name, ".csv") {
		t.Fatal(link, name, err)
	}
	if text, err := os.ReadFile(link); err != nil || strings.Count(string(text), ids[1]) == 0 {
		t.Errorf("the error file: %s, %v", text, err)
	}
	w.later(time.Minute)
	w.portal.Set("companies", ids[1], map[string]string{"name": "Now named"})
	w.later(time.Minute)
	good := w.run(admin.Start{Job: companyJob})
	if _, _, err := w.ErrorFile(t.Context(), good.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the error file of a success: %v", err)
	}
	for _, unknown := range []run.ID{"", "x"} {
		if _, err := w.RunDetail(t.Context(), unknown); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown run: %v", err)
		}
	}
}

func TestJobRowsTellRunsAndSchedules(t *testing.T) {
	w := newWorld(t)
	w.companies(2)
	r := w.run(admin.Start{Job: companyJob})
	company, people := mustJob(t, w, companyJob), mustJob(t, w, peopleJob)
	daily := schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: "06:00", Zone: "UTC"}
	c, err := w.sys.Chains.Find(t.Context(), chainName)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []schedule.Owner{{What: schedule.Job, ID: company}, {What: schedule.Chain, ID: c.ID}} {
		if _, err := w.sys.Schedules.Put(t.Context(), o, daily, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := w.JobRows(t.Context(), admin.JobFilter{})
	if err != nil || len(rows) != 3 {
		t.Fatal(len(rows), err)
	}
	byID := map[string]admin.JobRow{}
	for _, row := range rows {
		byID[row.Job.ID] = row
	}
	got := byID[company]
	if got.Status != run.Success || !got.LastRun.Equal(r.Ended) || len(got.Last) != 1 || got.ConnectionName != "HS" || got.SourceLabel != "Company" ||
		got.TargetLabel != "Company" || got.Schedule != admin.Scheduled || got.OverruledBy != chainName || got.Running != "" {
		t.Errorf("%+v", got)
	}
	if p := byID[people]; p.Status != "" || !p.LastRun.IsZero() || p.Schedule != admin.Scheduled || p.OverruledBy != "" || p.TargetLabel != "Person and Company Person" {
		t.Errorf("%+v", p)
	}
	if rows[2].Job.OOTB != "User Sync" || rows[2].Schedule != admin.OnDemand || len(rows[2].Chains) != 0 {
		t.Errorf("%+v", rows[2])
	}
	if rows, err = w.JobRows(t.Context(), admin.JobFilter{Search: " PERSON "}); err != nil || len(rows) != 1 {
		t.Errorf("searched: %d, %v", len(rows), err)
	}
	if rows, err = w.JobRows(t.Context(), admin.JobFilter{Connection: "x"}); err != nil || len(rows) != 0 {
		t.Errorf("of another connection: %d, %v", len(rows), err)
	}
}

func TestAJobShowsItsLast20Runs(t *testing.T) {
	w := newWorld(t)
	w.history(100)
	rows, err := w.JobRows(t.Context(), admin.JobFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if len(row.Last) != 20 || row.Last[0].Started.After(row.Last[19].Started) || row.Status != run.Status(row.Last[19].Status) {
			t.Errorf("row %d: %d runs", i, len(row.Last))
		}
	}
}

func TestARecordIsFoundByIDLinkAndName(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(3)
	w.portal.Set("companies", ids[1], map[string]string{"name": ""})
	w.later(time.Minute)
	r := w.run(admin.Start{Job: companyJob})
	person := w.portal.Create("contacts", map[string]string{"email": "Ann@Acme.example", "firstname": "Ann", "lastname": "Archer", "associatedcompanyid": ids[0]})
	w.later(time.Minute)
	w.run(admin.Start{Job: peopleJob})
	tests := []struct {
		name, query, id string
		outcome         run.Outcome
	}{
		{"an id", " " + ids[0] + " ", ids[0], run.Inserted},
		{"a rejected one", ids[1], ids[1], run.Rejected},
		{"a link", "https://app.hubspot.com/contacts/90210/record/0-2/" + ids[0] + "?x=y", ids[0], run.Inserted},
		{"an old link", "https://app.hubspot.com/contacts/90210/company/" + ids[0] + "/", ids[0], run.Inserted},
		{"a name", "company 2", ids[2], run.Inserted},
		{"an e-mail address", "ann@acme.example", person, run.Inserted},
		{"a last name", "Archer", person, run.Inserted},
		{"a link to another object", "https://app.hubspot.com/contacts/90210/record/0-3/" + ids[0], "", ""},
		{"an unknown id", "1", "", ""},
		{"an unknown name", "Nobody", "", ""},
		{"nothing", " ", "", ""},
		{"10,000 characters", strings.Repeat("x", 10_000), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := w.Find(t.Context(), tt.query)
			if err != nil {
				t.Fatal(fault.MessageOf(err))
			}
			if tt.id == "" {
				if len(found) != 0 {
					t.Errorf("%+v", found)
				}
				return
			}
			if len(found) != 1 || found[0].SourceID != tt.id || found[0].Outcome != tt.outcome || found[0].When.IsZero() || !strings.Contains(found[0].Link, tt.id) {
				t.Fatalf("%+v", found)
			}
			if rejected := tt.outcome == run.Rejected; rejected != (found[0].Code == record.MissingValue && found[0].Reason != "" && found[0].Fix != "") || rejected && (found[0].Run != r.ID || found[0].GSID != "") {
				t.Errorf("%+v", found[0])
			}
		})
	}
}

func TestConsequencesAreSpelledOut(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sys.Chains.Save(t.Context(), chain.Chain{Name: "Other", Jobs: []string{mustJob(t, w, companyJob)}}, "ann"); err != nil {
		t.Fatal(err)
	}
	for revoke, want := range map[bool]string{false: `3 jobs ("Company Person Sync_HS", "Company Sync_HS", "User Sync_HS"), 2 chains ("HUBSPOT_Company Person Sync", "Other"), 0 schedules`, true: "3 jobs and 2 chains stay"} {
		lines, err := w.Consequences(t.Context(), w.conn.ID, revoke)
		if err != nil || !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("%q, %v, want %q", lines, err, want)
		}
	}
	if _, err := w.Consequences(t.Context(), "x", true); !fault.Is(err, fault.NotFound) {
		t.Errorf("of an unknown connection: %v", err)
	}
}
