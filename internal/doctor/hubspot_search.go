package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"hubspotconnector/internal/hubspot"
)

// associations asks for the companies of the first contacts.
func (a *account) associations(ctx context.Context) error {
	first, err := a.list(ctx, contacts, "limit=100")
	if err != nil {
		return err
	}
	ids := first.ids()
	if len(ids) == 0 {
		return nil
	}
	inputs := make([]map[string]string, len(ids))
	for i, id := range ids {
		inputs[i] = map[string]string{"id": id}
	}
	got, err := a.probe(ctx, hubspot.BudgetAssociations, http.MethodPost,
		a.client.Path("/crm/associations/%s/")+contacts+"/"+companies+"/batch/read", map[string]any{"inputs": inputs})
	if err != nil {
		return err
	}
	var told []string // of which the answer speaks
	for _, r := range got.body.Results {
		told = append(told, r.From.ID)
		for _, to := range r.To {
			if len(to.ID) > 0 {
				a.alike("H15", to.ID[0] != '"', "They are %s.", map[bool]string{true: "text", false: "numbers"}[to.ID[0] == '"'])
			}
		}
	}
	named := len(got.body.Errors) > 0
	for _, e := range got.body.Errors {
		for _, values := range e.Context {
			told = append(told, values...)
		}
	}
	silent := slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(told, id) })
	switch {
	case got.status/100 != 2:
		a.wrong("H14", "Grant the scopes of contacts and companies, and examine again: associations are refused.", "They are refused (%s).", got.shown())
	case len(silent) == 0 && named:
		a.dialect.SilentlyEmpty = false
		a.alike("H14", got.status == http.StatusMultiStatus, "They are named in an HTTP %d.", got.status)
	case len(silent) == 0:
		a.unchecked("H14", "Each of the first "+plural(len(told), "contact")+" has a company.")
	default:
		return a.silent(ctx, got.status, silent)
	}
	return nil
}

// silent asks one by one for records of which a batch says nothing.
func (a *account) silent(ctx context.Context, status int, ids []string) error {
	const sample = 5
	for _, id := range ids[:min(sample, len(ids))] {
		one, err := a.probe(ctx, hubspot.BudgetObjects, http.MethodGet,
			a.client.Path("/crm/objects/%s/")+contacts+"/"+id+"/associations/"+companies+"?limit=1", nil)
		if err != nil {
			return err
		}
		if one.status != http.StatusOK || len(one.body.Results) > 0 {
			a.wrong("H14", "Do not sync fields of associated records yet: a batch leaves out records that have associations. Tell HubSpot's support.", "A record with a company is left out (HTTP %d).", status)
			return nil
		}
	}
	a.dialect.SilentlyEmpty = true
	a.adapts("H14", "Takes records that are left out for records without associations.", "They are left out of an HTTP %d without a word.", status)
	return nil
}

// searches looks at what search orders, filters and limits.
func (a *account) searches(ctx context.Context) error {
	if err := a.byModified(ctx); err != nil {
		return err
	}
	if err := a.byID(ctx); err != nil {
		return err
	}
	far, err := a.search(ctx, contacts, map[string]any{"after": "10000"})
	if err != nil {
		return err
	}
	a.alike("H16", far.status == http.StatusBadRequest, "It is %s.", far.shown())
	return nil
}

// byModified counts records by the property that tells when they changed.
func (a *account) byModified(ctx context.Context) error {
	var seen, lost []string
	for _, object := range []struct{ id, name, property string }{
		{contacts, "contacts", "lastmodifieddate"}, {companies, "companies", "hs_lastmodifieddate"},
	} {
		one, err := a.list(ctx, object.id, "limit=1")
		if err != nil {
			return err
		}
		if len(one.body.Results) == 0 {
			continue
		}
		got, err := a.search(ctx, object.id, nil, condition{object.property, "GTE", "1"})
		if err != nil {
			return err
		}
		if got.body.Total == 0 {
			lost = append(lost, object.name)
			continue
		}
		seen = append(seen, fmt.Sprintf("%s by %s", object.name, object.property))
	}
	switch {
	case len(lost) > 0:
		a.wrong("H17", "Sync with -mode full: changes are not found. Tell HubSpot's support that the property finds none.", "No %s are found.", strings.Join(lost, ", no "))
	case len(seen) > 0:
		a.ok("H17", "It finds %s.", strings.Join(seen, " and "))
	}
	return nil
}

// byID reads the second contact or company behind the first.
func (a *account) byID(ctx context.Context) error {
	sorted := map[string]any{"limit": 2, "sorts": []map[string]string{{"propertyName": "hs_object_id", "direction": "ASCENDING"}}}
	for _, object := range []string{contacts, companies} {
		two, err := a.search(ctx, object, sorted)
		if err != nil {
			return err
		}
		ids := two.ids()
		if len(ids) < 2 {
			continue
		}
		behind, err := a.search(ctx, object, sorted, condition{"hs_object_id", "GT", ids[0]})
		if err != nil {
			return err
		}
		next := behind.ids()
		switch {
		case slices.Contains(next, ids[0]), len(next) == 0:
			a.wrong("H18", "Do not sync changes yet, use -mode full: search does not filter by id. Tell HubSpot's support.", "The record behind the first is not found.")
		default:
			right := number(ids[0]) < number(ids[1]) && next[0] == ids[1]
			a.alike("H18", right, "The record behind the first is %s.", map[bool]string{true: "the second", false: "another one than the second"}[right])
		}
		return nil
	}
	return nil
}

// long sends a long search and a long address.
func (a *account) long(ctx context.Context) error {
	body, err := a.search(ctx, companies, map[string]any{"properties": made(3500)})
	if err != nil {
		return err
	}
	a.alike("H19", body.status == http.StatusOK, "A body of 3,500 characters is %s.", map[bool]string{true: "taken", false: "refused"}[body.status == http.StatusOK])
	address, err := a.list(ctx, companies, "limit=1&properties="+strings.Join(made(6700), ","))
	if err != nil {
		return err
	}
	if address.status != http.StatusOK {
		a.wrong("H20", "Map fewer properties in each job, or ask who runs a proxy between this machine and HubSpot to take addresses of 8,000 characters.", "They are refused (%s).", address.shown())
		return nil
	}
	a.ok("H20", "They are.")
	return nil
}

// made returns made-up names of properties that take so many characters, with
// commas.
func made(characters int) (names []string) {
	for i := 0; characters > 0; i++ {
		names = append(names, fmt.Sprintf("doctor_property_%04d", i))
		characters -= len(names[i]) + 1
	}
	return names
}
