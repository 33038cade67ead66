package signin

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
)

// isPage reports whether a person's browser asks for a page, not a program for
// data.
func isPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

//nolint:gochecknoglobals // a constant
var plain = template.Must(template.New("plain").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title><main><h1>Sign in</h1><p>{{.Message}}</p>{{if .Again}}<p><a href="/signin">Sign in</a></p>{{end}}</main></html>
`))

// refuse says why the request is not served: a page to people, problem+json
// (RFC 9457) to programs.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	w.Header().Set("Cache-Control", "no-store")
	if !isPage(r) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{ // a caller that is gone needs no answer
			"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": message,
		})
		return
	}
	if d.Explain != nil {
		d.Explain(w, r, status, message)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = plain.Execute(w, struct { // likewise
		Message string
		Again   bool
	}{message, d.link == nil})
}

// inside returns a path of ours to go on to; anything else is the first page.
func inside(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 1000 {
		return "/"
	}
	return next
}
