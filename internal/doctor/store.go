package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/table"
)

// Store keeps the dialects that were found. Table is required. It is used by
// pointer and may be used at once.
type Store struct {
	Table table.Table
	// Origin returns the URL of the organisation that is configured; what was found
	// at another one does not count. nil = what was found counts.
	Origin func(ctx context.Context) (string, error)
	Now    func() time.Time // nil = time.Now

	mu    sync.Mutex
	known found
	read  time.Time // when known was read; zero = never
}

// found is the stored item. Fields may be added, never renamed or removed.
type found struct {
	Origin    string            `json:"origin,omitempty"`
	Gainsight gainsight.Dialect `json:"gainsight"`
	HubSpot   hubspot.Dialect   `json:"hubspot"`
}

// fresh is how long what was read is used: a process that runs on takes up a new
// examination within that time.
const fresh = 5 * time.Minute

func key() table.Key { return table.Key{Partition: "SETTING", Sort: "found"} }

// Gainsight returns the dialect of the organisation, zero if none was found. It
// may be five minutes old. Its errors are those of the table and of Origin.
func (s *Store) Gainsight(ctx context.Context) (gainsight.Dialect, error) {
	f, err := s.load(ctx)
	if err != nil || s.Origin == nil {
		return f.Gainsight, err
	}
	origin, err := s.Origin(ctx)
	if err != nil || origin != f.Origin {
		return gainsight.Dialect{}, err
	}
	return f.Gainsight, nil
}

// HubSpot returns HubSpot's dialect, likewise.
func (s *Store) HubSpot(ctx context.Context) (hubspot.Dialect, error) {
	f, err := s.load(ctx)
	return f.HubSpot, err
}

// SaveGainsight stores the dialect of the organisation at an origin. It replaces
// what was found before.
func (s *Store) SaveGainsight(ctx context.Context, origin string, d gainsight.Dialect) error {
	return s.save(ctx, func(f *found) { f.Origin, f.Gainsight = origin, d })
}

// SaveHubSpot stores HubSpot's dialect. It replaces what was found before.
func (s *Store) SaveHubSpot(ctx context.Context, d hubspot.Dialect) error {
	return s.save(ctx, func(f *found) { f.HubSpot = d })
}

// save changes the stored item. If two examinations end at once the last one
// counts, which found the same.
func (s *Store) save(ctx context.Context, change func(*found)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var f found
	if _, err := table.Load(ctx, s.Table, key(), &f); err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("read what was found: %w", err)
	}
	change(&f)
	if _, err := s.Table.Put(ctx, table.New(key(), f), table.Condition{}); err != nil {
		return fmt.Errorf("store what was found: %w", err)
	}
	s.known, s.read = f, s.now()
	return nil
}

func (s *Store) load(ctx context.Context) (found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); !s.read.IsZero() && now.Sub(s.read) < fresh {
		return s.known, nil
	}
	var f found
	if _, err := table.Load(ctx, s.Table, key(), &f); err != nil && !fault.Is(err, fault.NotFound) {
		return found{}, fmt.Errorf("read what was found: %w", err)
	}
	s.known, s.read = f, s.now()
	return f, nil
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
