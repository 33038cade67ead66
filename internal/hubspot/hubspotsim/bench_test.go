package hubspotsim_test

import (
	"net/http"
	"strconv"
	"testing"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// client is a portal of 100,000 companies and a function that sends a call.
func client(b *testing.B) (send func(method, path, body string) []byte, ids []string) {
	b.Helper()
	sim := hubspotsim.New(free())
	sim.AddApp(appID, secret, []string{callback})
	portal := sim.AddPortal(1, "one.example")
	token, _ := portal.Token(appID)
	hubspotsim.Seed(portal, hubspotsim.DemoOptions{Owners: 40, Companies: 100_000})
	portal.Each("companies", func(r hubspotsim.Record) { ids = append(ids, r.ID) })
	transport := sim.Transport()
	w := world{client: &http.Client{Transport: transport}, token: token}
	return func(method, path, body string) []byte {
		r, err := w.sendIn(b, method, path, "application/json", body)
		if err != nil || r.status != http.StatusOK {
			b.Fatalf("%d %v %s", r.status, err, r.body)
		}
		return r.body
	}, ids
}

const many = "name,domain,phone,city,state,country,industry,lifecyclestage,numberofemployees,annualrevenue,founded_year,hubspot_owner_id"

func BenchmarkList(b *testing.B) {
	send, ids := client(b)
	i := 0
	for b.Loop() {
		i = (i + 100) % 100_000
		send("GET", "/crm/objects/"+v+"/companies?limit=100&properties="+many+"&after="+ids[i], "")
	}
}

func BenchmarkSearchPage(b *testing.B) {
	send, ids := client(b)
	i := 0
	for b.Loop() {
		i = (i + 200) % 100_000
		send("POST", companySearch, filters(byID+`,"properties":["name","domain"]`, "hs_lastmodifieddate", "GTE", "1700000000000",
			"hs_lastmodifieddate", "LT", strconv.Itoa(1<<41), "hs_object_id", "GT", ids[i]))
	}
}
