// Package dirblob is the bucket in a folder: a file's name is its path in it.
//
// A file is written under a temporary name beside its place and then linked to
// it, which fails if the name is taken. Temporary names hold a "~", which no
// other name does; they are invisible, and removed when they are old.
package dirblob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
)

// abandoned is the age at which a temporary file is of a dead process.
const abandoned = time.Hour

// Options of a bucket. The zero Options are right for use.
type Options struct {
	// NoSync leaves writes to the operating system: quicker, safe if the process
	// dies, not safe if the machine does.
	NoSync bool
	// Now is compared with the times of files; nil means time.Now.
	Now func() time.Time
}

// Bucket is a blob.Bucket in a folder.
type Bucket struct {
	dir    string // absolute
	noSync bool
}

var _ blob.Bucket = (*Bucket)(nil)

// Open opens the folder, and creates it if there is none. Files that a dead
// process left half written an hour ago or earlier are removed. A folder that
// cannot be used is fault.Invalid.
func Open(dir string, o Options) (*Bucket, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder %s: %w", dir, err)
	}
	b := &Bucket{dir: full, noSync: o.NoSync}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(full, 0o700); err != nil {
		return nil, b.meaning(err)
	}
	if err := b.removeAbandoned(now().Add(-abandoned)); err != nil {
		return nil, b.meaning(err)
	}
	return b, nil
}

func (b *Bucket) removeAbandoned(before time.Time) error {
	return filepath.WalkDir(b.dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !temporary(file) {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().Before(before) {
			err = os.Remove(file) //nolint:gosec // a path of our own making
		}
		return missing(err)
	})
}

func temporary(file string) bool { return strings.Contains(filepath.Base(file), "~") }

// missing returns err unless it says that a file is not there.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// meaning says what an error of the file system means.
func (b *Bucket) meaning(err error) error {
	switch {
	case err == nil:
		return nil
	case full(err):
		return fault.Wrap(err, fault.Invalid, "The disk is full: free some space on that of %s, then run the same command again.", b.dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Wrap(err, fault.Invalid, "The folder %s cannot be written: allow it, or choose another folder.", b.dir)
	case errors.Is(err, syscall.ENOTDIR):
		return fault.Wrap(err, fault.Invalid, "The folder %s has a file where a folder must be: move it away, or choose another folder.", b.dir)
	}
	return err
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || errors.Is(err, io.ErrShortWrite)
}

func (b *Bucket) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func taken(err error) error {
	return fault.Wrap(err, fault.Conflict, "This file exists already.")
}

func none(err error) error {
	return fault.Wrap(err, fault.NotFound, "There is no such file (any more).")
}

// Create implements blob.Bucket.
func (b *Bucket) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := start(ctx, name); err != nil {
		return err
	}
	file := b.path(name)
	if _, err := os.Lstat(file); err == nil {
		return taken(fs.ErrExist)
	}
	temp, err := b.temp(file)
	if err != nil {
		return b.meaning(fmt.Errorf("create %s: %w", name, err))
	}
	defer func() { _ = os.Remove(temp.Name()) }() // it is linked by then, or not wanted
	out := &output{file: temp}
	err = b.fill(out, write)
	if out.err != nil {
		return b.meaning(fmt.Errorf("write %s: %w", name, out.err))
	}
	if err != nil {
		return err
	}
	if err := os.Link(temp.Name(), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return taken(err)
		}
		return b.meaning(fmt.Errorf("create %s: %w", name, err))
	}
	return b.meaning(b.syncDir(filepath.Dir(file)))
}

func start(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return blob.CheckName(name)
}

// temp creates a temporary file beside file. A Delete at the same time may remove
// the folder when it is empty; then it is created again.
func (b *Bucket) temp(file string) (temp *os.File, err error) {
	dir := filepath.Dir(file)
	for range 100 {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			temp, err = os.CreateTemp(dir, "~*")
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return temp, err
}

// output is the file that is written, with the first error of the file itself.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	o.note(err)
	return n, err
}

func (o *output) note(err error) {
	if o.err == nil {
		o.err = err
	}
}

// fill writes the content, makes it durable and closes the file. It returns the
// error of write; those of the file are in out.
func (b *Bucket) fill(out *output, write func(io.Writer) error) error {
	buffer := bufio.NewWriterSize(out, 64<<10)
	err := write(buffer)
	if err == nil {
		out.note(buffer.Flush())
		if !b.noSync {
			out.note(out.file.Sync())
		}
	}
	out.note(out.file.Close())
	return err
}

// syncDir makes the entries of a folder, and of those above it, durable.
func (b *Bucket) syncDir(dir string) error {
	if b.noSync {
		return nil
	}
	for {
		d, err := os.Open(dir) //nolint:gosec // a path of our own making
		if err != nil {
			return missing(err)
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
		if dir == b.dir {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// Open implements blob.Bucket.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := b.exists(ctx, name); err != nil {
		return nil, err
	}
	f, err := os.Open(b.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none(err)
	}
	if err != nil {
		return nil, b.meaning(fmt.Errorf("open %s: %w", name, err))
	}
	return f, nil
}

func (b *Bucket) exists(ctx context.Context, name string) error {
	if err := start(ctx, name); err != nil {
		return err
	}
	info, err := os.Stat(b.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return none(err)
	case err != nil:
		return b.meaning(fmt.Errorf("find %s: %w", name, err))
	case !info.Mode().IsRegular():
		return none(fs.ErrNotExist)
	}
	return nil
}

// List implements blob.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) ([]blob.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := blob.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var files []blob.Info
	err := filepath.WalkDir(b.path(path.Dir(prefix+"x")), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || temporary(file) {
			return missing(err)
		}
		name, err := filepath.Rel(b.dir, file)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); !strings.HasPrefix(name, prefix) {
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			files = append(files, blob.Info{Name: name, Size: info.Size(), Modified: info.ModTime()})
		}
		return missing(err) // deleted meanwhile
	})
	if err != nil {
		return nil, b.meaning(fmt.Errorf("list %s: %w", prefix, err))
	}
	slices.SortFunc(files, func(a, b blob.Info) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Delete implements blob.Bucket. Folders that become empty go too.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := b.exists(ctx, name); err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	file := b.path(name)
	if err := missing(os.Remove(file)); err != nil {
		return b.meaning(fmt.Errorf("delete %s: %w", name, err))
	}
	for dir := filepath.Dir(file); dir != b.dir; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break
		}
	}
	return nil //nolint:nilerr // a folder that is not removed is not empty
}

// Link implements blob.Bucket: it returns the file's absolute path, which stays
// valid as long as the file is there and has the file's own name.
func (b *Bucket) Link(ctx context.Context, name, _ string, _ time.Duration) (string, error) {
	if err := b.exists(ctx, name); err != nil {
		return "", err
	}
	return b.path(name), nil
}
