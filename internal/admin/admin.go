// Package admin is what people and programs do with the connector beyond storing
// a job, chain or setting: start, stop and resume runs, see what happened, try a
// job out, find a record. Console and API are two faces of it.
package admin

import (
	"context"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/record"
)

// Service is the operations. The first three fields are required. It is used by
// pointer and may be used at once.
type Service struct {
	Connector *connector.Connector
	Machines  machine.Machines
	NewID     func() string                                    // returns an id that was never returned before
	Now       func() time.Time                                 // nil = time.Now
	Sleep     func(ctx context.Context, d time.Duration) error // nil = a timer

	schemas memory[record.Schema]
	objects memory[[]gainsight.Object]
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}
