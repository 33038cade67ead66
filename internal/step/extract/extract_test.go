package extract_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/table/bolttable"
)

// source has records 1 to n in pages; its cursor is the last id of a page. It
// fails its test when it is misused.
type source struct {
	t     *testing.T
	n     int
	page  int           // records of a page
	slow  time.Duration // time that each call takes
	calls []string      // cursors asked for
	// answer, if set, replaces the page of a call, counted from 0.
	answer func(call int, p record.Page) (record.Page, error)
	// gone :: record → how it left; it is not found by its id.
	gone map[string]record.Record
	// byID and whereabouts are the ids of each call that asked for some.
	byID, whereabouts [][]string
}

// Gone implements extract.Source.
func (s *source) Gone(_ context.Context, connection, object string, ids []string) ([]record.Record, error) {
	if connection != "c1" || object != "0-2" || len(ids) == 0 || len(ids) > 100 {
		s.t.Errorf("asked %s what became of %d records of %s", connection, len(ids), object)
	}
	s.whereabouts = append(s.whereabouts, ids)
	var all []record.Record
	for _, id := range ids {
		rec, ok := s.gone[id]
		if !ok {
			s.t.Errorf("asked what became of %s, which is there", id)
		}
		rec.ID = id
		all = append(all, rec)
	}
	return all, nil
}

// some returns the records with these ids that are there.
func (s *source) some(ids []string) record.Page {
	if len(ids) > 100 {
		s.t.Errorf("asked for %d records by their ids", len(ids))
	}
	s.byID = append(s.byID, ids)
	var p record.Page
	for _, id := range ids {
		if _, left := s.gone[id]; !left {
			p.Records = append(p.Records, record.Record{ID: id, Values: map[string]*string{"name": nil}})
		}
	}
	return p
}

func (s *source) Page(_ context.Context, connection string, q record.Query) (record.Page, error) {
	if want := query(); connection != "c1" || q.Object != want.Object || !slices.Equal(q.Properties, want.Properties) || !q.Since.Equal(want.Since) {
		s.t.Errorf("asked %s for %+v", connection, q)
	}
	if len(q.IDs) > 0 {
		return s.some(q.IDs), nil
	}
	time.Sleep(s.slow)
	call := len(s.calls)
	s.calls = append(s.calls, q.After)
	after, err := strconv.Atoi(strings.TrimPrefix("0"+q.After, "00"))
	if err != nil || after > s.n {
		s.t.Errorf("asked for a cursor that was never given: %q", q.After)
	}
	var p record.Page
	for id := after + 1; id <= min(after+s.page, s.n); id++ {
		p.Records = append(p.Records, record.Record{ID: fmt.Sprint(id), Values: map[string]*string{"name": nil}})
	}
	if after+s.page < s.n {
		p.Next = fmt.Sprint(after + s.page)
	}
	if s.answer != nil {
		return s.answer(call, p)
	}
	return p, nil
}

