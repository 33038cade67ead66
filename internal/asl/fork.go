package asl

import (
	"context"
	"sync"
)

// parallel runs all branches at once; the result is the list of their outputs.
func (t *thread) parallel(ctx context.Context, s *state, f *frame) (any, error) {
	return t.fork(ctx, len(s.branches), len(s.branches), 0, func(i int) (*thread, any, error) {
		return t.inner(s.branches[i], t.item), f.input, nil
	})
}

// mapItems runs the processor for every item, at most as many at once as the
// state says; the result is the list of the outputs, in the order of the items.
func (t *thread) mapItems(ctx context.Context, s *state, f *frame) (any, error) {
	v, err := s.items.eval(f)
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, t.wrongType("Items", s, "a list")
	}
	return t.fork(ctx, len(items), s.concurrency, 1, func(i int) (*thread, any, error) {
		of := &item{index: i, value: items[i]}
		if s.selector == nil {
			return t.inner(s.branches[0], of), items[i], nil
		}
		selecting := *f
		selecting.item = of
		input, err := s.selector.eval(&selecting)
		return t.inner(s.branches[0], of), input, err
	})
}

// inner returns a thread for a scope inside this one.
func (t *thread) inner(sc *scope, of *item) *thread {
	return &thread{execution: t.execution, scope: sc, item: of, vars: &variables{outer: t.vars, own: map[string]any{}}}
}

// fork runs n threads, at most atOnce of them at once, each with one event when
// it starts and one when it ends if perThread is 1. The first error stops the
// others; fork returns when all have stopped.
func (t *thread) fork(ctx context.Context, n, atOnce int, perThread int64, start func(i int) (*thread, any, error)) (any, error) {
	t.event(1) // ParallelStateStarted, MapStateStarted
	forked, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all     sync.WaitGroup
		once    sync.Once
		failed  error
		slots   = make(chan struct{}, max(1, atOnce))
		threads = make([]*thread, n)
		outputs = make([]any, n)
	)
	one := func(i int) {
		defer func() { <-slots }()
		t.event(perThread)
		inner, input, err := start(i)
		if err == nil {
			threads[i] = inner
			outputs[i], err = inner.run(forked, input)
		}
		t.event(perThread)
		if err != nil {
			once.Do(func() { failed = err; cancel(errSibling) })
		}
	}
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-forked.Done():
		}
		if forked.Err() != nil {
			break
		}
		all.Go(func() { one(i) })
	}
	all.Wait()
	for _, inner := range threads {
		if inner != nil {
			t.path = append(t.path, inner.path...)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	t.event(1) // the same, Succeeded or Failed
	if failed != nil {
		return nil, failed
	}
	return outputs, nil
}
