package scenario

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mark"
)

// webhookURL is what HubSpot calls.
const webhookURL = "https://hooks.example.test/webhooks/hubspot"

// hooks is HubSpot's side of the webhooks.
type hooks struct {
	stop    func()
	down    atomic.Bool
	arrived atomic.Int64 // requests that were answered with 200
}

// stepWebhooks: webhooks on [lose=N] [duplicate=N] [shuffle=yes] [gather=1s]
// [spread=24h] | off | down | up. Every Nth event is lost or comes twice; down,
// nobody can be reached, and HubSpot tries again for as long as spread says.
func (w *world) stepWebhooks(s step) {
	switch what := w.word(s, 1); what {
	case "on":
		o := hubspotsim.Webhooks{
			Lose: w.pair(s, "lose"), Duplicate: w.pair(s, "duplicate"), Shuffle: s.pairs["shuffle"] != "",
			Gather: w.period(s, "gather", time.Second), Spread: w.period(s, "spread", 0),
		}
		w.listen(o)
	case "off":
		w.silence()
	case "down", "up":
		w.hooks.down.Store(what == "down")
	default:
		w.t.Fatalf("step %q: webhooks cannot be %q", s.line, what)
	}
}

func (w *world) pair(s step, name string) int {
	if s.pairs[name] == "" {
		return 0
	}
	n, err := strconv.Atoi(s.pairs[name])
	if err != nil {
		w.t.Fatalf("step %q: %v", s.line, err)
	}
	return n
}

func (w *world) period(s step, name string, def time.Duration) time.Duration {
	if s.pairs[name] == "" {
		return def
	}
	d, err := time.ParseDuration(s.pairs[name])
	if err != nil {
		w.t.Fatalf("step %q: %v", s.line, err)
	}
	return d
}

// listen lets HubSpot tell the connector of all edits from now on.
func (w *world) listen(o hubspotsim.Webhooks) {
	w.silence()
	o.URL, o.Secret, o.AppID = webhookURL, clientSecret, 1_234_567
	o.Client = &http.Client{Transport: (*doorway)(w)}
	o.Down = func(time.Time) bool { return w.hooks.down.Load() }
	w.hooks.stop = w.source.StartWebhooks(w.t.Context(), o)
}

// silence ends the webhooks.
func (w *world) silence() {
	if w.hooks.stop != nil {
		w.hooks.stop()
		w.hooks.stop = nil
	}
}

// doorway leads HubSpot's webhooks to the process that runs just now.
type doorway world

// RoundTrip implements http.RoundTripper.
func (d *doorway) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.sys.Webhook.ServeHTTP(answer, r)
	if answer.Code == http.StatusOK {
		d.hooks.arrived.Add(1)
	}
	return answer.Result(), nil
}

// stepTold: told D lets time pass, and notes the runs that webhooks started.
func (w *world) stepTold(s step) {
	w.advance(w.duration(s, 1))
	w.noteOthers()
}

// noteOthers notes the closed runs that nobody has noted, oldest first.
func (w *world) noteOthers() {
	w.t.Helper()
	runs, err := w.sys.Runs.List(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if r := runs[i]; r.Status.Closed() && !w.noted[r.ID] {
			w.note(r)
		}
	}
}

// stepBurst: burst OBJECT ID N edits one record N times within a second.
func (w *world) stepBurst(s step) {
	for i := range w.number(s, 3) {
		w.portal.Set(w.word(s, 1), w.id(s, 2), map[string]string{"name": fmt.Sprintf("Name %d", i)})
		if i%100 == 99 {
			w.advance(time.Millisecond)
		}
	}
}

// companies creates companies with the ids 1 to n.
func (w *world) companies(n int) {
	for i := 1; i <= n; i++ {
		w.company(i)
	}
}

func (w *world) company(id int) {
	w.portal.Create("companies", map[string]string{"hs_object_id": fmt.Sprint(id), "name": fmt.Sprintf("Company %d", id)})
}

// stepFill: fill N creates N companies, each with two contacts.
func (w *world) stepFill(s step) {
	n := w.number(s, 1)
	w.companies(n)
	for i := range 2 * n {
		w.portal.Create("contacts", map[string]string{
			"hs_object_id": fmt.Sprint(1001 + i), "email": fmt.Sprintf("c%d@a.example", i), "firstname": "F", "lastname": "L",
			"associatedcompanyid": fmt.Sprint(1 + i%n),
		})
	}
}

// stepEdit: edit N makes N changes to companies and contacts, one a second: names,
// new records, and contacts that move.
func (w *world) stepEdit(s step) {
	for range w.number(s, 1) {
		w.edits++
		n := w.edits
		companies, contacts := w.live("companies"), w.live("contacts")
		contact := contacts[n*7%len(contacts)]
		switch n % 5 {
		case 0:
			w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("New %d", n)})
		case 1:
			w.portal.Create("contacts", map[string]string{
				"email": fmt.Sprintf("new%d@a.example", n), "firstname": "New", "lastname": "L", "associatedcompanyid": companies[n%len(companies)],
			})
		case 2:
			w.portal.Set("companies", companies[n*3%len(companies)], map[string]string{"name": fmt.Sprintf("Renamed %d", n)})
		default:
			w.portal.Set("contacts", contact, map[string]string{"firstname": fmt.Sprintf("Renamed %d", n)})
		}
		w.advance(time.Second)
	}
}

// live are the ids of the records that HubSpot shows.
func (w *world) live(object string) []string {
	var ids []string
	w.portal.Each(object, func(r hubspotsim.Record) {
		if !r.Archived && r.MergedInto == "" {
			ids = append(ids, r.ID)
		}
	})
	return ids
}

// stepOption: option JOB realTime=yes|no [do=set|delete field= value=] changes the
// options of a job, as an admin would.
func (w *world) stepOption(s step) {
	j, err := w.sys.Jobs.Find(w.t.Context(), w.word(s, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	if on, named := s.pairs["realTime"]; named {
		j.Options.RealTime = on == "yes"
	}
	if do, named := s.pairs["do"]; named {
		j.Options.WhenDeleted = job.WhenDeleted{Do: job.Do(do), Field: s.pairs["field"], Value: s.pairs["value"]}
	}
	_, err = w.sys.Jobs.Save(w.t.Context(), j, "tester")
	w.say(err)
}

// kept is what is remembered of contacts: their outcomes, and their marks.
func (w *world) kept() []string {
	w.t.Helper()
	j, err := w.sys.Jobs.Find(w.t.Context(), "Company Person Sync_HS")
	if err != nil {
		w.t.Fatal(err)
	}
	lines := []string{}
	err = w.sys.Delta.Each(w.t.Context(), j.ID, func(id string, p delta.Print) error {
		lines = append(lines, id+" "+string(p.Outcome))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range []mark.Class{mark.Events, mark.Deletions, mark.Retries, mark.Edits} {
		err := w.sys.Marks.Each(w.t.Context(), "0-1", j.ID, c, func(m mark.Mark) (bool, error) {
			lines = append(lines, m.ID+" marked as "+string(m.Kind))
			return true, nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return lines
}
