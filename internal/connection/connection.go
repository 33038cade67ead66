// Package connection keeps the connections to HubSpot accounts: how they are
// called, which account they lead to, and whether they can be used.
//
// An index item holds the names of all connections and is part of every write
// that creates, renames or deletes one, so that their number and their names
// hold whoever writes at once. Tokens are stored beside, sealed.
package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/token"
)

// Status says whether a connection can be used.
type Status string

// What a Status can be.
const (
	NotAuthorized Status = "Not authorized"
	Active        Status = "Active"
	// NeedsReauthorization: HubSpot refused the refresh token twice.
	NeedsReauthorization Status = "Needs re-authorization"
	Revoked              Status = "Revoked"
)

// Connection is a connection to one HubSpot account.
type Connection struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	// PortalID and Domain tell the HubSpot account; 0 and "" until the first
	// authorization. They stay when the connection is revoked.
	PortalID int64     `json:"portalId,omitempty"`
	Domain   string    `json:"domain,omitempty"`
	Scopes   []string  `json:"scopes,omitempty"` // granted
	Created  time.Time `json:"created"`
	// Equipped is true once the out-of-the-box jobs were created for it.
	Equipped bool `json:"equipped,omitempty"`

	Version int64 `json:"-"` // of the stored item
}

// Store keeps connections on a table. All fields but the last three are required.
type Store struct {
	Table    table.Table
	Activity *activity.Store
	Tokens   *token.Store
	// Jobs and Chains are those that Rename and Delete reach.
	Jobs   *job.Store
	Chains *chain.Store
	NewID  func() string // returns an id that was never returned before
	// Withdraw revokes a token at HubSpot; an account that no longer knows it is
	// fault.Reauthorize, NotFound or Invalid and counts as done.
	Withdraw func(ctx context.Context, t token.Token) error
	// Running reports whether a run of the connection is active; nil = none is.
	Running func(ctx context.Context, id string) (bool, error)
	Now     func() time.Time // nil = time.Now
	// Limit is how many connections there may be; 0 = 1.
	Limit int
}

// System is who does what happens by itself.
const System = "system"

func key(id string) table.Key { return table.Key{Partition: "CONN#" + id, Sort: "connection"} }

// index is the names of all connections.
type index struct {
	Names map[string]string `json:"names"` // :: id → name

	version int64
}

var indexKey = table.Key{Partition: "CONN", Sort: "index"} //nolint:gochecknoglobals // a constant

func (s *Store) index(ctx context.Context) (index, error) {
	x := index{Names: map[string]string{}}
	version, err := table.Load(ctx, s.Table, indexKey, &x)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return x, fmt.Errorf("read names of connections: %w", err)
	}
	x.version = version
	return x, nil
}

func (x index) op() table.Op {
	cond := table.Absent()
	if x.version > 0 {
		cond = table.VersionIs(x.version)
	}
	return table.Op{Verb: table.Put, Item: table.New(indexKey, x), If: cond}
}

// taken returns fault.Invalid if another connection than id has the name.
func (x index) taken(id, name string) error {
	for other, used := range x.Names {
		if other != id && job.NameKey(used) == job.NameKey(name) {
			return fault.New(fault.Invalid, "There is a connection named %q already. Choose another name.", used)
		}
	}
	return nil
}

// putOps are the writes that replace old (nil: there is none) by c.
func (s *Store) putOps(old *Connection, c Connection, what activity.Type, by string) []table.Op {
	u := activity.Update{By: by, What: "connection", ID: c.ID, Name: c.Name, Type: what, After: activity.JSON(c)}
	cond := table.Absent()
	if old != nil {
		u.Before, cond = activity.JSON(*old), table.VersionIs(old.Version)
	}
	return []table.Op{{Verb: table.Put, Item: table.New(key(c.ID), c), If: cond}, s.Activity.UpdateOp(u)}
}

