package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hubspotconnector/internal/api"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/signin"
)

func TestABadRequestIsAnsweredWithWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	job, read := w.job("Company Sync_HubSpot")
	chainID := into[api.List[api.ChainRow]](w.send("GET", "/chains", nil).want(200)).Items[0].ID
	etag := ifMatch(read)
	none := header("If-Match", `"0"`)
	long := strings.Repeat("n", 10_000)
	broken := func(change func(*api.JobInput)) api.JobInput {
		in := inputOf(job)
		in.Mapping.Direct = append([]mapping.Direct{}, in.Mapping.Direct...)
		change(&in)
		return in
	}
	before := w.send("GET", "/updates", nil).want(200).body
	for _, tt := range []struct {
		name, method, path string
		body               any
		edit               []func(*http.Request)
		status             int
		want               []string
	}{
		{"unknown address", "GET", "/nothing", nil, nil, 404, []string{"no operation"}},
		{"unknown method", "PATCH", "/jobs", nil, nil, 405, []string{"Allow"}},
		{"unknown job", "GET", "/jobs/none", nil, nil, 404, []string{`"NotFound"`}},
		{"unknown run", "GET", "/runs/none", nil, nil, 404, nil},
		{"unknown execution", "GET", "/executions/none", nil, nil, 404, nil},
		{"unknown execution to stop", "POST", "/executions/none/stop", nil, nil, 404, nil},
		{"unknown connection's owners", "GET", "/connections/none/avatars", nil, nil, 404, nil},
		{"unknown object's fields", "GET", "/targets/none__gc/fields", nil, nil, 404, nil},
		{"unknown parameter", "GET", "/jobs?colour=red", nil, nil, 422, []string{`"query.colour"`}},
		{"a limit of 0", "GET", "/jobs?limit=0", nil, nil, 422, []string{`"query.limit"`}},
		{"a limit that is no number", "GET", "/jobs?limit=many", nil, nil, 422, []string{`"query.limit"`}},
		{"a cursor of nowhere", "GET", "/jobs?cursor=%25", nil, nil, 422, []string{`"query.cursor"`}},
		{"a cursor of another list", "GET", "/runs?cursor=abc", nil, nil, 422, []string{`"query.cursor"`}},
		{"a date that is none", "GET", "/runs?from=yesterday", nil, nil, 422, []string{`"query.from"`}},
		{"a status that no run has", "GET", "/runs?status=Great", nil, nil, 422, []string{`"query.status"`}},
		{"no body", "POST", "/connections", nil, nil, 400, nil},
		{"not JSON", "POST", "/connections", "{", nil, 400, nil},
		{"of another type", "POST", "/connections", "name=HubSpot", []func(*http.Request){header("Content-Type", "application/x-www-form-urlencoded")}, 415, nil},
		{"an unknown field", "POST", "/connections", `{"name":"x","colour":"red"}`, nil, 422, []string{`"body.colour"`, "unexpected property"}},
		{"a field of another type", "POST", "/connections", `{"name":5}`, nil, 422, []string{`"body.name"`}},
		{"a missing field", "POST", "/connections", `{}`, nil, 422, []string{"name"}},
		{"an array", "POST", "/connections", `[]`, nil, 422, nil},
		{"too large", "POST", "/connections", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413, nil},
		{"one connection too many", "POST", "/connections", `{"name":"Second"}`, nil, 409, []string{`"Conflict"`}},
		{"no If-Match", "PUT", "/jobs/" + job.ID, inputOf(job), nil, 428, []string{`"version":1`}},
		{"an If-Match of before", "PUT", "/jobs/" + job.ID, inputOf(job), []func(*http.Request){header("If-Match", `"99"`)}, 409, []string{`"version":1`}},
		{"a deletion of another version", "DELETE", "/jobs/" + job.ID, nil, []func(*http.Request){header("If-Match", `"99"`)}, 409, nil},
		{"a job that a chain has", "DELETE", "/jobs/" + job.ID, nil, nil, 409, []string{"HUBSPOT_Company Person Sync"}},
		{"everything wrong at once", "POST", "/jobs", broken(func(in *api.JobInput) {
			in.Name = long
			in.Mapping.Direct[0].To, in.Mapping.Direct[1].From = "Nowhere", "nothing"
		}), nil, 422, []string{`"body.name"`, `"body.mapping.direct[0].to"`, `"body.mapping.direct[1].from"`}},
		{"a name that is taken", "POST", "/jobs", inputOf(job), nil, 422, []string{`"body.name"`}},
		{"a connection that does not exist", "POST", "/jobs", broken(func(in *api.JobInput) { in.Name, in.Connection = "x", "none" }), nil, 422, []string{`"body.connection"`}},
		{"no destination", "POST", "/jobs", broken(func(in *api.JobInput) { in.Name, in.Mapping.Target = "x", "" }), nil, 422, []string{`"body.mapping.target"`}},
		{"a destination that does not exist", "POST", "/jobs", broken(func(in *api.JobInput) { in.Name, in.Mapping.Target = "x", "none__gc" }), nil, 422, nil},
		{"a source that does not exist", "POST", "/jobs/sample", broken(func(in *api.JobInput) { in.Mapping.Source = "unicorn" }), nil, 422, []string{"unicorn"}},
		{"a word that a field does not know", "POST", "/jobs", broken(func(in *api.JobInput) { in.Mapping.Direct[0].WhenEmpty = "maybe" }), nil, 422, []string{`"body.mapping.direct[0].whenEmpty"`}},
		{"a chain of nothing", "POST", "/chains", `{"name":"","jobs":[]}`, nil, 422, []string{`"body.name"`, `"body.jobs"`}},
		{"a chain of unknown jobs", "POST", "/chains", `{"name":"x","jobs":["none"]}`, nil, 422, []string{`"body.jobs[0]"`}},
		{"a chain with a job twice", "POST", "/chains", map[string]any{"name": "x", "jobs": []string{job.ID, job.ID}}, nil, 422, []string{`"body.jobs[1]"`}},
		{"a schedule that cannot be", "PUT", "/chains/" + chainID + "/schedule", `{"enabled":true,"kind":"weekly","at":"25:00","zone":"Mars"}`, []func(*http.Request){none}, 422, []string{`"body.at"`, `"body.zone"`, `"body.days"`}},
		{"a kind of schedule that is none", "PUT", "/chains/" + chainID + "/schedule", `{"enabled":true,"kind":"sometimes","at":"02:00","zone":"UTC"}`, []func(*http.Request){none}, 422, []string{`"body.kind"`}},
		{"addresses that are none", "PUT", "/jobs/" + job.ID + "/recipients", `{"failure":["a@b.example","x"],"success":["y"]}`, []func(*http.Request){none}, 422, []string{`"body.failure[1]"`, `"body.success[0]"`}},
		{"a destination that is no origin", "PUT", "/settings/destination", `{"url":"http://evil.example","accessKey":"` + canary + `"}`, []func(*http.Request){none}, 422, nil},
		{"a secret of another type", "PUT", "/settings/destination", `{"url":"https://a.example","accessKey":["` + canary + `"]}`, []func(*http.Request){none}, 422, []string{`"body.accessKey`}},
		{"days that cannot be", "PUT", "/settings/retention", `{"errorFiles":0,"staged":31,"runs":1}`, []func(*http.Request){none}, 422, []string{`"body.errorFiles"`, `"body.staged"`, `"body.runs"`}},
		{"a share above one half", "PUT", "/settings/limits", `{"reserve":0.9}`, []func(*http.Request){none}, 422, []string{`"body.reserve"`}},
		{"a key of nothing", "GET", "/person-resolution-key/effects", nil, nil, 422, []string{`"query.fields"`}},
		{"an avatar of nobody", "PUT", "/connections/" + c.ID + "/avatars/1", `{"userGsid":""}`, nil, 422, []string{`"body.userGsid"`}},
		{"a start in the future", "POST", "/jobs/" + job.ID + "/run", `{"since":"2999-01-01T00:00:00Z"}`, nil, 422, []string{`"path":"body"`}},
		{"a mode that is none", "POST", "/jobs/" + job.ID + "/run", `{"mode":"rejected"}`, nil, 422, []string{`"body.mode"`}},
		{"a key that is too long", "POST", "/jobs/" + job.ID + "/run", `{}`, []func(*http.Request){header("Idempotency-Key", long)}, 422, []string{`"header.Idempotency-Key"`}},
		{"no file", "POST", "/configuration/apply", "jobs:\n  - name: x\n    nothing: y\n", []func(*http.Request){header("Content-Type", "application/yaml")}, 422, []string{`"line":`}},
		{"an unchanged job", "PUT", "/jobs/" + job.ID, inputOf(job), []func(*http.Request){etag}, 200, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			a := w.send(tt.method, tt.path, tt.body, tt.edit...).want(tt.status, tt.want...)
			if kind := a.header.Get("Content-Type"); tt.status >= 400 && kind != "application/problem+json" {
				t.Errorf("Content-Type %q", kind)
			}
			if strings.Contains(a.body, canary) {
				t.Error("the answer tells a secret")
			}
		})
	}
	w.t = t
	if after := w.send("GET", "/updates", nil).want(200).body; after != before {
		t.Errorf("a bad request changed something:\n%s", after)
	}
	if going := into[api.Going](w.send("GET", "/runs/active", nil).want(200)); len(going.Runs) > 0 {
		t.Errorf("a bad request started %+v", going)
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("something went wrong on our side:\n%s", w.log.String())
	}
}

