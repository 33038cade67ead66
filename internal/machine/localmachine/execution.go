package localmachine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/machine"
)

var (
	errClosed  = errors.New("the process ends")
	errTaken   = errors.New("the name is taken")
	errStopped = errors.New("the execution that started this one goes on without it")
)

// remembered is how many executions that have ended keep their names.
const remembered = 1000

// Machines are the machines of one process. It is safe for concurrent use.
type Machines struct {
	o        Options
	machines map[string]*asl.Machine
	running  sync.WaitGroup // executions and handlers

	mu         sync.Mutex
	closed     bool
	executions map[key]*execution
	ended      []key // oldest first
}

type key struct{ machine, name string }

// execution is one of any machine. Its fields are guarded by Machines.mu.
type execution struct {
	key key
	machine.Execution
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended
}

// start starts an execution, or returns the one that runs with the same input.
func (m *Machines) start(ctx context.Context, k key, input json.RawMessage) (*execution, error) {
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, input); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if e := m.executions[k]; e != nil {
		if e.Status == machine.Running && bytes.Equal(e.Input, compact.Bytes()) {
			return e, nil
		}
		return nil, errTaken
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	e := &execution{
		key:       k,
		Execution: machine.Execution{Name: k.name, Status: machine.Running, Input: compact.Bytes(), Started: m.o.Now().UTC()},
		cancel:    cancel,
		done:      make(chan struct{}),
	}
	m.executions[k] = e
	m.running.Go(func() { m.run(ctx, e) })
	return e, nil
}

func (m *Machines) run(ctx context.Context, e *execution) {
	o := asl.Options{
		Functions: map[string]asl.Handler{}, StartChild: m.startChild,
		Now: m.o.Now, Sleep: m.o.Sleep, Rand: m.o.Rand, Evaluated: m.o.Evaluated,
	}
	for name := range m.o.Functions {
		o.Functions[name] = m.guarded(name)
	}
	if m.o.Observe != nil {
		o.Entered = func(state string) { m.o.Observe(e.key.name, e.key.machine, state) }
	}
	ended := m.machines[e.key.machine].Run(ctx, e.key.name, e.Input, o)
	if m.o.Ended != nil {
		m.o.Ended(e.key.machine, ended)
	}
	m.end(e, *ended)
	e.cancel(nil)
}

// stop ends the execution if it runs. What it has started ends with its context.
func (m *Machines) stop(e *execution, cause error) {
	m.end(e, asl.Execution{Status: asl.Aborted, Cause: cause.Error()})
	e.cancel(cause)
}

// end notes how the execution ended. The first to know wins: one that was
// stopped is closed at once, and its name taken, though its last task still ends.
func (m *Machines) end(e *execution, how asl.Execution) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Status != machine.Running {
		return
	}
	e.Status, e.Output, e.Error, e.Cause = machine.Status(how.Status), how.Output, how.Error, how.Cause
	e.Ended = m.o.Now().UTC()
	close(e.done)
	m.ended = append(m.ended, e.key)
	if len(m.ended) > remembered {
		delete(m.executions, m.ended[0])
		m.ended = m.ended[1:]
	}
}

// startChild is asl.Options.StartChild.
func (m *Machines) startChild(ctx context.Context, name, execution string, input json.RawMessage) (func(context.Context) (asl.Child, error), error) {
	e, err := m.start(ctx, key{name, execution}, input)
	switch {
	case errors.Is(err, errTaken):
		return nil, &asl.Error{
			Name:  "StepFunctions.ExecutionAlreadyExistsException",
			Cause: "Execution " + execution + " of the " + name + " machine was started before.",
		}
	case err != nil:
		return nil, err
	}
	return func(ctx context.Context) (asl.Child, error) {
		select {
		case <-e.done:
		case <-ctx.Done():
			m.stop(e, errStopped)
			return asl.Child{}, context.Cause(ctx)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		return asl.Child{
			Name: e.Name, Status: asl.Status(e.Status), Input: e.Input, Output: e.Output, Error: e.Error, Cause: e.Cause,
		}, nil
	}, nil
}
