package hubspot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/record"
)

// property is HubSpot's description of a property.
type property struct {
	Name       string `json:"name"`
	Label      string `json:"label"`
	Describes  string `json:"description"`
	Type       string `json:"type"`
	FieldType  string `json:"fieldType"`
	References string `json:"referencedObjectType"`
	Defined    bool   `json:"hubspotDefined"`
	Options    []struct {
		Label  string `json:"label"`
		Value  string `json:"value"`
		Hidden bool   `json:"hidden"`
	} `json:"options"`
}

type properties struct {
	Results *[]property `json:"results"`
}

// Schema returns the fields of an object by its type id, archived ones included.
// The fields of owners are built in. A connection that lacks the scope gets
// Invalid, an object that the account does not have NotFound.
func (c *Client) Schema(ctx context.Context, connection, object string) (record.Schema, error) {
	if object == owner {
		return ownerSchema(), nil
	}
	schema := record.Schema{Object: object}
	known := map[string]bool{}
	for _, archived := range []bool{false, true} {
		var answer properties
		err := c.do(ctx, connection, apiclient.Request{
			Method: http.MethodGet, Path: c.path("/crm/properties/%s/%s?archived=%t", url.PathEscape(object), archived),
			Budget: BudgetObjects, Repeat: true,
			Into: checked(&answer, func(p properties) bool { return p.Results != nil }),
		})
		if err != nil {
			return record.Schema{}, fmt.Errorf("read schema of %s: %w", object, err)
		}
		for _, p := range *answer.Results {
			if known[p.Name] {
				continue // an archived namesake of a live property
			}
			known[p.Name] = true
			schema.Fields = append(schema.Fields, p.field(archived))
		}
	}
	return schema, nil
}

func (p property) field(archived bool) record.Field {
	f := record.Field{Name: p.Name, Label: p.Label, Description: strings.TrimSpace(p.Describes), Type: p.kind(), Archived: archived}
	for _, o := range p.Options {
		f.Options = append(f.Options, record.Option{Value: o.Value, Label: o.Label, Active: !o.Hidden})
	}
	if f.Type == record.Boolean {
		f.Options = nil // "true" and "false", however they are labelled
	}
	return f
}

func (p property) kind() record.Type {
	switch p.Type {
	case "string", "phone_number":
		return record.String
	case "number":
		if p.isID() {
			return record.String
		}
		return record.Number
	case "bool":
		return record.Boolean
	case "date":
		return record.Date
	case "datetime":
		return record.DateTime
	case "enumeration":
		if p.FieldType == "checkbox" {
			return record.Multi
		}
		return record.Enumeration
	}
	return record.Unsupported // object_coordinates, json, and what comes next
}

// isID reports whether a number is a name rather than a quantity. Ids exceed
// 2^53, so they stay text.
func (p property) isID() bool {
	return p.Name == "hs_object_id" || p.References != "" ||
		p.Defined && (strings.HasSuffix(p.Name, "_id") || p.Name == "associatedcompanyid")
}
