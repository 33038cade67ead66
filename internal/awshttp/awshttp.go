// Package awshttp sends the calls of AWS's SDK.
package awshttp

import (
	"io"
	"net/http"
)

// Transport sends a request whose body is closed as soon as the answer begins,
// as the SDK does (smithy-go 1.28). Go's transport may then still be looking for
// the end of the body, and the SDK's io.WriterTo reports it as an error: the
// connection is given up, and with it an answer that was on its way. Read as a
// plain io.Reader, a closed body just ends.
type Transport struct {
	Base http.RoundTripper // nil = http.DefaultTransport
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	if _, ok := r.Body.(io.WriterTo); ok {
		r = r.Clone(r.Context())
		r.Body = body{r.Body}
	}
	return base.RoundTrip(r)
}

// body hides what else a body can do.
type body struct{ io.ReadCloser }
