package browser_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/table"
)

// onePage is a page, and what it takes to see it.
type onePage struct {
	name, path string
	do         func(b *tab) // what to do once it is open; nil = nothing
	status     int          // of the page; 0 = 200
}

// filled is a world in which every page has something to show.
func filled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.deals()
	w.connect()
	w.run(run.Input{Chain: "HUBSPOT_Company Person Sync"})
	w.target.SeedExisting(twice(w))
	w.run(run.Input{Job: "User Sync_HubSpot"})
	w.backlogs()
	return w
}

// backlogs stores a first load that is a quarter done, and a comparison behind it.
func (w *world) backlogs() {
	w.t.Helper()
	days := func(n int) time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) }
	for _, b := range []run.Backlog{
		{Job: w.job("Company Sync_HubSpot").ID, Opened: days(-2), Spans: []run.Span{{First: true}}, Total: 1_200_000, Read: 300_000, PerDay: 150_000, Failures: 2, NotBefore: days(1)},
		{Job: w.job("Company Person Sync_HubSpot").ID, Opened: days(-1), Spans: []run.Span{{}}, Total: 40_000, PerDay: 50_000},
	} {
		w.check(w.sys.Runs.Table.PutMany(w.t.Context(), []table.Item{run.BacklogOp(b).Item}))
	}
}

// pages are all pages of the console in a filled world.
func (w *world) pages() []onePage {
	w.t.Helper()
	company, people := "/jobs/"+w.job("Company Sync_HubSpot").ID, "/jobs/"+w.job("Company Person Sync_HubSpot").ID
	connections, err := w.sys.Connections.List(w.t.Context())
	w.check(err)
	connection := "/connections/" + connections[0].ID
	chains, err := w.sys.Chains.List(w.t.Context())
	w.check(err)
	chain := "/chains/" + chains[0].ID
	runs, err := w.admin.Executions(w.t.Context(), admin.ExecutionFilter{Job: w.job("Company Person Sync_HubSpot").ID})
	w.check(err)
	owners, err := w.admin.Owners(w.t.Context(), connections[0].ID)
	w.check(err)
	deal, wrong := w.newDeal("new-deals", false), w.newDeal("new-wrong-deals", true)
	dialog := func(menu, item string) func(b *tab) {
		return func(b *tab) { b.click(menu).click(item).see("Cancel") }
	}
	return []onePage{
		{name: "connections", path: "/connections"},
		{name: "connections-menu", path: "/connections", do: func(b *tab) { b.click("Actions for HubSpot") }},
		{name: "connection", path: connection},
		{name: "connection-edit", path: connection + "/edit"},
		{name: "connection-test", path: connection + "/test"},
		{name: "connection-revoke", path: "/connections", do: dialog("Actions for HubSpot", "Revoke")},
		{name: "connection-delete", path: connection + "/delete"},
		{name: "jobs", path: "/jobs"},
		{name: "jobs-none", path: "/jobs?q=nothing"},
		{name: "job-new", path: "/jobs/new"},
		{name: "job-run", path: "/jobs", do: dialog("Actions for Company Sync_HubSpot", "Run now")},
		{name: "job-delete", path: company + "/delete"},
		{name: "job-preparation", path: people + "/edit/preparation", do: func(b *tab) { b.see("records of HubSpot") }},
		{name: "job-destination", path: people + "/edit/destination"},
		{name: "job-configure", path: people + "/edit/configure", do: func(b *tab) { b.click("Time based schedule").choose("#schedule-kind", "Weekly, on chosen days") }},
		{name: "job-custom", path: deal + "/edit/preparation", do: func(b *tab) { b.see("records of HubSpot") }},
		{name: "job-custom-destination", path: deal + "/edit/destination"},
		{name: "job-problems", path: wrong + "/edit/destination", do: func(b *tab) { b.press("[value=check]").see("corrected") }},
		{name: "job-preview", path: people + "/preview"},
		{name: "job-previewed", path: deal + "/edit/preview", do: func(b *tab) { b.press("On all changes").see("Insert") }},
		{name: "chains", path: "/chains"},
		{name: "chain-new", path: "/chains/new"},
		{name: "chain", path: chain + "/edit"},
		{name: "chain-run", path: chain + "/run"},
		{name: "chain-delete", path: chain + "/delete"},
		{name: "activity", path: "/activity"},
		{name: "updates", path: "/activity/updates", do: func(b *tab) { b.click("[data-label=\"Before and after\"] summary") }},
		{name: "run", path: "/activity/runs/" + runs.Runs[0].RunID},
		{name: "find", path: "/find"},
		{name: "found", path: "/find?q=" + w.anyContact()},
		{name: "found-nothing", path: "/find?q=4711"},
		{name: "reasons", path: "/reasons"},
		{name: "avatars", path: "/avatars"},
		{name: "avatar", path: "/avatars/" + owners[0].ID},
		{name: "person-key", path: "/person-resolution-key"},
		{name: "person-key-effects", path: "/person-resolution-key?ask=1&key=Email&key=Hubspot_Contact_ID__gc"},
		{name: "settings", path: "/settings"},
		{name: "zone", path: "/settings/zone"},
		{name: "not-found", path: "/jobs/none/edit/preparation", status: http.StatusNotFound},
		{name: "api", path: "/api/v1/"},
	}
}

