package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	Reason         string              `json:"-"` // for the screen: why it failed
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

// tableWidth is how wide a table of several jobs may become, in characters.
const tableWidth = 80

// show prints tables with a column per run, then why runs failed and which records
// were rejected.
func show(out io.Writer, all []summary) {
	for rest := all; len(rest) > 0; {
		n, width := 0, len("  Gainsight calls")
		for n < len(rest) && (n == 0 || width+2+column(rest[n]) <= tableWidth) {
			width += 2 + column(rest[n])
			n++
		}
		table(out, rest[:n])
		rest = rest[n:]
	}
	for _, s := range all {
		if s.Reason != "" {
			say(out, "%s: %s\n", s.Job, s.Reason)
		}
		if s.Rejected == 0 {
			continue
		}
		say(out, "%s, %s rejected: %s\n  error file: %s\n", s.Job, number(s.Rejected), reasons(s.Rejects), s.ErrorFile)
	}
	say(out, "\n")
}

// column is how wide the column of a run is.
func column(s summary) int {
	return max(utf8.RuneCountInString(s.Job), len(s.Status))
}

func table(out io.Writer, runs []summary) {
	lines := []struct {
		name string
		cell func(summary) string
	}{
		{"", func(s summary) string { return s.Job }},
		{"status", func(s summary) string { return string(s.Status) }},
		{"extracted", func(s summary) string { return number(s.Extracted) }},
		{"filtered", func(s summary) string { return number(s.Filtered) }},
		{"inserted", func(s summary) string { return number(s.Inserted) }},
		{"updated", func(s summary) string { return number(s.Updated) }},
		{"unchanged", func(s summary) string { return number(s.Unchanged) }},
		{"rejected", func(s summary) string { return number(s.Rejected) }},
		{"HubSpot calls", func(s summary) string { return number(s.HubSpotCalls) }},
		{"Gainsight calls", func(s summary) string { return number(s.GainsightCalls) }},
		{"seconds", func(s summary) string { return strconv.FormatFloat(s.Seconds, 'f', 1, 64) }},
	}
	for _, line := range lines {
		say(out, "  %-15s", line.name)
		for _, s := range runs {
			say(out, "  %*s", column(s), line.cell(s))
		}
		say(out, "\n")
	}
}

// count writes n things: "1 record", "2 records".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}

// number writes n with commas between its thousands.
func number(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
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
		parts[i] = number(counts[code]) + " " + string(code)
	}
	return strings.Join(parts, ", ")
}

// write stores what a command found as JSON; "" stores nothing.
func write(path string, all any) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fault.Wrap(err, fault.Invalid, "%s could not be written. Check the folder and its free space.", path)
	}
	return nil
}

// outcome is nil if every run succeeded, at least in part.
func outcome(all []summary) error {
	var bad []string
	for _, s := range all {
		if s.Status != run.Success && s.Status != run.Partial {
			bad = append(bad, fmt.Sprintf("%s: %s", s.Job, s.Status))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return &outcomeError{strings.Join(bad, "; ") + ". The reasons are above; after correcting them give the same command again."}
}
