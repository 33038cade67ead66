// Package slackhook posts messages to a webhook URL: as JSON with a "text", which
// Slack and those who follow it understand, and signed, so that another receiver
// can tell that it is ours.
//
// The header X-Connector-Signature holds "v1=" and the HMAC-SHA256 in hex, with
// the shared secret as key, of the header X-Connector-Timestamp (seconds since the
// epoch), a dot and the body. A receiver refuses what is older than some minutes.
package slackhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/secret"
)

// timeout is how long a webhook may take to answer.
const timeout = 10 * time.Second

// Hook is one webhook. URL and Secret are required.
type Hook struct {
	URL    secret.Text
	Secret secret.Text
	HTTP   *http.Client     // nil = Go's own; redirects are not followed
	Now    func() time.Time // nil = time.Now
}

// Post sends a message. It is fault.Transient if the webhook does not answer or
// has trouble of its own, else fault.Invalid; neither tells the URL, which is a
// secret. Sending twice arrives twice.
func (h Hook) Post(ctx context.Context, m mail.Message) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"text": m.Subject + "\n\n" + m.Body})
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL.Expose(), bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Invalid, "The webhook's URL cannot be used. Enter it again under Settings.") // the cause tells the URL
	}
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	stamp := strconv.FormatInt(now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Connector-Timestamp", stamp)
	req.Header.Set("X-Connector-Signature", "v1="+sign(h.Secret, stamp, body))
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if h.HTTP != nil {
		client.Transport = h.HTTP.Transport
	}
	resp, err := client.Do(req)
	if err != nil {
		return fault.Wrap(hidden(err), fault.Transient, "The webhook does not answer.")
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 5, resp.StatusCode == http.StatusTooManyRequests:
		return fault.New(fault.Transient, "The webhook answers with status %d.", resp.StatusCode)
	}
	return fault.New(fault.Invalid, "The webhook answers with status %d. Check its URL under Settings.", resp.StatusCode)
}

// hidden is the cause without the URL that net/http puts before it.
func hidden(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

func sign(key secret.Text, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Expose()))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
