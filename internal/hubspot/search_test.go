package hubspot_test

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

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/record"
)

// hit is one record that search knows.
type hit struct {
	id int
	at time.Time
}

// searchable answers searches as the vendor documents them: by filters, in the
// order of ids, at most 200, with the exact total. change may alter an answer.
type searchable struct {
	t        *testing.T
	property string
	hits     []hit
	change   func(n int, results []hit) []hit
}

type searchRequest struct {
	FilterGroups []struct {
		Filters []struct {
			PropertyName string `json:"propertyName"`
			Operator     string `json:"operator"`
			Value        string `json:"value"`
		} `json:"filters"`
	} `json:"filterGroups"`
	Sorts []struct {
		PropertyName string `json:"propertyName"`
		Direction    string `json:"direction"`
	} `json:"sorts"`
	Limit int    `json:"limit"`
	After string `json:"after"`
}

func (s *searchable) answer(n int, c call) (int, string, http.Header) {
	var r searchRequest
	if err := json.Unmarshal([]byte(c.body), &r); err != nil || len(r.FilterGroups) != 1 {
		s.t.Fatalf("search %s: %v", c.body, err)
	}
	if r.After != "" || r.Limit != 200 || len(r.Sorts) != 1 || r.Sorts[0].PropertyName != "hs_object_id" || r.Sorts[0].Direction != "ASCENDING" {
		s.t.Errorf("search %s: want a keyset by id", c.body)
	}
	match := func(h hit) bool {
		for _, f := range r.FilterGroups[0].Filters {
			want, err := strconv.ParseInt(f.Value, 10, 64)
			if err != nil || want == 0 {
				s.t.Errorf("filter %v", f)
			}
			switch f.PropertyName + " " + f.Operator {
			case "hs_object_id GT":
				if int64(h.id) <= want {
					return false
				}
			case s.property + " GTE":
				if h.at.UnixMilli() < want {
					return false
				}
			case s.property + " LT":
				if h.at.UnixMilli() >= want {
					return false
				}
			default:
				s.t.Errorf("filter %v", f)
			}
		}
		return true
	}
	var results []hit
	for _, h := range s.hits {
		if match(h) {
			results = append(results, h)
		}
	}
	slices.SortFunc(results, func(a, b hit) int { return a.id - b.id })
	total := len(results)
	results = results[:min(total, 200)]
	if s.change != nil {
		results = s.change(n, slices.Clone(results))
	}
	texts := make([]string, len(results))
	for i, h := range results {
		at := h.at.UTC().Format("2006-01-02T15:04:05.000Z")
		texts[i] = fmt.Sprintf(`{"id":"%d","properties":{"%s":"%s","name":"n%d","hs_object_id":"%d"},"updatedAt":"%s"}`, h.id, s.property, at, h.id, h.id, at)
	}
	return 200, fmt.Sprintf(`{"total":%d,"results":[%s],"paging":{"next":{"after":"200"}}}`, total, strings.Join(texts, ",")), nil
}

// scan reads a window to its end and returns the ids in the order of arrival.
func scan(t *testing.T, c *hubspot.Client, q record.Query) []int {
	t.Helper()
	all := []int{}
	for range 1000 {
		page, err := c.Page(t.Context(), "c1", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			id, _ := strconv.Atoi(r.ID)
			all = append(all, id)
		}
		if q.After = page.Next; page.Next == "" {
			return all
		}
	}
	t.Fatal("the scan does not end")
	return nil
}

func window(object string) record.Query {
	return record.Query{Object: object, Properties: []string{"name"}, Since: noon().Add(-time.Hour), Until: noon()}
}

// many are n records, ids from first on, all at one moment.
func many(first, n int, at time.Time) []hit {
	all := make([]hit, n)
	for i := range all {
		all[i] = hit{first + i, at}
	}
	return all
}

func idsOf(hits []hit) []int {
	all := make([]int, len(hits))
	for i, h := range hits {
		all[i] = h.id
	}
	return all
}

func TestSearchFindsEachChangeOnce(t *testing.T) {
	at := noon().Add(-time.Minute)
	q := window("0-2")
	edges := []hit{{1, q.Since}, {2, q.Until.Add(-time.Millisecond)}}
	tests := []struct {
		name  string
		hits  []hit
		want  []int
		calls int
	}{
		{"nothing changed", nil, []int{}, 1},
		{"both edges of the window", append([]hit{{3, q.Until}, {4, q.Since.Add(-time.Millisecond)}}, edges...), []int{1, 2}, 1},
		{"one page", many(1, 199, at), idsOf(many(1, 199, at)), 1},
		{"exactly one page", many(1, 200, at), idsOf(many(1, 200, at)), 1},
		{"one more", many(1, 201, at), idsOf(many(1, 201, at)), 2},
		{"25,000 in one millisecond", many(900, 25000, at), idsOf(many(900, 25000, at)), 125},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &searchable{t: t, property: "hs_lastmodifieddate", hits: test.hits}
			c, p := connect(t, s.answer)
			if diff := cmp.Diff(test.want, scan(t, c, q)); diff != "" {
				t.Error(diff)
			}
			if len(p.calls) != test.calls {
				t.Errorf("%d calls, want %d", len(p.calls), test.calls)
			}
		})
	}
}

