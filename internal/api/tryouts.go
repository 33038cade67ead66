package api

import (
	"context"
	"fmt"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// Validation is everything that is wrong with a job.
type Validation struct {
	OK     bool     `json:"ok"`
	Errors []Detail `json:"errors" nullable:"false"`
}

// Sample is records as a job's dataset sees them.
type Sample struct {
	Columns []Field     `json:"columns" nullable:"false" doc:"Dataset fields, then formula and case fields."`
	Rows    []SampleRow `json:"rows" nullable:"false"`
	Read    int         `json:"read" doc:"Records that were read for it."`
}

// SampleRow is one record of a sample.
type SampleRow struct {
	ID     string    `json:"id"`
	Link   string    `json:"link,omitempty" doc:"To the record in HubSpot."`
	Values []*string `json:"values" nullable:"false" doc:"Parallel to the columns."`
	Kept   bool      `json:"kept" doc:"Whether the filter lets it pass."`
}

func sampleOf(s admin.Sample) Sample {
	out := Sample{Columns: list(s.Columns, "", fieldOf).Body.Items, Read: s.Read, Rows: make([]SampleRow, len(s.Rows))}
	for i, r := range s.Rows {
		out.Rows[i] = SampleRow{ID: r.ID, Link: r.Link, Values: append([]*string{}, r.Values...), Kept: r.Kept}
	}
	return out
}

// Preview is what a run would do.
type Preview struct {
	Counts         run.Counts    `json:"counts" doc:"Inserted and updated are what would be."`
	Whole          bool          `json:"whole" doc:"Whether it saw all records that the next run would read."`
	Rows           []PreviewRow  `json:"rows" nullable:"false" doc:"At most 10 of each outcome."`
	Rejects        []RejectGroup `json:"rejects" nullable:"false"`
	Skipped        []string      `json:"skipped" nullable:"false" doc:"Mapped fields that the source no longer has."`
	GainsightCalls int           `json:"gainsightCalls" doc:"What a run on these records costs."`
	NeedsSeconds   float64       `json:"needsSeconds" doc:"The time that it takes at the quota."`
}

// PreviewRow is one record of a preview.
type PreviewRow struct {
	SourceID string         `json:"sourceId"`
	Link     string         `json:"link,omitempty"`
	Outcome  run.Outcome    `json:"outcome"`
	GSID     string         `json:"gsid,omitempty" doc:"Of the row that would be updated."`
	Fields   map[string]any `json:"fields,omitempty" doc:"Target field → value that would be written."`
	Reject   *PreviewReject `json:"reject,omitempty"`
}

// PreviewReject is why a record would be rejected.
type PreviewReject struct {
	Field  string      `json:"field,omitempty" doc:"Target field; missing if the whole record is meant."`
	Value  string      `json:"value,omitempty"`
	Code   record.Code `json:"code"`
	Reason string      `json:"reason"`
	Fix    string      `json:"fix"`
}

// RejectGroup is the rejects of one reason.
type RejectGroup struct {
	Code    record.Code `json:"code"`
	Meaning string      `json:"meaning"`
	Fix     string      `json:"fix"`
	Count   int         `json:"count"`
}

func rejectGroupOf(g admin.RejectGroup) RejectGroup {
	return RejectGroup{Code: g.Code, Meaning: g.Meaning, Fix: g.Fix, Count: g.Count}
}

func previewOf(p admin.Preview) Preview {
	out := Preview{
		Counts: p.Counts, Whole: p.Whole, Rows: make([]PreviewRow, len(p.Rows)), Rejects: list(p.Rejects, "", rejectGroupOf).Body.Items,
		Skipped: append([]string{}, p.Skipped...), GainsightCalls: p.GainsightCalls, NeedsSeconds: p.Needs.Seconds(),
	}
	for i, r := range p.Rows {
		out.Rows[i] = PreviewRow{SourceID: r.SourceID, Link: r.Link, Outcome: r.Outcome, GSID: r.GSID, Fields: r.Fields}
		if r.Reject != nil {
			out.Rows[i].Reject = &PreviewReject{Field: r.Reject.Field, Value: r.Reject.Value, Code: r.Reject.Code, Reason: r.Reject.Reason, Fix: r.Reject.Fix}
		}
	}
	return out
}

// Suggestions are direct mappings.
type Suggestions struct {
	Direct []mapping.Direct `json:"direct" nullable:"false"`
}

// Draft is a job that is not stored.
type Draft struct{ Body JobInput }

type previewInput struct {
	ByID
	All bool `query:"all" doc:"Look at all records that the next run would read, at most 20,000, and not at a sample of 200."`
}

type previewDraft struct {
	All bool `query:"all" doc:"Look at all records that the next run would read, at most 20,000, and not at a sample of 200."`
	Draft
}

func (a *api) tryouts() {
	on := func(id, path, summary, description string) operation {
		return operation{id: id, method: "POST", path: path, tag: "Jobs", summary: summary, description: description, role: signin.Admin, vendor: true}
	}
	register(a, on("validateJob", "/jobs/validate", "Tell everything that is wrong with a job", "Nothing is stored."),
		func(ctx context.Context, in *Draft) (*answer[Validation], error) {
			wrong, err := a.wrong(ctx, in.Body.job())
			return &answer[Validation]{Validation{len(wrong) == 0, append([]Detail{}, wrong...)}}, err
		})
	register(a, on("sampleJob", "/jobs/sample", "Read 20 records as a job's dataset sees them", "The destination does not count. Nothing is stored."),
		func(ctx context.Context, in *Draft) (*answer[Sample], error) {
			s, err := a.admin.Sample(ctx, in.Body.job())
			return &answer[Sample]{sampleOf(s)}, a.ofDraft(ctx, in.Body, err)
		})
	register(a, on("suggestMappings", "/jobs/suggest", "Suggest direct mappings by name and type", "Nothing is stored."),
		func(ctx context.Context, in *Draft) (*answer[Suggestions], error) {
			s, err := a.admin.Suggest(ctx, in.Body.job())
			return &answer[Suggestions]{Suggestions{append([]mapping.Direct{}, s...)}}, a.ofDraft(ctx, in.Body, err)
		})
	register(a, on("previewJob", "/jobs/preview", "Tell what a run of a job would do", "Nothing is written anywhere. Of a stored job, name it as it is stored: GET /jobs/{id}/preview."),
		func(ctx context.Context, in *previewDraft) (*answer[Preview], error) {
			p, err := a.admin.Preview(ctx, in.Body.job(), in.All)
			return &answer[Preview]{previewOf(p)}, a.ofDraft(ctx, in.Body, err)
		})
	register(a, operation{
		id: "previewStoredJob", method: "GET", path: "/jobs/{id}/preview", tag: "Jobs", summary: "Tell what a run of a stored job would do", vendor: true, description: "Nothing is written anywhere.",
	}, func(ctx context.Context, in *previewInput) (*answer[Preview], error) {
		j, err := a.Jobs.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		p, err := a.admin.Preview(ctx, j, in.All)
		return &answer[Preview]{previewOf(p)}, err
	})
	register(a, operation{
		id: "sampleStoredJob", method: "GET", path: "/jobs/{id}/sample", tag: "Jobs", summary: "Read 20 records as a stored job's dataset sees them", vendor: true,
	}, func(ctx context.Context, in *ByID) (*answer[Sample], error) {
		j, err := a.Jobs.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		s, err := a.admin.Sample(ctx, j)
		return &answer[Sample]{sampleOf(s)}, err
	})
}

// ofDraft says of what a draft names, and does not exist, where it stands.
func (a *api) ofDraft(ctx context.Context, in JobInput, err error) error {
	if err == nil || !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
		return err
	}
	if _, missing := a.Connections.Get(ctx, in.Connection); fault.Is(missing, fault.NotFound) {
		return inBody(missing, "body.connection")
	}
	if _, known := catalog.Find(in.Mapping.Source); !known {
		return invalid(Detail{Path: "body.mapping.source", Message: fmt.Sprintf("There is no object %.100q: GET /connections/{id}/objects lists those that there are.", in.Mapping.Source)})
	}
	return inBody(err, "body.mapping")
}
