// Package dirblob keeps files in a folder. A file is written beside its place,
// forced to the disk, and then linked there, which fails if it exists already:
// so it is whole or not there, whenever the process dies.
package dirblob

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
)

// Options of a folder.
type Options struct {
	// NoSync leaves it to the system when files reach the disk. A process that
	// dies loses nothing, a machine that dies may.
	NoSync bool
}

// Bucket is a blob.Bucket in a folder. It may be used at once, also by several
// processes.
type Bucket struct {
	dir string
	o   Options
}

// temporary marks files that are being written; a dead process leaves them.
const temporary = ".writing-"

// abandoned is when a file that is being written counts as left behind.
const abandoned = 24 * time.Hour

// Open opens the folder, and creates it if there is none. It removes what dead
// processes left half written more than a day ago.
func Open(dir string, o Options) (*Bucket, error) {
	b := &Bucket{dir: dir, o: o}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, b.fault(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), temporary) {
			return err
		}
		if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(path) // tried again at the next start
		}
		return nil
	})
	return b, b.fault(err)
}

// fault turns an error of the file system into one for people.
func (b *Bucket) fault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Invalid, "The disk of %s is full: free some space, then run the same command again.", b.dir)
	}
	return fault.Wrap(err, fault.Invalid, "Files in %s cannot be read or written. Check the folder and its permissions.", b.dir)
}

var validName = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`) //nolint:gochecknoglobals // a constant

func (b *Bucket) path(name string) (string, error) {
	parts := strings.Split(name, "/")
	bad := func(part string) bool { return part == "." || part == ".." || strings.HasPrefix(part, temporary) }
	if !validName.MatchString(name) || slices.ContainsFunc(parts, bad) {
		return "", fault.New(fault.Invalid, "A file cannot be named %q.", name)
	}
	return filepath.Join(b.dir, filepath.FromSlash(name)), nil
}

// Create writes a file that must not exist yet.
func (b *Bucket) Create(_ context.Context, name string, write func(io.Writer) error) error {
	path, err := b.path(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return exists(name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return b.fault(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary+"*")
	if err != nil {
		return b.fault(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // its content is linked by then
	out := &writer{w: bufio.NewWriterSize(f, 64<<10)}
	if err := write(out); err != nil {
		_ = f.Close()
		if out.failed != nil {
			return b.fault(out.failed)
		}
		return err
	}
	err = out.w.Flush()
	if err == nil && !b.o.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return b.fault(err)
	}
	switch err := os.Link(f.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return exists(name)
	case err != nil:
		return b.fault(err)
	}
	return b.sync(filepath.Dir(path))
}

func exists(name string) error { return fault.New(fault.Conflict, "There is a file %q already.", name) }

// sync makes the link itself durable.
func (b *Bucket) sync(dir string) error {
	if b.o.NoSync {
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // below the bucket's folder
	if err != nil {
		return b.fault(err)
	}
	return b.fault(errors.Join(d.Sync(), d.Close()))
}

// writer remembers its own failure, to tell it from those of the content.
type writer struct {
	w      *bufio.Writer
	failed error
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.failed = err
	}
	return n, err
}

// Open returns the content, or fault.NotFound.
func (b *Bucket) Open(_ context.Context, name string) (io.ReadCloser, error) {
	path, err := b.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path) //nolint:gosec // below the bucket's folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(name)
	}
	return f, b.fault(err)
}

func missing(name string) error { return fault.New(fault.NotFound, "There is no file %q.", name) }

// List returns the files whose name starts with prefix, by name.
func (b *Bucket) List(_ context.Context, prefix string) ([]blob.Info, error) {
	var all []blob.Info
	from := filepath.Join(b.dir, filepath.FromSlash(prefix[:strings.LastIndexByte(prefix, '/')+1]))
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || d.IsDir() || strings.HasPrefix(d.Name(), temporary):
			return err
		}
		rel, err := filepath.Rel(b.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		info, err := d.Info()
		if err == nil && strings.HasPrefix(name, prefix) {
			all = append(all, blob.Info{Name: name, Size: info.Size(), Modified: info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, b.fault(err)
	}
	slices.SortFunc(all, func(x, y blob.Info) int { return strings.Compare(x.Name, y.Name) })
	return all, nil
}

// Delete removes a file; it is no error if there is none.
func (b *Bucket) Delete(_ context.Context, name string) error {
	path, err := b.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b.fault(err)
	}
	return nil
}

// Link returns the file's path: whoever may read the folder may read it, for as
// long as it is there.
func (b *Bucket) Link(_ context.Context, name, _ string, _ time.Duration) (string, error) {
	path, err := b.path(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", missing(name)
	}
	return path, nil
}