func TestSearchAsksByTheModifiedPropertyOfTheObject(t *testing.T) {
	for object, property := range map[string]string{"0-1": "lastmodifieddate", "0-2": "hs_lastmodifieddate", "2-77": "hs_lastmodifieddate"} {
		t.Run(object, func(t *testing.T) {
			s := &searchable{t: t, property: property, hits: many(7, 1, noon().Add(-time.Second))}
			c, p := connect(t, s.answer)
			page, err := c.Page(t.Context(), "c1", window(object))
			if err != nil {
				t.Fatal(err)
			}
			want := record.Page{Records: []record.Record{{ID: "7", Version: 1795435199000, Values: map[string]*string{"name": text("n7")}}}}
			if diff := cmp.Diff(want, page); diff != "" {
				t.Error(diff)
			}
			sent := call{
				"POST /crm/objects/2026-09/" + object + "/search",
				`{"filterGroups":[{"filters":[{"propertyName":"` + property + `","operator":"GTE","value":"1795431600000"},{"propertyName":"` + property + `","operator":"LT","value":"1795435200000"}]}],` +
					`"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}],"properties":["name","` + property + `"],"limit":200}`,
			}
			if p.calls[0] != sent {
				t.Errorf("sent %v, want %v", p.calls[0], sent)
			}
		})
	}
}

func TestNoRecordIsLostWhileOthersMove(t *testing.T) {
	at, later := noon().Add(-time.Minute), noon().Add(time.Minute)
	s := &searchable{t: t, property: "hs_lastmodifieddate", hits: many(1, 1000, at)}
	// With each page one record that was returned leaves the window, and one joins.
	s.change = func(n int, results []hit) []hit {
		s.hits[n*10].at = later
		s.hits = append(s.hits, hit{2000 + n, at})
		return results
	}
	c, p := connect(t, s.answer)
	got := scan(t, c, window("0-2"))
	seen := map[int]int{}
	for _, id := range got {
		seen[id]++
	}
	for id := 1; id <= 1000; id++ {
		if seen[id] != 1 {
			t.Errorf("record %d arrived %d times", id, seen[id])
		}
	}
	if len(p.calls) > 7 {
		t.Errorf("%d calls, want at most 7", len(p.calls))
	}
}

func TestOddResultsOfSearchDoNoHarm(t *testing.T) {
	at := noon().Add(-time.Minute)
	tests := []struct {
		name   string
		change func(n int, results []hit) []hit
	}{
		{"out of order", func(_ int, results []hit) []hit { slices.Reverse(results); return results }},
		{"newer than the window, with a high id", func(_ int, r []hit) []hit { return append([]hit{{99999, noon().Add(time.Second)}}, r...) }},
		{"older than the window", func(_ int, r []hit) []hit { return append(r, hit{88888, noon().Add(-2 * time.Hour)}) }},
		{"twice", func(_ int, r []hit) []hit { return append(r, r...) }},
		{"from before the cursor", func(_ int, r []hit) []hit { return append([]hit{{1, at}}, r...) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &searchable{t: t, property: "hs_lastmodifieddate", hits: many(1, 450, at), change: test.change}
			c, p := connect(t, s.answer)
			if diff := cmp.Diff(idsOf(many(1, 450, at)), scan(t, c, window("0-2"))); diff != "" {
				t.Error(diff)
			}
			if len(p.calls) != 3 {
				t.Errorf("%d calls, want 3", len(p.calls))
			}
		})
	}
}

func TestCountedButUnsentIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"no results":     `{"total":7,"results":[]}`,
		"an old page":    `{"total":7,"results":[{"id":"5","properties":{}}]}`,
		"a senseless id": `{"total":1,"results":[{"id":"x","properties":{}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, answers(body))
			q := window("0-2")
			q.After = "search:5"
			_, err := c.Page(t.Context(), "c1", q)
			checkFault(t, err, fault.Transient, "search")
		})
	}
}

func TestAnEmptyWindowNeedsNoCall(t *testing.T) {
	c, p := connect(t, answers(`{"total":0,"results":[]}`))
	q := window("0-2")
	q.Since = q.Until
	if page, err := c.Page(t.Context(), "c1", q); err != nil || page.Next != "" || len(p.calls) != 0 {
		t.Errorf("%v after %d calls, %v", page, len(p.calls), err)
	}
}

func TestTheFirstInstantIsNeverAskedFor(t *testing.T) {
	s := &searchable{t: t, property: "hs_lastmodifieddate"} // fails on a filter of 0
	c, p := connect(t, s.answer)
	q := window("0-2")
	q.Since = time.UnixMilli(0)
	scan(t, c, q)
	if !strings.Contains(p.calls[0].body, `"operator":"GTE","value":"1"`) {
		t.Errorf("sent %s", p.calls[0].body)
	}
}

func TestALongSearchReadsItsPropertiesByID(t *testing.T) {
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("property_%04d", i)
	}
	c, p := connect(t, func(_ int, one call) (int, string, http.Header) {
		if strings.HasSuffix(one.line, "/search") {
			if len(one.body) > 3000 {
				return 400, "", nil
			}
			return 200, `{"total":2,"results":[{"id":"5","properties":{}},{"id":"6","properties":{}}]}`, nil
		}
		return 200, `{"results":[{"id":"6","properties":{"property_0007":"x"}},{"id":"5","properties":{"property_0007":"x"}}]}`, nil
	})
	q := window("0-2")
	q.Properties = names
	page, err := c.Page(t.Context(), "c1", q)
	if err != nil || len(page.Records) != 2 || page.Records[0].ID != "5" || page.Records[0].Text("property_0007") != "x" {
		t.Errorf("%v, %v", page, err)
	}
	want := []string{"POST /crm/objects/2026-09/0-2/search", "POST /crm/objects/2026-09/0-2/batch/read?archived=false"}
	if diff := cmp.Diff(want, p.lines()); diff != "" {
		t.Error(diff)
	}
}
