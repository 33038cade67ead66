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

	"hubspotconnector/internal/api"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
)

// place is where a command does its work: in a data folder, or in a deployment.
type place interface {
	export(ctx context.Context) ([]byte, error)
	apply(ctx context.Context, file []byte) ([]api.Change, error)
	// find prints what became of a record.
	find(ctx context.Context, what string, out io.Writer) error
	close()
}

// here is a data folder of this machine.
type here struct {
	*inprocess.System
	free func()
}

// stored opens the place of a command about what is stored, with one argument. In a
// data folder, only a command that calls the vendors needs their settings.
func stored(name, explain string, calls bool, args []string, out io.Writer) (at place, arg string, err error) {
	set := flags(name, explain, out)
	dir := set.String("data", dataDir(), "data folder")
	there := remoteFlag(set)
	read := func() (connector.Settings, error) { return connector.Settings{}, nil }
	if calls {
		read = settings(set)
	}
	rest, err := set.parse(args, 1)
	if err != nil {
		return nil, "", err
	}
	if r, err := there(); err != nil {
		return nil, "", err
	} else if r != nil {
		return r, rest[0], nil
	}
	s, err := read()
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(filepath.Join(*dir, tableFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, "", fault.New(fault.Invalid, "There is no data in %s. Name the folder with -data, or give the command sync first.", *dir)
	}
	sys, free, err := open(*dir, s, vendors{})
	if err != nil {
		return nil, "", err
	}
	return here{sys, free}, rest[0], nil
}

func export(ctx context.Context, args []string, out io.Writer) error {
	at, file, err := stored("export", "export FILE writes jobs, chains, schedules and keys as YAML, - for the screen.\n", false, args, out)
	if err != nil {
		return err
	}
	defer at.close()
	text, err := at.export(ctx)
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
	at, file, err := stored("apply", "apply FILE makes jobs, chains, schedules and keys as the YAML file says.\n", true, args, out)
	if err != nil {
		return err
	}
	defer at.close()
	text, err := os.ReadFile(file) //nolint:gosec // the file that the operator named
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s could not be read. Check its name and who may read it.", file)
	}
	changes, err := at.apply(ctx, text)
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
	at, what, err := stored("find", "find ID tells what became of a HubSpot record in each job: its id, or the link to it.\nWith -api also its e-mail address or name.\n", false, args, out)
	if err != nil {
		return err
	}
	defer at.close()
	return at.find(ctx, what, out)
}

func (h here) close() { h.free() }

func (h here) export(ctx context.Context) ([]byte, error) { return h.Config.Export(ctx) }

func (h here) apply(ctx context.Context, file []byte) ([]api.Change, error) {
	changes, err := h.Config.Apply(ctx, file, operator)
	all := make([]api.Change, len(changes))
	for i, c := range changes {
		all[i] = api.Change{What: c.What, Name: c.Name, Type: c.Type, Lines: c.Lines}
	}
	return all, err
}

func (h here) find(ctx context.Context, id string, out io.Writer) error {
	id, _, _ = strings.Cut(id, "?") // of a link
	id = path.Base(id)
	jobs, err := h.Jobs.List(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, j := range jobs {
		prints, err := h.Delta.Prints(ctx, j.ID, []string{id})
		if err != nil {
			return err
		}
		if p, ok := prints[id]; ok {
			known = true
			if err := tell(ctx, h.System, j.Name, p, out); err != nil {
				return err
			}
		}
	}
	if !known {
		say(out, unknownRecord, id)
	}
	return nil
}

// unknownRecord is told of a record that no run has read.
const unknownRecord = "No run has read a record %s yet. Check the id, or that the record is not left out by HubSpot (archived, merged).\n"

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
