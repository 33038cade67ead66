// Package mailtest is the contract of mail.Sender as tests, which every adapter
// passes.
package mailtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/mail"
)

// The addresses that a sender must be able to reach, and those that it must use
// for a message without any. Others are not used.
const (
	Anna = "anna@example.com"
	Ben  = "ben@example.com"
	Ops  = "ops@example.com" // told of what names nobody
)

// Run runs the tests. sent returns what was sent so far, in any order: a message
// once or more for each who was told, To the addresses of those.
func Run(t *testing.T, s mail.Sender, sent func(t *testing.T) []mail.Message) {
	t.Helper()
	send := func(t *testing.T, id string, m mail.Message) {
		t.Helper()
		if err := s.Send(t.Context(), id, m); err != nil {
			t.Fatalf("send %s: %v", id, err)
		}
	}
	t.Run("a message reaches all whom it names", func(t *testing.T) {
		send(t, "run-1", mail.Message{To: []string{Anna, Ben}, Subject: "one: Success", Body: "12 read\n"})
		told(t, sent, "one: Success", "12 read\n", Anna, Ben)
	})
	t.Run("a message that names nobody goes to those of the sender", func(t *testing.T) {
		send(t, "run-2", mail.Message{Subject: "two: Failed", Body: "Why.\n"})
		told(t, sent, "two: Failed", "Why.\n", Ops)
	})
	t.Run("text of any language arrives as it was", func(t *testing.T) {
		body := "Größe: 3 €\n\n  - 日本\n" + strings.Repeat("long ", 500) + "\n"
		send(t, "run-3", mail.Message{To: []string{Anna}, Subject: "Firmen Übertragen – 日本: Partial Success", Body: body})
		told(t, sent, "Firmen Übertragen – 日本: Partial Success", body, Anna)
	})
	t.Run("an id again is no error", func(t *testing.T) {
		for range 2 {
			send(t, "run-4", mail.Message{To: []string{Ben}, Subject: "four", Body: "x\n"})
		}
		told(t, sent, "four", "x\n", Ben)
	})
	t.Run("the id of an execution names a message", func(t *testing.T) {
		send(t, "Übertragen.2026-11-24=a+b!-12", mail.Message{To: []string{Ben}, Subject: "five", Body: "x\n"})
		told(t, sent, "five", "x\n", Ben)
	})
	t.Run("many are sent at once", func(t *testing.T) {
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				m := mail.Message{To: []string{Anna}, Subject: fmt.Sprint("at once ", i), Body: "x\n"}
				if err := s.Send(t.Context(), fmt.Sprint("at-once-", i), m); err != nil {
					t.Errorf("send %d: %v", i, err)
				}
			})
		}
		group.Wait()
		for i := range 10 {
			told(t, sent, fmt.Sprint("at once ", i), "x\n", Anna)
		}
	})
}

// told checks who was told something, and that all were told the same.
func told(t *testing.T, sent func(*testing.T) []mail.Message, subject, body string, to ...string) {
	t.Helper()
	var got []string
	for _, m := range sent(t) {
		if m.Subject != subject {
			continue
		}
		if m.Body != body {
			t.Errorf("%q holds %q, want %q", subject, m.Body, body)
		}
		for _, address := range m.To {
			if !slices.Contains(got, address) {
				got = append(got, address)
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(to, got); diff != "" {
		t.Errorf("%q was sent to (-want +got):\n%s", subject, diff)
	}
}
