// Package blobtest is the contract of blob.Bucket as tests.
package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
)

// Run runs the contract on buckets that open returns. They may share their
// storage: each test uses a folder of its own. Their clock is time.Now.
func Run(t *testing.T, open func(t *testing.T) blob.Bucket) {
	tests := []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"what is created is read", testCreate},
		{"a file is written once", testOnce},
		{"of 20 creators one wins", testRace},
		{"a writer that fails stores nothing", testFailingWriter},
		{"a reader never sees a part of a file", testWhole},
		{"files are listed by name", testList},
		{"a deleted file is gone", testDelete},
		{"files come and go at once", testChurn},
		{"bad names are refused", testNames},
		{"a link leads to the file", testLink},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, suite{Bucket: open(t), dir: fmt.Sprintf("test-%d/%d/", time.Now().UnixNano(), i)})
		})
	}
}

// suite is a bucket and a folder in it that nobody else uses.
type suite struct {
	blob.Bucket
	dir string
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func (s suite) create(t *testing.T, name, content string) {
	t.Helper()
	if err := s.Create(t.Context(), s.dir+name, text(content)); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

// read returns the content of a file.
func (s suite) read(t *testing.T, name string) (string, error) {
	t.Helper()
	f, err := s.Open(t.Context(), s.dir+name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(f)
	return string(b), errors.Join(err, f.Close())
}

// want fails the test unless the file has the content.
func (s suite) want(t *testing.T, name, content string) {
	t.Helper()
	got, err := s.read(t, name)
	if err != nil || got != content {
		t.Errorf("%s holds %.40q (%d bytes), %v; want %.40q (%d bytes)", name, got, len(got), err, content, len(content))
	}
}

// names returns what List finds below the prefix, without the suite's folder.
func (s suite) names(t *testing.T, prefix string) []string {
	t.Helper()
	files, err := s.List(t.Context(), s.dir+prefix)
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimPrefix(f.Name, s.dir))
	}
	return names
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("error %v, want a fault.%s", err, kind)
	}
}

func testCreate(t *testing.T, s suite) {
	_, err := s.read(t, "a/b.txt")
	wantKind(t, err, fault.NotFound)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for name, content := range map[string]string{"a/b.txt": "hello", "a/empty": "", "A-1_z.jsonl.gz": "\x00\xff", "large": large} {
		s.create(t, name, content)
		s.want(t, name, content)
	}
	_, err = s.read(t, "a")
	wantKind(t, err, fault.NotFound)
	_, err = s.read(t, "a/b.txt/c")
	wantKind(t, err, fault.NotFound)
}

func testOnce(t *testing.T, s suite) {
	s.create(t, "once", "first")
	wantKind(t, s.Create(t.Context(), s.dir+"once", text("second")), fault.Conflict)
	s.want(t, "once", "first")

	// One that comes while the first is being written.
	err := s.Create(t.Context(), s.dir+"during", func(w io.Writer) error {
		s.create(t, "during", "inner")
		return text("outer")(w)
	})
	wantKind(t, err, fault.Conflict)
	s.want(t, "during", "inner")
}

