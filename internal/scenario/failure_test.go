package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

const syncCompanies = "Company Sync_HS"

// R1: search shows each change after up to 15 minutes. With a run every five
// minutes each change has arrived when it is visible, and no watermark passes
// the start of its run.
func TestEveryChangeArrivesBehindALaggingIndex(t *testing.T) {
	const lag = 15 * time.Minute
	bubble(t, hubspotsim.Options{IndexLag: hubspotsim.Lag(3, 0, lag)}, 0, func(t *testing.T, w *world) {
		const records, turns = 60, 24
		w.companies(records)
		w.only(t, syncCompanies)
		edited := make([][]time.Time, records+1) // :: id → times of its edits
		for turn := range turns {
			for i := range 5 {
				id := 1 + (turn*13+i*7)%records
				w.advance(10 * time.Second)
				edited[id] = append(edited[id], time.Now())
				w.portal.Set("companies", fmt.Sprint(id), map[string]string{"name": fmt.Sprintf("Company %d, edit %d", id, len(edited[id]))})
			}
			w.advance(4 * time.Minute)
			start := time.Now()
			w.only(t, syncCompanies)
			if mark := w.watermark(syncCompanies).At; mark.After(start) {
				t.Errorf("the watermark is %s after the start of its run", mark.Sub(start))
			}
			names := w.values("company", accountID, "Name")
			for id := 1; id <= records; id++ {
				visible, arrived := 0, 0
				for n, at := range edited[id] {
					if at.Add(lag + 10*time.Second).Before(start) { // the window ends five seconds before the run
						visible = n + 1
					}
				}
				_, _ = fmt.Sscanf(names[fmt.Sprint(id)], fmt.Sprintf("Company %d, edit %%d", id), &arrived)
				if arrived < visible {
					t.Errorf("turn %d: company %d is at edit %d, and edit %d has been visible", turn, id, arrived, visible)
				}
			}
		}
		w.advance(lag + time.Minute)
		w.only(t, syncCompanies)
		w.correct(t)
	})
}

// R4: each window is read to its end with the keyset, whatever the ids of the
// one before. Three windows of 450 records cost three pages each.
func TestEveryWindowStartsItsKeysetAnew(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(450)
		w.advance(time.Minute)
		w.only(t, syncCompanies)
		for window := 1; window <= 3; window++ {
			w.advance(3 * time.Hour)
			for id := 1; id <= 450; id++ {
				w.portal.Set("companies", fmt.Sprint(id), map[string]string{"name": fmt.Sprintf("Company %d in window %d", id, window)})
			}
			w.advance(time.Minute)
			w.calls = w.counters()
			r := w.only(t, syncCompanies)
			if r.Counts.Extracted != 450 || r.Counts.Updated != 450 {
				t.Errorf("window %d: %+v, want each record once", window, r.Counts)
			}
			if n := w.since()["hubspot.search"]; n != 3 {
				t.Errorf("window %d: %d searches, want 3", window, n)
			}
			w.correct(t)
		}
	})
}

// R6: every page of search is out of order and holds a record that lies outside
// of the window. Each changed record arrives once, in a bounded number of calls.
func TestDisorderlyPagesLoseNothing(t *testing.T) {
	bubble(t, hubspotsim.Options{Seed: 5, Disorder: 1}, 0, func(t *testing.T, w *world) {
		w.companies(1500)
		w.advance(time.Minute)
		w.only(t, syncCompanies)
		w.advance(3 * time.Hour)
		w.only(t, syncCompanies) // the window of the next run begins behind the creation
		w.advance(3 * time.Hour)
		for id := 2; id <= 1500; id += 2 {
			w.portal.Set("companies", fmt.Sprint(id), map[string]string{"name": fmt.Sprintf("Company %d b", id)})
		}
		w.advance(time.Minute)
		w.calls = w.counters()
		r := w.only(t, syncCompanies)
		if r.Counts.Extracted != 750 || r.Counts.Updated != 750 {
			t.Errorf("%+v, want 750 records read and updated", r.Counts)
		}
		if n := w.since()["hubspot.search"]; n < 4 || n > 8 {
			t.Errorf("%d searches for 750 records, want 4 to 8", n)
		}
		w.correct(t)
	})
}

