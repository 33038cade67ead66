package bolttable_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
)

// open opens a table in the folder, until the test ends.
func open(t testing.TB, dir string, o bolttable.Options) *bolttable.Table {
	t.Helper()
	opened, err := bolttable.Open(filepath.Join(dir, "data.db"), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return opened
}

func item(sort, doc string) table.Item {
	return table.Item{Key: table.Key{Partition: "P", Sort: sort}, Doc: json.RawMessage(doc)}
}

func TestTable(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) table.Table { return open(t, t.TempDir(), bolttable.Options{NoSync: true}) })
}

func TestTableRunsInABubble(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		tab := open(t, dir, bolttable.Options{})
		one := item("a", `1`)
		one.Expires = time.Now().Add(time.Minute)
		if _, err := tab.Put(t.Context(), one, table.Absent()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if _, err := tab.Get(t.Context(), one.Key); err != nil {
			t.Errorf("before its expiry: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := tab.Get(t.Context(), one.Key); !fault.Is(err, fault.NotFound) {
			t.Errorf("at its expiry: %v, want NotFound", err)
		}
	})
}

func TestItemsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	tab := open(t, dir, bolttable.Options{})
	want, err := tab.Put(t.Context(), item("a", `{"n":1}`), table.Absent())
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, dir, bolttable.Options{}).Get(t.Context(), want.Key)
	if err != nil || got.Version != 1 || string(got.Doc) != `{"n":1}` {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFileIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, bolttable.Options{})
	start := time.Now()
	_, err := bolttable.Open(filepath.Join(dir, "data.db"), bolttable.Options{})
	want := "The data folder " + dir + " is in use by another process: stop it, or choose another folder."
	if !fault.Is(err, fault.Conflict) || fault.MessageOf(err) != want {
		t.Errorf("second open: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

// filled returns the bytes of a file with 2,000 items.
func filled(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	tab := open(t, dir, bolttable.Options{NoSync: true})
	var items []table.Item
	for i := range 2000 {
		items = append(items, item(fmt.Sprintf("%04d", i), `"`+strings.Repeat("x", 200)+`"`))
	}
	if err := tab.PutMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if err := tab.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "data.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDamagedFilesAreRefusedInOneSentence(t *testing.T) {
	whole := filled(t)
	garbage := bytes.Repeat([]byte("garbage!"), 8192)
	overwrite := func(at int) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], garbage[:min(len(garbage), len(b)-at)])
		return b
	}
	tests := []struct {
		name string
		file []byte
	}{
		{"a text", []byte("hello")},
		{"garbage", garbage},
		{"zeros", make([]byte, 1<<16)},
		{"cut in half", whole[:len(whole)/2]},
		{"cut to three pages", whole[:3*4096]},
		{"cut to a byte", whole[:1]},
		{"a new start", overwrite(0)},
		{"garbage behind the start", overwrite(8192)},
		{"garbage in the middle", overwrite(len(whole) / 4)},
		{"another program's file", append([]byte("SQLite format 3\x00"), garbage...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			if err := os.WriteFile(path, tt.file, 0o600); err != nil {
				t.Fatal(err)
			}
			err := use(t, path)
			want := "The data file " + path + " is damaged or is no data file: restore a copy of it, or choose another folder."
			if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != want {
				t.Errorf("%v, want it to be damaged", err)
			}
		})
	}
}

// use opens the file and reads and writes all that is in it.
func use(t *testing.T, path string) error {
	tab, err := bolttable.Open(path, bolttable.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { _ = tab.Close() }()
	if err := table.All(t.Context(), tab, "P", table.Range{}, func(table.Item) error { return nil }); err != nil {
		return err
	}
	for i := range 2000 {
		if _, err := tab.Put(t.Context(), item(fmt.Sprintf("%04d", i), `1`), table.VersionIs(1)); err != nil {
			return err
		}
	}
	return nil
}

func TestOneFlippedBitIsNeverReadAsData(t *testing.T) {
	whole := filled(t)
	at := bytes.LastIndex(whole, bytes.Repeat([]byte("x"), 200)) + 100
	whole[at] = 'y'
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := use(t, path); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v, want it to be damaged", err)
	}
}

func TestPlacesThatCannotBeUsedAreNamed(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none", "data.db")} {
		_, err := bolttable.Open(path, bolttable.Options{})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), dir) {
			t.Errorf("open %s: %v, want an Invalid that names it", path, err)
		}
	}
}

func TestFullDiskIsSaidAndHarmsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the test limits the size of files")
	}
	dir := t.TempDir()
	tab := open(t, dir, bolttable.Options{NoSync: true})
	doc := `"` + strings.Repeat("x", 100_000) + `"`
	if _, err := tab.Put(t.Context(), item("first", doc), table.Absent()); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	restore := limit
	limit.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	stored, err := 0, error(nil)
	for ; err == nil && stored < 100; stored++ {
		_, err = tab.Put(t.Context(), item(fmt.Sprint(stored), doc), table.Absent())
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &restore); err != nil {
		t.Fatal(err)
	}
	want := "The disk is full: free some space on that of " + dir + ", then run the same command again."
	if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != want {
		t.Errorf("put on a full disk: %v", err)
	}
	if _, err := tab.Put(t.Context(), item(fmt.Sprint(stored-1), doc), table.Absent()); err != nil {
		t.Errorf("put again: %v", err)
	}
	if page, err := tab.Query(t.Context(), "P", table.Range{}, 0, "", false); err != nil || len(page.Items) == 0 {
		t.Errorf("read after a full disk: %d items, %v", len(page.Items), err)
	}
}

func TestExpiredItemsAreRemovedByAndBy(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1_767_225_600, 0)
	tab := open(t, dir, bolttable.Options{NoSync: true, Now: func() time.Time { return now }})
	var items []table.Item
	for i := range 1000 {
		one := item(fmt.Sprintf("%04d", i), `1`)
		if i%2 == 0 {
			one.Expires = now.Add(time.Minute)
		}
		items = append(items, one)
	}
	if err := tab.PutMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	for i := range 1000 {
		if _, err := tab.Put(t.Context(), table.Item{Key: table.Key{Partition: "Q", Sort: "a"}, Doc: json.RawMessage(fmt.Sprint(i))}, table.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(-time.Minute) // what is not removed would be read again
	got := 0
	if err := table.All(t.Context(), tab, "P", table.Range{}, func(table.Item) error { got++; return nil }); err != nil || got != 500 {
		t.Errorf("%d items are still stored, %v; want the 500 that do not expire", got, err)
	}
}

func TestReadsGoOnBesideAWrite(t *testing.T) {
	tab := open(t, t.TempDir(), bolttable.Options{NoSync: true})
	if err := tab.PutMany(t.Context(), []table.Item{item("a", `1`), item("b", `1`)}); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	err := table.All(t.Context(), tab, "P", table.Range{}, func(table.Item) error { // inside a visit everything is open
		go func() { _, err := tab.Get(t.Context(), item("b", ``).Key); read <- err }()
		if err := <-read; err != nil {
			return err
		}
		_, err := tab.Put(t.Context(), item("b", `2`), table.Condition{})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkPut(b *testing.B) {
	for _, noSync := range []bool{true, false} {
		b.Run(fmt.Sprintf("NoSync=%v", noSync), func(b *testing.B) {
			tab := open(b, b.TempDir(), bolttable.Options{NoSync: noSync})
			one := item("", `"`+strings.Repeat("x", 300)+`"`)
			for i := 0; b.Loop(); i++ {
				one.Sort = fmt.Sprintf("%08d", i*7919%1_000_003)
				if _, err := tab.Put(b.Context(), one, table.Condition{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLarge works on 300,000 items of 300 bytes.
func BenchmarkLarge(b *testing.B) {
	dir := b.TempDir()
	tab := open(b, dir, bolttable.Options{NoSync: true})
	doc := json.RawMessage(`"` + strings.Repeat("x", 300) + `"`)
	key := func(i int) table.Key {
		return table.Key{Partition: fmt.Sprintf("PRINT#job#%02x", i%64), Sort: fmt.Sprintf("%08d", i*7919%1_000_003)}
	}
	for i := 0; i < 300_000; i += 100 {
		var ops []table.Op
		for j := range 100 {
			ops = append(ops, table.Op{Verb: table.Put, Item: table.Item{Key: key(i + j), Doc: doc}})
		}
		if err := tab.Write(b.Context(), ops); err != nil {
			b.Fatal(err)
		}
	}
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	info, err := os.Stat(filepath.Join(dir, "data.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(mem.HeapAlloc)/1e6, "heapMB")
	b.ReportMetric(float64(info.Size())/1e6, "fileMB")
	b.Run("Put", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := tab.Put(b.Context(), table.Item{Key: key(i * 31 % 300_000), Doc: doc}, table.Condition{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Get", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := tab.Get(b.Context(), key(i*31%300_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Write100", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			var ops []table.Op
			for j := range 100 {
				ops = append(ops, table.Op{Verb: table.Put, Item: table.Item{Key: key((i*100 + j) % 300_000), Doc: doc}})
			}
			if err := tab.Write(b.Context(), ops); err != nil {
				b.Fatal(err)
			}
		}
	})
}
