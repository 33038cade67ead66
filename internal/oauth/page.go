package oauth

import (
	"html"
	"io"
	"net/http"

	"hubspotconnector/internal/fault"
)

// ServeHTTP is the page that HubSpot leads back to.
func (f *Flow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	text := "Connected. You can close this page."
	if _, err := f.Callback(r.Context(), q.Get("code"), q.Get("state"), q.Get("error")); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		text = fault.MessageOf(err)
	}
	_, _ = io.WriteString(w, "<!doctype html><title>HubSpot</title><p>"+html.EscapeString(text)) // a browser that has gone needs no answer
}
