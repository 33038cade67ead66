package scenario

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
)

// bubble runs a test of a new world in virtual time, beside other tests.
func bubble(t *testing.T, o hubspotsim.Options, partSize int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, o, partSize)) })
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
	err := (&delta.Store{Table: w.bolt}).Each(w.t.Context(), jobID, func(id string, p delta.Print) error {
		p.Stored = 0
		prints[id] = p
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
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
	defer func() { _ = f.Close() }()
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
