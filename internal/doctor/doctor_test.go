package doctor_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/record"
)

// folded is an organisation that speaks as is most likely.
var folded = gainsightsim.Switches{FoldCase: true}

// but returns folded with changes.
func but(change func(*gainsightsim.Switches)) gainsightsim.Switches {
	w := folded
	change(&w)
	return w
}

// verdicts are the ids of the findings with a verdict, in order.
func verdicts(found map[string]doctor.Finding, v doctor.Verdict) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if found[id].Verdict == v {
			ids = append(ids, id)
		}
	}
	return ids
}

// Each variant is found, and then a sync brings what HubSpot holds into Gainsight.
func TestAVariantIsFoundAndTheSyncThatFollowsIsRight(t *testing.T) {
	tests := []struct {
		name    string
		o       options
		adapts  []string
		index   int  // IndexFrom of the steps
		without bool // a sync without the examination is right as well
	}{
		{"as assumed", options{target: folded}, nil, 0, true},
		{"as assumed, with a token", options{target: folded, m2m: true}, nil, 0, true},
		{"case counts", options{}, []string{"G24"}, 0, false},
		{"a token for JSON", options{target: but(func(w *gainsightsim.Switches) { w.TokenBody = "json" }), m2m: true}, []string{"G2"}, 0, true},
		{"a token for nothing", options{target: but(func(w *gainsightsim.Switches) { w.TokenBody = "empty" }), m2m: true}, []string{"G2"}, 0, false},
		{"describe by POST", options{target: but(func(w *gainsightsim.Switches) { w.DescribeByPost = true })}, []string{"G11"}, 0, false},
		{"Company", options{target: but(func(w *gainsightsim.Switches) { w.ExactNames = true })}, []string{"G13"}, 0, false},
		{"few values", options{target: but(func(w *gainsightsim.Switches) { w.MaxIn = 10 })}, []string{"G21"}, 0, false},
		{"few rows", options{target: but(func(w *gainsightsim.Switches) { w.MaxRows = 7 })}, []string{"G22"}, 1, false},
		{"rows in data, errors for none, dates as numbers", options{target: but(func(w *gainsightsim.Switches) {
			w.BareArray, w.EmptyIsError, w.EpochDates, w.FlatErrors, w.PeopleSilent = true, true, true, true, true
		})}, []string{"G16", "G17", "G19", "G27", "G39"}, 0, true},
		{"a cursor behind", options{target: folded, source: hubspotsim.Options{AfterExclusive: true}}, []string{"H11"}, 0, true},
		{"ids as text, searches counted whole", options{target: folded, source: hubspotsim.Options{StringIDs: true, WholeBody: true}}, []string{"H15", "H19"}, 0, true},
		{"silent associations", options{target: folded, source: hubspotsim.Options{SilentLinks: true}}, []string{"H14"}, 0, true},
		{"times with a colon, days as numbers, items as a list", options{target: but(func(w *gainsightsim.Switches) {
			w.DateTimeForm, w.DateForm, w.ItemsForm = "colon", "epoch", "list"
		})}, []string{"G32", "G33", "G34"}, 0, true},
		{"times as numbers", options{target: but(func(w *gainsightsim.Switches) { w.DateTimeForm = "epoch" })}, []string{"G32"}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain := newWorld(t, tt.o)
			plain.sys.Transform.IndexFrom, plain.sys.Upsert.IndexFrom = tt.index, tt.index
			plain.authorize()
			if wrong := plain.sync(t.Context()); (wrong == "") != tt.without {
				t.Errorf("without the examination, right must be %t:\n%s", tt.without, wrong)
			}
			w := newWorld(t, tt.o)
			w.sys.Transform.IndexFrom, w.sys.Upsert.IndexFrom = tt.index, tt.index
			found := w.examineAll(true)
			if diff := cmp.Diff(tt.adapts, verdicts(found, doctor.Adapts)); diff != "" {
				t.Errorf("variants (-want +got):\n%s", diff)
			}
			if wrong := verdicts(found, doctor.Wrong); len(wrong) > 0 {
				t.Errorf("must be told: %v", wrong)
			}
			if wrong := w.sync(t.Context()); wrong != "" {
				t.Errorf("after the examination:\n%s", wrong)
			}
		})
	}
}