func TestWhoIsNotSignedInIsRefused(t *testing.T) {
	w := newWorld(t)
	w.as(signin.Person{})
	for _, path := range []string{"/jobs", "/openapi.json", "/nothing", "/style.css"} {
		w.send("GET", path, nil).want(401)
	}
	w.send("POST", "/connections", map[string]any{"name": "x"}).want(401)
	if a := w.send("GET", "/", nil).want(303); a.header.Get("Location") != "/signin?next=/api/v1/" {
		t.Errorf("the page leads to %q", a.header.Get("Location"))
	}
}

func TestAViewerReadsAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	job, _ := w.job("Company Sync_HubSpot")
	w.as(vic)
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if method == http.MethodGet || op.OperationID == "findRecord" {
				continue
			}
			path := strings.NewReplacer("{id}", job.ID, "{owner}", "1", "{execution}", "x").Replace(path)
			w.send(method, path, map[string]any{}).want(403, "viewer")
		}
	}
	w.send("GET", "/jobs", nil).want(200, job.ID)
	w.send("GET", "/connections/"+c.ID, nil).want(200)
	w.send("POST", "/find", map[string]any{"query": "nobody"}).want(200)
}

func TestWhoIsSlowerIsToldTheVersionThatIsStored(t *testing.T) {
	w := newWorld(t)
	w.connect()
	job, read := w.job("Company Sync_HubSpot")
	in := inputOf(job)
	in.Name = "Ada was here"
	w.send("PUT", "/jobs/"+job.ID, in, ifMatch(read)).want(200)
	in.Name = "Bob was here"
	late := w.send("PUT", "/jobs/"+job.ID, in, ifMatch(read)).want(409)
	if p := into[api.Problem](late); p.Version == nil || *p.Version != 2 || late.header.Get("ETag") != `"2"` {
		t.Errorf("problem %+v, ETag %s", p, late.header.Get("ETag"))
	}
	w.send("PUT", "/jobs/"+job.ID, in, ifMatch(late)).want(200, "Bob was here")
}

