package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
)

// filled returns a world with records that were synced once.
func filled(t *testing.T) (*world, run.Run) {
	t.Helper()
	w := newWorld(t)
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 6, Companies: 20, Contacts: 40})
	w.connect()
	var last run.Run
	for _, in := range []run.Input{{Job: "User Sync_HubSpot", Cause: "manual execution"}, {Chain: "HUBSPOT_Company Person Sync", Cause: "schedule"}} {
		res, err := w.sys.Run(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		last = res.Runs[len(res.Runs)-1]
	}
	return w, last
}

// pages are the addresses of all pages that can be read.
func pages(w *world, r run.Run) []string {
	j := w.job("Company Person Sync_HubSpot")
	chains, err := w.sys.Chains.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	c := "/connections/" + j.Connection
	edit := "/jobs/" + j.ID + "/edit/"
	return []string{
		"/connections", "/connections/new", c, c + "/edit", c + "/revoke", c + "/delete", c + "/test",
		"/jobs", "/jobs/new", "/jobs?q=company", "/jobs/" + j.ID + "/run", "/jobs/" + j.ID + "/delete", "/jobs/" + j.ID + "/preview", "/jobs/" + j.ID + "/preview?of=sample",
		edit + "preparation", edit + "destination", edit + "configure", edit + "sample", edit + "preview",
		"/chains", "/chains/new", "/chains/" + chains[0].ID + "/edit", "/chains/" + chains[0].ID + "/run", "/chains/" + chains[0].ID + "/delete",
		"/activity", "/activity?status=Failed", "/activity/updates", "/activity/updates?what=job", "/activity/runs/" + string(r.ID),
		"/find", "/find?q=1", "/reasons", "/avatars", "/avatars/" + w.portal.Owners()[0].ID,
		"/person-resolution-key", "/person-resolution-key?ask=1&key=Email&key=Name", "/settings", "/settings/zone", "/settings/destination/test",
	}
}