func testRace(t *testing.T, s suite) {
	const creators = 20
	var (
		group sync.WaitGroup
		errs  [creators]error
	)
	content := func(i int) string { return strings.Repeat(fmt.Sprintf("%02d", i), 50_000) }
	for i := range creators {
		group.Go(func() { errs[i] = s.Create(t.Context(), s.dir+"new/one", text(content(i))) })
	}
	group.Wait()
	winners := 0
	for i, err := range errs {
		if err != nil {
			wantKind(t, err, fault.Conflict)
			continue
		}
		winners++
		s.want(t, "new/one", content(i))
	}
	if winners != 1 {
		t.Errorf("%d creators won", winners)
	}
	if diff := cmp.Diff([]string{"new/one"}, s.names(t, "")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func testFailingWriter(t *testing.T, s suite) {
	fail := errors.New("fail")
	for _, size := range []int{0, 10, 1 << 20} {
		err := s.Create(t.Context(), s.dir+"a/x", func(w io.Writer) error {
			if _, err := w.Write(bytes.Repeat([]byte("x"), size)); err != nil {
				return err
			}
			return fail
		})
		if !errors.Is(err, fail) {
			t.Errorf("after %d bytes: %v, want the writer's error", size, err)
		}
		if names := s.names(t, ""); len(names) != 0 {
			t.Errorf("after %d bytes there are %q", size, names)
		}
	}
	s.create(t, "a/x", "whole")
	s.want(t, "a/x", "whole")
}

func testWhole(t *testing.T, s suite) {
	err := s.Create(t.Context(), s.dir+"slow", func(w io.Writer) error {
		for range 4 {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<18)); err != nil {
				return err
			}
			_, err := s.read(t, "slow")
			wantKind(t, err, fault.NotFound)
			if names := s.names(t, ""); len(names) != 0 {
				t.Errorf("a file that is being written is listed: %q", names)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, "slow", strings.Repeat("x", 1<<20))
}

func testList(t *testing.T, s suite) {
	names := []string{"a", "a-b", "a.b/c", "b/1", "b/10", "b/2", "b/2x/y", "b0", "c/part-1", "c/part-2"}
	for i := range names { // created backwards
		s.create(t, names[len(names)-1-i], strings.Repeat("x", i))
	}
	tests := []struct {
		prefix string
		want   []string
	}{
		{"", names},
		{"a", []string{"a", "a-b", "a.b/c"}},
		{"b/", []string{"b/1", "b/10", "b/2", "b/2x/y"}},
		{"b/2", []string{"b/2", "b/2x/y"}},
		{"c/part-", []string{"c/part-1", "c/part-2"}},
		{"c/part-2", []string{"c/part-2"}},
		{"c/part-2/", nil},
		{"none/at/all", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, s.names(t, tt.prefix), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("list %q (-want +got):\n%s", tt.prefix, diff)
		}
	}
	files, err := s.List(t.Context(), s.dir+"b0")
	if err != nil || len(files) != 1 || files[0].Size != 2 {
		t.Fatalf("list b0: %+v, %v; want one file of 2 bytes", files, err)
	}
	if age := time.Since(files[0].Modified); age < -time.Hour || age > time.Hour {
		t.Errorf("modified %v, %v ago", files[0].Modified, age)
	}
	for _, prefix := range []string{"../", "a/../", "./", "~", "a//b"} {
		_, err := s.List(t.Context(), s.dir+prefix)
		wantKind(t, err, fault.Invalid)
	}
}

func testDelete(t *testing.T, s suite) {
	s.create(t, "a/1", "1")
	s.create(t, "a/2", "2")
	for range 2 { // the second time it is gone already
		if err := s.Delete(t.Context(), s.dir+"a/1"); err != nil {
			t.Fatal(err)
		}
		_, err := s.read(t, "a/1")
		wantKind(t, err, fault.NotFound)
	}
	if err := s.Delete(t.Context(), s.dir+"a"); err != nil { // no file has that name
		t.Error(err)
	}
	s.want(t, "a/2", "2")
	s.create(t, "a/1", "again")
	s.want(t, "a/1", "again")
}

func testChurn(t *testing.T, s suite) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				name := fmt.Sprintf("shared/%d", i)
				if err := s.Create(t.Context(), s.dir+name, text(fmt.Sprint(j))); err != nil {
					t.Errorf("create: %v", err)
					return
				}
				s.want(t, name, fmt.Sprint(j))
				if _, err := s.List(t.Context(), s.dir); err != nil {
					t.Errorf("list: %v", err)
				}
				if err := s.Delete(t.Context(), s.dir+name); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	group.Wait()
	if names := s.names(t, ""); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
}

func testNames(t *testing.T, s suite) {
	for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a b", "a~", "~1", "a\\b", "ä", "a\x00", "a:b", "a\nb"} {
		wantKind(t, s.Create(t.Context(), name, text("x")), fault.Invalid)
		_, err := s.Open(t.Context(), name)
		wantKind(t, err, fault.Invalid)
		wantKind(t, s.Delete(t.Context(), name), fault.Invalid)
		_, err = s.Link(t.Context(), name, "x", time.Hour)
		wantKind(t, err, fault.Invalid)
	}
	for _, name := range []string{".hidden", "...", "a..b", "-", "_/-.x"} {
		s.create(t, name, name)
		s.want(t, name, name)
	}
}

func testLink(t *testing.T, s suite) {
	_, err := s.Link(t.Context(), s.dir+"a/errors.csv", "errors.csv", time.Hour)
	wantKind(t, err, fault.NotFound)
	s.create(t, "a/errors.csv", "a,b\n")
	link, err := s.Link(t.Context(), s.dir+"a/errors.csv", "errors.csv", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(link, "http") {
		return // what it serves is tested with the adapter
	}
	got, err := os.ReadFile(link) //nolint:gosec // a link of the bucket under test
	if err != nil || string(got) != "a,b\n" {
		t.Errorf("the path %s holds %q, %v", link, got, err)
	}
}
