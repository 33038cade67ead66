package console

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hubspotconnector/internal/signin"
)

// request is one request and its answer.
type request struct {
	c    *console
	w    http.ResponseWriter
	r    *http.Request
	who  signin.Person
	zone *time.Location
}

func (q *request) ctx() context.Context     { return q.r.Context() }
func (q *request) id() string               { return q.r.PathValue("id") }
func (q *request) query(name string) string { return strings.TrimSpace(q.r.URL.Query().Get(name)) }

// admin reports whether the person may change things.
func (q *request) admin() bool { return q.who.Role == signin.Admin }

// by names the person in the activity.
func (q *request) by() string { return q.who.ID }

// form returns the fields of the form, or why it cannot be read.
func (q *request) form() (url.Values, error) {
	if err := q.r.ParseForm(); err != nil {
		return nil, errForm(err)
	}
	return q.r.PostForm, nil
}

// fragment reports whether the script asked for the page's main part alone.
func (q *request) fragment() bool { return q.r.Header.Get("X-Fragment") != "" }

// page is what the layout shows.
type page struct {
	Title  string
	Nav    string // the link that is current
	Who    signin.Person
	Admin  bool // whether Who may change things
	Zone   string
	Notice notice
	Path   string // of this page, for the way back
	Static func(name string) string
	Body   any
}

// show answers with a page.
func (q *request) show(name, title string, body any) error {
	return q.showStatus(http.StatusOK, name, title, body)
}

func (q *request) showStatus(status int, name, title string, body any) error {
	p := page{
		Title: title, Nav: navOf(q.r.URL.Path), Who: q.who, Admin: q.admin(), Zone: q.zone.String(), Path: q.r.URL.RequestURI(),
		Static: staticPath, Body: body,
	}
	p.Notice = q.takeNotice()
	root := "layout"
	if q.fragment() {
		root = "main"
		q.w.Header().Set("X-Title", url.PathEscape(title+" · HubSpot Connector"))
	}
	var b bytes.Buffer
	if err := pages()[name].ExecuteTemplate(&b, root, p); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.Header().Set("Vary", "X-Fragment")
	q.w.WriteHeader(status)
	_, _ = b.WriteTo(q.w) // a browser that has gone needs no answer
	return nil
}

// to leads on to another page after a change, where the notice is shown once.
func (q *request) to(path, notice string) error {
	if notice != "" {
		http.SetCookie(q.w, &http.Cookie{Name: noticeCookie, Value: notice, Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // no secret, and http is for this machine
	}
	http.Redirect(q.w, q.r, path, http.StatusSeeOther)
	return nil
}

// signIn leads somebody who has not signed in there, and afterwards back.
func (q *request) signIn() {
	if q.fragment() {
		q.w.WriteHeader(http.StatusUnauthorized) // the script loads the page anew
		return
	}
	back := "/"
	if q.r.Method == http.MethodGet {
		back = q.r.URL.RequestURI()
	}
	http.Redirect(q.w, q.r, "/signin?"+url.Values{"next": {back}}.Encode(), http.StatusSeeOther)
}
