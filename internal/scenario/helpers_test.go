package scenario

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// watched is the table under the connector. It checks each move of a watermark
// as it happens, and counts the writes of prints.
type watched struct {
	table.Table
	t      testing.TB
	prints atomic.Int64
}

// watch puts a watched table under the world, in a new process.
func (w *world) watch() *watched {
	t := &watched{Table: w.bolt, t: w.t}
	w.bolt = t
	w.start()
	return t
}

func (t *watched) Write(ctx context.Context, ops []table.Op) error {
	for _, op := range ops {
		switch {
		case op.Verb == table.Check:
		case strings.HasPrefix(op.Item.Partition, "PRINT#"):
			t.prints.Add(1)
		case strings.HasPrefix(op.Item.Sort, "watermark#"):
			t.checkWatermark(ctx, op.Item)
		}
	}
	return t.Table.Write(ctx, ops)
}

// checkWatermark enforces Guarantee 2: every part of the run that moves it is
// settled, and it never moves back.
func (t *watched) checkWatermark(ctx context.Context, item table.Item) {
	var was, is run.Watermark
	if err := json.Unmarshal(item.Doc, &is); err != nil {
		t.t.Error(err)
		return
	}
	if _, err := table.Load(ctx, t.Table, item.Key, &was); err == nil && is.At.Before(was.At) {
		t.t.Errorf("the watermark moved back from %s to %s", was.At, is.At)
	}
	runs := &run.Store{Table: t.Table}
	extraction, err := runs.Extraction(ctx, is.Run)
	if err != nil {
		t.t.Error(err)
	}
	parts, err := runs.Parts(ctx, is.Run)
	if err != nil {
		t.t.Error(err)
	}
	settled := 0
	for _, p := range parts {
		settled += p.Counts.Settled()
	}
	if !extraction.Done || len(parts) != extraction.Parts || settled != extraction.Count {
		t.t.Errorf("the watermark moved with %d of %d records settled in %d of %d parts", settled, extraction.Count, len(parts), extraction.Parts)
	}
}

// bubble runs a test of a new world in virtual time, beside other tests.
func bubble(t *testing.T, o hubspotsim.Options, partSize int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, o, partSize)) })
}

// companies creates companies with the ids 1 to n.
func (w *world) companies(n int) {
	for i := 1; i <= n; i++ {
		w.company(i)
	}
}

func (w *world) company(id int) {
	w.portal.Create("companies", map[string]string{"hs_object_id": fmt.Sprint(id), "name": fmt.Sprintf("Company %d", id)})
}

// call reports whether a request is one for a page of records of the type: of
// the list, of a search, or of either.
func listing(r *http.Request, typeID string) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+typeID) && strings.HasPrefix(r.URL.Path, "/crm/objects/")
}

func searching(r *http.Request, typeID string) bool {
	return strings.HasSuffix(r.URL.Path, "/"+typeID+"/search")
}

// kill ends the process at once; a new one goes on. then happens in between.
func (w *world) kill(then func()) {
	w.gate.mu.Lock()
	dead := w.gate.dead
	w.gate.dead = true
	w.gate.mu.Unlock()
	if dead {
		return
	}
	if then != nil {
		then()
	}
	w.gate.die()
}

// only runs one job, which must end well, and returns its run.
func (w *world) only(t *testing.T, name string) run.Run {
	t.Helper()
	res := w.run(run.Input{Job: name})
	ended(t, name, res.Runs)
	if len(res.Runs) != 1 {
		t.Fatalf("%s: %d runs; said %q", name, len(res.Runs), w.lines)
	}
	return res.Runs[0]
}

// failed runs one job, which must fail, and returns its run.
func (w *world) failed(t *testing.T, name, reason string) run.Run {
	t.Helper()
	res := w.run(run.Input{Job: name})
	if len(res.Runs) != 1 || res.Runs[0].Status != run.Failed || !strings.Contains(res.Runs[0].Reason, reason) {
		t.Fatalf("%s: %q, want it to fail with %q", name, w.lines, reason)
	}
	return res.Runs[0]
}

func (w *world) job(name string) job.Job {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) save(j job.Job) {
	w.t.Helper()
	if _, err := w.sys.Jobs.Save(w.t.Context(), j, "tester"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) watermark(jobName string) run.Watermark {
	w.t.Helper()
	mark, err := (&run.Store{Table: w.bolt}).Watermark(w.t.Context(), w.job(jobName).ID, run.Changes)
	if err != nil {
		w.t.Fatal(err)
	}
	return mark
}

// newest is the run that was planned last.
func (w *world) newest() run.Run {
	w.t.Helper()
	runs, err := (&run.Store{Table: w.bolt}).List(w.t.Context(), 1)
	if err != nil || len(runs) == 0 {
		w.t.Fatalf("no run: %v", err)
	}
	return runs[0]
}

// prints is what is remembered of the records of a job. :: source id → print
func (w *world) prints(jobID string) map[string]delta.Print {
	w.t.Helper()
	prints := map[string]delta.Print{}
	for shard := range 64 {
		err := table.All(w.t.Context(), w.bolt, fmt.Sprintf("PRINT#%s#%02x", jobID, shard), table.Range{}, func(item table.Item) error {
			var p delta.Print
			err := json.Unmarshal(item.Doc, &p)
			prints[item.Sort] = p
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return prints
}

// errorIDs are the records of an error file. :: source id → lines
func (w *world) errorIDs(file string) map[string]int {
	w.t.Helper()
	f, err := w.files.Open(w.t.Context(), file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]int{}
	for _, line := range lines[1:] {
		ids[line[0]]++
	}
	return ids
}

// values are the values of a field in the rows of an object, by another field.
func (w *world) values(object, by, field string) map[string]string {
	values := map[string]string{}
	for row := range w.target.Rows(object) {
		if v := row[field]; v != nil {
			values[fmt.Sprint(row[by])] = fmt.Sprint(v)
		}
	}
	return values
}

// accountID is the company field with HubSpot's id.
var accountID = fmt.Sprintf("HubSpot_Account_ID_%d__gc", portalID)
