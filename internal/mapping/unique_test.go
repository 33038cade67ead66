package mapping_test

import (
	"testing"

	"hubspotconnector/internal/mapping"
)

func TestIdentifiersThatTheSourceKeepsUnique(t *testing.T) {
	none := "none"
	id := mapping.Field{Name: "companyId", Property: "hs_object_id"}
	email := mapping.Field{Name: "email"}
	tests := []struct {
		name   string
		cfg    mapping.Config
		keys   []string
		unique bool
	}{
		{"the record's id", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{id}, Direct: []mapping.Direct{{From: "companyId", To: "A", Identifier: true}}}, nil, true},
		{"the id of an owner", mapping.Config{Source: "owner", Target: "gsuser", Fields: []mapping.Field{{Name: "ownerId"}}, Direct: []mapping.Direct{{From: "ownerId", To: "A", Identifier: true}}}, nil, true},
		{"a property that has the name of an owner's id", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{{Name: "ownerId"}}, Direct: []mapping.Direct{{From: "ownerId", To: "A", Identifier: true}}}, nil, false},
		{"the id together with another field", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{id, {Name: "name"}}, Direct: []mapping.Direct{{From: "name", To: "Name", Identifier: true}, {From: "companyId", To: "A", Identifier: true}}}, nil, true},
		{"the id, which is no identifier", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{id, {Name: "name"}}, Direct: []mapping.Direct{{From: "name", To: "Name", Identifier: true}, {From: "companyId", To: "A"}}}, nil, false},
		{"the id of an associated record", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{{Name: "companyId", Property: "hs_object_id", Association: &mapping.Association{Object: "company"}}}, Direct: []mapping.Direct{{From: "companyId", To: "A", Identifier: true}}}, nil, false},
		{"a formula", mapping.Config{Source: "company", Target: "company", Formulas: []mapping.Formula{{Name: "companyId"}}, Direct: []mapping.Direct{{From: "companyId", To: "A", Identifier: true}}}, nil, false},
		{"a domain", mapping.Config{Source: "company", Target: "company", Fields: []mapping.Field{{Name: "domain"}}, Direct: []mapping.Direct{{From: "domain", To: "A", Identifier: true}}}, nil, false},
		{"a contact's e-mail", mapping.Config{Source: "contact", Target: "company_person", Fields: []mapping.Field{email}, Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}}}, []string{"Email"}, true},
		{"a contact's e-mail with a default", mapping.Config{Source: "contact", Target: "company_person", Fields: []mapping.Field{email}, Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true, Default: &none}}}, []string{"Email"}, false},
		{"a contact's e-mail with a second key", mapping.Config{Source: "contact", Target: "company_person", Fields: []mapping.Field{email}, Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}}}, []string{"Email", "External_ID__gc"}, false},
		{"a second e-mail", mapping.Config{Source: "contact", Target: "company_person", Fields: []mapping.Field{{Name: "email", Property: "work_email"}}, Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}}}, []string{"Email"}, false},
		{"the e-mail of a custom object", mapping.Config{Source: "2-345", Target: "company_person", Fields: []mapping.Field{email}, Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true}}}, []string{"Email"}, false},
		{"an owner's e-mail", mapping.Config{Source: "owner", Target: "gsuser", Fields: []mapping.Field{email}, Direct: []mapping.Direct{{From: "email", To: "SFDCUserName", Identifier: true}}}, nil, false},
	}
	for _, tt := range tests {
		if got := tt.cfg.Unique(tt.keys); got != tt.unique {
			t.Errorf("%s: unique %v, want %v", tt.name, got, tt.unique)
		}
	}
}
