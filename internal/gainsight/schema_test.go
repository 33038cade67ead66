package gainsight_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/record"
)

// deal is the object of the vendor's documentation, in the parts that count.
const deal = `{
  "objectName": "hubspot_deal__gc", "label": "HubSpot Deal", "objectType": "CUSTOM", "keyPrefix": "1Z02",
  "fields": [
    {"fieldName": "Gsid", "label": "GSID", "dataType": "GSID", "meta": {"createable": true, "updateable": true, "nillable": false}},
    {"fieldName": "Deal_Name__gc", "label": "Deal Name", "dataType": "STRING", "objectName": "hubspot_deal__gc",
     "meta": {"properties": {"sourceType": "STRING"}, "createable": true, "updateable": true, "formulaField": false, "hasLookup": false,
       "required": true, "richText": false, "nillable": false, "readOnly": false, "decimalPlaces": 0, "length": 500}},
    {"fieldName": "Stage__gc", "label": "Stage", "dataType": "PICKLIST",
     "options": [
       {"active": true, "label": "Closed won", "value": "1I00C1", "displayOrder": 1},
       {"active": false, "label": "Closed lost", "value": "1I00C2", "displayOrder": 2}],
     "meta": {"properties": {"PICKLIST_CATEGORY_ID": "1I00D"}, "createable": true, "updateable": true, "nillable": true}},
    {"fieldName": "Company_ID__gc", "label": "Company", "dataType": "LOOKUP",
     "meta": {"hasLookup": true, "createable": true, "updateable": true, "length": 220,
       "lookupDetail": {"lookupName": "Company_ID__gr", "fieldName": "Gsid", "lookupObjects": [{"objectName": "company", "label": "Company"}]}}},
    {"fieldName": "Any__gc", "label": "Any", "dataType": "LOOKUP",
     "meta": {"lookupDetail": {"lookupObjects": [{"objectName": "company"}, {"objectName": "relationship"}]}}},
    {"fieldName": "Score__gc", "label": "Score", "dataType": "NUMBER", "meta": {"formulaField": true, "length": 15}},
    {"fieldName": "Locked__gc", "label": "Locked", "dataType": "BOOLEAN", "meta": {"createable": false, "updateable": false}},
    {"fieldName": "Once__gc", "label": "Once", "dataType": "DATE", "meta": {"createable": true, "updateable": false}},
    {"fieldName": "Fixed__gc", "label": "Fixed", "dataType": "DATETIME", "meta": {"readOnly": true}}
  ]}`

func TestSchemaTellsWhatAFieldAllows(t *testing.T) {
	want := record.Schema{Object: "hubspot_deal__gc", Label: "HubSpot Deal", Fields: []record.Field{
		{Name: "Gsid", Label: "GSID", Type: record.GSID, ReadOnly: true, NotNull: true},
		{Name: "Deal_Name__gc", Label: "Deal Name", Type: record.String, Length: 500, Required: true, NotNull: true},
		{Name: "Stage__gc", Label: "Stage", Type: record.Enumeration, Options: []record.Option{
			{Value: "Closed won", Label: "Closed won", Active: true}, {Value: "Closed lost", Label: "Closed lost"},
		}},
		{Name: "Company_ID__gc", Label: "Company", Type: record.GSID, Lookup: "company"},
		{Name: "Any__gc", Label: "Any", Type: record.GSID},
		{Name: "Score__gc", Label: "Score", Type: record.Number, ReadOnly: true},
		{Name: "Locked__gc", Label: "Locked", Type: record.Boolean, ReadOnly: true},
		{Name: "Once__gc", Label: "Once", Type: record.Date},
		{Name: "Fixed__gc", Label: "Fixed", Type: record.DateTime, ReadOnly: true},
	}}
	for name, data := range map[string]string{"in an array": "[" + deal + "]", "alone": deal} {
		t.Run(name, func(t *testing.T) {
			c, v := connect(t, answers(200, `{"requestId":"r","result":true,"data":`+data+`}`))
			got, err := c.Schema(t.Context(), "hubspot_deal__gc")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]sent{{"GET /v1/meta/services/objects/hubspot_deal__gc/describe?idd=true", ""}}, v.sent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryDataTypeHasAMeaning(t *testing.T) {
	for _, tc := range []struct {
		dataType string
		want     record.Type
	}{
		{"STRING", record.String},
		{"RICHTEXTAREA", record.RichText},
		{"URL", record.URL},
		{"EMAIL", record.Email},
		{"NUMBER", record.Number},
		{"PERCENTAGE", record.Percentage},
		{"CURRENCY", record.Currency},
		{"BOOLEAN", record.Boolean},
		{"DATE", record.Date},
		{"DATETIME", record.DateTime},
		{"PICKLIST", record.Enumeration},
		{"MULTISELECTDROPDOWNLIST", record.Multi},
		{"LOOKUP", record.GSID},
		{"GSID", record.GSID},
		{"SFDCID", record.SFDCID},
		{"JSON", record.Unsupported},
		{"JSONSTRING", record.Unsupported},
		{"HOLOGRAM", record.Unsupported},
	} {
		c, _ := connect(t, answers(200, `{"result":true,"data":[{"objectName":"x","fields":[{"fieldName":"F","dataType":"`+tc.dataType+`"}]}]}`))
		got, err := c.Schema(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if got.Fields[0].Type != tc.want {
			t.Errorf("%s is %s, want %s", tc.dataType, got.Fields[0].Type, tc.want)
		}
	}
}

func TestAnUnknownObjectIsNamed(t *testing.T) {
	c, v := connect(t, answers(400, `{"requestId":"r","result":false,"instance":"2021-02-03 10:31:28 UTC","title":"OBJECT_NOT_FOUND",
		"detail":"Requested object not found.","errorDesc":"Requested object not found."}`))
	_, err := c.Schema(t.Context(), "hubspot_deal__gc")
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.MessageOf(err), `"hubspot_deal__gc"`) || len(v.sent) != 1 {
		t.Errorf("%d calls, %v", len(v.sent), err)
	}
}

func TestASchemaWithoutFieldsIsBroken(t *testing.T) {
	for _, data := range []string{`null`, `[]`, `{}`, `[{"objectName":"x"}]`, `"x"`} {
		c, _ := connect(t, func(int, *http.Request, string) (int, string) { return 200, `{"result":true,"data":` + data + `}` })
		if got, err := c.Schema(t.Context(), "x"); !fault.Is(err, fault.Transient) {
			t.Errorf("%s: %v, %v", data, got, err)
		}
	}
}

func TestObjectsAreListed(t *testing.T) {
	c, v := connect(t, answers(200, `{"requestId":"r","result":true,"data":[
		{"objectName":"company","label":"Company","objectType":"STANDARD","keyPrefix":"1P02","transactional":false},
		{"objectName":"hubspot_deal__gc","label":"HubSpot Deal","objectType":"CUSTOM","transactional":true}]}`))
	got, err := c.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []gainsight.Object{
		{Name: "company", Label: "Company", Type: "STANDARD"},
		{Name: "hubspot_deal__gc", Label: "HubSpot Deal", Type: "CUSTOM", LowVolume: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]sent{{"GET /v1/meta/services/objects/list?po=company&em=false", ""}}, v.sent); diff != "" {
		t.Error(diff)
	}
}