// R7: records of one timestamp stand across page and part boundaries and on the
// very edge between two windows. With an overlap of nothing to help, each of them
// is in one of the two runs.
func TestTheEdgeOfAWindowLosesNothing(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 100, func(t *testing.T, w *world) {
		w.companies(900)
		w.advance(time.Minute)
		w.only(t, syncCompanies)
		w.sys.Plan.Overlap = time.Nanosecond
		w.advance(time.Hour)
		w.only(t, syncCompanies)
		w.advance(time.Hour)
		edit := func(from, to int) {
			for id := from; id <= to; id++ {
				w.portal.Set("companies", fmt.Sprint(id), map[string]string{"name": fmt.Sprintf("Company %d b", id)})
			}
		}
		edit(1, 300) // a millisecond before the edge
		w.advance(time.Millisecond)
		edit(301, 600) // on the edge
		edge := time.Now()
		w.advance(time.Millisecond)
		edit(601, 900)
		// A window ends five seconds before its run. The nanosecond is that of the
		// overlap: the next window begins on the edge itself.
		edge = edge.Add(time.Nanosecond)
		time.Sleep(time.Until(edge.Add(5 * time.Second)))
		before := w.only(t, syncCompanies)
		if mark := w.watermark(syncCompanies).At; !mark.Equal(edge) {
			t.Fatalf("the window ends %s off the edge", mark.Sub(edge))
		}
		w.advance(time.Minute)
		behind := w.only(t, syncCompanies)
		if before.Counts.Updated != 300 || behind.Counts.Updated != 600 {
			t.Errorf("%d and %d updated, want 300 before the edge and 600 from it on", before.Counts.Updated, behind.Counts.Updated)
		}
		w.correct(t)
	})
}

// R9: each object says by another property when it changed; the wrong one finds
// nothing and says nothing.
func TestChangesOfEveryObjectAreSeen(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		boats := w.portal.DefineObject(hubspotsim.Schema{
			Name: "contacts", Singular: "Boat", Plural: "Boats", // named like a standard object (R32)
			Properties: []hubspotsim.Property{{Name: "color", Label: "Color"}},
		})
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		for _, object := range []struct{ source, sim, property string }{
			{"company", "companies", "name"},
			{"contact", "contacts", "firstname"},
			{"0-1", "0-1", "lastname"},
			{"deal", "deals", "dealname"},
			{"ticket", "tickets", "subject"},
			{boats, boats, "color"},
		} {
			name := "Things of " + object.source
			w.save(w.things(name, object.source, object.property))
			if object.source != "0-1" { // whose records are those of contact
				for _, id := range []string{"1", "2", "3"} {
					w.portal.Create(object.sim, map[string]string{"hs_object_id": id, object.property: name})
				}
			}
			w.advance(time.Minute)
			w.only(t, name)
			w.advance(3 * time.Hour)
			w.only(t, name) // the window of the next run begins behind the creation
			w.advance(3 * time.Hour)
			w.portal.Set(object.sim, "2", map[string]string{object.property: "changed"})
			w.advance(time.Minute)
			if r := w.only(t, name); r.Counts.Extracted != 1 || r.Counts.Updated != 1 {
				t.Errorf("%s: %+v, want the changed record alone", name, r.Counts)
			}
			if got := w.values("thing__gc", "Thing_ID__gc", "Name")["2"]; got != "changed" {
				t.Errorf("%s: the changed record arrived as %q", name, got)
			}
			for row := range w.target.Rows("thing__gc") {
				w.target.Delete("thing__gc", fmt.Sprint(row["Gsid"]))
			}
		}
	})
}

