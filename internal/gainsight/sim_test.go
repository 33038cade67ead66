package gainsight_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/token"
)

// granting hands out a token that the client itself has got.
type granting struct{ client *gainsight.Client }

func (g granting) Token(ctx context.Context, _ string) (token.Token, error) {
	return g.client.Grant(ctx)
}

func (g granting) Renew(ctx context.Context, _ string, _ secret.Text) (token.Token, error) {
	return g.client.Grant(ctx)
}

// organisation returns a simulated organisation and a client with an M2M token.
func organisation(w gainsightsim.Switches) (*gainsightsim.Sim, *gainsight.Client) {
	sim := gainsightsim.New(gainsightsim.Options{
		ClientID: "id", ClientSecret: "secret", Switches: w, Limits: gainsightsim.Limits{Off: true}, Now: noon,
	})
	c := &gainsight.Client{
		Config: gainsight.Config{URL: origin, ClientID: "id", ClientSecret: "secret"},
		API:    apiclient.Client{HTTP: &http.Client{Transport: sim.Transport()}, Now: noon},
	}
	c.Tokens = granting{c}
	return sim, c
}

// codes are the refusals' codes, "" for rows that are stored.
func codes(t *testing.T, results []record.Result, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(results))
	for i, r := range results {
		switch {
		case !r.Done:
			list[i] = "not done"
		case r.Refusal != nil:
			list[i] = r.Refusal.Code
		case len(r.GSID) != 36:
			list[i] = "GSID " + r.GSID
		}
	}
	return list
}

