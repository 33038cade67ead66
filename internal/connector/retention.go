package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/run"
	"hubspotconnector/internal/setting"
)

const day = 24 * time.Hour

// keeper says how long runs and activity are kept. What admins set is looked at
// every ten minutes.
type keeper struct {
	c   *Connector
	now func() time.Time

	mu    sync.Mutex
	asked time.Time
	days  int
}

// runs is how long an item that is written now is kept.
func (k *keeper) runs() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); k.days == 0 || now.Sub(k.asked) >= 10*time.Minute {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		k.asked = now
		r, err := k.c.Settings.Retention(ctx)
		if err == nil {
			k.days = r.Runs
		} else if k.days == 0 {
			k.days = setting.DefaultRetention.Runs
		}
	}
	return time.Duration(k.days) * day
}

// Tidy deletes staged files and error files that are older than admins want them
// kept, but none of a run that is open. Twice is once.
func (c *Connector) Tidy(ctx context.Context) error {
	r, err := c.Settings.Retention(ctx)
	if err != nil {
		return err
	}
	open, err := c.openRuns(ctx)
	if err != nil {
		return err
	}
	errs := []error{
		c.tidy(ctx, "runs/", time.Duration(r.Staged)*day, func(name string) bool {
			id, _, _ := strings.Cut(strings.TrimPrefix(name, "runs/"), "/")
			return open[run.ID(id)]
		}),
		c.tidy(ctx, "errors/", time.Duration(r.ErrorFiles)*day, func(string) bool { return false }),
	}
	return errors.Join(errs...)
}

func (c *Connector) tidy(ctx context.Context, prefix string, age time.Duration, needed func(name string) bool) error {
	files, err := c.Bucket.List(ctx, prefix)
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	before := c.now().Add(-age)
	for _, f := range files {
		if f.Modified.Before(before) && !needed(f.Name) {
			if err := c.Bucket.Delete(ctx, f.Name); err != nil {
				return fmt.Errorf("delete %s: %w", f.Name, err)
			}
		}
	}
	return nil
}

// openRuns are the runs of open rounds.
func (c *Connector) openRuns(ctx context.Context) (map[run.ID]bool, error) {
	rounds, err := c.Runs.OpenRounds(ctx)
	open := map[run.ID]bool{}
	for _, r := range rounds {
		for _, id := range r.Jobs {
			open[id] = true
		}
	}
	return open, err
}
