// Package console is the web console: how admins meet the connector. Pages are
// Go templates and work without script; the script adds live progress, editing
// without reloads and previews.
//
// A page is read with GET and changed with POST, which answers with a redirect
// and a notice. Whoever may change nothing sees no control that changes, and is
// refused if they send the request all the same.
package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/signin"
)

// maxBody bounds a form: 200 mappings with every choice take about 150 KB.
const maxBody = 4 << 20

// Options are what New needs. Admin and Log are required.
type Options struct {
	Admin *admin.Service
	Log   *slog.Logger
	Now   func() time.Time // nil = time.Now
}

// console serves the pages.
type console struct {
	*connector.Connector
	admin *admin.Service
	log   *slog.Logger
	now   func() time.Time
	mux   *http.ServeMux
	csp   string
}

// New returns the console. Who is signed in stands in the context of a request
// (signin.Door.Identify); somebody who is not is led to /signin. It panics if a
// template cannot be parsed, which is a bug that every test meets.
func New(o Options) http.Handler {
	c := &console{Connector: o.Admin.Connector, admin: o.Admin, log: o.Log, now: o.Now, mux: http.NewServeMux()}
	if c.now == nil {
		c.now = time.Now
	}
	c.csp = policy(c.HubSpot.Config.AppURL)
	c.routes()
	return c
}

// policy is the Content-Security-Policy. Authorizing is a form that leads to
// HubSpot's page, so that origin may follow a form.
func policy(app string) string {
	origin := "https://app.hubspot.com"
	if u, err := url.Parse(cmp.Or(app, origin)); err == nil && u.Host != "" {
		origin = u.Scheme + "://" + u.Host
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self' " + origin + "; frame-ancestors 'none'; base-uri 'none'"
}

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w, c.csp)
	c.mux.ServeHTTP(w, r)
}

// protect sets what keeps a page from being used against its reader.
func protect(w http.ResponseWriter, csp string) {
	h := w.Header()
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// handler answers one request of somebody who is signed in. An error becomes the
// page of its kind.
type handler func(q *request) error

// routes are all pages of the console.
func (c *console) routes() {
	c.mux.HandleFunc("GET /static/{name}", serveStatic)
	c.look("GET /{$}", func(q *request) error { return q.to("/connections", "") })
	c.connectionRoutes()
	c.jobRoutes()
	c.activityRoutes()
	c.editorRoutes()
	c.chainRoutes()
	c.recordRoutes()
	c.settingRoutes()
	c.personRoutes()
	c.avatarRoutes()
	c.look("/", func(*request) error { return errNoPage })
}

// look registers what everybody who is signed in may do.
func (c *console) look(pattern string, h handler) { c.handle(pattern, h, false) }

// change registers what only admins may do.
func (c *console) change(pattern string, h handler) { c.handle(pattern, h, true) }

func (c *console) handle(pattern string, h handler, admin bool) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		q := &request{c: c, w: w, r: r, zone: zoneOf(r)}
		w.Header().Set("Cache-Control", "no-store")
		var ok bool
		if q.who, ok = signin.PersonOf(r.Context()); !ok {
			q.signIn()
			return
		}
		if admin && !q.admin() {
			q.fail(errViewer)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := h(q); err != nil {
			q.fail(err)
		}
	})
}
