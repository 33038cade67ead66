package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/table"
)

// draftLife is how long a draft is kept after it was last saved.
const draftLife = 7 * 24 * time.Hour

// Draft is a job as somebody is editing it.
type Draft struct {
	Key   string          `json:"key"` // the job's id, or a new id for a new job
	Job   job.Job         `json:"job"`
	Base  int64           `json:"base"` // Job.Version that the editing began with
	Page  json.RawMessage `json:"page,omitempty"`
	Saved time.Time       `json:"saved"` // set by PutDraft
}

func draftKey(by, key string) table.Key {
	return table.Key{Partition: "DRAFT#" + by, Sort: key}
}

var errNoDraft = fault.New(fault.NotFound, "There is no draft any more: it was saved, dropped, or left alone for a week. Begin the edit again.")

// Draft returns somebody's draft, or fault.NotFound.
func (s *Service) Draft(ctx context.Context, by, key string) (Draft, error) {
	var d Draft
	if key == "" {
		return d, errNoDraft
	}
	_, err := table.Load(ctx, s.Connector.Delta.Table, draftKey(by, key), &d)
	if fault.Is(err, fault.NotFound) {
		return d, errNoDraft
	}
	return d, err
}

// Drafts returns somebody's drafts, the newest first.
func (s *Service) Drafts(ctx context.Context, by string) ([]Draft, error) {
	var all []Draft
	err := table.All(ctx, s.Connector.Delta.Table, draftKey(by, "").Partition, table.Range{}, func(it table.Item) error {
		var d Draft
		if err := json.Unmarshal(it.Doc, &d); err != nil {
			return fmt.Errorf("decode draft %s: %w", it.Sort, err)
		}
		all = append(all, d)
		return nil
	})
	slices.SortFunc(all, func(a, b Draft) int { return b.Saved.Compare(a.Saved) })
	return all, err
}

// PutDraft keeps a draft for 7 days, whatever was kept before. One without a Key
// gets a new one.
func (s *Service) PutDraft(ctx context.Context, by string, d Draft) (Draft, error) {
	if d.Key == "" {
		d.Key = s.NewID()
	}
	d.Saved = s.now().UTC()
	item := table.New(draftKey(by, d.Key), d)
	item.Expires = d.Saved.Add(draftLife).Truncate(time.Second)
	if _, err := s.Connector.Delta.Table.Put(ctx, item, table.Condition{}); err != nil {
		return d, fmt.Errorf("keep draft %s: %w", d.Key, err)
	}
	return d, nil
}

// DropDraft forgets a draft. One that is not there is no error.
func (s *Service) DropDraft(ctx context.Context, by, key string) error {
	if key == "" {
		return nil
	}
	return s.Connector.Delta.Table.Delete(ctx, draftKey(by, key), table.Condition{})
}
