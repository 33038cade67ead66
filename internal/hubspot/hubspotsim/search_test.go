package hubspotsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

const companySearch = "/crm/objects/" + v + "/companies/search"

// filters makes a search body of one group: property, operator, value.
func filters(rest string, triples ...string) string {
	type one struct {
		PropertyName string `json:"propertyName"`
		Operator     string `json:"operator"`
		Value        string `json:"value"`
	}
	list := []one{}
	for i := 0; i < len(triples); i += 3 {
		list = append(list, one{triples[i], triples[i+1], triples[i+2]})
	}
	text, _ := json.Marshal(list)
	return `{"filterGroups":[{"filters":` + string(text) + `}]` + rest + `}`
}

const byID = `,"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}],"limit":200`

// keyset reads a window page by page as a careful reader does, and calls
// between before each further page.
func (w *world) keyset(from, until time.Time, between func(page int, seen []result)) (ids []string, calls int) {
	w.Helper()
	last := "0"
	for calls < 1000 {
		answer := w.post(companySearch, filters(byID, "hs_lastmodifieddate", "GTE", strconv.FormatInt(from.UnixMilli(), 10),
			"hs_lastmodifieddate", "LT", strconv.FormatInt(until.UnixMilli(), 10), "hs_object_id", "GT", last))
		answer.wants(w.T, http.StatusOK)
		got := answer.page(w.T)
		calls++
		if len(got.Results) == 0 {
			return ids, calls
		}
		for _, id := range got.ids() {
			if a, b := number(id), number(last); a > b {
				last = id
			}
			ids = append(ids, id)
		}
		if between != nil {
			between(calls, got.Results)
		}
	}
	w.Fatal("the search never ends")
	return nil, 0
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

func at(passed time.Duration) time.Time {
	return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(passed)
}

func TestKeysetSearchReadsTensOfThousandsInOneMillisecond(t *testing.T) {
	w := start(t, free())
	want := w.companies(25_000)
	got, calls := w.keyset(at(0), at(time.Millisecond), nil)
	if diff := cmp.Diff(want, got); diff != "" || calls != 126 {
		t.Errorf("%d calls, got %d of %d records", calls, len(got), len(want))
	}
	if got, _ := w.keyset(at(time.Millisecond), at(time.Second), nil); len(got) != 0 {
		t.Errorf("%d records outside the window", len(got))
	}
}

func TestTotalIsExact(t *testing.T) {
	w := start(t, free())
	ids := w.companies(300)
	w.portal.Archive("companies", ids[0])
	got := w.post(companySearch, filters(byID, "hs_object_id", "GT", ids[49])).page(t)
	if got.Total != 250 || len(got.Results) != 200 || got.Results[0].ID != ids[50] || got.Paging.Next.After != "200" {
		t.Errorf("total %d, %d results, after %s", got.Total, len(got.Results), got.Paging.Next.After)
	}
}

func TestKeysetSearchLosesNothingWhileRecordsLeaveTheWindow(t *testing.T) {
	w := start(t, free())
	want := w.companies(1000)
	w.passed = time.Second
	got, _ := w.keyset(at(0), at(time.Second), func(_ int, seen []result) {
		w.portal.Set("companies", seen[0].ID, set("name", "edited"))
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lost or repeated: %s", diff)
	}
}

func TestOffsetSearchLosesRecordsThatShift(t *testing.T) {
	w := start(t, free())
	w.companies(30)
	w.passed = time.Second
	body := func(after string) string {
		return filters(`,"limit":10,"after":"`+after+`"`, "hs_lastmodifieddate", "LT", strconv.FormatInt(at(time.Second).UnixMilli(), 10))
	}
	first := w.post(companySearch, body("0")).page(t)
	w.portal.Set("companies", first.Results[0].ID, set("name", "edited"))
	second := w.post(companySearch, body("10")).page(t)
	if got := number(second.Results[0].ID) - number(first.Results[9].ID); got <= 0 || second.Total != 29 {
		t.Fatalf("gap %d, total %d", got, second.Total)
	}
	all := w.get("/crm/objects/" + v + "/companies?limit=30").page(t).ids()
	if second.Results[0].ID != all[11] {
		t.Errorf("the second page starts at %s, want %s: one is skipped", second.Results[0].ID, all[11])
	}
}

func TestSearchShowsEditsWhenTheirLagIsOver(t *testing.T) {
	o := free()
	o.IndexLag = func(string) time.Duration { return 3 * time.Second }
	w := start(t, o)
	id := w.companies(1)[0]
	byName := func(name string) int { return w.post(companySearch, filters("", "name", "EQ", name)).page(t).Total }
	w.passed = 2999 * time.Millisecond
	if byName("company 0") != 0 {
		t.Error("a new record is found before its lag is over")
	}
	if got := w.get("/crm/objects/" + v + "/companies").page(t); len(got.Results) != 1 {
		t.Error("list lags")
	}
	w.passed = 3 * time.Second
	if byName("company 0") != 1 {
		t.Error("a new record is not found after its lag")
	}
	w.portal.Set("companies", id, set("name", "Acme"))
	w.passed = 4 * time.Second
	w.portal.Set("companies", id, set("name", "Bolt"))
	answer := w.post(companySearch, filters("", "name", "EQ", "company 0"))
	answer.wants(t, http.StatusOK, `"name":"Company 0"`, `"updatedAt":"2026-11-23T10:00:00.000Z"`)
	w.passed = 6 * time.Second
	if byName("company 0") != 0 || byName("acme") != 1 || byName("bolt") != 0 {
		t.Error("the first edit is not shown at its time")
	}
	w.passed = 7 * time.Second
	if byName("acme") != 0 || byName("bolt") != 1 {
		t.Error("the second edit is not shown at its time")
	}
	w.portal.Archive("companies", id)
	if byName("bolt") != 0 {
		t.Error("an archived record is found")
	}
}

func TestLagIsWithinItsBounds(t *testing.T) {
	lag := hubspotsim.Lag(1, 2*time.Second, 5*time.Second)
	low, high := time.Hour, time.Duration(0)
	for range 10_000 {
		d := lag("1")
		low, high = min(low, d), max(high, d)
	}
	if low < 2*time.Second || low > 2100*time.Millisecond || high > 5*time.Second || high < 4900*time.Millisecond {
		t.Errorf("lag from %s to %s", low, high)
	}
}

func TestEveryEditIsFoundSomeLagLater(t *testing.T) {
	o := free()
	o.IndexLag = hubspotsim.Lag(7, 0, 15*time.Minute)
	o.TokenLife = 24 * time.Hour
	w := start(t, o)
	ids := w.companies(100)
	for round := range 20 {
		w.passed += time.Minute
		for i := round; i < len(ids); i += 3 {
			w.portal.Set("companies", ids[i], set("city", strconv.Itoa(round)))
		}
	}
	w.passed += 15 * time.Minute
	for id, found := range w.found(t) {
		rec, _ := w.portal.Get("companies", id)
		if want, _ := rec.Value("city"); found != want {
			t.Errorf("search shows %q, want %q", found, want)
		}
	}
}

func (w *world) found(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	got := w.post(companySearch, filters(`,"limit":200,"properties":["city"]`, "city", "HAS_PROPERTY", "")).page(t)
	for _, r := range got.Results {
		out[r.ID] = *r.Properties["city"]
	}
	if len(out) == 0 {
		t.Fatal("nothing was found")
	}
	return out
}

func TestDisorderedPagesLoseNothing(t *testing.T) {
	o := free()
	o.Disorder = 2
	w := start(t, o)
	var want []string
	for i, id := range w.companies(1001) {
		if i%2 == 0 {
			want = append(want, id)
			continue
		}
		w.passed = time.Second
		w.portal.Set("companies", id, set("name", "later"))
	}
	strange, unordered := 0, false
	got, _ := w.keyset(at(0), at(time.Second), func(_ int, seen []result) {
		unordered = unordered || !slices.IsSortedFunc(seen, func(a, b result) int { return int(number(a.ID) - number(b.ID)) })
	})
	slices.Sort(got)
	got = slices.DeleteFunc(slices.Compact(got), func(id string) bool {
		_, ok := slices.BinarySearch(want, id)
		if !ok {
			strange++
		}
		return !ok
	})
	if diff := cmp.Diff(want, got); diff != "" || strange == 0 || !unordered {
		t.Errorf("%d strange records, unordered %v: %s", strange, unordered, diff)
	}
}

func TestSearchLimitsAreEnforced(t *testing.T) {
	w := start(t, free())
	w.companies(3)
	many := func(groups, each int) string {
		one := `{"propertyName":"name","operator":"HAS_PROPERTY"}`
		g := `{"filters":[` + strings.TrimSuffix(strings.Repeat(one+",", each), ",") + `]}`
		return `{"filterGroups":[` + strings.TrimSuffix(strings.Repeat(g+",", groups), ",") + `]}`
	}
	for _, test := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"empty", `{}`, 200, `"total":3`},
		{"page of 200", `{"limit":200}`, 200, ""},
		{"page of 201", `{"limit":201}`, 400, "VALIDATION_ERROR"},
		{"last of 10,000", `{"limit":100,"after":"9900"}`, 200, `"results":[]`},
		{"beyond 10,000", `{"limit":100,"after":"9901"}`, 400, "VALIDATION_ERROR"},
		{"after 10,000", `{"limit":1,"after":"10000"}`, 400, "VALIDATION_ERROR"},
		{"list cursor", `{"after":"28710045123"}`, 400, "Cannot deserialize value of type"},
		{"association cursor", `{"after":"NTAw"}`, 400, "Cannot deserialize value of type"},
		{"after as a number", `{"after":1}`, 200, ""},
		{"3 groups of 6", many(3, 6), 200, ""},
		{"6 groups", many(6, 1), 400, "VALIDATION_ERROR"},
		{"7 filters in a group", many(1, 7), 400, "VALIDATION_ERROR"},
		{"20 filters", many(5, 4), 400, "VALIDATION_ERROR"},
		{"query of 3,001", `{"query":"` + strings.Repeat("x", 3001) + `"}`, 400, "VALIDATION_ERROR"},
		{"long body", `{"properties":["` + strings.Repeat("x", 3001) + `"]}`, 200, ""},
		{"two sorts", `{"sorts":[{"propertyName":"name"},{"propertyName":"city"}]}`, 400, "VALIDATION_ERROR"},
		{"sort as a string", `{"sorts":["name"]}`, 400, "VALIDATION_ERROR"},
		{"unknown operator", filters("", "name", "LIKE", "a"), 400, "VALIDATION_ERROR"},
		{"unknown property", filters("", "nonsense", "EQ", "a"), 400, "VALIDATION_ERROR"},
		{"no values", filters("", "name", "IN", "a"), 400, "VALIDATION_ERROR"},
		{"text for a number", filters("", "numberofemployees", "GT", "many"), 400, "VALIDATION_ERROR"},
		{"the epoch", filters("", "hs_lastmodifieddate", "GTE", "0"), 500, "error"},
	} {
		t.Run(test.name, func(t *testing.T) { w.post(companySearch, test.body).wants(t, test.status, test.text) })
	}
	o := free()
	o.WholeBody = true
	start(t, o).post(companySearch, `{"properties":["`+strings.Repeat("x", 3001)+`"]}`).wants(t, 400)
}

