package ootb_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// openSealer hides nothing.
type openSealer struct{}

func (openSealer) Seal(_ context.Context, _ map[string]string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (openSealer) Open(_ context.Context, _ map[string]string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

type world struct {
	*ootb.Creator
	id      string
	schemas map[string]record.Schema
	calls   int
	down    error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	newID := func() string { n++; return fmt.Sprintf("%02d", n) }
	log := &activity.Store{Table: items, NewID: newID, Now: func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }}
	jobs := &job.Store{Table: items, Activity: log, NewID: newID}
	chains := &chain.Store{Table: items, Activity: log, Jobs: jobs, NewID: newID}
	connections := &connection.Store{
		Table: items, Activity: log, Tokens: &token.Store{Table: items, Sealer: openSealer{}}, Jobs: jobs, Chains: chains, NewID: newID,
	}
	c, err := connections.Create(t.Context(), "Acme CRM", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connections.Authorized(t.Context(), c.ID, token.Token{Access: "a", Refresh: "r", PortalID: 90210}, "ann"); err != nil {
		t.Fatal(err)
	}
	w := &world{id: c.ID, schemas: schemas()}
	w.Creator = &ootb.Creator{
		Table: items, Connections: connections, Jobs: jobs, Chains: chains, NewID: newID,
		Schema: func(_ context.Context, object string) (record.Schema, error) {
			w.calls++
			s, ok := w.schemas[object]
			if !ok {
				return s, fault.New(fault.NotFound, "Gainsight has no object %q.", object)
			}
			return s, w.down
		},
	}
	return w
}

func field(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String}
}

// schemas are those of a Gainsight that was prepared.
func schemas() map[string]record.Schema {
	gsid := record.Field{Name: "Gsid", Label: "GSID", Type: record.GSID, ReadOnly: true}
	return map[string]record.Schema{
		"company": {Object: "company", Label: "Company", Fields: []record.Field{gsid, field("Name", "Name"), field("HubSpot_Account_ID_90210__gc", "HubSpot Account ID_90210")}},
		"person": {Object: "person", Label: "Person", Fields: []record.Field{
			gsid, field("Email", "Email"), field("FirstName", "First Name"), field("LastName", "Last Name"), field("Hubspot_Contact_ID__gc", "Hubspot Contact ID"),
		}},
		"company_person": {Object: "company_person", Label: "Company Person", Fields: []record.Field{
			gsid, {Name: "Company_ID", Label: "Company ID", Type: record.GSID}, field("Hubspot_Contact_ID__gc", "Hubspot Contact ID"), field("Hubspot_Account_ID__gc", "Hubspot Account ID"),
		}},
		"gsuser": {Object: "gsuser", Label: "User", Fields: []record.Field{
			gsid, field("FirstName", "First Name"), field("LastName", "Last Name"), field("SFDCUserName", "Username"), field("Email", "Email"), field("HubSpot_User_Id__gc", "HubSpot User Id"),
		}},
	}
}

func (w *world) replace(object, name string, with ...record.Field) {
	s := w.schemas[object]
	var fields []record.Field
	for _, f := range s.Fields {
		if f.Name == name {
			fields = append(fields, with...)
			continue
		}
		fields = append(fields, f)
	}
	s.Fields = fields
	w.schemas[object] = s
}

func (w *world) find(t *testing.T, name string) job.Job {
	t.Helper()
	j, err := w.Jobs.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (w *world) ready(t *testing.T) {
	t.Helper()
	if err := w.Ready(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
}

func TestJobsAndChainAreThoseOfTheProduct(t *testing.T) {
	w := newWorld(t)
	w.ready(t)
	want := map[string]mapping.Config{
		"Company Sync_Acme CRM": {
			Source: "company", Target: "company",
			Fields: []mapping.Field{{Name: "companyId", Label: "companyId", Property: "hs_object_id"}, {Name: "name", Label: "name"}},
			Direct: []mapping.Direct{{From: "companyId", To: "HubSpot_Account_ID_90210__gc", Identifier: true}, {From: "name", To: "Name"}},
		},
		"Company Person Sync_Acme CRM": {
			Source: "contact", Target: "company_person",
			Fields: []mapping.Field{
				{Name: "email", Label: "Email"},
				{Name: "firstname", Label: "First Name"},
				{Name: "lastname", Label: "Last Name"},
				{Name: "vid", Label: "vid", Property: "hs_object_id"},
				{Name: "associatedcompanyid", Label: "Associated Company ID"},
			},
			Direct: []mapping.Direct{
				{From: "email", To: "Person::Email", Identifier: true},
				{From: "firstname", To: "Person::FirstName"},
				{From: "lastname", To: "Person::LastName"},
				{From: "vid", To: "Hubspot_Contact_ID__gc"},
				{From: "associatedcompanyid", To: "Hubspot_Account_ID__gc"},
			},
			Derived: []mapping.Derived{{
				To: "Company_ID", Object: "company", Match: []mapping.Pair{{From: "associatedcompanyid", Field: "HubSpot_Account_ID_90210__gc"}},
				Multiple: "error", None: "reject",
			}},
		},
		"User Sync_Acme CRM": {
			Source: "owner", Target: "gsuser",
			Fields: []mapping.Field{
				{Name: "firstName", Label: "firstName"},
				{Name: "lastName", Label: "lastName"},
				{Name: "email", Label: "email"},
				{Name: "ownerId", Label: "ownerId"},
			},
			Direct: []mapping.Direct{
				{From: "firstName", To: "FirstName"},
				{From: "lastName", To: "LastName"},
				{From: "email", To: "SFDCUserName", Identifier: true},
				{From: "email", To: "Email"},
				{From: "ownerId", To: "HubSpot_User_Id__gc"},
			},
		},
	}
	jobs, err := w.Jobs.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, names := map[string]mapping.Config{}, map[string]string{}
	for _, j := range jobs {
		got[j.Name], names[j.ID] = j.Mapping, j.Name
		if j.Connection != w.id || j.Missing != nil || j.Edited || !strings.HasPrefix(j.Name, j.OOTB+"_") {
			t.Errorf("job %+v", j)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	c, err := w.Chains.Find(t.Context(), "HUBSPOT_Company Person Sync")
	if err != nil || len(c.Jobs) != 2 || names[c.Jobs[0]] != "Company Sync_Acme CRM" || names[c.Jobs[1]] != "Company Person Sync_Acme CRM" || c.OnFailure != chain.Stop {
		t.Errorf("chain %+v, %v", c, err)
	}
	if w.calls != 4 {
		t.Errorf("%d calls, want one per object", w.calls)
	}
}

func TestJobsAreCreatedOnce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.ready(t)
	if err := w.Jobs.Delete(ctx, w.find(t, "User Sync_Acme CRM").ID, "ann"); err != nil {
		t.Fatal(err)
	}
	companies := w.find(t, "Company Sync_Acme CRM")
	companies.Name = "Accounts"
	if _, err := w.Jobs.Save(ctx, companies, "ann"); err != nil {
		t.Fatal(err)
	}
	w.calls = 0
	w.ready(t)
	jobs, err := w.Jobs.List(ctx)
	if err != nil || len(jobs) != 2 || jobs[0].Name != "Accounts" || w.calls != 0 {
		t.Errorf("%v, %v after %d calls", jobs, err, w.calls)
	}
}

func TestNothingIsCreatedWhileTheTargetIsDown(t *testing.T) {
	w := newWorld(t)
	w.down = fault.New(fault.Transient, "Gainsight did not answer.")
	if err := w.Ready(t.Context(), w.id); !fault.Is(err, fault.Transient) {
		t.Errorf("got %v", err)
	}
	if jobs, err := w.Jobs.List(t.Context()); len(jobs) != 0 || err != nil {
		t.Errorf("created %v, %v", jobs, err)
	}
	w.down = nil
	w.ready(t)
	if jobs, _ := w.Jobs.List(t.Context()); len(jobs) != 3 {
		t.Errorf("%d jobs, want 3", len(jobs))
	}
}

// lossy loses the request or the answer of a write.
type lossy struct {
	table.Table
	arrives bool
	left    int
}

func (l *lossy) Write(ctx context.Context, ops []table.Op) error {
	if l.left == 0 {
		return l.Table.Write(ctx, ops)
	}
	l.left--
	if l.arrives {
		if err := l.Table.Write(ctx, ops); err != nil {
			return err
		}
	}
	return fault.New(fault.Transient, "The table did not answer.")
}

func TestLostWriteLeavesAllJobsOrNone(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		t.Run(fmt.Sprintf("arrives %v", arrives), func(t *testing.T) {
			w := newWorld(t)
			w.Table = &lossy{Table: w.Table, arrives: arrives, left: 1}
			if err := w.Ready(t.Context(), w.id); !fault.Is(err, fault.Transient) {
				t.Errorf("got %v", err)
			}
			want := map[bool]int{false: 0, true: 3}[arrives]
			if jobs, _ := w.Jobs.List(t.Context()); len(jobs) != want {
				t.Errorf("%d jobs, want %d", len(jobs), want)
			}
			w.ready(t)
			jobs, _ := w.Jobs.List(t.Context())
			chains, _ := w.Chains.List(t.Context())
			if len(jobs) != 3 || len(chains) != 1 {
				t.Errorf("%d jobs and %d chains, want 3 and 1", len(jobs), len(chains))
			}
		})
	}
}

func TestTargetFieldsAreFoundByLabel(t *testing.T) {
	tests := []struct {
		name   string
		fields []record.Field // instead of Company's account id
		want   string
	}{
		{"custom, with the account's id", []record.Field{field("X__gc", "HubSpot Account ID_90210")}, "X__gc"},
		{"standard, without it", []record.Field{field("HubSpotAccountID", "HubSpot Account ID")}, "HubSpotAccountID"},
		{"other case and spacing", []record.Field{field("X__gc", "Hubspot  account_id 90210")}, "X__gc"},
		{"the account's own before the common one", []record.Field{field("A__gc", "HubSpot Account ID"), field("B__gc", "HubSpot Account ID_90210")}, "B__gc"},
		{"not that of another account", []record.Field{field("A__gc", "HubSpot Account ID_77"), field("B__gc", "HubSpot Account ID")}, "B__gc"},
		{"not one that cannot be written", []record.Field{{Name: "A", Label: "HubSpot Account ID_90210", ReadOnly: true}, field("B__gc", "HubSpot Account ID")}, "B__gc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.replace("company", "HubSpot_Account_ID_90210__gc", tt.fields...)
			w.ready(t)
			if got := w.find(t, "Company Sync_Acme CRM").Mapping.Direct[0].To; got != tt.want {
				t.Errorf("company id goes to %s, want %s", got, tt.want)
			}
			if got := w.find(t, "Company Person Sync_Acme CRM").Mapping.Derived[0].Match[0].Field; got != tt.want {
				t.Errorf("companies are looked up by %s, want %s", got, tt.want)
			}
		})
	}
}

func TestJobWithAMissingFieldIsIncompleteUntilItExists(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	account := field("HubSpot_Account_ID_90210__gc", "HubSpot Account ID_90210")
	w.replace("company", account.Name)
	w.replace("company_person", "Hubspot_Contact_ID__gc")
	w.replace("gsuser", "HubSpot_User_Id__gc")
	w.ready(t)

	missing := []job.Missing{{Object: "Company", Label: "HubSpot Account ID_90210", Type: record.String}}
	companies := w.find(t, "Company Sync_Acme CRM")
	if diff := cmp.Diff(missing, companies.Missing); diff != "" {
		t.Errorf("companies miss (-want +got):\n%s", diff)
	}
	people := w.find(t, "Company Person Sync_Acme CRM")
	if diff := cmp.Diff(append([]job.Missing{{Object: "Company Person", Label: "Hubspot Contact ID", Type: record.String}}, missing...), people.Missing); diff != "" {
		t.Errorf("people miss (-want +got):\n%s", diff)
	}
	if users := w.find(t, "User Sync_Acme CRM"); users.Missing != nil || len(users.Mapping.Direct) != 4 {
		t.Errorf("users: %+v", users)
	}
	if want := `create this field in Gainsight under Data Management: "HubSpot Account ID_90210" (type string) in the object Company.`; !strings.Contains(companies.MissingSentence(), want) {
		t.Errorf("sentence: %s", companies.MissingSentence())
	}

	people.Name = "People" // an admin renames it meanwhile
	if _, err := w.Jobs.Save(ctx, people, "ann"); err != nil {
		t.Fatal(err)
	}
	s := w.schemas["company"]
	s.Fields = append(s.Fields, account)
	w.schemas["company"] = s
	complete := func() {
		t.Helper()
		if err := w.Complete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	complete()
	if companies = w.find(t, "Company Sync_Acme CRM"); companies.Missing != nil || companies.Mapping.Direct[0].To != account.Name {
		t.Errorf("companies: %+v", companies)
	}
	people = w.find(t, "People")
	if len(people.Missing) != 1 || len(people.Mapping.Derived) != 1 {
		t.Errorf("people: %+v", people)
	}
	before := people.Version
	complete() // nothing new
	if people = w.find(t, "People"); people.Version != before {
		t.Errorf("version %d, want %d", people.Version, before)
	}
	w.schemas["company_person"] = schemas()["company_person"]
	complete()
	if people = w.find(t, "People"); people.Missing != nil || len(people.Mapping.Direct) != 5 {
		t.Errorf("people: %+v", people)
	}
	w.calls = 0
	if complete(); w.calls != 0 {
		t.Errorf("%d calls although nothing is incomplete", w.calls)
	}
}

func TestConnectionMustBeAuthorized(t *testing.T) {
	w := newWorld(t)
	w.Connections.Limit = 2
	c, err := w.Connections.Create(t.Context(), "Other", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Ready(t.Context(), c.ID); !fault.Is(err, fault.Reauthorize) {
		t.Errorf("got %v", err)
	}
}
