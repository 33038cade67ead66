package gainsight

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// Codes that mean the same whatever the HTTP status (Gainsight's gateway and
// data service, November 2026).
const (
	codeUnauthorized  = "GS_APIG_2401"
	codeAddress       = "GS_APIG_2402" // the caller's IP address is not allowed
	codeRate          = "GS_APIG_2404"
	codeRoute         = "GS_APIG_1000"
	codeUserRate      = "GU_2400"
	codeServer        = "GU_1101"
	codeNoEntity      = "GSOBJ_1011"
	codePath          = "GSOBJ_1023"
	codeAuthHeader    = "GSOBJ_1024"
	codeNoData        = "GSOBJ_1XXX"
	codeUnknownObject = "OBJECT_NOT_FOUND"
)

const (
	keyRefused    = "Gainsight refused the access key. Check the key in the Gainsight settings: an old one stops working when a new one is generated."
	tokenRefused  = "Gainsight refused the M2M OAuth token. Check the client id and the client secret in the Gainsight settings."
	clientRefused = "Gainsight refused the M2M OAuth client. Check the client id and the client secret in the Gainsight settings."
)

// answerError is the answer with which Gainsight refused a call. Only the status
// and the code are printed: the rest may hold record values.
type answerError struct {
	status  int
	code    string // "" if the answer has none
	desc    string
	details []detail
	data    []byte
	// refused says that the call was understood and its rows were refused: some
	// of them may be good.
	refused bool
}

func (e *answerError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("HTTP %d", e.status)
	}
	return fmt.Sprintf("HTTP %d, %s", e.status, e.code)
}

// empty tells the answers to a read that mean that there are no rows.
func (e *answerError) empty() bool {
	return e.refused && (e.code == codeNoEntity || e.code == codeNoData ||
		strings.Contains(strings.ToLower(e.desc), "no data found"))
}

// refusal is the reason against a call with one row.
func (e *answerError) refusal() *record.Refusal {
	r := &record.Refusal{Code: e.code, Message: e.desc}
	if len(e.details) > 0 {
		d := e.details[0]
		r.Field, r.Value = string(d.Field), string(d.Value)
		if d.Code != "" {
			r.Code = string(d.Code)
		}
		if d.Message != "" {
			r.Message = string(d.Message)
		}
	}
	return r
}

// refusedRows returns the answer in err's chain if it refuses rows, else nil.
func refusedRows(err error) *answerError {
	if a, ok := errors.AsType[*answerError](err); ok && a.refused {
		return a
	}
	return nil
}

// classify is the apiclient.Classify of the data APIs or of the user API.
func (c *Client) classify(users bool) func(int, http.Header, []byte) error {
	return func(status int, _ http.Header, body []byte) error {
		e, ok := parse(body)
		switch status {
		case http.StatusUnauthorized, http.StatusTooManyRequests:
			ok = true
		}
		if !ok && status/100 != 3 { // a load balancer's page
			return fault.Wrap(&answerError{status: status}, fault.Transient, "Gainsight did not answer properly (HTTP %d).", status)
		}
		return c.fault(status, e, users)
	}
}

// fault classifies an answer that is no success: by its code, then by its status.
func (c *Client) fault(status int, e envelope, users bool) error {
	a := &answerError{status: status, code: e.code(), desc: e.desc(), details: e.details(), data: e.Data}
	switch a.code {
	case codeUnauthorized, codeAuthHeader:
		return c.unauthorized(a)
	case codeAddress:
		return fault.Wrap(a, fault.Invalid, "Gainsight refused the IP address of this machine. Allow the address in Gainsight, or use M2M OAuth instead of the access key.")
	case codeRate, codeUserRate:
		return c.throttled(a, users)
	case codeServer:
		return fault.Wrap(a, fault.Transient, "Gainsight had an error of its own.")
	case codeRoute, codePath:
		return fault.Wrap(a, fault.Invalid, "Gainsight does not know the path that was called. Check the Gainsight URL in the settings.")
	case codeUnknownObject:
		return fault.Wrap(a, fault.Invalid, "Gainsight does not know the object that was named.")
	}
	if strings.HasPrefix(a.code, "GS_APIG_") {
		return fault.Wrap(a, fault.Invalid, "Gainsight's gateway refused the call (%s).", a)
	}
	switch {
	case status == http.StatusUnauthorized:
		return c.unauthorized(a)
	case status == http.StatusTooManyRequests:
		return c.throttled(a, users)
	case status >= 500, status == http.StatusRequestTimeout:
		return fault.Wrap(a, fault.Transient, "Gainsight had an error of its own (HTTP %d).", status)
	case status/100 == 3:
		return fault.Wrap(a, fault.Invalid, "The Gainsight URL leads to another address. Enter the final address in the settings.")
	case a.code == "" && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed):
		return fault.Wrap(a, fault.Invalid, "Gainsight does not know the path that was called. Check the Gainsight URL in the settings.")
	case a.code == "" && status == http.StatusForbidden:
		return fault.Wrap(a, fault.Invalid, "Gainsight does not allow this call. Check what the access key or the M2M OAuth client may do.")
	}
	a.refused = true
	return fault.Wrap(a, fault.Invalid, "Gainsight refused the request (%s). Check the mapping against the fields in Gainsight.", a)
}

// isRefused reports whether Gainsight refused the access key or the M2M OAuth
// client, not merely a token.
func isRefused(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && (f.Message == keyRefused || f.Message == clientRefused)
}

func (c *Client) unauthorized(a *answerError) error {
	if c.Config.AccessKey != "" {
		return fault.Wrap(a, fault.Invalid, "%s", keyRefused)
	}
	return fault.Wrap(a, fault.Reauthorize, "%s", tokenRefused)
}

// throttled says when the quota begins anew: with the next minute of the wall
// clock, for the user API with the next hour.
func (c *Client) throttled(a *answerError, users bool) error {
	window := time.Minute
	if users {
		window = time.Hour
	}
	at := c.now().Truncate(window).Add(window)
	err := fault.Wrap(a, fault.Throttled, "Gainsight's call quota is spent until %s.", at.UTC().Format("15:04:05 MST"))
	if f, ok := errors.AsType[*fault.Error](err); ok {
		f.ResumeAt = at
	}
	return err
}
