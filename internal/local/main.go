// Command local runs the whole connector in one process: the same state machines
// and handlers as on AWS, with embedded storage in one folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"hubspotconnector/internal/fault"
)

const usage = `The HubSpot → Gainsight connector on one machine.

  demo     simulate both vendors, sync, edit some records, sync again
  sync     sync real accounts (or other endpoints): -chain NAME or -job NAME
  find ID  tell what became of a HubSpot record
  export   write jobs, chains, schedules and keys as YAML: export FILE
  apply    take them from a YAML file: apply FILE
  help     this text

Each command explains its flags with -h.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, sentence(err))
		os.Exit(1)
	}
}

// errStopped ends a command that somebody interrupted.
var errStopped = fault.New(fault.Invalid, "Stopped. Nothing is lost: give the same command again, and it goes on where it stood.") //nolint:gochecknoglobals // a constant

// outcomeError ends a command whose runs did not succeed; what happened is printed.
type outcomeError struct{ message string }

func (e *outcomeError) Error() string { return e.message }

func sentence(err error) string {
	if e, ok := errors.AsType[*outcomeError](err); ok {
		return e.message
	}
	if errors.Is(err, context.Canceled) {
		return fault.MessageOf(errStopped)
	}
	return fault.MessageOf(err)
}

func command(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	name := "help"
	if len(args) > 0 {
		name, args = strings.TrimLeft(args[0], "-"), args[1:]
	}
	switch name {
	case "demo":
		return demo(ctx, args, out, diagnostics)
	case "sync":
		return sync(ctx, args, out, diagnostics)
	case "find":
		return find(ctx, args, out, diagnostics)
	case "export":
		return export(ctx, args, out, diagnostics)
	case "apply":
		return apply(ctx, args, out, diagnostics)
	case "help", "h":
		_, err := io.WriteString(out, usage)
		return err
	}
	return fault.New(fault.Invalid, "There is no command %q: use demo, sync, find, export, apply or help.", name)
}

// flags returns an empty flag set that explains itself on out.
func flags(name, explain string, out io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {
		set.SetOutput(out)
		fmt.Fprintln(out, explain)
		set.PrintDefaults()
	}
	return set
}

// parse reads the flags. At most want arguments may follow them.
func parse(set *flag.FlagSet, args []string, want int) error {
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fault.New(fault.Invalid, "%s: see %s -h.", strings.TrimSuffix(err.Error(), "."), set.Name())
	}
	if extra := set.Args(); len(extra) > want {
		return fault.New(fault.Invalid, "%q is not understood: see %s -h.", extra[want], set.Name())
	}
	return nil
}

// logger writes to a file in the data folder: the screen is for people.
func logger(dir string) (*slog.Logger, io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Invalid, "The log in %s cannot be written. Check the folder, or choose another with -data.", dir)
	}
	return slog.New(slog.NewJSONHandler(f, nil)), f, nil
}
