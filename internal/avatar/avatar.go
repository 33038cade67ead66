// Package avatar keeps which user of the target an owner of the source is. A
// link is made by an admin or by the job that found or created the user, and
// wins over names and e-mail addresses from then on.
package avatar

import (
	"context"
	"encoding/json"
	"fmt"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Avatar links an owner to a user.
type Avatar struct {
	Owner    string `json:"owner"`    // HubSpot's owner id
	UserGSID string `json:"userGsid"` // of the user in Gainsight
	By       string `json:"by"`       // "job", or the admin who made the link
}

// Store keeps avatars on a table. Table is required.
type Store struct{ Table table.Table }

func key(connection, owner string) table.Key {
	return table.Key{Partition: "AVATAR#" + connection, Sort: owner}
}

func decode(it table.Item) (Avatar, error) {
	var a Avatar
	if err := json.Unmarshal(it.Doc, &a); err != nil {
		return a, fmt.Errorf("decode avatar of owner %s: %w", it.Sort, err)
	}
	return a, nil
}

// GetMany returns the avatars of those owners that have one. :: owner → avatar
func (s *Store) GetMany(ctx context.Context, connection string, owners []string) (map[string]Avatar, error) {
	avatars := make(map[string]Avatar, len(owners))
	if len(owners) == 0 {
		return avatars, nil
	}
	keys := make([]table.Key, len(owners))
	for i, owner := range owners {
		keys[i] = key(connection, owner)
	}
	items, err := s.Table.GetMany(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read %d avatars: %w", len(keys), err)
	}
	for _, it := range items {
		a, err := decode(it)
		if err != nil {
			return nil, err
		}
		avatars[a.Owner] = a
	}
	return avatars, nil
}

// PutOp is the write that links an owner, whatever link there was.
func (s *Store) PutOp(connection string, a Avatar) table.Op {
	return table.Op{Verb: table.Put, Item: table.New(key(connection, a.Owner), a)}
}

// Put links an owner to a user, whatever link there was. It takes effect at the
// next run. An empty owner or user is fault.Invalid.
func (s *Store) Put(ctx context.Context, connection string, a Avatar) error {
	if a.Owner == "" || a.UserGSID == "" {
		return fault.New(fault.Invalid, "Choose both the HubSpot owner and the Gainsight user to associate.")
	}
	if _, err := s.Table.Put(ctx, table.New(key(connection, a.Owner), a), table.Condition{}); err != nil {
		return fmt.Errorf("link owner %s: %w", a.Owner, err)
	}
	return nil
}

// Delete removes the link of an owner. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, connection, owner string) error {
	if err := s.Table.Delete(ctx, key(connection, owner), table.Condition{}); err != nil {
		return fmt.Errorf("unlink owner %s: %w", owner, err)
	}
	return nil
}

// List returns all avatars of a connection, by owner id.
func (s *Store) List(ctx context.Context, connection string) ([]Avatar, error) {
	var avatars []Avatar
	err := table.All(ctx, s.Table, "AVATAR#"+connection, table.Range{}, func(it table.Item) error {
		a, err := decode(it)
		avatars = append(avatars, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list avatars: %w", err)
	}
	return avatars, nil
}