func TestAStartThatIsSentTwiceStartsOnce(t *testing.T) {
	w := newWorld(t)
	w.connect()
	w.companies(3)
	job, _ := w.job("Company Sync_HubSpot")
	key := header("Idempotency-Key", "monday")
	first := w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{}, key)
	w.ended(first)
	again := w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{}, key).want(202)
	if first.body != again.body {
		t.Errorf("started %s, then %s", first.body, again.body)
	}
	if runs := into[api.List[api.Execution]](w.send("GET", "/runs", nil).want(200)).Items; len(runs) != 1 {
		t.Errorf("%d runs", len(runs))
	}
	w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{"mode": "full"}, key).want(409)
	w.as(signin.Person{ID: "bob@example.com", Name: "Bob", Role: signin.Admin})
	if other := w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{}, key).want(202); other.body == first.body {
		t.Error("the key of one person counts for another")
	} else {
		w.ended(other)
	}
}

func TestPagesTogetherAreTheListWhateverComesAndGoes(t *testing.T) {
	w := newWorld(t)
	w.connect()
	job, _ := w.job("Company Sync_HubSpot")
	for i := range 6 {
		w.send("POST", "/jobs/"+job.ID+"/clone", map[string]any{"name": fmt.Sprintf("job %d", i)}).want(201)
	}
	var names []string
	for cursor, more := "", true; more; more = cursor != "" {
		p := into[api.List[api.JobRow]](w.send("GET", "/jobs?limit=2&search=job&cursor="+cursor, nil).want(200))
		for _, r := range p.Items {
			names = append(names, r.Name)
		}
		if cursor == "" { // the last one shown goes, and one before it comes
			w.send("DELETE", "/jobs/"+p.Items[1].ID, nil).want(204)
			w.send("POST", "/jobs/"+job.ID+"/clone", map[string]any{"name": "job"}).want(201)
		}
		cursor = p.Next
	}
	if got := strings.Join(names, ", "); got != "job 0, job 1, job 2, job 3, job 4, job 5" {
		t.Error(got)
	}
}

