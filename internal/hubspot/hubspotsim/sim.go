// Package hubspotsim simulates the part of HubSpot that a reading integration
// meets: OAuth with its consent page, the CRM read endpoints of the versions
// 2026-09 and 2026-03 with their limits and error bodies, a lagging search
// index, and webhooks. It follows HubSpot's documentation and shares no code
// with a client of it. Where the documentation is silent, a comment says
// "assumed".
//
// A Sim is an http.Handler; Transport serves it without sockets. Portals hold
// the data: the methods of Portal edit it, Each and Owners tell the truth.
package hubspotsim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options are the knobs of a Sim. The zero value is HubSpot as documented,
// with an index that never lags and an answer that takes no time.
type Options struct {
	Now   func() time.Time                                 // nil = time.Now; also the time of edits
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer
	Seed  uint64                                           // of ids, tokens, disorder and demo data

	// Latency is how long every answer takes after the call was served.
	Latency time.Duration
	// IndexLag is asked once per edit: so long does search show the record as
	// it was before. nil = no lag. See Lag.
	IndexLag func(recordID string) time.Duration
	// TokenLife is how long an access token lives; 0 = 1800 s.
	TokenLife time.Duration
	Limits    Limits

	AutoApprove bool // the authorize page redirects at once
	Deny        bool // …and the user refused
	// RotateRefresh makes each refresh end the refresh token it used.
	RotateRefresh bool
	RetryAfter    bool // 429 answers carry Retry-After, in seconds
	EmptyText     bool // a cleared value reads "" instead of null
	StringIDs     bool // toObjectId of an association is a string
	// AfterExclusive makes a list's cursor the id of the last record shown instead
	// of the next one.
	AfterExclusive bool
	// SilentLinks leaves records without associations out of a batch without
	// naming them, in a plain 200.
	SilentLinks bool
	WholeBody   bool // search counts its 3,000 characters over the whole body
	// Disorder shuffles every n-th page of search and puts a record into it
	// that lies outside of what was asked for. 0 = never.
	Disorder int
	// AssociationTouches makes a changed primary company move the modified
	// time of the contact. Which of the two HubSpot does is undocumented.
	AssociationTouches bool
}

// Sim is a simulated HubSpot. It is safe for concurrent use.
type Sim struct {
	o   Options
	mux *http.ServeMux

	mu        sync.Mutex // never held while a Portal's lock is taken
	random    *rand.Rand
	apps      map[string]*app
	portals   []*Portal
	codes     map[string]code
	access    map[string]*access
	refresh   map[string]*install
	calls     map[string]int // :: class → calls that arrived
	total     int
	throttled int
	log       []string // the last calls, oldest first
	fault     func(r *http.Request, call int) *Fault
	senders   []*sender
	eventID   int64
}

// logSize bounds the log of calls.
const logSize = 10_000

// New returns a Sim without apps and portals.
func New(o Options) *Sim {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.TokenLife == 0 {
		o.TokenLife = 1800 * time.Second
	}
	o.Limits = o.Limits.orReal()
	s := &Sim{
		o: o, mux: http.NewServeMux(), random: chance(o.Seed, 0x5eed),
		apps: map[string]*app{}, codes: map[string]code{}, access: map[string]*access{},
		refresh: map[string]*install{}, calls: map[string]int{},
	}
	s.routes()
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// AddApp registers an OAuth app. Without scopes the app may ask for any; with
// scopes an install page that asks for others shows an error.
func (s *Sim) AddApp(clientID, secret string, redirectURIs []string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[clientID] = &app{
		id: clientID, secret: secret, redirects: redirectURIs, scopes: scopes,
		number: int64(1_234_567 + len(s.apps)),
	}
}

// AddPortal adds an account with HubSpot's standard objects and no records.
// The domain is the customer's website, hub_domain of an introspected token.
func (s *Sim) AddPortal(id int64, domain string) *Portal {
	p := newPortal(s, id, domain)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.portals = append(s.portals, p)
	return p
}

// Calls returns how many calls arrived, by class: oauth, objects (list, single
// record and its associations), batch, search, properties, associations
// (batch and labels), owners, account, schemas, pipelines, other. Refused and
// faulted calls count too.
func (s *Sim) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Throttled returns how many calls were answered with 429 by the limits.
func (s *Sim) Throttled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttled
}

// Requests returns the last 10,000 calls, oldest first, as "METHOD path?query"
// cut after 500 bytes.
func (s *Sim) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// Lag returns an index lag between low and high, different for every edit and
// the same in every run with this seed. HubSpot's is a few seconds, at times
// minutes: Lag(1, 2*time.Second, 5*time.Second).
func Lag(seed uint64, low, high time.Duration) func(recordID string) time.Duration {
	var mu sync.Mutex
	random := chance(seed, 0x1a9)
	return func(string) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return low + time.Duration(random.Int64N(int64(high-low)+1))
	}
}

// ServeHTTP answers as HubSpot would, unless a fault says otherwise.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := s.arrive(r)
	if fault.Before {
		_ = s.wait(r.Context(), fault.Delay)
		panic(http.ErrAbortHandler)
	}
	a := fault.answer()
	if fault.Status == 0 {
		served := &recorder{answer: answer{header: http.Header{}, status: http.StatusOK}}
		s.mux.ServeHTTP(served, r)
		a = served.answer
	}
	if s.wait(r.Context(), s.o.Latency+fault.Delay) != nil || fault.After {
		panic(http.ErrAbortHandler)
	}
	a.write(w, fault.Truncate)
}

// arrive counts the call and asks for its fault.
func (s *Sim) arrive(r *http.Request) *Fault {
	_, pattern := s.mux.Handler(r)
	line := r.Method + " " + r.URL.RequestURI()
	s.mu.Lock()
	s.total++
	s.calls[classOf(pattern)]++
	if len(s.log) >= logSize+logSize/4 {
		s.log = append([]string(nil), s.log[len(s.log)-logSize+1:]...)
	}
	s.log = append(s.log, strings.Clone(line[:min(len(line), 500)]))
	decide, call := s.fault, s.total
	s.mu.Unlock()
	if decide != nil {
		if fault := decide(r, call); fault != nil {
			return fault
		}
	}
	return &Fault{}
}

func (s *Sim) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	return s.o.Sleep(ctx, d)
}

// uuid returns the next random id. s.mu is held.
func (s *Sim) uuid() string {
	a, b := s.random.Uint64(), s.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48, b&0xffff_ffff_ffff)
}

func (s *Sim) correlation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uuid()
}

// chance is a source of numbers that are the same in every run.
func chance(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // nothing here is a secret
}
