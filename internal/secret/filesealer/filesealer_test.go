package filesealer_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret/filesealer"
)

func open(t *testing.T, path string) *filesealer.Sealer {
	t.Helper()
	s, err := filesealer.Open(path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func TestSecretIsOpenedWithTheSameKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	about := map[string]string{"connection": "c1", "field": "token"}
	sealed, err := open(t, path).Seal(t.Context(), about, []byte("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := open(t, path).Open(t.Context(), about, sealed)
	if err != nil || string(plain) != "s3cret" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if bytes.Contains(sealed, []byte("s3cret")) {
		t.Error("the secret is in what is sealed")
	}
	again, err := open(t, path).Seal(t.Context(), about, []byte("s3cret"))
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("sealed twice is the same, %v", err)
	}
}

func TestSecretIsOpenedOnlyUnchangedAndForWhatItIsAbout(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "key"))
	other := open(t, filepath.Join(t.TempDir(), "key"))
	maps1 := rapid.MapOfN(rapid.StringMatching(`[ab]{0,3}`), rapid.StringMatching(`[ab]{0,3}`), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		about, wrong := maps1.Draw(t, "about"), maps1.Draw(t, "wrong")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "plain")
		sealed, err := s.Seal(t.Context(), about, plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(t.Context(), maps.Clone(about), sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %q, %v; want %q", got, err, plain)
		}
		refused := func(what string, _ []byte, err error) {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%s: %v, want Invalid", what, err)
			}
		}
		got, err := other.Open(t.Context(), about, sealed)
		refused("another key", got, err)
		if !maps.Equal(about, wrong) {
			got, err = s.Open(t.Context(), wrong, sealed)
			refused(fmt.Sprintf("about %v, opened about %v", about, wrong), got, err)
		}
		cut := rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")
		got, err = s.Open(t.Context(), about, sealed[:cut])
		refused("cut", got, err)
		changed := bytes.Clone(sealed)
		changed[cut] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		got, err = s.Open(t.Context(), about, changed)
		refused("changed", got, err)
	})
}

func TestKeyFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := filesealer.Open(path)
		want := "The key file " + path + " can be used by others: run chmod 600 " + path + "."
		if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != want {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestFileWithoutAKeyIsRefusedAndKept(t *testing.T) {
	for _, content := range []string{"", "hello", strings.Repeat("00", 16), strings.Repeat("00", 33), strings.Repeat("zz", 32)} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := filesealer.Open(path)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), path) {
			t.Errorf("%q: %v, want an Invalid that names the file", content, err)
		}
		if content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("the error shows the content: %v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("%q became %q", content, got)
		}
	}
}

func TestPlacesThatCannotBeUsedAreNamed(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none", "key")} {
		if _, err := filesealer.Open(path); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), dir) {
			t.Errorf("open %s: %v, want an Invalid that names it", path, err)
		}
	}
}

func TestAllWhoCreateTheKeyAtOnceGetTheSame(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	var (
		group   sync.WaitGroup
		sealers [20]*filesealer.Sealer
	)
	for i := range sealers {
		group.Go(func() { sealers[i], _ = filesealer.Open(path) })
	}
	group.Wait()
	for i, s := range sealers {
		if s == nil {
			t.Fatalf("sealer %d was refused", i)
		}
		sealed, err := s.Seal(t.Context(), nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sealers[0].Open(t.Context(), nil, sealed); err != nil {
			t.Errorf("sealer %d has another key: %v", i, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the key file alone", entries, err)
	}
}
