package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

// compare compares both simulators and the outcome of every record, and says so.
// It returns how many records are rejected.
func (w *stage) compare(ctx context.Context, when string) (rejects int, err error) {
	report := truth.Compare(w.portal, w.target, w.owners > 0)
	problems := report.Problems
	rejected, err := w.rejected(ctx)
	if err != nil {
		return 0, err
	}
	for object, ids := range report.Undeliverable {
		for _, id := range ids {
			if !rejected[object][id] {
				problems = append(problems, fmt.Sprintf("%s %s is neither in Gainsight nor rejected", object, id))
			}
		}
		if n := len(rejected[object]); n > len(ids) {
			problems = append(problems, fmt.Sprintf("%d records of %s are rejected, but only %d cannot be delivered", n, object, len(ids)))
		}
	}
	if h, g := w.source.Throttled(), w.target.Throttled(); h+g > 0 {
		say(w.out, "Calls that met a spent quota and were repeated: %s at HubSpot, %s at Gainsight.\n", number(h), number(g))
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return 0, &outcomeError{fmt.Sprintf("After the %s the two sides differ in %s. The first: %s.", when, count(len(problems), "point"), problems[0])}
	}
	for _, ids := range report.Undeliverable {
		rejects += len(ids)
	}
	say(w.out, "The %s, compared with the truth of both simulators:\n  %s companies, %s people and %s users are right;\n  %s cannot be delivered.\n",
		when, number(report.Companies), number(report.People), number(report.Users), count(rejects, "record"))
	return rejects, nil
}

// rejected returns the records whose last outcome is rejected. :: object → id
func (w *stage) rejected(ctx context.Context) (map[string]map[string]bool, error) {
	jobs, err := w.sys.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	plural := map[string]string{"company": "companies", "contact": "contacts"}
	all := map[string]map[string]bool{}
	for _, j := range jobs {
		object := j.Mapping.Source
		all[object] = map[string]bool{}
		ids := []string{}
		visit := func(id string) error {
			if id != "" {
				ids = append(ids, id)
			}
			if len(ids) < 1000 && id != "" {
				return nil
			}
			prints, err := w.sys.Delta.Prints(ctx, j.ID, ids)
			for id, p := range prints {
				if p.Outcome == run.Rejected {
					all[object][id] = true
				}
			}
			ids = ids[:0]
			return err
		}
		if object == "owner" {
			for _, o := range w.portal.Owners() {
				ids = append(ids, o.ID)
			}
		} else {
			w.portal.Each(plural[object], func(r hubspotsim.Record) {
				if err == nil && !r.Archived && r.MergedInto == "" {
					err = visit(r.ID)
				}
			})
		}
		if err == nil {
			err = visit("")
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// edits are what was changed between the syncs.
type edits struct {
	told string
	// before :: record → what the jobs map of it, hashed
	before map[string]uint64
	seed   maphash.Seed
}

// mapped are the properties that the out-of-the-box jobs read.
var mapped = map[string][]string{ //nolint:gochecknoglobals // a constant
	"companies": {"name"},
	"contacts":  {"email", "firstname", "lastname", "associatedcompanyid"},
}

// snapshot hashes what the jobs map of each live record.
func (e *edits) snapshot(p *hubspotsim.Portal, object string) map[string]uint64 {
	all := map[string]uint64{}
	p.Each(object, func(r hubspotsim.Record) {
		if r.Archived || r.MergedInto != "" {
			return
		}
		var text strings.Builder
		for _, name := range mapped[object] {
			v, _ := r.Value(name)
			text.WriteString(v + "\x00")
		}
		all[object+r.ID] = maphash.String(e.seed, text.String())
	})
	return all
}

// edit changes one in a hundred records, adds some, clears some values, merges
// two companies and archives one.
func (w *stage) edit() *edits {
	e := &edits{seed: maphash.MakeSeed()}
	e.before = e.snapshot(w.portal, "companies")
	for id, hash := range e.snapshot(w.portal, "contacts") {
		e.before[id] = hash
	}
	var companies, contacts []string
	w.portal.Each("companies", func(r hubspotsim.Record) {
		if name, _ := r.Value("name"); !r.Archived && name != "" {
			companies = append(companies, r.ID)
		}
	})
	w.portal.Each("contacts", func(r hubspotsim.Record) {
		if !r.Archived {
			contacts = append(contacts, r.ID)
		}
	})
	changed := 0
	for i := 10; i < len(companies); i += 100 {
		name, _ := mustGet(w.portal, "companies", companies[i]).Value("name")
		w.portal.Set("companies", companies[i], map[string]string{"name": name + " Group"})
		changed++
	}
	for i := 10; i < len(contacts); i += 100 {
		w.portal.Set("contacts", contacts[i], map[string]string{"lastname": "Renamed"})
		changed++
	}
	cleared := 0
	for i := 35; i < len(contacts); i += 400 {
		w.portal.Set("contacts", contacts[i], map[string]string{"firstname": ""})
		cleared++
	}
	added := w.add(companies)
	e.told = fmt.Sprintf("%s changed, %s added, %s cleared", count(changed, "record"), number(added), count(cleared, "value"))
	if len(companies) > 50 {
		w.portal.Merge("companies", companies[20], companies[21])
		w.portal.Archive("companies", companies[22])
		e.told += ",\n  two companies merged, one archived"
	}
	return e
}

func mustGet(p *hubspotsim.Portal, object, id string) hubspotsim.Record {
	r, _ := p.Get(object, id)
	return r
}

// add creates companies, each with a contact.
func (w *stage) add(companies []string) int {
	n := 0
	for i := 0; i*200 < len(companies); i++ {
		id := w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("Newcomer %d", i+1), "domain": fmt.Sprintf("newcomer%d.example", i+1)})
		n++
		if w.contacts == 0 {
			continue
		}
		w.portal.Create("contacts", map[string]string{
			"email": fmt.Sprintf("hello@newcomer%d.example", i+1), "firstname": "Nia", "lastname": "New", "associatedcompanyid": id,
		})
		n++
	}
	return n
}

// minimal checks that the second sync wrote no row that did not have to be
// written: at most one for each record whose mapped values changed.
func (e *edits) minimal(w *stage, before, after map[string]int) error {
	var told []string
	for _, c := range []struct{ object, rows string }{{"companies", "company"}, {"contacts", "person"}} {
		changed := 0
		for id, hash := range e.snapshot(w.portal, c.object) {
			if was, known := e.before[id]; !known || was != hash {
				changed++
			}
		}
		wrote := after[c.rows] - before[c.rows]
		if wrote > changed {
			return &outcomeError{fmt.Sprintf("The second sync wrote %d rows of %s, but only %d records had changed.", wrote, c.object, changed)}
		}
		told = append(told, fmt.Sprintf("%s for %s changed %s", number(wrote), number(changed), c.object))
	}
	say(w.out, "The second sync wrote the rows that it had to, and no more:\n  %s.\n", strings.Join(told, ", "))
	return nil
}
