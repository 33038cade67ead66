package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/table/bolttable"
)

const portalID = 90210

// world is the console over a connector between two simulated vendors.
type world struct {
	t      *testing.T
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	sys    *inprocess.System
	admin  *admin.Service
	ids    atomic.Int64
	person signin.Person // who is signed in; no role = nobody
	back   string        // where HubSpot leads back to
	front  http.Handler
	notice string // the cookie that the browser holds
}

func newWorld(t *testing.T) *world { return newWorldAt(t, "http://console.test") }

// newWorldAt returns a world whose console is at an origin, without a connection.
func newWorldAt(t *testing.T, origin string) *world {
	t.Helper()
	w := &world{t: t, person: signin.Person{ID: "ada@example.com", Name: "Ada", Role: signin.Admin}, back: origin + "/oauth/callback"}
	w.source = hubspotsim.New(hubspotsim.Options{AutoApprove: true, Limits: hubspotsim.Limits{Off: true}})
	w.source.AddApp("client", "canary-client", []string{w.back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.target = gainsightsim.New(gainsightsim.Options{AccessKey: "canary-key", Limits: gainsightsim.Limits{Off: true}})
	w.target.Prepare(portalID)
	dir := t.TempDir()
	bolt, err := bolttable.Open(filepath.Join(dir, "table.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bolt.Close() })
	files, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	settings := connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: "canary-client", RedirectURL: w.back,
			APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: "canary-key"}, ConnectionName: "HubSpot",
		Limits: connector.Limits{
			HubSpot: budget.Window{Calls: 1_000_000, Per: time.Second}, HubSpotSearch: budget.Window{Calls: 1_000_000, Per: time.Second},
			Gainsight: budget.Window{Calls: 1_000_000, Per: time.Minute, Fixed: true}, GainsightDay: budget.Window{Calls: 1_000_000_000, Per: 24 * time.Hour, Fixed: true},
			GainsightUsers: budget.Window{Calls: 1_000_000, Per: time.Hour, Fixed: true}, GainsightUsersDay: budget.Window{Calls: 1_000_000, Per: 24 * time.Hour, Fixed: true},
		},
	}
	w.sys, err = inprocess.New(settings, connector.Ports{
		Table: bolt, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		HubSpotHTTP: &http.Client{Transport: w.source.Transport()}, GainsightHTTP: &http.Client{Transport: w.target.Transport()}, NewID: w.newID,
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sys.Close)
	w.admin = &admin.Service{Connector: w.sys.Connector, Machines: w.sys.Machines, NewID: w.newID}
	pages := console.New(console.Options{Admin: w.admin, Log: log})
	w.front = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.person.Role != "" {
			r = r.WithContext(signin.WithPerson(r.Context(), w.person))
		}
		pages.ServeHTTP(rw, r)
	})
	return w
}

// testLog shows the log where a test fails.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (w *world) newID() string { return fmt.Sprintf("01J00000000000000000%06d", w.ids.Add(1)) }

// answer is what a page answered.
type answer struct {
	status   int
	header   http.Header
	location string
	body     string
}

func (w *world) do(method, path string, form url.Values, edit ...func(*http.Request)) answer {
	w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if w.notice != "" {
		r.AddCookie(&http.Cookie{Name: "notice", Value: w.notice})
	}
	for _, e := range edit {
		e(r)
	}
	rec := httptest.NewRecorder()
	w.front.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.Name == "notice" {
			w.notice = c.Value
		}
	}
	return answer{rec.Code, rec.Header(), rec.Header().Get("Location"), rec.Body.String()}
}

func (w *world) get(path string, edit ...func(*http.Request)) answer {
	w.t.Helper()
	return w.do(http.MethodGet, path, nil, edit...)
}

func (w *world) post(path string, form url.Values) answer {
	w.t.Helper()
	return w.do(http.MethodPost, path, form)
}

// want fails the test if a page did not answer with the status and the texts.
func (w *world) want(a answer, status int, texts ...string) answer {
	w.t.Helper()
	if a.status != status {
		w.t.Fatalf("status %d, want %d\n%s", a.status, status, told(a.body))
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			w.t.Errorf("the page does not say %q:\n%s", text, told(a.body))
		}
	}
	return a
}

// told is what a page says, without its frame.
func told(body string) string {
	if _, main, ok := strings.Cut(body, `<main id="main" tabindex="-1">`); ok {
		body, _, _ = strings.Cut(main, "</main>")
	}
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ")), " ")
}

// connect creates a connection and goes through HubSpot's page.
func (w *world) connect() connection.Connection {
	w.t.Helper()
	a := w.want(w.post("/connections", url.Values{"name": {"HubSpot"}}), http.StatusSeeOther)
	w.want(w.get(w.consent(a.location)), http.StatusSeeOther)
	list, err := w.sys.Connections.List(w.t.Context())
	if err != nil || len(list) != 1 {
		w.t.Fatalf("connections %v, %v", list, err)
	}
	return list[0]
}

// consent asks for HubSpot's page and returns where that leads back to.
func (w *world) consent(page string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, page, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.source.Transport().RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		w.t.Fatal(err)
	}
	return back.RequestURI()
}

// job returns the job of that name.
func (w *world) job(name string) job.Job {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(context.WithoutCancel(w.t.Context()), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}
