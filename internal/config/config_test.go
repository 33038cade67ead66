package config_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/config"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// openSealer hides nothing.
type openSealer struct{}

func (openSealer) Seal(_ context.Context, _ map[string]string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (openSealer) Open(_ context.Context, _ map[string]string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// counting counts writes, and loses the answer of one.
type counting struct {
	table.Table
	writes int
	lose   int // the number of the write whose answer is lost; 0 = none
}

func (c *counting) Write(ctx context.Context, ops []table.Op) error {
	c.writes++
	if err := c.Table.Write(ctx, ops); err != nil {
		return err
	}
	if c.writes == c.lose {
		return fault.New(fault.Transient, "The table did not answer.")
	}
	return nil
}

type world struct {
	*config.Files
	table *counting
	conn  connection.Connection
	log   *activity.Store
}

// newWorld is a deployment with an authorized connection.
func newWorld(t *testing.T, name string, portal int64) *world {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	n := 0
	newID := func() string { n++; return fmt.Sprintf("%s-%03d", name, n) }
	w := &world{table: &counting{Table: items}}
	w.log = &activity.Store{Table: items, NewID: newID, Now: func() time.Time { return start }}
	jobs := &job.Store{Table: items, Activity: w.log, NewID: newID}
	chains := &chain.Store{Table: items, Activity: w.log, Jobs: jobs, NewID: newID}
	w.Files = &config.Files{
		Table: w.table, Jobs: jobs, Chains: chains, Schedules: &schedule.Store{Table: items, Activity: w.log},
		People: &person.Store{Table: items, Activity: w.log, Jobs: jobs},
		Connections: &connection.Store{
			Table: items, Activity: w.log, Tokens: &token.Store{Table: items, Sealer: openSealer{}}, Jobs: jobs, Chains: chains, NewID: newID,
		},
	}
	if w.conn, err = w.Connections.Create(t.Context(), name, "ann"); err != nil {
		t.Fatal(err)
	}
	if portal != 0 {
		if w.conn, err = w.Connections.Authorized(t.Context(), w.conn.ID, token.Token{Access: "a", Refresh: "r", PortalID: portal}, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) apply(t *testing.T, text string) []string {
	t.Helper()
	changes, err := w.Apply(t.Context(), []byte(text), "bob")
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return lines(changes)
}

func lines(changes []config.Change) []string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %q", c.Type, c.What, c.Name))
		for _, l := range c.Lines {
			lines = append(lines, "  "+l)
		}
	}
	return lines
}

func (w *world) export(t *testing.T) string {
	t.Helper()
	doc, err := w.Export(t.Context())
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	return string(doc)
}

const twoJobs = `version: 1
personResolutionKey:
  - Email
jobs:
  - name: Companies_${connection}
    mapping:
      source: company
      target: company
      fields:
        - name: companyId
          property: hs_object_id
        - name: name
      direct:
        - from: companyId
          to: HubSpot_Account_ID_${portal}__gc
          identifier: true
        - from: name
          to: Name
    schedule:
      enabled: true
      kind: daily
      at: "06:30"
      zone: Europe/Berlin
  - name: People
    mapping:
      source: contact
      target: company_person
      fields:
        - name: email
        - name: owner
          association:
            object: owner
      filter:
        conditions:
          - field: email
            op: in
            value: ["1", "true", "06:30"]
        expression: A
      cases:
        - name: kind
          type: string
          when:
            - if:
                conditions:
                  - field: email
                    op: isNull
              then:
                text: ""
          default:
            field: email
      direct:
        - from: email
          to: Person::Email
          identifier: true
          default: ""
      derived:
        - to: Company_ID
          object: company
          match:
            - from: owner
              field: HubSpot_Account_ID_${portal}__gc
          multiple: error
          none: reject
    options:
      deactivateLeavers: true
chains:
  - name: All
    jobs:
      - Companies_${connection}
      - People
    onFailure: continue
    schedule:
      enabled: false
      kind: weekly
      days:
        - monday
      at: "00:00"
      zone: UTC
`

// body is an export without its comment.
func body(doc string) string {
	for strings.HasPrefix(doc, "#") {
		_, doc, _ = strings.Cut(doc, "\n")
	}
	return doc
}

func TestFileIsAppliedAndExportedAsItWas(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	want := []string{
		`created job "Companies_HS"`, `created schedule "Companies_HS"`, `created job "People"`, `created chain "All"`, `created schedule "All"`,
	}
	if diff := cmp.Diff(want, w.apply(t, twoJobs)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if w.table.writes != 1 {
		t.Errorf("%d writes, want 1", w.table.writes)
	}
	j, err := w.Jobs.Find(t.Context(), "Companies_HS")
	if err != nil || j.Mapping.Direct[0].To != "HubSpot_Account_ID_90210__gc" || j.Connection != w.conn.ID {
		t.Errorf("stored %+v, %v", j, err)
	}
	people, err := w.Jobs.Find(t.Context(), "People")
	empty := ""
	wantPeople := mapping.Config{
		Source: "contact", Target: "company_person",
		Fields: []mapping.Field{{Name: "email"}, {Name: "owner", Association: &mapping.Association{Object: "owner"}}},
		Filter: condition.Filter{Conditions: []condition.Condition{{Field: "email", Op: "in", Value: []string{"1", "true", "06:30"}}}, Expression: "A"},
		Cases: []mapping.Case{{
			Name: "kind", Type: "string", Default: mapping.Value{Field: "email"},
			When: []mapping.When{{If: condition.Filter{Conditions: []condition.Condition{{Field: "email", Op: "isNull"}}}, Then: mapping.Value{Text: &empty}}},
		}},
		Direct: []mapping.Direct{{From: "email", To: "Person::Email", Identifier: true, Default: &empty}},
		Derived: []mapping.Derived{{
			To: "Company_ID", Object: "company", Multiple: "error", None: "reject",
			Match: []mapping.Pair{{From: "owner", Field: "HubSpot_Account_ID_90210__gc"}},
		}},
	}
	if diff := cmp.Diff(wantPeople, people.Mapping); diff != "" || err != nil || !people.Options.DeactivateLeavers {
		t.Errorf("people: %v (-want +got):\n%s", err, diff)
	}
	exported := w.export(t)
	if diff := cmp.Diff(strings.ReplaceAll(twoJobs, `value: ["1", "true", "06:30"]`, "value:\n              - \"1\"\n              - \"true\"\n              - \"06:30\""), body(exported)); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	w.table.writes = 0
	if changes := w.apply(t, exported); len(changes) != 0 || w.table.writes != 0 {
		t.Errorf("applied again: %v with %d writes", changes, w.table.writes)
	}
}

func TestFileFitsAnotherDeployment(t *testing.T) {
	from, to := newWorld(t, "Sandbox", 90210), newWorld(t, "Production CRM", 77)
	from.apply(t, twoJobs)
	file := from.export(t)
	if strings.Contains(file, "90210") || strings.Contains(file, "Sandbox") {
		t.Errorf("the file names its account:\n%s", file)
	}
	to.apply(t, file)
	j, err := to.Jobs.Find(t.Context(), "Companies_Production CRM")
	if err != nil || j.Mapping.Direct[0].To != "HubSpot_Account_ID_77__gc" {
		t.Errorf("stored %+v, %v", j, err)
	}
	if diff := cmp.Diff(file, to.export(t)); diff != "" {
		t.Errorf("export there (-from +to):\n%s", diff)
	}
}

func TestDiffTellsWhatApplyWouldChange(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	w.apply(t, twoJobs)
	edited := strings.NewReplacer(
		"to: Name\n", "to: Name\n          whenEmpty: keep\n",
		"onFailure: continue", "onFailure: stop",
		"at: \"00:00\"", "at: \"01:00\"",
		"      - Companies_${connection}\n      - People", "      - People\n      - Companies_${connection}",
	).Replace(twoJobs)
	a, b := strings.Index(edited, "    schedule:"), strings.Index(edited, "  - name: People")
	edited = edited[:a] + edited[b:]
	want := []string{
		`edited job "Companies_HS"`, `  mapping.direct[1].whenEmpty: + "keep"`,
		`deleted schedule "Companies_HS"`,
		`edited chain "All"`, `  jobs[0]: "companies_hs" → "people"`, `  jobs[1]: "people" → "companies_hs"`, `  onFailure: "continue" → "stop"`,
		`edited schedule "All"`, `  at: "00:00" → "01:00"`,
	}
	w.table.writes = 0
	changes, err := w.Diff(t.Context(), []byte(edited))
	if diff := cmp.Diff(want, lines(changes)); diff != "" || err != nil || w.table.writes != 0 {
		t.Errorf("Diff: %v, %d writes (-want +got):\n%s", err, w.table.writes, diff)
	}
	if diff := cmp.Diff(want, w.apply(t, edited)); diff != "" {
		t.Errorf("Apply (-want +got):\n%s", diff)
	}
	if changes := w.apply(t, edited); len(changes) != 0 {
		t.Errorf("again: %v", changes)
	}
}

func TestWhatAFileDoesNotNameStays(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	w.apply(t, twoJobs)
	before := w.export(t)
	if changes := w.apply(t, "version: 1\n"); len(changes) != 0 || w.export(t) != before {
		t.Errorf("an empty file changed %v", changes)
	}
	chains := "version: 1\nchains:\n  - name: Second\n    jobs: [people]\n"
	if diff := cmp.Diff([]string{`created chain "Second"`}, w.apply(t, chains)); diff != "" {
		t.Errorf("a chain of a stored job (-want +got):\n%s", diff)
	}
}

// TestEveryProblemIsToldWithItsLine edits one line of a good file.
func TestEveryProblemIsToldWithItsLine(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           []string
	}{
		{"no YAML", "version: 1", "version: [", []string{"This is not valid YAML"}},
		{"a tab", "    mapping:\n      source: contact", "\tmapping:\n      source: contact", []string{"This is not valid YAML"}},
		{"two documents", "chains:", "---\nchains:", []string{"one YAML document"}},
		{"nothing", twoJobs, "", []string{"one YAML document"}},
		{"not an object", twoJobs, "- 1\n", []string{"the file must hold names with values."}},
		{"no version", "version: 1\n", "", []string{`start it with "version: 1"`}},
		{"a later version", "version: 1", "version: 2", []string{"Line 1: The version of the form is 2"}},
		{"an unknown key", "      target: company\n", "      target: company\n      targets: company\n", []string{`Line 9: "targets" is not known in jobs[0].mapping: use source, target, fields`}},
		{"a key of another case", "enabled: true", "Enabled: true", []string{`Line 20: "Enabled" is not known`}},
		{"a version that is not the file's", "zone: UTC", "zone: UTC\n      Version: 3", []string{`"Version" is not known`}},
		{"a key twice", "      target: company\n", "      target: company\n      target: person\n", []string{"Line 9: This is not valid YAML"}},
		{"a text for a list", "      fields:\n        - name: email\n        - name: owner\n          association:\n            object: owner\n", "      fields: email\n", []string{"Line 28: jobs[1].mapping.fields must be a list."}},
		{"a list for a text", "      source: contact", "      source: [contact]", []string{"jobs[1].mapping.source must be a text."}},
		{"a text for true", "identifier: true", "identifier: yes", []string{"Line 16: jobs[0].mapping.direct[0].identifier must be true or false."}},
		{"nothing for a text", "source: contact", "source:", []string{"jobs[1].mapping.source must be a text."}},
		{"an alias", "source: contact", "source: *x", []string{"Line "}},
		{"an unknown placeholder", "to: Name", "to: ${company}", []string{`Line 18: "${company}" holds "${company}": only`}},
		{"a lone dollar sign", "name: All", "name: All$", []string{`only ${connection} and ${portal} are known`}},
		{"no name", "name: People", `name: ""`, []string{"Give the job a name."}},
		{"a job twice", "name: People", "name: companies_HS", []string{`The job "companies_HS" stands in the file twice, first in line 5.`, `There is no job "People", neither in the file nor stored.`}},
		{"a chain without jobs", "    jobs:\n      - Companies_${connection}\n      - People\n", "    jobs: []\n", []string{`The chain "All" has no job`}},
		{"a chain with a job twice", "      - People\n", "      - Companies_HS\n", []string{`has one job twice`}},
		{"a chain with an unknown policy", "onFailure: continue", "onFailure: panic", []string{`not "panic"`}},
		{"wrong schedules", `at: "06:30"`, `at: "6"`, []string{`Line 22: The start time "6" is not a time of day`}},
		{"a wrong key", "  - Email\n", "  - Email\n  - Email\n", []string{"Line 2: The person resolution key Email is listed twice."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "HS", 90210)
			if !strings.Contains(twoJobs, tt.old) {
				t.Fatalf("the file has no %q", tt.old)
			}
			_, err := w.Apply(t.Context(), []byte(strings.Replace(twoJobs, tt.old, tt.new, 1)), "bob")
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(fault.MessageOf(err), want) {
					t.Errorf("got  %s\nwant %s", fault.MessageOf(err), want)
				}
			}
			if jobs, _ := w.Jobs.List(t.Context()); len(jobs) != 0 || w.table.writes != 0 {
				t.Errorf("stored %d jobs", len(jobs))
			}
		})
	}
}