// EquipOp is the write that notes that the out-of-the-box jobs of a connection,
// which are part of the same write, are created. It fails if the connection
// changed since it was read.
func EquipOp(c Connection) table.Op {
	c.Equipped = true
	return table.Op{Verb: table.Put, Item: table.New(key(c.ID), c), If: table.VersionIs(c.Version)}
}

// Get returns a connection, or fault.NotFound.
func (s *Store) Get(ctx context.Context, id string) (Connection, error) {
	var c Connection
	if id == "" {
		return c, fault.New(fault.NotFound, "There is no connection without an id.")
	}
	version, err := table.Load(ctx, s.Table, key(id), &c)
	if fault.Is(err, fault.NotFound) {
		return c, fault.Wrap(err, fault.NotFound, "The connection %q does not exist any more.", id)
	}
	if err != nil {
		return c, fmt.Errorf("read connection %s: %w", id, err)
	}
	c.Version = version
	return c, nil
}

// List returns all connections, by name.
func (s *Store) List(ctx context.Context) ([]Connection, error) {
	x, err := s.index(ctx)
	if err != nil || len(x.Names) == 0 {
		return nil, err
	}
	var keys []table.Key
	for _, id := range slices.Sorted(maps.Keys(x.Names)) {
		keys = append(keys, key(id))
	}
	items, err := s.Table.GetMany(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	list := make([]Connection, len(items))
	for i, it := range items {
		if err := json.Unmarshal(it.Doc, &list[i]); err != nil {
			return nil, fmt.Errorf("decode %s: %w", it.Partition, err)
		}
		list[i].Version = it.Version
	}
	slices.SortFunc(list, func(a, b Connection) int { return strings.Compare(job.NameKey(a.Name), job.NameKey(b.Name)) })
	return list, nil
}

// Usable returns nil if calls can be made through the connection, else
// fault.Reauthorize with the reason and the way out, or fault.NotFound.
func (s *Store) Usable(ctx context.Context, id string) error {
	c, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	switch c.Status {
	case Active:
		return nil
	case NotAuthorized:
		return fault.New(fault.Reauthorize, "The connection %q is not authorized yet. Authorize it under Connections.", c.Name)
	case NeedsReauthorization:
		return fault.New(fault.Reauthorize, "HubSpot does not accept the authorization of the connection %q any more. Re-authorize it under Connections.", c.Name)
	case Revoked:
		return fault.New(fault.Reauthorize, "The connection %q is revoked, so nothing was called. Re-authorize it under Connections to run its jobs again.", c.Name)
	}
	return fmt.Errorf("connection %s: unknown status %q", id, c.Status)
}

// Create stores a connection that is not authorized yet. One more than Limit
// allows is fault.Conflict with the reason; a name that another has is
// fault.Invalid.
func (s *Store) Create(ctx context.Context, name, by string) (Connection, error) {
	name, err := job.CleanName("connection", name)
	if err != nil {
		return Connection{}, err
	}
	x, err := s.index(ctx)
	if err != nil {
		return Connection{}, err
	}
	if len(x.Names) >= max(s.Limit, 1) {
		return Connection{}, full(x)
	}
	if err := x.taken("", name); err != nil {
		return Connection{}, err
	}
	c := Connection{ID: s.NewID(), Name: name, Status: NotAuthorized, Created: s.now()}
	x.Names[c.ID] = c.Name
	if err := s.Table.Write(ctx, append(s.putOps(nil, c, activity.Created, by), x.op())); err != nil {
		return Connection{}, fmt.Errorf("create connection: %w", err)
	}
	c.Version = 1
	return c, nil
}

func full(x index) error {
	names := slices.Sorted(maps.Values(x.Names))
	if len(names) == 1 {
		return fault.New(fault.Conflict, "Only one connection is possible, and %q exists. For another HubSpot account run its jobs a last time, delete it, and then create the new one.", names[0])
	}
	return fault.New(fault.Conflict, "Only %d connections are possible, and all exist. Delete one of them first: %s.", len(names), strings.Join(names, ", "))
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}
