package hubspot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
)

// errMissing is the cause of a 404 that says that no record was found, as
// opposed to an unknown path.
var errMissing = errors.New("no record found")

// errClient is the cause of a refusal of the app's own credentials.
var errClient = errors.New("client credentials refused")

func isMissing(err error) bool { return errors.Is(err, errMissing) }

// envelope is HubSpot's error body. Every field may be missing.
type envelope struct {
	Status        string              `json:"status"`
	Error         string              `json:"error"` // OAuth only
	Message       string              `json:"message"`
	Category      string              `json:"category"`
	PolicyName    string              `json:"policyName"`
	CorrelationID string              `json:"correlationId"`
	Context       map[string][]string `json:"context"`
	Errors        []struct {
		Context map[string][]string `json:"context"`
	} `json:"errors"`
}

func parse(body []byte) envelope {
	var e envelope
	_ = json.Unmarshal(body, &e) // what could be read counts; the body may be HTML
	return e
}

// classify turns an answer other than 2xx into a fault.
func (c *Client) classify(path string, status int, header http.Header, body []byte) error {
	e := parse(body)
	cause := fmt.Errorf("status %d, category %q, correlation id %q", status, plain(e.Category), plain(e.CorrelationID))
	wait := retryAfter(header, c.now())
	switch {
	case status == 401, status == 530: // 530 is what a malformed token gets
		return fault.Wrap(cause, fault.Reauthorize, "HubSpot does not accept the connection's token. Re-authorize the connection.")
	case status == 403:
		return forbidden(e, cause)
	case status == 404 && e.Category == "OBJECT_NOT_FOUND":
		return fault.Wrap(errors.Join(errMissing, cause), fault.NotFound, "HubSpot has no such record.")
	case unknownObject(status, e):
		return fault.Wrap(cause, fault.NotFound, "HubSpot has no such object in this account. Check the object of the job.")
	case status == 404, status == 410:
		return fault.Wrap(cause, fault.Invalid, "HubSpot API version %s is not served; set HUBSPOT_API_VERSION to one that is.", c.version())
	case status == 408, status == 425:
		return fault.Wrap(cause, fault.Transient, "HubSpot did not take the request in time.")
	case status == 414:
		return fault.Wrap(cause, fault.Invalid, "HubSpot refused a request because its address is too long. Map fewer properties.")
	case status == 423:
		busy := fault.Wrap(cause, fault.Transient, "HubSpot has locked the records for a bulk operation.")
		return apiclient.After(busy, max(wait, 2*time.Second))
	case status == 429:
		return c.throttled(path, e, wait)
	case status == 477:
		at := c.now().Add(orElse(wait, 10*time.Minute))
		return fault.Until(at, "HubSpot is moving this account to another data centre until about %s UTC.", at.UTC().Format("2006-01-02 15:04"))
	case status >= 500:
		down := fault.Wrap(cause, fault.Transient, "HubSpot has a problem (status %d). Try again later.", status)
		return apiclient.After(down, wait)
	case status >= 300 && status < 400:
		return fault.Wrap(cause, fault.Invalid, "HubSpot answered with a redirect (status %d). Check HUBSPOT_API_URL.", status)
	}
	return fault.Wrap(cause, fault.Invalid, "HubSpot refused a request as not valid (status %d, correlation id %q).", status, plain(e.CorrelationID))
}

func unknownObject(status int, e envelope) bool {
	return (status == 400 || status == 404) && strings.Contains(strings.ToLower(e.Message), "object type")
}

// forbidden names the scopes that are missing, wherever the body names them.
func forbidden(e envelope, cause error) error {
	scopes := scopesOf(e.Context)
	for _, one := range e.Errors {
		scopes = append(scopes, scopesOf(one.Context)...)
	}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	switch {
	case len(scopes) > 0:
		return fault.Wrap(cause, fault.Invalid, "The connection lacks the HubSpot scopes %s. Re-authorize the connection and grant them.", strings.Join(scopes, ", "))
	case e.Category == "MISSING_SCOPES", strings.Contains(strings.ToLower(e.Message), "scope"):
		return fault.Wrap(cause, fault.Invalid, "The connection lacks a HubSpot scope for this object. Re-authorize the connection and grant it.")
	}
	return fault.Wrap(cause, fault.Invalid, "HubSpot does not let this connection read the object. Check the app's scopes, then re-authorize the connection.")
}

