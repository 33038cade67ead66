package plan

import (
	"context"
	"maps"
	"sync"
	"time"

	"hubspotconnector/internal/job"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

// recently is how long an object of the target is taken as it was described last.
const recently = 5 * time.Minute

// recent are the objects of the target as this process has described them.
type recent struct {
	mu      sync.Mutex
	schemas map[string]described
}

type described struct {
	schema record.Schema
	at     time.Time
}

func (r *recent) note(object string, schema record.Schema, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.schemas == nil {
		r.schemas = map[string]described{}
	}
	maps.DeleteFunc(r.schemas, func(_ string, d described) bool { return now.Sub(d.at) >= recently })
	r.schemas[object] = described{schema, now}
}

func (r *recent) all(now time.Time) map[string]record.Schema {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]record.Schema{}
	for object, d := range r.schemas {
		if now.Sub(d.at) < recently {
			all[object] = d.schema
		}
	}
	return all
}

// frozen is freeze. For a run of marked records, of which there may be one every
// few seconds, the target is taken as it was minutes ago: to describe it would cost
// more of the quota than the rows. A plan with which anything is wrong is made anew.
func (p *Planner) frozen(ctx context.Context, j job.Job, in run.Input, schemas map[string]record.Schema) (staging.Plan, error) {
	if in.Mode != run.ModeMarked {
		return p.freeze(ctx, j, in, schemas)
	}
	f, err := p.freeze(ctx, j, in, p.recent.all(p.Now()))
	if err == nil && f.Broken == nil && len(f.Skipped) == 0 && f.NoDelete == "" {
		return f, nil
	}
	return p.freeze(ctx, j, in, schemas)
}
