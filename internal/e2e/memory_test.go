package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/step/transform"
	"hubspotconnector/internal/step/upsert"
)

// BenchmarkMemory runs the steps over records of 25 values, three parts of them, with
// the memory that Go may take in their functions: alone, and beside a million rows in
// each object that is looked up. It fails if a step needs more. Of the simulators
// nothing is in the way: records are made as they are read, and rows are not kept.
func BenchmarkMemory(b *testing.B) {
	for name, rows := range map[string]int{"empty target": 0, "a million rows": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			const records = 30_000
			p := newPaid(b, func(sim http.RoundTripper) http.RoundTripper { return endless{sim, records} },
				func(sim http.RoundTripper) http.RoundTripper { return bottomless{sim, rows} })
			id := p.wide(b, 25).ID
			for n := 0; b.Loop(); n++ {
				planned, err := p.Plan.Round(b.Context(), plan.Input{Execution: fmt.Sprint("e", n), Round: 1, Input: run.Input{Job: id, Mode: run.ModeFull}})
				if err != nil {
					b.Fatal(err)
				}
				r := planned.Jobs[0].Run
				p.measure(b, "extract", records, func(ctx context.Context) (step.Turn, error) {
					out, err := p.Extract.Slice(ctx, extract.Input{Run: r})
					return out.Turn, err
				})
				at, err := p.runs.Extraction(b.Context(), r)
				if err != nil || at.Parts < 3 {
					b.Fatalf("%+v, %v, want 3 parts", at, err)
				}
				p.measure(b, "transform", records, eachPart(at.Parts, func(ctx context.Context, part int) (step.Turn, error) {
					out, err := p.Transform.Part(ctx, transform.Input{Run: r, Part: part, Pass: 1})
					return out.Turn, err
				}))
				p.measure(b, "upsert", records, eachPart(at.Parts, func(ctx context.Context, part int) (step.Turn, error) {
					out, err := p.Upsert.Part(ctx, upsert.Input{Run: r, Part: part, Pass: 1})
					return out.Turn, err
				}))
			}
		})
	}
}

func eachPart(parts int, do func(context.Context, int) (step.Turn, error)) func(context.Context) (step.Turn, error) {
	return func(ctx context.Context) (turn step.Turn, err error) {
		for part := 1; part <= parts && err == nil && (turn.Status == "" || turn.Status == step.Done); part++ {
			turn, err = do(ctx, part)
		}
		return turn, err
	}
}

// measure does the work of a function for so many records under the memory limit that
// serve.Run sets, and reports what it took.
func (p *paid) measure(b *testing.B, function string, records int, work func(context.Context) (step.Turn, error)) {
	b.Helper()
	limit := int64(p.memory[function]) << 20 / 5 * 4
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	debug.FreeOSMemory()
	before := cpu()
	stop, highest := make(chan struct{}), make(chan int64)
	go func() { highest <- watch(stop) }()
	turn, err := work(b.Context())
	close(stop)
	top := <-highest
	if err != nil || turn.Status != step.Done {
		b.Fatalf("%s: %+v, %v, want DONE", function, turn, err)
	}
	b.ReportMetric(float64(top>>20), function+"-MB")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(records), function+"-cpu-µs/record")
	if top > limit+limit/10 {
		b.Errorf("%s takes %d MB, want at most %d of the %d that its function has", function, top>>20, limit>>20, p.memory[function])
	}
}

// watch returns the most memory that Go held at a time, in bytes.
func watch(stop <-chan struct{}) (highest int64) {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		metrics.Read(held)
		highest = max(highest, int64(held[0].Value.Uint64()-held[1].Value.Uint64()))
		select {
		case <-stop:
			return highest
		case <-time.After(time.Millisecond):
		}
	}
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of oneself it does not fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wide saves a job of so many texts and a look-up.
func (p *paid) wide(b *testing.B, texts int) job.Job {
	b.Helper()
	connections, err := p.Connections.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	p.target.AddObject("thing__gc", "Thing")
	p.target.AddField("thing__gc", gainsightsim.Field{Name: "Thing_ID__gc", Label: "ID", DataType: "STRING", Nillable: true})
	p.target.AddField("thing__gc", gainsightsim.Field{Name: "Company__gc", Label: "Company", DataType: "GSID", Nillable: true})
	j := job.Job{Name: "Things", Connection: connections[0].ID, Mapping: mapping.Config{
		Source: "company", Target: "thing__gc",
		Fields: []mapping.Field{{Name: "id", Property: "hs_object_id"}},
		Direct: []mapping.Direct{{From: "id", To: "Thing_ID__gc", Identifier: true}},
		Derived: []mapping.Derived{{
			To: "Company__gc", Object: "company", Match: []mapping.Pair{{From: "text_0", Field: "Name"}}, Multiple: mapping.MultipleAny, None: mapping.NoneNull,
		}},
	}}
	for i := range texts {
		from, to := fmt.Sprint("text_", i), fmt.Sprintf("Text_%d__gc", i)
		p.portal.DefineProperty("companies", hubspotsim.Property{Name: from, Label: from, Type: "string", FieldType: "text"})
		p.target.AddField("thing__gc", gainsightsim.Field{Name: to, Label: to, DataType: "STRING", Nillable: true})
		j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: from})
		j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: from, To: to})
	}
	if j, err = p.Jobs.Save(b.Context(), j, "bench"); err != nil {
		b.Fatal(err)
	}
	return j
}

