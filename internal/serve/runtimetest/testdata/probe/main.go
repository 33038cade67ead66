// Command probe is a function whose event says what becomes of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/serve"
)

func main() { serve.Run("probe", build) }

type event struct {
	Do string `json:"do"`
}

type answer struct {
	Status string        `json:"status"`
	PID    int           `json:"pid"`
	Calls  int64         `json:"calls"`
	Left   time.Duration `json:"left"`  // until the step's deadline
	Limit  int64         `json:"limit"` // of memory, in bytes
}

func build(app *serve.App) (serve.Handler, error) {
	app.Env.String("NEEDED")
	app.Env.Duration("PAUSE", time.Second)
	if err := app.Env.Err(); err != nil {
		return nil, err
	}
	var calls atomic.Int64
	return serve.Task(app.Log, func(ctx context.Context, e event) (answer, error) {
		app.Metrics.Emit(ctx, metric.VendorCalls, "HubSpot", 2)
		deadline, _ := ctx.Deadline()
		a := answer{"DONE", os.Getpid(), calls.Add(1), time.Until(deadline), debug.SetMemoryLimit(-1)}
		switch e.Do {
		case "echo":
			return a, nil
		case "panic":
			panic("canary")
		case "hang":
			<-ctx.Done()
			return a, fault.Wrap(ctx.Err(), fault.Transient, "It was stopped.")
		case "unknown":
			return a, errors.New("canary")
		}
		return a, fmt.Errorf("probe: %w", fault.Wrap(errors.New("cause"), fault.Kind(e.Do), "It is %s.", e.Do))
	}, "do"), nil
}