// inline finds script or style in a page that the policy would not let run.
var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:[^>]*src=)?[^>]*>[^<]`)

func TestEveryPageAnswersUnderAStrictPolicy(t *testing.T) {
	w, r := filled(t)
	for _, path := range pages(w, r) {
		t.Run(path, func(t *testing.T) {
			w.t = t
			a := w.want(w.get(path), http.StatusOK, "<h1")
			policy := a.header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(policy, part) {
					t.Errorf("the policy %q lacks %s", policy, part)
				}
			}
			if found := inline.FindString(a.body); found != "" {
				t.Errorf("the page holds %q, which the policy forbids", found)
			}
			if strings.Contains(a.body, "canary") {
				t.Error("the page holds a secret")
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Error("the page may be kept by caches")
			}
			w.page(path, a) // well-formed
		})
	}
}

func TestFragmentsAreTheMainPartAlone(t *testing.T) {
	w := newWorld(t)
	a := w.want(w.get("/jobs", func(r *http.Request) { r.Header.Set("X-Fragment", "1") }), http.StatusOK, "<h1>Jobs</h1>")
	if strings.Contains(a.body, "<html") || strings.Contains(a.body, "<nav aria-label=\"Pages\"") {
		t.Errorf("the fragment holds the frame:\n%s", a.body)
	}
}

func TestWhoHasNotSignedInIsLedToSignInAndBack(t *testing.T) {
	w, r := filled(t)
	w.person = signin.Person{}
	log := "/activity/runs/" + string(r.ID) + "/errors"
	for path, back := range map[string]string{"/jobs?q=a": "/signin?next=%2Fjobs%3Fq%3Da", log: "/signin?next=" + url.QueryEscape(log)} {
		a := w.want(w.get(path), http.StatusSeeOther)
		if a.location != back {
			t.Errorf("%s leads to %s, want %s", path, a.location, back)
		}
	}
	w.want(w.post("/connections", url.Values{"name": {"x"}}), http.StatusSeeOther)
	w.want(w.get("/jobs", func(r *http.Request) { r.Header.Set("X-Fragment", "1") }), http.StatusUnauthorized)
	w.want(w.get("/static/console.css"), http.StatusOK, "--ground")
}

func TestAViewerSeesEverythingAndChangesNothing(t *testing.T) {
	w, r := filled(t)
	j := w.job("Company Sync_HubSpot")
	chains, _ := w.sys.Chains.List(t.Context())
	w.person = signin.Person{ID: "vi@example.com", Name: "Vi", Role: signin.Viewer}
	allowed := map[string]bool{"/signout": true, "/settings/zone": true}
	for _, path := range pages(w, r) {
		p := w.page(path, w.get(path))
		if p.status == http.StatusForbidden {
			p.says(http.StatusForbidden, "Your role is viewer")
			continue
		}
		for _, f := range p.forms {
			if f.method == "post" && !allowed[f.action] && !strings.Contains(p.body, "disabled") {
				t.Errorf("%s offers a viewer %s", path, f.action)
			}
		}
	}
	id, chainID, runID := j.ID, chains[0].ID, string(r.ID)
	for _, path := range []string{
		"/connections", "/connections/" + j.Connection + "/edit", "/connections/" + j.Connection + "/authorize", "/connections/" + j.Connection + "/revoke", "/connections/" + j.Connection + "/delete",
		"/jobs/new", "/jobs/" + id + "/clone", "/jobs/" + id + "/run", "/jobs/" + id + "/delete", "/jobs/" + id + "/edit/preparation",
		"/chains/new", "/chains/" + chainID + "/edit", "/chains/" + chainID + "/run", "/chains/" + chainID + "/delete",
		"/activity/runs/" + runID + "/stop", "/activity/runs/" + runID + "/resume", "/activity/runs/" + runID + "/retry", "/activity/cut-off/x/resume",
		"/avatars/1", "/avatars/1/remove", "/avatars/retry", "/person-resolution-key", "/settings/destination", "/settings/notifications", "/settings/limits", "/settings/retention",
	} {
		w.want(w.post(path, url.Values{}), http.StatusForbidden, "Your role is viewer")
	}
	if got := w.job("Company Sync_HubSpot"); got.Version != j.Version {
		t.Error("a viewer changed a job")
	}
}

func TestUnknownThingsAreNotFound(t *testing.T) {
	w := newWorld(t)
	w.connect()
	for _, path := range []string{
		"/nothing", "/connections/nope", "/connections/nope/edit", "/connections/nope/revoke", "/connections/nope/delete", "/connections/nope/test", "/jobs/nope/run", "/jobs/nope/delete",
		"/jobs/nope/preview", "/jobs/nope/edit/preparation", "/jobs/nope/edit/sample", "/chains/nope/edit", "/chains/nope/run", "/chains/nope/delete",
		"/activity/runs/nope", "/activity/runs/nope/errors", "/avatars/nope", "/static/nope.js",
	} {
		w.want(w.get(path), http.StatusNotFound)
	}
	j := w.job("Company Sync_HubSpot")
	w.want(w.get("/jobs/"+j.ID+"/edit/nowhere"), http.StatusNotFound)
	for _, path := range []string{"/connections/nope/authorize", "/connections/nope/revoke", "/jobs/nope/run", "/jobs/nope/clone", "/chains/nope/run", "/activity/runs/nope/stop", "/activity/runs/nope/retry"} {
		w.want(w.post(path, url.Values{}), http.StatusNotFound)
	}
}

func TestAConnectionIsCreatedAndAuthorized(t *testing.T) {
	w := newWorld(t)
	w.open("/connections").says(200, "Connect your HubSpot account", `href="/connections/new"`)
	w.open("/jobs").says(200, "First connect your HubSpot account")
	w.open("/activity").says(200, "Nothing has run yet")
	w.want(w.post("/connections", url.Values{"name": {" "}}), http.StatusUnprocessableEntity, "Give the connection a name.")
	a := w.want(w.post("/connections", url.Values{"name": {"HubSpot"}}), http.StatusSeeOther)
	if !strings.HasPrefix(a.location, "https://app.hubspot.test/oauth/authorize?") {
		t.Fatalf("led to %s", a.location)
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.hubspot.test;") {
		t.Errorf("the policy %q does not let the form lead to HubSpot", policy)
	}
	back := w.consent(a.location)
	w.open(back).says(200, "What was granted", "customer.example", "Active", "3 jobs", "1 job chain")
	w.want(w.get(back), http.StatusUnprocessableEntity, "This authorization was used already")
	w.want(w.get("/oauth/callback?error=access_denied&state=x"), http.StatusUnprocessableEntity, "Start again from Connections")
	w.open("/jobs").says(200, "Company Sync_HubSpot", "Company Person Sync_HubSpot", "User Sync_HubSpot", "On Demand", "Never ran")
	w.open("/chains").says(200, "HUBSPOT_Company Person Sync")
	w.want(w.post("/connections", url.Values{"name": {"Other"}}), http.StatusConflict, "Only one connection is possible")
}

func TestAConnectionIsRenamedRevokedAndDeleted(t *testing.T) {
	w := newWorld(t)
	cn := w.connect()
	path := "/connections/" + cn.ID
	w.open(path+"/edit").set("name", "").press("").says(http.StatusUnprocessableEntity, "Give the connection a name.")
	w.open(path+"/edit").set("name", "Sales").press("").says(200, "Sales")
	w.job("Company Sync_Sales")
	w.open(path+"/revoke").says(200, "Revoke").press("").says(200, "Revoked")
	stored, err := w.sys.Connections.Get(t.Context(), cn.ID)
	if err != nil || stored.Status != connection.Revoked {
		t.Fatalf("status %v, %v", stored.Status, err)
	}
	w.open(path+"/delete").says(200, "Delete").press("").says(200, "Connect your HubSpot account")
	w.open("/activity/updates").says(200, "ada@example.com", "deleted")
}

func TestTextsAreShownAndNeverRun(t *testing.T) {
	const evil = `<img src=x onerror=alert(1)>"'=1+1🙂مرحبا`
	w := newWorld(t)
	w.portal.DefineProperty("companies", hubspotsim.Property{Name: "evil", Label: evil, Type: "string", FieldType: "text"})
	w.portal.Create("companies", map[string]string{"name": evil})
	w.connect()
	j := w.job("Company Sync_HubSpot")
	p := w.open("/jobs/"+j.ID+"/edit/preparation").set("name", evil)
	p.editor().values.Add("pick", "evil")
	p.press("pick:fields").press("save").says(200, "The job is saved")
	if got := w.job(evil).Name; got != evil {
		t.Fatalf("the name was stored as %q", got)
	}
	chains, _ := w.sys.Chains.List(t.Context())
	w.open("/chains/"+chains[0].ID+"/edit").set("name", evil).press("save").says(200)
	if _, err := w.sys.Run(t.Context(), run.Input{Chain: chains[0].ID, Cause: evil}, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/jobs", "/jobs/" + j.ID + "/edit/preparation", "/jobs/" + j.ID + "/edit/sample", "/jobs/" + j.ID + "/preview?of=sample", "/chains", "/activity", "/activity/updates", "/find?q=" + url.QueryEscape(evil)} {
		a := w.want(w.get(path), http.StatusOK, "🙂مرحبا")
		if strings.Contains(a.body, "<img src=x") {
			t.Errorf("%s runs what somebody typed", path)
		}
		if !strings.Contains(a.body, `dir="auto"`) {
			t.Errorf("%s shows right-to-left text the wrong way", path)
		}
	}
}

