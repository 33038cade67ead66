package main

import (
	"context"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/secret"
)

// simulation is both vendors for the console on this machine, in real time and
// with their limits. HubSpot is a server, because people log in there.
type simulation struct {
	source   *hubspotsim.Sim
	portal   *hubspotsim.Portal
	target   *gainsightsim.Sim
	server   *http.Server
	settings connector.Settings
	vendors  vendors
	edits    int
	stop     func()
}

// What the simulated HubSpot account holds. The first sync fits into two minutes
// of Gainsight's quota.
const (
	simulatedOwners    = 12
	simulatedCompanies = 60
	simulatedContacts  = 80
	simulatedDeals     = 30
)

const (
	webhookPath  = "/hubspot/webhook"
	demoPath     = "/demo"
	webhookAppID = 4242
)

// newSimulation starts both vendors. HubSpot leads back to redirect.
func newSimulation(redirect string) (*simulation, error) {
	back, err := url.Parse(redirect)
	if err != nil || !onThisMachine(back) {
		return nil, errNotHere
	}
	sim := &simulation{
		source: hubspotsim.New(hubspotsim.Options{Seed: 1, Latency: 100 * time.Millisecond, AssociationTouches: true, IndexLag: hubspotsim.Lag(1, time.Second, 3*time.Second)}),
		target: gainsightsim.New(gainsightsim.Options{Seed: 1, Latency: 150 * time.Millisecond, AccessKey: demoKey}),
	}
	sim.source.AddApp(demoClient, demoSecret, []string{redirect})
	sim.portal = sim.source.AddPortal(demoPortal, "customer.example")
	sim.source.AddPortal(demoPortal+1, "another-customer.example")
	hubspotsim.Seed(sim.portal, hubspotsim.DemoOptions{Owners: simulatedOwners, Companies: simulatedCompanies, Contacts: simulatedContacts})
	for i := range simulatedDeals {
		sim.portal.Create("deals", map[string]string{
			"dealname": fmt.Sprint("Deal ", i+1), "amount": strconv.Itoa(1000 * (i + 1)), "dealstage": []string{"appointmentscheduled", "closedwon", "closedlost"}[i%3],
		})
	}
	sim.target.Prepare(demoPortal)
	sim.target.AddObject("hubspot_deal__gc", "HubSpot Deal")
	for _, f := range []gainsightsim.Field{
		{Name: "Deal_ID__gc", Label: "Deal ID", DataType: "STRING"},
		{Name: "Amount__gc", Label: "Amount", DataType: "CURRENCY", Nillable: true},
		{Name: "Status__gc", Label: "Status", DataType: "STRING", Nillable: true},
		{Name: "Close_Date__gc", Label: "Close Date", DataType: "DATE", Nillable: true},
		{Name: "Company__gc", Label: "Company", DataType: "LOOKUP", LookupObject: "company", Nillable: true},
	} {
		sim.target.AddField("hubspot_deal__gc", f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once, on this machine
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "This machine cannot listen on 127.0.0.1, so HubSpot cannot be simulated.")
	}
	sim.server = &http.Server{Handler: sim.source, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = sim.server.Serve(l) }() // ends by Close
	origin := "http://" + l.Addr().String()
	sim.settings = connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: demoClient, ClientSecret: secret.Text(demoSecret), RedirectURL: redirect, APIURL: origin, AppURL: origin, Version: "2026-09",
		},
		Gainsight:      gainsight.Config{URL: "https://demo.gainsightcloud.example", AccessKey: secret.Text(demoKey)},
		ConnectionName: "HubSpot",
		Webhook:        connector.Webhook{URL: "http://" + back.Host + webhookPath, AppID: webhookAppID, Window: 10 * time.Second},
	}
	sim.vendors = vendors{gainsight: &http.Client{Transport: sim.target.Transport()}}
	sim.stop = sim.source.StartWebhooks(context.Background(), hubspotsim.Webhooks{
		URL: "http://" + back.Host + webhookPath, Secret: demoSecret, AppID: webhookAppID, Client: &http.Client{}, Gather: time.Second, Spread: 10 * time.Minute,
	})
	return sim, nil
}

