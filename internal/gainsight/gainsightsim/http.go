package gainsightsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one call being served.
type call struct {
	*http.Request
	body []byte
	id   string // of the request
}

// answer is what a call is answered: a status and a JSON body.
type answer struct {
	status int
	body   []byte
	// committed is how many rows of object the call has changed.
	object    string
	committed int
}

// route serves the calls of one kind.
type route struct {
	sim   *Sim
	class string // in Calls
	quota quota
	write bool
	// serve runs with sim.mu held.
	serve func(*Sim, *call) answer
}

func (s *Sim) routes() *http.ServeMux {
	mux := http.NewServeMux()
	add := func(pattern, class string, q quota, write bool, serve func(*Sim, *call) answer) {
		mux.Handle(pattern, &route{s, class, q, write, serve})
	}
	add("POST /v1/users/m2m/oauth/token", "token", open, false, (*Sim).token)
	add("GET /v1/meta/services/objects/list", "describe", sync100, false, (*Sim).list)
	add("POST /v1/meta/services/objects", "describe", sync100, false, (*Sim).list)
	add("POST /v1/meta/services/objects/{$}", "describe", sync100, false, (*Sim).list)
	add("GET /v1/meta/services/objects/{object}/describe", "describe", sync100, false, (*Sim).describeOne)
	add("POST /v1/meta/services/objects/describe", "describe", sync100, false, (*Sim).describeMany)
	add("POST /v1/data/objects/query/{object}", "query", sync100, false, (*Sim).query)
	add("GET /v1/data/objects/{object}/{gsid}", "query", sync100, false, (*Sim).get)
	add("POST /v1/data/objects/{object}", "insert", sync100, true, (*Sim).insertRows)
	add("PUT /v1/data/objects/{object}", "update", sync100, true, (*Sim).updateRows)
	add("DELETE /v1/data/objects/{object}/{gsid}", "delete", sync100, true, (*Sim).deleteRow)
	add("PUT /v1/peoplemgmt/v1.0/people", "people", sync100, true, (*Sim).putPerson)
	add("PUT /v1.0/api/people", "people", sync100, true, (*Sim).putPerson)
	add("POST /v1/users/services", "users", userCalls, true, (*Sim).createUsers)
	add("PUT /v1/users/services", "users", userCalls, true, (*Sim).updateUsers)
	add("PUT /v1/users/services/status", "users", userCalls, true, (*Sim).setUserStatus)
	add("POST /v1/users/services/list", "users", userCalls, false, (*Sim).listUsers)
	add("/", "other", open, false, nil)
	return mux
}

// ServeHTTP serves a call to the organisation.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// ServeHTTP lets a call through its fault, its credentials and its quota, in
// this order, and serves it.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s := rt.sim
	s.mu.Lock()
	s.arrived++
	s.calls[rt.class]++
	number, fault := s.arrived, s.fault
	c := &call{Request: r, body: body, id: s.uuid()}
	s.mu.Unlock()

	if s.latency > 0 && s.sleep(r.Context(), s.latency) != nil {
		panic(http.ErrAbortHandler) // the call never arrived
	}
	f := &Fault{}
	if fault != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		if made := fault(r, number); made != nil {
			f = made
		}
	}
	if f.Before {
		panic(http.ErrAbortHandler)
	}
	var a answer
	if f.Status == 0 {
		a = rt.admit(c)
	}
	if f.Delay > 0 && s.sleep(r.Context(), f.Delay) != nil || f.Lost {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		faulty(w, f)
		return
	}
	c.send(w, a, f.Truncate)
}

// admit serves the call if its credentials and its quota allow it.
func (rt *route) admit(c *call) answer {
	s := rt.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if rt.serve == nil {
		return c.gateway(http.StatusNotFound, "GS_APIG_1000", "Not Found")
	}
	if rt.class != "token" {
		if !s.known(c) {
			return c.gateway(http.StatusUnauthorized, "GS_APIG_2401", "Unauthorized")
		}
		if s.switches.IPDenied { // the status is [assumed]
			return c.gateway(http.StatusForbidden, "GS_APIG_2402", "IP Address does not lie in range of whitelisted ips")
		}
	}
	if s.switches.BearerRefused && rt.class != "token" && rt.quota == sync100 && c.Header.Get("accesskey") == "" {
		return c.fail(http.StatusBadRequest, "GSOBJ_1024", "Invalid authorization headers", nil)
	}
	if !s.take(rt.quota) {
		s.throttled++ // the status and the text are [assumed]; there is no Retry-After [assumed]
		return c.gateway(http.StatusTooManyRequests, "GS_APIG_2404", "API rate limit exceeded")
	}
	if rt.write {
		s.writes++
	}
	a := rt.serve(s, c)
	if a.committed > 0 {
		s.written[a.object] += a.committed
	}
	return a
}

