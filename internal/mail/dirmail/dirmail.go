// Package dirmail keeps messages as text files in a folder, where there is
// nobody to send them.
package dirmail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
)

// Folder writes each message to a file of its own, named after its id.
type Folder struct{ Dir string }

// Send writes the message. The same id again replaces it. A folder that cannot
// be written is fault.Invalid.
func (f Folder) Send(_ context.Context, id string, m mail.Message) error {
	if id == "" || strings.ContainsAny(id, `/\`) {
		return fault.New(fault.Internal, "a message id names a file: %q", id)
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return unwritable(err, f.Dir)
	}
	text := fmt.Sprintf("Subject: %s\n\n%s", m.Subject, m.Body)
	if len(m.To) > 0 {
		text = fmt.Sprintf("To: %s\n%s", strings.Join(m.To, ", "), text)
	}
	return unwritable(os.WriteFile(filepath.Join(f.Dir, id+".txt"), []byte(text), 0o600), f.Dir)
}

func unwritable(err error, dir string) error {
	return fault.Wrap(err, fault.Invalid, "The message could not be written to %s. Check the folder and its free space.", dir)
}
