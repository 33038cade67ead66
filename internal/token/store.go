package token

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table"
)

// Token is what a connection is authorized with.
type Token struct {
	Access  secret.Text
	Refresh secret.Text // "" if the vendor gives none (client credentials)
	// Issued and Expires bound the life of Access.
	Issued, Expires time.Time
	PortalID        int64
	Domain          string
	Scopes          []string
	// Version of the stored item; 0 if it is not stored.
	Version int64
}

// wire is a token as it is sealed. Fields may be added, never renamed or removed.
type wire struct {
	Access   string    `json:"access"`
	Refresh  string    `json:"refresh,omitempty"`
	Issued   time.Time `json:"issued,omitzero"`
	Expires  time.Time `json:"expires"`
	PortalID int64     `json:"portalId,omitempty"`
	Domain   string    `json:"domain,omitempty"`
	Scopes   []string  `json:"scopes,omitempty"`
}

// document is the stored item.
type document struct {
	Sealed []byte `json:"sealed"`
}

// Store keeps tokens in the table, sealed. Both fields are required.
type Store struct {
	Table  table.Table
	Sealer secret.Sealer
}

func key(connection string) table.Key {
	return table.Key{Partition: "CONN#" + connection, Sort: "token"}
}

func about(connection string) map[string]string {
	return map[string]string{"connection": connection, "field": "token"}
}

// Get returns the token of a connection, or fault.NotFound.
func (s *Store) Get(ctx context.Context, connection string) (Token, error) {
	var doc document
	version, err := table.Load(ctx, s.Table, key(connection), &doc)
	if err != nil {
		return Token{}, fmt.Errorf("read token of connection %s: %w", connection, err)
	}
	plain, err := s.Sealer.Open(ctx, about(connection), doc.Sealed)
	if err != nil {
		return Token{}, fmt.Errorf("open token of connection %s: %w", connection, err)
	}
	var w wire
	if err := json.Unmarshal(plain, &w); err != nil {
		return Token{}, fault.New(fault.Internal, "The token of connection %s is damaged.", connection) // err would quote it
	}
	return Token{
		Access: secret.Text(w.Access), Refresh: secret.Text(w.Refresh), Issued: w.Issued, Expires: w.Expires,
		PortalID: w.PortalID, Domain: w.Domain, Scopes: w.Scopes, Version: version,
	}, nil
}

// Put stores the token of a connection, whatever was stored before: it is for a
// new authorization. Twice is once.
func (s *Store) Put(ctx context.Context, connection string, t Token) error {
	_, err := s.put(ctx, connection, t, table.Condition{})
	return err
}

// Swap stores a refreshed token if the stored one still has t.Version (0: if
// there is none) and returns it with its new version. Otherwise it fails with
// fault.Conflict.
func (s *Store) Swap(ctx context.Context, connection string, t Token) (Token, error) {
	cond := table.Absent()
	if t.Version > 0 {
		cond = table.VersionIs(t.Version)
	}
	return s.put(ctx, connection, t, cond)
}

func (s *Store) put(ctx context.Context, connection string, t Token, cond table.Condition) (Token, error) {
	plain, err := json.Marshal(wire{
		Access: t.Access.Expose(), Refresh: t.Refresh.Expose(), Issued: t.Issued, Expires: t.Expires,
		PortalID: t.PortalID, Domain: t.Domain, Scopes: t.Scopes,
	})
	if err != nil {
		return Token{}, fmt.Errorf("encode token of connection %s: %w", connection, err)
	}
	sealed, err := s.Sealer.Seal(ctx, about(connection), plain)
	if err != nil {
		return Token{}, fmt.Errorf("seal token of connection %s: %w", connection, err)
	}
	item, err := s.Table.Put(ctx, table.New(key(connection), document{Sealed: sealed}), cond)
	if err != nil {
		return Token{}, fmt.Errorf("store token of connection %s: %w", connection, err)
	}
	t.Version = item.Version
	return t, nil
}

// Delete forgets the token. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, connection string) error {
	if err := s.Table.Delete(ctx, key(connection), table.Condition{}); err != nil {
		return fmt.Errorf("delete token of connection %s: %w", connection, err)
	}
	return nil
}
