package meter_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/meter"
)

func TestCallsAreCountedByVendor(t *testing.T) {
	ctx, m := meter.With(t.Context())
	child, cancel := context.WithCancel(ctx)
	cancel() // a call that was sent counts, whatever became of it
	meter.Count(ctx, "HubSpot")
	meter.Count(child, "HubSpot")
	meter.Count(child, "Gainsight")
	if diff := cmp.Diff(map[string]int{"HubSpot": 2, "Gainsight": 1}, m.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCallsAtOnceAreAllCounted(t *testing.T) {
	ctx, m := meter.With(t.Context())
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				meter.Count(ctx, "HubSpot")
			}
		})
	}
	group.Wait()
	if got := m.Calls()["HubSpot"]; got != 5000 {
		t.Errorf("%d calls, want 5000", got)
	}
}

func TestTheInnerMeterCountsAlone(t *testing.T) {
	outer, all := meter.With(t.Context())
	inner, some := meter.With(outer)
	meter.Count(inner, "HubSpot")
	if all.Calls()["HubSpot"] != 0 || some.Calls()["HubSpot"] != 1 {
		t.Errorf("outer %v, inner %v, want only the inner to count", all.Calls(), some.Calls())
	}
}

func TestCountWithoutAMeterDoesNothing(t *testing.T) {
	meter.Count(t.Context(), "HubSpot")
}

func TestCallsAreACopy(t *testing.T) {
	ctx, m := meter.With(t.Context())
	m.Calls()["HubSpot"] = 7
	meter.Count(ctx, "HubSpot")
	if got := m.Calls()["HubSpot"]; got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
}