func TestTimesAreInTheReadersZone(t *testing.T) {
	w, r := filled(t)
	at := func(zone string) string {
		return w.get("/activity/runs/"+string(r.ID), func(req *http.Request) { req.AddCookie(&http.Cookie{Name: "zone", Value: zone}) }).body
	}
	if body := at("Asia/Kolkata"); !strings.Contains(body, "Asia/Kolkata") || strings.Contains(body, ">UTC<") {
		t.Error("the page is not in the zone of the cookie")
	}
	for _, forged := range []string{"Mars/Base", "Local", "../../etc/passwd", strings.Repeat("x", 5000), ""} {
		if !strings.Contains(at(forged), `<span id="zone">UTC</span>`) {
			t.Errorf("the zone %.20q is taken", forged)
		}
	}
	w.want(w.post("/settings/zone", url.Values{"zone": {"Nowhere"}}), http.StatusUnprocessableEntity, "This time zone is not known")
	a := w.want(w.post("/settings/zone", url.Values{"zone": {"Europe/Berlin"}, "back": {"https://evil.example"}}), http.StatusSeeOther)
	if a.location != "/activity" || !strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), "zone=Europe/Berlin") {
		t.Errorf("led to %s with %s", a.location, a.header.Values("Set-Cookie"))
	}
}

func TestANoticeIsShownOnceAndSaysNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	with := func(value string) answer {
		return w.get("/jobs", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "notice", Value: value}) })
	}
	a := w.want(with("saved"), 200, "Saved.")
	if !strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), "notice=; Path=/; Max-Age=0") {
		t.Errorf("the notice stays: %v", a.header.Values("Set-Cookie"))
	}
	if strings.Contains(with("You were hacked").body, "hacked") {
		t.Error("a forged notice is shown")
	}
}

func TestAFormThatIsTooLargeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.want(w.post("/connections", url.Values{"name": {strings.Repeat("x", 5<<20)}}), http.StatusRequestEntityTooLarge, "larger than 4 MB")
	w.want(w.post("/connections", url.Values{"name": {strings.Repeat("x", 10_000)}}), http.StatusUnprocessableEntity, "longer than 200 characters")
	w.want(w.do(http.MethodPost, "/connections", nil, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = http.NoBody
		r.URL.RawQuery = "name=%zz"
	}), http.StatusBadRequest, "could not be read")
}

func TestWhoCannotComeInIsToldOnAPageOfOurs(t *testing.T) {
	rec := httptest.NewRecorder()
	console.Explain(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/signin", nil), http.StatusUnauthorized, "Open the <link> that was printed.")
	body := rec.Body.String()
	if rec.Code != http.StatusUnauthorized || !strings.Contains(body, "Open the &lt;link&gt; that was printed.") || strings.Contains(body, "/jobs") {
		t.Errorf("status %d:\n%s", rec.Code, body)
	}
}
