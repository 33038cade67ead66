package gainsightsim

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Row is a row as people see it: field name → value, without null fields.
// Picklists are labels (of several items joined with ";"), numbers are float64,
// a DATE is "2006-01-02", a DATETIME RFC 3339 in UTC.
type Row map[string]any

// Insert adds a row without a call and without the checks of one: required
// fields may be missing, and two users may share a username. Values may be
// string, any int or float, bool, time.Time, or nil; a value for Gsid is
// taken.
// It panics if a field does not exist, a value does not fit its type, or there
// is a row of that GSID.
func (s *Sim) Insert(object string, values map[string]any) (gsid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	if gsid, _ := values["Gsid"].(string); gsid != "" {
		if _, _, ok := o.row(gsid); ok {
			panic("gainsightsim: there is a row " + gsid)
		}
	}
	return s.add(o, s.direct(o, values))
}

// Set changes fields of a row, but its Gsid, without a call, under the rules of
// Insert. It reports whether there is such a row.
func (s *Sim) Set(object, gsid string, values map[string]any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	_, slot, ok := o.row(gsid)
	if ok {
		s.apply(o, slot, s.direct(o, values))
	}
	return ok
}

func (s *Sim) direct(o *object, values map[string]any) change {
	var ch change
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f := o.byName[name]
		if f == nil {
			panic(fmt.Sprintf("gainsightsim: object %s has no field %s", o.name, name))
		}
		free := *f
		free.Nillable, free.Length = true, math.MaxInt
		v, bad := s.convert(&free, fromGo(values[name]))
		if bad != nil {
			panic(fmt.Sprintf("gainsightsim: set %s.%s: %s", o.name, name, bad.desc()))
		}
		ch.cells = append(ch.cells, cell{f.num, v})
	}
	return ch
}

// fromGo returns a value as JSON would hold it.
func fromGo(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case float32:
		return float64(v)
	case time.Time:
		return float64(v.UnixMilli())
	}
	return v
}

// Delete removes a row without a call, and reports whether there was one.
func (s *Sim) Delete(object, gsid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	_, slot, ok := o.row(gsid)
	if ok {
		o.remove(slot)
	}
	return ok
}

// Rows returns the rows that object has now, in the order of their making.
func (s *Sim) Rows(object string) iter.Seq[Row] {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	rows, fields := slices.Clone(o.rows), slices.Clone(o.fields)
	return func(yield func(Row) bool) {
		for _, row := range rows {
			if row != "" && !yield(shown(row, fields)) {
				return
			}
		}
	}
}

// Row returns one row.
func (s *Sim) Row(object, gsid string) (Row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	row, _, ok := o.row(gsid)
	if !ok {
		return nil, false
	}
	return shown(row, o.fields), true
}

func shown(row string, fields []*field) Row {
	all := decode(row)
	r := make(Row, len(all))
	for _, one := range all {
		f := fields[one.num]
		v := plain(f, one.v)
		if f.group != "" {
			items := strings.Split(one.v.s, ";")
			for i, item := range items {
				if k := slices.Index(f.items, item); k >= 0 {
					items[i] = f.Options[k]
				}
			}
			v = strings.Join(items, ";")
		}
		r[f.Name] = v
	}
	return r
}

// Count returns how many rows object has.
func (s *Sim) Count(object string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.must(object).count
}

// Existing is what an organisation holds before anything is synced.
type Existing struct {
	// PortalID is the HubSpot account of the companies' ids. Its fields are added
	// as Prepare does.
	PortalID  int64
	Companies []ExistingCompany
	Users     []ExistingUser
	Persons   []ExistingPerson
	// Unrelated is how many further companies, users and persons each are added
	// that belong to nothing in HubSpot.
	Unrelated int
}

// ExistingCompany is a company; with an empty HubSpotID it was never linked.
type ExistingCompany struct{ HubSpotID, Name string }

// ExistingUser is a user whose username and email are Email. Twice adds a
// second user of the same username and email.
type ExistingUser struct {
	Email, FirstName, LastName string
	Twice                      bool
}

// ExistingPerson is a person without a company.
type ExistingPerson struct{ Email, FirstName, LastName string }

// SeedExisting adds rows that were there before the first sync, under the rules
// of Insert.
func (s *Sim) SeedExisting(e Existing) {
	s.Prepare(e.PortalID)
	for i := range e.Unrelated {
		n := i + 1
		e.Companies = append(e.Companies, ExistingCompany{Name: fmt.Sprintf("Harbour Trading %d", n)})
		e.Users = append(e.Users, ExistingUser{Email: fmt.Sprintf("user%d@staff.example", n), FirstName: "User", LastName: fmt.Sprint(n)})
		e.Persons = append(e.Persons, ExistingPerson{fmt.Sprintf("person%d@elsewhere.example", n), "Person", fmt.Sprint(n)})
	}
	for _, c := range e.Companies {
		row := map[string]any{"Name": c.Name}
		if c.HubSpotID != "" {
			row[accountField(e.PortalID)] = c.HubSpotID
		}
		s.Insert("company", row)
	}
	for _, u := range e.Users {
		row := map[string]any{
			"Name": strings.TrimSpace(u.FirstName + " " + u.LastName), "FirstName": u.FirstName, "LastName": u.LastName,
			"Email": u.Email, "SFDCUserName": u.Email, "LicenseType": "Full", "IsActiveUser": true,
		}
		s.Insert("gsuser", row)
		if u.Twice {
			s.Insert("gsuser", row)
		}
	}
	for _, p := range e.Persons {
		s.Insert("person", map[string]any{
			"Name": strings.TrimSpace(p.FirstName + " " + p.LastName), "FirstName": p.FirstName, "LastName": p.LastName, "Email": p.Email,
		})
	}
}
