// Package localmachine runs the state machine files in this process: executions
// of the chain machine, and those of the extract and load machine that it starts.
//
// Everything is in memory. A process that ends takes its executions with it and
// frees their names; what the runs have reached is in the table, so the next
// execution goes on there.
package localmachine

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"time"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/machine"
)

// Options is what the machines run with. Functions is required.
type Options struct {
	// Functions :: name of a step → its handler: plan, extract, transform, upsert,
	// finish and notify. The map may be filled until the first Start. A handler
	// that panics fails its task as Runtime.ExitError, not the process.
	Functions map[string]asl.Handler
	// Log tells of panics; nil = nobody.
	Log *slog.Logger
	// Now, Sleep and Rand are those of asl.Options.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  func() float64
	// Observe is called when a state is entered, also at once; machine is chain,
	// extract or load. nil = nobody.
	Observe func(execution, machine, state string)
	// Ended is called with every execution that has ended, of any machine, also at
	// once: before Wait returns or, if it was stopped, before Close does. nil = nobody.
	Ended func(machine string, e *asl.Execution)
	// Evaluated is that of asl.Options.
	Evaluated func(asl.Evaluation)
}

// The machines, by the name of their file without .asl.json.
const (
	chain   = "chain"
	extract = "extract"
	load    = "load"
)

// New loads chain.asl.json, extract.asl.json and load.asl.json. A file that is
// missing or cannot be used is fault.Invalid.
func New(files fs.FS, o Options) (*Machines, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Machines{o: o, machines: map[string]*asl.Machine{}, executions: map[key]*execution{}}
	names := map[string]string{
		"PlanFunction": "plan", "ExtractFunction": "extract", "TransformFunction": "transform",
		"UpsertFunction": "upsert", "FinishFunction": "finish", "NotifyFunction": "notify",
		"ExtractMachine": extract, "LoadMachine": load,
	}
	for _, name := range []string{chain, extract, load} {
		file := name + ".asl.json"
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "The state machine file %s cannot be read.", file)
		}
		if m.machines[name], err = asl.Load(file, text, names); err != nil {
			return nil, fault.New(fault.Invalid, "A state machine file cannot be used: %v.", err)
		}
	}
	return m, nil
}

// Start starts an execution of the chain machine. The context is that of the
// call; only Stop and Close end the execution early. After Close it is
// fault.Invalid.
func (m *Machines) Start(ctx context.Context, name string, input json.RawMessage) error {
	if err := errors.Join(asl.CheckName(name), asl.CheckInput(input)); err != nil {
		return fault.New(fault.Invalid, "The execution cannot be started: %v.", err)
	}
	_, err := m.start(ctx, key{chain, name}, input)
	switch {
	case errors.Is(err, errClosed):
		return fault.New(fault.Invalid, "The execution cannot be started: the process ends.")
	case err != nil:
		return fault.New(fault.Conflict, "An execution named %s was started before.", name)
	}
	return nil
}

// Stop ends an execution as Aborted, with all that it has started. Its handlers
// see their context end and may run a moment longer.
func (m *Machines) Stop(_ context.Context, name, cause string) error {
	e, err := m.find(name)
	if err != nil {
		return err
	}
	m.stop(e, errors.New(cause))
	return nil
}

// Describe returns an execution, or fault.NotFound.
func (m *Machines) Describe(_ context.Context, name string) (machine.Execution, error) {
	e, err := m.find(name)
	if err != nil {
		return machine.Execution{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.Execution, nil
}

// Wait blocks until the execution has ended and returns it. A name that was
// never started is fault.NotFound; if the context ends first, its cause is the
// error and the execution goes on.
func (m *Machines) Wait(ctx context.Context, name string) (machine.Execution, error) {
	e, err := m.find(name)
	if err != nil {
		return machine.Execution{}, err
	}
	select {
	case <-e.done:
		return m.Describe(ctx, name)
	case <-ctx.Done():
		return machine.Execution{}, context.Cause(ctx)
	}
}

// Close stops every execution and returns when no handler runs any more, so that
// what the handlers use can be closed. Twice is as once.
func (m *Machines) Close() {
	m.mu.Lock()
	m.closed = true
	var open []*execution
	for _, e := range m.executions {
		open = append(open, e)
	}
	m.mu.Unlock()
	for _, e := range open {
		m.stop(e, errClosed)
	}
	m.running.Wait()
}

func (m *Machines) find(name string) (*execution, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.executions[key{chain, name}]; e != nil {
		return e, nil
	}
	return nil, fault.New(fault.NotFound, "There is no execution named %s.", name)
}

// guarded is the handler of that name. It turns a panic into the error of a
// function whose process has died, and lets Close wait for the handler.
func (m *Machines) guarded(name string) asl.Handler {
	return func(ctx context.Context, payload json.RawMessage) (answer json.RawMessage, err error) {
		handler := m.o.Functions[name]
		if handler == nil || !m.enter() {
			return nil, &asl.Error{Name: "Lambda.ResourceNotFoundException", Cause: "There is no function " + name + "."}
		}
		defer m.running.Done()
		defer func() {
			if r := recover(); r != nil {
				m.o.Log.ErrorContext(ctx, "function panicked", "function", name, "panic", r, "stack", string(debug.Stack()))
				answer, err = nil, &asl.Error{
					Name:  "Runtime.ExitError",
					Cause: `{"errorMessage":"The function exited.","errorType":"Runtime.ExitError"}`,
				}
			}
		}()
		return handler(ctx, payload)
	}
}

// enter counts a handler in, unless the process ends.
func (m *Machines) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.running.Add(1)
	return true
}
