package serve

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/metric"
)

// Metrics writes metrics as log lines that CloudWatch reads as metrics (its
// embedded metric format). It may be used at once.
type Metrics struct {
	W     io.Writer // each line is one Write
	Stack string    // the value of metric.Stack
	Now   func() time.Time
}

// batch is the values of one event.
type batch struct {
	mu sync.Mutex
	// of :: dimension and its value → metric → values
	of map[[2]string]map[metric.Name][]float64
}

type batchKey struct{}

// Gather returns a context whose metrics are kept until flush writes them:
// counts as their sum, others as they came, at most 100 of a metric.
func (m *Metrics) Gather(ctx context.Context) (gathered context.Context, flush func()) {
	b := &batch{of: map[[2]string]map[metric.Name][]float64{}}
	return context.WithValue(ctx, batchKey{}, b), func() { m.write(b) }
}

// Sink is a metric.Sink. A value whose context gathers nothing is written at once.
func (m *Metrics) Sink(ctx context.Context, name metric.Name, of string, value float64) {
	b, ok := ctx.Value(batchKey{}).(*batch)
	if !ok {
		b = &batch{of: map[[2]string]map[metric.Name][]float64{}}
		defer m.write(b)
	}
	b.add(name, of, value)
}

// mostValues is how many values of one metric a line may hold (CloudWatch
// embedded metric format specification, November 2026).
const mostValues = 100

func (b *batch) add(name metric.Name, of string, value float64) {
	unit, dimension := metric.Kind(name)
	switch {
	case dimension == "":
		of = ""
	case of == "":
		of = "unknown"
	}
	key := [2]string{string(dimension), of}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[key] == nil {
		b.of[key] = map[metric.Name][]float64{}
	}
	known := b.of[key][name]
	switch {
	case len(known) == 0:
		b.of[key][name] = []float64{value}
	case unit == metric.Count:
		known[0] += value
	case len(known) < mostValues:
		b.of[key][name] = append(known, value)
	}
}

// write writes one line for each value of a dimension, and forgets them.
func (m *Metrics) write(b *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := make([][2]string, 0, len(b.of))
	for key := range b.of {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y [2]string) int { return strings.Compare(x[0]+x[1], y[0]+y[1]) })
	for _, key := range keys {
		line, err := json.Marshal(m.line(key, b.of[key]))
		if err == nil { // a value that is no number fails
			_, _ = m.W.Write(append(line, '\n')) // nobody can be told
		}
	}
	clear(b.of)
}

func (m *Metrics) line(key [2]string, of map[metric.Name][]float64) map[string]any {
	type definition struct {
		Name string
		Unit metric.Unit
	}
	dimensions, doc := []string{metric.Stack}, map[string]any{metric.Stack: m.Stack}
	if key[0] != "" {
		dimensions = append(dimensions, key[0])
		doc[key[0]] = key[1]
	}
	var definitions []definition
	for name, values := range of {
		unit, _ := metric.Kind(name)
		definitions = append(definitions, definition{string(name), unit})
		doc[string(name)] = values
		if len(values) == 1 {
			doc[string(name)] = values[0]
		}
	}
	slices.SortFunc(definitions, func(x, y definition) int { return strings.Compare(x.Name, y.Name) })
	doc["_aws"] = map[string]any{
		"Timestamp": m.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": metric.Namespace, "Dimensions": [][]string{dimensions}, "Metrics": definitions,
		}},
	}
	return doc
}
