package hubspotsim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// DemoOptions is how much demo data there is to be.
type DemoOptions struct {
	Owners, Companies, Contacts int // archived companies come on top
}

// Demo lists the records that Seed made odd, by id, each list in the order of
// the ids. Everything else is as one would wish: each contact has an e-mail
// address of its own and a live primary company, each company a name of its
// own and a number of employees that is one.
type Demo struct {
	ArchivedOwners, InactiveOwners []string
	ArchivedCompanies              []string // beside the companies asked for
	CompaniesWithoutName           []string
	BadEmployees                   []string // companies: "N/A" or "1,800.00"
	ContactsWithoutCompany         []string
	ContactsOfMissingCompany       []string // associatedcompanyid leads nowhere live
	ContactsWithoutEmail           []string
}

// Shares of odd records: one in so many.
const (
	oneWithoutCompany = 100
	oneOfMissing      = 200
	oneWithoutEmail   = 200
	oneBadEmployees   = 200
	oneWithoutName    = 300
	oneArchived       = 200
)

// Seed fills a portal with demo data that looks real: five years of
// companies, their contacts and owners. The same seed, portal id, sizes and
// time give the same data. The edits have no lag and send no webhooks.
func Seed(p *Portal, o DemoOptions) Demo {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := &demo{
		p: p, o: o, random: chance(p.sim.o.Seed, uint64(p.id)+1), now: p.sim.o.Now(), //nolint:gosec // a seed: any bits will do
		companies: p.must("companies"), contacts: p.must("contacts"),
		first: strings.Fields(companyFirst), second: strings.Fields(companySecond), third: strings.Split(companyThird, "|"),
		forms: strings.Split(legalForms, "|"), given: strings.Fields(firstNames), family: strings.Fields(lastNames),
		titles: strings.Split(jobTitles, "|"), places: strings.Split(places, "|"), emails: map[string]int{},
	}
	g.spread = uint64(len(g.first) * len(g.second) * len(g.third))
	g.makeOwners()
	g.makeCompanies()
	g.makeContacts()
	p.changed()
	return g.made
}

type demo struct {
	p                           *Portal
	o                           DemoOptions
	random                      *rand.Rand
	now                         time.Time
	companies, contacts         *objectType
	first, second, third, forms []string
	given, family               []string
	titles, places              []string
	spread                      uint64
	emails                      map[string]int
	owners                      []string // who own records
	live                        []*record
	gone                        []int64 // archived companies and ids that no company has
	made                        Demo
}

const years = 5 * 365 * 24 * time.Hour

func (g *demo) pick(list []string) string { return list[g.random.IntN(len(list))] }

// odd reports whether the i-th of n is one of the odd ones: evenly spread, and
// at least one if there are any ten.
func odd(i, n, one, shift int) bool {
	if n < one {
		return n >= 10 && i == (n/2+shift)%n
	}
	return (i+shift*17)%one == one/2
}

func (g *demo) makeOwners() {
	teams := []string{"East", "West", "Europe", "Partners"}
	for i := range g.o.Owners {
		first, last := g.pick(g.given), g.pick(g.family)
		o := Owner{
			ID: strconv.Itoa(41_629_779 + i*431), UserID: int64(9_100_001 + i*17), FirstName: first, LastName: last,
			Email: g.email(first, last, "vendor.example"), Teams: []string{teams[i%len(teams)]},
			Created: g.moment(i, g.o.Owners), Archived: g.o.Owners >= 6 && i%(g.o.Owners/2) == 2,
			Inactive: g.o.Owners >= 6 && i == g.o.Owners-1,
		}
		if o.Archived = o.Archived && len(g.made.ArchivedOwners) < 2; o.Archived {
			g.made.ArchivedOwners = append(g.made.ArchivedOwners, o.ID)
		}
		if o.Inactive {
			g.made.InactiveOwners = append(g.made.InactiveOwners, o.ID)
		}
		o.Updated = o.Created
		g.p.people = append(g.p.people, o)
		g.owners = append(g.owners, o.ID)
	}
}

