package connection

import (
	"context"
	"fmt"
	"slices"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/token"
)

// Rename gives a connection another name. Out-of-the-box jobs whose name nobody
// touched follow, in the same write.
func (s *Store) Rename(ctx context.Context, id, name, by string) (Connection, error) {
	name, err := job.CleanName("connection", name)
	if err != nil {
		return Connection{}, err
	}
	old, err := s.Get(ctx, id)
	if err != nil || old.Name == name {
		return old, err
	}
	x, err := s.index(ctx)
	if err != nil {
		return old, err
	}
	if err := x.taken(id, name); err != nil {
		return old, err
	}
	c := old
	c.Name, x.Names[id] = name, name
	ops := append(s.putOps(&old, c, activity.Edited, by), x.op())
	jobs, err := s.Jobs.List(ctx)
	if err != nil {
		return old, err
	}
	for _, j := range jobs {
		if j.Connection != id || j.OOTB == "" || j.Name != job.OOTBName(j.OOTB, old.Name) {
			continue
		}
		renamed := j
		renamed.Name = job.OOTBName(j.OOTB, name)
		ops = append(ops, s.Jobs.SaveOps(&j, renamed, by)...)
	}
	if err := s.Table.Write(ctx, ops); err != nil {
		return old, fmt.Errorf("rename connection %s: %w", id, err)
	}
	c.Version++
	return c, nil
}

// Authorized stores a new token and makes the connection Active. A token of
// another HubSpot account than the connection's is fault.Conflict, and nothing
// is stored. After another error the token may be stored; authorizing again
// finishes.
func (s *Store) Authorized(ctx context.Context, id string, t token.Token, by string) (Connection, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return c, err
	}
	if t.PortalID == 0 {
		return c, fmt.Errorf("authorize connection %s: the token does not tell its account", id)
	}
	if c.PortalID != 0 && c.PortalID != t.PortalID {
		return c, fault.New(fault.Conflict, "The connection %q belongs to the HubSpot account %d, but you chose the account %d. Re-authorize with %d; for another account delete the connection and create a new one.",
			c.Name, c.PortalID, t.PortalID, c.PortalID)
	}
	if err := s.Tokens.Put(ctx, id, t); err != nil {
		return c, fmt.Errorf("store token of connection %s: %w", id, err)
	}
	return s.change(ctx, id, activity.Authorized, by, func(c *Connection) bool {
		c.Status, c.PortalID, c.Domain, c.Scopes = Active, t.PortalID, t.Domain, slices.Clone(t.Scopes)
		return true
	})
}

// NeedsReauthorization notes that HubSpot does not accept the token any more. A
// connection that is not Active is left as it is.
func (s *Store) NeedsReauthorization(ctx context.Context, id string) error {
	_, err := s.change(ctx, id, activity.Lapsed, System, func(c *Connection) bool {
		lapses := c.Status == Active
		if lapses {
			c.Status = NeedsReauthorization
		}
		return lapses
	})
	return err
}

// Revoke withdraws the permission: from now on nothing is called through the
// connection, its token is revoked at HubSpot and deleted here. After an error
// the connection is Revoked or as it was; Revoke again finishes.
func (s *Store) Revoke(ctx context.Context, id, by string) (Connection, error) {
	c, err := s.change(ctx, id, activity.Revoked, by, func(c *Connection) bool {
		revokes := c.Status == Active || c.Status == NeedsReauthorization
		if revokes {
			c.Status, c.Scopes = Revoked, nil
		}
		return revokes
	})
	if err != nil {
		return c, err
	}
	return c, s.withdraw(ctx, c)
}

// changeTries bounds how often a lost race for a connection is looked at again.
const changeTries = 5

// change stores what edit makes of a connection, with its activity; nothing if
// edit returns false. A lost race is decided again on what is stored then.
func (s *Store) change(ctx context.Context, id string, what activity.Type, by string, edit func(*Connection) bool) (Connection, error) {
	for try := 1; ; try++ {
		old, err := s.Get(ctx, id)
		if err != nil {
			return old, err
		}
		c := old
		if !edit(&c) {
			return old, nil
		}
		err = s.Table.Write(ctx, s.putOps(&old, c, what, by))
		if err == nil {
			c.Version++
			return c, nil
		}
		if !fault.Is(err, fault.Conflict) || try == changeTries {
			return old, fmt.Errorf("save connection %s: %w", id, err)
		}
	}
}

// withdraw revokes the token at HubSpot, if there is one, and deletes it.
func (s *Store) withdraw(ctx context.Context, c Connection) error {
	t, err := s.Tokens.Get(ctx, c.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read token of connection %s: %w", c.ID, err)
	}
	switch err := s.Withdraw(ctx, t); {
	case err == nil, fault.Is(err, fault.Reauthorize), fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
	default:
		return fault.Wrap(err, fault.KindOf(err), "HubSpot did not confirm that the permission of %q is withdrawn. Repeat this in a few minutes.", c.Name)
	}
	if err := s.Tokens.Delete(ctx, c.ID); err != nil {
		return fmt.Errorf("delete token of connection %s: %w", c.ID, err)
	}
	return nil
}

// Delete removes a connection for good: it is revoked, and its chains, jobs and
// schedules go with it. What happened stays in the activity, and who is who in
// the avatars. It is fault.Conflict while a run is active. After an error some
// may be gone; Delete again finishes.
func (s *Store) Delete(ctx context.Context, id, by string) error {
	c, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if s.Running != nil {
		running, err := s.Running(ctx, id)
		if err != nil {
			return err
		}
		if running {
			return fault.New(fault.Conflict, "A run of the connection %q is active. Wait for its end or stop it, then delete the connection.", c.Name)
		}
	}
	if c, err = s.Revoke(ctx, id, by); err != nil {
		return err
	}
	if err := s.deleteJobs(ctx, id, by); err != nil {
		return err
	}
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	delete(x.Names, id)
	u := activity.Update{By: by, What: "connection", ID: id, Name: c.Name, Type: activity.Deleted, Before: activity.JSON(c)}
	err = s.Table.Write(ctx, []table.Op{
		{Verb: table.Delete, Item: table.Item{Key: key(id)}, If: table.VersionIs(c.Version)}, x.op(), s.Activity.UpdateOp(u),
	})
	if err != nil {
		return fmt.Errorf("delete connection %s: %w", id, err)
	}
	return nil
}

// deleteJobs deletes the jobs of a connection with their schedules, and before
// that takes them out of the chains; a chain without a job left is deleted.
func (s *Store) deleteJobs(ctx context.Context, id, by string) error {
	all, err := s.Jobs.List(ctx)
	if err != nil {
		return err
	}
	jobs := slices.DeleteFunc(all, func(j job.Job) bool { return j.Connection != id })
	chains, err := s.Chains.List(ctx)
	if err != nil {
		return err
	}
	for _, c := range chains {
		kept := slices.DeleteFunc(slices.Clone(c.Jobs), func(jobID string) bool {
			return slices.ContainsFunc(jobs, func(j job.Job) bool { return j.ID == jobID })
		})
		switch {
		case len(kept) == len(c.Jobs):
			continue
		case len(kept) == 0:
			err = s.Chains.Delete(ctx, c.ID, by)
		default:
			c.Jobs = kept
			_, err = s.Chains.Save(ctx, c, by)
		}
		if err != nil {
			return err
		}
	}
	for _, j := range jobs {
		if err := s.Table.Write(ctx, s.Jobs.DeleteOps(j, by)); err != nil {
			return fmt.Errorf("delete job %s: %w", j.ID, err)
		}
	}
	return nil
}
