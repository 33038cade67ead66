package plan_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/meter"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// plainSealer hides nothing.
type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, _ map[string]string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (plainSealer) Open(_ context.Context, _ map[string]string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// schemas answers for both sides and notes what it is asked.
type schemas struct {
	known map[string]record.Schema
	fails map[string]error // :: object
	asked []string
}

func (s *schemas) schema(ctx context.Context, object string) (record.Schema, error) {
	meter.Count(ctx, "Vendor")
	s.asked = append(s.asked, object)
	if err := s.fails[object]; err != nil {
		return record.Schema{}, err
	}
	schema, ok := s.known[object]
	if !ok {
		return schema, fault.New(fault.NotFound, "There is no object %q.", object)
	}
	return schema, nil
}

type source struct{ *schemas }

func (s source) Schema(ctx context.Context, _, object string) (record.Schema, error) {
	return s.schema(ctx, object)
}

type target struct{ *schemas }

func (t target) Schema(ctx context.Context, object string) (record.Schema, error) {
	return t.schema(ctx, object)
}

type world struct {
	*plan.Planner
	t     *testing.T
	table table.Table
	log   *activity.Store
	both  *schemas
	conn  connection.Connection
	now   time.Time
	ids   int
}

func fields(names ...string) (list []record.Field) {
	for _, name := range names {
		list = append(list, record.Field{Name: name, Label: name, Type: record.String})
	}
	return list
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, now: start}
	clock := func() time.Time { return w.now }
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	newID := func() string { w.ids++; return fmt.Sprintf("id%03d", w.ids) }
	w.table, w.log = items, &activity.Store{Table: items, NewID: newID, Now: clock}
	w.both = &schemas{fails: map[string]error{}, known: map[string]record.Schema{
		"0-1":            {Object: "0-1", Fields: fields("email", "firstname", "associatedcompanyid", "hs_merged_object_ids")},
		"0-2":            {Object: "0-2", Fields: fields("hs_object_id", "name", "fax")},
		"owner":          {Object: "owner", Fields: fields("email", "firstName")},
		"company":        {Object: "company", Fields: fields("HS_ID", "Name", "Fax__gc")},
		"person":         {Object: "person", Fields: fields("Email", "FirstName")},
		"company_person": {Object: "company_person", Fields: append(fields("HS__gc"), record.Field{Name: "Company_ID", Label: "Company ID", Type: record.GSID, Lookup: "company"})},
		"gsuser":         {Object: "gsuser", Fields: fields("SFDCUserName", "Email")},
	}}
	jobs := &job.Store{Table: items, Activity: w.log, NewID: newID}
	chains := &chain.Store{Table: items, Activity: w.log, Jobs: jobs, NewID: newID}
	w.Planner = &plan.Planner{
		Source: source{w.both}, Target: target{w.both}, Jobs: jobs, Chains: chains,
		Connections: &connection.Store{
			Table: items, Activity: w.log, Tokens: &token.Store{Table: items, Sealer: plainSealer{}}, Jobs: jobs, Chains: chains, NewID: newID, Now: clock,
			Withdraw: func(context.Context, token.Token) error { return nil },
		},
		People: &person.Store{Table: items, Activity: w.log, Jobs: jobs}, Runs: &run.Store{Table: items, Leases: &lease.Store{Table: items, Now: clock}, Now: clock},
		Staging: &staging.Store{Bucket: bucket}, Complete: func(context.Context) error { return nil }, NewID: newID, Now: clock,
	}
	if w.conn, err = w.Connections.Create(t.Context(), "HS", "tester"); err == nil {
		w.conn, err = w.Connections.Authorized(t.Context(), w.conn.ID, token.Token{Access: "a", Refresh: "r", PortalID: 4711, Expires: start}, "tester")
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func companyMapping() mapping.Config {
	return mapping.Config{
		Source: "company", Target: "company", Fields: []mapping.Field{{Name: "id", Property: "hs_object_id"}, {Name: "name"}, {Name: "fax"}},
		Direct: []mapping.Direct{{From: "id", To: "HS_ID", Identifier: true}, {From: "name", To: "Name"}, {From: "fax", To: "Fax__gc"}},
	}
}

func peopleMapping() mapping.Config {
	return mapping.Config{
		Source: "contact", Target: "company_person", Fields: []mapping.Field{{Name: "email"}, {Name: "account", Property: "associatedcompanyid"}},
		Direct:  []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}},
		Derived: []mapping.Derived{{To: "Company_ID", Object: "company", Match: []mapping.Pair{{From: "account", Field: "HS_ID"}}, Multiple: mapping.MultipleError, None: mapping.NoneReject}},
	}
}