// moment is when the i-th of n records was created.
func (g *demo) moment(i, n int) time.Time {
	step := years / time.Duration(n+1)
	return g.now.Add(-years + time.Duration(i)*step + time.Duration(g.random.Int64N(int64(step)))).Truncate(time.Millisecond)
}

// email is an address that no one else has.
func (g *demo) email(first, last, domain string) string {
	local := plain(first) + "." + plain(last)
	g.emails[local+domain]++
	if n := g.emails[local+domain]; n > 1 {
		local += strconv.Itoa(n)
	}
	return local + "@" + domain
}

// add stores a record as it is today.
func (g *demo) add(t *objectType, created time.Time, props map[string]string) *record {
	rec := &record{id: t.next + 1 + g.random.Int64N(9), created: created.UnixMilli()}
	rec.updated = rec.created + g.random.Int64N(g.now.UnixMilli()-rec.created+1)
	rec.values = version{}.with(t.changes(props, rec))
	t.insert(rec)
	return rec
}

func (g *demo) makeCompanies() {
	extra := (g.o.Companies + oneArchived - 1) / oneArchived
	n := g.o.Companies + extra
	offset := g.random.Uint64N(g.spread)
	for i := range n {
		archived := extra > 0 && i%(n/extra) == 0 && len(g.made.ArchivedCompanies) < extra
		rec := g.add(g.companies, g.moment(i, n), g.company(uint64(i)+offset))
		id := strconv.FormatInt(rec.id, 10)
		if archived {
			rec.archived = rec.updated + g.random.Int64N(g.now.UnixMilli()-rec.updated+1)
			g.gone = append(g.gone, rec.id)
			g.made.ArchivedCompanies = append(g.made.ArchivedCompanies, id)
			continue
		}
		at := len(g.live)
		if odd(at, g.o.Companies, oneWithoutName, 1) {
			rec.values = rec.without(g.companies.number("name"))
			g.made.CompaniesWithoutName = append(g.made.CompaniesWithoutName, id)
		}
		if odd(at, g.o.Companies, oneBadEmployees, 2) {
			bad := []string{"N/A", "1,800.00"}[len(g.made.BadEmployees)%2]
			rec.values = rec.with(map[int]string{g.companies.number("numberofemployees"): bad})
			g.made.BadEmployees = append(g.made.BadEmployees, id)
		}
		g.live = append(g.live, rec)
	}
	if extra > 0 {
		g.gone = append(g.gone, 7_000_000_001) // never existed
	}
}

// without packs the values except for one.
func (v version) without(number int) string {
	kept := map[int]string{}
	v.unpack(func(n int, value string) {
		if n != number {
			kept[n] = value
		}
	})
	return version{}.with(kept)
}

// company invents the values of a company; different numbers have different names.
func (g *demo) company(number uint64) map[string]string {
	round, at := number/g.spread, number*48_271%g.spread
	a, b := at%uint64(len(g.first)), at/uint64(len(g.first))
	first, second, third := g.first[a], g.second[b%uint64(len(g.second))], g.third[b/uint64(len(g.second))]
	name := first + " " + second + " " + third
	domain := strings.ToLower(first + second + "-" + third)
	if round > 0 {
		name += " " + strconv.FormatUint(round+1, 10)
		domain += strconv.FormatUint(round+1, 10)
	}
	employees := int(5 + g.random.ExpFloat64()*180)
	place := strings.Split(g.pick(g.places), ",")
	industry := g.companies.props[g.companies.number("industry")].Options
	stage := []string{"customer", "customer", "customer", "opportunity", "lead", "evangelist"}
	props := map[string]string{
		"name": name + g.pick(g.forms), "domain": domain + ".example", "industry": industry[g.random.IntN(len(industry))].Value,
		"phone": place[3] + fmt.Sprintf("%02d", g.random.IntN(100)), "city": place[0], "state": place[1], "country": place[2],
		"numberofemployees": strconv.Itoa(employees), "annualrevenue": strconv.Itoa(employees * (80_000 + g.random.IntN(90)*1000)),
		"lifecyclestage": g.pick(stage), "founded_year": strconv.Itoa(1950 + g.random.IntN(72)),
		"hs_is_target_account": strconv.FormatBool(g.random.IntN(4) == 0),
	}
	if len(g.owners) > 0 && g.random.IntN(20) > 0 {
		props["hubspot_owner_id"] = g.pick(g.owners)
	}
	switch g.random.IntN(10) {
	case 0:
		props["description"] = name + " serves customers in " + place[2] + ".\nFounded in " + props["founded_year"] + ", it has about " + props["numberofemployees"] + " employees."
	case 1:
		props["contract_renewal_date"] = g.now.AddDate(0, 0, g.random.IntN(700)-100).Format(time.DateOnly)
	case 2:
		props["customer_regions"] = g.pick([]string{"AMER", "EMEA;APAC", "AMER;EMEA"})
	}
	return props
}

