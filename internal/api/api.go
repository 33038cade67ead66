// Package api is the JSON API below /api/v1: the operations of the console, for
// programs. Its OpenAPI document is generated from the types of its operations.
//
// An operation is registered with the role that it needs; everything else about
// a request is checked before it runs: who asks, the size and the form of the
// body, unknown fields and parameters. A failure is a problem document (RFC 9457)
// that lists everything that is wrong.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/signin"
)

// Prefix is where the API lies.
const Prefix = "/api/v1"

// maxBody bounds a body: a job with 200 mappings and every choice takes about 60 KB.
const maxBody = 1 << 20

// Options are what New needs. Admin and Log are required.
type Options struct {
	Admin *admin.Service
	Log   *slog.Logger
	// PublicURL is the origin under which programs reach the API, such as
	// https://sync.example.com; "" = that of the document.
	PublicURL string
	Now       func() time.Time // nil = time.Now
}

// api serves the operations.
type api struct {
	*connector.Connector
	admin *admin.Service
	log   *slog.Logger
	now   func() time.Time
	mux   *http.ServeMux
	doc   *huma.OpenAPI
	page  []byte // the readable page of the document
	json  []byte // the document
}

// New returns the API, which answers everything below Prefix. Who is signed in
// stands in the context of a request (signin.Door.Identify); a request of nobody
// is refused, but for the page for people, which leads to /signin.
func New(o Options) http.Handler {
	a := &api{Connector: o.Admin.Connector, admin: o.Admin, log: o.Log, now: o.Now, mux: http.NewServeMux()}
	if a.now == nil {
		a.now = time.Now
	}
	a.doc = newDocument(o.PublicURL)
	for _, register := range []func(){
		a.connections, a.objects, a.jobs, a.tryouts, a.chains, a.timings, a.starts, a.runs, a.avatars, a.people, a.settings, a.examinations, a.records, a.configuration,
	} {
		register()
	}
	a.finishDocument()
	return a
}

// ServeHTTP answers a request. What panics is answered like any other failure.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer func() {
		if cause := recover(); cause != nil {
			a.log.ErrorContext(r.Context(), "request panicked", "route", r.Pattern, "cause", cause)
			write(w, problem(http.StatusInternalServerError, internalMessage))
		}
	}()
	if _, ok := signin.PersonOf(r.Context()); !ok {
		a.nobody(w, r)
		return
	}
	handler, pattern := a.mux.Handler(r)
	if pattern == "" {
		a.nowhere(w, r, handler)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// nobody answers somebody who is not signed in.
func (a *api) nobody(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == Prefix+"/" {
		http.Redirect(w, r, "/signin?next="+Prefix+"/", http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	write(w, problem(http.StatusUnauthorized, "Nobody is signed in. Send a token of your issuer as Authorization: Bearer, or sign in to the console."))
}

// nowhere answers a request for which there is no operation.
func (a *api) nowhere(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	said := &statusOnly{header: http.Header{}}
	handler.ServeHTTP(said, r)
	if said.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", said.header.Get("Allow"))
		write(w, problem(http.StatusMethodNotAllowed, "This address does not know the method; the header Allow names those that it does."))
		return
	}
	write(w, problem(http.StatusNotFound, "There is no operation at this address. "+Prefix+"/ lists them."))
}

// statusOnly keeps what the mux says of a request that it does not know.
type statusOnly struct {
	header http.Header
	status int
}

// Header returns the headers.
func (s *statusOnly) Header() http.Header { return s.header }

// WriteHeader keeps the status.
func (s *statusOnly) WriteHeader(status int) { s.status = status }

func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }

// operation is what the document says of an operation beside its types.
type operation struct {
	id, method, path string
	tag, summary     string
	description      string
	role             signin.Role // who may; "" = everybody who is signed in
	status           int         // of success; 0 = 200, or 204 without a body
	// vendor is true if it calls a vendor, whose quota may be spent or whose
	// permission may be withdrawn.
	vendor   bool
	conflict bool // it can be refused because of what is stored
	body     int  // the largest body in bytes; 0 = maxBody
	// answer is the media type of a success that is no JSON; "" = JSON.
	answer string
}

// by names who asks, for the activity.
func by(ctx context.Context) string {
	p, _ := signin.PersonOf(ctx)
	return p.ID
}

// joined is two texts, one of which may be empty.
func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}
