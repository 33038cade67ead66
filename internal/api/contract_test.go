package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/api"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// Every call of these tests is validated against the document (world.validate).
// The last step fails for each operation that none of them has called.
func TestEveryOperationAnswersAsTheDocumentSays(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.portal.AddOwner(hubspotsim.Owner{Email: []string{"ann@c.example", "ben@c.example", "cid@c.example"}[i], FirstName: "Owen", LastName: "Number"})
	}
	w.companies(5)
	c := w.connect()
	for _, part := range []struct {
		name string
		do   func(*testing.T, *world, api.Connection)
	}{
		{"connections", callConnections},
		{"objects", callObjects},
		{"jobs", callJobs},
		{"chains", callChains},
		{"schedules", callTimings},
		{"runs", callRuns},
		{"backlogs", callBacklogs},
		{"people", callPeople},
		{"settings", callSettings},
		{"configuration", callConfiguration},
		{"the end of the connection", callEnd},
	} {
		t.Run(part.name, func(t *testing.T) {
			w.t = t
			part.do(t, w, c)
		})
	}
	w.t = t
	operations := 0
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			operations++
			if !w.called[op.OperationID] {
				t.Errorf("%s %s (%s) is in the document and no test calls it", method, path, op.OperationID)
			}
		}
	}
	if operations < 60 {
		t.Errorf("the document has %d operations", operations)
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("something went wrong on our side:\n%s", w.log.String())
	}
}

func callConnections(t *testing.T, w *world, c api.Connection) {
	if got := into[api.List[api.Connection]](w.send("GET", "/connections", nil).want(200)); len(got.Items) != 1 || got.Items[0].PortalID != portalID {
		t.Errorf("connections %+v", got)
	}
	read := w.send("GET", "/connections/"+c.ID, nil).want(200)
	w.send("PUT", "/connections/"+c.ID, map[string]any{"name": "HS"}, ifMatch(read)).want(200, `"name":"HS"`)
	read = w.send("GET", "/connections/"+c.ID, nil).want(200, `"name":"HS"`)
	w.send("PUT", "/connections/"+c.ID, map[string]any{"name": "HubSpot"}, ifMatch(read)).want(200)
	for _, of := range []string{"revoke", "delete"} {
		if s := into[api.Sentences](w.send("GET", "/connections/"+c.ID+"/consequences?of="+of, nil).want(200)); len(s.Sentences) == 0 {
			t.Errorf("%s has no consequences", of)
		}
	}
	if r := into[api.TestResult](w.send("GET", "/connections/"+c.ID+"/test", nil).want(200)); !r.OK || len(r.Lines) < 3 {
		t.Errorf("test %+v", r)
	}
	if q := into[api.List[api.Quota]](w.send("GET", "/quotas", nil).want(200)); len(q.Items) < 5 {
		t.Errorf("quotas %+v", q)
	}
	if r := into[api.Report](w.send("POST", "/connections/"+c.ID+"/examine", nil).want(200)); !r.OK || len(r.Findings) < 3 {
		t.Errorf("examination %+v", r)
	}
	if me := into[api.Me](w.send("GET", "/me", nil).want(200)); me != (api.Me{ID: "ada@example.com", Name: "Ada", Role: "admin"}) {
		t.Errorf("me is %+v", me)
	}
}

func callObjects(t *testing.T, w *world, c api.Connection) {
	objects := into[api.List[api.SourceObject]](w.send("GET", "/connections/"+c.ID+"/objects?limit=200", nil).want(200)).Items
	at := slices.IndexFunc(objects, func(o api.SourceObject) bool { return o.Name == "contact" })
	if at < 0 || !objects[at].Granted || objects[at].TypeID != "0-1" {
		t.Errorf("objects %+v", objects)
	}
	w.send("GET", "/connections/"+c.ID+"/objects/contact/fields?search=EMAIL", nil).want(200, `"email"`)
	targets := into[api.List[api.TargetObject]](w.send("GET", "/targets", nil).want(200)).Items
	if !slices.ContainsFunc(targets, func(o api.TargetObject) bool { return o.Name == "company" }) {
		t.Errorf("targets %+v", targets)
	}
	w.send("GET", "/targets/company_person/fields?search=person::email", nil).want(200, `"Person::Email"`)
}

