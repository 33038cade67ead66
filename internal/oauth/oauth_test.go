package oauth_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/oauth"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// openSealer hides nothing.
type openSealer struct{}

func (openSealer) Seal(_ context.Context, _ map[string]string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (openSealer) Open(_ context.Context, _ map[string]string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

type world struct {
	*oauth.Flow
	id       string // of the connection
	now      time.Time
	calls    []string
	exchange error
	ready    error
	portal   int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), portal: 90210}
	clock := func() time.Time { return w.now }
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	newID := func() string { n++; return fmt.Sprint(n) }
	log := &activity.Store{Table: items, NewID: newID, Now: clock}
	jobs := &job.Store{Table: items, Activity: log, NewID: newID}
	connections := &connection.Store{
		Table: items, Activity: log, Tokens: &token.Store{Table: items, Sealer: openSealer{}}, Jobs: jobs,
		Chains: &chain.Store{Table: items, Activity: log, Jobs: jobs, NewID: newID}, NewID: newID, Now: clock,
	}
	c, err := connections.Create(t.Context(), "HubSpot", "ann")
	if err != nil {
		t.Fatal(err)
	}
	w.id = c.ID
	w.Flow = &oauth.Flow{
		Table: items, Connections: connections, Now: clock,
		AuthorizeURL: func(state string) string { return "https://hub.test/authorize?state=" + state },
		Exchange: func(_ context.Context, code string) (token.Token, error) {
			w.calls = append(w.calls, "exchange "+code)
			return token.Token{Access: "a", Refresh: "r", PortalID: w.portal, Domain: "acme.example", Expires: w.now.Add(time.Hour)}, w.exchange
		},
		Ready: func(_ context.Context, id string) error {
			w.calls = append(w.calls, "ready "+id)
			return w.ready
		},
	}
	return w
}

// begin returns the state that the authorize URL carries.
func (w *world) begin(t *testing.T) string {
	t.Helper()
	page, err := w.Begin(t.Context(), w.id, "bob")
	if err != nil {
		t.Fatal(err)
	}
	_, state, _ := strings.Cut(page, "state=")
	return state
}

func (w *world) status(t *testing.T) connection.Status {
	t.Helper()
	c, err := w.Connections.Get(t.Context(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	return c.Status
}

func TestReturnWithACodeAuthorizes(t *testing.T) {
	w := newWorld(t)
	state := w.begin(t)
	if len(state) < 26 || state == w.begin(t) {
		t.Errorf("the state %q can be guessed", state)
	}
	c, err := w.Callback(t.Context(), "code1", state, "")
	if err != nil || c.Status != connection.Active || c.PortalID != 90210 || w.status(t) != connection.Active {
		t.Fatalf("%+v, %v", c, err)
	}
	if diff := cmp.Diff([]string{"exchange code1", "ready " + w.id}, w.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestStateIsGoodForOneReturnWithinTenMinutes(t *testing.T) {
	tests := []struct {
		name  string
		state func(t *testing.T, w *world) string
		want  string
	}{
		{"none", func(*testing.T, *world) string { return "" }, "Start again"},
		{"unknown", func(*testing.T, *world) string { return "guess" }, "Start again"},
		{"used", func(t *testing.T, w *world) string {
			state := w.begin(t)
			if _, err := w.Callback(t.Context(), "", state, "access_denied"); err == nil {
				t.Error("a denial authorized")
			}
			return state
		}, "Start again"},
		{"too old", func(t *testing.T, w *world) string {
			state := w.begin(t)
			w.now = w.now.Add(10*time.Minute + time.Second)
			return state
		}, "Start again"},
		{"just in time", func(t *testing.T, w *world) string {
			state := w.begin(t)
			w.now = w.now.Add(9*time.Minute + 59*time.Second)
			return state
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Callback(t.Context(), "code", tt.state(t, w), "")
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(w.calls) != 0 || w.status(t) != connection.NotAuthorized {
				t.Errorf("calls %v, status %s", w.calls, w.status(t))
			}
		})
	}
}

func TestReturnWithoutAnAuthorizationLeavesTheConnection(t *testing.T) {
	tests := []struct {
		name, code, errorParam string
		prepare                func(*world)
		kind                   fault.Kind
		want                   string
	}{
		{"declined", "", "access_denied", nil, fault.Invalid, "declined in HubSpot"},
		{"another error, whose text is not shown", "", "<script>", nil, fault.Invalid, "did not complete"},
		{"no code", "", "", nil, fault.Invalid, "did not complete"},
		{"a code that HubSpot refuses", "c", "", func(w *world) {
			w.exchange = fault.New(fault.Invalid, "HubSpot did not accept the code. Start again.")
		}, fault.Invalid, "did not accept the code"},
		{"HubSpot is down", "c", "", func(w *world) { w.exchange = fault.New(fault.Transient, "HubSpot did not answer.") }, fault.Transient, "did not answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			state := w.begin(t)
			if tt.prepare != nil {
				tt.prepare(w)
			}
			_, err := w.Callback(t.Context(), tt.code, state, tt.errorParam)
			if message := fault.MessageOf(err); !fault.Is(err, tt.kind) || !strings.Contains(message, tt.want) || strings.Contains(message, "script") {
				t.Errorf("got %v, want %s: %s", err, tt.kind, tt.want)
			}
			if w.status(t) != connection.NotAuthorized {
				t.Errorf("status %s", w.status(t))
			}
		})
	}
}

func TestAnotherAccountIsRefusedAndNothingIsMadeReady(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Callback(t.Context(), "code", w.begin(t), ""); err != nil {
		t.Fatal(err)
	}
	w.calls, w.portal = nil, 555
	if _, err := w.Callback(t.Context(), "code", w.begin(t), ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"exchange code"}, w.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestConnectionIsAuthorizedEvenIfItsJobsCannotBeMade(t *testing.T) {
	w := newWorld(t)
	w.ready = fault.New(fault.Transient, "Gainsight did not answer.")
	c, err := w.Callback(t.Context(), "code", w.begin(t), "")
	if !fault.Is(err, fault.Transient) || c.Status != connection.Active || w.status(t) != connection.Active {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestUnknownConnectionCannotBegin(t *testing.T) {
	w := newWorld(t)
	if page, err := w.Begin(t.Context(), "nobody", "ann"); !fault.Is(err, fault.NotFound) || page != "" {
		t.Errorf("%q, %v", page, err)
	}
}
