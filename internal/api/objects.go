package api

import (
	"context"
	"slices"
	"strings"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/record"
)

// SourceObject is a kind of HubSpot record.
type SourceObject struct {
	Name    string   `json:"name" doc:"As in a job's mapping.source."`
	Label   string   `json:"label"`
	TypeID  string   `json:"typeId"`
	Scopes  []string `json:"scopes" nullable:"false" doc:"What the account must have granted."`
	Granted bool     `json:"granted" doc:"Whether it has."`
}

// TargetObject is an object of Gainsight that jobs can write.
type TargetObject struct {
	Name  string `json:"name" doc:"As in a job's mapping.target."`
	Label string `json:"label"`
}

// Field is a field of an object.
type Field struct {
	Name        string          `json:"name"`
	Label       string          `json:"label"`
	Description string          `json:"description,omitempty" doc:"What HubSpot's people wrote of it."`
	Type        record.Type     `json:"type"`
	Length      int             `json:"length,omitempty" doc:"The longest text in characters; missing = no stated limit."`
	Required    bool            `json:"required,omitempty"`
	ReadOnly    bool            `json:"readOnly,omitempty" doc:"It cannot be mapped to."`
	Options     []record.Option `json:"options,omitempty" nullable:"false"`
	Lookup      string          `json:"lookup,omitempty" doc:"The object that a GSID field points at."`
}

func fieldOf(f record.Field) Field {
	return Field{Name: f.Name, Label: f.Label, Description: f.Description, Type: f.Type, Length: f.Length, Required: f.Required, ReadOnly: f.ReadOnly, Options: f.Options, Lookup: f.Lookup}
}

// Searching chooses entries by their names and labels.
type Searching struct {
	Search string `query:"search" maxLength:"1000" doc:"A part of the name or label, without regard to case."`
}

func (s Searching) finds(texts ...string) bool {
	return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(s.Search))
}

func (s Searching) fields(schema record.Schema) []record.Field {
	return slices.DeleteFunc(slices.Clone(schema.Fields), func(f record.Field) bool { return !s.finds(f.Name, f.Label) })
}

type objectsInput struct {
	ByID
	Paging
	Searching
}

type sourceFieldsInput struct {
	ByID
	Object string `path:"object" maxLength:"200" doc:"Name or type id."`
	Paging
	Searching
}

type targetFieldsInput struct {
	Object string `path:"object" maxLength:"200"`
	Paging
	Searching
}

type targetsInput struct {
	Paging
	Searching
}

func fieldKey(f record.Field) string { return f.Name }

func (a *api) objects() {
	register(a, operation{
		id: "listSourceObjects", method: "GET", path: "/connections/{id}/objects", tag: "Objects", summary: "List the objects of HubSpot",
		description: "A custom object of the account can be named by its type id.",
	}, a.sourceObjects)
	register(a, operation{
		id: "listSourceFields", method: "GET", path: "/connections/{id}/objects/{object}/fields", tag: "Objects", summary: "List the properties of a HubSpot object", vendor: true,
		description: "They may be 5 minutes old.",
	}, func(ctx context.Context, in *sourceFieldsInput) (*answer[List[Field]], error) {
		if _, err := a.Connections.Get(ctx, in.ID); err != nil {
			return nil, err
		}
		schema, err := a.admin.SourceSchema(ctx, in.ID, in.Object)
		if err != nil {
			return nil, err
		}
		return page(in.fields(schema), in.Paging, fieldKey, fieldOf)
	})
	register(a, operation{
		id: "listTargetObjects", method: "GET", path: "/targets", tag: "Objects", summary: "List the objects of Gainsight that jobs can write", vendor: true,
	}, func(ctx context.Context, in *targetsInput) (*answer[List[TargetObject]], error) {
		all, err := a.admin.TargetObjects(ctx)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(slices.Clone(all), func(o gainsight.Object) bool { return !in.finds(o.Name, o.Label) })
		return page(all, in.Paging, func(o gainsight.Object) string { return o.Name }, func(o gainsight.Object) TargetObject { return TargetObject{o.Name, o.Label} })
	})
	register(a, operation{
		id: "listTargetFields", method: "GET", path: "/targets/{object}/fields", tag: "Objects", summary: "List the fields of a Gainsight object", vendor: true,
		description: "Those of company_person hold the person's too, as Person::…. They may be 5 minutes old.",
	}, func(ctx context.Context, in *targetFieldsInput) (*answer[List[Field]], error) {
		schema, err := a.admin.TargetSchema(ctx, in.Object)
		if err != nil {
			return nil, err
		}
		return page(in.fields(schema), in.Paging, fieldKey, fieldOf)
	})
}

func (a *api) sourceObjects(ctx context.Context, in *objectsInput) (*answer[List[SourceObject]], error) {
	c, err := a.Connections.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(catalog.All(), func(o catalog.Object) bool { return !in.finds(o.Name, o.Label) })
	return page(all, in.Paging, func(o catalog.Object) string { return o.Name }, func(o catalog.Object) SourceObject {
		missing := slices.ContainsFunc(o.Scopes, func(s string) bool { return !slices.Contains(c.Scopes, s) })
		return SourceObject{Name: o.Name, Label: o.Label, TypeID: o.TypeID, Scopes: append([]string{}, o.Scopes...), Granted: !missing}
	})
}
