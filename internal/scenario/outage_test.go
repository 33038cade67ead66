package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
)

// R1, R40: the index is late by up to 15 minutes; webhooks come twice and in any
// order, three in a hundred are lost, and for three days none arrives while
// scheduled runs go on. The next scheduled run makes both sides equal, the next
// daily one also in what was archived, and a full comparison in all the rest.
func TestAnOutageOfWebhooksLosesNothing(t *testing.T) {
	seeds := uint64(4)
	if raced {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := hubspotsim.Options{Seed: seed, IndexLag: hubspotsim.Lag(seed, 0, 15*time.Minute)}
			bubble(t, o, 0, func(t *testing.T, w *world) {
				j := w.job(syncCompanies)
				j.Options.WhenDeleted.Do = job.DoDelete
				w.save(j)
				p := &people{world: w, rand: rand.New(rand.NewPCG(seed, 1))}
				p.hire(60)
				w.advance(20 * time.Minute)
				ended(t, "first", w.run(chain).Runs)
				w.listen(hubspotsim.Webhooks{Lose: 33, Duplicate: 3 + int(seed), Shuffle: true, Gather: 10 * time.Second})

				p.edit(80, 20*time.Second)
				w.hooks.down.Store(true)
				for range 9 {
					p.edit(8, 30*time.Minute)
					w.advance(4 * time.Hour)
					ended(t, "scheduled", w.run(chain).Runs)
				}
				w.hooks.down.Store(false)
				p.edit(30, 20*time.Second)
				w.advance(15 * time.Minute)
				ended(t, "after the outage", w.run(chain).Runs)
				w.correct(t)

				w.advance(24 * time.Hour)
				ended(t, "daily", w.run(chain).Runs)
				w.sameCompanies(t)

				p.hidden(20, time.Minute)
				w.silence()
				w.advance(time.Hour)
				ended(t, "comparison", w.run(run.Input{Chain: chain.Chain, Mode: run.ModeFull}).Runs)
				w.advance(5 * time.Minute)
				w.sameCompanies(t)
				if n := w.source.Throttled() + w.target.Throttled(); n > 0 {
					t.Errorf("%d calls met a spent quota, want none", n) // Guarantee 8
				}
			})
		})
	}
}

// people edits HubSpot as people do, by chance.
type people struct {
	*world
	rand *rand.Rand
	n    int // edits so far
}

func (p *people) one(ids []string) string { return ids[p.rand.IntN(len(ids))] }

// hire creates n companies and twice as many contacts.
func (p *people) hire(n int) {
	p.companies(n)
	for range 2 * n {
		p.contact()
	}
}

func (p *people) contact() {
	p.n++
	id := p.portal.Create("contacts", map[string]string{"email": fmt.Sprintf("c%d@a.example", p.n), "firstname": "F", "lastname": fmt.Sprint(p.n)})
	p.portal.Associate("contacts", id, "companies", p.one(p.live("companies")), hubspotsim.Primary)
}

// edit makes n edits that a run sees in its window, or in the recycle bin.
func (p *people) edit(n int, pause time.Duration) {
	for range n {
		p.n++
		switch company, contact := p.one(p.live("companies")), p.one(p.live("contacts")); p.rand.IntN(10) {
		case 0:
			p.portal.Create("companies", map[string]string{"name": fmt.Sprintf("New %d", p.n)})
		case 1, 2:
			p.contact()
		case 3, 4:
			p.portal.Set("companies", company, map[string]string{"name": fmt.Sprintf("Renamed %d", p.n)})
		case 5:
			p.portal.Archive("companies", company)
		case 6:
			p.portal.Archive("contacts", contact)
		case 7:
			p.portal.Set("contacts", contact, map[string]string{"firstname": ""})
		case 8: // moves, and says so
			p.portal.Associate("contacts", contact, "companies", company, hubspotsim.Primary)
			p.portal.Set("contacts", contact, map[string]string{"lastname": fmt.Sprintf("Moved %d", p.n)})
		default:
			p.portal.Set("contacts", contact, map[string]string{"firstname": fmt.Sprintf("Renamed %d", p.n)})
		}
		p.advance(time.Duration(p.rand.Int64N(int64(2 * pause))))
	}
}

// hidden makes n edits that leave modified times and the bin as they are.
func (p *people) hidden(n int, pause time.Duration) {
	for range n {
		companies := p.live("companies")
		switch contact, archived := p.one(p.live("contacts")), p.archived("companies"); p.rand.IntN(5) {
		case 0:
			p.portal.Purge("companies", p.one(companies))
		case 1:
			if len(archived) > 0 {
				p.portal.Restore("companies", p.one(archived))
			}
		case 2:
			a := p.rand.IntN(len(companies))
			p.portal.Merge("companies", companies[a], companies[(a+1)%len(companies)])
		default:
			p.portal.Associate("contacts", contact, "companies", p.one(companies), hubspotsim.Primary)
		}
		p.advance(time.Duration(p.rand.Int64N(int64(2 * pause))))
	}
}

func (w *world) archived(object string) []string {
	var ids []string
	w.portal.Each(object, func(r hubspotsim.Record) {
		if r.Archived {
			ids = append(ids, r.ID)
		}
	})
	return ids
}

// sameCompanies checks that both sides hold the same companies, besides what correct checks.
func (w *world) sameCompanies(t *testing.T) {
	t.Helper()
	w.correct(t)
	var rows []string
	for row := range w.target.Rows("company") {
		rows = append(rows, fmt.Sprint(row[accountID]))
	}
	live := w.live("companies")
	slices.Sort(rows)
	slices.Sort(live)
	if d := gocmp.Diff(live, rows); d != "" {
		t.Errorf("companies of HubSpot and of Gainsight (-HubSpot +Gainsight):\n%s", d)
	}
}
