package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// stepWhen: when hubspot|gainsight PATH NTH STEP… does a step in the moment in
// which the vendor gets a call, before it answers. PATH and NTH are as in fault.
func (w *world) stepWhen(s step) {
	f := w.fault(s)
	then := step{line: s.line, words: s.words[4:], pairs: s.pairs}
	f.kind, f.then = "", func() { w.do(then) }
	switch vendor := w.word(s, 1); vendor {
	case "hubspot":
		w.hubspotFault.add(f)
	case "gainsight":
		w.gainsightFault.add(f)
	default:
		w.t.Fatalf("step %q: there is no vendor %q", s.line, vendor)
	}
}

// stepJob: job OLD NEW gives a job another name, as an admin would.
func (w *world) stepJob(s step) {
	j, err := w.sys.Jobs.Find(w.t.Context(), w.word(s, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	j.Name = w.word(s, 2)
	_, err = w.sys.Jobs.Save(w.t.Context(), j, "tester")
	w.say(err)
}

// journal is what both vendors were called for, in order. A call that follows
// one of its kind is left out.
type journal struct {
	mu    sync.Mutex
	calls []string // "hubspot GET /path"
}

func (j *journal) add(vendor string, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, vendor+" "+r.Method+" "+r.URL.Path)
}

// at returns where the first or last call is that contains the text.
func (j *journal) at(which, text string) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := -1
	for i, call := range j.calls {
		if strings.Contains(call, text) && (at < 0 || which == "last") {
			at = i
		}
	}
	if at < 0 || which != "first" && which != "last" {
		return 0, fmt.Errorf("there is no %s call %q", which, text)
	}
	return at, nil
}

// checkOrder checks lines such as
//
//	last "GET /a" before first "POST /b"
func (w *world) checkOrder(text string) {
	w.t.Helper()
	for line := range strings.Lines(text) {
		s, err := parseStep(line)
		if err != nil || len(s.words) != 5 || s.words[2] != "before" {
			w.t.Fatalf("want/order: %q is no order", line)
		}
		earlier, err := w.journal.at(s.words[0], s.words[1])
		if err != nil {
			w.t.Errorf("want/order: %v", err)
			continue
		}
		later, err := w.journal.at(s.words[3], s.words[4])
		if err != nil || earlier >= later {
			w.t.Errorf("want/order: %q does not hold: calls %d and %d, %v", strings.TrimSpace(line), earlier, later, err)
		}
	}
}

// jobs are the stored jobs with whether they can run.
func (w *world) jobs() []string {
	w.t.Helper()
	all, err := w.sys.Jobs.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	lines := []string{}
	for _, j := range all {
		state := "ready"
		if len(j.Missing) > 0 {
			state = "incomplete"
		}
		lines = append(lines, j.Name+": "+state)
	}
	return lines
}

// chains are the stored chains with the names of their jobs.
func (w *world) chains() []string {
	w.t.Helper()
	all, err := w.sys.Chains.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	lines := []string{}
	for _, c := range all {
		names := make([]string, len(c.Jobs))
		for i, id := range c.Jobs {
			j, err := w.sys.Jobs.Get(w.t.Context(), id)
			if err != nil {
				w.t.Fatal(err)
			}
			names[i] = j.Name
		}
		lines = append(lines, c.Name+": "+strings.Join(names, ", "))
	}
	return lines
}

// activity is what was done, oldest first: updates, and runs of jobs.
func (w *world) activity() []string {
	w.t.Helper()
	var lines []string
	updates, _, err := w.sys.Activity.Updates(w.t.Context(), time.Now(), 100, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range updates {
		lines = append([]string{fmt.Sprintf("%s %s %s", u.Type, u.What, u.Name)}, lines...)
	}
	runs, _, err := w.sys.Activity.Executions(w.t.Context(), time.Now(), 100, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(runs) - 1; i >= 0; i-- {
		lines = append(lines, fmt.Sprintf("run of %s: %s", runs[i].Job, runs[i].Status))
	}
	return lines
}

// checkList compares lines in any order; an empty file wants none.
func (w *world) checkList(name, text string, got []string) {
	w.t.Helper()
	want := []string{}
	if text != "" {
		want = strings.Split(text, "\n")
	}
	slices.Sort(want)
	slices.Sort(got)
	w.diff(name, want, got)
}

// decline goes to HubSpot's consent page, where the admin says no.
func (w *world) decline() error {
	ctx := w.t.Context()
	page, err := w.sys.Flow.Begin(ctx, w.connection, "tester")
	if err != nil {
		return err
	}
	asked, err := url.Parse(page)
	if err != nil {
		return err
	}
	_, err = w.sys.Flow.Callback(ctx, "", asked.Query().Get("state"), "access_denied")
	return err
}
