package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// summary is what is told of one run of one job.
type summary struct {
	Job            string              `json:"job"`
	Chain          string              `json:"chain"`
	Status         run.Status          `json:"status"`
	Mode           run.Mode            `json:"mode"`
	Extracted      int                 `json:"extracted"`
	Filtered       int                 `json:"filtered"`
	Inserted       int                 `json:"inserted"`
	Updated        int                 `json:"updated"`
	Unchanged      int                 `json:"unchanged"`
	Rejected       int                 `json:"rejected"`
	HubSpotCalls   int                 `json:"hubspotCalls"`
	GainsightCalls int                 `json:"gainsightCalls"`
	Seconds        float64             `json:"seconds"`
	ErrorFile      string              `json:"errorFile"`
	Rejects        map[record.Code]int `json:"rejects"`
	Reason         string              `json:"reason,omitempty"`
}

// summarize returns the summaries of an execution's runs.
func summarize(ctx context.Context, sys *inprocess.System, res inprocess.Result) ([]summary, error) {
	var all []summary
	for _, r := range res.Runs {
		s := summary{
			Job: r.JobName, Chain: r.Chain, Status: r.Status, Mode: r.Mode, Reason: r.Reason, Rejects: r.Rejects,
			Extracted: r.Counts.Extracted, Filtered: r.Counts.Filtered, Inserted: r.Counts.Inserted,
			Updated: r.Counts.Updated, Unchanged: r.Counts.Unchanged, Rejected: r.Counts.Rejected,
			HubSpotCalls: r.Calls[connector.HubSpot], GainsightCalls: r.Calls[connector.Gainsight],
			Seconds: r.Ended.Sub(r.Started).Round(time.Millisecond).Seconds(),
		}
		if s.Rejects == nil {
			s.Rejects = map[record.Code]int{}
		}
		if r.ErrorFile != "" {
			path, err := sys.Bucket.Link(ctx, r.ErrorFile, r.JobName+" errors.csv", time.Hour)
			if err != nil {
				return nil, err
			}
			s.ErrorFile = path
		}
		all = append(all, s)
	}
	return all, nil
}

// show prints a table with a line per run, then why runs failed and which
// records were rejected.
func show(out io.Writer, all []summary) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "job\tstatus\tread\tfiltered\tinserted\tupdated\tunchanged\trejected\tHubSpot calls\tGainsight calls\tseconds\t")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", s.Job, s.Status, s.Extracted, s.Filtered,
			s.Inserted, s.Updated, s.Unchanged, s.Rejected, s.HubSpotCalls, s.GainsightCalls, s.Seconds)
	}
	_ = w.Flush() // out has the error
	for _, s := range all {
		if s.Reason != "" {
			fmt.Fprintf(out, "%s: %s\n", s.Job, s.Reason)
		}
		if s.Rejected == 0 {
			continue
		}
		fmt.Fprintf(out, "%s: %d rejected: %s\n  error file: %s\n", s.Job, s.Rejected, reasons(s.Rejects), s.ErrorFile)
	}
	fmt.Fprintln(out)
}

func reasons(counts map[record.Code]int) string {
	codes := slices.SortedFunc(maps.Keys(counts), func(a, b record.Code) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, len(codes))
	for i, code := range codes {
		parts[i] = fmt.Sprintf("%d %s", counts[code], code)
	}
	return strings.Join(parts, ", ")
}

// write stores the summaries as JSON; "" stores nothing.
func write(path string, all []summary) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode summary: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fault.Wrap(err, fault.Invalid, "The summary could not be written to %s. Check the folder and its free space.", path)
	}
	return nil
}

// outcome is nil if every run succeeded, at least in part.
func outcome(all []summary) error {
	var bad []string
	for _, s := range all {
		if s.Status == run.Failed || s.Status == run.Skipped {
			bad = append(bad, fmt.Sprintf("%s: %s", s.Job, s.Status))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return &outcomeError{strings.Join(bad, "; ") + ". The reasons are above; after correcting them give the same command again."}
}
