package scenario

import (
	"syscall"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
	steps "hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/step/transform"
)

// maxCPU is the most processor time that a record may take from HubSpot's page
// to a staged row, with 25 properties, the simulator's share included.
const maxCPU = 60 * time.Microsecond

// BenchmarkExtractAndTransform reads 20,000 companies of 25 properties and turns
// them into rows.
func BenchmarkExtractAndTransform(b *testing.B) {
	const records = 20_000
	w := newWorld(b, hubspotsim.Options{Seed: 1, Limits: hubspotsim.Limits{Off: true}}, 0)
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Companies: records})
	j, err := w.sys.Jobs.Find(b.Context(), "Company Sync_HS")
	if err != nil {
		b.Fatal(err)
	}
	schema, err := w.sys.HubSpot.Schema(b.Context(), w.connection, "0-2")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range schema.Fields {
		if len(j.Mapping.Fields) < 25 && !f.Archived && f.Name != "name" && f.Name != "hs_object_id" {
			j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: f.Name})
		}
	}
	if _, err := w.sys.Jobs.Save(b.Context(), j, "bench"); err != nil {
		b.Fatal(err)
	}
	var spent time.Duration
	for b.Loop() {
		spent += w.extractAndTransform(b, j.ID, records)
	}
	each := spent / time.Duration(b.N*records)
	b.ReportMetric(float64(each.Nanoseconds())/1000, "cpu-µs/record")
	if each > maxCPU {
		b.Errorf("a record takes %v of processor time, want at most %v", each, maxCPU)
	}
}

// extractAndTransform does both steps for all records and returns the processor
// time that they took.
func (w *world) extractAndTransform(b *testing.B, job string, records int) time.Duration {
	ctx := b.Context()
	planned, err := w.sys.Plan.Round(ctx, plan.Input{Execution: w.newID(), Round: 1, Input: run.Input{Job: job, Mode: run.ModeFull}})
	if err != nil {
		b.Fatal(err)
	}
	id := planned.Jobs[0].Run
	before := cpu(b)
	out, err := w.sys.Extract.Slice(ctx, extract.Input{Run: id})
	if err != nil || out.Status != steps.Done {
		b.Fatalf("extract: %v %v", out.Status, err)
	}
	for part := 1; part <= *out.Parts; part++ {
		if out, err := w.sys.Transform.Part(ctx, transform.Input{Run: id, Part: part, Pass: 1}); err != nil || out.Status != steps.Done {
			b.Fatalf("transform: %v %v", out.Status, err)
		}
	}
	spent := cpu(b) - before
	at, err := w.sys.Runs.Extraction(ctx, id)
	if err != nil || at.Count != records {
		b.Fatalf("%d records read, want %d; %v", at.Count, records, err)
	}
	r, err := w.sys.Runs.Get(ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.sys.Runs.Leases.Release(ctx, r.Lease()); err != nil {
		b.Fatal(err)
	}
	return spent
}

// cpu is the processor time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
