package inprocess_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/truth"
)

const (
	portalID = 90210
	back     = "http://localhost:8976/oauth/callback"
	jobName  = "Company Sync_HS"
)

var moment = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// world is both vendors and one storage, over which processes come and go.
type world struct {
	t      *testing.T
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	table  table.Table
	files  blob.Bucket
	dir    string
	ids    atomic.Int64
	// onWrite, if set, is called before each call that changes Gainsight.
	onWrite func()
}

func newWorld(t *testing.T, companies int) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), source: hubspotsim.New(hubspotsim.Options{AutoApprove: true}), target: gainsightsim.New(gainsightsim.Options{AccessKey: "key"})}
	w.source.AddApp("client", "secret", []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.target.Prepare(portalID)
	for i := range companies {
		w.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)})
	}
	items, err := bolttable.Open(filepath.Join(w.dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	w.table = items
	if w.files, err = dirblob.Open(filepath.Join(w.dir, "files"), dirblob.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	sys := w.process()
	c, err := sys.Connections.Create(t.Context(), "HS", "tester")
	if err != nil {
		t.Fatal(err)
	}
	page, err := sys.Flow.Begin(t.Context(), c.ID, "tester")
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.source.Consent(t.Context(), page)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sys.Flow.Callback(t.Context(), u.Get("code"), u.Get("state"), ""); err != nil {
		t.Fatal(err)
	}
	return w
}

type watched struct {
	next http.RoundTripper
	w    *world
}

func (r watched) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && !strings.Contains(req.URL.Path, "/query/") && r.w.onWrite != nil {
		r.w.onWrite()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return r.next.RoundTrip(req)
}

// process is a new process over the same storage.
func (w *world) process() *inprocess.System {
	w.t.Helper()
	sealer, err := filesealer.Open(filepath.Join(w.dir, "key"))
	if err != nil {
		w.t.Fatal(err)
	}
	sys, err := inprocess.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: "secret", RedirectURL: back, APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: "key"},
	}, connector.Ports{
		Table: w.table, Bucket: w.files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(w.dir, "mail")},
		HubSpotHTTP: &http.Client{Transport: w.source.Transport()}, GainsightHTTP: &http.Client{Transport: watched{w.target.Transport(), w}},
		NewID: func() string { return fmt.Sprintf("01J%023d", w.ids.Add(1)) }, PartSize: 20,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	return sys
}

// die begins a run in a process that dies at its second write to Gainsight, and
// returns the execution's name.
func (w *world) die(in run.Input) (execution string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	writes := 0
	w.onWrite = func() {
		if writes++; writes == 2 {
			cancel()
		}
	}
	_, err := w.process().Run(ctx, in, func(name string) { execution = name })
	w.onWrite = nil
	if err == nil || writes < 2 {
		w.t.Fatalf("the process did not die: %v after %d writes", err, writes)
	}
	return execution
}

// right checks that Gainsight holds what it must.
func (w *world) right() {
	w.t.Helper()
	for _, problem := range truth.Compare(w.portal, w.target, false).Problems {
		w.t.Error(problem)
	}
}

func TestARunIsDoneToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50)
		sys, name := w.process(), ""
		res, err := sys.Run(t.Context(), run.Input{Job: jobName}, func(execution string) { name = execution })
		if err != nil || res.Continued || len(res.Runs) != 1 || res.Runs[0].Status != run.Success || res.Runs[0].Counts.Inserted != 50 || res.Round.Execution != name {
			t.Fatalf("%+v, %v", res, err)
		}
		w.right()
		if again, err := sys.Run(t.Context(), run.Input{Job: jobName}, nil); err != nil || again.Continued || again.Round.Execution == name || again.Runs[0].Counts.Inserted != 0 {
			t.Errorf("the same again: %+v, %v, want another execution", again, err)
		}
	})
}

func TestTheSameCommandGoesOnWhereADeadProcessStood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		dead := w.die(run.Input{Job: jobName})
		read := w.source.Calls()
		res, err := w.process().Run(t.Context(), run.Input{Job: jobName}, nil)
		if err != nil || !res.Continued || res.Round.Execution != dead || res.Runs[0].Status != run.Success {
			t.Fatalf("%+v, %v, want execution %s to go on", res, err, dead)
		}
		if c := res.Runs[0].Counts; c.Extracted != 100 || c.Settled() != 100 {
			t.Errorf("counts %+v", c)
		}
		w.right()
		for class, n := range w.source.Calls() {
			if n != read[class] && class != "oauth" {
				t.Errorf("%s was called %d times more: nothing is read twice", class, n-read[class])
			}
		}
	})
}

func TestAnotherCommandClosesWhatADeadProcessLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		dead := w.die(run.Input{Job: jobName})
		res, err := w.process().Run(t.Context(), run.Input{Job: jobName, Mode: run.ModeFull}, nil)
		if err != nil || res.Continued || res.Round.Execution == dead || res.Runs[0].Status != run.Success {
			t.Fatalf("%+v, %v, want a new execution that gets the lease at once", res, err)
		}
		w.right()
		sys := w.process()
		left, err := sys.Runs.Round(t.Context(), dead, 1)
		if err != nil || left.Status != run.Failed {
			t.Errorf("the round that was left: %+v, %v, want Failed", left, err)
		}
		if open, err := sys.Runs.OpenRounds(t.Context()); err != nil || len(open) != 0 {
			t.Errorf("open rounds %v, %v", open, err)
		}
	})
}

func TestProgressTellsHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		sys, name := w.process(), ""
		if got, err := sys.Progress(t.Context(), "nobody", moment); err != nil || len(got) != 0 {
			t.Errorf("before it is planned: %v, %v", got, err)
		}
		if _, err := sys.Run(t.Context(), run.Input{Job: jobName}, func(execution string) { name = execution }); err != nil {
			t.Fatal(err)
		}
		got, err := sys.Progress(t.Context(), name, moment)
		if err != nil || len(got) != 1 || got[0].Extraction.Count != 100 || !got[0].Extraction.Done || got[0].Settled.Inserted != 100 || !got[0].At.Equal(moment) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestWhatCannotBeStartedSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		sys := w.process()
		res, err := sys.Run(t.Context(), run.Input{Job: "No such job"}, nil)
		said := fault.MessageOf(err)
		if err == nil {
			said = res.Round.Reason
		}
		if !strings.Contains(said, "No such job") {
			t.Errorf("%+v, %v, want the job named", res, err)
		}
		if open, err := sys.Runs.OpenRounds(t.Context()); err != nil || len(open) != 0 {
			t.Errorf("open rounds %v, %v", open, err)
		}
	})
}
