package main

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// tokenFile holds, in the data folder, what programs send to a console that serve
// has started. It is for its owner alone.
const tokenFile = "token"

// keepToken makes a token and stores it until forget is called. One of an earlier
// start is replaced.
func keepToken(dir string) (token secret.Text, forget func(), err error) {
	file := filepath.Join(dir, tokenFile)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) { // so that the new one has its own permissions
		return "", nil, noToken(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the data folder is the operator's choice
	if err != nil {
		return "", nil, noToken(err)
	}
	forget = func() { _ = os.Remove(file) } // the next start knows it no more
	text := rand.Text() + rand.Text()
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		forget()
		return "", nil, noToken(err)
	}
	return secret.Text(text), forget, nil
}

func noToken(err error) error {
	return fault.Wrap(err, fault.Invalid, "The token for programs cannot be stored in the data folder. Make room there and allow writing, or choose another folder with -data.")
}