func ownerMapping() mapping.Config {
	return mapping.Config{
		Source: "owner", Target: "gsuser", Fields: []mapping.Field{{Name: "email"}},
		Direct: []mapping.Direct{{From: "email", To: "SFDCUserName", Identifier: true}},
	}
}

func (w *world) job(name string, m mapping.Config) job.Job {
	w.t.Helper()
	j, err := w.Jobs.Save(w.t.Context(), job.Job{Name: name, Connection: w.conn.ID, Mapping: m}, "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) chain(onFailure chain.OnFailure, jobs ...job.Job) {
	w.t.Helper()
	c := chain.Chain{Name: "Chain", OnFailure: onFailure}
	for _, j := range jobs {
		c.Jobs = append(c.Jobs, j.ID)
	}
	if _, err := w.Chains.Save(w.t.Context(), c, "tester"); err != nil {
		w.t.Fatal(err)
	}
}

// round plans a round of the input and wants it planned.
func (w *world) round(execution string, in run.Input) plan.Output {
	w.t.Helper()
	out, err := w.Round(w.t.Context(), plan.Input{Execution: execution, Round: 1, Input: in})
	if err != nil || out.Status != step.Done {
		w.t.Fatalf("%+v, %v, want DONE", out, err)
	}
	return out
}

// frozen plans a job alone and returns its plan.
func (w *world) frozen(execution string, in run.Input) staging.Plan {
	w.t.Helper()
	out := w.round(execution, in)
	if len(out.Jobs) != 1 {
		w.t.Fatalf("%d runs, want 1", len(out.Jobs))
	}
	p, err := w.Staging.Plan(w.t.Context(), out.Jobs[0].Run)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestAChainIsPlannedWithARunPerJob(t *testing.T) {
	w := newWorld(t)
	a, b := w.job("A", companyMapping()), w.job("B", peopleMapping())
	w.chain(chain.Continue, a, b)
	in := run.Input{Chain: "chain", Cause: "schedule"}
	out := w.round("e1", in)
	if len(out.Jobs) != 2 || out.OnFailure != "continue" {
		t.Fatalf("%+v", out)
	}
	for i, j := range []job.Job{a, b} {
		r, err := w.Runs.Get(t.Context(), out.Jobs[i].Run)
		if err != nil || r.Job != j.ID || r.JobName != j.Name || r.Chain != "Chain" || r.Status != run.Planned || r.Cause != "schedule" || r.Lane != run.Changes || r.Connection != w.conn.ID || !r.Started.Equal(start) {
			t.Errorf("run %+v, %v", r, err)
		}
		if want := []int{2, 3}[i]; r.Calls["Vendor"] != want { // its share: the schema of company is read once
			t.Errorf("job %s: %d calls counted, want %d", j.Name, r.Calls["Vendor"], want)
		}
		p, err := w.Staging.Plan(t.Context(), out.Jobs[i].Run)
		if err != nil || p.Job.ID != j.ID || p.PortalID != 4711 || p.PartSize != 10_000 || !p.Now.Equal(start) || p.Broken != nil || len(p.Skipped) != 0 {
			t.Errorf("plan %+v, %v", p, err)
		}
	}
	if diff := cmp.Diff([]string{"0-2", "company", "0-1", "company_person", "person"}, w.both.asked); diff != "" {
		t.Errorf("schemas asked for (-want +got):\n%s", diff)
	}
	p, err := w.Staging.Plan(t.Context(), out.Jobs[1].Run)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Target.Field("Person::Email"); !ok || !slices.Equal(p.ResolutionKeys, []string{"Email"}) || p.Lookups["company"].Object != "company" {
		t.Errorf("people plan: target %+v, keys %q, lookups %v", p.Target, p.ResolutionKeys, p.Lookups)
	}
	if diff := cmp.Diff([]string{"email", "associatedcompanyid", "hs_merged_object_ids"}, p.Query.Properties); diff != "" || p.Query.Object != "0-1" {
		t.Errorf("query %+v (-want +got):\n%s", p.Query, diff)
	}
}

func TestAPlannedRoundAnswersTheSame(t *testing.T) {
	w := newWorld(t)
	j := w.job("A", companyMapping())
	first := w.round("e1", run.Input{Job: j.ID})
	w.both.asked = nil
	j.Mapping.Direct = j.Mapping.Direct[:1] // the plan keeps what it started with
	if _, err := w.Jobs.Save(t.Context(), j, "tester"); err != nil {
		t.Fatal(err)
	}
	w.now = start.Add(time.Hour)
	again := w.round("e1", run.Input{Job: j.ID})
	if diff := cmp.Diff(first, again); diff != "" || len(w.both.asked) != 0 {
		t.Errorf("again, after asking for %q (-first +again):\n%s", w.both.asked, diff)
	}
	if runs, err := w.Runs.List(t.Context(), 10); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v, want 1", len(runs), err)
	}
	p, err := w.Staging.Plan(t.Context(), first.Jobs[0].Run)
	if err != nil || len(p.Job.Mapping.Direct) != 3 {
		t.Errorf("the frozen job has %d mappings, %v, want 3", len(p.Job.Mapping.Direct), err)
	}
}

func TestAnInputThatNamesNothingIsRefused(t *testing.T) {
	w := newWorld(t)
	w.job("A", companyMapping())
	tests := []struct {
		name string
		in   run.Input
		kind fault.Kind
		says string
	}{
		{"neither", run.Input{}, fault.Invalid, `"chain" or a "job"`},
		{"both", run.Input{Chain: "c", Job: "A"}, fault.Invalid, `"chain" or a "job"`},
		{"unknown mode", run.Input{Job: "A", Mode: "everything"}, fault.Invalid, "everything"},
		{"unknown job", run.Input{Job: "B"}, fault.NotFound, "The jobs are: A."},
		{"unknown chain", run.Input{Chain: "B"}, fault.NotFound, "There are no chains yet."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Round(t.Context(), plan.Input{Execution: "e", Round: 1, Input: tt.in})
			if !fault.Is(err, tt.kind) || !strings.Contains(fault.MessageOf(err), tt.says) {
				t.Errorf("err = %v, want %s that says %q", err, tt.kind, tt.says)
			}
			if open, err := w.Runs.OpenRounds(t.Context()); err != nil || len(open) != 0 {
				t.Errorf("open rounds %v, %v", open, err)
			}
		})
	}
}

