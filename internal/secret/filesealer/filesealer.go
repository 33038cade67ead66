// Package filesealer seals secrets with a key that lies in a file: AES-256-GCM,
// with what is sealed as additional data. Who has the file can open everything,
// so the file is for its owner alone.
package filesealer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
)

const keySize = 32

// Sealer is a secret.Sealer. It may be used at once.
type Sealer struct{ aead cipher.AEAD }

// Open reads the key file, and creates it if there is none. A file that others
// may read, or that holds no key, is fault.Invalid.
func Open(path string) (*Sealer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "The key file %s cannot be created. Check the folder and its free space.", path)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "The key file %s cannot be read.", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Invalid, "The key file %s can be read by others: run chmod 600 on it.", path)
	}
	key, err := os.ReadFile(path) //nolint:gosec // the operator names the data folder
	if err != nil || len(key) != keySize {
		return nil, fault.Wrap(errors.Join(err, fmt.Errorf("%d bytes", len(key))), fault.Invalid, "The key file %s is damaged. Restore it from a backup, or delete it and authorize again.", path)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use key file: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use key file: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// create writes a new key whole or not at all; a file that another process made
// meanwhile stays.
func create(path string) error {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// bound is about in one form for all orders.
func bound(about map[string]string) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(about)) {
		fmt.Fprintf(&b, "%q=%q\n", name, about[name])
	}
	return []byte(b.String())
}

// Seal seals plain under about.
func (s *Sealer) Seal(_ context.Context, about map[string]string, plain []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plain, bound(about)), nil
}

// Open opens what Seal sealed under the same about with the same key; anything
// else is fault.Invalid.
func (s *Sealer) Open(_ context.Context, about map[string]string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, fault.New(fault.Invalid, "A stored secret is damaged. Enter or authorize it again.")
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], bound(about))
	return plain, fault.Wrap(err, fault.Invalid, "A stored secret cannot be opened with this key file. Restore the key file, or authorize again.")
}
