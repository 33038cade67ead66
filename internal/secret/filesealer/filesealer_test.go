package filesealer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/secret/filesealer"
)

var _ secret.Sealer = (*filesealer.Sealer)(nil)

func open(t *testing.T, path string) *filesealer.Sealer {
	t.Helper()
	s, err := filesealer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsSealedOpensAgainWithTheSameFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	about := map[string]string{"connection": "1", "field": "token"}
	sealed, err := open(t, path).Seal(t.Context(), about, []byte("canary"))
	if err != nil || bytes.Contains(sealed, []byte("canary")) {
		t.Fatalf("sealed %q, %v", sealed, err)
	}
	plain, err := open(t, path).Open(t.Context(), about, sealed)
	if err != nil || string(plain) != "canary" {
		t.Errorf("opened %q, %v", plain, err)
	}
}

func TestOpenRefusesAnotherContextKeyOrChange(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "key"))
	about := map[string]string{"connection": "1"}
	sealed, err := s.Seal(t.Context(), about, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]func() error{
		"another context": func() error { _, err := s.Open(t.Context(), map[string]string{"connection": "2"}, sealed); return err },
		"a change":        func() error { _, err := s.Open(t.Context(), about, changed); return err },
		"too short":       func() error { _, err := s.Open(t.Context(), about, sealed[:5]); return err },
		"another key": func() error {
			_, err := open(t, filepath.Join(t.TempDir(), "key")).Open(t.Context(), about, sealed)
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: err = %v, want Invalid", name, err)
		}
	}
}

func TestOpenRefusesAKeyFileOfOthersOrADamagedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file has mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := filesealer.Open(path); !fault.Is(err, fault.Invalid) {
		t.Errorf("readable by others: err = %v, want Invalid", err)
	}
	short := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filesealer.Open(short); !fault.Is(err, fault.Invalid) {
		t.Errorf("damaged: err = %v, want Invalid", err)
	}
}
