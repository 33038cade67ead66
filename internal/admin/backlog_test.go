package admin_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// Gainsight takes 50 rows an hour, so a slice of 6 hours is 300 of the 400 records.
func TestAFirstLoadInSlicesTellsHowFarItIs(t *testing.T) {
	w := newWorld(t)
	w.sys.Plan.PartSize = 100 // two writes each
	w.sys.Plan.Capacity = func(_ string, d time.Duration) int { return 50 * int(d/time.Hour) }
	w.companies(400)
	began := w.now()
	w.let = 3
	goOn := w.stall()
	defer goOn()
	name, err := w.StartRun(t.Context(), "ann", admin.Start{Job: companyJob}, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []admin.Backlog
	for end := time.Now().Add(20 * time.Second); len(got) == 0 || got[0].Settled < 100; time.Sleep(time.Millisecond) {
		if got, err = w.Backlogs(t.Context()); err != nil || time.Now().After(end) {
			t.Fatal(got, err)
		}
	}
	b := got[0]
	if len(got) != 1 || b.Job != mustJob(t, w, companyJob) || b.JobName != companyJob || b.Work != admin.FirstLoad || b.State != admin.AtWork || b.Total != 400 || b.Settled != 100 || b.Percent != 25 || b.Run == "" || len(b.WaitsFor) != 0 {
		t.Errorf("%+v", b)
	}
	if in := b.End.Sub(w.now()).Round(time.Hour); b.Since.Before(began) || b.Since.After(w.now()) || in != 6*time.Hour {
		t.Errorf("since %s, expected end %s, now %s", b.Since, b.End, w.now())
	}
	rows, err := w.JobRows(t.Context(), admin.JobFilter{Search: companyJob})
	if err != nil || len(rows) != 1 || rows[0].Backlog == nil || rows[0].Backlog.State != admin.AtWork {
		t.Errorf("the job's row: %+v, %v", rows, err)
	}
	goOn()
	w.wait(name)
	if got, err = w.Backlogs(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("in the end %+v, %v", got, err)
	}
}

func TestBacklogsTellWhatTheyWaitFor(t *testing.T) {
	w := newWorld(t)
	company, people := mustJob(t, w, companyJob), mustJob(t, w, peopleJob)
	now := w.now().UTC().Truncate(time.Minute)
	opened := now.Add(-48 * time.Hour)
	const day = 24 * time.Hour
	first, all := []run.Span{{First: true, Opened: opened}}, []run.Span{{Opened: opened}}
	window := run.Span{Since: opened, Until: now, Opened: opened}
	type want struct {
		Work     admin.Work
		State    admin.BacklogState
		Settled  int
		Percent  int
		WaitsFor []string
		In       time.Duration // until the expected end, to a minute; 0 = not known
	}
	tests := []struct {
		name    string
		stored  []run.Backlog
		prepare func()
		want    map[string]want
	}{
		{"one that is next", []run.Backlog{{Job: company, Spans: first, Total: 1000, Read: 250, PerDay: 500}}, nil, map[string]want{
			companyJob: {Work: admin.FirstLoad, State: admin.Due, Settled: 250, Percent: 25, In: 36 * time.Hour},
		}},
		{"nobody knows how many", []run.Backlog{{Job: company, Spans: all, Read: 250, PerDay: 500}}, nil, map[string]want{
			companyJob: {Work: admin.Comparison, State: admin.Due, Settled: 250, Percent: -1},
		}},
		{"more than there were", []run.Backlog{{Job: company, Spans: all, Total: 100, Read: 250, PerDay: 500}}, nil, map[string]want{
			companyJob: {Work: admin.Comparison, State: admin.Due, Settled: 250, Percent: 99, In: time.Second},
		}},
		{"of an earlier version", []run.Backlog{{Job: company, Spans: all, Total: 1000, Read: 250}}, nil, map[string]want{
			companyJob: {Work: admin.Comparison, State: admin.Due, Settled: 250, Percent: 25},
		}},
		{"changes, and then all", []run.Backlog{
			{Job: company, Spans: []run.Span{window}, Total: 10, PerDay: 10}, {Job: people, Spans: []run.Span{window, {Opened: opened}}, Total: 10, PerDay: 10},
		}, nil, map[string]want{
			companyJob: {Work: admin.Changes, State: admin.Due, In: day},
			peopleJob:  {Work: admin.Comparison, State: admin.WaitsForJobs, WaitsFor: []string{companyJob}, In: 2 * day},
		}},
		{"one behind one of which nothing is known", []run.Backlog{
			{Job: company, Spans: first}, {Job: people, Spans: first, Total: 10, PerDay: 10},
		}, nil, map[string]want{
			companyJob: {Work: admin.FirstLoad, State: admin.Due, Percent: -1},
			peopleJob:  {Work: admin.FirstLoad, State: admin.WaitsForJobs, WaitsFor: []string{companyJob}},
		}},
		{"after a slice that failed", []run.Backlog{{Job: company, Spans: first, Total: 10, PerDay: 10, Failures: 2, NotBefore: now.Add(2 * time.Hour)}}, nil, map[string]want{
			companyJob: {Work: admin.FirstLoad, State: admin.Paused, In: day + 2*time.Hour},
		}},
		{"of a job that is gone", []run.Backlog{{Job: "gone", Spans: first, Total: 10, PerDay: 10}}, nil, map[string]want{}},
		{"each behind the other", []run.Backlog{
			{Job: company, Spans: first, Total: 10, PerDay: 10}, {Job: people, Spans: first, Total: 10, PerDay: 10},
		}, func() {
			if _, err := w.sys.Chains.Save(t.Context(), chain.Chain{Name: "The other way", Jobs: []string{people, company}}, "ann"); err != nil {
				t.Fatal(err)
			}
		}, map[string]want{
			companyJob: {Work: admin.FirstLoad, State: admin.Due, In: 24 * time.Hour}, // neither waits
			peopleJob:  {Work: admin.FirstLoad, State: admin.Due, In: 24 * time.Hour},
		}},
		{"without a permission", []run.Backlog{{Job: company, Spans: first, Total: 10, PerDay: 10}}, func() {
			if err := w.sys.Connections.NeedsReauthorization(t.Context(), w.conn.ID); err != nil {
				t.Fatal(err)
			}
		}, map[string]want{
			companyJob: {Work: admin.FirstLoad, State: admin.Unauthorized},
		}},
	}
	for _, tt := range tests { // in this order: the last ones change the world
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != nil {
				tt.prepare()
			}
			for _, b := range tt.stored {
				b.Opened = opened
				if err := w.table.PutMany(t.Context(), []table.Item{run.BacklogOp(b).Item}); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = w.sys.Runs.ForgetBacklog(t.Context(), b.Job) }()
			}
			all, err := w.Backlogs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]want{}
			for _, b := range all {
				one := want{Work: b.Work, State: b.State, Settled: b.Settled, Percent: b.Percent, WaitsFor: b.WaitsFor}
				if !b.End.IsZero() {
					one.In = max(time.Second, b.End.Sub(now).Round(10*time.Minute))
				}
				if !b.Since.Equal(opened) {
					t.Errorf("%s: since %s", b.JobName, b.Since)
				}
				got[b.JobName] = one
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
