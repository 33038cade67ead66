package budget_test

import (
	"testing"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
)

func TestCallsWithoutHurryLeaveAQuarter(t *testing.T) {
	b, _, _ := one(t, budget.Window{Calls: 100, Per: time.Minute, Fixed: true})
	if n := takeAll(t, budget.Patient(t.Context()), b); n != 72 {
		t.Errorf("%d calls without hurry, want three quarters of 96", n)
	}
	if n := takeAll(t, t.Context(), b); n != 24 {
		t.Errorf("%d calls are left to others, want 24", n)
	}
}

// Of a day the share that is left shrinks: at its end all calls are used, and at any
// time before there are some for others.
func TestTheShareOfADayShrinksUntilItIsUsedUp(t *testing.T) {
	day := budget.Window{Calls: 10_000, Per: 24 * time.Hour, Fixed: true}
	b, c, _ := one(t, day)
	c.at = c.at.Truncate(day.Per)
	begin, sum, first := c.at, 0, 0
	for {
		n := takeAll(t, budget.Patient(t.Context()), b)
		if sum += n; first == 0 {
			first = n
		}
		next := fault.ResumeAt(b.Take(budget.Patient(t.Context())))
		if passed := next.Sub(begin); passed >= day.Per {
			break
		} else if left := 9600 - sum; left < int(2400*(1-passed.Hours()/24))-30 {
			t.Fatalf("after %s only %d calls are left to others", passed, left)
		}
		c.at = next
	}
	if first < 7200 || first > 7250 {
		t.Errorf("%d calls at once, want some 7,200", first)
	}
	if sum < 9570 || sum > 9600 {
		t.Errorf("%d calls in the day, want nearly 9,600", sum)
	}
}

func TestRoomIsWhatTheScarcestWindowGives(t *testing.T) {
	b, _, _ := one(t, budget.Window{Calls: 100, Per: time.Minute, Fixed: true}, budget.Window{Calls: 50_000, Per: 24 * time.Hour, Fixed: true})
	for d, want := range map[time.Duration]int{time.Minute: 72, time.Hour: 4320, 6 * time.Hour: 25_920, 24 * time.Hour: 48_000, 48 * time.Hour: 96_000} {
		if got := b.Room(d); got != want {
			t.Errorf("%d calls in %s, want %d", got, d, want)
		}
	}
}
