package mapping_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

func contacts() record.Schema {
	return record.Schema{Object: "0-1", Label: "Contact", Fields: []record.Field{
		field("email", "Email", record.String), field("firstname", "First Name", record.String), field("lastname", "Last Name", record.String),
		field("hs_object_id", "Record ID", record.Number), field("extid", "External ID", record.String),
	}}
}

func peopleTarget() record.Schema {
	must := func(f record.Field) record.Field {
		f.Required, f.NotNull = true, true
		return f
	}
	company := field("Company_ID", "Company ID", record.GSID)
	company.Lookup = "company"
	return mapping.PeopleSchema(
		record.Schema{Object: "person", Label: "Person", Fields: []record.Field{
			must(field("Name", "Name", record.String)), must(field("Email", "Email", record.Email)), field("FirstName", "First Name", record.String),
			field("LastName", "", record.String), field("ExternalID", "External ID", record.String),
		}},
		record.Schema{Object: "company_person", Label: "Company Person", Fields: []record.Field{
			must(field("Person_ID", "Person ID", record.GSID)), must(company), field("Hubspot_Contact_ID__gc", "Hubspot Contact ID", record.String),
		}},
	)
}

func contactConfig() mapping.Config {
	d := byCompany()
	d.To = "Company_ID"
	return mapping.Config{
		Source: "contact", Target: "company_person",
		Fields: []mapping.Field{
			{Name: "email"},
			{Name: "firstname"},
			{Name: "lastname"},
			{Name: "vid", Property: "hs_object_id"},
			{Name: "extid"},
			{Name: "company", Label: "Associated Company ID", Association: &mapping.Association{Object: "company"}},
		},
		Direct: []mapping.Direct{
			{From: "email", To: "Person::Email", Identifier: true},
			{From: "firstname", To: "Person::FirstName"},
			{From: "lastname", To: "Person::LastName"},
			{From: "vid", To: "Hubspot_Contact_ID__gc"},
		},
		Derived: []mapping.Derived{d},
	}
}

func compilePeople(cfg mapping.Config, keys ...string) (*mapping.Program, error) {
	o := dealOptions()
	o.ResolutionKeys = keys
	return mapping.Compile(cfg, contacts(), peopleTarget(), o)
}

