package dirmail_test

import (
	"os"
	"path/filepath"
	"testing"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/dirmail"
)

func TestSendReplacesTheMessageOfTheSameID(t *testing.T) {
	folder := dirmail.Folder{Dir: filepath.Join(t.TempDir(), "mail")}
	for _, body := range []string{"first", "second"} {
		if err := folder.Send(t.Context(), "run-1", mail.Message{Subject: "Company Sync: Success", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(folder.Dir, "run-1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Subject: Company Sync: Success\n\nsecond"; string(got) != want {
		t.Errorf("file holds %q, want %q", got, want)
	}
}

func TestSendSaysWhichFolderCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (dirmail.Folder{Dir: file}).Send(t.Context(), "run-1", mail.Message{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("err = %v, want Invalid", err)
	}
}
