package delta

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Adopt moves the prints that an earlier version stored one by one to their pages, once
// for a job. It stops when short says that the time is over: more is true then, and the
// next call goes on. A print that stands on a page already is newer. Several may do it
// at once.
func (s *Store) Adopt(ctx context.Context, job string, short func(context.Context) bool) (more bool, err error) {
	done := table.Key{Partition: "JOB#" + job, Sort: "pages"}
	if _, err := s.Table.Get(ctx, done); err == nil || !fault.Is(err, fault.NotFound) {
		return false, err
	}
	for i := range shards {
		for {
			old, err := s.Table.Query(ctx, fmt.Sprintf("PRINT#%s#%02x", job, i), table.Range{}, 0, "", false)
			if err == nil && len(old.Items) > 0 {
				err = s.adopt(ctx, job, old.Items)
			}
			if err != nil {
				return false, fmt.Errorf("move prints of job %s to pages: %w", job, err)
			}
			if len(old.Items) == 0 {
				break
			}
			if short(ctx) {
				return true, nil
			}
		}
	}
	_, err = s.Table.Put(ctx, table.New(done, struct{}{}), table.Condition{})
	return false, err
}

func (s *Store) adopt(ctx context.Context, job string, items []table.Item) error {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.Sort
	}
	book := s.Book(job)
	known, err := book.Prints(ctx, ids)
	if err != nil {
		return err
	}
	prints := map[string]*Print{}
	for _, item := range items {
		var p Print
		if err := json.Unmarshal(item.Doc, &p); err != nil {
			return fmt.Errorf("decode print of %s: %w", item.Sort, err)
		}
		if _, newer := known[item.Sort]; !newer {
			p.Hash = shorter(p.Hash)
			prints[item.Sort] = &p
		}
	}
	if err := book.Put(ctx, prints); fault.Is(err, fault.Conflict) {
		return nil // somebody else is at it: what is left is looked at again
	} else if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(2 * readers)
	for _, item := range items {
		group.Go(func() error { return s.Table.Delete(ctx, item.Key, table.Condition{}) })
	}
	return group.Wait()
}

// shorter is a fingerprint of 15 bytes, and what stands behind it, as one of 9.
func shorter(hash string) string {
	const now, then = 12, 20 // letters
	if len(hash) < then {
		return hash
	}
	return hash[:now] + hash[then:]
}
