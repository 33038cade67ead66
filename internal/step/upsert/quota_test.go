package upsert_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// A slice of people spends two minutes of quota in one call, from shortly before the
// end of the first: by the time that the calls of this minute took, and 4 seconds.
func TestASliceOfPeopleWaitsForTheEndOfTheNextMinute(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lane  run.Lane
		rows  int
		every time.Duration
		wait  time.Duration // behind the begin of the next minute
	}{
		{"a slice", run.Slices, 1000, time.Minute, 60*time.Second - 3*time.Second - 4*time.Second},
		{"a part that may end in that call", run.Slices, 100, time.Minute, 0},
		{"a quota that rolls", run.Slices, 1000, 0, 0},
		{"changes", run.Changes, 1000, time.Minute, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, people())
				w.lane, w.Every = tt.lane, func() time.Duration { return tt.every }
				w.begin(contacts(tt.rows)...)
				next := time.Now().Add(time.Minute)
				w.target.fail = func(_ int, what string) (bool, error) {
					var n int
					if found, _ := fmt.Sscanf(what, "person c%d@", &n); found == 0 || n < 48 {
						return true, nil
					}
					time.Sleep(3 * time.Second) // the others are answered meanwhile
					return false, fault.Until(next, "Spent.")
				}
				out, err := w.Part(t.Context(), w.input)
				if want := next.Add(tt.wait); err != nil || out.Status != step.Wait || !out.ResumeAt.Equal(want) {
					t.Errorf("%+v, %v, want WAIT until %s", out.Turn, err, want)
				}
			})
		})
	}
}
