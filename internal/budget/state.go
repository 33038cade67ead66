package budget

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// slots is into how many slots a rolling window is divided. All calls of a slot
// count until the last of them may be forgotten.
const slots = 512

// state is the stored item.
type state struct {
	// Windows :: name of a window → its calls
	Windows map[string]entries `json:"w,omitempty"`
	// Share of the shortest window's calls that was planned at Lowered, in percent;
	// 0 means 100.
	Share   int   `json:"s,omitempty"`
	Lowered int64 `json:"l,omitempty"` // milliseconds since the epoch
	Until   int64 `json:"u,omitempty"` // milliseconds since the epoch; no call before
}

// entries are calls by slot, in order. A fixed window has one entry: it is one
// slot.
type entries []entry

type entry struct{ slot, calls int64 }

// MarshalJSON writes a flat list: slot, calls, then for each further entry the
// distance of its slot, calls.
func (e entries) MarshalJSON() ([]byte, error) {
	flat, last := make([]int64, 0, 2*len(e)), int64(0)
	for _, one := range e {
		flat, last = append(flat, one.slot-last, one.calls), one.slot
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *entries) UnmarshalJSON(b []byte) error {
	var flat []int64
	if err := json.Unmarshal(b, &flat); err != nil {
		return err
	}
	if len(flat)%2 != 0 {
		return errors.New("a slot has no calls")
	}
	*e = make(entries, 0, len(flat)/2)
	slot := int64(0)
	for pair := range slices.Chunk(flat, 2) {
		slot += pair[0]
		*e = append(*e, entry{slot, pair[1]})
	}
	return nil
}

func (s state) clone() *state {
	windows := make(map[string]entries, len(s.Windows))
	for name, list := range maps.All(s.Windows) {
		windows[name] = slices.Clone(list)
	}
	s.Windows = windows
	return &s
}

// name is the key of the window's calls, which stay valid if the number of calls
// is set to another one.
func (w Window) name() string {
	if w.Fixed {
		return "f" + w.Per.String()
	}
	return "r" + w.Per.String()
}

// width is the length of a slot.
func (w Window) width() time.Duration {
	if w.Fixed {
		return w.Per
	}
	return max(1, w.Per/slots)
}

func (w Window) slot(t time.Time) int64 { return t.UnixNano() / int64(w.width()) }

// end is when a slot ends.
func (w Window) end(slot int64) time.Time { return time.Unix(0, (slot+1)*int64(w.width())) }

// close is when a fixed window gives its last call.
func (w Window) close(t time.Time) time.Time {
	return w.end(w.slot(t)).Add(-min(guard, w.Per/20))
}

// add notes calls at a time, or takes them back if calls is negative. Those of a
// fixed window before the one that is stored count no more.
func (s *state) add(w Window, at time.Time, calls int) {
	list, slot := s.Windows[w.name()], w.slot(at)
	if w.Fixed && len(list) > 0 && list[0].slot != slot {
		if list[0].slot > slot {
			return
		}
		list = nil
	}
	i, found := slices.BinarySearchFunc(list, slot, func(e entry, slot int64) int { return cmp.Compare(e.slot, slot) })
	if !found {
		list = slices.Insert(list, i, entry{slot: slot})
	}
	if list[i].calls += int64(calls); list[i].calls <= 0 {
		list = slices.Delete(list, i, i+1)
	}
	s.Windows[w.name()] = list
}

// take notes calls of now. In a fixed window they count in the newest one that
// is stored: another process's clock may be ahead.
func (s *state) take(w Window, at time.Time, calls int) {
	if list := s.Windows[w.name()]; w.Fixed && len(list) > 0 && list[0].slot > w.slot(at) {
		list[0].calls += int64(calls)
		return
	}
	s.add(w, at, calls)
}

// counting returns the entries that count now, if a call of a rolling window
// counts for hold.
func (s *state) counting(w Window, hold time.Duration, now time.Time) entries {
	if w.Fixed {
		hold = 0
	}
	list := s.Windows[w.name()]
	for i, e := range list {
		if w.end(e.slot).Add(hold).After(now) {
			return list[i:]
		}
	}
	return nil
}

// used returns the calls that count now.
func (s *state) used(w Window, hold time.Duration, now time.Time) int {
	sum := int64(0)
	for _, e := range s.counting(w, hold, now) {
		sum += e.calls
	}
	return int(sum)
}

// free returns how many of the window's calls are free now, and if none, when
// the next one is.
func (s *state) free(w Window, calls int, hold time.Duration, now time.Time) (at time.Time, free int) {
	list, used := s.counting(w, hold, now), s.used(w, hold, now)
	if w.Fixed {
		end := w.end(w.slot(now))
		if len(list) > 0 {
			end = w.end(list[0].slot)
		}
		if used >= calls || !now.Before(w.close(now)) {
			return end, 0
		}
		return now, calls - used
	}
	if used < calls {
		return now, calls - used
	}
	for _, e := range list {
		if used -= int(e.calls); used < calls {
			return w.end(e.slot).Add(hold), 0
		}
	}
	return now, 0 // not reached: calls ≥ 1
}

// share returns the share of the window's calls that is planned now, in percent.
func (s *state) share(w Window, now time.Time) int {
	if s.Share == 0 {
		return 100
	}
	quiet := now.Sub(time.UnixMilli(max(s.Lowered, s.Until))) / w.Per
	return min(100, s.Share+10*int(max(0, quiet)))
}

// lower halves the share of the window, once in a window, and pauses until then.
func (s *state) lower(w Window, now, until time.Time) {
	if s.Lowered == 0 || now.Sub(time.UnixMilli(s.Lowered)) >= w.Per {
		s.Share, s.Lowered = max(5, s.share(w, now)/2), now.UnixMilli()
	}
	s.Until = max(s.Until, until.Add(time.Millisecond-1).UnixMilli())
}
