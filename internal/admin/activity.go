package admin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/webhook"
)

// Page sizes.
const (
	pageSize = 50
	maxPage  = 200
	// maxScan is how many entries a filtered page looks at before it is given out
	// short.
	maxScan = 10_000
)

// ExecutionFilter chooses runs that have ended. Empty fields do not choose.
type ExecutionFilter struct {
	Status string // one of run.Status
	Job    string // id
	Chain  string // name
	// News leaves out runs that a webhook started while another run of the job was at
	// work, so that they were skipped: the next one takes their records.
	News bool
	// From and To bound the time at which a run started: From ≤ started < To.
	From, To time.Time
	Limit    int    // 0 = 50, at most 200
	Cursor   string // "" or the Next of the page before
}

// ExecutionPage is runs, newest first.
type ExecutionPage struct {
	Runs []activity.Execution
	Next string // "" at the end; a page may be short and have a Next
}

// Executions returns runs that have ended. A cursor that is not one is
// fault.Invalid.
func (s *Service) Executions(ctx context.Context, f ExecutionFilter) (ExecutionPage, error) {
	p := pager[activity.Execution]{limit: f.Limit}
	span := activity.Span{From: f.From, To: f.To, After: f.Cursor}
	err := s.Connector.Activity.ScanExecutions(ctx, f.Job, span, func(e activity.Execution, at string) bool {
		idle := f.News && e.Status == string(run.Skipped) && e.Cause == webhook.Cause
		return p.visit(e, at, !idle && (f.Status == "" || e.Status == f.Status) && (f.Chain == "" || e.Chain == f.Chain))
	})
	return ExecutionPage{p.list, p.next}, err
}

// UpdateFilter chooses changes of the configuration, likewise.
type UpdateFilter struct {
	What     string // connection, job, chain, schedule, setting…
	ID       string // of the changed thing
	By       string
	From, To time.Time
	Limit    int
	Cursor   string
}

// UpdatePage is changes, newest first.
type UpdatePage struct {
	Updates []activity.Update
	Next    string
}

// Updates returns changes of the configuration.
func (s *Service) Updates(ctx context.Context, f UpdateFilter) (UpdatePage, error) {
	p := pager[activity.Update]{limit: f.Limit}
	span := activity.Span{From: f.From, To: f.To, After: f.Cursor}
	err := s.Connector.Activity.ScanUpdates(ctx, span, func(u activity.Update, at string) bool {
		return p.visit(u, at, (f.What == "" || u.What == f.What) && (f.ID == "" || u.ID == f.ID) && (f.By == "" || u.By == f.By))
	})
	return UpdatePage{p.list, p.next}, err
}

// pager gathers a page of what is wanted.
type pager[T any] struct {
	limit   int
	list    []T
	next    string
	scanned int
	last    string
}

// visit takes an entry and reports whether more are to come. The page ends only
// once there is an entry behind it, so that the last page says that it is.
func (p *pager[T]) visit(entry T, at string, wanted bool) bool {
	if p.limit <= 0 {
		p.limit = pageSize
	}
	if p.scanned++; wanted && len(p.list) == min(p.limit, maxPage) || p.scanned > maxScan {
		p.next = p.last
		return false
	}
	if p.last = at; wanted {
		p.list = append(p.list, entry)
	}
	return true
}

// Progress is how far a run has come.
type Progress struct {
	Run     run.Run
	Settled run.Counts // by outcome; Extracted is 0
	// Extraction is what was read so far, and whether that is all.
	Extraction run.Extraction
	// PerSecond is the records settled a second since it started; 0 = not known.
	PerSecond float64
	// End is when it will end at that speed; zero = not known.
	End time.Time

	rejects map[record.Code]int
}

// progress reads how far a run has come.
func (s *Service) progress(ctx context.Context, r run.Run) (Progress, error) {
	p := Progress{Run: r, rejects: r.Rejects}
	if r.Status.Closed() {
		p.Settled, p.Extraction = r.Counts, run.Extraction{Count: r.Counts.Extracted, Done: true}
		p.Settled.Extracted = 0
		if took := r.Ended.Sub(r.Started).Seconds(); took > 0 {
			p.PerSecond = float64(p.Settled.Settled()) / took
		}
		return p, nil
	}
	var err error
	if p.Extraction, err = s.Connector.Runs.Extraction(ctx, r.ID); err != nil {
		return p, err
	}
	parts, err := s.Connector.Runs.Parts(ctx, r.ID)
	if err != nil {
		return p, err
	}
	p.rejects = map[record.Code]int{}
	for _, part := range parts {
		p.Settled.Sum(part.Counts)
		for code, n := range part.Rejects {
			p.rejects[code] += n
		}
	}
	now, settled := s.now(), p.Settled.Settled()
	took := now.Sub(r.Started).Seconds()
	if r.Status != run.Running || settled == 0 || took <= 0 {
		return p, nil
	}
	p.PerSecond = float64(settled) / took
	if left := p.Extraction.Count - settled; p.Extraction.Done && left >= 0 {
		p.End = now.Add(time.Duration(float64(left) / p.PerSecond * float64(time.Second)))
	}
	return p, nil
}

