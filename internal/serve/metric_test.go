package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/serve"
)

func metrics(w *bytes.Buffer) *serve.Metrics {
	return &serve.Metrics{W: w, Stack: "prod", Now: func() time.Time { return time.UnixMilli(1700000000123) }}
}

// want is one line of the embedded metric format.
func want(dimensions, definitions, values string) string {
	return fmt.Sprintf(`{"_aws":{"Timestamp":1700000000123,"CloudWatchMetrics":[{"Namespace":"HubSpotGainsight","Dimensions":[%s],"Metrics":[%s]}]},"Stack":"prod",%s}`,
		dimensions, definitions, values)
}

func same(t *testing.T, got string, want ...string) {
	t.Helper()
	var docs, wanted []any
	for line := range strings.Lines(got) {
		docs = append(docs, decoded(t, line))
	}
	for _, line := range want {
		wanted = append(wanted, decoded(t, line))
	}
	if d := cmp.Diff(wanted, docs); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

func decoded(t *testing.T, line string) (doc any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &doc); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return doc
}

func TestMetricsOfAnEventAreWrittenAtItsEnd(t *testing.T) {
	var w bytes.Buffer
	m := metrics(&w)
	sink := metric.Sink(m.Sink)
	ctx, flush := m.Gather(t.Context())
	for range 3 {
		sink.Emit(ctx, metric.VendorCalls, "HubSpot", 1)
	}
	sink.Emit(ctx, metric.VendorCalls, "Gainsight", 5)
	sink.Emit(ctx, metric.Throttles, "HubSpot", 1)
	sink.Emit(ctx, metric.RunAge, "ignored", 12.5)
	sink.Emit(ctx, metric.WebhookLag, "", 1)
	sink.Emit(ctx, metric.WebhookLag, "", 2)
	sink.Emit(ctx, metric.QuotaUse, "", 80)
	if w.Len() != 0 {
		t.Errorf("written before the end: %s", w.String())
	}
	flush()
	written := w.String()
	flush() // twice is once
	if w.String() != written {
		t.Error("a second flush wrote again")
	}
	same(t, written,
		want(`["Stack"]`, `{"Name":"RunAge","Unit":"Seconds"},{"Name":"WebhookLag","Unit":"Seconds"}`, `"RunAge":12.5,"WebhookLag":[1,2]`),
		want(`["Stack","Quota"]`, `{"Name":"QuotaUse","Unit":"Percent"}`, `"Quota":"unknown","QuotaUse":80`),
		want(`["Stack","Vendor"]`, `{"Name":"VendorCalls","Unit":"Count"}`, `"Vendor":"Gainsight","VendorCalls":5`),
		want(`["Stack","Vendor"]`, `{"Name":"Throttles","Unit":"Count"},{"Name":"VendorCalls","Unit":"Count"}`, `"Vendor":"HubSpot","VendorCalls":3,"Throttles":1`),
	)
}

func TestAMetricOutsideOfAnEventIsWrittenAtOnce(t *testing.T) {
	var w bytes.Buffer
	metrics(&w).Sink(t.Context(), metric.ReauthorizationNeeded, "", 1)
	same(t, w.String(), want(`["Stack"]`, `{"Name":"ReauthorizationNeeded","Unit":"Count"}`, `"ReauthorizationNeeded":1`))
}

func TestALineHoldsAtMostAHundredValues(t *testing.T) {
	var w bytes.Buffer
	m := metrics(&w)
	ctx, flush := m.Gather(t.Context())
	for n := range 150 {
		m.Sink(ctx, metric.WebhookLag, "", float64(n))
	}
	flush()
	if lags := decoded(t, w.String()).(map[string]any)["WebhookLag"].([]any); len(lags) != 100 {
		t.Errorf("%d values", len(lags))
	}
}

func TestAValueThatIsNoNumberSpoilsNoOther(t *testing.T) {
	var w bytes.Buffer
	m := metrics(&w)
	ctx, flush := m.Gather(t.Context())
	m.Sink(ctx, metric.QuotaUse, "a", math.NaN())
	m.Sink(ctx, metric.QuotaUse, "b", 1)
	flush()
	same(t, w.String(), want(`["Stack","Quota"]`, `{"Name":"QuotaUse","Unit":"Percent"}`, `"Quota":"b","QuotaUse":1`))
}

func TestMetricsAreCountedAtOnce(t *testing.T) {
	var w bytes.Buffer
	m := metrics(&w)
	ctx, flush := m.Gather(t.Context())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { m.Sink(ctx, metric.VendorCalls, "HubSpot", 1) })
	}
	all.Wait()
	flush()
	if got := decoded(t, w.String()).(map[string]any)["VendorCalls"]; got != 20.0 {
		t.Errorf("%v calls, want 20", got)
	}
}

func TestANilSinkForgets(t *testing.T) {
	var none metric.Sink
	none.Emit(t.Context(), metric.VendorCalls, "HubSpot", 1)
}