func TestAllProblemsAreToldAtOnceByLine(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	w.Check = func(_ context.Context, j job.Job, keys []string) error {
		if j.Name != "People" {
			return nil
		}
		return mapping.Problems{{Path: "direct[0].to", Message: "Person has no field " + keys[0] + "."}, {Path: "cases[0].type", Message: "Wrong type."}}
	}
	text := strings.NewReplacer(`at: "06:30"`, `at: "6"`, "zone: UTC", "zone: Mars", "onFailure: continue", "onFailure: panic").Replace(twoJobs)
	_, err := w.Apply(t.Context(), []byte(text), "bob")
	problems, _ := errors.AsType[config.Problems](err)
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d %s", p.Line, p.Path))
	}
	want := []string{"22 jobs[0].schedule.at", "41 jobs[1].mapping.cases[0].type", "53 jobs[1].mapping.direct[0].to", "67 chains[0]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems: %v (-want +got):\n%s", err, diff)
	}
}

func TestVendorThatIsDownIsNoProblemOfTheFile(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	w.Check = func(context.Context, job.Job, []string) error {
		return fault.New(fault.Transient, "Gainsight did not answer.")
	}
	if _, err := w.Apply(t.Context(), []byte(twoJobs), "bob"); !fault.Is(err, fault.Transient) || w.table.writes != 0 {
		t.Errorf("got %v", err)
	}
}

