package scenario

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Loss is what becomes of a write.
type Loss string

// What a Loss can be.
const (
	RequestLost Loss = "request lost" // it did not happen, and the caller learns of a failure
	AnswerLost  Loss = "answer lost"  // it happened, and the caller learns of a failure
	Dead        Loss = "process dead" // it happened, and nothing happens any more
	DeadBefore  Loss = "dead before"  // it did not happen, and nothing happens any more
)

// gate stands between the connector and everything it writes to, and counts the
// writes: of the table, of the bucket, and of Gainsight.
type gate struct {
	mu     sync.Mutex
	writes int
	// at is the write that loss happens to; 0 = none.
	at   int
	loss Loss
	dead bool
	// die ends the process's execution.
	die func()
	// meet happens once, before the nth of the writes that no lock of ours is held
	// at; 0 = never. met counts them.
	meetAt, met int
	meet        func()
}

// meeting lets happen what is to happen before this write.
func (g *gate) meeting() {
	g.mu.Lock()
	g.met++
	now := g.met == g.meetAt
	g.mu.Unlock()
	if now {
		g.meet()
	}
}

// metSoFar returns how many writes were met.
func (g *gate) metSoFar() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.met
}

var errDead = errors.New("the process is dead")

// pass does a write. lost makes the error of a lost request or answer.
func (g *gate) pass(do func() error, lost func() error) error {
	g.mu.Lock()
	if g.dead {
		g.mu.Unlock()
		return errDead
	}
	g.writes++
	loss := Loss("")
	if g.writes == g.at {
		loss = g.loss
	}
	if loss == Dead || loss == DeadBefore {
		g.dead = true
	}
	g.mu.Unlock()
	switch loss {
	case RequestLost:
		return lost()
	case AnswerLost:
		if err := do(); err != nil {
			return err
		}
		return lost()
	case Dead, DeadBefore:
		if loss == Dead {
			_ = do() // nobody learns of it
		}
		g.die()
		return errDead
	}
	return do()
}

// read reports whether the process is dead.
func (g *gate) read() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead {
		return errDead
	}
	return nil
}

func noAnswer() error { return fault.New(fault.Transient, "There was no answer.") }

// gatedTable is a table behind the gate.
type gatedTable struct {
	table.Table
	gate *gate
}

// Get implements table.Table.
func (t gatedTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := t.gate.read(); err != nil {
		return table.Item{}, err
	}
	return t.Table.Get(ctx, key)
}

// Put implements table.Table.
func (t gatedTable) Put(ctx context.Context, item table.Item, cond table.Condition) (stored table.Item, err error) {
	err = t.gate.pass(func() error { stored, err = t.Table.Put(ctx, item, cond); return err }, noAnswer)
	return stored, err
}

// PutMany implements table.Table.
func (t gatedTable) PutMany(ctx context.Context, items []table.Item) error {
	return t.gate.pass(func() error { return t.Table.PutMany(ctx, items) }, noAnswer)
}

// Delete implements table.Table.
func (t gatedTable) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	return t.gate.pass(func() error { return t.Table.Delete(ctx, key, cond) }, noAnswer)
}

func (t gatedTable) Write(ctx context.Context, ops []table.Op) error {
	t.gate.meeting()
	return t.gate.pass(func() error { return t.Table.Write(ctx, ops) }, noAnswer)
}

// gatedBucket is a bucket behind the gate.
type gatedBucket struct {
	blob.Bucket
	gate *gate
}

// Create implements blob.Bucket.
func (b gatedBucket) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	b.gate.meeting()
	return b.gate.pass(func() error { return b.Bucket.Create(ctx, name, write) }, noAnswer)
}

// gatedTransport is the way to a vendor. Only what changes something there
// counts as a write.
type gatedTransport struct {
	next  http.RoundTripper
	gate  *gate
	write bool // the vendor that is written to
}

// RoundTrip implements http.RoundTripper.
func (t gatedTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := t.gate.read(); err != nil {
		return nil, err
	}
	reads := r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/query/") || strings.Contains(r.URL.Path, "/oauth/")
	if reads || !t.write {
		return t.next.RoundTrip(r)
	}
	t.gate.meeting()
	err = t.gate.pass(func() error { resp, err = t.next.RoundTrip(r); return err }, func() error { return io.ErrUnexpectedEOF }) //nolint:bodyclose // by the caller, or below
	if err != nil && resp != nil {
		_ = resp.Body.Close()
		resp = nil
	}
	return resp, err
}

// spoiled spoils the calls that a scenario names; it is the decision that both
// simulators ask for.
type spoiled struct {
	mu     sync.Mutex
	faults []*spoil
}

// next returns the kind of fault that happens to a call, "" for none.
func (s *spoiled) next(r *http.Request) string {
	f := s.hit(r.Method + " " + r.URL.Path)
	if f == nil {
		return ""
	}
	if f.then != nil {
		f.then() // may make calls of its own
	}
	return f.kind
}

func (s *spoiled) hit(call string) *spoil {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.hits(call) {
			return f
		}
	}
	return nil
}

func (s *spoiled) add(f *spoil) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// clear forgets the faults that are still to happen.
func (s *spoiled) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// slow is how long a delayed answer takes.
const slow = 30 * time.Second
