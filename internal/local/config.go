package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
)

// stored opens the data folder for a command about what is stored there.
func stored(name, explain string, args []string, want int, out io.Writer) (sys *inprocess.System, rest []string, closeAll func(), err error) {
	set := flags(name, explain, out)
	dir := set.String("data", dataDir(), "data folder")
	read := settings(set)
	if err := parse(set, args, want); err != nil {
		return nil, nil, nil, err
	}
	if set.NArg() != want {
		return nil, nil, nil, fault.New(fault.Invalid, "One argument is missing: see %s -h.", name)
	}
	s, err := read()
	if err != nil {
		return nil, nil, nil, err
	}
	sys, closeAll, err = open(*dir, s, vendors{})
	return sys, set.Args(), closeAll, err
}

func export(ctx context.Context, args []string, out, _ io.Writer) error {
	sys, rest, closeAll, err := stored("export", "export FILE writes jobs, chains, schedules and keys as YAML, - for the screen.\n", args, 1, out)
	if err != nil {
		return err
	}
	defer closeAll()
	text, err := sys.Config.Export(ctx)
	if err != nil {
		return err
	}
	if rest[0] == "-" {
		_, err := out.Write(text)
		return err
	}
	if err := os.WriteFile(rest[0], text, 0o600); err != nil {
		return fault.Wrap(err, fault.Invalid, "%s could not be written. Check the folder and its free space.", rest[0])
	}
	fmt.Fprintf(out, "Written to %s.\n", rest[0])
	return nil
}

func apply(ctx context.Context, args []string, out, _ io.Writer) error {
	sys, rest, closeAll, err := stored("apply", "apply FILE makes jobs, chains, schedules and keys as the YAML file says.\n", args, 1, out)
	if err != nil {
		return err
	}
	defer closeAll()
	text, err := os.ReadFile(rest[0])
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s could not be read.", rest[0])
	}
	changes, err := sys.Config.Apply(ctx, text, operator)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		fmt.Fprintln(out, "Nothing changed: all is as the file says.")
	}
	for _, change := range changes {
		fmt.Fprintln(out, change)
	}
	return nil
}

func find(ctx context.Context, args []string, out, _ io.Writer) error {
	sys, rest, closeAll, err := stored("find", "find ID tells what became of a HubSpot record in each job: its id, or the link to it.\n", args, 1, out)
	if err != nil {
		return err
	}
	defer closeAll()
	id := rest[0][strings.LastIndexByte(strings.TrimRight(rest[0], "/"), '/')+1:]
	id = strings.TrimRight(id, "/")
	jobs, err := sys.Jobs.List(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, j := range jobs {
		prints, err := sys.Delta.Prints(ctx, j.ID, []string{id})
		if err != nil {
			return err
		}
		p, ok := prints[id]
		if !ok {
			continue
		}
		known = true
		fmt.Fprintf(out, "%s: %s", j.Name, p.Outcome)
		if r, err := sys.Runs.Get(ctx, p.Run); err == nil {
			fmt.Fprintf(out, " on %s", r.Ended.Local().Format(time.RFC1123))
		}
		fmt.Fprintf(out, ", run %s\n", p.Run)
		if p.GSID != "" {
			fmt.Fprintf(out, "  Gainsight row: %s\n", p.GSID)
		}
		if p.Reason != "" {
			fmt.Fprintf(out, "  %s: %s\n  %s\n", p.Code, p.Reason, p.Fix)
		}
	}
	if !known {
		fmt.Fprintf(out, "No run has read a record %s yet. Check the id, or that the record is not left out by HubSpot (archived, merged).\n", id)
	}
	return nil
}
