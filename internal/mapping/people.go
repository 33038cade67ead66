package mapping

import (
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

const (
	// people is the target of a people job: Person and Company Person at once.
	people = "company_person"
	// PersonPrefix marks the fields of the person in a people job.
	PersonPrefix = "Person::"
)

// PeopleSchema is the target schema of a people job: the fields of Person,
// marked with PersonPrefix, and those of Company Person. Person_ID cannot be
// mapped: the target links the two. Without a Company_ID only the person is
// written, so it is not required.
func PeopleSchema(person, companyPerson record.Schema) record.Schema {
	both := companyPerson
	both.Fields = make([]record.Field, 0, len(person.Fields)+len(companyPerson.Fields))
	for _, f := range person.Fields {
		f.Label = "Person :: " + label(f)
		f.Name = PersonPrefix + f.Name
		both.Fields = append(both.Fields, f)
	}
	for _, f := range companyPerson.Fields {
		switch f.Name {
		case "Person_ID":
			f.ReadOnly = true
		case "Company_ID":
			f.Required, f.NotNull = false, false
		}
		both.Fields = append(both.Fields, f)
	}
	return both
}

// filledAnyway reports whether the connector fills a required field of a new row
// that is not mapped: names from first and last name, the licence of users.
func filledAnyway(target, field string) bool {
	switch target {
	case people:
		return field == PersonPrefix+"Name"
	case "gsuser":
		return field == "Name" || field == "LicenseType"
	}
	return false
}

// Associations returns the associations that the dataset needs. An object that
// the catalog does not have is fault.Invalid.
func Associations(cfg Config) ([]record.Association, error) {
	var all []record.Association
	for _, f := range cfg.Fields {
		if f.Association == nil {
			continue
		}
		object, ok := catalog.Find(f.Association.Object)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s", unknownAssociation(f))
		}
		all = append(all, record.Association{As: f.Name, Object: object.TypeID, Label: f.Association.Label})
	}
	return all, nil
}
