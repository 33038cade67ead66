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
  serve    the console and the API, schedules and webhooks; -demo simulates both vendors
  sync     sync real accounts (or other endpoints): -chain NAME or -job NAME
  doctor   ask both vendors how they speak, and keep it for sync
  find ID  tell what became of a HubSpot record
  export   write jobs, chains, schedules and keys as YAML: export FILE
  apply    take them from a YAML file: apply FILE
  help     this text

Each command explains its flags with -h.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	default:
		say(os.Stderr, "%s\n", sentence(err))
		os.Exit(1)
	}
}

// errStopped ends a command that somebody interrupted.
var errStopped = fault.New(fault.Invalid, "Stopped. Nothing is lost: give the same command again, and it goes on where it stood.")

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

// command runs the command that args begin with. What it tells goes to out; why
// it failed is its error, see sentence.
func command(ctx context.Context, args []string, out io.Writer) error {
	name := "help"
	if len(args) > 0 {
		name, args = strings.TrimLeft(args[0], "-"), args[1:]
	}
	switch name {
	case "demo":
		return demo(ctx, args, out)
	case "serve":
		return serveCommand(ctx, args, out)
	case "sync":
		return sync(ctx, args, out)
	case "doctor":
		return examine(ctx, args, out)
	case "find":
		return find(ctx, args, out)
	case "export":
		return export(ctx, args, out)
	case "apply":
		return apply(ctx, args, out)
	case "help", "h":
		_, err := io.WriteString(out, usage)
		return err
	}
	return fault.New(fault.Invalid, "There is no command %q: use demo, serve, sync, doctor, find, export, apply or help.", name)
}

// say prints. A screen that is gone needs no words, so there is no error.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// flagSet are the flags of a command.
type flagSet struct {
	*flag.FlagSet
	help func()
}

// flags returns a set without flags, which explains itself on out.
func flags(name, explain string, out io.Writer) flagSet {
	set := flagSet{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	set.SetOutput(io.Discard)
	set.Usage = func() {} // a wrong flag is told in a sentence
	set.help = func() {
		set.SetOutput(out)
		say(out, "%s\n", explain)
		set.PrintDefaults()
	}
	return set
}

// parse reads the flags and returns the arguments among them, which must be as
// many as are wanted.
func (set flagSet) parse(args []string, want int) ([]string, error) {
	var rest []string
	for {
		if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
			set.help()
			return nil, err
		} else if err != nil {
			message := strings.TrimSuffix(err.Error(), ".")
			return nil, fault.New(fault.Invalid, "%s: see %s -h.", strings.ToUpper(message[:1])+message[1:], set.Name())
		}
		if set.NArg() == 0 {
			break
		}
		rest, args = append(rest, set.Arg(0)), set.Args()[1:]
	}
	if len(rest) > want {
		return nil, fault.New(fault.Invalid, "%q is not understood: see %s -h.", rest[want], set.Name())
	}
	if len(rest) < want {
		return nil, fault.New(fault.Invalid, "An argument is missing: see %s -h.", set.Name())
	}
	return rest, nil
}

// logger writes to a file in the data folder: the screen is for people.
func logger(dir string) (*slog.Logger, io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the folder that the operator named
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Invalid, "The log in %s cannot be written. Check the folder, or choose another with -data.", dir)
	}
	return slog.New(slog.NewJSONHandler(f, nil)), f, nil
}
