package upsert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

func contacts(n int) (entries []staging.Entry) {
	for i := range n {
		entries = append(entries, contact(fmt.Sprint(i), fmt.Sprintf("c%d@acme.example", i), "G1"))
	}
	return entries
}

// people returns the calls that sent a person, sorted.
func sent(calls []string) (emails []string) {
	for _, c := range calls {
		if email, ok := strings.CutPrefix(c, "person "); ok {
			emails = append(emails, strings.TrimSuffix(email, " 1"))
		}
	}
	slices.Sort(emails)
	return emails
}

func TestAPersonIsSentWithTheCompany(t *testing.T) {
	w := newWorld(t, people())
	w.begin(contact("1", "sam@acme.example", "G1"), contact("2", "ida@acme.example", ""))
	w.part()
	w.want(run.Counts{Inserted: 2})
	sam := w.target.with("person", "Email", "sam@acme.example")[0]
	delete(sam, "Gsid")
	want := map[string]any{
		"Email": "sam@acme.example", "FirstName": "F1", "LastName": "L1", "Name": "F1 L1", "companies": []map[string]any{{"Company_ID": "G1"}},
	}
	if diff := cmp.Diff(want, sam); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
	if ida := w.target.with("person", "Email", "ida@acme.example")[0]; ida["companies"] != nil {
		t.Errorf("a person without a company has %v", ida["companies"])
	}
}

func TestPeopleCostACallEachAndNothingWhenUnchanged(t *testing.T) {
	w := newWorld(t, people())
	w.target.add("person", "P1", map[string]any{"Email": "c0@acme.example"})
	w.begin(contacts(120)...)
	w.part()
	calls := w.target.took()
	if n := len(calls); n != 122 { // a find for each stretch of 100
		t.Errorf("%d calls, want 122", n)
	}
	w.want(run.Counts{Inserted: 119, Updated: 1})
	w.begin(contacts(120)...)
	w.part()
	w.wantCalls()
	w.want(run.Counts{Unchanged: 120})
	changed := contacts(120)
	changed[3].Row.Fields["Person::FirstName"] = "New"
	w.begin(changed...)
	w.part()
	w.wantCalls("person c3@acme.example 1")
	w.want(run.Counts{Unchanged: 119, Updated: 1})
}

// People are sent several at a time. What was delivered behind the one that the
// quota stopped is remembered: it is not sent again, and counts as what it was.
func TestWhatWasDeliveredBehindAGapIsNotSentAgain(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Throttled, fault.Transient} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, people())
				w.begin(contacts(20)...)
				stopped := false
				w.target.fail = func(_ int, what string) (bool, error) {
					if what != "person c5@acme.example 1" || stopped {
						return true, nil
					}
					stopped = true
					time.Sleep(time.Second) // the others behind it are through by then
					if kind == fault.Throttled {
						return false, fault.Until(time.Now().Add(time.Minute), "Spent.")
					}
					return false, lost()
				}
				if kind == fault.Throttled {
					out, err := w.Part(t.Context(), w.input)
					if err != nil || out.Status != step.Wait {
						t.Fatalf("%+v, %v, want WAIT", out, err)
					}
					w.want(run.Counts{Inserted: 5})
				}
				w.part()
				w.want(run.Counts{Inserted: 20})
				times := map[string]int{}
				for _, email := range sent(w.target.took()) {
					times[email]++
				}
				if times["c5@acme.example"] != 2 || len(times) != 20 {
					t.Errorf("people were sent %v times, want 20 once and one again", times)
				}
				delete(times, "c5@acme.example")
				for email, n := range times {
					if n != 1 {
						t.Errorf("%s was sent %d times", email, n)
					}
				}
				w.begin(contacts(20)...)
				w.part()
				w.wantCalls()
				w.want(run.Counts{Unchanged: 20})
			})
		})
	}
}