func TestAChangeIsToldWithWhoMadeIt(t *testing.T) {
	w := newWorld(t)
	w.connect()
	job, read := w.job("Company Sync_HubSpot")
	w.as(signin.Person{ID: "bob@example.com", Name: "Bob", Role: signin.Admin})
	in := inputOf(job)
	in.Name = "<script>alert(1)</script> 🦄 \u200fשלום =1+1"
	w.send("PUT", "/jobs/"+job.ID, in, ifMatch(read)).want(200)
	u := into[api.List[api.Update]](w.send("GET", "/updates?by=bob@example.com", nil).want(200)).Items
	if len(u) != 1 || u[0].Name != in.Name || u[0].Type != "edited" {
		t.Errorf("updates %+v", u)
	}
}

func TestACauseOfOursIsLoggedAndNotTold(t *testing.T) {
	w := newWorld(t)
	w.sys.Runs.Table = nil // a bug
	a := w.send("GET", "/runs/active", nil).want(500)
	if strings.Contains(a.body, "nil pointer") || !strings.Contains(w.log.String(), "nil pointer") {
		t.Errorf("told %s, logged %s", a.body, w.log.String())
	}
	check(t, w.table.Close())
	a = w.send("GET", "/connections", nil).want(500, `"Internal"`, `"reference"`)
	p := into[api.Problem](a)
	if strings.Contains(a.body, "database") || !strings.Contains(w.log.String(), "database") || !strings.Contains(w.log.String(), p.Reference) {
		t.Errorf("told %s, logged %s", a.body, w.log.String())
	}
}

func TestThePageShowsEveryOperationWithoutAnyScript(t *testing.T) {
	w := newWorld(t)
	a := w.send("GET", "/", nil).want(200)
	for path, item := range w.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if !strings.Contains(a.body, `id="`+op.OperationID+`"`) || !strings.Contains(a.body, path) {
				t.Errorf("the page does not show %s", op.OperationID)
			}
		}
	}
	policy := a.header.Get("Content-Security-Policy")
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, "style=") || strings.Contains(policy, "script-src") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	w.send("GET", "/style.css", nil).want(200, "color-scheme")
}
