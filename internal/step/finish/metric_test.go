package finish_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// A closed run is counted once, by whoever closed it, however often Finish runs.
func TestAClosedRunIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	var got []string
	w.Metrics = func(_ context.Context, name metric.Name, of string, value float64) {
		got = append(got, fmt.Sprint(name, " ", of, " ", value))
	}
	w.open("A", "B")
	w.extracted("A", run.Extraction{Parts: 1, Count: 5, Done: true})
	w.rows("A", 1, 1, row("1"), row("2"), rejected("3"), row("4"), row("5"))
	w.settle("A", run.Part{Number: 1, At: 5, Done: true, Counts: run.Counts{Inserted: 1, Updated: 3, Rejected: 1}, Rejects: map[record.Code]int{record.TooLong: 1}})
	w.job(extractDone())
	w.job(extractDone())
	want := []string{"Records extracted 5", "Records inserted 1", "Records rejected 1", "Records updated 3", "Runs Partial Success 1"}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}
