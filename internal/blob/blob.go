// Package blob is the port for files: written once, read as a stream, listed,
// deleted, and shared by a signed link for a limited time.
package blob

import (
	"context"
	"io"
	"time"
)

// Info describes a stored file.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Bucket stores files under names such as "runs/01H…/part-3.jsonl.gz". Names use
// letters, digits, "-", "_", "." and "/" and have no empty, "." or ".." part;
// others are fault.Invalid. All methods may be called at once.
type Bucket interface {
	// Create writes a file that must not exist yet: fault.Conflict if it does,
	// and then nothing is changed. write streams the content; if it fails,
	// nothing is stored and its error is returned. On return the file is durable
	// and whole; a reader never sees a part of it.
	Create(ctx context.Context, name string, write func(io.Writer) error) error
	// Open returns the content as a stream, or fault.NotFound. The caller closes it.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns the files whose name starts with prefix, by name.
	List(ctx context.Context, prefix string) ([]Info, error)
	// Delete removes a file; it is no error if there is none.
	Delete(ctx context.Context, name string) error
	// Link returns a URL (or a local path) from which the file can be downloaded
	// for the given time, shown to the user under the file name as. fault.NotFound
	// if there is no such file.
	Link(ctx context.Context, name, as string, valid time.Duration) (string, error)
}