func TestAPersonWhoseAnswerWasLostIsNotMadeTwice(t *testing.T) {
	w := newWorld(t, people())
	w.begin(contacts(3)...)
	first := true
	w.target.fail = func(_ int, what string) (bool, error) {
		if what == "person c1@acme.example 1" && first {
			first = false
			return true, lost()
		}
		return true, nil
	}
	w.part()
	if n := len(w.target.rows["person"]); n != 3 {
		t.Errorf("%d persons, want 3", n)
	}
	if at, err := w.Runs.Part(t.Context(), w.run.ID, 1); err != nil || at.Counts.Settled() != 3 {
		t.Errorf("%+v, %v, want 3 settled", at, err)
	}
}

func TestARefusedPersonIsRejectedAndTheOthersStored(t *testing.T) {
	w := newWorld(t, people())
	w.target.refuse = func(row map[string]any) *record.Refusal {
		if row["Email"] == "c1@acme.example" {
			return &record.Refusal{Code: "GSOBJ_PEOPLE1001", Message: "no such company"}
		}
		return nil
	}
	w.begin(contacts(3)...)
	w.part()
	w.want(run.Counts{Inserted: 2, Rejected: 1})
	w.wantReject("1", record.RefusedByTarget)
}

func TestSeveralResolutionKeysMeanOr(t *testing.T) {
	j := people()
	j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "phone", To: "Person::Phone", Identifier: true})
	row := func(id, email, phone string) staging.Entry {
		fields := map[string]any{"Person::Email": email, "Person::Phone": nil, "Company_ID": "G1"}
		if phone != "" {
			fields["Person::Phone"] = phone
		}
		return entry(id, fields)
	}
	w := newWorld(t, j)
	w.keys = []string{"Email", "Phone"}
	w.target.add("person", "P1", map[string]any{"Email": "sam@acme.example", "Phone": "111"})
	w.target.add("person", "P2", map[string]any{"Email": "ida@acme.example", "Phone": "222"})
	w.begin(
		row("1", "sam@acme.example", "111"), // one person by both
		row("2", "ida@acme.example", ""),    // by one
		row("3", "kim@acme.example", "333"), // nobody
	)
	w.part()
	w.want(run.Counts{Updated: 2, Inserted: 1})
	w.begin(row("4", "new@acme.example", "222"), row("5", "both@acme.example", ""))
	w.part()
	w.want(run.Counts{Updated: 1, Inserted: 1})
	if p := w.target.with("person", "Gsid", "P2")[0]; p["Email"] != "new@acme.example" {
		t.Errorf("the person of the phone number is %v", p)
	}
}

func TestARecordThatMatchesTwoPeopleIsRejected(t *testing.T) {
	j := people()
	j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "phone", To: "Person::Phone", Identifier: true})
	w := newWorld(t, j)
	w.keys = []string{"Email", "Phone"}
	w.target.add("person", "P1", map[string]any{"Email": "sam@acme.example", "Phone": "111"})
	w.target.add("person", "P2", map[string]any{"Email": "ida@acme.example", "Phone": "222"})
	w.begin(entry("1", map[string]any{"Person::Email": "sam@acme.example", "Person::Phone": "222", "Company_ID": "G1"}))
	w.part()
	w.want(run.Counts{Rejected: 1})
	if r := w.wantReject("1", record.PersonConflict); !strings.Contains(r.Reason, "P1") || !strings.Contains(r.Reason, "P2") {
		t.Errorf("reason %q does not name both", r.Reason)
	}
	if calls := sent(w.target.took()); len(calls) != 0 {
		t.Errorf("sent %q", calls)
	}
}

func TestTwoContactsOfOneEmailAreOnePerson(t *testing.T) {
	w := newWorld(t, people())
	w.begin(contact("1", "sam@acme.example", "G1"), contact("2", " SAM@acme.example ", "G2"))
	w.part()
	w.want(run.Counts{Inserted: 1, Rejected: 1})
	if r := w.wantReject("2", record.DuplicateIdentifier); !strings.Contains(r.Reason, "record 1 ") {
		t.Errorf("reason %q does not name record 1", r.Reason)
	}
}
