package notify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step/notify"
)

func TestTheRightPeopleAreTold(t *testing.T) {
	lists := notify.Audience{Set: true, Success: []string{"s"}, Partial: []string{"p"}, Failure: []string{"f"}, Threshold: 0.1}
	silent := notify.Audience{Set: true, Failure: []string{"f"}}
	rejects := func(rejected int, reason string) run.Run {
		return run.Run{ID: "01A", Status: run.Partial, Counts: run.Counts{Extracted: 100, Rejected: rejected}, Reason: reason}
	}
	tests := []struct {
		name     string
		audience notify.Audience
		status   run.Status
		run      run.Run
		mails    [][]string
		posts    int
	}{
		{"nothing is set", notify.Audience{}, run.Success, run.Run{ID: "01A"}, [][]string{nil}, 0},
		{"nothing is set, a failure", notify.Audience{}, run.Failed, run.Run{ID: "01A"}, [][]string{nil}, 1},
		{"success", lists, run.Success, run.Run{ID: "01A"}, [][]string{{"s"}}, 1},
		{"success that nobody wants to know", silent, run.Success, run.Run{ID: "01A"}, nil, 0},
		{"failure", lists, run.Failed, run.Run{ID: "01A"}, [][]string{{"f"}}, 1},
		{"partial, at the threshold", lists, run.Partial, rejects(10, ""), [][]string{{"p"}}, 1},
		{"partial, below it", lists, run.Partial, rejects(9, ""), nil, 0},
		{"partial, below it but for another reason", lists, run.Partial, rejects(0, "A field is gone."), [][]string{{"p"}}, 1},
		{"partial that nobody gets by mail", silent, run.Partial, rejects(1, ""), nil, 1},
		{"skipped", lists, run.Skipped, run.Run{ID: "01A", Status: run.Skipped, Reason: "Another run is at work."}, [][]string{{"p"}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: tt.status}, tt.run)
			posts := 0
			n.Audience = func(context.Context, run.Round, []run.Run) (notify.Audience, error) {
				tt.audience.Post = func(context.Context, mail.Message) error { posts++; return nil }
				return tt.audience, nil
			}
			for range 2 { // told once, or not at all once
				if _, err := n.Round(t.Context(), input); err != nil {
					t.Fatal(err)
				}
			}
			var mails [][]string
			for _, m := range s.sent {
				mails = append(mails, m.To)
			}
			if d := cmp.Diff(tt.mails, mails); d != "" || posts != tt.posts {
				t.Errorf("%d posts, want %d; mails (-want +got):\n%s", posts, tt.posts, d)
			}
		})
	}
}

func TestOneWayThatFailsDoesNotKeepTheMessageFromTheOther(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: run.Failed}, run.Run{ID: "01A"})
	posts := 0
	n.Audience = func(context.Context, run.Round, []run.Run) (notify.Audience, error) {
		return notify.Audience{Set: true, Failure: []string{"f"}, Post: func(context.Context, mail.Message) error { posts++; return nil }}, nil
	}
	s.err = fault.New(fault.Invalid, "No.")
	if _, err := n.Round(t.Context(), input); !fault.Is(err, fault.Invalid) || posts != 1 {
		t.Errorf("err = %v, %d posts", err, posts)
	}
}

func TestAMessageTellsReasonsAndLinks(t *testing.T) {
	n, s := newNotifier(t, run.Round{Execution: "e1", Round: 1, Status: run.Partial}, run.Run{
		ID: "01A", Status: run.Partial, ErrorFile: "errors/01A.csv",
		Rejects: map[record.Code]int{record.NoMatch: 5, record.BadValue: 7, record.TooLong: 1, record.UnknownItem: 2},
	})
	n.PublicURL = "https://sync.example.com"
	if _, err := n.Round(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	body := s.sent[0].Body
	at := -1
	for _, want := range []string{"https://sync.example.com/activity/runs/01A\n", "https://sync.example.com/activity/runs/01A/errors\n", "7 × BAD_VALUE: ", "5 × NO_MATCH: ", "2 × UNKNOWN_ITEM: "} {
		next := strings.Index(body, want)
		if next <= at {
			t.Errorf("%q is missing, or not in its place:\n%s", want, body)
		}
		at = next
	}
	if strings.Contains(body, "TOO_LONG") {
		t.Errorf("a fourth reason:\n%s", body)
	}
}