func callJobs(t *testing.T, w *world, c api.Connection) {
	rows := into[api.List[api.JobRow]](w.send("GET", "/jobs", nil).want(200)).Items
	if names := []string{rows[0].Name, rows[1].Name, rows[2].Name}; !slices.Equal(names, []string{"Company Person Sync_HubSpot", "Company Sync_HubSpot", "User Sync_HubSpot"}) {
		t.Errorf("jobs %q", names)
	}
	company, _ := w.job("Company Sync_HubSpot")
	in := inputOf(company)
	in.Name = "My companies"
	w.send("POST", "/jobs/validate", in).want(200, `"ok":true`)
	if s := into[api.Sample](w.send("POST", "/jobs/sample", in).want(200)); len(s.Rows) != 5 || len(s.Columns) != len(in.Mapping.Fields) {
		t.Errorf("sample %+v", s)
	}
	w.send("POST", "/jobs/suggest", in).want(200)
	created := w.send("POST", "/jobs", in).want(201)
	mine := into[api.Job](created)
	if created.header.Get("Location") != api.Prefix+"/jobs/"+mine.ID {
		t.Errorf("Location %q", created.header.Get("Location"))
	}
	in.Name = "Our companies"
	changed := w.send("PUT", "/jobs/"+mine.ID, in, ifMatch(created)).want(200, "Our companies")
	clone := into[api.Job](w.send("POST", "/jobs/"+mine.ID+"/clone", map[string]any{}).want(201, "Copy of Our companies"))
	w.send("DELETE", "/jobs/"+clone.ID, nil).want(204)
	w.send("DELETE", "/jobs/"+mine.ID, nil, ifMatch(changed)).want(204)
	w.send("GET", "/jobs/"+mine.ID, nil).want(404)

	before := w.writes.Load()
	p := into[api.Preview](w.send("GET", "/jobs/"+company.ID+"/preview", nil).want(200))
	if p.Counts.Inserted != 4 || p.Counts.Rejected != 1 || p.Rejects[0].Code != "TOO_LONG" {
		t.Errorf("preview %+v", p)
	}
	w.send("POST", "/jobs/preview?all=true", inputOf(company)).want(200, `"whole":true`)
	w.send("GET", "/jobs/"+company.ID+"/sample", nil).want(200, "Company 0")
	if w.writes.Load() != before {
		t.Error("a preview has written")
	}
}

func callChains(t *testing.T, w *world, _ api.Connection) {
	rows := into[api.List[api.ChainRow]](w.send("GET", "/chains", nil).want(200)).Items
	if len(rows) != 1 || rows[0].Name != "HUBSPOT_Company Person Sync" || len(rows[0].Jobs) != 2 {
		t.Fatalf("chains %+v", rows)
	}
	in := map[string]any{"name": "Mine", "jobs": rows[0].Jobs, "onFailure": "continue"}
	created := w.send("POST", "/chains", in).want(201, `"continue"`)
	id := into[api.Chain](created).ID
	w.send("GET", "/chains/"+id, nil).want(200, "Mine")
	in["jobs"] = rows[0].Jobs[:1]
	changed := w.send("PUT", "/chains/"+id, in, ifMatch(created)).want(200)
	if c := into[api.Chain](changed); len(c.Jobs) != 1 {
		t.Errorf("chain %+v", c)
	}
	w.send("DELETE", "/chains/"+id, nil, ifMatch(changed)).want(204)
}

func callTimings(t *testing.T, w *world, _ api.Connection) {
	job, _ := w.job("Company Sync_HubSpot")
	chains := into[api.List[api.ChainRow]](w.send("GET", "/chains", nil).want(200)).Items
	daily := map[string]any{"enabled": true, "kind": "daily", "at": "02:00", "zone": "Europe/Berlin"}
	for _, path := range []string{"/jobs/" + job.ID, "/chains/" + chains[0].ID} {
		w.send("GET", path+"/schedule", nil).want(404)
		put := w.send("PUT", path+"/schedule", daily, header("If-Match", `"0"`)).want(200, `"honoured":true`)
		daily["at"] = "03:00"
		w.send("PUT", path+"/schedule", daily, ifMatch(put)).want(200, `"03:00"`)
		w.send("GET", path+"/schedule", nil).want(200, `"03:00"`)
		none := w.send("GET", path+"/recipients", nil).want(200)
		w.send("PUT", path+"/recipients", map[string]any{"failure": []string{"ops@example.com"}}, ifMatch(none)).want(200)
		w.send("GET", path+"/recipients", nil).want(200, "ops@example.com")
		w.send("DELETE", path+"/recipients", nil).want(204)
	}
	w.send("GET", "/jobs/"+job.ID+"/schedule", nil).want(200, `"honoured":false`)
	w.send("GET", "/jobs?search=company+sync", nil).want(200, `"overruledBy":"HUBSPOT_Company Person Sync"`)
	w.send("DELETE", "/jobs/"+job.ID+"/schedule", nil).want(204)
	w.send("DELETE", "/chains/"+chains[0].ID+"/schedule", nil).want(204)
	w.send("DELETE", "/chains/"+chains[0].ID+"/schedule", nil).want(204)
}