// empty are pages before there is a connection.
var empty = []onePage{
	{name: "empty-connections", path: "/connections"},
	{name: "connection-new", path: "/connections", do: func(b *tab) { b.click("Create Connection").see("Name of the Connection") }},
	{name: "empty-jobs", path: "/jobs"},
	{name: "empty-chains", path: "/chains"},
	{name: "empty-activity", path: "/activity"},
	{name: "empty-updates", path: "/activity/updates"},
	{name: "empty-avatars", path: "/avatars"},
	{name: "empty-key", path: "/person-resolution-key"},
	{name: "empty-settings", path: "/settings"},
}

// Every page in both themes and on a phone: nothing serious that keeps people
// from using it, no complaint of the browser, nothing wider than the screen, and a
// picture of it.
func TestEveryPageCanBeUsedByEverybody(t *testing.T) {
	axe := axeSource(t)
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t).visit().signIn()
		for _, p := range empty {
			b.examine(axe, p)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t).visit()
		b.examine(axe, onePage{name: "signed-out", path: "/jobs", status: http.StatusUnauthorized})
		b.examine(axe, onePage{name: "link-used", path: "/?token=none", status: http.StatusForbidden})
	})
	for half := range 2 {
		t.Run(fmt.Sprint("half ", half+1), func(t *testing.T) {
			t.Parallel()
			w := filled(t)
			b := w.visit().signIn()
			for i, p := range w.pages() {
				if i%2 == half {
					b.examine(axe, p)
				}
			}
		})
	}
}

// examine opens a page and looks at it from all sides.
func (b *tab) examine(axe string, p onePage) {
	b.t.Helper()
	b.look("light", 1280)
	resp, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(b.w.origin+p.path))
	b.w.check(err)
	if want := max(p.status, http.StatusOK); status(resp) != want {
		b.t.Errorf("%s answers %d, want %d", p.path, status(resp), want)
	}
	if p.status != 0 {
		b.expect(fmt.Sprint("status of ", p.status))
	}
	if p.do != nil {
		b.expect("status of 422")
		p.do(b)
	}
	for _, side := range []struct {
		theme string
		width int64
	}{{"light", 1280}, {"dark", 1280}, {"light", 390}} {
		b.look(side.theme, side.width)
		name := fmt.Sprintf("%s-%s-%d", p.name, side.theme, side.width)
		if wide, err := js[string](b, "tools.overflow()"); err != nil || wide != "" {
			b.t.Errorf("%s is wider than the screen: %s, %v", name, wide, err)
		}
		for _, v := range b.violations(axe) {
			b.t.Errorf("%s: %s", name, v)
		}
		b.picture(name)
	}
	b.calm()
}

func status(r *network.Response) int {
	if r == nil {
		return 0
	}
	return int(r.Status)
}

// axeSource is the checker of accessibility, which make tools installs.
func axeSource(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(awstest.Tool(t, "node/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// violations are the serious and critical issues of the page as it is shown.
func (b *tab) violations(axe string) []string {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[any]("globalThis.axe ?? (() => {"+axe+"})(); 0"))
	b.w.check(err)
	found, err := js[[]string](b, `axe.run(document, { resultTypes: ["violations"], preload: false }).then((r) => r.violations
		.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join("; ")))`)
	b.w.check(err)
	return found
}

// anyContact is the id of a contact that was read.
func (w *world) anyContact() string {
	w.t.Helper()
	found, err := w.admin.Find(w.t.Context(), firstContact(w))
	w.check(err)
	if len(found) == 0 {
		w.t.Fatal("no contact was read")
	}
	return found[0].SourceID
}

// newDeal begins a draft of a custom job, with every kind of row, and returns
// its path.
func (w *world) newDeal(key string, problem bool) string {
	w.t.Helper()
	d, err := w.admin.PutDraft(w.t.Context(), signin.Operator.ID, dealDraft(w, key, problem))
	w.check(err)
	return "/jobs/" + d.Key
}

// The checker does find something where there is something to find.
func TestTheCheckerFindsWhatIsWrong(t *testing.T) {
	b := newWorld(t).visit().signIn()
	_, err := js[any](b, `document.getElementById("main").insertAdjacentHTML("beforeend", "<img src=/static/icon.svg><p id=faint>Faint</p>") ?? (document.getElementById("faint").attributeStyleMap.set("color", "#ccc"), 0)`)
	w := b.w
	w.check(err)
	found := strings.Join(b.violations(axeSource(t)), "\n")
	for _, id := range []string{"image-alt", "color-contrast"} {
		if !strings.Contains(found, id) {
			t.Errorf("%s is not found, but %q", id, found)
		}
	}
}
