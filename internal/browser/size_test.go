package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"testing"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// reader reads pages without a browser.
type reader struct {
	w *world
	*http.Client
}

func (w *world) reader() *reader {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.check(err)
	r := &reader{w: w, Client: &http.Client{Jar: jar}}
	r.read(w.link[len(w.origin):])
	return r
}

// read reads a page and returns how many bytes it has.
func (r *reader) read(path string) int {
	r.w.t.Helper()
	req, err := http.NewRequestWithContext(r.w.t.Context(), http.MethodGet, r.w.origin+path, nil)
	r.w.check(err)
	resp, err := r.Do(req)
	r.w.check(err)
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	r.w.check(err)
	if resp.StatusCode != http.StatusOK {
		r.w.t.Fatalf("%s answers %d", path, resp.StatusCode)
	}
	return int(n)
}

// long gives contacts 5,000 more properties and connects.
func (w *world) long() {
	w.t.Helper()
	for i := range 5000 {
		w.portal.DefineProperty("contacts", hubspotsim.Property{Name: fmt.Sprintf("extra_%04d", i), Label: fmt.Sprint("Extra ", i), Type: "string"})
	}
	w.connect()
	w.run(run.Input{Chain: "HUBSPOT_Company Person Sync"})
}

// history stores runs that have ended, from number from on.
func (w *world) history(from, to int) {
	w.t.Helper()
	jobs, err := w.sys.Jobs.List(w.t.Context())
	w.check(err)
	var items []table.Item
	begun := time.Now().Add(-24 * time.Hour)
	for i := from; i < to; i++ {
		j, at := jobs[i%len(jobs)], begun.Add(time.Duration(i-to)*time.Minute)
		e := activity.Execution{RunID: fmt.Sprintf("old-%06d", i), JobID: j.ID, Job: j.Name, Connection: j.Connection, Status: "Success", Cause: "schedule", Started: at, Ended: at.Add(time.Second)}
		for _, op := range w.sys.Activity.ExecutionOps(e) {
			items = append(items, op.Item)
		}
	}
	w.check(w.table.PutMany(w.t.Context(), items))
}

// longPages are the pages that lists make long.
func (w *world) longPages() []onePage {
	var all []onePage
	for _, p := range w.pages() {
		switch p.name {
		case "connection-test", "connection-revoke", "job-run", "job-problems", "job-previewed", "connections-menu", "not-found", "api": // no page of their own, or a call of the vendors' speed
		default:
			all = append(all, p)
		}
	}
	return append(all, onePage{name: "activity-filtered", path: "/activity?status=Skipped"}, onePage{name: "activity-of-job", path: "/activity?job=" + w.job("User Sync_HubSpot").ID},
		onePage{name: "sample", path: "/jobs/" + w.job("Company Person Sync_HubSpot").ID + "/edit/sample"})
}

// What a page costs does not grow with the number of runs that are stored. Only a
// filter that no run passes has to look at each of them once.
func TestPagesCostTheSameWithManyMoreRuns(t *testing.T) {
	w := newWorld(t)
	w.deals()
	w.long()
	w.history(0, 400)
	r := w.reader()
	type cost struct{ calls, items int }
	measure := func() map[string]cost {
		costs := map[string]cost{}
		for _, p := range w.longPages() {
			r.read(p.path) // what is kept for a while is there then
			w.table.take()
			r.read(p.path)
			var c cost
			c.calls, c.items = w.table.take()
			costs[p.name] = c
		}
		return costs
	}
	few := measure()
	w.history(400, 10_000)
	for name, c := range measure() {
		most := cost{min(few[name].calls+2, 80), few[name].items + 200}
		if name == "activity-filtered" {
			most = cost{40, 10_100}
		}
		if c.calls > most.calls || c.items > most.items {
			t.Errorf("%s reads %d items in %d calls, with 400 runs %d in %d", name, c.items, c.calls, few[name].items, few[name].calls)
		}
	}
}

// With 10,000 runs in the activity and 5,000 properties in an object, every page
// answers within 200 ms at the 95th percentile: the metric p95-ms.
func BenchmarkPages(b *testing.B) {
	w := newWorld(b)
	w.deals()
	w.long()
	w.history(0, 10_000)
	r := w.reader()
	for _, p := range w.longPages() {
		size := r.read(p.path)
		b.Run(p.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				r.read(p.path)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(size)/1000, "kB")
		})
	}
}
