package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/api"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/table/bolttable"
)

const (
	portalID = 90210
	back     = "http://localhost:8976/oauth/callback"
	canary   = "canary-of-a-secret"
)

var (
	ada = signin.Person{ID: "ada@example.com", Name: "Ada", Role: signin.Admin}
	vic = signin.Person{ID: "vic@example.com", Name: "Vic", Role: signin.Viewer}
)

// world is the API over a connector between two simulated vendors.
type world struct {
	t      testing.TB
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	table  *bolttable.Table
	sys    *inprocess.System
	admin  *admin.Service
	front  http.Handler
	doc    *openapi3.T
	ids    atomic.Int64
	ahead  atomic.Int64 // how far the clock was moved, in nanoseconds
	writes atomic.Int64 // calls that write to Gainsight
	log    bytes.Buffer

	mu     sync.Mutex
	person signin.Person   // who is signed in; no role = nobody
	hold   chan struct{}   // if set, writes to Gainsight wait for its end
	called map[string]bool // operations that were answered with success
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())).Round(0) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, person: ada, called: map[string]bool{}}
	sleep := func(ctx context.Context, d time.Duration) error { // time passes at once
		w.ahead.Add(int64(d))
		return ctx.Err()
	}
	w.source = hubspotsim.New(hubspotsim.Options{AutoApprove: true, Now: w.now, Sleep: sleep, Limits: hubspotsim.Limits{Off: true}})
	w.source.AddApp("client", canary, []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.target = gainsightsim.New(gainsightsim.Options{AccessKey: canary, Now: w.now, Sleep: sleep, Limits: gainsightsim.Limits{Off: true}})
	w.target.Prepare(portalID)
	dir := t.TempDir()
	bolt, err := bolttable.Open(filepath.Join(dir, "table.db"), bolttable.Options{NoSync: true, Now: w.now})
	check(t, err)
	t.Cleanup(func() { _ = bolt.Close() })
	w.table = bolt
	files, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	check(t, err)
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	check(t, err)
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.sys, err = inprocess.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: canary, RedirectURL: back, APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: canary},
	}, connector.Ports{
		Table: bolt, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		HubSpotHTTP: &http.Client{Transport: w.source.Transport()}, GainsightHTTP: &http.Client{Transport: w}, Now: w.now, Sleep: sleep, NewID: w.newID,
	}, slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(w.sys.Close)
	w.admin = &admin.Service{Connector: w.sys.Connector, Machines: w.sys.Machines, NewID: w.newID, Now: w.now, Sleep: sleep}
	inner := api.New(api.Options{Admin: w.admin, Log: log, Now: w.now})
	w.front = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		p := w.person
		w.mu.Unlock()
		if p.Role != "" {
			r = r.WithContext(signin.WithPerson(r.Context(), p))
		}
		inner.ServeHTTP(rw, r)
	})
	text := w.send("GET", "/openapi.json", nil).body
	w.doc, err = openapi3.NewLoader().LoadFromData([]byte(text))
	check(t, err)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) newID() string { return fmt.Sprintf("01J00000000000000000%06d", w.ids.Add(1)) }

// RoundTrip is the way to Gainsight.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	writes := r.Method == http.MethodPut || r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "query")
	if writes {
		w.writes.Add(1)
	}
	if hold != nil && writes {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return w.target.Transport().RoundTrip(r)
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

// as changes who is signed in.
func (w *world) as(p signin.Person) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.person = p
}

// answer is what the API answered.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// header sets a header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// ifMatch sends what was read.
func ifMatch(a answer) func(*http.Request) { return header("If-Match", a.header.Get("ETag")) }