func TestAnOrganisationIsReadAndWrittenWhateverFormItAnswersIn(t *testing.T) {
	for _, tc := range []struct {
		name string
		w    gainsightsim.Switches
	}{
		{"as seen live", gainsightsim.Switches{}},
		{"as documented", gainsightsim.Switches{BareArray: true, EmptyIsError: true, EpochDates: true, FlatErrors: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, c := organisation(tc.w)
			ctx := t.Context()
			if rows, err := c.Find(ctx, "company", nil, "Name", []string{"Northwind"}); err != nil || len(rows) != 0 {
				t.Fatalf("%d rows of an empty organisation, %v", len(rows), err)
			}
			schema, err := c.Schema(ctx, "company")
			if name, ok := schema.Field("Name"); err != nil || !ok || name.Type != record.String || name.ReadOnly {
				t.Fatalf("Name is %v: %v", name, err)
			}
			stored, err := c.Insert(ctx, "company", []map[string]any{
				{"Name": "Northwind"}, {"Name": "Contoso", "Stage": "no such stage"}, {"Name": "Fabrikam"},
			})
			if diff := cmp.Diff([]string{"", "GSOBJ_1012", ""}, codes(t, stored, err)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(&record.Refusal{
				Code: "GSOBJ_1012", Field: "Stage", Value: "no such stage", Message: "Invalid/Inactive value provided for picklist.",
			}, stored[1].Refusal); diff != "" {
				t.Error(diff)
			}
			first, gone := stored[0].GSID, "1P02"+stored[0].GSID[:32]
			changed, err := c.Update(ctx, "company", []map[string]any{{"Gsid": first, "Employees": 7}, {"Gsid": gone, "Employees": 7}})
			if diff := cmp.Diff([]string{"", "GSOBJ_1011"}, codes(t, changed, err)); diff != "" {
				t.Error(diff)
			}
			rows, err := c.Find(ctx, "company", []string{"Name", "ModifiedDate"}, "Name", []string{"Northwind", "Contoso"})
			if err != nil || len(rows) != 1 || rows[0]["Gsid"] != first {
				t.Fatalf("found %v, %v", rows, err)
			}
			if rows, err = c.Scan(ctx, "company", nil, min(first, stored[2].GSID), 5000); err != nil || len(rows) != 1 {
				t.Errorf("%d rows behind the first of two, %v", len(rows), err)
			}
			person := func(company string) (record.Result, error) {
				return c.PutPerson(ctx, map[string]any{"Email": "sam@example.com", "companies": []map[string]any{{"Company_ID": company}}})
			}
			known, err := person(first)
			if diff := cmp.Diff([]string{""}, codes(t, []record.Result{known}, err)); diff != "" {
				t.Error(diff)
			}
			unknown, err := person(gone)
			if diff := cmp.Diff([]string{"GSOBJ_PEOPLE1001"}, codes(t, []record.Result{unknown}, err)); diff != "" {
				t.Error(diff)
			}
			if _, err := c.Insert(ctx, "nothing__gc", []map[string]any{{"Name": "x"}}); !fault.Is(err, fault.Invalid) {
				t.Errorf("insert into an unknown object: %v", err)
			}
			if _, err := c.Schema(ctx, "nothing__gc"); !fault.Is(err, fault.NotFound) {
				t.Errorf("describe an unknown object: %v", err)
			}
		})
	}
}

func TestUsersOfAnOrganisationAreWritten(t *testing.T) {
	sim, c := organisation(gainsightsim.Switches{})
	ctx := t.Context()
	named := func(name string) map[string]any {
		u := user(name)
		u["Name"], u["LicenseType"] = name, "Viewer"
		return u
	}
	wrong := named("bob")
	wrong["LicenseType"] = "Emperor"
	created, err := c.CreateUsers(ctx, []map[string]any{named("ann"), wrong, named("cid")})
	if got := codes(t, created, err); got[0] != "" || got[1] == "" || got[2] != "" {
		t.Errorf("codes %q", got)
	}
	id := created[0].GSID
	changed, err := c.UpdateUsers(ctx, []map[string]any{{"Gsid": id, "Name": "Ann B."}, {"Gsid": "1P01" + id[:32], "Name": "Nobody"}})
	if diff := cmp.Diff([]string{"", "GSOBJ_1011"}, codes(t, changed, err)); diff != "" {
		t.Error(diff)
	}
	status, err := c.SetUserStatus(ctx, []string{id, "1P01" + id[:32], created[2].GSID}, false)
	if diff := cmp.Diff([]string{"", "GSOBJ_1011", ""}, codes(t, status, err)); diff != "" {
		t.Error(diff)
	}
	row, _ := sim.Row("gsuser", id)
	if row["Name"] != "Ann B." || row["IsActiveUser"] != false {
		t.Errorf("the user is %v", row)
	}
}

// meter gives the client budgets of its own. It returns how much of their first
// windows is used.
func meter(t *testing.T, c *gainsight.Client) (used func() map[string]int) {
	t.Helper()
	table, err := bolttable.Open(filepath.Join(t.TempDir(), "table.db"), bolttable.Options{NoSync: true, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	c.API.Budgets = map[string]*budget.Budget{}
	for name, windows := range gainsight.Windows() {
		c.API.Budgets[name] = &budget.Budget{Table: table, Name: name, Windows: windows, Now: noon}
	}
	return func() map[string]int {
		all := map[string]int{}
		for name, b := range c.API.Budgets {
			usage, err := b.Usage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all[name] = usage[0].Calls
		}
		return all
	}
}

func TestUserCallsTakeFromBothBudgetsForEachTry(t *testing.T) {
	_, c := organisation(gainsightsim.Switches{})
	c.Tokens = &tokens{} // the organisation takes none of them, so each call is sent twice
	used := meter(t, c)
	if err := c.Test(t.Context()); !fault.Is(err, fault.Reauthorize) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"calls": 2, "users": 0}, used()); diff != "" {
		t.Error(diff)
	}
	if _, err := c.SetUserStatus(t.Context(), []string{"1P01A"}, true); !fault.Is(err, fault.Reauthorize) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"calls": 4, "users": 2}, used()); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalOfTheUserQuotaHoldsBackUserCallsAlone(t *testing.T) {
	sim, c := organisation(gainsightsim.Switches{})
	meter(t, c)
	sim.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		if r.URL.Path == "/v1/users/services/status" {
			return &gainsightsim.Fault{Status: 429, Body: `{"result":false,"errorCode":"GU_2400","errorDesc":"Too many request(s)"}`}
		}
		return nil
	})
	for range 2 {
		_, err := c.SetUserStatus(t.Context(), []string{"1P01A"}, true)
		if want := noon().Truncate(time.Hour).Add(time.Hour); !fault.Is(err, fault.Throttled) || !fault.ResumeAt(err).Equal(want) {
			t.Errorf("resume at %s, want %s: %v", fault.ResumeAt(err), want, err)
		}
	}
	if got := sim.Calls()["users"]; got != 1 {
		t.Errorf("%d user calls arrived, want 1", got)
	}
	if err := c.Test(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARowIsDeletedOnce(t *testing.T) {
	sim, client := organisation(gainsightsim.Switches{})
	id := sim.Insert("company", map[string]any{"Name": "Acme"})
	res, err := client.Delete(t.Context(), "company", id)
	if err != nil || !res.Done || res.Refusal != nil || res.GSID != id {
		t.Errorf("deleted: %+v, %v", res, err)
	}
	res, err = client.Delete(t.Context(), "company", id)
	if err != nil || !res.Done || res.Refusal == nil || res.Refusal.Code != "GSOBJ_1011" {
		t.Errorf("deleted again: %+v, %v; want it refused as not there", res, err)
	}
}
