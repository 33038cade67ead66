package apiclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"hubspotconnector/internal/fault"
)

// classified is how much of an error's body Classify sees.
const classified = 64 << 10

// read reads an answer, whatever its status.
func (k *call) read(resp *http.Response, limit time.Duration) error {
	c := k.client
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, classified)) // the status decides; a broken body says less
		if err := c.Classify(resp.StatusCode, resp.Header, body); err != nil {
			return err
		}
		return fmt.Errorf("status %d was classified as no error", resp.StatusCode)
	}
	body := &meteredBody{from: resp.Body, left: or(c.MaxBytes, 64<<20)}
	err := k.into(resp.StatusCode, body)
	switch {
	case body.over:
		return fault.New(fault.Invalid, "%s sent an answer of more than %d bytes, which is too large to read. Ask for fewer fields at a time.", c.Vendor, or(c.MaxBytes, 64<<20))
	case err == nil:
		_, _ = io.CopyN(io.Discard, resp.Body, 4096) // so that the connection is used again
		return nil
	case body.err != nil && !errors.Is(body.err, io.EOF):
		return c.lost(body.err, limit)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	cause := fmt.Errorf("status %d, type %q, broken in the first %d bytes", resp.StatusCode, resp.Header.Get("Content-Type"), body.read)
	return fault.Wrap(cause, fault.Transient, "%s sent an answer that is cut off or not what it should be.", c.Vendor)
}

func (k *call) into(status int, body io.Reader) error {
	if k.request.Into != nil {
		return k.request.Into(status, body)
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// meteredBody reads at most left bytes and remembers how reading ended.
type meteredBody struct {
	from       io.Reader
	left, read int64
	over       bool
	err        error
}

func (b *meteredBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		b.over = true
		return 0, errors.New("answer too large")
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more, to see that there is more
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	b.read += int64(n)
	b.err = err
	if b.left < 0 {
		b.over = true
		return 0, errors.New("answer too large")
	}
	return n, err
}

// unsent reports whether a request certainly never left.
func unsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// lost is the fault of a request without an answer, or with half of one.
func (c *Client) lost(err error, limit time.Duration) error {
	switch {
	case unsent(err):
		host := c.Base
		if base, err := url.Parse(c.Base); err == nil {
			host = base.Host
		}
		return fault.Wrap(safe(err), fault.Transient, "%s cannot be reached at %s. Check the network and the address.", c.Vendor, host)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(context.DeadlineExceeded, fault.Transient, "%s did not answer within %s.", c.Vendor, limit)
	}
	return fault.Wrap(safe(err), fault.Transient, "The connection to %s broke before its answer was complete.", c.Vendor)
}

// safe is the part of a transport error that quotes neither the request nor the
// answer.
func safe(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	for _, plain := range []error{io.ErrUnexpectedEOF, io.EOF, context.Canceled} {
		if errors.Is(err, plain) {
			return plain
		}
	}
	return fmt.Errorf("connection error of type %T", err)
}
