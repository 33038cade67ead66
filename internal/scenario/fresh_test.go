package scenario

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
)

// A change reaches Gainsight within the stated bound: 90 s with the window of a
// minute, 15 s with one of 5 s, at the 95th percentile, under both vendors' limits.
func TestChangesArriveInTime(t *testing.T) {
	for _, tt := range []struct {
		window, bound time.Duration
	}{{time.Minute, 90 * time.Second}, {5 * time.Second, 15 * time.Second}} {
		t.Run(tt.window.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, hubspotsim.Options{Latency: 300 * time.Millisecond, IndexLag: hubspotsim.Lag(1, 0, 15*time.Minute)}, 0)
				w.window = tt.window
				w.start()
				w.companies(20)
				w.advance(20 * time.Minute)
				ended(t, "first", w.run(chain).Runs)
				w.listen(hubspotsim.Webhooks{Gather: time.Second, Shuffle: true, Duplicate: 4})
				lags := w.lags(200, 7*time.Second)
				w.silence()
				w.sys.Close()
				slices.Sort(lags)
				p95 := lags[len(lags)*95/100]
				t.Logf("p50 %s, p95 %s, last %s", lags[len(lags)/2], p95, lags[len(lags)-1])
				if p95 > tt.bound {
					t.Errorf("p95 is %s, want at most %s", p95, tt.bound)
				}
			})
		})
	}
}

// lags renames a company n times, once per period, and returns how long each name
// took to arrive.
func (w *world) lags(n int, period time.Duration) []time.Duration {
	var mu sync.Mutex
	var lags []time.Duration
	begun := map[string]time.Time{} // :: company's name → when it got it
	stop := make(chan struct{})
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			mu.Lock()
			for _, name := range w.values("company", accountID, "Name") {
				if at, waits := begun[name]; waits {
					lags = append(lags, time.Since(at))
					delete(begun, name)
				}
			}
			mu.Unlock()
		}
	}()
	for i := range n {
		name := fmt.Sprintf("Name %d", i)
		mu.Lock()
		begun[name] = time.Now()
		w.portal.Set("companies", fmt.Sprint(1+i%20), map[string]string{"name": name})
		mu.Unlock()
		w.advance(period)
	}
	w.advance(3 * time.Minute)
	close(stop)
	<-watching
	if len(begun) > 0 {
		w.t.Errorf("%d changes never arrived", len(begun))
	}
	return lags
}

// A flood of a thousand requests a second loses nothing and starts one run per
// window: every record is read once per window, and all names arrive.
func TestAFloodOfWebhooksLosesNothing(t *testing.T) {
	t.Parallel()
	seconds := 60
	if raced || testing.Short() {
		seconds = 3
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hubspotsim.Options{Limits: hubspotsim.Limits{Off: true}}, 0)
		w.companies(500)
		w.advance(2 * time.Hour)
		ended(t, "first", w.run(chain).Runs)
		w.listen(hubspotsim.Webhooks{}) // each edit is a request
		for i := range seconds {
			for n := range 1000 {
				w.portal.Set("companies", fmt.Sprint(1+(i*1000+n)%500), map[string]string{"name": fmt.Sprintf("Name %d-%d", i, n)})
				w.advance(time.Millisecond)
			}
		}
		w.advance(3 * time.Minute)
		w.silence()
		w.sys.Close()
		marked := 0
		runs, err := w.sys.Runs.List(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if r.Mode == run.ModeMarked {
				marked++
				if r.Counts.Extracted > 500 {
					t.Errorf("a run read %d records of 500", r.Counts.Extracted)
				}
			}
		}
		t.Logf("%d requests, %d runs", w.hooks.arrived.Load(), marked)
		if windows := seconds/60 + 2; marked == 0 || marked > windows {
			t.Errorf("%d runs of marked records, want at most %d", marked, windows)
		}
		w.correct(t)
	})
}
