// Package truth says what Gainsight must hold after the out-of-the-box jobs have
// run, from what the HubSpot simulator holds. Its rules are written from the
// product's definition and share no code with the connector.
package truth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

// Report is what a comparison found.
type Report struct {
	// Companies, People and Users are the source records that must be in
	// Gainsight, each compared with its row.
	Companies, People, Users int
	// Undeliverable :: object (company, contact, owner) → ids of the records that
	// the rules reject.
	Undeliverable map[string][]string
	// Problems are the differences, in words; empty means that all is right.
	Problems []string
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Compare compares both sides. It assumes the fields that gainsightsim.Prepare
// adds, and that every run is over. owners is whether User Sync has run.
func Compare(p *hubspotsim.Portal, g *gainsightsim.Sim, owners bool) Report {
	r := Report{Undeliverable: map[string][]string{}}
	companies := r.companies(p, g)
	r.contacts(p, g, companies)
	if owners {
		r.owners(p, g)
	}
	return r
}

func text(row gainsightsim.Row, field string) string {
	if v, ok := row[field]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// value is a property's value, "" if it was never set or is cleared.
func value(rec hubspotsim.Record, name string) string {
	v, ok := rec.Value(name)
	if !ok {
		return ""
	}
	return v
}

func live(rec hubspotsim.Record) bool { return !rec.Archived && rec.MergedInto == "" }

// companies checks that each live company has one row with its name, and that no
// id has two rows. It returns :: company id → GSID of its row.
func (r *Report) companies(p *hubspotsim.Portal, g *gainsightsim.Sim) map[string]string {
	field := fmt.Sprintf("HubSpot_Account_ID_%d__gc", p.ID())
	rows, names := map[string]string{}, map[string]string{}
	for row := range g.Rows("company") {
		id := text(row, field)
		if id == "" {
			continue
		}
		if rows[id] != "" {
			r.problem("company %s has two rows", id)
		}
		rows[id], names[id] = text(row, "Gsid"), text(row, "Name")
	}
	known := map[string]bool{}
	p.Each("companies", func(rec hubspotsim.Record) {
		known[rec.ID] = true
		name := value(rec, "name")
		switch {
		case !live(rec):
		case strings.TrimSpace(name) == "":
			r.Undeliverable["company"] = append(r.Undeliverable["company"], rec.ID)
		case rows[rec.ID] == "":
			r.problem("company %s has no row", rec.ID)
		case names[rec.ID] != name:
			r.problem("company %s is called %q in HubSpot and %q in Gainsight", rec.ID, name, names[rec.ID])
		default:
			r.Companies++
		}
	})
	for id := range rows {
		if !known[id] {
			r.problem("a row belongs to company %s, which HubSpot never had", id)
		}
	}
	return rows
}

// person is what Gainsight holds of one person.
type person struct {
	gsid, first, last string
	links             map[string]gainsightsim.Row // :: company GSID → Company Person
}

// people reads the persons by e-mail. Two persons of one e-mail are a problem.
func (r *Report) people(g *gainsightsim.Sim) map[string]person {
	byGSID, all := map[string]string{}, map[string]person{}
	for row := range g.Rows("person") {
		email := strings.ToLower(text(row, "Email"))
		if _, twice := all[email]; twice {
			r.problem("an e-mail has two persons: %s", text(row, "Gsid"))
		}
		byGSID[text(row, "Gsid")] = email
		all[email] = person{
			gsid: text(row, "Gsid"), first: text(row, "FirstName"), last: text(row, "LastName"),
			links: map[string]gainsightsim.Row{},
		}
	}
	for row := range g.Rows("company_person") {
		p, ok := all[byGSID[text(row, "Person_ID")]]
		if !ok {
			r.problem("Company Person %s has no person", text(row, "Gsid"))
			continue
		}
		if p.links[text(row, "Company_ID")] != nil {
			r.problem("person %s is at one company twice", p.gsid)
		}
		p.links[text(row, "Company_ID")] = row
	}
	return all
}

// contacts checks that of the live contacts of one e-mail exactly one is the
// person, at its company.
func (r *Report) contacts(p *hubspotsim.Portal, g *gainsightsim.Sim, companies map[string]string) {
	people := r.people(g)
	groups := map[string][]hubspotsim.Record{} // :: e-mail → contacts that could be delivered
	p.Each("contacts", func(rec hubspotsim.Record) {
		if !live(rec) {
			return
		}
		email := strings.ToLower(strings.TrimSpace(value(rec, "email")))
		if email == "" || !strings.Contains(email, "@") || companies[value(rec, "associatedcompanyid")] == "" {
			r.Undeliverable["contact"] = append(r.Undeliverable["contact"], rec.ID)
			return
		}
		groups[email] = append(groups[email], rec)
	})
	for _, email := range slices.Sorted(maps.Keys(groups)) {
		r.group(people[email], groups[email], companies)
	}
}

func (r *Report) group(got person, contacts []hubspotsim.Record, companies map[string]string) {
	if got.gsid == "" {
		r.problem("contact %s has no person", contacts[0].ID)
		return
	}
	holders := 0
	for _, rec := range contacts {
		link := got.links[companies[value(rec, "associatedcompanyid")]]
		if link != nil && text(link, "Hubspot_Contact_ID__gc") == rec.ID {
			holders++
			if got.first != value(rec, "firstname") || got.last != value(rec, "lastname") {
				r.problem("contact %s and its person %s have different names", rec.ID, got.gsid)
			}
			if text(link, "Hubspot_Account_ID__gc") != value(rec, "associatedcompanyid") {
				r.problem("contact %s is linked to another account", rec.ID)
			}
			continue
		}
		r.Undeliverable["contact"] = append(r.Undeliverable["contact"], rec.ID)
	}
	if holders != 1 {
		r.problem("of the contacts with the e-mail of %s, %d are in Gainsight, want 1", contacts[0].ID, holders)
		return
	}
	r.People++
}

// owners checks that each active owner is one user, by the username.
func (r *Report) owners(p *hubspotsim.Portal, g *gainsightsim.Sim) {
	users := map[string][]gainsightsim.Row{}
	for row := range g.Rows("gsuser") {
		name := strings.ToLower(text(row, "SFDCUserName"))
		users[name] = append(users[name], row)
	}
	for _, o := range p.Owners() {
		found := users[strings.ToLower(o.Email)]
		switch {
		case o.Archived, o.Inactive:
		case len(found) == 0:
			r.problem("owner %s has no user", o.ID)
		case len(found) > 1:
			r.Undeliverable["owner"] = append(r.Undeliverable["owner"], o.ID)
		case text(found[0], "FirstName") != o.FirstName || text(found[0], "LastName") != o.LastName:
			r.problem("owner %s and its user have different names", o.ID)
		default:
			r.Users++
		}
	}
}
