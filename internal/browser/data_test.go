package browser_test

import (
	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
)

// twice are users of Gainsight that make an owner ambiguous.
func twice(w *world) gainsightsim.Existing {
	owner := w.portal.Owners()[0]
	return gainsightsim.Existing{Users: []gainsightsim.ExistingUser{{Email: owner.Email, FirstName: owner.FirstName, LastName: owner.LastName, Twice: true}}}
}

// firstContact is the id of a contact of HubSpot.
func firstContact(w *world) (id string) {
	w.portal.Each("contacts", func(r hubspotsim.Record) {
		if id == "" {
			id = r.ID
		}
	})
	return id
}

// dealDraft is a draft with rows of every kind, and, if wanted, a problem.
func dealDraft(w *world, key string, problem bool) admin.Draft {
	text := func(s string) mapping.Value { return mapping.Value{Text: &s} }
	won := condition.Filter{Conditions: []condition.Condition{{Field: "dealstage", Op: condition.In, Value: []string{"closedwon"}}}}
	d := admin.Draft{Key: key, Job: job.Job{
		Name: "Deals", Connection: w.job("Company Sync_HubSpot").Connection,
		Mapping: mapping.Config{
			Source: "deal", Target: "hubspot_deal__gc",
			Fields: []mapping.Field{
				{Name: "hs_object_id"},
				{Name: "dealname", Label: "Name of the deal, as people in sales call it"},
				{Name: "amount"},
				{Name: "dealstage"},
				{Name: "closedate"},
				{Name: "associated_company_id", Label: "Associated Company ID", Association: &mapping.Association{Object: "company"}},
			},
			Filter: condition.Filter{Expression: "A AND (B OR C)", Conditions: []condition.Condition{
				{Field: "amount", Op: condition.GreaterOrEqual, Value: []string{"100"}},
				{Field: "dealname", Op: condition.Contains, Value: []string{"deal"}},
				{Field: "closedate", Op: condition.IsNull},
			}},
			Formulas: []mapping.Formula{{Name: "Loud", Type: "string", Expression: "upper(dealname)"}},
			Cases:    []mapping.Case{{Name: "State", Type: "string", Default: text("Open"), When: []mapping.When{{If: won, Then: text("Won")}}}},
			Direct:   []mapping.Direct{{From: "hs_object_id", To: "Deal_ID__gc", Identifier: true}, {From: "amount", To: "Amount__gc"}},
			Derived: []mapping.Derived{{
				To: "Company__gc", Object: "company", Match: []mapping.Pair{{From: "associated_company_id", Field: "HubSpot_Account_ID_90210__gc"}, {From: "dealname", Field: "Name"}},
				Multiple: mapping.MultipleError, None: mapping.NoneNull,
			}},
		},
	}}
	if problem {
		d.Job.Mapping.Direct = append(d.Job.Mapping.Direct, mapping.Direct{From: "State", To: "Amount__gc"})
	}
	return d
}
