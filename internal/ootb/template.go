package ootb

import (
	"fmt"
	"strings"
	"unicode"

	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

// The out-of-the-box jobs, without the connection's name, and their chain.
const (
	CompanySync       = "Company Sync"
	CompanyPersonSync = "Company Person Sync"
	UserSync          = "User Sync"
	ChainName         = "HUBSPOT_Company Person Sync"
)

// The target's objects.
const (
	company       = "company"
	person        = "person"
	companyPerson = "company_person"
	user          = "gsuser"
)

// target is a field of the target that a template needs.
type target struct {
	object string
	// name is the field's API name if every Gainsight has it, else "": then it is
	// found by its label.
	name  string
	label string
	// account says that the label may end in the HubSpot account's id, and does
	// if somebody has to create the field.
	account bool
}

// direct is one direct mapping of a template.
type direct struct {
	from       string
	to         target
	identifier bool
	optional   bool // left out, not missed, where the field does not exist
}

// derived is one look-up of a template.
type derived struct {
	to    target
	from  string
	field target // of the object that is looked up
}

// template is what an out-of-the-box job maps.
type template struct {
	name    string
	source  string
	target  string
	fields  []mapping.Field
	direct  []direct
	derived []derived
}

// templates are the jobs of the product's definition, in the order of the chain.
func templates() []template {
	accountID := target{object: company, label: "HubSpot Account ID", account: true}
	return []template{
		{
			name: CompanySync, source: "company", target: company,
			fields: []mapping.Field{
				{Name: "companyId", Label: "companyId", Property: "hs_object_id"},
				{Name: "name", Label: "name"},
			},
			direct: []direct{
				{from: "companyId", to: accountID, identifier: true},
				{from: "name", to: target{object: company, name: "Name", label: "Name"}},
			},
		},
		{
			name: CompanyPersonSync, source: "contact", target: companyPerson,
			fields: []mapping.Field{
				{Name: "email", Label: "Email"},
				{Name: "firstname", Label: "First Name"},
				{Name: "lastname", Label: "Last Name"},
				{Name: "vid", Label: "vid", Property: "hs_object_id"},
				{Name: "associatedcompanyid", Label: "Associated Company ID"},
			},
			direct: []direct{
				{from: "email", to: target{object: person, name: "Email", label: "Email"}, identifier: true},
				{from: "firstname", to: target{object: person, name: "FirstName", label: "First Name"}},
				{from: "lastname", to: target{object: person, name: "LastName", label: "Last Name"}},
				{from: "vid", to: target{object: companyPerson, label: "Hubspot Contact ID", account: true}},
				{from: "associatedcompanyid", to: target{object: companyPerson, label: "Hubspot Account ID", account: true}},
			},
			derived: []derived{
				{to: target{object: companyPerson, name: "Company_ID", label: "Company ID"}, from: "associatedcompanyid", field: accountID},
			},
		},
		{
			name: UserSync, source: "owner", target: user,
			fields: []mapping.Field{
				{Name: "firstName", Label: "firstName"},
				{Name: "lastName", Label: "lastName"},
				{Name: "email", Label: "email"},
				{Name: "ownerId", Label: "ownerId"},
			},
			direct: []direct{
				{from: "firstName", to: target{object: user, name: "FirstName", label: "First Name"}},
				{from: "lastName", to: target{object: user, name: "LastName", label: "Last Name"}},
				{from: "email", to: target{object: user, name: "SFDCUserName", label: "Username"}, identifier: true},
				{from: "email", to: target{object: user, name: "Email", label: "Email"}},
				{from: "ownerId", to: target{object: user, label: "HubSpot User Id"}, optional: true},
			},
		},
	}
}

// build maps a template to the fields that the target has, and tells which it
// misses. schemas :: object → its schema.
func (t template) build(schemas map[string]record.Schema, portal int64) (mapping.Config, []job.Missing) {
	b := builder{schemas: schemas, portal: portal}
	cfg := mapping.Config{Source: t.source, Target: t.target, Fields: t.fields}
	for _, d := range t.direct {
		if to, ok := b.field(d.to, d.optional); ok {
			cfg.Direct = append(cfg.Direct, mapping.Direct{From: d.from, To: to, Identifier: d.identifier})
		}
	}
	for _, d := range t.derived {
		to, hasTo := b.field(d.to, false)
		field, hasField := b.field(d.field, false)
		if hasTo && hasField {
			cfg.Derived = append(cfg.Derived, mapping.Derived{
				To: to, Object: d.field.object, Match: []mapping.Pair{{From: d.from, Field: field}},
				Multiple: mapping.MultipleError, None: mapping.NoneReject,
			})
		}
	}
	return cfg, b.missing
}

type builder struct {
	schemas map[string]record.Schema
	portal  int64
	missing []job.Missing
}

// field returns a field as a mapping writes it, or notes that it is missing.
func (b *builder) field(t target, optional bool) (string, bool) {
	schema := b.schemas[t.object]
	name, ok := find(schema, t, b.portal)
	if ok && t.object == person {
		return mapping.PersonPrefix + name, true
	}
	if ok || optional {
		return name, ok
	}
	object := schema.Label
	if object == "" {
		object = t.object
	}
	label := t.label
	if t.account && t.object == company {
		label = fmt.Sprintf("%s_%d", t.label, b.portal)
	}
	b.missing = append(b.missing, job.Missing{Object: object, Label: label, Type: record.String})
	return "", false
}

// find returns the name of the field in a schema: by API name, else by label,
// where the account's own field wins over one without its id.
func find(s record.Schema, t target, portal int64) (string, bool) {
	if t.name != "" {
		return first(s, func(f record.Field) bool { return strings.EqualFold(f.Name, t.name) })
	}
	labels := []string{plain(t.label)}
	if t.account {
		labels = []string{plain(fmt.Sprintf("%s_%d", t.label, portal)), labels[0]}
	}
	for _, label := range labels {
		if name, ok := first(s, func(f record.Field) bool { return plain(f.Label) == label }); ok {
			return name, true
		}
	}
	return "", false
}

// first returns the first field that can be mapped to and matches.
func first(s record.Schema, matches func(record.Field) bool) (string, bool) {
	for _, f := range s.Fields {
		if !f.ReadOnly && !f.Archived && matches(f) {
			return f.Name, true
		}
	}
	return "", false
}

// plain is the form in which labels are compared: letters and digits alone,
// without case.
func plain(label string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, label)
}
