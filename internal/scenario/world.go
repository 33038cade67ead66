// Package scenario tests the whole system by readable files: both vendors
// simulated, the real state machines and handlers, virtual time.
package scenario

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/budget"
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
)

const (
	portalID     = 90210
	clientID     = "c0ffee00-client"
	clientSecret = "canary-client-secret"
	accessKey    = "canary-access-key"
	redirectURL  = "http://localhost:8976/oauth/callback"
)

// world is both vendors, and a connector between them that can die.
type world struct {
	t      testing.TB
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	bolt   table.Table
	files  blob.Bucket
	dir    string
	gate   *gate
	sys    *inprocess.System

	partSize, indexFrom          int // of plan and upsert; 0 = as they come
	limits                       connector.Limits
	hubspotFault, gainsightFault spoiled
	journal                      journal
	names                        map[string]string // :: name in the scenario → record id
	lines                        []string          // what runs said
	errors                       []string          // error files, newest last
	calls                        map[string]int    // counters at the last reset
	connection                   string
	loss                         Loss
	at                           int
	ids                          atomic.Int64
	config                       map[string][]byte // :: file of config/ → text
	hooks                        hooks
	edits                        int             // that were made by the steps edit
	window                       time.Duration   // of webhooks; 0 = as it comes
	noted                        map[run.ID]bool // runs that have a line
}

// newWorld returns a world whose connection is authorized.
func newWorld(t testing.TB, o hubspotsim.Options, partSize int) *world {
	t.Helper()
	w := unauthorizedWorld(t, o, partSize)
	w.authorize()
	w.calls = w.counters()
	return w
}