// Active returns the runs that are going on or wait for their turn, by execution
// and in the order of their chains, and executions that were cut off: nobody
// works on these until they are resumed.
func (s *Service) Active(ctx context.Context) (going []Progress, cutOff []run.Round, err error) {
	open, err := s.Connector.Runs.OpenRounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, round := range open {
		runs, err := s.going(ctx, round.Execution)
		if err != nil {
			return nil, nil, err
		}
		if !runs {
			cutOff = append(cutOff, round)
			continue
		}
		all, err := s.ofRound(ctx, round)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range all {
			if !p.Run.Status.Closed() {
				going = append(going, p)
			}
		}
	}
	return going, cutOff, nil
}

// ofRound returns the progress of all runs of a round.
func (s *Service) ofRound(ctx context.Context, round run.Round) ([]Progress, error) {
	var all []Progress
	for _, id := range round.Jobs {
		r, err := s.Connector.Runs.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		p, err := s.progress(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// RejectGroup is the rejects of one reason.
type RejectGroup struct {
	mapping.Reason

	Count int
}

// groups returns reasons with their counts, the most frequent first.
func groups(rejects map[record.Code]int) []RejectGroup {
	var all []RejectGroup
	for code, n := range rejects {
		reason, ok := mapping.Explain(code)
		if !ok { // of a later version
			reason = mapping.Reason{Code: code}
		}
		all = append(all, RejectGroup{reason, n})
	}
	slices.SortFunc(all, func(a, b RejectGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// RunDetail is one run with its execution.
type RunDetail struct {
	Progress

	Round run.Round
	// Siblings are the progress of all runs of the round, this one included, in the
	// order of the chain.
	Siblings []Progress
	// Rejects are the reasons, the most frequent first.
	Rejects []RejectGroup
	Quotas  []Quota // while it runs
	// Calls are those sent for the run so far. :: vendor → calls
	Calls map[string]int
	// What may be done with it now.
	CanStop, CanResume, CanRetry bool
}

// RunDetail returns a run, or fault.NotFound.
func (s *Service) RunDetail(ctx context.Context, id run.ID) (RunDetail, error) {
	var d RunDetail
	r, err := s.run(ctx, id)
	if err != nil {
		return d, err
	}
	if d.Progress, err = s.progress(ctx, r); err != nil {
		return d, err
	}
	d.Rejects = groups(d.rejects)
	if d.Round, err = s.Connector.Runs.Round(ctx, r.Execution, r.Round); err != nil {
		return d, err
	}
	if d.Siblings, err = s.ofRound(ctx, d.Round); err != nil {
		return d, err
	}
	d.Calls = r.Calls
	if !r.Status.Closed() {
		if d.Calls, err = s.Connector.Runs.Calls(ctx, id); err != nil {
			return d, err
		}
		if d.Quotas, err = s.Quotas(ctx); err != nil {
			return d, err
		}
	}
	runs, err := s.going(ctx, r.Execution)
	if err != nil {
		return d, err
	}
	d.CanStop = runs && !d.Round.Status.Closed()
	d.CanResume = !runs && (d.Round.Status == run.Failed || !d.Round.Status.Closed())
	d.CanRetry = r.Status.Closed() && r.Counts.Rejected > 0
	return d, nil
}

// run returns a run, or fault.NotFound with a sentence for people.
func (s *Service) run(ctx context.Context, id run.ID) (run.Run, error) {
	if id == "" {
		return run.Run{}, fault.New(fault.NotFound, "There is no such run. It may be older than a year.")
	}
	r, err := s.Connector.Runs.Get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		err = fault.Wrap(err, fault.NotFound, "There is no such run. It may be older than a year.")
	}
	return r, err
}

// linkLife is how long a link to an error file is good for.
const linkLife = 5 * time.Minute

// ErrorFile returns a link to the error file of a run, good for some minutes, or
// fault.NotFound. On a laptop the link is a path of this machine.
func (s *Service) ErrorFile(ctx context.Context, id run.ID) (link, name string, err error) {
	r, err := s.run(ctx, id)
	if err != nil {
		return "", "", err
	}
	if r.ErrorFile == "" {
		return "", "", fault.New(fault.NotFound, "This run has no error file: it rejected no record, or has not ended.")
	}
	name = "errors-" + string(r.ID) + ".csv"
	link, err = s.Connector.Bucket.Link(ctx, r.ErrorFile, name, linkLife)
	if fault.Is(err, fault.NotFound) {
		err = fault.Wrap(err, fault.NotFound, "The error file is not kept any more. Run the job again to get a new one.")
	}
	return link, name, err
}

// Quota is how much of a vendor's limit is used.
type Quota struct {
	Vendor string // HubSpot or Gainsight
	Name   string // such as "calls"
	Per    time.Duration
	Used   int
	Calls  int // the limit
}

// Quotas returns how much of each limit is used.
func (s *Service) Quotas(ctx context.Context) ([]Quota, error) {
	var all []Quota
	for vendor, budgets := range s.Connector.Budgets {
		for name, b := range budgets {
			used, err := b.Usage(ctx)
			if err != nil {
				return nil, err
			}
			for _, u := range used {
				all = append(all, Quota{Vendor: vendor, Name: name, Per: u.Per, Used: u.Calls, Calls: u.Window.Calls})
			}
		}
	}
	slices.SortFunc(all, func(a, b Quota) int {
		return cmp.Or(cmp.Compare(b.Vendor, a.Vendor), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Per, b.Per))
	})
	return all, nil
}
