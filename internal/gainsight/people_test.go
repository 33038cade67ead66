package gainsight_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

func sam() map[string]any {
	return map[string]any{
		"Email": "sam@example.com", "Name": "Sam Okafor",
		"companies": []map[string]any{{"Company_ID": "1P02A", "Title": "VP Operations", "IsPrimaryCompany": true}},
	}
}

func TestAPersonIsSentFlatWithCompanies(t *testing.T) {
	for _, tc := range []struct{ name, data, gsid string }{
		{"an answer with the person", `{"Gsid":"1P03E","Email":"sam@example.com","companies":[{"Gsid":"1C01F"}]}`, "1P03E"},
		{"an answer with records", `{"records":[{"Gsid":"1P03E"}]}`, "1P03E"},
		{"an answer without the person", `{"count":1}`, ""},
		{"no data", `null`, ""},
		{"a text", `"done"`, ""},
		{"a list", `[]`, ""},
		{"a number for a GSID", `{"Gsid":1}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, v := connect(t, answers(200, `{"result":true,"data":`+tc.data+`}`))
			got, err := c.PutPerson(t.Context(), sam())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(record.Result{Done: true, GSID: tc.gsid}, got); diff != "" {
				t.Error(diff)
			}
			want := []sent{{
				"PUT /v1/peoplemgmt/v1.0/people",
				`{"Email":"sam@example.com","Name":"Sam Okafor","companies":[{"Company_ID":"1P02A","IsPrimaryCompany":true,"Title":"VP Operations"}]}`,
			}}
			if diff := cmp.Diff(want, v.sent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPersonThatGainsightRefusesIsARefusal(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		want         record.Refusal
	}{
		{
			"without details", `{"result":false,"errorCode":"GSOBJ_PEOPLE1001","errorDesc":"People entities do not exist","data":null}`,
			record.Refusal{Code: "GSOBJ_PEOPLE1001", Message: "People entities do not exist"},
		},
		{
			"with details", `{"result":false,"errorCode":"GSOBJ_VDTPKLST1002","errorDesc":"x","data":{"errors":[{"errors":[{"errorMessage":"Item not found","fieldName":"Role","invalidValue":"Chief"}]}]}}`,
			record.Refusal{Code: "GSOBJ_VDTPKLST1002", Field: "Role", Value: "Chief", Message: "Item not found"},
		},
		{
			"without a code", `{"result":false,"errorDesc":"Email is mandatory"}`,
			record.Refusal{Message: "Email is mandatory"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, v := connect(t, answers(400, tc.answer))
			got, err := c.PutPerson(t.Context(), sam())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(record.Result{Done: true, Refusal: &tc.want}, got); diff != "" {
				t.Error(diff)
			}
			if len(v.sent) != 1 {
				t.Errorf("%d calls, want 1", len(v.sent))
			}
		})
	}
}

func TestAPersonIsSentAgainAfterALostAnswer(t *testing.T) {
	c, v := connect(t, func(call int, _ *http.Request, _ string) (int, string) {
		if call == 1 {
			return 200, errLost
		}
		return 200, `{"result":true,"data":{"Gsid":"1P03E"}}`
	})
	got, err := c.PutPerson(t.Context(), sam())
	if err != nil || got.GSID != "1P03E" || len(v.sent) != 2 {
		t.Errorf("%v after %d calls: %v", got, len(v.sent), err)
	}
}

func TestAPersonIsNotDoneAfterAFailedCall(t *testing.T) {
	c, _ := connect(t, func(int, *http.Request, string) (int, string) { return 503, "<html>" })
	got, err := c.PutPerson(t.Context(), sam())
	if got.Done || !fault.Is(err, fault.Transient) || strings.Contains(err.Error(), "sam@") {
		t.Errorf("%v, %v", got, err)
	}
}
