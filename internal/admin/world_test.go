package admin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table/bolttable"
)

const (
	portalID   = 90210
	back       = "http://localhost:8976/oauth/callback"
	companyJob = "Company Sync_HS"
	peopleJob  = "Company Person Sync_HS"
	chainName  = "HUBSPOT_Company Person Sync"
)

// world is both vendors and a connector over which processes come and go.
type world struct {
	t      testing.TB
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	table  *bolttable.Table
	dir    string
	ids    atomic.Int64
	ahead  atomic.Int64 // how far the clock was moved, in nanoseconds
	conn   connection.Connection

	mu    sync.Mutex
	hold  chan struct{} // if set, writes to Gainsight wait for its end
	posts []string      // what a webhook got
	let   int           // how many writes do not wait

	*admin.Service
	sys *inprocess.System
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())).Round(0) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	sleep := func(ctx context.Context, d time.Duration) error { // time passes at once
		w.ahead.Add(int64(d))
		return ctx.Err()
	}
	w.source = hubspotsim.New(hubspotsim.Options{AutoApprove: true, Now: w.now, Sleep: sleep, Limits: hubspotsim.Limits{Off: true}})
	w.source.AddApp("client", "secret", []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.target = gainsightsim.New(gainsightsim.Options{AccessKey: "key", Now: w.now, Sleep: sleep, Limits: gainsightsim.Limits{Off: true}})
	w.target.Prepare(portalID)
	items, err := bolttable.Open(filepath.Join(w.dir, "t.db"), bolttable.Options{NoSync: true, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	w.table = items
	w.process(sleep)
	t.Cleanup(func() { w.sys.Close() })
	if w.conn, err = w.sys.Connections.Create(t.Context(), "HS", "ann"); err != nil {
		t.Fatal(err)
	}
	w.authorize()
	return w
}

// RoundTrip is the way to Gainsight.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hold := w.hold
	if writes := req.Method == http.MethodPut || req.Method == http.MethodPost && !strings.Contains(req.URL.Path, "query"); !writes {
		hold = nil
	} else if w.let > 0 {
		w.let--
		hold = nil
	}
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return w.target.Transport().RoundTrip(req)
}

// stall makes writes to Gainsight wait until the returned function is called.
func (w *world) stall() (goOn func()) {
	hold := make(chan struct{})
	w.mu.Lock()
	w.hold = hold
	w.mu.Unlock()
	return sync.OnceFunc(func() {
		w.mu.Lock()
		w.hold = nil
		w.mu.Unlock()
		close(hold)
	})
}

// process starts a process over what is stored.
func (w *world) process(sleep func(context.Context, time.Duration) error) {
	w.t.Helper()
	sealer, err := filesealer.Open(filepath.Join(w.dir, "key"))
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := dirblob.Open(filepath.Join(w.dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	newID := func() string { return fmt.Sprintf("id-%08d", w.ids.Add(1)) }
	wide := connector.Limits{}
	w.sys, err = inprocess.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: "secret", RedirectURL: back, APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: "key"}, Limits: wide,
	}, connector.Ports{
		Table: w.table, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(w.dir, "mail")},
		HubSpotHTTP: &http.Client{Transport: w.source.Transport()}, GainsightHTTP: &http.Client{Transport: w}, WebhookHTTP: &http.Client{Transport: hooked{w}},
		Now: w.now, Sleep: sleep, NewID: newID,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service = &admin.Service{Connector: w.sys.Connector, Machines: w.sys.Machines, NewID: newID, Now: w.now, Sleep: sleep}
}

func (w *world) authorize() {
	w.t.Helper()
	page, err := w.sys.Flow.Begin(w.t.Context(), w.conn.ID, "ann")
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := w.source.Consent(w.t.Context(), page)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.conn, err = w.sys.Flow.Callback(w.t.Context(), u.Get("code"), u.Get("state"), ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) companies(n int) (ids []string) {
	for i := range n {
		ids = append(ids, w.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)}))
	}
	w.later(time.Minute)
	return ids
}

// later moves the clock.
func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

// wait waits for the end of an execution and returns its last round.
func (w *world) wait(execution string) run.Round {
	w.t.Helper()
	if _, err := w.sys.Machines.Wait(w.t.Context(), execution); err != nil {
		w.t.Fatal(err)
	}
	r, err := w.sys.Runs.Round(w.t.Context(), execution, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// run starts a run and waits for its end.
func (w *world) run(start admin.Start) run.Run {
	w.t.Helper()
	name, err := w.StartRun(w.t.Context(), "ann", start, "")
	if err != nil {
		w.t.Fatal(err)
	}
	round := w.wait(name)
	r, err := w.sys.Runs.Get(w.t.Context(), round.Jobs[0])
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// until polls a condition.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func ownerOf(i int) hubspotsim.Owner {
	return hubspotsim.Owner{Email: fmt.Sprintf("owner%d@customer.example", i), FirstName: "Owen", LastName: fmt.Sprint("Number ", i)}
}

func gainsightField(name, label string) gainsightsim.Field {
	return gainsightsim.Field{Name: name, Label: label, DataType: "STRING", Length: 100}
}

// hooked is the way to a webhook.
type hooked struct{ w *world }

func (h hooked) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.posts = append(h.w.posts, req.URL.Host+" "+string(body))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, err
}

// mails are the messages that were sent.
func (w *world) mails() string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "mail", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	all := ""
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		all += string(text) + "\n"
	}
	return all
}
