package admin

import (
	"context"
	"time"

	"hubspotconnector/internal/run"
)

// Start says what to run: a chain or a job, by name or id.
type Start struct {
	Chain string
	Job   string
	Mode  run.Mode  // "" = changes
	Since time.Time // with mode changes: what changed since then; zero = since the last run
}

// StartRun starts a run and returns the name of its execution. The same key of
// the same person starts once: again, it returns the same name. The same key for
// something else is fault.Conflict. An empty key always starts. Nothing has been
// planned on return.
func (s *Service) StartRun(ctx context.Context, by string, start Start, key string) (execution string, err error) {
	return "", errNotYet
}

// Stop ends an execution; its runs end as Failed and can be resumed. One that has
// ended is left alone.
func (s *Service) Stop(ctx context.Context, execution, by string) error { return errNotYet }

// Resume goes on with an execution that failed, was stopped or was cut off, and
// returns the execution that does: rows that were delivered cost no call again.
// Twice is once. One that still runs, or that succeeded, is fault.Conflict.
func (s *Service) Resume(ctx context.Context, execution, by string) (string, error) {
	return "", errNotYet
}

// RetryRejected starts a run of the job's rejected records alone; the key is that
// of StartRun.
func (s *Service) RetryRejected(ctx context.Context, job, by, key string) (execution string, err error) {
	return "", errNotYet
}