func TestOffsetsCanReadTenThousandAndNoMore(t *testing.T) {
	w := start(t, free())
	w.companies(10_001)
	last := w.post(companySearch, `{"limit":200,"after":"9800"}`)
	last.wants(t, http.StatusOK, `"after":"10000"`, `"total":10001`)
	w.post(companySearch, `{"limit":200,"after":"10000"}`).wants(t, http.StatusBadRequest)
}

func TestOperators(t *testing.T) {
	w := start(t, free())
	at := func(name string, props ...string) {
		w.portal.Create("companies", set(append([]string{"name", name}, props...)...))
	}
	at("Acme Steel", "numberofemployees", "9", "industry", "BANKING", "contract_renewal_date", "2026-05-01", "is_public", "true")
	at("Bolt", "numberofemployees", "10", "industry", "RETAIL", "contract_renewal_date", "2026-06-01")
	at("Cobalt-Works", "numberofemployees", "N/A", "domain", "cobalt.example")
	for _, test := range []struct {
		name, body string
		want       string
	}{
		{"EQ on a string ignores case", filters("", "name", "EQ", "BOLT"), "Bolt"},
		{"IN on a string needs lower case", in("name", "bolt", "Cobalt-Works"), "Bolt"},
		{"IN on a choice does not", in("industry", "BANKING", "retail"), "Acme Steel"},
		{"numbers are compared as numbers", filters("", "numberofemployees", "LT", "10"), "Acme Steel"},
		{"NEQ", filters("", "industry", "NEQ", "BANKING"), "Bolt Cobalt-Works"},
		{"dates as ISO", filters("", "contract_renewal_date", "GTE", "2026-05-15"), "Bolt"},
		{"dates as ms", filters("", "contract_renewal_date", "LTE", "1777593600000"), "Acme Steel"},
		{"HAS_PROPERTY", filters("", "is_public", "HAS_PROPERTY", ""), "Acme Steel"},
		{"NOT_HAS_PROPERTY", filters("", "domain", "NOT_HAS_PROPERTY", ""), "Acme Steel Bolt"},
		{"CONTAINS_TOKEN", filters("", "name", "CONTAINS_TOKEN", "steel"), "Acme Steel"},
		{"CONTAINS_TOKEN with a star", filters("", "name", "CONTAINS_TOKEN", "cob*"), "Cobalt-Works"},
		{"NOT_CONTAINS_TOKEN", filters("", "name", "NOT_CONTAINS_TOKEN", "steel"), "Bolt Cobalt-Works"},
		{"filters of a group all hold", filters("", "industry", "EQ", "RETAIL", "numberofemployees", "GT", "10"), ""},
		{"top-level filters are a group", `{"filters":[{"propertyName":"name","operator":"EQ","value":"bolt"}]}`, "Bolt"},
		{"one of the groups holds", `{"filterGroups":[{"filters":[{"propertyName":"name","operator":"EQ","value":"bolt"}]},{"filters":[{"propertyName":"is_public","operator":"EQ","value":"true"}]}]}`, "Acme Steel Bolt"},
		{"BETWEEN", `{"filters":[{"propertyName":"numberofemployees","operator":"BETWEEN","value":9,"highValue":"9.5"}]}`, "Acme Steel"},
		{"ids as numbers", filters("", "hs_object_id", "LTE", "99999999999", "hs_object_id", "GTE", "1", "hs_object_id", "NEQ", "5"), "Acme Steel Bolt Cobalt-Works"},
		{"an id that is none", filters("", "hs_object_id", "EQ", "5"), ""},
		{"ids in a list", in("hs_object_id", "5", "6"), ""},
		{"ids not in a list", strings.Replace(in("hs_object_id", "5"), "IN", "NOT_IN", 1), "Acme Steel Bolt Cobalt-Works"},
		{"numbers in a list", in("numberofemployees", "10.0"), "Bolt"},
		{"NOT_IN", strings.Replace(in("industry", "BANKING"), "IN", "NOT_IN", 1), "Bolt Cobalt-Works"},
		{"the create date", `{"filters":[{"propertyName":"createdate","operator":"BETWEEN","value":"2026-11-23","highValue":"2026-11-24"}]}`, "Acme Steel Bolt Cobalt-Works"},
		{"a star before", filters("", "name", "CONTAINS_TOKEN", "*eel"), "Acme Steel"},
		{"stars around", filters("", "name", "CONTAINS_TOKEN", "*obal*"), "Cobalt-Works"},
		{"sorted by id, last first", `{"sorts":[{"propertyName":"hs_object_id","direction":"DESCENDING"}]}`, "Cobalt-Works Bolt Acme Steel"},
		{"query", `{"query":"cobalt.exa"}`, "Cobalt-Works"},
		{"sorted by a property", `{"sorts":[{"propertyName":"name","direction":"DESCENDING"}]}`, "Cobalt-Works Bolt Acme Steel"},
		{"sorted by a number, without one last", `{"sorts":[{"propertyName":"contract_renewal_date","direction":"DESCENDING"}]}`, "Bolt Acme Steel Cobalt-Works"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := w.post(companySearch, test.body)
			answer.wants(t, http.StatusOK)
			var names []string
			for _, r := range answer.page(t).Results {
				names = append(names, *r.Properties["name"])
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func in(property string, values ...string) string {
	list, _ := json.Marshal(values)
	return fmt.Sprintf(`{"filters":[{"propertyName":%q,"operator":"IN","values":%s}]}`, property, list)
}

func TestContactsHaveAModifiedPropertyOfTheirOwn(t *testing.T) {
	w := start(t, free())
	w.portal.Create("contacts", set("email", "a@b.example"))
	search := func(property string) int {
		return w.post("/crm/objects/"+v+"/0-1/search", filters("", property, "GTE", "1000")).page(t).Total
	}
	if search("lastmodifieddate") != 1 || search("hs_lastmodifieddate") != 0 {
		t.Error("contacts are found by the wrong property")
	}
}

func TestSearchByAssociation(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	contact := w.portal.Create("contacts", nil)
	body := filters("", "associations.contacts", "EQ", contact)
	if got := w.post(companySearch, body).page(t).Total; got != 0 {
		t.Errorf("found %d", got)
	}
	w.portal.Associate("companies", ids[1], "contacts", contact, "")
	if got := w.post(companySearch, body).page(t).ids(); !cmp.Equal(got, ids[1:]) {
		t.Errorf("found %v", got)
	}
	w.portal.Archive("contacts", contact)
	if got := w.post(companySearch, body).page(t).Total; got != 0 {
		t.Errorf("found %d by an archived contact", got)
	}
}
