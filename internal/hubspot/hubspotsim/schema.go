package hubspotsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// Schema defines a custom object.
type Schema struct {
	Name             string // may equal a standard object's
	Singular, Plural string // labels
	Primary          string // primary display property
	Required         []string
	Properties       []Property
	Associated       []string // objects it can be associated with
}

// DefineObject adds a custom object and returns its type id, "2-…".
func (p *Portal) DefineObject(s Schema) (typeID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextKey++
	typeID = "2-" + strconv.Itoa(p.nextKey)
	t := &objectType{
		id: typeID, plural: s.Name, singular: s.Name, label: s.Singular, schema: &s,
		scopes:      []string{"crm.objects.custom.read"},
		createdName: "hs_createdate", modifiedName: "hs_lastmodifieddate",
		defaults: []string{"hs_createdate", "hs_lastmodifieddate"},
	}
	t.init(30_110_000_000 + int64(len(p.types))*100_000_000)
	now := p.sim.o.Now()
	for _, d := range slices.Concat(standardProperties(""), s.Properties) {
		t.define(d, now, slices.ContainsFunc(s.Properties, func(own Property) bool { return own.Name == d.Name }))
	}
	p.types = append(p.types, t)
	return typeID
}

// schemasRefused answers a schema call without the scope.
func (c *call) schemasRefused() answer {
	return c.refuse(http.StatusForbidden, "MISSING_SCOPES", "One or more of the following scopes are required.", object{
		"context": object{"requiredGranularScopes": []string{"custom-object-read"}, "links": []string{"https://developers.hubspot.com/scopes"}},
	})
}

// schemas serves the custom objects.
func (c *call) schemas() answer {
	if !c.granted("crm.schemas.custom.read") {
		return c.schemasRefused()
	}
	query := c.r.URL.Query()
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	results := []object{}
	for _, t := range c.portal.types {
		if t.schema != nil && query.Get("archived") != "true" {
			results = append(results, c.schemaOf(t, query.Get("includePropertyDefinitions") == "true", query.Get("includeAssociationDefinitions") == "true"))
		}
	}
	return reply(http.StatusOK, object{"results": results})
}

// schema serves one schema, of a standard object too.
func (c *call) schema() answer {
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t := c.portal.served(c.r.PathValue("type"))
	switch {
	case t == nil:
		return c.unknownType(c.r.PathValue("type"))
	case t.schema != nil && !c.granted("crm.schemas.custom.read"):
		return c.schemasRefused()
	case t.schema == nil && !c.granted(append(slices.Clone(t.scopes), t.schemaScope())...):
		return c.missingScopes(t.scopes)
	}
	return reply(http.StatusOK, c.schemaOf(t, true, true))
}

func (c *call) schemaOf(t *objectType, properties, associations bool) object {
	out := object{
		"id": t.id, "objectTypeId": t.id, "name": t.plural, "fullyQualifiedName": c.portal.qualified(t),
		"labels":                 object{"singular": t.label, "plural": t.label + "s"},
		"primaryDisplayProperty": "hs_object_id", "requiredProperties": []string{}, "allowsSensitiveProperties": false,
		"archived": false, "createdAt": iso(t.props[0].created.UnixMilli()), "updatedAt": iso(t.props[0].updated.UnixMilli()),
		"properties": []object{}, "associations": []object{},
	}
	if t.schema == nil {
		out["fullyQualifiedName"] = t.plural
	} else {
		out["id"] = t.id[len("2-"):]
		out["labels"] = object{"singular": t.schema.Singular, "plural": t.schema.Plural}
		out["primaryDisplayProperty"] = t.schema.Primary
		out["requiredProperties"] = append([]string{}, t.schema.Required...)
	}
	if properties {
		out["properties"] = t.definitions(false, "non_sensitive")
	}
	if associations && t.schema != nil {
		list := []object{}
		for _, name := range t.schema.Associated {
			to := c.portal.must(name)
			list = append(list, object{
				"id": strconv.Itoa(c.portal.pair(t, to).labels[0].typeID), "name": t.plural + "_to_" + to.singular,
				"fromObjectTypeId": t.id, "toObjectTypeId": to.id,
			})
		}
		out["associations"] = list
	}
	return out
}

// account serves the facts about the portal.
func (c *call) account() answer {
	if !c.granted("oauth") {
		return c.missingScopes([]string{"oauth"})
	}
	return reply(http.StatusOK, object{
		"portalId": c.portal.id, "accountType": "STANDARD", "timeZone": "US/Eastern", "companyCurrency": "USD",
		"additionalCurrencies": []string{}, "utcOffset": "-04:00", "utcOffsetMilliseconds": -14_400_000,
		"uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
	})
}

// pipelines serves the pipeline that every portal has for deals and tickets.
func (c *call) pipelines() answer {
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t, refused, ok := c.objectType(c.r.PathValue("type"))
	if !ok {
		return refused
	}
	stage := func(n int, id, label string, metadata object) object {
		return object{
			"id": id, "label": label, "displayOrder": n, "metadata": metadata, "archived": false,
			"writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
		}
	}
	var stages []object
	id, label := "default", "Sales pipeline"
	switch t.plural {
	case "deals":
		for n, o := range t.props[t.number("dealstage")].Options {
			closed := o.Value == "closedwon" || o.Value == "closedlost"
			probability := []string{"0.2", "0.9", "1.0", "0.0"}[min(n, 3)]
			stages = append(stages, stage(n, o.Value, o.Label, object{"isClosed": fmt.Sprint(closed), "probability": probability}))
		}
	case "tickets":
		id, label = "0", "Support pipeline"
		for n, o := range t.props[t.number("hs_pipeline_stage")].Options {
			state := "OPEN"
			if o.Label == "Closed" {
				state = "CLOSED"
			}
			stages = append(stages, stage(n, o.Value, o.Label, object{"ticketState": state}))
		}
	default:
		return reply(http.StatusOK, object{"results": []object{}})
	}
	return reply(http.StatusOK, object{"results": []object{{
		"id": id, "label": label, "displayOrder": 0, "archived": false, "stages": stages,
	}}})
}
