package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/table"
)

// With 10,000 runs in the activity and 5,000 properties in an object, the lists
// answer within 200 ms at the 95th percentile: the metric p95-ms.
func BenchmarkLists(b *testing.B) {
	w := newWorld(b)
	for i := range 5000 {
		w.portal.DefineProperty("contacts", hubspotsim.Property{Name: fmt.Sprintf("extra_%04d", i), Label: fmt.Sprint("Extra ", i), Type: "string"})
	}
	c := w.connect()
	history(w, 10_000)
	for _, path := range []string{
		"/jobs", "/runs?limit=200", "/runs?status=Skipped", "/runs/active", "/updates", "/connections/" + c.ID + "/objects/contact/fields?search=extra_49&limit=200",
	} {
		w.send("GET", path, nil).want(200) // schemas are kept for 5 minutes
		b.Run(path[1:min(len(path), 40)], func(b *testing.B) {
			doc, outer := w.doc, w.t
			w.doc, w.t = nil, b // the test's validation is not measured
			defer func() { w.doc, w.t = doc, outer }()
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				w.send("GET", path, nil).want(200)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// history stores runs that have ended.
func history(w *world, n int) {
	w.t.Helper()
	jobs, err := w.sys.Jobs.List(w.t.Context())
	check(w.t, err)
	var items []table.Item
	at := w.now().Add(-time.Duration(n) * time.Minute)
	for i := range n {
		j := jobs[i%len(jobs)]
		e := activity.Execution{RunID: fmt.Sprintf("old-%06d", i), JobID: j.ID, Job: j.Name, Connection: j.Connection, Status: "Success", Started: at, Ended: at.Add(time.Second)}
		for _, op := range w.sys.Activity.ExecutionOps(e) {
			items = append(items, op.Item)
		}
		at = at.Add(time.Minute)
	}
	check(w.t, w.table.PutMany(w.t.Context(), items))
}

func TestRunsAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t)
	w.connect()
	history(w, 300)
	seen, cursor := map[string]bool{}, ""
	for more := true; more; more = cursor != "" {
		p := into[page](w.send("GET", "/runs?limit=70&status=Success&cursor="+cursor, nil).want(200))
		for _, r := range p.Items {
			if seen[r.Run] {
				t.Errorf("run %s is on two pages", r.Run)
			}
			seen[r.Run] = true
		}
		cursor = p.Next
	}
	if len(seen) != 300 {
		t.Errorf("the pages hold %d runs", len(seen))
	}
	job, _ := w.job("User Sync_HubSpot")
	if p := into[page](w.send("GET", "/runs?limit=200&job="+job.ID, nil).want(200)); len(p.Items) != 100 {
		t.Errorf("the job has %d runs", len(p.Items))
	}
	w.send("GET", "/runs?status=Failed", nil).want(200, `"items":[]`)
}

// page is a page of runs.
type page struct {
	Items []struct{ Run string }
	Next  string
}
