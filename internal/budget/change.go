package budget

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// tries bounds how often a change meets those of others; each time one of the
// others has gone on.
const tries = 200

// load reads the item unless it is known.
func (b *Budget) load(ctx context.Context) error {
	if b.known != nil {
		return nil
	}
	item, err := b.Table.Get(ctx, b.key())
	if fault.Is(err, fault.NotFound) {
		b.known = &known{}
		return nil
	}
	if err != nil {
		return b.wrap(err)
	}
	return b.know(item)
}

func (b *Budget) know(item table.Item) error {
	k := &known{version: item.Version}
	if err := json.Unmarshal(item.Doc, &k.state); err != nil {
		return b.wrap(err)
	}
	b.known = k
	return nil
}

// settled returns a copy of the known state in which the calls of the last lease
// stand where they were used.
func (b *Budget) settled() *state {
	s := b.known.state.clone()
	if l := b.lease; l != nil {
		for _, w := range b.Windows {
			s.add(w, l.noted, -l.calls)
			for _, at := range l.used {
				s.add(w, at, 1)
			}
		}
	}
	return s
}

// change applies edit to the state and stores it, as one change. An error of
// edit is returned and nothing is stored.
func (b *Budget) change(ctx context.Context, edit func(s *state, now time.Time) error) error {
	for range tries {
		if err := b.load(ctx); err != nil {
			return err
		}
		s, now := b.settled(), b.now()
		if err := edit(s, now); err != nil {
			return err
		}
		b.forget(s, now)
		item := table.New(b.key(), s)
		item.Expires = b.expires(now)
		cond := table.Absent()
		if b.known.version > 0 {
			cond = table.VersionIs(b.known.version)
		}
		stored, err := b.Table.Put(ctx, item, cond)
		if err == nil {
			b.known, b.lease = &known{version: stored.Version, state: *s}, nil
			return nil
		}
		failed, ok := errors.AsType[*table.FailedError](err)
		if !ok {
			// It may be stored or not: what was taken stays noted, at its latest.
			b.known, b.lease = nil, nil
			return b.wrap(err)
		}
		b.known = &known{}
		if failed.Stored != nil {
			if err := b.know(*failed.Stored); err != nil {
				return err
			}
		}
	}
	return fault.New(fault.Transient, "Too many processes ask for calls at once. Try again.")
}

// forget drops what does not count any more.
func (b *Budget) forget(s *state, now time.Time) {
	counting := make(map[string]entries, len(b.Windows))
	for _, w := range b.Windows {
		_, hold := b.plan(w)
		if list := s.counting(w, hold, now); len(list) > 0 {
			counting[w.name()] = list
		}
	}
	s.Windows = counting
}