func TestValuesAreWrittenInTheFormThatWasFound(t *testing.T) {
	row := func() map[string]any {
		return map[string]any{"Name": "Dated", "Seen__gc": "2026-11-30T23:04:05.000+0000", "RenewalDate": "2026-11-30", "Topics__gc": "Red;Blue", "Industry": "2026-11-30"}
	}
	for _, form := range []gainsightsim.Switches{
		{DateTimeForm: "offset", DateForm: "day", ItemsForm: "joined"}, {DateTimeForm: "colon", DateForm: "epoch", ItemsForm: "list"}, {DateTimeForm: "epoch"},
	} {
		w := newWorld(t, options{target: form})
		if _, err := w.doctor(true).Organisation(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := w.sys.Gainsight.Insert(t.Context(), "company", []map[string]any{row()})
		if err != nil || stored[0].Refusal != nil {
			t.Fatalf("%+v: %+v, %v", form, stored, err)
		}
		got, _ := w.target.Row("company", stored[0].GSID)
		want := map[string]any{"Name": "Dated", "Seen__gc": "2026-11-30T23:04:05Z", "RenewalDate": "2026-11-30", "Topics__gc": "Red;Blue", "Industry": "2026-11-30"}
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%+v: %s is %v, want %v", form, name, got[name], v)
			}
		}
	}
}

func TestRecordsWithoutAssociationsAreReadThoughNobodyNamesThem(t *testing.T) {
	w := newWorld(t, options{target: folded, source: hubspotsim.Options{SilentLinks: true}})
	lonely := w.portal.Create("contacts", map[string]string{"email": "lonely@us.example"})
	q := record.Query{Object: "0-1", Properties: []string{"email"}, Associations: []record.Association{{As: "Company", Object: "0-2"}}}
	c := w.authorize()
	if _, err := w.sys.HubSpot.Page(t.Context(), c.ID, q); !fault.Is(err, fault.Transient) {
		t.Fatalf("before the examination: %v, want Transient: unknown is not empty", err)
	}
	if _, err := w.doctor(false).Account(t.Context(), doctor.Connection{ID: c.ID, PortalID: c.PortalID}); err != nil {
		t.Fatal(err)
	}
	page, err := w.sys.HubSpot.Page(t.Context(), c.ID, q)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(page.Records, func(r record.Record) bool { return r.ID == lonely })
	if i < 0 || page.Records[i].Values["Company"] != nil {
		t.Errorf("the lonely contact is at %d of %d", i, len(page.Records))
	}
}

