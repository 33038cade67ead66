package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	gosync "sync"
	"time"

	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/schedule/localscheduler"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/table/bolttable"
)

// tableFile is the table, in the data folder.
const tableFile = "table.db"

// vendors is how the system reaches the vendors, and in which time it lives.
type vendors struct {
	hubspot, gainsight *http.Client // nil = the network
	now                func() time.Time
	sleep              func(context.Context, time.Duration) error
	// scheduler, if not nil, follows the stored schedules.
	scheduler *localscheduler.Scheduler
	// throwaway data is not forced to the disk.
	throwaway bool
}

// open builds the system over a data folder, which it creates. close frees it.
func open(dir string, s connector.Settings, v vendors) (_ *inprocess.System, closeAll func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fault.Wrap(err, fault.Invalid, "The data folder %s cannot be created. Choose another with -data.", dir)
	}
	table, err := bolttable.Open(filepath.Join(dir, tableFile), bolttable.Options{Now: v.now, NoSync: v.throwaway})
	if err != nil {
		return nil, nil, err
	}
	closers := []func(){func() { _ = table.Close() }}
	free := func() {
		for i := len(closers) - 1; i >= 0; i-- {
			closers[i]()
		}
	}
	defer func() {
		if err != nil {
			free()
		}
	}()
	log, file, err := logger(dir)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, func() { _ = file.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: v.throwaway})
	if err != nil {
		return nil, nil, err
	}
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		return nil, nil, err
	}
	ports := connector.Ports{
		Table: table, Bucket: bucket, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		HubSpotHTTP: v.hubspot, GainsightHTTP: v.gainsight, Now: v.now, Sleep: v.sleep, NewID: newIDs(v.now), Log: log,
	}
	if v.scheduler != nil {
		ports.Scheduler = v.scheduler
	}
	sys, err := inprocess.New(s, ports, log)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, sys.Close)
	return sys, free, nil
}

// newIDs returns ULIDs that sort by their making.
func newIDs(now func() time.Time) func() string {
	if now == nil {
		now = time.Now
	}
	var mu gosync.Mutex
	entropy := ulid.Monotonic(rand.Reader, 0)
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return ulid.MustNew(ulid.Timestamp(now()), entropy).String()
	}
}

// connected returns the connection of that name, created if there is none.
func connected(ctx context.Context, sys *inprocess.System, name string) (connection.Connection, error) {
	all, err := sys.Connections.List(ctx)
	if err != nil {
		return connection.Connection{}, err
	}
	for _, c := range all {
		if strings.EqualFold(c.Name, name) {
			return c, nil
		}
	}
	return sys.Connections.Create(ctx, name, operator)
}

// operator is who does what is done here, in the activity.
const operator = "local"

// account tells which HubSpot account a connection leads to.
func account(c connection.Connection) string {
	return fmt.Sprintf("HubSpot account %d (%s)", c.PortalID, c.Domain)
}