// R9: a search that counts records and sends none is an alarm, not an empty
// window.
func TestRecordsThatAreCountedButNotSentAreAnAlarm(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(3)
		w.advance(time.Minute)
		w.only(t, syncCompanies)
		was := w.watermark(syncCompanies)
		w.advance(time.Minute)
		w.portal.Set("companies", "2", map[string]string{"name": "Changed"})
		w.advance(time.Minute)
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if searching(r, "0-2") {
				return jsonAnswer(`{"total":3,"results":[]}`)
			}
			return nil
		})
		w.failed(t, syncCompanies, "counted records that it did not send")
		if is := w.watermark(syncCompanies); is != was {
			t.Errorf("the watermark moved from %v to %v", was, is)
		}
		w.source.SetFault(nil)
		w.only(t, syncCompanies)
		w.correct(t)
	})
}

// R12: only the date-versioned CRM paths are called, none of the legacy ones that
// show 30 days or 10,000 records.
func TestNoLegacyPathIsCalled(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.portal.AddOwner(hubspotsim.Owner{ID: "71", Email: "ann@us.example", FirstName: "Ann", LastName: "Lee"})
		w.companies(250)
		w.portal.Create("contacts", map[string]string{"hs_object_id": "11", "email": "a@a.example", "associatedcompanyid": "1"})
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		w.save(w.things("Things", "contact", "", association("company", "")))
		for range 2 {
			w.advance(time.Minute)
			w.only(t, "User Sync_HS")
			w.run(run.Input{Chain: ootb.ChainName})
			w.only(t, "Things")
		}
		versioned := regexp.MustCompile(`^(GET|POST) /(crm/(objects|properties|associations|owners)/2026-09[/?]|oauth/)`)
		requests := w.source.Requests()
		if len(requests) < 15 {
			t.Fatalf("only %d requests: %q", len(requests), requests)
		}
		for _, line := range requests {
			if !versioned.MatchString(line) {
				t.Errorf("a path that is not of the versioned CRM API: %s", line)
			}
		}
	})
}

// R13: a position that another API family left is refused clearly; the next run
// starts afresh and loses nothing.
func TestACursorOfAnotherAPIIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, cursor string }{
		{"of the list", "list:150"},
		{"of nothing", "150"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 200, func(t *testing.T, w *world) {
				w.advance(time.Minute)
				w.only(t, syncCompanies)
				w.companies(600)
				w.advance(time.Minute)
				var pages atomic.Int64
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					if searching(r, "0-2") && pages.Add(1) == 2 {
						w.kill(func() {
							key := table.Key{Partition: "RUN#" + string(w.newest().ID), Sort: "extract"}
							at := run.Extraction{Cursor: tt.cursor, Parts: 1, Count: 200}
							if _, err := w.bolt.Put(t.Context(), table.New(key, at), table.Condition{}); err != nil {
								t.Error(err)
							}
						})
					}
					return nil
				})
				w.failed(t, syncCompanies, "A page of another kind of query cannot be continued")
				w.source.SetFault(nil)
				w.advance(time.Minute)
				w.only(t, syncCompanies)
				w.correct(t)
			})
		})
	}
}

// R13: a cursor that does not advance is noticed; reading does not go on forever.
func TestACursorThatDoesNotAdvanceIsNoticed(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(250)
		w.advance(time.Minute)
		var pages atomic.Int64
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if listing(r, "0-2") {
				pages.Add(1)
				return jsonAnswer(`{"results":[{"id":"1","properties":{"name":"Company 1","hs_object_id":"1"},"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z","archived":false}],"paging":{"next":{"after":"2"}}}`)
			}
			return nil
		})
		w.failed(t, syncCompanies, "the same page twice")
		if n := pages.Load(); n > 40 {
			t.Errorf("%d calls for a page that repeats itself, want at most 40", n)
		}
		w.source.SetFault(nil)
		w.only(t, syncCompanies)
		w.correct(t)
	})
}