// What makes the connector wrong is told with the way out.
func TestWhatMakesTheConnectorWrongIsTold(t *testing.T) {
	refused := func(path string, status int, body string) func(r *http.Request, _ int) *hubspotsim.Fault {
		return func(r *http.Request, _ int) *hubspotsim.Fault {
			if strings.HasPrefix(r.URL.Path, path) {
				return &hubspotsim.Fault{Status: status, Body: body}
			}
			return nil
		}
	}
	tests := []struct {
		name   string
		o      options
		hs     func(r *http.Request, _ int) *hubspotsim.Fault
		portal int64
		id     string
		says   string
		others bool // the rest is not reached
	}{
		{"an address that is not allowed", options{target: gainsightsim.Switches{IPDenied: true}}, nil, 0, "G1", "Allow the address", true},
		{"a token that data calls refuse", options{target: gainsightsim.Switches{BearerRefused: true}, m2m: true}, nil, 0, "G3", "GAINSIGHT_ACCESS_KEY", true},
		{"updates that clear", options{target: gainsightsim.Switches{ClearAbsent: true}}, nil, 0, "G29", "Do not sync yet", false},
		{"people that lose companies", options{target: gainsightsim.Switches{PeopleReplace: true}}, nil, 0, "G41", "several companies", false},
		{"a lower limit", options{source: hubspotsim.Options{Limits: hubspotsim.Limits{Objects: hubspotsim.Limit{Calls: 100, Per: 10 * time.Second}}}}, nil, 0, "H7", "HUBSPOT_LIMIT=100/10s", false},
		{"another account", options{}, nil, 7, "H2", "Re-authorize", false},
		{"a version that is gone", options{}, refused("/account-info", 404, `{}`), 0, "H1", "HUBSPOT_API_VERSION", true},
		{"a scope that is missing", options{}, refused("/crm/owners", 403, `{"category":"MISSING_SCOPES"}`), 0, "H3", "Re-authorize", false},
		{"changes that are not found", options{}, refused("/crm/objects/2026-09/0-1/search", 200, `{"total":0,"results":[]}`), 0, "H17", "-mode full", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.o)
			c := w.authorize()
			w.source.SetFault(tt.hs)
			organisation, err := w.doctor(true).Organisation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			portal := c.PortalID
			if tt.portal != 0 {
				portal = tt.portal
			}
			account, err := w.doctor(true).Account(t.Context(), doctor.Connection{ID: c.ID, PortalID: portal})
			if err != nil {
				t.Fatal(err)
			}
			found := byID(t, organisation, account)
			if diff := cmp.Diff([]string{tt.id}, verdicts(found, doctor.Wrong)); diff != "" {
				t.Errorf("must be told (-want +got):\n%s", diff)
			}
			if f := found[tt.id]; !strings.Contains(f.Does, tt.says) {
				t.Errorf("%q lacks %q", f.Does, tt.says)
			}
			if organisation.Wrong() != strings.HasPrefix(tt.id, "G") || account.Wrong() != strings.HasPrefix(tt.id, "H") {
				t.Error("the reports do not say which vendor it is")
			}
			reached := found["G19"].Verdict != doctor.Unchecked && found["H20"].Verdict != doctor.Unchecked
			if reached == tt.others {
				t.Errorf("the rest was reached: %t", reached)
			}
		})
	}
}

func TestNothingIsWrittenUnlessItIsAskedFor(t *testing.T) {
	w := newWorld(t, options{})
	found := w.examineAll(false)
	if n := w.target.Writes(); n != 0 || len(w.target.Written()) != 0 {
		t.Errorf("%d writes, rows %v", n, w.target.Written())
	}
	for _, line := range w.source.Requests() {
		if verb, path, _ := strings.Cut(line, " "); verb != "GET" && !strings.Contains(path, "/batch/read") && !strings.HasSuffix(path, "/search") && !strings.HasPrefix(path, "/oauth/") {
			t.Errorf("HubSpot got %s", line)
		}
	}
	if f := found["G29"]; f.Verdict != doctor.Unchecked || !strings.Contains(f.Does, "-write") {
		t.Errorf("what only a write shows is %+v", f)
	}
	calls := 0
	for class, n := range w.target.Calls() {
		if class != "users" {
			calls += n
		}
	}
	if calls > 50 || w.target.Calls()["users"] != 0 {
		t.Errorf("%d calls of Gainsight, want at most 50, none of the User API: %v", calls, w.target.Calls())
	}
}