func callRuns(t *testing.T, w *world, _ api.Connection) {
	job, _ := w.job("Company Sync_HubSpot")
	goOn := w.stall()
	defer goOn()
	first := w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{}).want(202)
	name := into[api.Started](first).Execution
	w.until("the run shows as active", func() bool {
		return len(into[api.Going](w.send("GET", "/runs/active", nil).want(200)).Runs) == 1
	})
	w.send("GET", "/executions/"+name, nil).want(200, `"running":true`)
	w.send("POST", "/executions/"+name+"/stop", nil).want(204)
	w.send("GET", "/executions/"+name, nil).want(200, `"running":false`, `"Failed"`)
	goOn()
	turns := w.ended(w.send("POST", "/executions/"+name+"/resume", nil))
	if r := turns.Runs[0]; r.Status != "Partial Success" || r.Counts.Inserted != 4 || r.Counts.Rejected != 1 || !r.ErrorFile {
		t.Fatalf("run %+v", r)
	}
	id := turns.Runs[0].Run
	d := into[api.RunDetail](w.send("GET", "/runs/"+id, nil).want(200))
	if !d.CanRetry || d.CanStop || len(d.Rejects) != 1 || d.Rejects[0].Code != "TOO_LONG" || d.Rejects[0].Count != 1 || d.Calls["HubSpot"] == 0 {
		t.Errorf("detail %+v", d)
	}
	file := into[api.ErrorFile](w.send("GET", "/runs/"+id+"/error-file", nil).want(200))
	w.send("GET", strings.TrimPrefix(file.URL, api.Prefix), nil).want(200, "TOO_LONG")
	w.ended(w.send("POST", "/jobs/"+job.ID+"/retry-rejected", nil))
	chains := into[api.List[api.ChainRow]](w.send("GET", "/chains", nil).want(200)).Items
	w.ended(w.send("POST", "/chains/"+chains[0].ID+"/run", map[string]any{"mode": "full"}))
	w.send("GET", "/runs?limit=200", nil).want(200, id)

	found := into[api.List[api.Found]](w.send("POST", "/find", map[string]any{"query": "Company 0"}).want(200)).Items
	if len(found) == 0 || found[0].Outcome == "rejected" || found[0].GSID == "" {
		t.Errorf("found %+v", found)
	}
	if r := into[api.List[api.Reason]](w.send("GET", "/reasons", nil).want(200)); len(r.Items) < 11 {
		t.Errorf("reasons %+v", r)
	}
}

