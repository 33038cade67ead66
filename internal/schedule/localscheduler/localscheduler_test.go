package localscheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/schedule/localscheduler"
	"hubspotconnector/internal/schedule/schedulertest"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

func TestScheduler(t *testing.T) {
	schedulertest.Run(t, &localscheduler.Scheduler{})
}

// A world is a machine on which processes come and go. Its time is that of a
// bubble, which begins on 1 January 2000 at 00:00 UTC.
type world struct {
	t     *testing.T
	table table.Table

	mu      sync.Mutex
	started []string                // "time name input"
	fail    func(name string) error // called under the lock
	log     strings.Builder
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) start(_ context.Context, name string, input json.RawMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		if err := w.fail(name); err != nil {
			return err
		}
	}
	w.started = append(w.started, fmt.Sprintf("%s %s %s", time.Now().UTC().Format("01-02T15:04:05"), name, input))
	return nil
}

// look lets a test see and change what starts use.
func (w *world) look(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return &world{t: t, table: items}
}

// process runs a scheduler that follows some schedules until the returned
// function is called.
func (w *world) process(follow map[string]schedule.Schedule) (s *localscheduler.Scheduler, end func()) {
	w.t.Helper()
	s = &localscheduler.Scheduler{Table: w.table, Log: slog.New(slog.NewTextHandler(w, nil)), Start: w.start}
	for id, sch := range follow {
		put(w.t, s, id, sch)
	}
	ctx, cancel := context.WithCancelCause(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	return s, func() {
		w.t.Helper()
		reason := errors.New("the process ends")
		cancel(reason)
		if err := <-done; !errors.Is(err, reason) {
			w.t.Errorf("Run ended with %v", err)
		}
	}
}

func put(t *testing.T, s *localscheduler.Scheduler, id string, sch schedule.Schedule) {
	t.Helper()
	if err := s.Put(t.Context(), schedule.Owner{What: schedule.Chain, ID: id}, sch); err != nil {
		t.Fatal(err)
	}
}

// want checks what was started since the last check.
func (w *world) want(started ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(started, w.started); diff != "" {
		w.t.Errorf("started (-want +got):\n%s", diff)
	}
	w.started = nil
}

// start is what the start of an occurrence on a day of January looks like.
func start(at, id, occurrence string) string {
	due, err := time.Parse("2006-01-02T15:04", "2000-"+occurrence)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`%s chain-%s-%s {"cause":"schedule","chain":%q,"due":%q}`, at, id, due.Format("20060102T150405Z"), id, due.Format(time.RFC3339))
}

func daily(at string) schedule.Schedule {
	return schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: at, Zone: "UTC"}
}

func sleepUntil(at string) {
	t, err := time.Parse("2006-01-02T15:04:05", "2000-"+at)
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Until(t))
	synctest.Wait()
}

func TestWhatIsDueIsStartedOnceInItsMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sleepUntil("01-01T05:00:07")
		s, end := w.process(map[string]schedule.Schedule{"a": daily("06:30"), "b": daily("06:30"), "c": daily("04:00")})
		defer end()
		w.want()
		put(t, s, "late", schedule.Schedule{Enabled: true, Kind: schedule.Minutes, Every: 30, At: "05:01", Zone: "UTC"})
		sleepUntil("01-01T05:31:00")
		w.want(start("01-01T05:01:00", "late", "01-01T05:01"), start("01-01T05:31:00", "late", "01-01T05:31"))
		if err := s.Delete(t.Context(), schedule.Owner{What: schedule.Chain, ID: "late"}); err != nil {
			t.Fatal(err)
		}
		sleepUntil("01-02T06:31:00")
		w.want(start("01-01T06:30:00", "a", "01-01T06:30"), start("01-01T06:30:00", "b", "01-01T06:30"),
			start("01-02T04:00:00", "c", "01-02T04:00"), start("01-02T06:30:00", "a", "01-02T06:30"), start("01-02T06:30:00", "b", "01-02T06:30"))
	})
}

func TestOfTheTimesThatWereMissedTheLastIsStartedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		follow := map[string]schedule.Schedule{"day": daily("06:30"), "often": {Enabled: true, Kind: schedule.Minutes, Every: 5, At: "00:00", Zone: "UTC"}}
		sleepUntil("01-01T06:29:30")
		_, end := w.process(follow)
		sleepUntil("01-01T06:33:00")
		w.want(start("01-01T06:30:00", "day", "01-01T06:30"), start("01-01T06:30:00", "often", "01-01T06:30"))
		end()
		sleepUntil("01-09T07:12:00")
		_, end = w.process(follow)
		w.want(start("01-09T07:12:00", "day", "01-09T06:30"), start("01-09T07:12:00", "often", "01-09T07:10"))
		end()
		sleepUntil("01-09T07:14:00")
		_, end = w.process(follow)
		w.want() // nothing was missed in between
		sleepUntil("01-09T07:15:00")
		w.want(start("01-09T07:15:00", "often", "01-09T07:15"))
		end()
	})
}

