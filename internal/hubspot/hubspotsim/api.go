package hubspotsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxURL is the length of a request URI above which HubSpot answers 414. It is
// undocumented: about 16,200 characters by experience.
const maxURL = 16_000

// maxBody bounds the body of a call.
const maxBody = 8 << 20

// call is one authenticated call of a portal.
type call struct {
	sim    *Sim
	r      *http.Request
	id     string // correlation id
	now    time.Time
	portal *Portal
	grant  *install
	scopes []string // granted when the call arrived
}

// endpoints are the calls with a bearer token; {v} is the version.
type endpoint struct {
	pattern string
	class   string
	bucket  bucket
	serve   func(c *call) answer
}

func endpoints() []endpoint {
	return []endpoint{
		{"GET /crm/objects/{v}/{type}", "objects", objectsBucket, (*call).list},
		{"GET /crm/objects/{v}/{type}/{id}", "objects", objectsBucket, (*call).single},
		{"GET /crm/objects/{v}/{type}/{id}/associations/{to}", "objects", objectsBucket, (*call).associationsOf},
		{"POST /crm/objects/{v}/{type}/batch/read", "batch", objectsBucket, (*call).batch},
		{"POST /crm/objects/{v}/{type}/search", "search", searchBucket, (*call).search},
		{"GET /crm/properties/{v}/{type}", "properties", objectsBucket, (*call).properties},
		{"POST /crm/associations/{v}/{from}/{to}/batch/read", "associations", associationBucket, (*call).associations},
		{"GET /crm/associations/{v}/{from}/{to}/labels", "associations", associationBucket, (*call).labels},
		{"GET /crm/owners/{v}", "owners", objectsBucket, (*call).owners},
		{"GET /crm/owners/{v}/{owner}", "owners", objectsBucket, (*call).owner},
		{"GET /crm/pipelines/{v}/{type}", "pipelines", objectsBucket, (*call).pipelines},
		{"GET /crm-object-schemas/{v}/schemas", "schemas", objectsBucket, (*call).schemas},
		{"GET /crm-object-schemas/{v}/schemas/{type}", "schemas", objectsBucket, (*call).schema},
		{"GET /account-info/{v}/details", "account", objectsBucket, (*call).account},
		{"DELETE /appinstalls/{v}/external-install", "account", objectsBucket, (*call).uninstall},
	}
}

// routes registers all endpoints.
func (s *Sim) routes() {
	for _, e := range endpoints() {
		s.mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { s.api(r, e).write(w, 0) })
	}
	for _, verb := range []string{"GET", "POST"} {
		s.mux.HandleFunc(verb+" /oauth/authorize", s.authorize)
		s.mux.HandleFunc(verb+" /oauth/{portal}/authorize", s.authorize)
	}
	s.mux.HandleFunc("POST /oauth/{v}/token", s.oauth((*Sim).token))
	s.mux.HandleFunc("POST /oauth/{v}/token/introspect", s.oauth((*Sim).introspect))
	s.mux.HandleFunc("POST /oauth/{v}/token/revoke", s.oauth((*Sim).revoke))
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.noSuchPath().write(w, 0) })
}

// classOf names the class of the calls of a pattern.
func classOf(pattern string) string {
	if strings.Contains(pattern, " /oauth/") {
		return "oauth"
	}
	for _, e := range endpoints() {
		if e.pattern == pattern {
			return e.class
		}
	}
	return "other"
}

// noSuchPath answers paths and versions that do not exist. Its text is assumed.
func (s *Sim) noSuchPath() answer {
	return reply(http.StatusNotFound, object{
		"status": "error", "message": "resource not found", "correlationId": s.correlation(),
	})
}