// endless is HubSpot with companies that are made as they are listed.
type endless struct {
	sim     http.RoundTripper
	records int
}

// RoundTrip implements http.RoundTripper.
func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	if !strings.HasSuffix(r.URL.Path, "/0-2") || q.Get("limit") != "100" {
		return e.sim.RoundTrip(r)
	}
	after, err := strconv.Atoi("0" + q.Get("after"))
	if err != nil {
		return nil, err
	}
	type object struct {
		ID         string            `json:"id"`
		Properties map[string]string `json:"properties"`
		UpdatedAt  string            `json:"updatedAt"`
	}
	var page struct {
		Results []object       `json:"results"`
		Paging  map[string]any `json:"paging,omitempty"`
	}
	last := min(after+100, e.records)
	for n := after + 1; n <= last; n++ {
		o := object{ID: fmt.Sprint(n), Properties: map[string]string{"hs_object_id": fmt.Sprint(n)}, UpdatedAt: "2026-01-01T00:00:00.000Z"}
		for name := range strings.SplitSeq(q.Get("properties"), ",") {
			if strings.HasPrefix(name, "text_") {
				o.Properties[name] = fmt.Sprintf("value %s of company %d", name, n)
			}
		}
		page.Results = append(page.Results, o)
	}
	if last < e.records {
		page.Paging = map[string]any{"next": map[string]string{"after": fmt.Sprint(last)}}
	}
	return answer(r, page)
}

// bottomless is Gainsight with rows that are made as they are read, in each object. It
// keeps nothing that is inserted.
type bottomless struct {
	sim  http.RoundTripper
	rows int
}

// RoundTrip implements http.RoundTripper.
func (s bottomless) RoundTrip(r *http.Request) (*http.Response, error) {
	var in struct {
		Records []json.RawMessage `json:"records"`
		Select  []string          `json:"select"`
		Where   struct {
			Conditions []struct {
				Operator string   `json:"operator"`
				Value    []string `json:"value"`
			} `json:"conditions"`
		} `json:"where"`
		Limit int `json:"limit"`
	}
	insert, query := r.URL.Path == "/v1/data/objects/thing__gc", strings.HasPrefix(r.URL.Path, "/v1/data/objects/query/")
	if !insert && !query {
		return s.sim.RoundTrip(r)
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	rows := []map[string]string{}
	if insert {
		for n := range in.Records {
			rows = append(rows, map[string]string{"Gsid": fmt.Sprintf("1P02INSERTEDROWSOF%018d", n)})
		}
		return answer(r, map[string]any{"result": true, "data": map[string]any{"records": rows}})
	}
	after, some := 0, s.rows
	for _, c := range in.Where.Conditions {
		if c.Operator != "GT" {
			some = 0 // none has the value that is asked for
			continue
		}
		var err error
		if after, err = strconv.Atoi(c.Value[0][18:]); err != nil {
			return nil, err
		}
	}
	for n := after + 1; n <= min(after+in.Limit, some); n++ {
		row := map[string]string{}
		for _, field := range in.Select {
			row[field] = fmt.Sprintf("value text_0 of company %d", n)
		}
		row["Gsid"] = fmt.Sprintf("1P02ABCDEFGHIJKLMN%018d", n)
		rows = append(rows, row)
	}
	return answer(r, map[string]any{"result": true, "data": map[string]any{"records": rows}})
}

func answer(r *http.Request, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r,
	}, err
}