func TestAJobThatCannotRunGetsABrokenPlanAndFailsAlone(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*world, *job.Job)
		kind  fault.Kind
		says  []string
	}{
		{"revoked", func(w *world, _ *job.Job) { _, _ = w.Connections.Revoke(w.t.Context(), w.conn.ID, "tester") }, fault.Reauthorize, []string{"revoked"}},
		{"lapsed", func(w *world, _ *job.Job) { _ = w.Connections.NeedsReauthorization(w.t.Context(), w.conn.ID) }, fault.Reauthorize, []string{"Re-authorize"}},
		{"connection gone", func(_ *world, j *job.Job) { j.Connection = "gone" }, fault.NotFound, []string{"does not exist any more"}},
		{"incomplete", func(_ *world, j *job.Job) {
			j.Missing = []job.Missing{{Object: "Company", Label: "HubSpot Account ID", Type: record.String}}
		}, fault.Invalid, []string{"HubSpot Account ID", "Company"}},
		{"unknown source object", func(_ *world, j *job.Job) { j.Mapping.Source = "unicorn" }, fault.Invalid, []string{"unicorn"}},
		{"a scope is missing", func(w *world, _ *job.Job) { w.both.fails["0-2"] = fault.New(fault.Invalid, "Scope canary.") }, fault.Invalid, []string{"Scope canary."}},
		{"the token is refused", func(w *world, _ *job.Job) { w.both.fails["0-2"] = fault.New(fault.Reauthorize, "Token.") }, fault.Reauthorize, []string{"Token."}},
		{"no such target object", func(_ *world, j *job.Job) { j.Mapping.Target = "thing__gc" }, fault.NotFound, []string{"thing__gc"}},
		{"no such look-up object", func(_ *world, j *job.Job) {
			j.Mapping.Derived = []mapping.Derived{{To: "Name", Object: "thing__gc", Match: []mapping.Pair{{From: "id", Field: "X"}}}}
		}, fault.NotFound, []string{"thing__gc"}},
		{"two problems of the mapping", func(_ *world, j *job.Job) { j.Mapping.Direct[0].To, j.Mapping.Direct[1].To = "Gone__gc", "Also__gc" }, fault.Invalid, []string{"Gone__gc", "Also__gc"}},
		{"an identifier that drifted", func(_ *world, j *job.Job) { j.Mapping.Fields[0].Property = "old_id" }, fault.Invalid, []string{"old_id"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			broken, fine := w.job("broken", companyMapping()), w.job("fine", ownerMapping())
			w.chain(chain.Stop, broken, fine)
			spoilt := broken
			spoilt.Mapping = companyMapping()
			tt.spoil(w, &spoilt)
			if err := w.table.Write(t.Context(), w.Jobs.SaveOps(&broken, spoilt, "tester")); err != nil {
				t.Fatal(err)
			}
			out := w.round("e1", run.Input{Chain: "Chain"})
			p, err := w.Staging.Plan(t.Context(), out.Jobs[0].Run)
			if err != nil || p.Broken == nil || p.Broken.Kind != tt.kind {
				t.Fatalf("broken %+v, %v, want %s", p.Broken, err, tt.kind)
			}
			for _, says := range tt.says {
				if !strings.Contains(p.Broken.Message, says) {
					t.Errorf("%q does not say %q", p.Broken.Message, says)
				}
			}
			other, err := w.Staging.Plan(t.Context(), out.Jobs[1].Run)
			if ofConnection := tt.name == "revoked" || tt.name == "lapsed"; err != nil || (other.Broken != nil) != ofConnection {
				t.Errorf("the other job: broken %+v, %v", other.Broken, err)
			}
			if tt.kind == fault.Reauthorize && tt.name != "the token is refused" && len(w.both.asked) != 0 {
				t.Errorf("asked for %q through a connection that cannot be used", w.both.asked)
			}
		})
	}
}

