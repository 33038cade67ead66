package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

var update = flag.Bool("update", false, "write the table of costs in README.md anew")

const (
	costBegin = "<!-- cost: written by go test ./internal/e2e -run Cost -update -->\n"
	costEnd   = "<!-- end of cost -->\n"
)

// How many of the hundred calls of each of Gainsight's minutes are used at least while
// work remains: by a run, and by a slice of backlog, which leaves a quarter to others.
const (
	ofARun   = 95
	ofASlice = 71
)

// What a first load of a million may cost, in dollars.
const (
	ofCompanies = 0.12
	ofPeople    = 1.20
)

// TestCostIsWhatReadmeSays counts, in virtual time and at Gainsight's real
// limits, what a first load costs on AWS: of companies in one run, as up to a million
// are loaded, and of people in slices of six hours, as all but a few are.
func TestCostIsWhatReadmeSays(t *testing.T) {
	if raced {
		t.Skip("takes minutes with the race detector; make test runs it without")
	}
	const companies, people = 200_000, 27_000
	var table strings.Builder
	table.WriteString("| counted for a first load of | transitions | invocations | GB seconds | write units | read units | files written and read | dollars per million |\n|---|---|---|---|---|---|---|---|\n")
	synctest.Test(t, func(t *testing.T) {
		p := newPaid(t, nil, nil)
		first := ""
		for i := range companies {
			id := p.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)})
			if first == "" {
				first = id
			}
		}
		time.Sleep(time.Hour)
		row(t, &table, "companies", companies, ofCompanies, p.whole(t, "companies", "Company Sync_HubSpot", companies, ofARun))
		for i := range people {
			id := p.portal.Create("contacts", map[string]string{"email": fmt.Sprintf("p%d@example.com", i), "firstname": "F", "lastname": "L"})
			p.portal.Associate("contacts", id, "companies", first, hubspotsim.Primary)
		}
		time.Sleep(time.Hour)
		row(t, &table, "people", people, ofPeople, p.whole(t, "people", "Company Person Sync_HubSpot", people, ofASlice))
		p.machines.Close()
	})
	path := filepath.Join(awstest.Root(t), "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), costBegin)
	was, after, okEnd := strings.Cut(rest, costEnd)
	if !ok || !okEnd {
		t.Fatal("README.md has no place for the table of costs")
	}
	if !*update {
		if !alike(was, table.String()) {
			t.Errorf("the table of costs in README.md is old:\n%s\ngo test ./internal/e2e -run Cost -update writes\n%s", was, table.String())
		}
		return
	}
	if err := os.WriteFile(path, []byte(before+costBegin+table.String()+costEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// whole runs a job and fails the test if it makes fewer calls than least in a minute
// between its first minute of writes and its last. What a step takes between two parts
// must not cost any.
func (p *paid) whole(t *testing.T, name, job string, records, least int) charges {
	t.Helper()
	var mu sync.Mutex
	calls := map[time.Time]int{} // :: minute, from the first write on
	p.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		mu.Lock()
		defer mu.Unlock()
		if reads := r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/query/"); len(calls) > 0 || !reads {
			calls[time.Now().Truncate(time.Minute)]++
		}
		return nil
	})
	c := p.run(t, name, job, records)
	p.target.SetFault(nil)
	minutes := slices.SortedFunc(maps.Keys(calls), time.Time.Compare)
	if len(minutes) < 10 {
		t.Errorf("%s: calls in %d minutes, which are too few to tell", name, len(minutes))
	}
	last := minutes[len(minutes)-1]
	for at := minutes[1]; at.Before(last); at = at.Add(time.Minute) {
		if calls[at] < least {
			t.Errorf("%s: %d calls at %s, want at least %d in each minute", name, calls[at], at.Format("15:04"), least)
		}
	}
	return c
}

// alike reports whether two tables differ by no more than a half in any
// number: some depend on the order in which things happen at once.
func alike(a, b string) bool {
	number := regexp.MustCompile(`[0-9.]+`)
	if number.ReplaceAllString(a, "") != number.ReplaceAllString(b, "") {
		return false
	}
	other := number.FindAllString(b, -1)
	for i, text := range number.FindAllString(a, -1) {
		x, errX := strconv.ParseFloat(text, 64)
		y, errY := strconv.ParseFloat(other[i], 64)
		if errX != nil || errY != nil || math.Abs(x-y) > 0.5*max(x, y)+1 {
			return false
		}
	}
	return true
}

// row writes two digits of what was counted, and fails the test if it costs more than
// most.
func row(t *testing.T, b *strings.Builder, what string, records int, most float64, c charges) {
	t.Helper()
	if cost := c.dollars() / float64(records) * 1e6; cost > most {
		t.Errorf("%s cost %.3f dollars per million, want %.2f at most", what, cost, most)
	}
	round := func(n int64) string { return fmt.Sprintf("%.0f", two(float64(n))) }
	fmt.Fprintf(b, "| %d %s | %s | %s | %.0f | %s | %s | %s and %s | %.2g |\n", records, what, round(c.transitions), round(c.invocations),
		two(c.gbSeconds()), round(c.writeUnits), round(c.readUnits), round(c.written), round(c.got), c.dollars()/float64(records)*1e6)
	for _, function := range slices.Sorted(maps.Keys(c.billed)) {
		t.Logf("%s: %s is billed for %.1f s of %g GB", what, function, c.billed[function].Seconds(), c.gb[function])
	}
	table := perWriteUnit*float64(c.writeUnits) + perReadUnit*float64(c.readUnits)
	t.Logf("%s: of %.2g dollars per million the table takes %.2g, transitions %.2g, functions %.2g", what, c.dollars()/float64(records)*1e6,
		table/float64(records)*1e6, perTransition*float64(c.transitions)/float64(records)*1e6, perGBSecond*c.gbSeconds()/float64(records)*1e6)
}

// two keeps two digits.
func two(x float64) float64 {
	var y float64
	_, _ = fmt.Sscan(fmt.Sprintf("%.1e", x), &y)
	return y
}
