package gainsight

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/record"
)

// PutPerson creates or updates one person by the organisation's resolution keys:
// flat fields, and under "companies" a list of Company Person fields with their
// Company_ID. The result has a GSID only if Gainsight says it. An error is never
// about values: those are refusals. Twice is once.
func (c *Client) PutPerson(ctx context.Context, person map[string]any) (record.Result, error) {
	person, err := c.spellPerson(ctx, person)
	if err != nil {
		return record.Result{}, fmt.Errorf("put a person: %w", err)
	}
	r := apiclient.Request{Method: http.MethodPut, Path: "/v1/peoplemgmt/v1.0/people", JSON: person, Repeat: true}
	result := record.Result{Done: true}
	err = c.call(ctx, r, func(e envelope) error {
		result.GSID = personID(e.Data)
		return nil
	})
	if a := refusedRows(err); a != nil {
		return record.Result{Done: true, Refusal: a.refusal()}, nil
	}
	if err != nil {
		return record.Result{}, fmt.Errorf("put a person: %w", err)
	}
	return result, nil
}

// personID reads the person's GSID; the form of the answer is not documented.
func personID(raw json.RawMessage) string {
	var person struct {
		Gsid    text `json:"Gsid"`
		Records []struct {
			Gsid text `json:"Gsid"`
		} `json:"records"`
	}
	if json.Unmarshal(raw, &person) != nil {
		return ""
	}
	if person.Gsid == "" && len(person.Records) == 1 {
		return string(person.Records[0].Gsid)
	}
	return string(person.Gsid)
}

// spellPerson is spell for a person with its companies.
func (c *Client) spellPerson(ctx context.Context, person map[string]any) (map[string]any, error) {
	spelled, err := c.spell(ctx, "person", []map[string]any{person})
	if err != nil {
		return nil, err
	}
	person = spelled[0]
	companies, ok := person["companies"].([]map[string]any)
	if !ok {
		return person, nil
	}
	if companies, err = c.spell(ctx, "company_person", companies); err != nil {
		return nil, err
	}
	person = maps.Clone(person)
	person["companies"] = companies
	return person, nil
}
