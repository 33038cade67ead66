package notify_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/notify"
	"hubspotconnector/internal/table/bolttable"
)

// sender keeps what it sent, unless it fails.
type sender struct {
	sent []mail.Message
	ids  []string
	err  error
}

func (s *sender) Send(_ context.Context, id string, m mail.Message) error {
	if s.err != nil {
		return s.err
	}
	s.ids, s.sent = append(s.ids, id), append(s.sent, m)
	return nil
}

func newNotifier(t *testing.T, round run.Round, runs ...run.Run) (*notify.Notifier, *sender) {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	store := &run.Store{Table: items, Leases: &lease.Store{Table: items}}
	for _, r := range runs {
		round.Jobs = append(round.Jobs, r.ID)
	}
	if _, err := store.Open(t.Context(), round, runs); err != nil {
		t.Fatal(err)
	}
	s := &sender{}
	return &notify.Notifier{Runs: store, Sender: s}, s
}

var input = notify.Input{Execution: "e1", Round: 1}

func TestRoundIsToldOnceWithCountsAndReasons(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Chain: "Chain A", Status: run.Partial, Reason: "The chain broke off."},
		run.Run{
			ID: "01A", JobName: "Company Sync_HS", Status: run.Partial, ErrorFile: "errors/01A.csv",
			Counts: run.Counts{Extracted: 21, Filtered: 1, Inserted: 2, Updated: 3, Unchanged: 4, Rejected: 11},
		},
		run.Run{ID: "01B", JobName: "User Sync_HS", Status: run.Skipped, Reason: "Run 7 is at work."})
	for range 2 {
		if turn, err := n.Round(t.Context(), input); err != nil || turn.Status != step.Done {
			t.Fatalf("%+v, %v", turn, err)
		}
	}
	if len(s.sent) != 1 || s.ids[0] != "e1-1" {
		t.Fatalf("sent %d messages %q, want 1 named e1-1", len(s.sent), s.ids)
	}
	if s.sent[0].Subject != "Chain A: Partial Success" {
		t.Errorf("subject %q", s.sent[0].Subject)
	}
	for _, want := range []string{
		"The chain broke off.", "Company Sync_HS: Partial Success", "21 read, 1 filtered, 2 inserted, 3 updated, 4 unchanged, 11 rejected",
		"errors/01A.csv", "User Sync_HS: Skipped", "Run 7 is at work.",
	} {
		if !strings.Contains(s.sent[0].Body, want) {
			t.Errorf("the message does not say %q:\n%s", want, s.sent[0].Body)
		}
	}
}

func TestAJobWithoutAChainNamesTheMessage(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: run.Success}, run.Run{ID: "01A", JobName: "Company Sync_HS", Status: run.Success})
	if _, err := n.Round(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	if s.sent[0].Subject != "Company Sync_HS: Success" || strings.Contains(s.sent[0].Body, "Error file") {
		t.Errorf("message %+v", s.sent[0])
	}
}

func TestAMessageThatFailedIsSentAgain(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: run.Success}, run.Run{ID: "01A", Status: run.Success})
	s.err = fault.New(fault.Transient, "No answer.")
	if _, err := n.Round(t.Context(), input); !fault.Is(err, fault.Transient) {
		t.Errorf("err = %v, want Transient", err)
	}
	s.err = nil
	if _, err := n.Round(t.Context(), input); err != nil || len(s.sent) != 1 {
		t.Errorf("again: %v, %d messages, want 1", err, len(s.sent))
	}
}

func TestARoundThatIsNotKnownIsNotTold(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: run.Success})
	if _, err := n.Round(t.Context(), notify.Input{Execution: "e1", Round: 2}); !fault.Is(err, fault.NotFound) || len(s.sent) != 0 {
		t.Errorf("err = %v, %d messages, want NotFound and none", err, len(s.sent))
	}
}
