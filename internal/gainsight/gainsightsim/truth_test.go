package gainsightsim_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

func TestRowsAreASnapshotInTheOrderOfTheirMaking(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	for _, name := range []string{"Acme", "Borealis", "Cascade"} {
		o.Insert("company", map[string]any{"Name": name, "Stage": "Churn", "Employees": int64(7)})
	}
	rows := o.Rows("Company")
	for row := range rows {
		o.Delete("company", row["Gsid"].(string)) // the iterator holds no lock
	}
	var got []string
	for row := range rows {
		got = append(got, fmt.Sprint(row["Name"], row["Stage"], row["Employees"]))
		if len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{"AcmeChurn7", "BorealisChurn7"}, got); diff != "" || o.Count("company") != 0 {
		t.Errorf("%d rows are left; -want +got:\n%s", o.Count("company"), diff)
	}
}

func TestInsertPanicsOnWhatCannotBe(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	gsid := o.Insert("company", nil)
	for name, values := range map[string]map[string]any{
		"field": {"Nothing": 1}, "value": {"Stage": "xyz"}, "second row": {"Gsid": gsid},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			o.Insert("company", values)
		}()
	}
}

func TestSameSeedGivesSameGSIDs(t *testing.T) {
	id := func(seed uint64) string {
		return gainsightsim.New(gainsightsim.Options{Seed: seed}).Insert("company", nil)
	}
	if first, again := id(1), id(1); first != again || first == id(2) {
		t.Error("GSIDs do not follow the seed")
	}
}

func TestExistingRowsMatchAndClash(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.SeedExisting(gainsightsim.Existing{
		PortalID:  4711,
		Companies: []gainsightsim.ExistingCompany{{HubSpotID: "1001", Name: "Acme"}, {Name: "Borealis"}},
		Users:     []gainsightsim.ExistingUser{{Email: "dana@example.com", FirstName: "Dana"}, {Email: "sam@example.com", Twice: true}},
		Persons:   []gainsightsim.ExistingPerson{{Email: "kim@example.com", FirstName: "Kim", LastName: "Lee"}},
		Unrelated: 4,
	})
	for object, want := range map[string]int{"company": 6, "gsuser": 7, "person": 5, "company_person": 0} {
		if got := o.Count(object); got != want {
			t.Errorf("%d rows of %s, want %d", got, object, want)
		}
	}
	if diff := cmp.Diff([]string{"Acme"}, names(o, where(`HubSpot_Account_ID_4711__gc IN "1001"`), "")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	o.want("POST", query+"gsuser", `{"select":["Email"],"where":`+where(`SFDCUserName EQ "sam@example.com"`)+`}`, 200,
		`{"result":true,"errorCode":null,"errorDesc":null,"message":null,"data":{"records":[{"Email":"sam@example.com"},{"Email":"sam@example.com"}]}}`)
}

// large returns an organisation with 100,000 companies of eight fields, inserted
// by calls as they would arrive.
func large(tb testing.TB) (*gainsightsim.Sim, func(method, path, body string) int) {
	tb.Helper()
	s := gainsightsim.New(gainsightsim.Options{AccessKey: key, Limits: gainsightsim.Limits{Off: true}})
	s.Prepare(4711)
	call := caller(tb, s)
	for at := 0; at < 100_000; at += 50 {
		call("POST", companies, batch(at))
	}
	return s, call
}

func batch(at int) string {
	var b strings.Builder
	for i := at; i < at+50; i++ {
		fmt.Fprintf(&b, `,{"Name":"Company number %d Ltd","HubSpot_Account_ID_4711__gc":"%d","Industry":"Manufacturing","Employees":%d,`+
			`"Arr":%d.5,"RenewalDate":"2027-01-31","BillingAddress":"%d High Street, Leeds","Stage":"Launched"}`, i, 90_000_000+i, i%977, i*7, i)
	}
	return `{"records":[` + b.String()[1:] + `]}`
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestHundredThousandCompaniesFitIn40MB(t *testing.T) {
	before := heap()
	s, call := large(t)
	// The indexes that a sync needs.
	call("POST", query+"company", `{"select":["Gsid"],"orderBy":{"Gsid":"asc"},"limit":1}`)
	call("POST", query+"company", `{"select":["Gsid"],"where":`+where(`HubSpot_Account_ID_4711__gc IN "90000007"`)+`}`)
	used := heap() - before
	t.Logf("%.1f MB", float64(used)/1e6)
	if used > 40_000_000 {
		t.Errorf("%d bytes", used)
	}
	if got := s.Count("company"); got != 100_000 {
		t.Errorf("%d rows", got)
	}
}
