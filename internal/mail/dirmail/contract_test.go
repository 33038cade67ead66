package dirmail_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/mail/mailtest"
)

func TestSender(t *testing.T) {
	dir := t.TempDir()
	mailtest.Run(t, dirmail.Folder{Dir: dir}, func(t *testing.T) []mail.Message {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		var sent []mail.Message
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := mail.Message{To: []string{mailtest.Ops}} // the folder's reader
			rest, named := strings.CutPrefix(string(text), "To: ")
			if named {
				var to string
				to, rest, _ = strings.Cut(rest, "\n")
				m.To = strings.Split(to, ", ")
			}
			rest = strings.TrimPrefix(rest, "Subject: ")
			m.Subject, m.Body, _ = strings.Cut(rest, "\n\n")
			sent = append(sent, m)
		}
		return sent
	})
}
