package gainsightsim

import (
	"slices"
)

// putPerson upserts a person and its company persons, all or none; associations
// that the call does not name stay [assumed].
func (s *Sim) putPerson(c *call) answer {
	var body map[string]any
	if bad := c.read(&body); bad != nil || body == nil {
		return c.refuse(&refusal{code: "GSOBJ_VCRUDR1001", message: "Row Info cannot be null"})
	}
	persons := s.must("person")
	companies, bad := list(body["companies"])
	if bad != nil {
		return c.refuse(bad)
	}
	delete(body, "companies")
	if email, _ := body["Email"].(string); email == "" { // the code is [assumed]
		return c.refuse(&refusal{code: "GSOBJ_VDTEMAIL1001", message: "Invalid email value", field: "Email"})
	}
	person, bad := s.checkPeople(persons, body)
	if bad != nil {
		return c.refuse(bad)
	}
	person.slots = s.personOf(body)
	links := make([]change, len(companies))
	for i, fields := range companies {
		if links[i], bad = s.checkLink(fields); bad != nil {
			return c.refuse(bad)
		}
	}
	var gsid string
	if len(person.slots) > 0 {
		s.apply(persons, person.slots[0], person)
		gsid = gsidOf(persons.rows[person.slots[0]])
	} else {
		gsid = s.add(persons, person)
	}
	linked := make([]map[string]any, len(links))
	for i, link := range links {
		linked[i] = map[string]any{"Gsid": s.link(gsid, link), "Company_ID": companies[i]["Company_ID"]}
	}
	if s.switches.PeopleReplace {
		s.unlink(gsid, links)
	}
	// The answer's shape is [assumed].
	a := c.ok(map[string]any{"Gsid": gsid, "Email": body["Email"], "companies": linked})
	if s.switches.PeopleSilent {
		a = c.ok(nil)
	}
	a.object, a.committed = persons.name, 1
	s.written["company_person"] += len(links)
	return a
}

// list returns the associations of a person.
func list(v any) ([]map[string]any, *refusal) {
	if v == nil {
		return nil, nil
	}
	wrong := &refusal{code: "GSOBJ_VCRUDR1001", message: "Row Info cannot be null"}
	raw, ok := v.([]any)
	if !ok {
		return nil, wrong
	}
	all := make([]map[string]any, len(raw))
	for i, one := range raw {
		if all[i], ok = one.(map[string]any); !ok {
			return nil, wrong
		}
	}
	return all, nil
}

// personOf returns the slot of the person that a resolution key identifies, the
// first key that does [assumed]. Values are compared without case [assumed].
func (s *Sim) personOf(body map[string]any) []int32 {
	persons := s.must("person")
	for _, key := range s.keys {
		f := persons.byName[key]
		if f == nil || body[key] == nil || body[key] == "" {
			continue
		}
		if slots := persons.match([]*field{f}, body, true); len(slots) > 0 {
			return slots[:1]
		}
	}
	return nil
}

// checkLink checks the fields of one company person.
func (s *Sim) checkLink(fields map[string]any) (change, *refusal) {
	company, _ := fields["Company_ID"].(string)
	if _, _, ok := s.must("company").row(company); !ok {
		return change{}, &refusal{code: "GSOBJ_PEOPLE1001", message: "People entities do not exist"}
	}
	if _, given := fields["Person_ID"]; given { // the call says whose they are [assumed]
		return change{}, &refusal{code: "GSOBJ_VCRUDR1002", message: "Fields do not exist in object"}
	}
	return s.checkPeople(s.must("company_person"), fields)
}

// link upserts the company person of a person and a company, and returns its
// GSID.
func (s *Sim) link(person string, ch change) string {
	o := s.must("company_person")
	personID, companyID := o.byName["Person_ID"], o.byName["Company_ID"]
	ch.cells = append(ch.cells, cell{personID.num, textValue(person)})
	company := cells(ch.cells).get(companyID.num)
	for _, slot := range o.find(personID.num, false, textValue(person)) {
		if valueOf(o.rows[slot], companyID.num) == company {
			s.apply(o, slot, ch)
			return gsidOf(o.rows[slot])
		}
	}
	return s.add(o, ch)
}

// unlink removes the company persons of a person that are not among the links.
func (s *Sim) unlink(person string, links []change) {
	o := s.must("company_person")
	company := o.byName["Company_ID"].num
	for _, slot := range o.find(o.byName["Person_ID"].num, false, textValue(person)) {
		at := valueOf(o.rows[slot], company)
		if !slices.ContainsFunc(links, func(ch change) bool { return cells(ch.cells).get(company) == at }) {
			o.remove(slot)
		}
	}
}

// checkPeople checks fields under the codes of the People API: the first that is
// wrong refuses the call.
func (s *Sim) checkPeople(o *object, fields map[string]any) (change, *refusal) {
	ch, wrong := s.check(o, fields)
	if len(wrong) == 0 {
		return ch, nil
	}
	bad := *wrong[0]
	f := o.byName[bad.field]
	if f == nil || f.ReadOnly {
		bad.code, bad.message, bad.form = "GSOBJ_VCRUDR1002", "Fields do not exist in object", ""
		return ch, &bad
	}
	i := slices.IndexFunc(peopleCodes, func(p peopleCode) bool { return slices.Contains(p.types, f.DataType) })
	bad.code, bad.message, bad.form = peopleCodes[i].code, peopleCodes[i].message, withValue
	return ch, &bad
}

type peopleCode struct {
	code, message string
	types         []string
}

// peopleCodes covers every data type; the codes of look-ups and texts that are
// too long are [assumed].
var peopleCodes = []peopleCode{ //nolint:gochecknoglobals // a table that never varies
	{"GSOBJ_VDTBOOL1001", "Invalid boolean value", []string{"BOOLEAN"}},
	{"GSOBJ_VDTBSTR1001", "Invalid string value", []string{"STRING", "RICHTEXTAREA"}},
	{"GSOBJ_VDTDATIME1001", "Invalid datetime value", []string{"DATE", "DATETIME"}},
	{"GSOBJ_VDTEMAIL1001", "Invalid email value", []string{"EMAIL"}},
	{"GSOBJ_VDTGSID1001", "Invalid gsid value", []string{"GSID", "LOOKUP"}},
	{"GSOBJ_VDTPERCENT1001", "Invalid percentage value", []string{"PERCENTAGE"}},
	{"GSOBJ_VDTURL1001", "Invalid URL value", []string{"URL"}},
	{"GSOBJ_VDTNUM1001", "Invalid number value", []string{"NUMBER"}},
	{"GSOBJ_VDTCURREN1001", "Invalid currency value", []string{"CURRENCY"}},
	{"GSOBJ_VDTSFDCID1001", "SFDCID must be alphanumeric 15 or 18 characters", []string{"SFDCID"}},
	{"GSOBJ_VDTPKLST1002", "Dropdownlist item not found", []string{"PICKLIST", "MULTISELECTDROPDOWNLIST"}},
}