func TestAScheduleIsNotStartedForTimesBeforeItWasMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, end := w.process(map[string]schedule.Schedule{"day": daily("01:00")})
		sleepUntil("01-01T09:00:10")
		w.want(start("01-01T01:00:00", "day", "01-01T01:00"))
		put(t, s, "new", daily("08:00")) // after the last start
		put(t, s, "day", daily("08:30"))
		sleepUntil("01-01T09:01:00")
		end()
		sleepUntil("01-01T09:05:00")
		_, end = w.process(map[string]schedule.Schedule{"day": daily("08:30"), "new": daily("08:00")})
		defer end()
		w.want()
	})
}

func TestAStartThatFailsIsTriedAgainUntilTheNextTakesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		follow := map[string]schedule.Schedule{"often": {Enabled: true, Kind: schedule.Minutes, Every: 5, At: "00:00", Zone: "UTC"}, "other": daily("00:05")}
		fails, tries := 3, []string{}
		w.fail = func(name string) error {
			if !strings.Contains(name, "often") {
				return nil
			}
			tries = append(tries, time.Now().UTC().Format("15:04"))
			if fails--; fails >= 0 {
				return fault.New(fault.Transient, "Not now.")
			}
			return nil
		}
		_, end := w.process(follow)
		sleepUntil("01-01T00:08:30")
		w.want(start("01-01T00:05:00", "other", "01-01T00:05"), start("01-01T00:08:00", "often", "01-01T00:05"))
		w.look(func() {
			if diff := cmp.Diff([]string{"00:05", "00:06", "00:07", "00:08"}, tries); diff != "" {
				t.Error(diff)
			}
			if n := strings.Count(w.log.String(), "kind=Transient"); n != 3 {
				t.Errorf("%d failures are in the log, want 3:\n%s", n, w.log.String())
			}
			fails = 6
		})
		sleepUntil("01-01T00:16:30")
		w.want(start("01-01T00:16:00", "often", "01-01T00:15"))
		w.look(func() { fails = 1000 })
		sleepUntil("01-01T00:21:00")
		end()
		fails = 0
		_, end = w.process(follow)
		defer end()
		w.want(start("01-01T00:21:00", "often", "01-01T00:20")) // a start that failed is missed, too
	})
}

func TestANameThatWasStartedBeforeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var tries []string
		w.fail = func(name string) error {
			tries = append(tries, name)
			return fault.New(fault.Conflict, "It was started before.")
		}
		_, end := w.process(map[string]schedule.Schedule{"day": daily("00:05")})
		defer end()
		sleepUntil("01-02T00:01:00")
		w.look(func() {
			if !slices.Equal(tries, []string{"chain-day-20000101T000500Z"}) || w.log.Len() > 0 {
				t.Errorf("tried %v, log %q", tries, w.log.String())
			}
		})
	})
}

func TestWhatIsOverIsShownAsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &localscheduler.Scheduler{}
		last := daily("00:05")
		last.End = "2000-01-01"
		put(t, s, "c", last)
		time.Sleep(time.Hour)
		entries, err := s.List(t.Context())
		want := []schedule.Entry{{Owner: schedule.Owner{What: schedule.Chain, ID: "c"}}}
		if diff := cmp.Diff(want, entries); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// broken is a table that fails.
type broken struct{ table.Table }

func (broken) Get(context.Context, table.Key) (table.Item, error) {
	return table.Item{}, fault.New(fault.Transient, "No answer.")
}

func TestRunFailsIfItCannotTellWhatWasMissed(t *testing.T) {
	s := &localscheduler.Scheduler{Table: broken{}}
	if err := s.Run(t.Context()); !fault.Is(err, fault.Transient) {
		t.Errorf("%v, want Transient", err)
	}
}

func TestAScheduleThatChangesWhileItIsStartedIsDueAsItIsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var s *localscheduler.Scheduler
		w.fail = func(name string) error {
			if strings.HasSuffix(name, "T000500Z") {
				put(t, s, "day", daily("00:07"))
			}
			return nil
		}
		s, end := w.process(nil)
		defer end()
		put(t, s, "day", daily("00:05"))
		sleepUntil("01-01T00:10:00")
		w.want(start("01-01T00:05:00", "day", "01-01T00:05"), start("01-01T00:07:00", "day", "01-01T00:07"))
	})
}