func (sim *simulation) close() {
	sim.stop()
	_ = sim.server.Close()
}

// mostRows is how many rows of an object the page shows.
const mostRows = 200

//nolint:gochecknoglobals // a constant
var simulationPage = template.Must(template.New("simulation").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated accounts</title>
<link rel="stylesheet" href="/static/console.css">
<main><h1>Simulated accounts</h1>
<p><a href="/">Back to the console</a></p>
<h2>HubSpot</h2>
<form method="post"><button name="change" value="rename">Rename 3 companies</button>
<button name="change" value="add">Add a company with a contact</button>
<button name="change" value="archive">Archive a company</button></form>
{{with .Done}}<p role="status">{{.}}</p>{{end}}
<h2>Gainsight</h2>
{{range .Objects}}<h3>{{.Name}}: {{.Count}} rows</h3>
{{if .Rows}}<div class="scroll" tabindex="0" role="region" aria-label="Rows of {{.Name}}"><table><thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr>{{range .}}<td dir="auto">{{.}}</td>{{end}}</tr>{{end}}</tbody></table></div>{{end}}
{{end}}</main></html>
`))

// objectView is an object of the simulated Gainsight, as the page shows it.
type objectView struct {
	Name    string
	Count   int
	Columns []string
	Rows    [][]string
}

// ServeHTTP is the page of the simulated accounts.
func (sim *simulation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	done := ""
	if r.Method == http.MethodPost {
		done = sim.change(r.PostFormValue("change"))
	}
	var objects []objectView
	for _, name := range []string{"company", "person", "company_person", "gsuser", "hubspot_deal__gc"} {
		objects = append(objects, sim.view(name))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_ = simulationPage.Execute(w, map[string]any{"Done": done, "Objects": objects}) // a browser that has gone needs no answer
}

// change edits something in HubSpot and says what.
func (sim *simulation) change(what string) string {
	var ids []string
	sim.portal.Each("companies", func(r hubspotsim.Record) {
		if name, _ := r.Value("name"); name != "" && !r.Archived && r.MergedInto == "" {
			ids = append(ids, r.ID)
		}
	})
	sim.edits++
	switch {
	case what == "rename" && len(ids) > 0:
		var names []string
		for i := range 3 {
			name := fmt.Sprintf("Renamed %d-%d", sim.edits, i+1)
			sim.portal.Set("companies", ids[(3*sim.edits+i)%len(ids)], map[string]string{"name": name})
			names = append(names, name)
		}
		return "3 companies are called " + strings.Join(names, ", ") + " now."
	case what == "add":
		id := sim.portal.Create("companies", map[string]string{"name": "Added " + strconv.Itoa(sim.edits)})
		sim.portal.Create("contacts", map[string]string{
			"email": fmt.Sprintf("added%d@customer.example", sim.edits), "firstname": "Nia", "lastname": "Added", "associatedcompanyid": id,
		})
		return fmt.Sprintf("The company Added %d and its contact are there.", sim.edits)
	case what == "archive" && len(ids) > 0:
		sim.portal.Archive("companies", ids[len(ids)-1])
		return "A company was archived."
	}
	return "Nothing was changed."
}

// view reads the rows of an object, the newest first.
func (sim *simulation) view(name string) objectView {
	v := objectView{Name: name, Count: sim.target.Count(name)}
	var rows []gainsightsim.Row
	for row := range sim.target.Rows(name) {
		rows = append(rows, row)
		for column := range row {
			if !slices.Contains(v.Columns, column) {
				v.Columns = append(v.Columns, column)
			}
		}
	}
	slices.Sort(v.Columns)
	slices.Reverse(rows)
	for _, row := range rows[:min(mostRows, len(rows))] {
		cells := make([]string, len(v.Columns))
		for i, column := range v.Columns {
			if value, ok := row[column]; ok {
				cells[i] = fmt.Sprint(value)
			}
		}
		v.Rows = append(v.Rows, cells)
	}
	return v
}
