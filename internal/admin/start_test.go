package admin_test

import (
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/setting"
)

func TestAStartWithAKeyHappensOnce(t *testing.T) {
	w := newWorld(t)
	w.companies(3)
	ctx := t.Context()
	first, err := w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "key-1")
	if err != nil {
		t.Fatal(err)
	}
	same, err := w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "key-1")
	if err != nil || same != first {
		t.Errorf("the same key at once: %q, %v, want %q", same, err, first)
	}
	if r := w.wait(first); r.Status != run.Success || r.Input.Cause != "import now" || r.Input.By != "ann" {
		t.Errorf("%+v", r)
	}
	if same, err = w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "key-1"); err != nil || same != first {
		t.Errorf("the same key after its end: %q, %v", same, err)
	}
	w.sys.Close()
	w.process(nil)
	if same, err = w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "key-1"); err != nil || same != first {
		t.Errorf("the same key in another process: %q, %v", same, err)
	}
	if _, err = w.StartRun(ctx, "ann", admin.Start{Chain: chainName}, "key-1"); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same key for something else: %v", err)
	}
	other, err := w.StartRun(ctx, "bo", admin.Start{Job: companyJob}, "key-1")
	if err != nil || other == first {
		t.Errorf("the same key of somebody else: %q, %v", other, err)
	}
	w.wait(other)
	page, err := w.Executions(ctx, admin.ExecutionFilter{})
	if err != nil || len(page.Runs) != 2 {
		t.Errorf("%d runs, %v, want 2", len(page.Runs), err)
	}
}

func TestWhatCannotRunIsSaidAtOnce(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name  string
		start admin.Start
		kind  fault.Kind
	}{
		{"nothing", admin.Start{}, fault.Invalid},
		{"both", admin.Start{Job: companyJob, Chain: chainName}, fault.Invalid},
		{"an unknown job", admin.Start{Job: "nothing"}, fault.NotFound},
		{"an unknown chain", admin.Start{Chain: "nothing"}, fault.NotFound},
		{"an unknown mode", admin.Start{Job: companyJob, Mode: "odd"}, fault.Invalid},
		{"the future", admin.Start{Job: companyJob, Since: w.now().Add(time.Hour)}, fault.Invalid},
		{"everything since a date", admin.Start{Job: companyJob, Mode: run.ModeFull, Since: w.now().Add(-time.Hour)}, fault.Invalid},
	}
	for _, tt := range tests {
		if _, err := w.StartRun(t.Context(), "ann", tt.start, ""); !fault.Is(err, tt.kind) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.kind)
		}
	}
	if _, err := w.sys.Connections.Revoke(t.Context(), w.conn.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.StartRun(t.Context(), "ann", admin.Start{Job: companyJob}, ""); !fault.Is(err, fault.Reauthorize) {
		t.Errorf("revoked: %v", err)
	}
}

func TestAStoppedRunIsResumedAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.companies(120)
	ctx := t.Context()
	goOn := w.stall()
	name, err := w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "")
	if err != nil {
		t.Fatal(err)
	}
	var going []admin.Progress
	w.until("the run is at work", func() bool {
		going, _, err = w.Active(ctx)
		return err == nil && len(going) == 1 && going[0].Extraction.Done
	})
	d, err := w.RunDetail(ctx, going[0].Run.ID)
	if err != nil || !d.CanStop || d.CanResume || d.CanRetry || d.Extraction.Count != 120 || len(d.Quotas) == 0 {
		t.Errorf("while it runs: %+v, %v", d, err)
	}
	if _, err := w.Resume(ctx, name, "ann"); !fault.Is(err, fault.Conflict) {
		t.Errorf("resumed while it runs: %v", err)
	}
	for range 2 { // twice is once
		if err := w.Stop(ctx, name, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	goOn()
	if d, err = w.RunDetail(ctx, going[0].Run.ID); err != nil || d.Run.Status != run.Failed || !d.CanResume || d.CanStop {
		t.Errorf("stopped: %s, %v", d.Run.Status, err)
	}
	again, err := w.Resume(ctx, name, "bo")
	if err != nil || again == name {
		t.Fatal(again, err)
	}
	if twice, err := w.Resume(ctx, name, "bo"); err != nil || twice != again {
		t.Errorf("resumed twice: %q, %v, want %q", twice, err, again)
	}
	if r := w.wait(again); r.Status != run.Success || r.Input.Cause != "resume" || r.Input.By != "bo" {
		t.Errorf("%+v", r)
	}
	if n := w.target.Count("company"); n != 120 {
		t.Errorf("%d companies", n)
	}
	if _, err := w.Resume(ctx, again, "ann"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a success resumed: %v", err)
	}
	for _, unknown := range []string{"nothing", ""} {
		if _, err := w.Resume(ctx, unknown, "ann"); err == nil {
			t.Errorf("%q resumed", unknown)
		}
		if err := w.Stop(ctx, unknown, "ann"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q stopped: %v", unknown, err)
		}
	}
}

func TestARunThatWasCutOffIsOfferedAndGoesOnUnderItsName(t *testing.T) {
	w := newWorld(t)
	w.companies(60)
	ctx := t.Context()
	goOn := w.stall()
	name, err := w.StartRun(ctx, "ann", admin.Start{Job: companyJob}, "")
	if err != nil {
		t.Fatal(err)
	}
	w.until("all is read", func() bool {
		going, _, err := w.Active(ctx)
		return err == nil && len(going) == 1 && going[0].Extraction.Done
	})
	w.sys.Close() // the process ends
	goOn()
	w.process(nil)
	going, cut, err := w.Active(ctx)
	if err != nil || len(going) != 0 || len(cut) != 1 || cut[0].Execution != name {
		t.Fatalf("%d going, cut off %v, %v", len(going), cut, err)
	}
	same, err := w.Resume(ctx, name, "ann")
	if err != nil || same != name {
		t.Fatalf("%q, %v, want %q", same, err, name)
	}
	if r := w.wait(name); r.Status != run.Success || w.target.Count("company") != 60 {
		t.Errorf("%s with %d companies", r.Status, w.target.Count("company"))
	}
}

func TestAStartClosesWhatWasCutOff(t *testing.T) {
	w := newWorld(t)
	w.companies(60)
	ctx := t.Context()
	goOn := w.stall()
	name, err := w.StartRun(ctx, "ann", admin.Start{Chain: chainName}, "")
	if err != nil {
		t.Fatal(err)
	}
	w.until("all is read", func() bool {
		going, _, err := w.Active(ctx)
		return err == nil && len(going) > 0 && going[0].Extraction.Done
	})
	w.sys.Close()
	goOn()
	w.process(nil)
	if r := w.run(admin.Start{Job: companyJob}); r.Status != run.Success || r.Counts.Extracted != 60 {
		t.Errorf("%s, %+v, %s", r.Status, r.Counts, r.Reason)
	}
	if r, err := w.sys.Runs.Round(ctx, name, 1); err != nil || r.Status != run.Failed {
		t.Errorf("what was cut off is %s, %v", r.Status, err)
	}
}

func TestRejectedRecordsAreTriedAgainAlone(t *testing.T) {
	w := newWorld(t)
	ids := w.companies(5)
	w.portal.Set("companies", ids[1], map[string]string{"name": ""})
	w.later(time.Minute)
	first := w.run(admin.Start{Job: companyJob})
	if first.Status != run.Partial {
		t.Fatal(first.Status)
	}
	w.portal.Set("companies", ids[1], map[string]string{"name": "Named"})
	w.later(time.Minute)
	name, err := w.RetryRejected(t.Context(), first.Job, "ann", "k")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.RetryRejected(t.Context(), first.Job, "ann", "k"); err != nil || again != name {
		t.Errorf("the same key: %q, %v", again, err)
	}
	round := w.wait(name)
	r, err := w.sys.Runs.Get(t.Context(), round.Jobs[0])
	if err != nil || r.Status != run.Success || r.Counts != (run.Counts{Extracted: 1, Inserted: 1}) {
		t.Errorf("%s %+v %s, %v", r.Status, r.Counts, r.Reason, err)
	}
	if _, err := w.RetryRejected(t.Context(), "nothing", "ann", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown job: %v", err)
	}
}

func TestThoseWhoWantToKnowAreTold(t *testing.T) {
	w := newWorld(t)
	w.companies(2)
	ctx := t.Context()
	n := setting.Notifications{Failure: []string{"ops@acme.example"}, WebhookURL: "https://hooks.acme.example/canary", Secret: "canary"}
	if _, err := w.sys.Settings.PutNotifications(ctx, n, "ann"); err != nil {
		t.Fatal(err)
	}
	w.run(admin.Start{Job: companyJob})
	if got := w.mails(); got != "" || len(w.posts) != 0 {
		t.Errorf("of a success that nobody wants to know of: %q, posts %q", got, w.posts)
	}
	j := w.job(companyJob)
	own := setting.Recipients{Success: []string{"owner@acme.example"}}
	if _, err := w.sys.Settings.PutRecipients(ctx, setting.Owner{What: schedule.Job, ID: j.ID, Name: j.Name}, own, "ann"); err != nil {
		t.Fatal(err)
	}
	w.run(admin.Start{Job: companyJob})
	if got := w.mails(); !strings.Contains(got, "owner@acme.example") || !strings.Contains(got, companyJob+": Success") || len(w.posts) != 1 || !strings.Contains(w.posts[0], "hooks.acme.example") {
		t.Errorf("of the job's own lists: %q, posts %q", got, w.posts)
	}
	cloned, err := w.sys.Jobs.Clone(ctx, j.ID, "Clone", "bo@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	n.Failure, n.Version, n.WebhookHost = nil, 1, "hooks.acme.example"
	if _, err := w.sys.Settings.PutNotifications(ctx, n, "ann"); err != nil {
		t.Fatal(err)
	}
	w.run(admin.Start{Job: cloned.ID})
	if got := w.mails(); !strings.Contains(got, "bo@acme.example") {
		t.Errorf("without lists, whoever created the job is told: %q", got)
	}
}
