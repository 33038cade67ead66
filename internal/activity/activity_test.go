package activity_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

type world struct {
	*activity.Store
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	w.Store = &activity.Store{Table: items, Now: clock, NewID: func() string { n++; return fmt.Sprint(n) }}
	return w
}

func (w *world) write(t *testing.T, ops ...table.Op) {
	t.Helper()
	if err := w.Table.Write(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
}

func TestMonthIsReadNewestFirstAndByPages(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.write(t, w.UpdateOp(activity.Update{By: "ann", What: "job", Name: fmt.Sprint("job ", i), Type: activity.Edited}))
		w.write(t, w.ExecutionOps(activity.Execution{RunID: fmt.Sprint("r", i), Started: w.now})...)
		w.now = w.now.Add(30 * time.Second) // the third is in December
	}
	november := time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC)
	var got []string
	for cursor := ""; ; {
		list, next, err := w.Updates(t.Context(), november, 1, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range list {
			got = append(got, u.Name)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"job 1", "job 0"}, got); diff != "" {
		t.Errorf("November (-want +got):\n%s", diff)
	}
	runs, _, err := w.Executions(t.Context(), november.AddDate(0, 1, 0), 0, "")
	if err != nil || len(runs) != 1 || runs[0].RunID != "r2" {
		t.Errorf("December: %v, %v", runs, err)
	}
}

func TestExecutionWrittenTwiceIsThereOnce(t *testing.T) {
	w := newWorld(t)
	e := activity.Execution{RunID: "r", Started: w.now, Status: "Failed"}
	w.write(t, w.ExecutionOps(e)...)
	e.Status = "Success"
	w.now = w.now.Add(48 * time.Hour)
	w.write(t, w.ExecutionOps(e)...)
	runs, _, err := w.Executions(t.Context(), e.Started, 0, "")
	if err != nil || len(runs) != 1 || runs[0].Status != "Success" {
		t.Errorf("got %v, %v", runs, err)
	}
}

func TestEntriesAreKeptForAYear(t *testing.T) {
	w := newWorld(t)
	w.write(t, w.UpdateOp(activity.Update{What: "job"}))
	month := w.now
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{364 * 24 * time.Hour, 1}, {366 * 24 * time.Hour, 0}} {
		w.now = month.Add(tt.after)
		list, _, err := w.Updates(t.Context(), month, 0, "")
		if err != nil || len(list) != tt.want {
			t.Errorf("after %s: %d entries, %v", tt.after, len(list), err)
		}
	}
}