func callBacklogs(t *testing.T, w *world, _ api.Connection) {
	company, _ := w.job("Company Sync_HubSpot")
	people, _ := w.job("Company Person Sync_HubSpot")
	opened := w.now().UTC().Truncate(time.Second)
	for _, b := range []run.Backlog{
		{Job: company.ID, Opened: opened, Spans: []run.Span{{First: true}}, Total: 1000, Read: 250, PerDay: 250},
		{Job: people.ID, Opened: opened, Spans: []run.Span{{}}},
	} {
		check(t, w.table.PutMany(t.Context(), []table.Item{run.BacklogOp(b).Item}))
		defer func() { check(t, w.sys.Runs.ForgetBacklog(t.Context(), b.Job)) }()
	}
	got := into[api.Going](w.send("GET", "/runs/active", nil).want(200)).Backlogs
	quarter := 25
	want := []api.Backlog{
		{Job: people.ID, JobName: people.Name, Work: "comparison", State: "waits for other jobs", Since: opened, WaitsFor: []string{company.Name}},
		{Job: company.ID, JobName: company.Name, Work: "first load", State: "due", Settled: 250, Total: 1000, Percent: &quarter, Since: opened, WaitsFor: []string{}},
	}
	if len(got) == 2 && got[1].ExpectedEnd != nil {
		if days := got[1].ExpectedEnd.Sub(opened).Round(time.Hour); days != 3*24*time.Hour {
			t.Errorf("it is expected to end in %s", days)
		}
		got[1].ExpectedEnd = nil
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	w.send("GET", "/jobs?search=company+sync", nil).want(200, `"backlog":{`, `"percent":25`)
}

func callPeople(t *testing.T, w *world, c api.Connection) {
	users, _ := w.job("User Sync_HubSpot")
	w.ended(w.send("POST", "/jobs/"+users.ID+"/run", map[string]any{}))
	path := "/connections/" + c.ID + "/avatars"
	owners := into[api.List[api.Owner]](w.send("GET", path, nil).want(200)).Items
	if len(owners) != 3 || owners[0].User == nil || owners[0].By != "job" {
		t.Fatalf("owners %+v", owners)
	}
	w.send("DELETE", path+"/"+owners[0].ID, nil).want(204)
	w.send("GET", path+"?state=Unmatched", nil).want(200, owners[0].ID)
	found := into[api.List[api.User]](w.send("GET", "/users?search=ann@", nil).want(200)).Items
	if len(found) != 1 {
		t.Fatalf("users %+v", found)
	}
	w.send("PUT", path+"/"+owners[0].ID, map[string]any{"userGsid": found[0].GSID}).want(204)
	w.send("GET", path+"?state=Associated", nil).want(200, `"by":"ada@example.com"`)

	key := w.send("GET", "/person-resolution-key", nil).want(200, `"Email"`)
	w.send("GET", "/person-resolution-key/effects?fields=Email&fields=FirstName", nil).want(200, `"FirstName"`)
	changed := w.send("PUT", "/person-resolution-key", map[string]any{"fields": []string{"Email", "FirstName"}}, ifMatch(key)).want(200)
	w.send("PUT", "/person-resolution-key", map[string]any{"fields": []string{"Email"}}, ifMatch(key)).want(409)
	w.send("PUT", "/person-resolution-key", map[string]any{"fields": []string{"Email"}}, ifMatch(changed)).want(200)
}

func callSettings(t *testing.T, w *world, _ api.Connection) {
	for _, s := range []struct {
		path string
		body map[string]any
		want string
	}{
		{"destination", map[string]any{"url": "https://acme.gainsight.test", "accessKey": canary}, `"hasAccessKey":true`},
		{"notifications", map[string]any{"failure": []string{"ops@example.com"}, "threshold": 0.1, "webhookUrl": "https://hooks.example.com/" + canary, "webhookSecret": canary}, `"hooks.example.com"`},
		{"limits", map[string]any{"gainsight": map[string]any{"calls": 50, "seconds": 60}, "reserve": 0.2}, `"calls":50`},
		{"retention", map[string]any{"errorFiles": 31, "staged": 4, "runs": 300}, `"errorFiles":31`},
	} {
		path := "/settings/" + s.path
		read := w.send("GET", path, nil).want(200)
		w.send("PUT", path, s.body, ifMatch(read)).want(200, s.want)
		again := w.send("GET", path, nil).want(200, s.want)
		if strings.Contains(again.body, canary) {
			t.Errorf("%s tells a secret: %s", s.path, again.body)
		}
		w.send("PUT", path, s.body, ifMatch(read)).want(409)
	}
	if r := into[api.Report](w.send("POST", "/settings/destination/examine", nil).want(200)); !r.OK || len(r.Findings) < 3 {
		t.Errorf("examination %+v", r)
	}
	if r := into[api.TestResult](w.send("GET", "/settings/destination/test", nil).want(200)); !r.OK {
		t.Errorf("test %+v", r)
	}
}

func callConfiguration(t *testing.T, w *world, _ api.Connection) {
	file := w.send("GET", "/configuration", nil).want(200, "Company Sync_${connection}")
	yaml := header("Content-Type", "application/yaml")
	if c := into[api.Changes](w.send("POST", "/configuration/diff", file.body, yaml).want(200)); len(c.Changes) != 0 {
		t.Errorf("the file that was just written changes %+v", c)
	}
	edited := strings.Replace(file.body, "HUBSPOT_Company Person Sync", "Another chain", 1)
	want := api.Changes{Changes: []api.Change{{What: "chain", Name: "Another chain", Type: "created", Lines: []string{}}}}
	for _, do := range []string{"diff", "apply"} {
		got := into[api.Changes](w.send("POST", "/configuration/"+do, edited, yaml).want(200))
		if len(got.Changes) == 0 || got.Changes[0].Name != want.Changes[0].Name || got.Changes[0].Type != "created" {
			t.Errorf("%s: %+v", do, got)
		}
	}
	w.send("GET", "/chains", nil).want(200, "Another chain")
	updates := into[api.List[api.Update]](w.send("GET", "/updates?what=chain&limit=1", nil).want(200)).Items
	if len(updates) != 1 || updates[0].By != "ada@example.com" || updates[0].Name != "Another chain" {
		t.Errorf("updates %+v", updates)
	}
}

func callEnd(_ *testing.T, w *world, c api.Connection) {
	w.send("POST", "/connections/"+c.ID+"/revoke", nil).want(200, `"Revoked"`)
	job, _ := w.job("Company Sync_HubSpot")
	w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{}).want(424, `"Reauthorize"`)
	w.send("DELETE", "/connections/"+c.ID, nil).want(204)
	w.send("GET", "/connections/"+c.ID, nil).want(404)
}
