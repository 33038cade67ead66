package apiclient_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table/bolttable"
)

// limited is connect with a budget of calls in a window, which rolls.
func limited(t *testing.T, calls int, per time.Duration, answers ...answer) (*apiclient.Client, *vendor) {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "table"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	c, v := connect(answers...)
	c.Budgets = map[string]*budget.Budget{
		"things": {Table: items, Name: "things", Windows: []budget.Window{{Calls: calls, Per: per}}},
	}
	return c, v
}

func thing() apiclient.Request {
	return apiclient.Request{Method: http.MethodGet, Path: "/things", Budget: "things", Repeat: true}
}

func TestCallsWaitForTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := limited(t, 5, time.Second, answer{status: 200, body: "{}"})
		for range 20 {
			if err := c.Do(t.Context(), thing()); err != nil {
				t.Fatal(err)
			}
		}
		for i := 5; i < len(v.at); i++ {
			if v.at[i]-v.at[i-5] < time.Second {
				t.Errorf("calls %d to %d arrived within a second: %v", i-5, i, v.at[i-5:i+1])
			}
		}
		if took := v.at[19]; took > 4500*time.Millisecond {
			t.Errorf("20 calls took %s at 5 a second", took)
		}
	})
}

func TestALongWaitForTheBudgetIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := limited(t, 1, time.Minute, answer{status: 200, body: "{}"})
		if err := c.Do(t.Context(), thing()); err != nil {
			t.Fatal(err)
		}
		err := c.Do(t.Context(), thing())
		if !fault.Is(err, fault.Throttled) || len(v.at) != 1 || time.Since(v.start) != 0 {
			t.Errorf("%v after %d calls in %s", err, len(v.at), time.Since(v.start))
		}
		if at := fault.ResumeAt(err).Sub(v.start); at < time.Minute || at > 70*time.Second {
			t.Errorf("resumes after %s, want about a minute", at)
		}
	})
}

func TestA429LowersTheBudgetOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := limited(t, 100, 10*time.Second, answer{status: 430}, answer{status: 200, body: "{}"})
		if err := c.Do(t.Context(), thing()); !fault.Is(err, fault.Throttled) {
			t.Fatal(err)
		}
		err := c.Do(t.Context(), thing()) // another caller
		if !fault.Is(err, fault.Throttled) || len(v.at) != 1 {
			t.Errorf("%v after %d calls, want no second call", err, len(v.at))
		}
		if at := fault.ResumeAt(err).Sub(v.start); at < time.Minute {
			t.Errorf("resumes after %s, want a minute", at)
		}
		time.Sleep(61 * time.Second)
		if err := c.Do(t.Context(), thing()); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

func TestAnswersThatTheQuotaIsSpentAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := limited(t, 100, 10*time.Second, answer{status: 429}, answer{status: 200, body: "{}"}, answer{status: 200, body: "{}"})
		counted := map[string]int{}
		c.Refused = func(_ context.Context, vendor string) { counted[vendor]++ }
		for range 2 {
			if err := c.Do(t.Context(), thing()); err != nil {
				t.Fatal(err)
			}
		}
		if counted[c.Vendor] != 1 || len(counted) != 1 || len(v.at) != 3 {
			t.Errorf("counted %v in %d calls, want one", counted, len(v.at))
		}
	})
}

func TestAnUnknownBudgetIsABug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := limited(t, 5, time.Second, answer{status: 200, body: "{}"})
		r := thing()
		r.Budget = "nothings"
		if err := c.Do(t.Context(), r); !fault.Is(err, fault.Internal) || len(v.at) != 0 {
			t.Errorf("%v after %d calls", err, len(v.at))
		}
	})
}