func TestAnEmptyOrganisationIsExaminedOnTheTestRecords(t *testing.T) {
	w := newWorld(t, options{empty: true, target: gainsightsim.Switches{BareArray: true, EpochDates: true}})
	before := byID(t, must(w.doctor(false).Organisation(t.Context())))
	after := byID(t, must(w.doctor(true).Organisation(t.Context())))
	for _, id := range []string{"G16", "G17", "G24"} {
		if before[id].Verdict != doctor.Unchecked || after[id].Verdict != doctor.Adapts {
			t.Errorf("%s: %s without a row, %s with one", id, before[id].Verdict, after[id].Verdict)
		}
	}
	if d, err := w.sys.Found.Gainsight(t.Context()); err != nil || !d.Exact {
		t.Errorf("stored %+v, %v", d, err)
	}
}

// An examination that cannot see something does not forget it; one that sees it
// otherwise does.
func TestWhatAnExaminationCannotSeeStaysAsItWasFound(t *testing.T) {
	w := newWorld(t, options{target: gainsightsim.Switches{DateTimeForm: "colon", DateForm: "epoch", ItemsForm: "list", MaxRows: 7, TokenBody: "empty"}, m2m: true})
	found := func(write bool) gainsight.Dialect {
		t.Helper()
		if _, err := w.doctor(write).Organisation(t.Context()); err != nil {
			t.Fatal(err)
		}
		return must(w.sys.Found.Gainsight(t.Context()))
	}
	all := found(true)
	want := gainsight.Dialect{
		TokenBody: gainsight.TokenEmpty, PageRows: 7, Exact: true, DateTime: gainsight.TimeColon, Date: gainsight.TimeEpoch, ItemsAsList: true,
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("found by writing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, found(false)); diff != "" {
		t.Errorf("then without (-want +got):\n%s", diff)
	}
	w.target.SetSwitches(folded)
	if diff := cmp.Diff(gainsight.Dialect{TokenBody: gainsight.TokenForm}, found(true)); diff != "" {
		t.Errorf("then otherwise (-want +got):\n%s", diff)
	}
}

// The test company is removed, also one of an examination that was cut off. The
// test person stays, and is one however often it is examined.
func TestTheTestRecordsAreRemovedOrNamed(t *testing.T) {
	w := newWorld(t, options{})
	companies := w.target.Count("company")
	for range 2 {
		w.target.Insert("company", map[string]any{"Name": "HubSpot connector doctor (may be deleted)"})
		r, err := w.doctor(true).Organisation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a person with the e-mail address hubspot-connector-doctor@example.com"}, r.Left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
	if n := w.target.Count("company"); n != companies {
		t.Errorf("%d companies, want %d as before", n, companies)
	}
	if n := w.target.Count("person"); n != 1 {
		t.Errorf("%d persons, want 1", n)
	}
}

func TestAnOrganisationThatIsDownIsNoFinding(t *testing.T) {
	w := newWorld(t, options{})
	w.target.SetFault(func(*http.Request, int) *gainsightsim.Fault {
		return &gainsightsim.Fault{Status: 503, Body: "<html>canary</html>"}
	})
	r, err := w.doctor(true).Organisation(t.Context())
	if !fault.Is(err, fault.Transient) {
		t.Errorf("err = %v, want Transient", err)
	}
	found := byID(t, r)
	if len(found) != 52 || len(verdicts(found, doctor.Unchecked)) != 52 || r.Wrong() {
		t.Errorf("%d findings, %d unchecked", len(found), len(verdicts(found, doctor.Unchecked)))
	}
	w.target.SetFault(nil)
	if d, err := w.sys.Found.Gainsight(t.Context()); err != nil || d.Exact {
		t.Errorf("stored %+v, %v", d, err)
	}
}

func TestASpentQuotaIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		w.target.SetLimits(gainsightsim.Limits{CallsPerMinute: 12}) // others use the rest
		from := time.Now()
		r, err := w.doctor(false).Organisation(t.Context())
		if err != nil || r.Wrong() {
			t.Fatalf("%v: %v", err, verdicts(byID(t, r), doctor.Wrong))
		}
		if waited := time.Since(from); waited < time.Minute || waited > 10*time.Minute {
			t.Errorf("waited %s", waited)
		}
	})
}