func TestPeopleSchemaHoldsBothObjects(t *testing.T) {
	var got []string
	for _, f := range peopleTarget().Fields {
		flags := ""
		if f.Required {
			flags += " required"
		}
		if f.ReadOnly {
			flags += " read-only"
		}
		got = append(got, f.Name+" "+f.Label+flags)
	}
	want := []string{
		"Person::Name Person :: Name required", "Person::Email Person :: Email required", "Person::FirstName Person :: First Name",
		"Person::LastName Person :: LastName", "Person::ExternalID Person :: External ID",
		"Person_ID Person ID required read-only", "Company_ID Company ID", "Hubspot_Contact_ID__gc Hubspot Contact ID",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := peopleTarget(); s.Object != "company_person" || s.Label != "Company Person" {
		t.Errorf("got %s %s", s.Object, s.Label)
	}
}

func TestResolutionKeysAreTheIdentifiers(t *testing.T) {
	external := mapping.Direct{From: "extid", To: "Person::ExternalID", Identifier: true}
	tests := []struct {
		name   string
		keys   []string
		change func(*mapping.Config)
		want   []string
	}{
		{"the default is Email", nil, func(*mapping.Config) {}, nil},
		{"several", []string{"Email", "ExternalID"}, func(c *mapping.Config) { c.Direct = append(c.Direct, external) }, nil},
		{"a key that is not mapped", []string{"Email", "ExternalID"}, func(*mapping.Config) {}, []string{`direct: Gainsight tells people apart by Email and ExternalID: map a field to "Person::ExternalID" and include it in the identifiers.`}},
		{"a key that is unticked", nil, func(c *mapping.Config) { c.Direct[0].Identifier = false }, []string{`direct[0].identifier: Gainsight tells people apart by Email: include "Person::Email" in the identifiers.`}},
		{"another identifier of the person", nil, func(c *mapping.Config) { c.Direct = append(c.Direct, external) }, []string{`direct[4].identifier: "Person :: External ID" cannot be an identifier, because Gainsight tells people apart by Email: untick it.`}},
		{"another identifier of the company person", nil, func(c *mapping.Config) { c.Direct[3].Identifier = true }, []string{`direct[3].identifier: "Hubspot Contact ID" cannot be an identifier, because Gainsight tells people apart by Email: untick it.`}},
		{"a link that Gainsight makes itself", nil, func(c *mapping.Config) {
			c.Direct = append(c.Direct, mapping.Direct{From: "extid", To: "Person_ID"})
		}, []string{`direct[4].to: "Person ID" of Company Person is filled by Gainsight itself: choose another field.`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := contactConfig()
			tt.change(&cfg)
			_, err := compilePeople(cfg, tt.keys...)
			if diff := cmp.Diff(tt.want, lines(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAContactNeedsOneKey(t *testing.T) {
	cfg := contactConfig()
	cfg.Direct = append(cfg.Direct, mapping.Direct{From: "extid", To: "Person::ExternalID", Identifier: true})
	contact := func(email, extid string) record.Record {
		return record.Record{ID: "501", Values: map[string]*string{"email": &email, "extid": &extid, "company": text("81001")}}
	}
	schema := peopleTarget() // a portal where Email is not required
	i := slices.IndexFunc(schema.Fields, func(f record.Field) bool { return f.Name == "Person::Email" })
	schema.Fields[i].Required, schema.Fields[i].NotNull = false, false
	o := dealOptions()
	o.ResolutionKeys = []string{"Email", "ExternalID"}
	program, err := mapping.Compile(cfg, contacts(), schema, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []record.Record{contact("ann@acme.example", ""), contact("", "E1")} {
		if _, reject := program.Apply(r, now, found("C")); reject != nil {
			t.Errorf("one key is enough: %s", reject.Reason)
		}
	}
	_, reject := program.Apply(contact(" ", ""), now, found("C"))
	if reject == nil || reject.Code != record.MissingIdentifier || reject.Field != "Person::Email" || reject.Reason != `"Email" and "External ID" are empty, so the person cannot be told apart.` {
		t.Errorf("without a key: %+v", reject)
	}
}

func TestAContactIsRejectedOnceForTheFirstReason(t *testing.T) {
	program, err := compilePeople(contactConfig())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		values map[string]*string
		code   record.Code
		field  string
	}{
		{"no e-mail and no company", map[string]*string{"email": nil, "company": nil}, record.MissingIdentifier, "Person::Email"},
		{"a bad e-mail", map[string]*string{"email": text("ann at acme"), "company": text("81001")}, record.BadValue, "Person::Email"},
		{"no company", map[string]*string{"email": text("ann@acme.example"), "company": nil}, record.NoMatch, "Company_ID"},
	}
	for _, tt := range tests {
		_, reject := program.Apply(record.Record{ID: "501", Values: tt.values}, now, found())
		if reject == nil || reject.Code != tt.code || reject.Field != tt.field {
			t.Errorf("%s: %+v", tt.name, reject)
		}
	}
}

func TestRequiredFieldsThatTheConnectorFillsNeedNoMapping(t *testing.T) {
	must := func(name string, typ record.Type) record.Field {
		return record.Field{Name: name, Label: name, Type: typ, Required: true}
	}
	users := record.Schema{Object: "gsuser", Label: "User", Fields: []record.Field{
		must("SFDCUserName", record.String), must("Email", record.Email), must("Name", record.String), must("LicenseType", record.String),
	}}
	cfg := mapping.Config{
		Source: "owner", Target: "gsuser", Fields: []mapping.Field{{Name: "email"}},
		Direct: []mapping.Direct{{From: "email", To: "SFDCUserName", Identifier: true}},
	}
	_, err := mapping.Compile(cfg, contacts(), users, mapping.Options{})
	if got := lines(err); len(got) != 1 || !strings.HasPrefix(got[0], `direct: Gainsight requires "Email" in User`) {
		t.Errorf("got %q", got)
	}
}
