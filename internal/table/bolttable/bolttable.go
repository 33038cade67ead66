// Package bolttable is the table in one bbolt file: nothing to install, one
// process at a time.
//
// All items are in one bucket. Its key is the partition, with its length before
// it, and the sort key; its value is a checksum, version, expiry and document.
// Expired items are skipped by reads and removed, bit by bit, by writes.
package bolttable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = time.Second

// Options of a table. The zero Options are right for use.
type Options struct {
	// Now tells which items are expired; nil means time.Now.
	Now func() time.Time
	// NoSync leaves writes to the operating system: quicker, safe if the process
	// dies, not safe if the machine does.
	NoSync bool
}

// Table is a table.Table in a file. Reads go on beside each other and beside a
// write; writes follow one another.
type Table struct {
	db     *bbolt.DB
	path   string
	now    func() time.Time
	writes atomic.Int64
	swept  []byte // last key that the sweep looked at; used inside a write only
}

var _ table.Table = (*Table)(nil)

var bucketName = []byte("items") //nolint:gochecknoglobals // a constant

// Open opens the file, and creates it if there is none. A file that another
// process has open is fault.Conflict; one that is damaged or no table, or that
// cannot be written, is fault.Invalid.
func Open(path string, o Options) (*Table, error) {
	t := &Table{path: path, now: o.Now}
	if t.now == nil {
		t.now = time.Now
	}
	if err := t.guard(func() error { return t.open(o) }); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) open(o Options) (err error) {
	db, err := bbolt.Open(t.path, 0o600, &bbolt.Options{
		Timeout:      lockTimeout,
		NoSync:       o.NoSync,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
	})
	if err != nil {
		return err
	}
	if err := db.Update(check); err != nil {
		return errors.Join(err, db.Close())
	}
	t.db = db
	return nil
}

var errCut = errors.New("the file is shorter than its contents")

// check makes sure that the file is whole and has the bucket.
func check(tx *bbolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return errCut
	}
	items, err := tx.CreateBucketIfNotExists(bucketName)
	if err != nil {
		return err
	}
	first, last := items.Cursor(), items.Cursor()
	first.First()
	last.Last()
	return nil
}

// Close waits for reads and writes to end and frees the file. Closing twice is
// no error.
func (t *Table) Close() error {
	return t.guard(t.db.Close)
}

// guard does work on the file and says what its errors mean. bbolt panics on a
// damaged page, and a page behind the end of the file is a memory fault.
func (t *Table) guard(work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = t.damaged(fmt.Errorf("panic: %v", cause))
		}
	}()
	return t.meaning(work())
}

func (t *Table) damaged(err error) error {
	return fault.Wrap(err, fault.Invalid, "The data file %s is damaged or is no data file: restore a copy of it, or choose another folder.", t.path)
}

func (t *Table) meaning(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	dir := filepath.Dir(t.path)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fault.Wrap(err, fault.Conflict, "The data folder %s is in use by another process: stop it, or choose another folder.", dir)
	case full(err):
		return fault.Wrap(err, fault.Invalid, "The disk is full: free some space on that of %s, then run the same command again.", dir)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrIncompatibleValue), errors.Is(err, errCut), errors.Is(err, errDamaged), errors.Is(err, syscall.EISDIR):
		return t.damaged(err)
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(err, fault.Invalid, "There is no folder %s: create it, or choose another folder.", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Wrap(err, fault.Invalid, "The data file %s cannot be written: allow it, or choose another folder.", t.path)
	}
	return fmt.Errorf("use data file %s: %w", t.path, err)
}

// full reports whether there is no room for the file to grow. bbolt hands on some
// system errors as text only.
func full(err error) bool {
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.HasSuffix(err.Error(), no.Error()) {
			return true
		}
	}
	return errors.Is(err, io.ErrShortWrite)
}

// view reads in one consistent state of the table.
func (t *Table) view(ctx context.Context, read func(items *bbolt.Bucket, now int64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.guard(func() error {
		return t.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(bucketName), t.now().Unix()) })
	})
}

// update writes all or nothing.
func (t *Table) update(ctx context.Context, write func(items *bbolt.Bucket, now int64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.guard(func() error {
		return t.db.Update(func(tx *bbolt.Tx) error {
			items, now := tx.Bucket(bucketName), t.now().Unix()
			if err := write(items, now); err != nil {
				return err
			}
			return t.sweep(items, now)
		})
	})
}

// The sweep looks at sweepItems items in every sweepEvery-th write, a few
// microseconds per write.
const (
	sweepEvery = 64
	sweepItems = 256
)

// sweep removes expired items among those that are next in its round.
func (t *Table) sweep(items *bbolt.Bucket, now int64) error {
	if t.writes.Add(1)%sweepEvery != 0 {
		return nil
	}
	var (
		cursor  = items.Cursor()
		key, v  = cursor.Seek(t.swept)
		expired [][]byte
	)
	for range sweepItems {
		if key == nil {
			break
		}
		if stored, err := decode(key, v); err == nil && stored.expired(now) {
			expired = append(expired, bytes.Clone(key))
		}
		key, v = cursor.Next()
	}
	t.swept = append(t.swept[:0], key...) // empty at the end: the round starts again
	for _, key := range expired {
		if err := items.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
