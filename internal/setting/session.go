package setting

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table"
)

// session is the sort key of the key of sessions.
const session = "session"

// sessionCache is the key as it was read.
type sessionCache struct {
	sync.Mutex
	key secret.Text
}

// sealedKey is how it is stored. Fields may be added, never renamed or removed.
type sealedKey struct {
	Sealed []byte `json:"sealed"`
}

// SessionKey returns the secret that sessions are sealed with. It is made when it
// is first asked for, and then the same for all who share the table.
func (s *Store) SessionKey(ctx context.Context) (secret.Text, error) {
	s.session.Lock()
	defer s.session.Unlock()
	if s.session.key != "" {
		return s.session.key, nil
	}
	var doc sealedKey
	version, err := s.load(ctx, session, &doc)
	if err != nil {
		return "", err
	}
	if version == 0 {
		if doc.Sealed, err = s.Sealer.Seal(ctx, about(session), []byte(rand.Text()+rand.Text())); err != nil {
			return "", fmt.Errorf("seal session key: %w", err)
		}
		_, err = s.Table.Put(ctx, table.New(key(session), doc), table.Absent())
		if fault.Is(err, fault.Conflict) { // somebody was faster
			_, err = s.load(ctx, session, &doc)
		}
		if err != nil {
			return "", fmt.Errorf("store session key: %w", err)
		}
	}
	err = s.open(ctx, doc.Sealed, session, func(plain []byte) error {
		s.session.key = secret.Text(plain)
		return nil
	})
	return s.session.key, err
}
