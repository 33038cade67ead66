package dirblob_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/blobtest"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
)

func open(t *testing.T, dir string, o dirblob.Options) *dirblob.Bucket {
	t.Helper()
	b, err := dirblob.Open(dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return b
}

func TestBucket(t *testing.T) {
	for name, o := range map[string]dirblob.Options{"durable": {}, "NoSync": {NoSync: true}} {
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blob.Bucket { return open(t, filepath.Join(t.TempDir(), "new"), o) })
		})
	}
}

// files returns the paths below the folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(file string, _ os.DirEntry, err error) error {
		if name, _ := filepath.Rel(dir, file); name != "." {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestHalfWrittenFilesAreInvisibleAndRemovedWhenTheyAreOld(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "runs"), 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for name, age := range map[string]time.Duration{"runs/~1": 2 * time.Hour, "~2": 2 * time.Hour, "runs/~3": 10 * time.Minute, "runs/whole": 2 * time.Hour} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, dir, dirblob.Options{Now: func() time.Time { return now }})
	if diff := cmp.Diff([]string{"runs", "runs/whole", "runs/~3"}, files(t, dir)); diff != "" {
		t.Errorf("on disk (-want +got):\n%s", diff)
	}
	if list, err := b.List(t.Context(), ""); err != nil || len(list) != 1 || list[0].Name != "runs/whole" {
		t.Errorf("list: %+v, %v; want the whole file", list, err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, dirblob.Options{})
	write := func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }
	for range 2 { // the second is a conflict
		_ = b.Create(t.Context(), "runs/1/part", write)
	}
	if diff := cmp.Diff([]string{"runs", "runs/1", "runs/1/part"}, files(t, dir)); diff != "" {
		t.Errorf("on disk (-want +got):\n%s", diff)
	}
	if err := b.Delete(t.Context(), "runs/1/part"); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("on disk: %q", left)
	}
}

func TestFullDiskIsSaid(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the test limits the size of files")
	}
	dir := t.TempDir()
	b := open(t, dir, dirblob.Options{})
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	lower := limit
	lower.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lower); err != nil {
		t.Fatal(err)
	}
	err := b.Create(t.Context(), "large", func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 2<<20))
		return err
	})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	want := "The disk is full: free some space on that of " + dir + ", then run the same command again."
	if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != want {
		t.Errorf("create on a full disk: %v", err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("on disk: %q", left)
	}
}

func TestFolderThatIsAFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := dirblob.Open(dir, dirblob.Options{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("open %s: %v, want Invalid", dir, err)
		}
	}
}