func (g *demo) makeContacts() {
	there, back := g.p.pair(g.contacts, g.companies), g.p.pair(g.companies, g.contacts)
	for i := range g.o.Contacts {
		var company *record
		missing := len(g.gone) > 0 && odd(i, g.o.Contacts, oneOfMissing, 3)
		alone := odd(i, g.o.Contacts, oneWithoutCompany, 5) || len(g.live) == 0
		if !missing && !alone {
			company = g.live[g.random.IntN(len(g.live))]
		}
		props := g.contact(company)
		if missing {
			props["associatedcompanyid"] = strconv.FormatInt(g.gone[len(g.made.ContactsOfMissingCompany)%len(g.gone)], 10)
		}
		silent := odd(i, g.o.Contacts, oneWithoutEmail, 7)
		if silent {
			delete(props, "email")
		}
		rec := g.add(g.contacts, g.moment(i, g.o.Contacts), props)
		if company != nil {
			g.p.link(there, rec.id, company.id, 3)
			g.p.link(back, company.id, rec.id, 3)
		}
		g.note(rec, missing, alone, silent)
	}
}

// note lists what is odd about a contact.
func (g *demo) note(rec *record, missing, alone, silent bool) {
	id := strconv.FormatInt(rec.id, 10)
	switch {
	case missing:
		g.made.ContactsOfMissingCompany = append(g.made.ContactsOfMissingCompany, id)
	case alone:
		g.made.ContactsWithoutCompany = append(g.made.ContactsWithoutCompany, id)
	}
	if silent {
		g.made.ContactsWithoutEmail = append(g.made.ContactsWithoutEmail, id)
	}
}

// contact invents the values of a contact of a company, or of none.
func (g *demo) contact(company *record) map[string]string {
	first, last := g.pick(g.given), g.pick(g.family)
	place := strings.Split(g.pick(g.places), ",")
	stage := []string{"customer", "customer", "lead", "opportunity", "subscriber", "salesqualifiedlead"}
	props := map[string]string{
		"firstname": first, "lastname": last, "jobtitle": g.pick(g.titles), "lifecyclestage": g.pick(stage),
		"phone": place[3] + fmt.Sprintf("%02d", g.random.IntN(100)), "city": place[0], "country": place[2],
		"hs_email_optout": strconv.FormatBool(g.random.IntN(12) == 0), "hs_language": g.pick([]string{"en", "en", "de", "fr", "es"}),
	}
	domain := "mail.example"
	if company != nil {
		domain, _ = company.value(g.companies.number("domain"))
		props["associatedcompanyid"] = strconv.FormatInt(company.id, 10)
		if owner, ok := company.value(g.companies.number("hubspot_owner_id")); ok {
			props["hubspot_owner_id"] = owner
		}
	}
	props["email"] = g.email(first, last, domain)
	return props
}
