// Package site puts the console and the API behind one door. Functions and local
// runs serve it alike.
package site

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/api"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/signin"
)

// Options are what New needs. The first three are required.
type Options struct {
	Admin *admin.Service
	Door  *signin.Door
	Log   *slog.Logger
	// PublicURL is the origin under which people and programs reach the site; "" =
	// that of the request.
	PublicURL string
	Now       func() time.Time // nil = time.Now
	// ForAdmins are further pages, for admins alone. :: path → page
	ForAdmins map[string]http.Handler
	// Open are handlers that know themselves who calls them. :: pattern → handler
	Open map[string]http.Handler
}

// New returns the site.
func New(o Options) http.Handler {
	pages := http.NewServeMux()
	pages.Handle("/", console.New(console.Options{Admin: o.Admin, Log: o.Log, Now: o.Now}))
	// Describing its operations takes longer than all else, so the API is built when
	// it is first called.
	operations := sync.OnceValue(func() http.Handler {
		return api.New(api.Options{Admin: o.Admin, Log: o.Log, PublicURL: o.PublicURL, Now: o.Now})
	})
	pages.HandleFunc(api.Prefix+"/", func(w http.ResponseWriter, r *http.Request) { operations().ServeHTTP(w, r) })
	for _, path := range []string{"/signin", "/signin/", "/signout"} {
		pages.Handle(path, o.Door.Handler())
	}
	for path, page := range o.ForAdmins {
		pages.Handle(path, o.Door.Require(signin.Admin, page))
	}
	all := http.NewServeMux()
	all.Handle("/", o.Door.CrossOriginProtection(o.Door.Identify(pages)))
	for pattern, h := range o.Open {
		all.Handle(pattern, h)
	}
	return all
}
