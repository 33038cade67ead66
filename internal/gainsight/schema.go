package gainsight

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

const metaPath = "/v1/meta/services/objects/"

// Object is one object of the organisation.
type Object struct {
	Name  string `json:"objectName"` // as paths want it
	Label string `json:"label"`
	Type  string `json:"objectType"` // STANDARD, CUSTOM or SYSTEM
	// LowVolume custom objects are those that can be written.
	LowVolume bool `json:"transactional"`
}

// Objects returns the organisation's objects. It costs one call.
func (c *Client) Objects(ctx context.Context) ([]Object, error) {
	var objects []Object
	r := apiclient.Request{Method: http.MethodGet, Path: metaPath + "list?po=company&em=false", Repeat: true}
	err := c.call(ctx, r, func(e envelope) error {
		objects = nil
		return json.Unmarshal(e.Data, &objects)
	})
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	return objects, nil
}

// described is an object in the answer of describe.
type described struct {
	Name   string `json:"objectName"`
	Label  string `json:"label"`
	Fields []struct {
		Name    string   `json:"fieldName"`
		Label   string   `json:"label"`
		Type    string   `json:"dataType"`
		Options []option `json:"options"`
		Meta    meta     `json:"meta"`
	} `json:"fields"`
}

type option struct {
	Label  string `json:"label"`
	Active bool   `json:"active"`
}

// meta is what a field allows. A key that is missing forbids nothing.
type meta struct {
	Createable   *bool `json:"createable"`
	Updateable   *bool `json:"updateable"`
	Nillable     *bool `json:"nillable"`
	Required     bool  `json:"required"`
	ReadOnly     bool  `json:"readOnly"`
	Formula      bool  `json:"formulaField"`
	RichText     bool  `json:"richText"`
	Length       int   `json:"length"`
	LookupDetail struct {
		Objects []struct {
			Name string `json:"objectName"`
		} `json:"lookupObjects"`
	} `json:"lookupDetail"`
}

// Schema returns the fields of an object, NotFound if there is no such object. The
// Value of an option is its label, because labels are what is written. It costs
// one call.
func (c *Client) Schema(ctx context.Context, object string) (record.Schema, error) {
	d, err := c.dialect(ctx)
	if err != nil {
		return record.Schema{}, err
	}
	var found described
	r := apiclient.Request{Method: http.MethodGet, Path: metaPath + url.PathEscape(object) + "/describe?idd=true", Repeat: true}
	if d.DescribeByPost {
		r.Method, r.Path, r.JSON = http.MethodPost, metaPath+"describe", describeBody(object)
	}
	err = c.call(ctx, r, func(e envelope) (err error) {
		found, err = readDescribed(e.Data)
		return err
	})
	if a, ok := errors.AsType[*answerError](err); ok && a.code == codeUnknownObject {
		return record.Schema{}, fault.Wrap(a, fault.NotFound, "%s", unknownObject(object))
	}
	if err != nil {
		return record.Schema{}, fmt.Errorf("describe %s: %w", object, err)
	}
	schema := record.Schema{Object: object, Label: found.Label}
	for _, f := range found.Fields {
		field := record.Field{
			Name: f.Name, Label: f.Label, Type: fieldType(f.Type, f.Meta.RichText), ReadOnly: readOnly(f.Name, f.Meta),
			Required: f.Meta.Required, NotNull: f.Meta.Nillable != nil && !*f.Meta.Nillable,
		}
		switch field.Type {
		case record.String, record.RichText, record.URL, record.Email:
			field.Length = f.Meta.Length
		case record.GSID:
			if to := f.Meta.LookupDetail.Objects; len(to) == 1 {
				field.Lookup = to[0].Name
			}
		case record.Enumeration, record.Multi:
			for _, o := range f.Options {
				field.Options = append(field.Options, record.Option{Value: o.Label, Label: o.Label, Active: o.Active})
			}
		case record.Number, record.Boolean, record.Date, record.DateTime, record.Percentage, record.Currency,
			record.SFDCID, record.Unsupported:
		}
		schema.Fields = append(schema.Fields, field)
	}
	return schema, nil
}

// describeBody is the documented body; its booleans are strings.
func describeBody(object string) map[string]any {
	return map[string]any{
		"objectNames": []string{object}, "includeChilds": "true", "childLevels": "0", "populatePickListOptions": "true",
		"useCollectionId": "false", "removeDeleted": "false", "removeHidden": "false", "host": "MDA",
		"sortFieldsByLabel": "true", "populateFieldId": "false", "honorUserContext": "true", "honorCustomLookup": "true",
		"populateAutoSuggestDetails": "true", "externalContext": "false",
	}
}

// readDescribed reads the one object of an answer, an array or the object itself.
func readDescribed(data json.RawMessage) (described, error) {
	var list []described
	if !bytes.HasPrefix(data, []byte("[")) {
		list = make([]described, 1)
		if err := json.Unmarshal(data, &list[0]); err != nil {
			return described{}, err
		}
	} else if err := json.Unmarshal(data, &list); err != nil {
		return described{}, err
	}
	if len(list) != 1 || len(list[0].Fields) == 0 {
		return described{}, errors.New("not one object with fields")
	}
	return list[0], nil
}

// readOnly fields can neither be set nor changed. System fields are, whatever
// describe says.
func readOnly(name string, m meta) bool {
	system := []string{gsid, "CreatedDate", "ModifiedDate", "CreatedBy", "ModifiedBy"}
	denied := m.Createable != nil && !*m.Createable && m.Updateable != nil && !*m.Updateable
	return m.ReadOnly || m.Formula || denied || slices.Contains(system, name)
}

// fieldType is what the values of a dataType mean; those of JSON fields and of
// types that are not known cannot be written.
func fieldType(dataType string, rich bool) record.Type {
	switch dataType {
	case "STRING":
		if rich {
			return record.RichText
		}
		return record.String
	case "RICHTEXTAREA":
		return record.RichText
	case "URL":
		return record.URL
	case "EMAIL":
		return record.Email
	case "NUMBER":
		return record.Number
	case "PERCENTAGE":
		return record.Percentage
	case "CURRENCY":
		return record.Currency
	case "BOOLEAN":
		return record.Boolean
	case "DATE":
		return record.Date
	case "DATETIME":
		return record.DateTime
	case "PICKLIST":
		return record.Enumeration
	case "MULTISELECTDROPDOWNLIST":
		return record.Multi
	case "LOOKUP", "GSID":
		return record.GSID
	case "SFDCID":
		return record.SFDCID
	}
	return record.Unsupported
}
