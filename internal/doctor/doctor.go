// Package doctor asks both vendors how they speak where their documents leave it
// open or contradict each other, and keeps the answers for the clients.
//
// The inventory lists every such point. A check sends the call, looks at the raw
// answer, and says what the connector does about it. Nothing is written but, if
// asked for, one marked company and one marked person in Gainsight. Findings hold
// forms, codes and counts, never secrets or record values.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/hubspot"
)

// Verdict says what a finding means for the connector.
type Verdict string

// What a Verdict can be.
const (
	OK     Verdict = "ok"     // as assumed
	Adapts Verdict = "adapts" // otherwise, and the connector copes
	// Wrong: the connector does the wrong thing until somebody acts; Does says how.
	Wrong     Verdict = "must be told"
	Unchecked Verdict = "cannot be checked" // Does says why
)

// Finding is what was found about one point of the inventory.
type Finding struct {
	ID         string  `json:"id"` // H and a number for HubSpot, G for Gainsight
	Assumption string  `json:"assumption"`
	Found      string  `json:"found,omitempty"`
	Verdict    Verdict `json:"verdict"`
	// Does is what the connector does about it, what somebody has to do, or why
	// nothing was found.
	Does string `json:"does"`
}

// Report is what was found at one vendor: one finding for each point of its
// inventory, in that order.
type Report struct {
	Findings []Finding `json:"findings"`
	// Left is what the checks made and could not remove.
	Left []string `json:"left,omitempty"`
}

// Wrong reports whether something was found that makes the connector wrong.
func (r Report) Wrong() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == Wrong })
}

// Connection is the authorized connection whose HubSpot account is examined.
type Connection struct {
	ID       string
	PortalID int64
	Scopes   []string // granted
}

// Doctor examines both vendors. HubSpot, Gainsight and Store are required.
type Doctor struct {
	HubSpot   *hubspot.Client
	Gainsight *gainsight.Client
	Store     *Store
	// Write lets the checks write one marked company and one marked person in
	// Gainsight. The company is removed; no call removes a person.
	Write bool
	Now   func() time.Time                                 // nil = time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer
}

// Organisation examines Gainsight and stores its dialect. The report is whole
// also with an error, which is Transient, Throttled or of the table: what was not
// reached cannot be checked, and nothing is stored.
func (d *Doctor) Organisation(ctx context.Context) (Report, error) {
	e := d.exam(gainsightMarks())
	o, err := newOrganisation(ctx, d, e)
	if err == nil {
		err = o.examine(ctx)
	}
	if err == nil && !e.ended {
		err = d.Store.SaveGainsight(ctx, o.origin, o.dialect)
	}
	return e.report(err), err
}

// Account examines HubSpot over a connection and stores its dialect. The report
// and the error are as those of Organisation.
func (d *Doctor) Account(ctx context.Context, c Connection) (Report, error) {
	e := d.exam(hubspotMarks())
	a := &account{exam: e, client: d.HubSpot, connection: c}
	var err error
	if a.dialect, err = d.Store.HubSpot(ctx); err == nil { // what cannot be seen now stays as it was found
		err = a.examine(ctx)
	}
	if err == nil && !e.ended {
		err = d.Store.SaveHubSpot(ctx, a.dialect)
	}
	return e.report(err), err
}

func (d *Doctor) exam(marks []mark) *exam {
	return &exam{doctor: d, marks: marks, found: map[string]Finding{}}
}

// exam is the examination of one vendor.
type exam struct {
	doctor *Doctor
	marks  []mark
	found  map[string]Finding // :: id
	left   []string
	ended  bool // by a finding without which the rest makes no sense
	last   string
}

// note adds a finding. does "" is what the inventory says.
func (e *exam) note(id string, v Verdict, does, found string, args ...any) {
	i := slices.IndexFunc(e.marks, func(m mark) bool { return m.id == id })
	if i < 0 {
		panic("doctor: no mark " + id)
	}
	if does == "" {
		does = e.marks[i].does
	}
	e.found[id] = Finding{ID: id, Assumption: e.marks[i].assumption, Verdict: v, Does: does, Found: fmt.Sprintf(found, args...)}
}

func (e *exam) ok(id, found string, args ...any) { e.note(id, OK, "", found, args...) }

// alike notes OK if it is as assumed, else Adapts.
func (e *exam) alike(id string, asAssumed bool, found string, args ...any) {
	v := Adapts
	if asAssumed {
		v = OK
	}
	e.note(id, v, "", found, args...)
}

func (e *exam) adapts(id, does, found string, args ...any) { e.note(id, Adapts, does, found, args...) }

func (e *exam) wrong(id, way, found string, args ...any) { e.note(id, Wrong, way, found, args...) }

func (e *exam) unchecked(id, reason string) { e.note(id, Unchecked, reason, "") }

// end notes a finding that ends the examination.
func (e *exam) end(id, way, found string, args ...any) {
	e.wrong(id, way, found, args...)
	e.ended, e.last = true, id
}

func (e *exam) report(err error) Report {
	r := Report{Left: e.left}
	for _, m := range e.marks {
		f, known := e.found[m.id]
		if !known {
			f = Finding{ID: m.id, Assumption: m.assumption, Verdict: Unchecked, Does: e.why(m, err)}
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// why is the reason why a point was not checked.
func (e *exam) why(m mark, err error) string {
	switch {
	case m.never != "":
		return m.never
	case e.ended:
		return "Not reached: correct " + e.last + " first."
	case err != nil:
		return "Not reached: " + fault.MessageOf(err)
	case m.write && !e.doctor.Write:
		return "Only by writing: give -write."
	}
	return "Nothing to see it on."
}

// most is how long one call waits for quota.
const most = 3 * time.Minute

// patient repeats a call while it is throttled.
func (e *exam) patient(ctx context.Context, call func() error) error {
	for waited := time.Duration(0); ; {
		err := call()
		if !fault.Is(err, fault.Throttled) {
			return err
		}
		pause := time.Second
		if at := fault.ResumeAt(err); !at.IsZero() {
			pause = max(pause, at.Sub(e.now()))
		}
		if waited += pause; waited > most {
			return err
		}
		if err := e.sleep(ctx, pause); err != nil {
			return fault.Wrap(err, fault.Transient, "The examination was stopped.")
		}
	}
}

func (e *exam) now() time.Time {
	if e.doctor.Now != nil {
		return e.doctor.Now()
	}
	return time.Now()
}

func (e *exam) sleep(ctx context.Context, d time.Duration) error {
	if e.doctor.Sleep != nil {
		return e.doctor.Sleep(ctx, d)
	}
	return clock.Sleep(ctx, d)
}
