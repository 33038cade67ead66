package connector

import (
	"context"
	"log/slog"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
)

// scheduled is a table whose changes reach the scheduler at once: whoever saves
// or deletes a schedule, a chain or a connection, also with a job or a file. A
// write counts whether or not the scheduler follows; the sweep repairs the rest.
type scheduled struct {
	table.Table

	repair func(ctx context.Context) ([]schedule.Change, error)
	log    *slog.Logger
}

// decides reports whether an item decides which schedules are followed.
func decides(k table.Key) bool {
	return k.Partition == "SCHEDULE" || k.Partition == "CHAIN" || strings.HasPrefix(k.Partition, "CONN#") && k.Sort == "connection"
}

// Put implements table.Table.
func (s scheduled) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	stored, err := s.Table.Put(ctx, item, cond)
	if err == nil && decides(item.Key) {
		s.follow(ctx)
	}
	return stored, err
}

// PutMany implements table.Table.
func (s scheduled) PutMany(ctx context.Context, items []table.Item) error {
	err := s.Table.PutMany(ctx, items)
	for _, item := range items {
		if err == nil && decides(item.Key) {
			s.follow(ctx)
			return nil
		}
	}
	return err
}

// Delete implements table.Table.
func (s scheduled) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	err := s.Table.Delete(ctx, key, cond)
	if err == nil && decides(key) {
		s.follow(ctx)
	}
	return err
}

// Write implements table.Table.
func (s scheduled) Write(ctx context.Context, ops []table.Op) error {
	err := s.Table.Write(ctx, ops)
	for _, op := range ops {
		if err == nil && op.Verb != table.Check && decides(op.Item.Key) {
			s.follow(ctx)
			return nil
		}
	}
	return err
}

func (s scheduled) follow(ctx context.Context) {
	if _, err := s.repair(ctx); err != nil {
		s.log.WarnContext(ctx, "schedules not followed at once", "kind", fault.KindOf(err), "err", err)
	}
}

// follows builds what keeps the scheduler in step, and makes the ports' table
// reach it.
func (c *Connector) follows(p *Ports) {
	if p.Scheduler == nil {
		return
	}
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Its store reads alone, so it needs no activity.
	c.Keeper = &schedule.Keeper{Store: &schedule.Store{Table: p.Table}, Scheduler: p.Scheduler, Counts: c.follow, Now: p.Now}
	p.Table = scheduled{p.Table, c.Keeper.Repair, log}
}

// follow reports whether the schedule of a job or chain is followed: not one of
// what is gone or of a connection that cannot be used, and not a job's own beside
// that of its chain.
func (c *Connector) follow(ctx context.Context, o schedule.Owner) (bool, error) {
	jobs := []string{o.ID}
	if o.What == schedule.Chain {
		found, err := c.Chains.Get(ctx, o.ID)
		if err != nil {
			return false, unlessGone(err)
		}
		jobs = found.Jobs
	}
	for _, id := range jobs {
		j, err := c.Jobs.Get(ctx, id)
		if err != nil {
			return false, unlessGone(err)
		}
		if err := c.Connections.Usable(ctx, j.Connection); err != nil {
			if fault.Is(err, fault.Reauthorize) {
				return false, nil
			}
			return false, unlessGone(err)
		}
	}
	if o.What == schedule.Chain {
		return true, nil
	}
	with, err := c.Chains.With(ctx, o.ID)
	if err != nil {
		return false, err
	}
	ids := make([]string, len(with))
	for i, found := range with {
		ids[i] = found.ID
	}
	honoured, _, err := c.Schedules.Honoured(ctx, ids)
	return honoured, err
}

// unlessGone is nil for what is not there any more.
func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