// known reports whether the call has an access key or a token that is accepted.
func (s *Sim) known(c *call) bool {
	if key := c.Header.Get("accesskey"); key != "" {
		return key == s.key
	}
	access, ok := strings.CutPrefix(c.Header.Get("Authorization"), "Bearer ")
	end, given := s.tokens[access]
	return ok && given && s.now().Before(end)
}

func faulty(w http.ResponseWriter, f *Fault) {
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body) // a client that went away
}

func (c *call) send(w http.ResponseWriter, a answer, eighths int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.Header().Set("X-Gs-Request-Id", c.id)
	w.Header().Set("X-Request-Id", c.id)
	w.WriteHeader(a.status)
	if eighths == 0 {
		_, _ = w.Write(a.body) // a client that went away
		return
	}
	_, _ = w.Write(a.body[:len(a.body)*eighths/8])
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}

// uuid returns a version 4 UUID.
func (s *Sim) uuid() string {
	a, b := s.rand.Uint64(), s.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 8<<12|b>>48&0xfff, b&0xffffffffffff)
}

// Envelopes. Keys that a kind of answer lacks are left out of its struct.

type envelope struct {
	Result    bool    `json:"result"`
	ErrorCode *string `json:"errorCode"`
	ErrorDesc *string `json:"errorDesc"`
	RequestID string  `json:"requestId"`
	Data      any     `json:"data"`
	Message   *string `json:"message"`
}

func reply(status int, body any) answer {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // only values from JSON are put in
	}
	return answer{status: status, body: b}
}

func (c *call) ok(data any) answer {
	return reply(http.StatusOK, envelope{Result: true, RequestID: c.id, Data: data})
}

// fail answers a call that the data service refuses.
func (c *call) fail(status int, code, desc string, data any) answer {
	return reply(status, envelope{ErrorCode: &code, ErrorDesc: &desc, RequestID: c.id, Data: data})
}

// refuse answers a call that is refused as a whole.
func (c *call) refuse(r *refusal) answer {
	return c.fail(http.StatusBadRequest, r.code, r.desc(), nil)
}

// gateway answers a call that does not reach a service: there is no data.
func (c *call) gateway(status int, code, desc string) answer {
	return reply(status, struct {
		Result    bool   `json:"result"`
		ErrorCode string `json:"errorCode"`
		ErrorDesc string `json:"errorDesc"`
		RequestID string `json:"requestId"`
		Message   string `json:"message"`
	}{ErrorCode: code, ErrorDesc: desc, RequestID: c.id, Message: desc})
}

// malformed is the refusal of a call with a wrong shape; the code is [assumed].
func malformed(format string, args ...any) *refusal {
	return &refusal{code: "GSOBJ_1008", message: fmt.Sprintf(format, args...)}
}

// read decodes the call's body.
func (c *call) read(into any) *refusal {
	if err := json.Unmarshal(c.body, into); err != nil {
		return malformed("Invalid request body")
	}
	return nil
}

// object returns the object that the call's path names, in any case unless a
// switch says otherwise.
func (s *Sim) object(c *call) (*object, *refusal) {
	name := c.PathValue("object")
	o := s.objects[strings.ToLower(name)]
	if s.switches.ExactNames && o != nil {
		want := o.name
		if want == "company" {
			want = "Company"
		}
		if name != want {
			o = nil
		}
	}
	if o != nil {
		return o, nil
	}
	return nil, &refusal{code: "GSOBJ_1023", message: "Requested object not found."} // the code is [assumed]
}

// quota is the class of limits that a call counts against.
type quota int

const (
	open      quota = iota // token calls take no quota [assumed]
	sync100                // synchronous calls
	userCalls              // the User Management API, which takes nothing else [assumed]
)

// window is the use of a limit in one window of the clock.
type window struct {
	number int64 // windows since the epoch
	calls  int
}

// take takes one call from a quota. A call that is refused takes nothing
// [assumed].
func (s *Sim) take(q quota) bool {
	l := s.limits
	if l.Off || q == open {
		return true
	}
	limits := []struct {
		name string
		max  int
		per  time.Duration
	}{{"minute", or(l.CallsPerMinute, 100), time.Minute}, {"day", or(l.CallsPerDay, 50000), 24 * time.Hour}}
	if q == userCalls {
		limits[0].name, limits[0].max, limits[0].per = "users hour", or(l.UsersPerHour, 100), time.Hour
		limits[1].name, limits[1].max = "users day", or(l.UsersPerDay, 1000)
	}
	now := s.now().UnixNano()
	used := make([]window, len(limits))
	for i, limit := range limits {
		used[i] = s.windows[limit.name]
		if number := now / int64(limit.per); used[i].number != number {
			used[i] = window{number: number}
		}
		if used[i].calls >= limit.max {
			return false
		}
		used[i].calls++
	}
	for i, limit := range limits {
		s.windows[limit.name] = used[i]
	}
	return true
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
