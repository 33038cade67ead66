package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// maxAge is how far the time of a request may be from now (HubSpot's guide on
// validating requests, November 2026).
const maxAge = 5 * time.Minute

// The headers of a signed request. X-HubSpot-Signature alone, which is version 1
// or 2, does not tell when a request was made and could be sent again by anybody.
const (
	headerSignature = "X-HubSpot-Signature-v3"
	headerTime      = "X-HubSpot-Request-Timestamp"
)

// fresh reports whether the time of a request, in ms since the epoch, is near now.
func fresh(timestamp string, now time.Time) bool {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.UnixMilli(ms))
	return age <= maxAge && age >= -maxAge
}

// signed reports whether the signature is that of the request. HubSpot signs the
// address with some escapes decoded, its own clients check it as it stands:
// either form is accepted.
func signed(secret, method, uri string, body []byte, timestamp, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	ok := false
	for _, form := range []string{uri, decoded(uri)} {
		mac := hmac.New(sha256.New, []byte(secret))
		for _, part := range [][]byte{[]byte(method), []byte(form), body, []byte(timestamp)} {
			mac.Write(part) // never fails
		}
		ok = hmac.Equal(mac.Sum(nil), given) || ok
	}
	return ok
}

// decoded decodes the escapes that HubSpot decodes before it signs (its guide on
// validating requests, November 2026).
func decoded(uri string) string {
	return strings.NewReplacer(
		"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'",
		"%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
	).Replace(uri)
}
