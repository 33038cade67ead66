package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// keepClaims is how long it is known who started an occurrence: longer than any
// scheduler goes on trying to start it.
const keepClaims = 7 * 24 * time.Hour

// claim tells which execution an occurrence belongs to.
type claim struct {
	Execution string `json:"execution"`
}

// Claim reports whether an execution that was started for a due time has work to
// do: the owner's schedule is enabled, the time is one of its occurrences, and no
// other execution was started for it. Asking again for the same execution
// answers the same while the schedule stays. An owner without a schedule has
// none that is due.
func (s *Store) Claim(ctx context.Context, o Owner, due time.Time, execution string) (bool, error) {
	sch, err := s.Get(ctx, o)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	at, ok := sch.occurrence(due)
	if !ok {
		return false, nil
	}
	item := table.New(table.Key{Partition: "DUE", Sort: ExecutionName(o, at)}, claim{execution})
	item.Expires = at.Add(keepClaims)
	_, err = s.Table.Put(ctx, item, table.Absent())
	if failed, ok := errors.AsType[*table.FailedError](err); ok {
		if failed.Stored == nil {
			return false, nil
		}
		var holder claim
		if err := json.Unmarshal(failed.Stored.Doc, &holder); err != nil {
			return false, fmt.Errorf("decode claim of %s: %w", item.Sort, err)
		}
		return holder.Execution == execution, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim %s: %w", item.Sort, err)
	}
	return true, nil
}
