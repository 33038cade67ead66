package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hubspotconnector/internal/config"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
)

const (
	problemType     = "application/problem+json"
	internalMessage = "Something went wrong on our side. Try again; if it happens again, tell your operator the time and the address."
)

// Problem is an answer that is no success, as RFC 9457 has it.
type Problem struct { //nolint:errname // its name in the document
	Type   string `json:"type" doc:"Always about:blank."`
	Title  string `json:"title" doc:"The status in words."`
	Status int    `json:"status"`
	Detail string `json:"detail" doc:"What happened and how to correct it, in one or two sentences."`
	// Kind is the fault.Kind of the failure.
	Kind   string   `json:"kind,omitempty" doc:"What to do about it: Invalid, NotFound, Conflict, Reauthorize, Throttled, Transient or Internal."`
	Errors []Detail `json:"errors,omitempty" nullable:"false" doc:"Everything that is wrong, each with where it stands."`
	// Version is that of what is stored.
	Version   *int64 `json:"version,omitempty" doc:"The version that is stored now, for the next If-Match."`
	Reference string `json:"reference,omitempty" doc:"Names the failure in the log of the deployment."`

	retry time.Duration
}

// Detail is one thing that is wrong.
type Detail struct {
	Path    string `json:"path,omitempty" doc:"Where it stands, such as body.mapping.direct[2].to, query.limit or header.If-Match."`
	Line    int    `json:"line,omitempty" doc:"Line of a file, from 1."`
	Message string `json:"message"`
}

// problem returns one of a status.
func problem(status int, detail string, errs ...Detail) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: errs}
}

func (p *Problem) Error() string { return p.Detail }

// write answers with a problem. Its headers tell when to try again, and which
// version is stored.
func write(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int((p.retry+time.Second-1)/time.Second))))
	}
	if p.Version != nil {
		h.Set("ETag", tag(*p.Version))
	}
	h.Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	encode(w, p)
}

// statuses are those of the kinds of failures.
var statuses = map[fault.Kind]int{ //nolint:gochecknoglobals // a constant
	fault.Invalid: http.StatusUnprocessableEntity, fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.Fenced: http.StatusConflict,
	fault.Reauthorize: http.StatusFailedDependency, fault.Throttled: http.StatusTooManyRequests, fault.Transient: http.StatusServiceUnavailable,
}

// transientRetry is when trying again makes sense after a Transient failure.
const transientRetry = 5 * time.Second

// failure turns an error into what programs read. The cause of one that is ours
// is logged and not told.
func (a *api) failure(ctx context.Context, operation string, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if ctx.Err() != nil { // nobody reads the answer
		return problem(http.StatusServiceUnavailable, "The request was ended before it was answered.")
	}
	kind := fault.KindOf(err)
	status, known := statuses[kind]
	if !known {
		p := problem(http.StatusInternalServerError, internalMessage)
		p.Kind, p.Reference = string(fault.Internal), strconv.FormatInt(a.now().UnixMilli(), 36)
		a.log.ErrorContext(ctx, "operation failed", "reference", p.Reference, "operation", operation, "error", err.Error())
		return p
	}
	p := problem(status, fault.MessageOf(err), details(err)...)
	p.Kind = string(kind)
	switch kind { //nolint:exhaustive // the others do not pass by themselves
	case fault.Transient:
		p.retry = transientRetry
	case fault.Throttled:
		p.retry = time.Minute
		if at := fault.ResumeAt(err); !at.IsZero() {
			p.retry = max(time.Second, at.Sub(a.now()))
		}
	}
	return p
}

// details are the single problems of a job's mapping or of a file.
func details(err error) []Detail {
	var all []Detail
	if list, ok := errors.AsType[mapping.Problems](err); ok {
		for _, p := range list {
			all = append(all, Detail{Path: jobPath(p.Path), Message: p.Message})
		}
	}
	if list, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range list {
			all = append(all, Detail{Path: p.Path, Line: p.Line, Message: p.Message})
		}
	}
	return all
}

// jobPath leads to a problem of a job's mapping in the body that holds the job.
func jobPath(path string) string {
	switch {
	case path == "":
		return "body"
	case path == "options" || strings.HasPrefix(path, "options."):
		return "body." + path
	}
	return "body.mapping." + path
}

// invalid is a body that is wrong in the ways that are listed.
func invalid(errs ...Detail) *Problem {
	message := errs[0].Message
	if len(errs) > 1 {
		message = strconv.Itoa(len(errs)) + " things are wrong, so nothing was stored: see errors."
	}
	p := problem(http.StatusUnprocessableEntity, message, errs...)
	p.Kind = string(fault.Invalid)
	return p
}

// inBody makes an error about what a body names one about the body: what it names
// and does not exist is no address that does not exist.
func inBody(err error, path string) error {
	if !fault.Is(err, fault.NotFound) && (!fault.Is(err, fault.Invalid) || len(details(err)) > 0) {
		return err
	}
	return invalid(Detail{Path: path, Message: fault.MessageOf(err)})
}

// refuse is a request that is wrong in the ways that the library found. The value
// that is refused is left out: it may be a secret.
func refuse(status int, errs []error) *Problem {
	p := problem(status, sentences[status])
	if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
		p.Kind = string(fault.Invalid)
	}
	for _, err := range errs {
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			p.Errors = append(p.Errors, Detail{Path: d.Location, Message: refusal(d.Message)})
		}
	}
	return p
}

// sentences say what the library refuses by status.
var sentences = map[int]string{ //nolint:gochecknoglobals // a constant
	http.StatusBadRequest:            "The body is not what the operation takes: see errors.",
	http.StatusRequestTimeout:        "The body did not arrive in time. Send it again.",
	http.StatusRequestEntityTooLarge: "The body is larger than the operation takes, so nothing was read. Shorten its texts.",
	http.StatusUnsupportedMediaType:  "The body is of a type that is not understood: send application/json.",
	http.StatusUnprocessableEntity:   "The request is not what the operation takes, so nothing was done: see errors.",
}

// refusal is what the library says of one place, without the value that it found
// there.
func refusal(message string) string {
	switch {
	case strings.HasPrefix(message, "expected") || strings.HasPrefix(message, "unexpected") || strings.HasPrefix(message, "required"):
		return message
	case strings.HasPrefix(message, "unknown query parameter"):
		return "unknown query parameter: the operation does not have it"
	case strings.Contains(message, "body"):
		return "The operation needs a body."
	}
	return "This cannot be read: check its form."
}