// R38: a run that died is gone on with, though its items are of an older form,
// without what is optional, or of a newer one, with fields that nobody knows here.
func TestAnOlderOrNewerStateIsGoneOnWith(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rework func(doc map[string]any)
	}{
		{"older", func(doc map[string]any) {
			for name, v := range doc {
				if v == nil || v == "" || v == false || v == float64(0) {
					delete(doc, name)
				}
			}
		}},
		{"newer", func(doc map[string]any) { doc["lane2"] = map[string]any{"at": "2026-01-01T00:00:00Z"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 100, func(t *testing.T, w *world) {
				w.companies(350)
				w.advance(time.Minute)
				var pages atomic.Int64
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					if listing(r, "0-2") && pages.Add(1) == 3 {
						w.kill(func() { w.rework(tt.rework) })
					}
					return nil
				})
				if r := w.only(t, syncCompanies); r.Counts.Inserted != 350 {
					t.Errorf("%+v, want 350 inserted", r.Counts)
				}
				w.correct(t)
			})
		})
	}
}

// rework rewrites what is stored of the newest run.
func (w *world) rework(change func(doc map[string]any)) {
	id := w.newest().ID
	for partition, in := range map[string]table.Range{
		"RUN": {Prefix: string(id)}, "RUN#" + string(id): {}, "ROUND": {}, "OPEN": {},
	} {
		err := table.All(w.t.Context(), w.bolt, partition, in, func(item table.Item) error {
			var doc map[string]any
			if err := json.Unmarshal(item.Doc, &doc); err != nil {
				return err
			}
			change(doc)
			fresh := table.New(item.Key, doc)
			fresh.Expires = item.Expires
			_, err := w.bolt.Put(w.t.Context(), fresh, table.Condition{})
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	}
}

// R41: a failure that does not pass turns the run red within its budget of
// retries, moves no watermark, and leaves the next run whole.
func TestAPermanentFailureTurnsTheRunRed(t *testing.T) {
	for _, tt := range []struct {
		name, reason   string
		source, target string
		calls          int // at most
	}{
		{name: "HubSpot", source: "/crm/objects/", reason: "HubSpot has a problem (status 500).", calls: 20},
		{name: "HubSpot never answers", source: "/crm/objects/", reason: "HubSpot did not answer", calls: 20},
		{name: "Gainsight inserts", target: "POST /v1/data/objects/company", reason: "1 of 1 parts were not finished.", calls: 20},
		{name: "Gainsight reads", target: "POST /v1/data/objects/query", reason: "1 of 1 parts were not finished.", calls: 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
				w.companies(5)
				w.advance(time.Minute)
				kind := "500"
				if strings.Contains(tt.name, "never") {
					kind = "slow"
				}
				spoil := &spoil{path: tt.source + tt.target, nth: 1, last: 100_000, kind: kind}
				if tt.source != "" {
					w.hubspotFault.add(spoil)
				} else {
					w.gainsightFault.add(spoil)
				}
				if kind == "slow" {
					w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
						if w.hubspotFault.next(r) != "" {
							return &hubspotsim.Fault{Delay: time.Hour}
						}
						return nil
					})
				}
				start := time.Now()
				w.failed(t, syncCompanies, tt.reason)
				if took := time.Since(start); took > 40*time.Minute {
					t.Errorf("the run turned red after %s only", took)
				}
				if met := 100_000 - spoil.last; met > tt.calls {
					t.Errorf("%d calls met the failure, want at most %d", met, tt.calls)
				}
				if mark := w.watermark(syncCompanies); !mark.At.IsZero() {
					t.Errorf("the watermark moved to %s", mark.At)
				}
				spoil.last = 0
				w.only(t, syncCompanies)
				w.correct(t)
			})
		})
	}
}

// jsonAnswer answers a call with a body instead of serving it.
func jsonAnswer(body string) *hubspotsim.Fault {
	return &hubspotsim.Fault{Status: http.StatusOK, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
}

// body reads a request's body and puts it back.
func body(r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return string(text)
}
