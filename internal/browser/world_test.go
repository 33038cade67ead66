package browser_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/site"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

const portalID = 90210

// world is a console that is served on this machine between two simulated
// vendors, as local serve does it.
type world struct {
	t      testing.TB
	origin string // of the console
	link   string // the way in, once
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	table  *counter
	sys    *inprocess.System
	admin  *admin.Service

	slow atomic.Int64 // how long the console takes to answer a form, in nanoseconds

	mu   sync.Mutex
	hold chan struct{} // if set, writes to Gainsight wait for its end
}

// newWorld returns a world with some data in HubSpot and no connection.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	front, sources := listen(t), listen(t)
	w.origin = "http://" + front.Addr().String()
	hubspotOrigin, back := "http://"+sources.Addr().String(), w.origin+"/oauth/callback"
	w.source = hubspotsim.New(hubspotsim.Options{Seed: 1, Limits: hubspotsim.Limits{Off: true}, AssociationTouches: true})
	w.source.AddApp("client", "canary-client", []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.source.AddPortal(portalID+1, "another-customer.example")
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 5, Companies: 12, Contacts: 15})
	w.target = gainsightsim.New(gainsightsim.Options{Seed: 1, AccessKey: "canary-key", Limits: gainsightsim.Limits{Off: true}})
	w.target.Prepare(portalID)
	serve(t, sources, w.source)
	w.open(hubspotOrigin, back)
	log := slog.New(slog.NewTextHandler(logOf{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	key := secret.Text(rand.Text() + rand.Text())
	door, link := signin.NewLink(signin.Config{
		PublicURL: w.origin, Explain: console.Explain, SessionKey: func(context.Context) (secret.Text, error) { return key, nil },
	})
	w.link = link
	pages := site.New(site.Options{Admin: w.admin, Door: door, Log: log, PublicURL: w.origin})
	serve(t, front, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			time.Sleep(time.Duration(w.slow.Load()))
		}
		pages.ServeHTTP(rw, r)
	}))
	return w
}

// open builds the connector over a new folder.
func (w *world) open(hubspotOrigin, back string) {
	w.t.Helper()
	dir := w.t.TempDir()
	bolt, err := bolttable.Open(filepath.Join(dir, "table.db"), bolttable.Options{NoSync: true})
	w.check(err)
	w.t.Cleanup(func() { _ = bolt.Close() })
	w.table = &counter{Table: bolt}
	files, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	w.check(err)
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	w.check(err)
	wide := func(per time.Duration) budget.Window { return budget.Window{Calls: 1_000_000, Per: per, Fixed: true} }
	settings := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: "canary-client", RedirectURL: back, APIURL: hubspotOrigin, AppURL: hubspotOrigin, Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsightcloud.example", AccessKey: "canary-key"}, ConnectionName: "HubSpot", PublicURL: w.origin,
		Limits: connector.Limits{
			HubSpot: budget.Window{Calls: 1_000_000, Per: time.Second}, HubSpotSearch: budget.Window{Calls: 1_000_000, Per: time.Second},
			Gainsight: wide(time.Minute), GainsightDay: wide(24 * time.Hour), GainsightUsers: wide(time.Hour), GainsightUsersDay: wide(24 * time.Hour),
		},
	}
	newID := func() string { return ulid.Make().String() }
	w.sys, err = inprocess.New(settings, connector.Ports{
		Table: w.table, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		GainsightHTTP: &http.Client{Transport: w}, NewID: newID,
	}, slog.New(slog.DiscardHandler))
	w.check(err)
	w.t.Cleanup(w.sys.Close)
	w.admin = &admin.Service{Connector: w.sys.Connector, Machines: w.sys.Machines, NewID: newID}
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t testing.TB, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends by Close
	t.Cleanup(func() { _ = server.Close() })
}

// logOf shows the log where a test fails.
type logOf struct{ testing.TB }

func (l logOf) Write(p []byte) (int, error) {
	l.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// RoundTrip is the way to Gainsight.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold != nil && (req.Method == http.MethodPut || req.Method == http.MethodPost && !strings.Contains(req.URL.Path, "query")) {
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
	goOn = sync.OnceFunc(func() {
		w.mu.Lock()
		w.hold = nil
		w.mu.Unlock()
		close(hold)
	})
	w.t.Cleanup(goOn)
	return goOn
}

// connect authorizes a connection without a browser, for tests of what comes
// after it.
func (w *world) connect() {
	w.t.Helper()
	c, err := w.sys.Connections.Create(w.t.Context(), "HubSpot", signin.Operator.ID)
	w.check(err)
	page, err := w.sys.Flow.Begin(w.t.Context(), c.ID, signin.Operator.ID)
	w.check(err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, page, strings.NewReader(fmt.Sprint("decision=approve&account=", portalID)))
	w.check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	w.check(err)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	leads, err := resp.Location()
	w.check(err)
	_, err = w.sys.Flow.Callback(w.t.Context(), leads.Query().Get("code"), leads.Query().Get("state"), "")
	w.check(err)
}

// deals adds deals of a company to HubSpot, and an object for them to Gainsight.
func (w *world) deals() {
	var companies []string
	w.portal.Each("companies", func(r hubspotsim.Record) {
		if name, _ := r.Value("name"); name != "" && !r.Archived {
			companies = append(companies, r.ID)
		}
	})
	for i, stage := range []string{"appointmentscheduled", "closedwon", "closedlost", "closedwon"} {
		deal := w.portal.Create("deals", map[string]string{"dealname": fmt.Sprintf("Deal %d", i+1), "amount": fmt.Sprint(100 * (i + 1)), "dealstage": stage})
		w.portal.Associate("deals", deal, "companies", companies[i], hubspotsim.Primary)
	}
	w.target.AddObject("hubspot_deal__gc", "HubSpot Deal")
	for _, f := range []gainsightsim.Field{
		{Name: "Deal_ID__gc", Label: "Deal ID", DataType: "STRING", Nillable: true},
		{Name: "Amount__gc", Label: "Amount", DataType: "NUMBER", Nillable: true},
		{Name: "State__gc", Label: "State", DataType: "STRING", Nillable: true},
		{Name: "Company__gc", Label: "Company", DataType: "LOOKUP", LookupObject: "company", Nillable: true},
	} {
		w.target.AddField("hubspot_deal__gc", f)
	}
}

// run runs a job or chain to its end, without a browser.
func (w *world) run(in run.Input) []run.Run {
	w.t.Helper()
	res, err := w.sys.Run(w.t.Context(), in, nil)
	w.check(err)
	return res.Runs
}

// job returns the job of that name.
func (w *world) job(name string) job.Job {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), name)
	w.check(err)
	return j
}

// counter counts what is read of a table.
type counter struct {
	table.Table
	mu           sync.Mutex
	calls, items int
}

func (c *counter) add(items int) {
	c.mu.Lock()
	c.calls++
	c.items += items
	c.mu.Unlock()
}

// take returns how many calls read how many items since the last take.
func (c *counter) take() (calls, items int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls, items, c.calls, c.items = c.calls, c.items, 0, 0
	return calls, items
}

func (c *counter) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.add(1)
	return c.Table.Get(ctx, key)
}

func (c *counter) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.add(len(keys))
	return c.Table.GetMany(ctx, keys)
}

func (c *counter) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	p, err := c.Table.Query(ctx, partition, r, limit, cursor, descending)
	c.add(len(p.Items))
	return p, err
}
