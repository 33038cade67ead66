// Package gainsightsim is a Gainsight organisation in memory, served over HTTP:
// the metadata, query, Company and custom object, People and User APIs, the M2M
// token call and the call quotas. It follows Gainsight's documentation, and
// where that is silent an assumption, which a comment marks [assumed].
//
// Tests change its schema and rows directly (AddField, Insert, Rows…), which
// costs no quota, and read from it what really became of the calls. It shares
// no code with the client that it checks.
package gainsightsim

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Options configure a Sim.
type Options struct {
	Now   func() time.Time                                 // nil = time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer that also ends with ctx
	Seed  uint64                                           // of GSIDs and request ids
	// Latency is how long each call takes before it is looked at.
	Latency time.Duration

	AccessKey    string // "" = no access key is accepted
	ClientID     string // "" = no M2M token is given
	ClientSecret string
	// TokenLife is how long an M2M token is accepted; 0 = 24 hours.
	TokenLife time.Duration

	// ResolutionKeys are the person fields of which any one identifies a person;
	// nil = Email.
	ResolutionKeys []string
	Limits         Limits
	Switches       Switches
}

// Limits are the call quotas. Their windows are aligned to the clock: a window
// of d starts at multiples of d since the epoch. 0 means Gainsight's default
// (its documentation, November 2026).
type Limits struct {
	CallsPerMinute int // 100, all calls but users and tokens
	CallsPerDay    int // 50,000
	UsersPerHour   int // 100, the User Management API
	UsersPerDay    int // 1,000
	Off            bool
}

// Switches choose among behaviours that have all been seen or documented.
type Switches struct {
	BareArray    bool // a query answers "data": [...] instead of "data": {"records": [...]}
	EmptyIsError bool // a query without a match answers result:false
	EpochDates   bool // dates are milliseconds instead of text
	FlatErrors   bool // "errors": [{"errors": [...]}] instead of [[{...}]]
	IPDenied     bool // every call with credentials is refused for its address
	FoldCase     bool // texts are compared without case in queries, keys and lookups

	TokenBody      string // the body that a token call must have: form, json ({}) or empty; "" = any
	BearerRefused  bool   // metadata and data calls take the access key alone
	DescribeByPost bool   // the call that describes one object is not served
	ExactNames     bool   // in paths of rows, company is called Company, and case counts
	MaxRows        int    // of a read, more are cut off without a word; 0 = 5,000
	MaxIn          int    // values of an IN; 0 = any number
	DateTimeForm   string // the form a DATETIME must be written in: offset (+0000), colon (+00:00) or epoch; "" = any
	DateForm       string // the form a DATE must be written in: day or epoch; "" = any
	ItemsForm      string // the form of several items: list or joined; "" = both
	ClearAbsent    bool   // an update clears the fields that a record lacks
	PeopleReplace  bool   // a people call removes the associations that it does not name
	PeopleSilent   bool   // the answer to a people call has no data
}

// Fault is what goes wrong with one call.
type Fault struct {
	// Status, if set, is answered with Body and Header; the call is not served
	// and takes no quota.
	Status int
	Body   string
	Header http.Header
	// Before drops the connection before the call is served.
	Before bool
	// Lost serves the call, changes included, and drops the connection instead of
	// answering.
	Lost bool
	// Truncate, 1 to 7, serves the call, sends that many eighths of the answer's
	// body and drops the connection.
	Truncate int
	// Delay passes after the call was served and before its answer.
	Delay time.Duration
}

// Sim is a simulated Gainsight organisation. It is safe for concurrent use.
type Sim struct {
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	latency time.Duration
	life    time.Duration
	key     string
	client  [2]string // id and secret
	mux     *http.ServeMux

	mu       sync.Mutex // over all below; never held while sleeping or calling fault
	rand     *rand.Rand
	switches Switches
	limits   Limits
	windows  map[string]window    // :: limit → its current window
	tokens   map[string]time.Time // :: access token → its end
	keys     []string             // resolution keys
	objects  map[string]*object
	names    []string // of objects, in the order of their making

	fault     func(*http.Request, int) *Fault
	arrived   int
	calls     map[string]int // :: class → calls that arrived
	writes    int
	throttled int
	written   map[string]int // :: object → rows inserted, changed or deleted by calls
}

// New returns an organisation with the standard objects company, person,
// company_person, gsuser and relationship, without rows.
func New(o Options) *Sim {
	s := &Sim{
		now: o.Now, sleep: o.Sleep, latency: o.Latency, life: o.TokenLife,
		key: o.AccessKey, client: [2]string{o.ClientID, o.ClientSecret},
		rand:     rand.New(rand.NewPCG(o.Seed, 0x6761696e)), //nolint:gosec // reproducible ids, no secrets
		switches: o.Switches, limits: o.Limits, keys: o.ResolutionKeys,
		windows: map[string]window{}, tokens: map[string]time.Time{},
		objects: map[string]*object{}, calls: map[string]int{}, written: map[string]int{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.sleep == nil {
		s.sleep = sleep
	}
	if s.life == 0 {
		s.life = 24 * time.Hour
	}
	if len(s.keys) == 0 {
		s.keys = []string{"Email"}
	}
	s.mux = s.routes()
	s.addStandardObjects()
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// SetFault installs a function that decides what goes wrong with each call; nil
// as function or answer means nothing. Call counts from 1 over all calls that
// arrived. The function may read the request's body and may be called at once
// by several calls.
func (s *Sim) SetFault(fault func(r *http.Request, call int) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// SetLimits replaces the quotas; what was used of the current windows counts on.
func (s *Sim) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// SetSwitches replaces the switches.
func (s *Sim) SetSwitches(w Switches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = w
}

// SetResolutionKeys replaces the person fields that identify a person.
func (s *Sim) SetResolutionKeys(fields ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = fields
}

// Calls returns how many calls arrived by class: describe (metadata), query,
// insert, update, delete, people, users, token, and other for unknown routes.
// Calls that were throttled, refused or met a fault count.
func (s *Sim) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Writes returns how many insert, update, delete, people and changing user calls
// were served, whether their rows were taken or refused.
func (s *Sim) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Throttled returns how many calls were answered 429 for want of quota.
func (s *Sim) Throttled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttled
}

// Written returns how many rows of each object calls have inserted, changed or
// deleted.
func (s *Sim) Written() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.written)
}
