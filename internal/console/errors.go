package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hubspotconnector/internal/fault"
)

var (
	errNoPage = fault.New(fault.NotFound, "There is no page at this address.")
	errViewer = &statusError{http.StatusForbidden, "Your role is viewer, so you can look at everything and change nothing. Ask an admin to make this change, or to give you the role admin."}
)

// statusError is a failure that has no kind, because only a browser can meet it.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

// errForm tells why a form could not be read.
func errForm(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &statusError{http.StatusRequestEntityTooLarge, "The form is larger than 4 MB, so nothing was saved. Shorten its texts, or split the job."}
	}
	return &statusError{http.StatusBadRequest, "The form could not be read, so nothing was saved. Load the page again, then repeat your change."}
}

// failure is what the error page shows.
type failure struct {
	Status    int
	Heading   string
	Message   string
	Reference string // for the operator; "" = none
	Again     bool   // whether trying again makes sense
	Outside   bool   // nobody is signed in
}

// fail answers with the page of an error.
func (q *request) fail(err error) {
	f := explain(err)
	if f.Status == http.StatusInternalServerError {
		f.Reference = strconv.FormatInt(q.c.now().UnixMilli(), 36)
		q.c.log.ErrorContext(q.ctx(), "page failed", "reference", f.Reference, "method", q.r.Method, "route", q.r.Pattern, "error", err.Error())
	}
	if at := fault.ResumeAt(err); !at.IsZero() {
		wait := max(1, int(at.Sub(q.c.now())/time.Second))
		q.w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	if err := q.showStatus(f.Status, "error", f.Heading, f); err != nil {
		q.c.log.ErrorContext(q.ctx(), "error page failed", "error", err.Error())
		http.Error(q.w, f.Message, f.Status)
	}
}

// Explain writes the page that tells somebody who is not signed in why they
// cannot come in. It is for signin.Config.
func Explain(w http.ResponseWriter, r *http.Request, status int, message string) {
	protect(w, policy(""))
	p := page{Title: "Sign in", Zone: zoneOf(r).String(), Static: staticPath, Body: failure{Heading: "Sign in", Message: message, Outside: true}}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = pages()["error"].ExecuteTemplate(w, "layout", p) // a browser that has gone needs no answer
}

// explain turns an error into what people read.
func explain(err error) failure {
	if e, ok := errors.AsType[*statusError](err); ok {
		f := failure{Status: e.status, Heading: "This form cannot be taken", Message: e.message}
		if e.status == http.StatusForbidden {
			f.Heading = "You may not change this"
		}
		return f
	}
	f := failure{Message: fault.MessageOf(err)}
	switch kind := fault.KindOf(err); kind {
	case fault.NotFound:
		f.Status, f.Heading = http.StatusNotFound, "Not found"
	case fault.Invalid:
		f.Status, f.Heading = http.StatusUnprocessableEntity, "This cannot be done like that"
	case fault.Conflict, fault.Fenced:
		f.Status, f.Heading = http.StatusConflict, "This is not possible now"
	case fault.Reauthorize:
		f.Status, f.Heading = http.StatusConflict, "The connection has to be authorized again"
	case fault.Throttled:
		f.Status, f.Heading, f.Again = http.StatusServiceUnavailable, "A call quota is spent", true
	case fault.Transient:
		f.Status, f.Heading, f.Again = http.StatusServiceUnavailable, "No answer", true
	case fault.Internal:
		f.Status, f.Heading, f.Again = http.StatusInternalServerError, "Something went wrong on our side", true
		f.Message = "The page could not be made. Try again; if it happens again, tell your operator the reference."
	default:
		f.Status, f.Heading = http.StatusInternalServerError, fmt.Sprintf("Something went wrong (%s)", kind)
	}
	return f
}
