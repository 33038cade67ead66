package activity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
)

// fill stores an execution every 12 hours from 1 September 2026 on, those of two
// jobs in turn, r0 the oldest.
func fill(t *testing.T, w *world, n int) {
	t.Helper()
	at := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		w.write(t, w.ExecutionOps(activity.Execution{RunID: fmt.Sprint("r", i), JobID: fmt.Sprint("j", i%2), Started: at})...)
		at = at.Add(12 * time.Hour)
	}
}

func scanned(t *testing.T, w *world, job string, span activity.Span, most int) (ids []string, last string) {
	t.Helper()
	err := w.ScanExecutions(t.Context(), job, span, func(e activity.Execution, at string) bool {
		ids, last = append(ids, e.RunID), at
		return len(ids) < most
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, last
}

func TestAScanGoesOnWhereItStoppedOverMonths(t *testing.T) {
	w := newWorld(t)
	fill(t, w, 150) // to 14 November
	for _, job := range []string{"", "j0"} {
		var all []string
		for after := ""; ; {
			ids, last := scanned(t, w, job, activity.Span{After: after}, 7)
			all = append(all, ids...)
			if len(ids) < 7 {
				break
			}
			after = last
		}
		var want []string
		for i := 149; i >= 0; i-- {
			if job == "" || i%2 == 0 {
				want = append(want, fmt.Sprint("r", i))
			}
		}
		if d := cmp.Diff(want, all); d != "" {
			t.Errorf("of %q (-want +got):\n%s", job, d)
		}
	}
}

func TestASpanBoundsAScan(t *testing.T) {
	w := newWorld(t)
	fill(t, w, 150)
	span := activity.Span{From: time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)}
	got, _ := scanned(t, w, "", span, 100)
	if d := cmp.Diff([]string{"r60", "r59", "r58"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	got, _ = scanned(t, w, "j0", span, 100)
	if d := cmp.Diff([]string{"r60", "r58"}, got); d != "" {
		t.Errorf("of a job (-want +got):\n%s", d)
	}
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, after := range []string{"x", "2026-13-01T00:00:00.000Z#r", "#"} {
		err := w.ScanUpdates(t.Context(), activity.Span{After: after}, func(activity.Update, string) bool { return true })
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want Invalid", after, err)
		}
	}
}
