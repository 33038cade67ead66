package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	gosync "sync"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/run"
)

// How often progress is shown, in real time: in place on a terminal, else as
// lines.
const (
	everyTerminal = 250 * time.Millisecond
	everyLine     = 5 * time.Second
)

// progress shows how far the runs of an execution have come, until it is
// stopped. Its errors are nobody's: the runs tell their own.
type progress struct {
	sys      *inprocess.System
	out      io.Writer
	now      func() time.Time
	terminal bool

	done chan struct{}
	wait gosync.WaitGroup
}

func newProgress(sys *inprocess.System, out io.Writer, now func() time.Time) *progress {
	p := &progress{sys: sys, out: out, now: now, done: make(chan struct{})}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// start shows progress of the execution from now on.
func (p *progress) start(ctx context.Context, execution string) {
	every := everyLine
	if p.terminal {
		every = everyTerminal
	}
	p.wait.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.show(ctx, execution)
			case <-p.done:
				return
			case <-ctx.Done():
				return
			}
		}
	})
}

// stop ends it and clears its line.
func (p *progress) stop() {
	close(p.done)
	p.wait.Wait()
	if p.terminal {
		say(p.out, "\r\x1b[K")
	}
}

func (p *progress) show(ctx context.Context, execution string) {
	all, err := p.sys.Progress(ctx, execution, p.now())
	if err != nil {
		return
	}
	for _, one := range all {
		if one.Run.Status != run.Running {
			continue
		}
		line := p.line(ctx, one)
		if p.terminal {
			say(p.out, "\r\x1b[K\x1b[?7l%s\x1b[?7h", line) // cut at the edge, not wrapped
			return                                         // the terminal has one line: the job that is being loaded
		}
		say(p.out, "%s\n", line)
	}
}

// line is one run: records read and settled, their rate, the quota, the time left.
func (p *progress) line(ctx context.Context, one inprocess.Progress) string {
	settled := one.Settled.Settled()
	rate := float64(settled) / max(one.At.Sub(one.Run.Started).Seconds(), 1)
	line := fmt.Sprintf("  %s: %s extracted, %s settled, %.1f/s", one.Run.JobName, number(one.Extraction.Count), number(settled), rate)
	if quota := p.quota(ctx); quota != "" {
		line += ", " + quota
	}
	if one.Extraction.Done && rate > 0 {
		left := time.Duration(float64(one.Extraction.Count-settled) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s left", short(left.Round(time.Second)))
	}
	return line
}

// quota is how much of Gainsight's quota is used: of the minute, or of another
// window that is nearly spent, for which runs wait.
func (p *progress) quota(ctx context.Context) string {
	text := ""
	for _, q := range []struct{ budget, name string }{{gainsight.BudgetCalls, "calls"}, {gainsight.BudgetUsers, "user calls"}} {
		used, err := p.sys.Budgets[connector.Gainsight][q.budget].Usage(ctx)
		if err != nil {
			return ""
		}
		for _, u := range used {
			if text == "" || 10*u.Calls > 9*u.Window.Calls {
				text = fmt.Sprintf("Gainsight %s %s of %s per %s", q.name, number(u.Calls), number(u.Window.Calls), short(u.Per))
			}
		}
	}
	return text
}

// short writes a duration without the units that are zero at its end: 1m, 7m46s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