// api authenticates, limits and serves one call.
func (s *Sim) api(r *http.Request, e endpoint) answer {
	if v := r.PathValue("v"); v != "2026-09" && v != "2026-03" {
		return s.noSuchPath()
	}
	c := &call{sim: s, r: r, id: s.correlation(), now: s.o.Now()}
	if len(r.URL.RequestURI()) > maxURL {
		return answer{
			status: http.StatusRequestURITooLong, header: http.Header{"Content-Type": {"text/html"}},
			body: []byte("<html><head><title>414 Request-URI Too Large</title></head><body><center><h1>414 Request-URI Too Large</h1></center><hr><center>cloudflare</center></body></html>"),
		}
	}
	if refused, ok := c.authenticate(); !ok {
		return refused
	}
	header := http.Header{"X-Hubspot-Correlation-Id": {c.id}}
	var a answer
	if full, ok := c.take(e.bucket, header); !ok {
		a = full
	} else {
		a = e.serve(c)
	}
	for name, values := range header {
		a.header[name] = values
	}
	return a
}

func (c *call) authenticate() (refused answer, ok bool) {
	token, found := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	known := c.sim.access[token]
	switch {
	case !found || known == nil || known.install.gone:
		return c.unauthenticated(), false
	case !c.now.Before(known.expires):
		return c.expired(known.expires), false
	}
	c.portal, c.grant, c.scopes = known.install.portal, known.install, known.install.scopes
	return answer{}, true
}

// take counts the call in its bucket and fills the headers that tell of it:
// none on search (documented), none on associations (assumed).
func (c *call) take(b bucket, header http.Header) (full answer, ok bool) {
	if c.sim.o.Limits.Off {
		return answer{}, true
	}
	limit := c.sim.o.Limits.of(b)
	left, wait := c.portal.take(b, c.now, limit)
	if b == objectsBucket {
		header.Set("X-HubSpot-RateLimit-Max", strconv.Itoa(limit.Calls))
		header.Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(left))
		header.Set("X-HubSpot-RateLimit-Interval-Milliseconds", strconv.FormatInt(limit.Per.Milliseconds(), 10))
	}
	if wait <= 0 {
		return answer{}, true
	}
	c.sim.mu.Lock()
	c.sim.throttled++
	c.sim.mu.Unlock()
	if c.sim.o.RetryAfter {
		header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return raw(http.StatusTooManyRequests, tooMany(limit.policy(), c.id)), false
}

// granted reports whether the token holds one of the scopes.
func (c *call) granted(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(c.scopes, scope) })
}

// objectType finds a type by its plural name, id or qualified name and checks
// that it may be read. The portal's lock is held.
func (c *call) objectType(name string) (*objectType, answer, bool) {
	t := c.portal.served(name)
	if t == nil {
		return nil, c.unknownType(name), false
	}
	if !c.granted(t.scopes...) {
		return nil, c.missingScopes(t.scopes), false
	}
	return t, answer{}, true
}

// decode reads the JSON body of the call.
func (c *call) decode(into any) (body []byte, refused answer, ok bool) {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		var place *json.UnmarshalTypeError
		if errors.As(err, &place) {
			return nil, c.invalid("Invalid input JSON on line 1, column %d: Cannot deserialize value of type `%s`", place.Offset, place.Type), false
		}
		return nil, c.invalid("Invalid input JSON on line 1, column 1: %v", err), false
	}
	return body, answer{}, true
}

// names reads a list parameter: separated by commas, or repeated (assumed).
func (c *call) names(parameter string) []string {
	var out []string
	for _, value := range c.r.URL.Query()[parameter] {
		for _, name := range strings.Split(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}

// limit reads the page size; problem is a refusal or nil.
func (c *call) limit(standard, most int) (limit int, problem *answer) {
	text := c.r.URL.Query().Get("limit")
	if text == "" {
		return standard, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > most {
		refused := c.invalid("Invalid limit %q: it must be a number from 1 to %d.", text, most)
		return 0, &refused
	}
	return limit, nil
}

// here is the URL of the call with other parameters.
func (c *call) here(set map[string]string) string {
	query := c.r.URL.Query()
	for name, value := range set {
		query.Set(name, value)
	}
	return "https://" + c.r.Host + c.r.URL.Path + "?" + query.Encode()
}
