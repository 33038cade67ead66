package hubspotsim_test

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func values(p *hubspotsim.Portal, object string) map[string]map[string]string {
	out := map[string]map[string]string{}
	p.Each(object, func(r hubspotsim.Record) {
		out[r.ID] = r.Values()
		if r.Archived {
			out[r.ID]["archived"] = "true"
		}
	})
	return out
}

// TestDemoDataIsOddOnlyWhereItSays finds the odd records by itself.
func TestDemoDataIsOddOnlyWhereItSays(t *testing.T) {
	w := start(t, free())
	demo := hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 40, Companies: 600, Contacts: 2400})
	companies, contacts := values(w.portal, "companies"), values(w.portal, "contacts")
	var found hubspotsim.Demo
	names := map[string]bool{}
	for _, id := range sorted(companies) {
		c := companies[id]
		if c["archived"] == "true" {
			found.ArchivedCompanies = append(found.ArchivedCompanies, id)
			continue
		}
		if name := c["name"]; name == "" {
			found.CompaniesWithoutName = append(found.CompaniesWithoutName, id)
		} else if names[strings.ToLower(name)] {
			t.Errorf("two companies are called %s", name)
		} else {
			names[strings.ToLower(name)] = true
		}
		if _, err := strconv.Atoi(c["numberofemployees"]); err != nil {
			found.BadEmployees = append(found.BadEmployees, id)
		}
		if c["domain"] == "" || c["createdate"] < "2021-11" || c["createdate"] > c["hs_lastmodifieddate"] || c["hs_lastmodifieddate"] > "2026-11-23T10:00:00.000Z" {
			t.Errorf("company %v", c)
		}
	}
	emails := map[string]string{}
	for _, id := range sorted(contacts) {
		c := contacts[id]
		company := c["associatedcompanyid"]
		switch there, ok := companies[company]; {
		case company == "":
			found.ContactsWithoutCompany = append(found.ContactsWithoutCompany, id)
		case !ok || there["archived"] == "true":
			found.ContactsOfMissingCompany = append(found.ContactsOfMissingCompany, id)
		default:
			if got := w.portal.Associated("contacts", id, "companies"); !cmp.Equal(got, map[string][]string{company: {hubspotsim.Primary}}) {
				t.Errorf("contact %s is associated with %v", id, got)
			}
		}
		email := strings.ToLower(c["email"])
		switch first := emails[email]; {
		case email == "":
			found.ContactsWithoutEmail = append(found.ContactsWithoutEmail, id)
		case first == "":
			emails[email] = id
		default:
			t.Errorf("%s and %s have one address, which HubSpot does not allow", first, id)
		}
	}
	for _, o := range w.portal.Owners() {
		if o.Archived {
			found.ArchivedOwners = append(found.ArchivedOwners, o.ID)
		}
		if o.Inactive {
			found.InactiveOwners = append(found.InactiveOwners, o.ID)
		}
	}
	if diff := cmp.Diff(demo, found); diff != "" {
		t.Errorf("said (-) and found (+): %s", diff)
	}
	if len(companies) != 603 || len(contacts) != 2400 || len(w.portal.Owners()) != 40 || len(found.ArchivedOwners) != 2 || len(found.InactiveOwners) != 1 ||
		len(found.CompaniesWithoutName) != 2 || len(found.BadEmployees) != 3 || len(found.ContactsWithoutCompany) != 24 ||
		len(found.ContactsOfMissingCompany) != 12 || len(found.ContactsWithoutEmail) != 12 {
		t.Errorf("%d companies, %d contacts, %+v", len(companies), len(contacts), found)
	}
}

func sorted(m map[string]map[string]string) []string {
	var out []string
	for id := range m {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b string) int { return int(number(a) - number(b)) })
	return out
}

func TestDemoDataIsTheSameForASeed(t *testing.T) {
	make := func(seed uint64) map[string]map[string]string {
		o := free()
		o.Seed = seed
		w := start(t, o)
		hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 8, Companies: 50, Contacts: 100})
		return values(w.portal, "contacts")
	}
	if diff := cmp.Diff(make(1), make(1)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(make(1), make(2)) {
		t.Error("the seed does not matter")
	}
}

func TestSmallDemosHaveOddRecordsToo(t *testing.T) {
	for _, n := range []int{0, 1, 5, 20} {
		w := start(t, free())
		demo := hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: n, Companies: n, Contacts: n})
		if n == 20 && (len(demo.ContactsWithoutCompany) != 1 || len(demo.ContactsWithoutEmail) != 1 || len(demo.CompaniesWithoutName) != 1) {
			t.Errorf("%+v", demo)
		}
	}
}

// heap returns the live memory.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestHundredThousandCompaniesFitInto45Megabytes(t *testing.T) {
	w := start(t, free())
	before := heap()
	hubspotsim.Seed(w.portal, hubspotsim.DemoOptions{Owners: 40, Companies: 100_000})
	w.post(companySearch, filters(byID, "hs_object_id", "GT", "0")).wants(t, http.StatusOK, `"total":100000`)
	used := heap() - before
	all := 0
	w.portal.Each("companies", func(r hubspotsim.Record) { all += len(r.Values()) })
	t.Logf("%.1f MB, %.1f values per company", float64(used)/1e6, float64(all)/100_500)
	if used > 45_000_000 || all < 12*100_500 {
		t.Errorf("%d bytes for %d values", used, all)
	}
}

func TestOneSimulatorServesManyAtOnce(t *testing.T) {
	o := free()
	o.IndexLag = hubspotsim.Lag(1, 0, time.Second)
	w := start(t, o)
	ids := w.companies(200)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 50 {
				w.portal.Set("companies", ids[(worker*50+i)%200], set("city", strconv.Itoa(i)))
				w.get("/crm/objects/"+v+"/companies?limit=20").wants(w.T, http.StatusOK)
				w.post(companySearch, filters(byID, "city", "HAS_PROPERTY", "")).wants(w.T, http.StatusOK)
				w.portal.Each("companies", func(r hubspotsim.Record) { r.Value("city") })
			}
		})
	}
	all.Wait()
	if got := w.sim.Calls(); got["objects"] != 400 || got["search"] != 400 {
		t.Errorf("calls %v", got)
	}
}
