package upsert

import (
	"time"

	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// spare is how much sooner than the calls of a window take, a part begins before the
// window's end. A call waits for quota a little longer than that.
const spare = 4 * time.Second

// astride moves a wait for the target's next window of quota from the window's begin
// to its end: one call of the step then spends that window and the one behind it, and
// the machine wakes it half as often. began is when this call began, from where the
// part stood then. Only a slice of people waits like this: nobody waits for it, and a
// window takes few of its rows. The end of a part never meets that of a window, so
// that the step between two parts takes no calls of one.
func (w *work) astride(turn step.Turn, began time.Time, from, at int) step.Turn {
	if w.Every == nil || w.object != people || w.run.Lane != run.Slices || len(w.entries.lines)-at <= 2*(at-from) {
		return turn
	}
	per, now, next := w.Every(), w.Now(), *turn.ResumeAt
	if start := next.Add(-per); start.After(began) {
		began = start
	}
	early := now.Sub(began) + spare
	if next.Sub(now) > per || early > per/2 {
		return turn
	}
	next = next.Add(per - early)
	turn.ResumeAt = &next
	return turn
}
