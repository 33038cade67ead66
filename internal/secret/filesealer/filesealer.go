// Package filesealer seals secrets with AES-256-GCM, with a key that lies in a
// file. What a secret is about is bound to it as additional data.
package filesealer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// version is the first byte of what is sealed, and is bound to it.
const version = 1

// Sealer is a secret.Sealer with a key in memory.
type Sealer struct {
	path string
	aead cipher.AEAD
}

var _ secret.Sealer = (*Sealer)(nil)

// Open reads the key file. If there is none it is created, for its owner alone;
// of several that create it at once all get the same key. A key file that others
// may read, or that holds no key, is fault.Invalid.
func Open(path string) (*Sealer, error) {
	key, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "The key file %s cannot be created: check its folder, or choose another place.", path)
		}
		key, err = read(path)
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use key file: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use key file: %w", err)
	}
	return &Sealer{path: path, aead: aead}, nil
}

// read returns the key, or fs.ErrNotExist.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Invalid, "The key file %s can be used by others: run chmod 600 %s.", path, path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the path that the operator chose
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "The key file %s cannot be read: allow it, or choose another place.", path)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fault.New(fault.Invalid, "The key file %s holds no key: restore it. Without it, move it away and enter all secrets again.", path)
	}
	return key, nil
}

// create writes a new key, unless the file is there by then. A reader never sees
// a part of it.
func create(path string) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".key-*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	_, err = temp.WriteString(hex.EncodeToString(key) + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir) //nolint:gosec // the path that the operator chose
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close()) // a key that is lost takes the secrets with it
}

// Seal implements secret.Sealer. Each call returns other bytes.
func (s *Sealer) Seal(_ context.Context, about map[string]string, plain []byte) ([]byte, error) {
	return s.aead.Seal([]byte{version}, nil, plain, bound(about)), nil //nolint:gosec // the cipher makes its nonce itself
}

// Open implements secret.Sealer.
func (s *Sealer) Open(_ context.Context, about map[string]string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, s.unreadable(errors.New("unknown form"))
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], bound(about))
	if err != nil {
		return nil, s.unreadable(err)
	}
	return plain, nil
}

func (s *Sealer) unreadable(err error) error {
	return fault.Wrap(err, fault.Invalid, "A stored secret cannot be opened with the key in %s: restore the key that sealed it, or enter the secret again.", s.path)
}

// bound is the additional data: the version and each name and value in the order
// of the names, each with its length before it, so that no two maps are alike.
func bound(about map[string]string) []byte {
	b := []byte{version}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		for _, text := range []string{name, about[name]} {
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		}
	}
	return b
}