func TestFileNeedsAConnectionAndForItsAccountAnAuthorization(t *testing.T) {
	w := newWorld(t, "HS", 0)
	if _, err := w.Apply(t.Context(), []byte(twoJobs), "bob"); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), `Line 15: "HubSpot_Account_ID_${portal}__gc" needs the HubSpot account`) {
		t.Errorf("without an account: %v", err)
	}
	if err := w.Connections.Delete(t.Context(), w.conn.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		func() error { _, err := w.Export(t.Context()); return err }(),
		func() error { _, err := w.Apply(t.Context(), []byte(twoJobs), "bob"); return err }(),
	} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), "There is no connection yet.") {
			t.Errorf("without a connection: %v", err)
		}
	}
}

func TestChangedKeyReachesJobsInsideAndOutsideTheFile(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	w.apply(t, twoJobs)
	outside := "version: 1\npersonResolutionKey: [Ext]\n"
	if _, err := w.Apply(t.Context(), []byte(outside), "bob"); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), `Line 2: The job "People" does not map Ext of Person`) {
		t.Errorf("got %v", err)
	}
	var checked []string
	w.Check = func(_ context.Context, j job.Job, keys []string) error {
		checked = append(checked, j.Name+" "+strings.Join(keys, ","))
		return nil
	}
	both := strings.NewReplacer("  - Email\n", "  - Ext\n",
		"          identifier: true\n          default: \"\"\n", "        - from: owner\n          to: Person::Ext\n          identifier: true\n").Replace(twoJobs)
	want := []string{
		`edited setting "Person resolution key"`, `  [0]: "Email" → "Ext"`,
		`edited job "People"`, `  mapping.direct[0].default: - ""`, `  mapping.direct[0].identifier: - true`,
		`  mapping.direct[1].from: + "owner"`, `  mapping.direct[1].identifier: + true`, `  mapping.direct[1].to: + "Person::Ext"`,
	}
	if diff := cmp.Diff(want, w.apply(t, both)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"People Ext"}, checked); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
	back := "version: 1\npersonResolutionKey: [Email]\n"
	w.apply(t, back)
	j, err := w.Jobs.Find(t.Context(), "People")
	if err != nil || !j.Mapping.Direct[0].Identifier || j.Mapping.Direct[1].Identifier {
		t.Errorf("the job outside the file: %+v, %v", j.Mapping.Direct, err)
	}
}

func TestManyJobsAreAppliedInSoundSteps(t *testing.T) {
	var text strings.Builder
	text.WriteString("version: 1\njobs:\n")
	for i := range 70 {
		fmt.Fprintf(&text, "  - {name: Job %02d, mapping: {source: deal, target: d__gc, fields: [{name: a}], direct: [{from: a, to: A}]}}\n", i)
	}
	text.WriteString("chains:\n  - {name: All, jobs: [Job 69, Job 00]}\n")
	w := newWorld(t, "HS", 90210)
	w.table.lose = 2
	if _, err := w.Apply(t.Context(), []byte(text.String()), "bob"); !fault.Is(err, fault.Transient) {
		t.Fatalf("got %v", err)
	}
	if chains, _ := w.Chains.List(t.Context()); len(chains) != 0 {
		t.Error("the chain came before its jobs")
	}
	w.table.lose = 0
	w.apply(t, text.String()) // the same command again
	jobs, _ := w.Jobs.List(t.Context())
	chains, _ := w.Chains.List(t.Context())
	if len(jobs) != 70 || len(chains) != 1 {
		t.Errorf("%d jobs and %d chains", len(jobs), len(chains))
	}
}