func TestAnIncompleteJobIsCompletedFirst(t *testing.T) {
	w := newWorld(t)
	j := w.job("A", companyMapping())
	incomplete := j
	incomplete.Missing = []job.Missing{{Object: "Company", Label: "X", Type: record.String}}
	if err := w.table.Write(t.Context(), w.Jobs.SaveOps(&j, incomplete, "tester")); err != nil {
		t.Fatal(err)
	}
	completed := 0
	w.Complete = func(ctx context.Context) error { // the field exists by now
		completed++
		stored, err := w.Jobs.Get(ctx, j.ID)
		if err != nil {
			return err
		}
		done := stored
		done.Missing = nil
		return w.table.Write(ctx, w.Jobs.SaveOps(&stored, done, "tester"))
	}
	for i := range 2 {
		p := w.frozen(fmt.Sprint("e", i), run.Input{Job: "A"})
		if p.Broken != nil || len(p.Job.Missing) != 0 || completed != 1 {
			t.Errorf("run %d: broken %+v, missing %v, completed %d times", i, p.Broken, p.Job.Missing, completed)
		}
	}
}

func TestAFieldThatDriftedIsSkippedAndNamed(t *testing.T) {
	w := newWorld(t)
	w.job("A", companyMapping())
	w.both.known["0-2"] = record.Schema{Object: "0-2", Fields: fields("hs_object_id", "name")} // fax is gone
	p := w.frozen("e1", run.Input{Job: "A"})
	if p.Broken != nil || len(p.Skipped) != 1 || !strings.Contains(p.Skipped[0], "fax") {
		t.Errorf("broken %+v, skipped %q, want fax named", p.Broken, p.Skipped)
	}
	if slices.Contains(p.Query.Properties, "fax") {
		t.Errorf("asks for %q", p.Query.Properties)
	}
}