func query() record.Query {
	return record.Query{Object: "0-2", Properties: []string{"name"}, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

type world struct {
	*extract.Extractor
	source *source
}

// newWorld returns an extractor with the planned run 01A of a source of n
// records in pages of 10, which become parts of 30.
func newWorld(t *testing.T, n int) *world {
	t.Helper()
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	bucket, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{source: &source{t: t, n: n, page: 10}}
	w.Extractor = &extract.Extractor{
		Source: w.source, Now: time.Now, Staging: &staging.Store{Bucket: bucket},
		Runs: &run.Store{Table: items, Leases: &lease.Store{Table: items}},
	}
	w.plan(t, "01A", nil)
	return w
}

func (w *world) plan(t *testing.T, id run.ID, broken *staging.Broken) {
	t.Helper()
	if err := w.Staging.PutPlan(t.Context(), staging.Plan{Run: id, PartSize: 30, Query: query(), Broken: broken}); err != nil {
		t.Fatal(err)
	}
	r := run.Run{ID: id, Execution: "e" + string(id), Job: "j1", JobName: "Company Sync", Connection: "c1", Lane: run.Changes, Status: run.Planned}
	if _, err := w.Runs.Open(t.Context(), run.Round{Execution: r.Execution, Round: 1, Jobs: []run.ID{id}}, []run.Run{r}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) slice(ctx context.Context) (extract.Output, error) {
	return w.Slice(ctx, extract.Input{Run: "01A"})
}

// want checks how far the extraction came, and that the staged parts hold the
// records 1 to count, each once, in their order.
func (w *world) want(t *testing.T, parts, count int, done bool) {
	t.Helper()
	at, err := w.Runs.Extraction(t.Context(), "01A")
	if err != nil || at.Parts != parts || at.Count != count || at.Done != done {
		t.Errorf("extraction %+v, %v, want %d records in %d parts, done %v", at, err, count, parts, done)
	}
	var ids, want []string
	for n := range at.Parts {
		err := w.Staging.Part(t.Context(), "01A", n+1, func(r record.Record) error { ids = append(ids, r.ID); return nil })
		if err != nil {
			t.Error(err)
		}
	}
	for n := range count {
		want = append(want, fmt.Sprint(n+1))
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("staged records (-want +got):\n%s", diff)
	}
}

func wantTurn(t *testing.T, got extract.Output, err error, status step.Status, parts int) {
	t.Helper()
	if err != nil || got.Status != status {
		t.Fatalf("%+v, %v, want %s", got, err, status)
	}
	if (status == step.Done) != (got.Parts != nil) || got.Parts != nil && *got.Parts != parts {
		t.Errorf("parts %v, want %d", got.Parts, parts)
	}
	if (status == step.Wait) != (got.ResumeAt != nil) {
		t.Errorf("resumeAt %v with %s", got.ResumeAt, status)
	}
}

func TestSliceStagesAllRecordsInParts(t *testing.T) {
	tests := []struct{ n, calls, parts int }{
		{0, 1, 0}, {1, 1, 1}, {10, 1, 1}, {11, 2, 1}, {30, 3, 1}, {31, 4, 2}, {95, 10, 4},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.n), func(t *testing.T) {
			w := newWorld(t, tt.n)
			out, err := w.slice(t.Context())
			wantTurn(t, out, err, step.Done, tt.parts)
			w.want(t, tt.parts, tt.n, true)
			if len(w.source.calls) != tt.calls {
				t.Errorf("%d calls, want %d", len(w.source.calls), tt.calls)
			}
			out, err = w.slice(t.Context())
			wantTurn(t, out, err, step.Done, tt.parts)
			if len(w.source.calls) != tt.calls {
				t.Error("a slice that is done called again")
			}
		})
	}
}

func TestSliceReadsOnBehindEmptyPages(t *testing.T) {
	w := newWorld(t, 40)
	w.source.answer = func(_ int, p record.Page) (record.Page, error) {
		if p.Next == "10" || p.Next == "20" {
			p.Records = nil
		}
		return p, nil
	}
	out, err := w.slice(t.Context())
	wantTurn(t, out, err, step.Done, 1)
	if at, _ := w.Runs.Extraction(t.Context(), "01A"); at.Count != 20 || len(w.source.calls) != 4 {
		t.Errorf("%d records in %d calls, want 20 in 4", at.Count, len(w.source.calls))
	}
}

func TestSliceStopsWhenAPageComesTwice(t *testing.T) {
	w := newWorld(t, 100)
	w.source.answer = func(call int, p record.Page) (record.Page, error) {
		if call == 2 {
			p.Next = "20" // where it was asked to go on
		}
		return p, nil
	}
	if _, err := w.slice(t.Context()); !fault.Is(err, fault.Transient) {
		t.Fatalf("err = %v, want Transient", err)
	}
	w.want(t, 1, 20, false)
	out, err := w.slice(t.Context())
	wantTurn(t, out, err, step.Done, 4)
	w.want(t, 4, 100, true)
}

func TestSliceKeepsWhatItReadBeforeItFails(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Transient, fault.Reauthorize, fault.Invalid, fault.NotFound} {
		for call := range 5 {
			t.Run(fmt.Sprint(kind, " at call ", call), func(t *testing.T) {
				w := newWorld(t, 50)
				w.source.answer = func(c int, p record.Page) (record.Page, error) {
					if c == call {
						return record.Page{}, fault.New(kind, "No.")
					}
					return p, nil
				}
				if _, err := w.slice(t.Context()); !fault.Is(err, kind) || fault.MessageOf(err) != "No." {
					t.Fatalf("err = %v, want %s", err, kind)
				}
				if at, _ := w.Runs.Extraction(t.Context(), "01A"); at.Count != 10*call || at.Done {
					t.Errorf("extraction %+v, want %d records", at, 10*call)
				}
				if out, err := w.slice(t.Context()); err != nil || out.Status != step.Done {
					t.Errorf("again: %+v, %v, want DONE", out, err)
				}
				if len(w.source.calls) != 6 { // the failed one alone is repeated
					t.Errorf("%d calls, want 6: %q", len(w.source.calls), w.source.calls)
				}
				if at, _ := w.Runs.Extraction(t.Context(), "01A"); at.Count != 50 {
					t.Errorf("%d records, want 50", at.Count)
				}
			})
		}
	}
}

func TestSliceWaitsForQuotaWithWhatItRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50)
		until := time.Now().Add(7 * time.Minute)
		w.source.answer = func(call int, p record.Page) (record.Page, error) {
			if call == 4 {
				return record.Page{}, fmt.Errorf("page: %w", fault.Until(until, "Spent."))
			}
			return p, nil
		}
		out, err := w.slice(t.Context())
		wantTurn(t, out, err, step.Wait, 0)
		if !out.ResumeAt.Equal(until) {
			t.Errorf("resume at %s, want %s", out.ResumeAt, until)
		}
		w.want(t, 2, 40, false)
		time.Sleep(time.Until(*out.ResumeAt))
		out, err = w.slice(t.Context())
		wantTurn(t, out, err, step.Done, 3)
		w.want(t, 3, 50, true)
	})
}

func TestSliceNeverWaitsInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50)
		w.source.answer = func(int, record.Page) (record.Page, error) {
			return record.Page{}, fault.New(fault.Throttled, "Spent.") // says not until when
		}
		out, err := w.slice(t.Context())
		wantTurn(t, out, err, step.Wait, 0)
		if !out.ResumeAt.After(time.Now()) {
			t.Errorf("resume at %s, it is %s", out.ResumeAt, time.Now())
		}
	})
}

func TestSliceStopsInTimeAndGoesOnInTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		w.source.slow = 30 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 190*time.Second) // of which 60 are kept free
		defer cancel()
		out, err := w.slice(ctx)
		wantTurn(t, out, err, step.More, 0)
		w.want(t, 2, 50, false)
		if len(w.source.calls) != 5 {
			t.Errorf("%d calls, want 5", len(w.source.calls))
		}
		w.source.slow = 0
		out, err = w.slice(t.Context())
		wantTurn(t, out, err, step.Done, 4)
		w.want(t, 4, 100, true)
		if len(w.source.calls) != 10 {
			t.Errorf("%d calls in all, want 10: no page twice", len(w.source.calls))
		}
	})
}

func TestSliceGoesOnBehindAPartThatACopyWrote(t *testing.T) {
	w := newWorld(t, 50)
	d := staging.NewDraft() // a copy wrote a part of two pages, and died before it moved the position
	for id := range 20 {
		if err := d.Add(record.Record{ID: fmt.Sprint(id + 1), Values: map[string]*string{}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Staging.PutPart(t.Context(), "01A", 1, d, "20"); err != nil {
		t.Fatal(err)
	}
	out, err := w.slice(t.Context())
	wantTurn(t, out, err, step.Done, 2)
	w.want(t, 2, 50, true)
	if diff := cmp.Diff([]string{"20", "30", "40"}, w.source.calls); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
}

func TestSliceGoesOnBehindAFasterCopy(t *testing.T) {
	w := newWorld(t, 100)
	copied := false
	w.source.answer = func(call int, p record.Page) (record.Page, error) {
		if call == 1 && !copied {
			copied = true // the other copy does all of it while this one waits for its page
			if out, err := w.slice(t.Context()); err != nil || out.Status != step.Done {
				t.Errorf("the copy: %+v, %v", out, err)
			}
		}
		return p, nil
	}
	out, err := w.slice(t.Context())
	wantTurn(t, out, err, step.Done, 4)
	w.want(t, 4, 100, true)
}

func TestSliceLeavesAJobThatAnotherRunHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		w.plan(t, "01B", nil)
		other, err := w.Runs.Get(t.Context(), "01B")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Runs.Take(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			out, err := w.slice(t.Context())
			wantTurn(t, out, err, step.Skipped, 0)
		}
		r, err := w.Runs.Get(t.Context(), "01A")
		if err != nil || !strings.Contains(r.Reason, "01B") || r.Status.Closed() || len(w.source.calls) != 0 {
			t.Errorf("%s, reason %q after %d calls, want a reason that names run 01B and no call", r.Status, r.Reason, len(w.source.calls))
		}
	})
}

func TestSliceOfAClosedRunDoesNothing(t *testing.T) {
	w := newWorld(t, 10)
	r, err := w.Runs.Get(t.Context(), "01A")
	if err != nil {
		t.Fatal(err)
	}
	r.Status = run.Failed
	if _, err := w.Runs.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	out, err := w.slice(t.Context())
	wantTurn(t, out, err, step.Skipped, 0)
	if len(w.source.calls) != 0 {
		t.Errorf("%d calls, want none", len(w.source.calls))
	}
}

func TestSliceOfABrokenPlanFailsWithItsReason(t *testing.T) {
	w := newWorld(t, 10)
	w.plan(t, "01B", &staging.Broken{Kind: fault.Reauthorize, Message: "The connection is revoked: 100%."})
	_, err := w.Slice(t.Context(), extract.Input{Run: "01B"})
	if !fault.Is(err, fault.Reauthorize) || fault.MessageOf(err) != "The connection is revoked: 100%." || len(w.source.calls) != 0 {
		t.Errorf("err = %v after %d calls", err, len(w.source.calls))
	}
	if _, err := w.Slice(t.Context(), extract.Input{Run: "01C"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("without a plan: %v, want NotFound", err)
	}
}

func TestSliceStopsWhenTheRunLostItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		w.plan(t, "01B", nil)
		w.source.answer = func(call int, p record.Page) (record.Page, error) {
			if call == 4 {
				time.Sleep(time.Hour) // a page that takes longer than the lease lives
				other, err := w.Runs.Get(t.Context(), "01B")
				if err == nil {
					_, _, err = w.Runs.Take(t.Context(), other)
				}
				if err != nil {
					t.Error(err)
				}
			}
			return p, nil
		}
		if _, err := w.slice(t.Context()); !fault.Is(err, fault.Fenced) {
			t.Errorf("err = %v, want Fenced", err)
		}
		w.want(t, 1, 30, false)
		if len(w.source.calls) > 6 {
			t.Errorf("%d calls, want it to stop with the part", len(w.source.calls))
		}
	})
}
