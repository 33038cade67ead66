package budget_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
)

// takeAll takes calls until there are none, and returns how many there were.
func takeAll(t *testing.T, ctx context.Context, b *budget.Budget) int { //nolint:revive // the test comes first
	t.Helper()
	for n := 0; ; n++ {
		err := b.Take(ctx)
		if fault.Is(err, fault.Throttled) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsThatAreSetHoldFromTheNextMinuteOn(t *testing.T) {
	c := &clock{start}
	items, closeItems := open(t, t.TempDir(), c.now)
	defer closeItems()
	set, reserve, fails, asked := 100, 0.0, error(nil), 0
	b := &budget.Budget{Table: items, Name: "b", Windows: []budget.Window{{Calls: 10, Per: time.Minute, Fixed: true}}, Now: c.now}
	b.Current = func(context.Context) ([]budget.Window, float64, error) {
		asked++
		return []budget.Window{{Calls: set, Per: time.Minute, Fixed: true}}, reserve, fails
	}
	steps := []struct {
		name    string
		set     int
		reserve float64
		fails   error
		normal  int // calls of a minute with a margin of 4 %
		urgent  int // more for which somebody waits
	}{
		{"what is set", 100, 0, nil, 96, 0},
		{"a lower limit", 50, 0, nil, 48, 0},
		{"a reserve", 50, 0.25, nil, 36, 12},
		{"no answer", 100, 0, errors.New("down"), 36, 12},
		{"a reserve of nearly nothing", 2, 0.5, nil, 1, 0},
	}
	for _, s := range steps {
		set, reserve, fails = s.set, s.reserve, s.fails
		before := asked
		if n := takeAll(t, t.Context(), b); n != s.normal {
			t.Errorf("%s: %d calls, want %d", s.name, n, s.normal)
		}
		if n := takeAll(t, budget.Urgent(t.Context()), b); n != s.urgent {
			t.Errorf("%s: %d urgent calls, want %d", s.name, n, s.urgent)
		}
		if asked != before+1 {
			t.Errorf("%s: asked %d times in a minute", s.name, asked-before)
		}
		c.at = c.at.Add(time.Minute)
	}
	if got := b.Limits(); len(got) != 1 || got[0].Calls != 2 {
		t.Errorf("limits %+v", got)
	}
}