func TestWhatPassesByItselfIsNotStored(t *testing.T) {
	until := start.Add(3 * time.Minute)
	tests := []struct {
		err  error
		wait bool
	}{
		{fault.Until(until, "Spent."), true},
		{fault.New(fault.Transient, "No answer."), false},
		{fmt.Errorf("a bug"), false},
	}
	for _, tt := range tests {
		t.Run(string(fault.KindOf(tt.err)), func(t *testing.T) {
			w := newWorld(t)
			w.job("A", companyMapping())
			w.both.fails["company"] = tt.err
			out, err := w.Round(t.Context(), plan.Input{Execution: "e1", Round: 1, Input: run.Input{Job: "A"}})
			switch {
			case tt.wait:
				if err != nil || out.Status != step.Wait || out.ResumeAt == nil || !out.ResumeAt.Equal(until) {
					t.Errorf("%+v, %v, want WAIT until %s", out, err, until)
				}
			case fault.KindOf(err) != fault.KindOf(tt.err) || err == nil:
				t.Errorf("err = %v, want %v", err, tt.err)
			}
			if open, err := w.Runs.OpenRounds(t.Context()); err != nil || len(open) != 0 {
				t.Errorf("open rounds %v, %v", open, err)
			}
			delete(w.both.fails, "company")
			if p := w.frozen("e1", run.Input{Job: "A"}); p.Broken != nil {
				t.Errorf("again: broken %+v", p.Broken)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	mark := start.Add(-24 * time.Hour)
	end := start.Add(-5 * time.Second)
	tests := []struct {
		name      string
		mapping   mapping.Config
		mark      time.Time // watermark before the run
		in        run.Input
		since     time.Time // zero: all records
		watermark time.Time // after the run
		mode      run.Mode
	}{
		{"the first run reads all", companyMapping(), time.Time{}, run.Input{}, time.Time{}, end, run.ModeFull},
		{"changes with overlap", companyMapping(), mark, run.Input{}, mark.Add(-time.Hour), end, run.ModeChanges},
		{"changes said so", companyMapping(), mark, run.Input{Mode: run.ModeChanges}, mark.Add(-time.Hour), end, run.ModeChanges},
		{"everything", companyMapping(), mark, run.Input{Mode: run.ModeFull}, time.Time{}, end, run.ModeFull},
		{"an object that does not say when it changed", ownerMapping(), mark, run.Input{}, time.Time{}, end, run.ModeFull},
		{"from a date long ago", companyMapping(), mark, run.Input{Since: mark.Add(-100 * time.Hour)}, mark.Add(-100 * time.Hour), end, run.ModeChanges},
		{"from the beginning of the overlap", companyMapping(), mark, run.Input{Since: mark.Add(-time.Hour)}, mark.Add(-time.Hour), end, run.ModeChanges},
		{"from a date within the overlap, which search may show late", companyMapping(), mark, run.Input{Since: mark.Add(-time.Minute)}, mark.Add(-time.Minute), mark, run.ModeChanges},
		{"from a later date, so that what lies between is left", companyMapping(), mark, run.Input{Since: mark.Add(time.Hour)}, mark.Add(time.Hour), mark, run.ModeChanges},
		{"from a date before anything was delivered", companyMapping(), time.Time{}, run.Input{Since: mark}, mark, time.Time{}, run.ModeChanges},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			j := w.job("A", tt.mapping)
			if !tt.mark.IsZero() {
				if err := w.table.Write(t.Context(), []table.Op{w.Runs.WatermarkOp(run.Run{Job: j.ID, Lane: run.Changes}, tt.mark)}); err != nil {
					t.Fatal(err)
				}
			}
			tt.in.Job = "A"
			p := w.frozen("e1", tt.in)
			if !p.Query.Since.Equal(tt.since) || !p.Watermark.Equal(tt.watermark) {
				t.Errorf("since %s, watermark %s, want %s and %s", p.Query.Since, p.Watermark, tt.since, tt.watermark)
			}
			if tt.since.IsZero() != p.Query.Until.IsZero() || !tt.since.IsZero() && !p.Query.Until.Equal(end) {
				t.Errorf("until %s", p.Query.Until)
			}
			if r, err := w.Runs.Get(t.Context(), p.Run); err != nil || r.Mode != tt.mode {
				t.Errorf("mode %s, %v, want %s", r.Mode, err, tt.mode)
			}
		})
	}
}

func TestCheckNamesAllProblems(t *testing.T) {
	w := newWorld(t)
	j := job.Job{Name: "A", Connection: w.conn.ID, Mapping: companyMapping()}
	if err := w.Check(t.Context(), j, nil); err != nil {
		t.Errorf("a job without fault: %v", err)
	}
	j.Mapping.Direct[0].To, j.Mapping.Direct[1].To, j.Mapping.Fields[2].Property = "Gone__gc", "Also__gc", "old_fax"
	err := w.Check(t.Context(), j, nil)
	for _, want := range []string{"Gone__gc", "Also__gc", "old_fax"} { // a new job may not begin with drift
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := w.Connections.Revoke(t.Context(), w.conn.ID, "tester"); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(t.Context(), j, nil); !fault.Is(err, fault.Reauthorize) {
		t.Errorf("through a revoked connection: %v, want Reauthorize", err)
	}
}