// send sends a request. The body is text, or becomes JSON.
func (w *world) send(method, path string, body any, edit ...func(*http.Request)) answer {
	w.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		text, err = json.Marshal(b)
		check(w.t, err)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, api.Prefix+path, bytes.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edit {
		e(r)
	}
	rec := httptest.NewRecorder()
	w.front.ServeHTTP(rec, r)
	a := answer{w.t, rec.Code, rec.Header(), rec.Body.String()}
	if w.doc != nil {
		w.validate(r, a)
	}
	return a
}

// validate fails the test if an answer is not one that the document names.
func (w *world) validate(r *http.Request, a answer) {
	w.t.Helper()
	route := w.route(r)
	if route == nil {
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: r, Route: route}
	err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		w.t.Errorf("%s %s: status %d is not as the document says: %v\n%s", r.Method, r.URL, a.status, err, a.body)
	}
	if a.status < 300 {
		w.mu.Lock()
		w.called[route.Operation.OperationID] = true
		w.mu.Unlock()
	}
}

var variable = regexp.MustCompile(`\{[^}]+\}`)

// route returns the operation that a request asks for, nil if there is none. Paths
// without variables win.
func (w *world) route(r *http.Request) *routers.Route {
	var found *routers.Route
	for path, item := range w.doc.Paths.Map() {
		pattern := "^" + api.Prefix + variable.ReplaceAllString(path, "[^/]+") + "$"
		op := item.GetOperation(r.Method)
		if op == nil || !regexp.MustCompile(pattern).MatchString(r.URL.EscapedPath()) {
			continue
		}
		if found == nil || strings.Count(path, "{") < strings.Count(found.Path, "{") {
			found = &routers.Route{Spec: w.doc, Path: path, PathItem: item, Method: r.Method, Operation: op}
		}
	}
	return found
}

// want fails the test if the status is another.
func (a answer) want(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d\n%s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.t.Errorf("the answer does not say %q:\n%s", text, a.body)
		}
	}
	return a
}

// into reads the answer.
func into[T any](a answer) (v T) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// connect makes a connection and authorizes it.
func (w *world) connect() api.Connection {
	w.t.Helper()
	c := into[api.Connection](w.send("POST", "/connections", map[string]any{"name": "HubSpot"}).want(201))
	address := into[api.Address](w.send("POST", "/connections/"+c.ID+"/authorize", nil).want(200))
	u, err := w.source.Consent(w.t.Context(), address.URL)
	check(w.t, err)
	_, err = w.sys.Flow.Callback(w.t.Context(), u.Get("code"), u.Get("state"), "")
	check(w.t, err)
	c = into[api.Connection](w.send("GET", "/connections/"+c.ID, nil).want(200))
	if c.Status != connection.Active {
		w.t.Fatalf("the connection is %s", c.Status)
	}
	return c
}

// companies creates companies, the first of which has a name that is too long.
func (w *world) companies(n int) {
	w.portal.Create("companies", map[string]string{"name": strings.Repeat("long ", 200)})
	for i := range n - 1 {
		w.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)})
	}
	w.ahead.Add(int64(time.Minute))
}

// job returns the stored job of that name, as the API gives it.
func (w *world) job(name string) (api.Job, answer) {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), name)
	check(w.t, err)
	a := w.send("GET", "/jobs/"+j.ID, nil).want(200)
	return into[api.Job](a), a
}

// inputOf is what a job is changed with.
func inputOf(j api.Job) api.JobInput {
	return api.JobInput{Name: j.Name, Connection: j.Connection, Mapping: j.Mapping, Options: j.Options}
}

// ended waits for the end of an execution and returns its runs.
func (w *world) ended(a answer) api.Turns {
	w.t.Helper()
	name := into[api.Started](a.want(202)).Execution
	if want := api.Prefix + "/executions/" + name; a.header.Get("Location") != want {
		w.t.Errorf("Location %q, want %q", a.header.Get("Location"), want)
	}
	_, err := w.sys.Machines.Wait(w.t.Context(), name)
	check(w.t, err)
	return into[api.Turns](w.send("GET", "/executions/"+name, nil).want(200))
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
