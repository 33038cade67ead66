package hubspotsim

import "time"

// Limit is a number of calls in any window of a length that rolls.
type Limit struct {
	Calls int
	Per   time.Duration
}

// Limits are the rolling limits of one portal. A zero Limit is the real one of
// an OAuth app: 110 calls in 10 s, search 5 in 1 s and not counted among them,
// association batches 100 in 10 s and not counted either (HubSpot's usage
// guidelines, November 2026). Calls answered with 429 do not count (assumed).
type Limits struct {
	Objects, Search, Associations Limit
	Off                           bool
}

func (l Limits) orReal() Limits {
	real := Limits{
		Objects: Limit{110, 10 * time.Second}, Search: Limit{5, time.Second},
		Associations: Limit{100, 10 * time.Second}, Off: l.Off,
	}
	if l.Objects.Calls > 0 {
		real.Objects = l.Objects
	}
	if l.Search.Calls > 0 {
		real.Search = l.Search
	}
	if l.Associations.Calls > 0 {
		real.Associations = l.Associations
	}
	return real
}

// bucket names one of the limits.
type bucket string

const (
	noBucket          bucket = ""
	objectsBucket     bucket = "objects"
	searchBucket      bucket = "search"
	associationBucket bucket = "associations"
)

func (l Limits) of(b bucket) Limit {
	switch b {
	case searchBucket:
		return l.Search
	case associationBucket:
		return l.Associations
	case objectsBucket, noBucket:
	}
	return l.Objects
}

// window is a sliding log of the calls of one bucket.
type window struct{ calls []time.Time }

// take counts a call at now unless the window is full; then it returns when
// the oldest call leaves it. left is how many more calls fit.
func (w *window) take(now time.Time, l Limit) (left int, wait time.Duration) {
	gone := 0
	for gone < len(w.calls) && !w.calls[gone].After(now.Add(-l.Per)) {
		gone++
	}
	w.calls = w.calls[gone:]
	if len(w.calls) >= l.Calls {
		return 0, w.calls[0].Add(l.Per).Sub(now)
	}
	w.calls = append(w.calls, now)
	return l.Calls - len(w.calls), 0
}

// policy is how HubSpot names a window of this length. SECONDLY is assumed.
func (l Limit) policy() string {
	if l.Per <= time.Second {
		return "SECONDLY"
	}
	return "TEN_SECONDLY_ROLLING"
}