func scopesOf(context map[string][]string) []string {
	var scopes []string
	for name, values := range context {
		if !strings.Contains(strings.ToLower(name), "scope") {
			continue
		}
		for _, v := range values {
			if s := plain(v); s != "" {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes
}

// throttled says until when a 429 lasts: by Retry-After, else by the policy that
// the body names, else by the path (HubSpot usage guidelines, November 2026).
func (c *Client) throttled(path string, e envelope, wait time.Duration) error {
	now := c.now()
	policy := strings.ToUpper(e.PolicyName)
	if policy == "" {
		policy = strings.ToUpper(e.Message)
	}
	if strings.Contains(policy, "DAILY") {
		at := now.Add(wait)
		if wait == 0 {
			// The quota returns at midnight of a time zone that the answer does not
			// name, so one call an hour finds out.
			at = earlier(now.UTC().Truncate(24*time.Hour).Add(24*time.Hour), now.Add(time.Hour))
		}
		return fault.Until(at, "HubSpot's daily quota of calls is spent. Reading goes on when HubSpot grants calls again.")
	}
	limit := 10 * time.Second
	switch {
	case strings.Contains(policy, "TEN_SECONDLY"):
	case strings.Contains(policy, "SECONDLY"), strings.HasSuffix(path, "/search"):
		limit = time.Second
	}
	at := now.Add(orElse(wait, limit))
	return fault.Until(at, "HubSpot's call quota is spent until %s UTC.", at.UTC().Format(time.TimeOnly))
}

// classifyOAuth turns a refusal of an OAuth endpoint into a fault. Only a
// refused refresh token or a portal that is gone ends a connection.
func (c *Client) classifyOAuth(path string, grant string, status int, header http.Header, body []byte) error {
	e := parse(body)
	if status < 400 || status == 404 || status == 410 || status == 429 || status >= 477 {
		return c.classify(path, status, header, body)
	}
	cause := fmt.Errorf("status %d %q, correlation id %q", status, plain(e.Status), plain(e.CorrelationID))
	refresh := grant == "refresh_token"
	switch {
	case e.Status == "BAD_REFRESH_TOKEN", e.Status == "BAD_HUB",
		refresh && e.Status == "" && (e.Error == "invalid_grant" || e.Error == "access_denied"):
		return fault.Wrap(cause, fault.Reauthorize, "HubSpot no longer accepts this connection: it was uninstalled or its permission withdrawn. Re-authorize it.")
	case e.Status == "BAD_CLIENT_ID", e.Status == "BAD_CLIENT_SECRET", e.Error == "invalid_client":
		return fault.Wrap(errors.Join(errClient, cause), fault.Invalid, "HubSpot does not know this app. Check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET.")
	case e.Status == "BAD_AUTH_CODE", e.Status == "BAD_CODE_VERIFIER", e.Error == "invalid_grant":
		return fault.Wrap(cause, fault.Invalid, "The authorization code was used already or has expired, authorize again.")
	case e.Status == "BAD_REDIRECT_URI":
		return fault.Wrap(cause, fault.Invalid, "HubSpot does not accept the redirect address. Set REDIRECT_URL to exactly one of the app's redirect URLs.")
	}
	return fault.Wrap(cause, fault.Invalid, "HubSpot refused the authorization request. Check the app's settings: client id, secret, redirect URL and scopes.")
}

// plain returns s if it is a short word that is safe to show: a scope, a
// category, an id. Anything else becomes "".
func plain(s string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	if len(s) > 100 || strings.ContainsFunc(s, odd) {
		return ""
	}
	return s
}

// retryAfter reads a Retry-After header: seconds or a date; 0 if there is none
// or it makes no sense. It is a day at most.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	var d time.Duration
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
		d = time.Duration(min(seconds, 86400) * float64(time.Second))
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, 24*time.Hour))
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
