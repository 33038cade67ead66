package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
)

// stored opens the data folder for a command about what is stored there, with one
// argument. Only a command that calls the vendors needs their settings.
func stored(name, explain string, calls bool, args []string, out io.Writer) (sys *inprocess.System, arg string, closeAll func(), err error) {
	set := flags(name, explain, out)
	dir := set.String("data", dataDir(), "data folder")
	read := func() (connector.Settings, error) { return connector.Settings{}, nil }
	if calls {
		read = settings(set)
	}
	rest, err := set.parse(args, 1)
	if err != nil {
		return nil, "", nil, err
	}
	s, err := read()
	if err != nil {
		return nil, "", nil, err
	}
	if _, err := os.Stat(filepath.Join(*dir, tableFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil, fault.New(fault.Invalid, "There is no data in %s. Name the folder with -data, or give the command sync first.", *dir)
	}
	sys, closeAll, err = open(*dir, s, vendors{})
	return sys, rest[0], closeAll, err
}

func export(ctx context.Context, args []string, out io.Writer) error {
	sys, file, closeAll, err := stored("export", "export FILE writes jobs, chains, schedules and keys as YAML, - for the screen.\n", false, args, out)
	if err != nil {
		return err
	}
	defer closeAll()
	text, err := sys.Config.Export(ctx)
	if err != nil {
		return err
	}
	if file == "-" {
		_, err := out.Write(text)
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // the file that the operator named
		return fault.Wrap(err, fault.Invalid, "%s could not be written. Check the folder and its free space.", file)
	}
	say(out, "Written to %s.\n", file)
	return nil
}

func apply(ctx context.Context, args []string, out io.Writer) error {
	sys, file, closeAll, err := stored("apply", "apply FILE makes jobs, chains, schedules and keys as the YAML file says.\n", true, args, out)
	if err != nil {
		return err
	}
	defer closeAll()
	text, err := os.ReadFile(file) //nolint:gosec // the file that the operator named
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s could not be read. Check its name and who may read it.", file)
	}
	changes, err := sys.Config.Apply(ctx, text, operator)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		say(out, "Nothing changed: all is as the file says.\n")
	}
	for _, change := range changes {
		say(out, "%s %s %q\n", change.Type, change.What, change.Name)
		for _, line := range change.Lines {
			say(out, "  %s\n", line)
		}
	}
	return nil
}

func find(ctx context.Context, args []string, out io.Writer) error {
	sys, id, closeAll, err := stored("find", "find ID tells what became of a HubSpot record in each job: its id, or the link to it.\n", false, args, out)
	if err != nil {
		return err
	}
	defer closeAll()
	id, _, _ = strings.Cut(id, "?") // of a link
	id = path.Base(id)
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
		if p, ok := prints[id]; ok {
			known = true
			if err := tell(ctx, sys, j.Name, p, out); err != nil {
				return err
			}
		}
	}
	if !known {
		say(out, "No run has read a record %s yet. Check the id, or that the record is not left out by HubSpot (archived, merged).\n", id)
	}
	return nil
}

// tell prints the last outcome of a record in a job.
func tell(ctx context.Context, sys *inprocess.System, job string, p delta.Print, out io.Writer) error {
	say(out, "%s: %s", job, p.Outcome)
	r, err := sys.Runs.Get(ctx, p.Run)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound): // runs are kept for a year
		return err
	case err == nil && r.Status.Closed():
		say(out, " on %s", r.Ended.Local().Format(time.RFC1123))
	case err == nil:
		say(out, " in a run that is not over")
	}
	say(out, ", run %s\n", p.Run)
	if p.GSID != "" {
		say(out, "  Gainsight row: %s\n", p.GSID)
	}
	if p.Reason != "" {
		say(out, "  %s: %s\n  %s\n", p.Code, p.Reason, p.Fix)
	}
	return nil
}