// unauthorizedWorld returns a world without a connection.
func unauthorizedWorld(t testing.TB, o hubspotsim.Options, partSize int) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), names: map[string]string{}, partSize: partSize, noted: map[run.ID]bool{}}
	o.AutoApprove = true
	if o.Limits.Off {
		w.limits.HubSpot = budget.Window{Calls: 1_000_000, Per: time.Second}
	}
	w.source = hubspotsim.New(o)
	w.source.AddApp(clientID, clientSecret, []string{redirectURL})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
		w.journal.add("hubspot", r)
		return hubspotKind(w.hubspotFault.next(r))
	})
	w.target = gainsightsim.New(gainsightsim.Options{AccessKey: accessKey})
	w.target.Prepare(portalID)
	w.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		w.journal.add("gainsight", r)
		return gainsightKind(w.gainsightFault.next(r))
	})
	bolt, err := bolttable.Open(filepath.Join(w.dir, "table.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bolt.Close() })
	if w.files, err = dirblob.Open(filepath.Join(w.dir, "files"), dirblob.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	w.bolt = &watched{Table: bolt, t: t}
	w.start()
	return w
}

// start begins a new process over the same storage.
func (w *world) start() {
	w.t.Helper()
	w.gate = &gate{die: func() {}}
	sealer, err := filesealer.Open(filepath.Join(w.dir, "key"))
	if err != nil {
		w.t.Fatal(err)
	}
	settings := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL,
			APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight:      gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: accessKey},
		ConnectionName: "HS",
		Limits:         w.limits,
		Webhook:        connector.Webhook{URL: webhookURL, AppID: 1_234_567, Window: w.window},
	}
	w.sys, err = inprocess.New(settings, connector.Ports{
		Table: gatedTable{w.bolt, w.gate}, Bucket: gatedBucket{w.files, w.gate}, Sealer: sealer,
		Sender:        dirmail.Folder{Dir: filepath.Join(w.dir, "mail")},
		HubSpotHTTP:   &http.Client{Transport: gatedTransport{next: w.source.Transport(), gate: w.gate}},
		GainsightHTTP: &http.Client{Transport: gatedTransport{next: w.target.Transport(), gate: w.gate, write: true}},
		NewID:         w.newID, PartSize: w.partSize,
	}, slog.New(slog.NewTextHandler(logWriter{w.t}, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.sys.Upsert.IndexFrom = w.indexFrom
}

// newID returns ULIDs that sort by their making.
func (w *world) newID() string {
	return fmt.Sprintf("01J00000000000000000%06d", w.ids.Add(1))
}

// logWriter shows the connector's log where a test fails.
type logWriter struct{ t testing.TB }

func (l logWriter) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// authorize creates the connection and goes through HubSpot's consent page.
func (w *world) authorize() {
	w.t.Helper()
	c, err := w.sys.Connections.Create(w.t.Context(), "HS", "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	w.connection = c.ID
	if err := w.consent(""); err != nil {
		w.t.Fatal(err)
	}
}

// consent goes through HubSpot's consent page; portal "" = the first.
func (w *world) consent(portal string) error {
	ctx := w.t.Context()
	page, err := w.sys.Flow.Begin(ctx, w.connection, "tester")
	if err != nil {
		return err
	}
	if portal != "" {
		page = strings.Replace(page, "/oauth/authorize", "/oauth/"+portal+"/authorize", 1)
	}
	q, err := w.source.Consent(ctx, page)
	if err != nil {
		return err
	}
	_, err = w.sys.Flow.Callback(ctx, q.Get("code"), q.Get("state"), q.Get("error"))
	return err
}

// run starts an execution, waits for its end and notes what came of it. If the
// process dies in it, a new one goes on.
func (w *world) run(in run.Input) inprocess.Result {
	w.t.Helper()
	for try := 0; ; try++ {
		ctx, cancel := context.WithCancel(w.t.Context())
		w.gate.mu.Lock()
		w.gate.die, w.gate.at, w.gate.loss, w.gate.writes = cancel, w.at, w.loss, 0
		w.gate.mu.Unlock()
		w.at = 0
		res, err := w.sys.Run(ctx, in, nil)
		cancel()
		if w.gate.read() != nil && try < 5 {
			w.start()
			continue
		}
		if err != nil {
			w.lines = append(w.lines, fault.MessageOf(err))
			return res
		}
		for _, r := range res.Runs {
			w.note(r)
		}
		return res
	}
}

// note adds a run's line, with its reason, and its error file.
func (w *world) note(r run.Run) {
	w.t.Helper()
	w.noted[r.ID] = true
	c := r.Counts
	line := fmt.Sprintf("%s: %s; %d read, %d filtered, %d inserted, %d updated, %d unchanged, %d rejected",
		r.JobName, r.Status, c.Extracted, c.Filtered, c.Inserted, c.Updated, c.Unchanged, c.Rejected)
	if r.Reason != "" {
		line += "; " + r.Reason
	}
	w.lines = append(w.lines, line)
	if r.ErrorFile == "" {
		return
	}
	f, err := w.files.Open(w.t.Context(), r.ErrorFile)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		w.t.Fatal(err)
	}
	w.errors = append(w.errors, string(text))
}

// advance lets time pass.
func (w *world) advance(d time.Duration) { time.Sleep(d) }

// counters are the calls that both vendors got, by name.
func (w *world) counters() map[string]int {
	all := map[string]int{"hubspot.throttled": w.source.Throttled(), "gainsight.throttled": w.target.Throttled()}
	for class, n := range w.source.Calls() {
		all["hubspot."+class] = n
	}
	for class, n := range w.target.Calls() {
		all["gainsight."+class] = n
	}
	return all
}

// since are the calls since the last reset, those that happened alone.
func (w *world) since() map[string]int {
	now := w.counters()
	maps.DeleteFunc(now, func(name string, n int) bool { return n == w.calls[name] })
	for name := range now {
		now[name] -= w.calls[name]
	}
	return now
}

// id is the record that a scenario names, or the word itself.
func (w *world) id(s step, n int) string {
	word := w.word(s, n)
	if id, ok := w.names[word]; ok {
		return id
	}
	return word
}

// gsid returns the GSID of the first row that a "Field=value" names.
func (w *world) gsid(object, name string) string {
	w.t.Helper()
	field, value, _ := strings.Cut(name, ":")
	for row := range w.target.Rows(object) {
		if fmt.Sprint(row[field]) == value {
			return fmt.Sprint(row["Gsid"])
		}
	}
	w.t.Fatalf("%s has no row with %s %q", object, field, value)
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
