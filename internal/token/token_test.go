package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

const canary = "canary-token-77aa"

// sealer seals by turning bits over, and checks what the seal is about.
type sealer struct{ t *testing.T }

func (s sealer) Seal(_ context.Context, about map[string]string, plain []byte) ([]byte, error) {
	if want := map[string]string{"connection": "c1", "field": "token"}; !maps.Equal(about, want) {
		s.t.Errorf("sealed about %v, want %v", about, want)
	}
	return flip(plain), nil
}

func (s sealer) Open(_ context.Context, about map[string]string, sealed []byte) ([]byte, error) {
	if about["connection"] != "c1" || about["field"] != "token" {
		s.t.Errorf("opened about %v", about)
	}
	return flip(sealed), nil
}

func flip(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0xff
	}
	return out
}

// world is a store and the vendor that refreshes.
type world struct {
	t     *testing.T
	store *token.Store
	table table.Table

	mu        sync.Mutex
	refreshes []secret.Text // the refresh token of each call
	lost      []string
	// answer decides what the vendor does with the n-th refresh; nil = succeeds.
	answer func(n int) error
	slow   time.Duration // what a refresh takes; 0 = a second
}

func open(t *testing.T) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return on(t, items)
}

// on is a world on a table.
func on(t *testing.T, items table.Table) *world {
	return &world{t: t, table: items, store: &token.Store{Table: items, Sealer: sealer{t}}}
}

// broker is one process.
func (w *world) broker() *token.Broker {
	return &token.Broker{
		Store: w.store, Leases: &lease.Store{Table: w.table}, Refresh: w.refresh,
		Lost: func(_ context.Context, connection string) error {
			w.lost = append(w.lost, connection)
			return nil
		},
	}
}

func (w *world) refresh(ctx context.Context, old token.Token) (token.Token, error) {
	w.mu.Lock()
	w.refreshes = append(w.refreshes, old.Refresh)
	n := len(w.refreshes)
	w.mu.Unlock()
	select {
	case <-ctx.Done():
		return token.Token{}, fault.Wrap(ctx.Err(), fault.Transient, "Stopped.")
	case <-time.After(max(w.slow, time.Second)):
	}
	if w.answer != nil {
		if err := w.answer(n); err != nil {
			return token.Token{}, err
		}
	}
	return token.Token{Access: access(n), Issued: time.Now(), Expires: time.Now().Add(30 * time.Minute)}, nil
}

func access(n int) secret.Text { return secret.Text(fmt.Sprintf("%s-access-%d", canary, n)) }

// put stores token 0 with a life left.
func (w *world) put(left time.Duration) token.Token {
	w.t.Helper()
	t := token.Token{
		Access: access(0), Refresh: canary + "-refresh", Issued: time.Now().Add(left - 30*time.Minute).UTC(), Expires: time.Now().Add(left).UTC(),
		PortalID: 90210, Domain: "customer.example", Scopes: []string{"oauth"},
	}
	if err := w.store.Put(w.t.Context(), "c1", t); err != nil {
		w.t.Fatal(err)
	}
	return t
}

func TestATokenIsStoredSealed(t *testing.T) {
	w := open(t)
	want := w.put(time.Hour)
	want.Version = 1
	got, err := w.store.Get(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	item, err := w.table.Get(t.Context(), table.Key{Partition: "CONN#c1", Sort: "token"})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(item.Doc, []byte(canary)) {
		t.Error("the table holds the token in the clear")
	}
	if printed := fmt.Sprintf("%v %+v %#v", got, got, got); bytes.Contains([]byte(printed), []byte(canary)) {
		t.Errorf("printing a token shows it: %s", printed)
	}
	if err := w.store.Delete(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Get(t.Context(), "c1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after Delete: %v, want NotFound", err)
	}
}

func TestSwapWritesOnlyOverTheVersionItRead(t *testing.T) {
	w := open(t)
	read := w.put(time.Hour)
	if _, err := w.store.Swap(t.Context(), "c1", read); !fault.Is(err, fault.Conflict) {
		t.Errorf("swap for an absent token: %v, want Conflict", err)
	}
	read.Version = 1
	swapped, err := w.store.Swap(t.Context(), "c1", read)
	if err != nil || swapped.Version != 2 {
		t.Errorf("swap: version %d, %v", swapped.Version, err)
	}
	if _, err := w.store.Swap(t.Context(), "c1", read); !fault.Is(err, fault.Conflict) {
		t.Errorf("swap over an old version: %v, want Conflict", err)
	}
}

func TestTokensAreRefreshedWhenTheyNearTheirEnd(t *testing.T) {
	tests := []struct {
		name string
		left time.Duration
		want secret.Text
	}{
		{"six minutes are enough", 6 * time.Minute, access(0)},
		{"four minutes are not", 4 * time.Minute, access(1)},
		{"an ended token is refreshed", -time.Minute, access(1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t)
				w.put(test.left)
				got, err := w.broker().Token(t.Context(), "c1")
				if err != nil {
					t.Fatal(err)
				}
				if got.Access != test.want || got.PortalID != 90210 || got.Refresh != canary+"-refresh" || len(got.Scopes) != 1 {
					t.Errorf("got %s, portal %d, scopes %v", got.Access.Expose(), got.PortalID, got.Scopes)
				}
				stored, err := w.store.Get(t.Context(), "c1")
				if err != nil || stored.Access != test.want {
					t.Errorf("stored %s, %v", stored.Access.Expose(), err)
				}
			})
		})
	}
}

func TestOthersUseTheOldTokenWhileOneRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		w.put(4 * time.Minute)
		first := w.broker()
		go func() { _, _ = first.Token(t.Context(), "c1") }()
		time.Sleep(500 * time.Millisecond)
		start := time.Now()
		got, err := w.broker().Token(t.Context(), "c1")
		if err != nil || got.Access != access(0) || time.Since(start) != 0 {
			t.Errorf("got %s after %s, %v", got.Access.Expose(), time.Since(start), err)
		}
		time.Sleep(time.Minute)
	})
}

func TestARefusedTokenIsRefreshedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		w.put(25 * time.Minute)
		brokers := []*token.Broker{w.broker(), w.broker()}
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				got, err := brokers[i%2].Renew(t.Context(), "c1", access(0))
				if err != nil || got.Access != access(1) {
					t.Errorf("caller %d: %s, %v", i, got.Access.Expose(), err)
				}
			})
		}
		all.Wait()
		late, err := w.broker().Renew(t.Context(), "c1", access(0))
		if err != nil || late.Access != access(1) || len(w.refreshes) != 1 {
			t.Errorf("late caller: %s, %v; %d refreshes", late.Access.Expose(), err, len(w.refreshes))
		}
	})
}

func TestAConnectionIsLostAfterTwoRefusals(t *testing.T) {
	refused := fault.New(fault.Reauthorize, "Authorize again.")
	down := fault.New(fault.Transient, "Down.")
	tests := []struct {
		name      string
		left      time.Duration
		answers   []error
		want      fault.Kind
		lost      []string
		refreshes int
	}{
		{"two refusals lose it", -time.Minute, []error{refused, refused}, fault.Reauthorize, []string{"c1"}, 2},
		{"one refusal does not", -time.Minute, []error{refused, nil}, "", nil, 2},
		{"a refusal and an outage do not", -time.Minute, []error{refused, down}, fault.Transient, nil, 2},
		{"an outage does not", -time.Minute, []error{down}, fault.Transient, nil, 1},
		{"in an outage the old token serves while it lasts", 2 * time.Minute, []error{down}, "", nil, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t)
				w.put(test.left)
				w.answer = func(n int) error { return test.answers[n-1] }
				_, err := w.broker().Token(t.Context(), "c1")
				if (err == nil) != (test.want == "") || err != nil && fault.KindOf(err) != test.want {
					t.Errorf("error %v, want %q", err, test.want)
				}
				if diff := cmp.Diff(test.lost, w.lost); diff != "" {
					t.Errorf("lost: %s", diff)
				}
				if len(w.refreshes) != test.refreshes {
					t.Errorf("%d refreshes, want %d", len(w.refreshes), test.refreshes)
				}
				if err != nil && bytes.Contains([]byte(err.Error()), []byte(canary)) {
					t.Errorf("the error holds a token: %v", err)
				}
			})
		})
	}
}

func TestANewAuthorizationWinsOverARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		w.put(-time.Minute)
		fresh := token.Token{Access: "new", Refresh: "new", Issued: time.Now(), Expires: time.Now().Add(time.Hour)}
		w.answer = func(int) error { return w.store.Put(t.Context(), "c1", fresh) }
		got, err := w.broker().Token(t.Context(), "c1")
		if err != nil || got.Access != "new" {
			t.Errorf("got %s, %v", got.Access.Expose(), err)
		}
	})
}

func TestAConnectionWithoutATokenIsNotAuthorized(t *testing.T) {
	w := open(t)
	_, err := w.broker().Token(t.Context(), "c1")
	if !fault.Is(err, fault.Reauthorize) || len(w.refreshes) != 0 {
		t.Errorf("%v after %d refreshes", err, len(w.refreshes))
	}
}

func TestABrokerForClientCredentialsMakesTheFirstToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		b := w.broker()
		b.First = true
		for range 3 {
			got, err := b.Token(t.Context(), "c1")
			if err != nil || got.Access != access(1) {
				t.Errorf("got %s, %v", got.Access.Expose(), err)
			}
		}
		if len(w.refreshes) != 1 {
			t.Errorf("%d refreshes, want 1", len(w.refreshes))
		}
	})
}

func TestACallerWhoGivesUpDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		w.put(-time.Minute)
		b := w.broker()
		hasty, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := b.Token(hasty, "c1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hasty caller: %v", err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		if got, err := b.Token(t.Context(), "c1"); err != nil || got.Access != access(2) {
			t.Errorf("patient caller: %s, %v", got.Access.Expose(), err)
		}
		all.Wait()
	})
}
