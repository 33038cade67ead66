package gainsightsim_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

// caller returns a function that makes a call, which must succeed, and returns
// the size of its answer.
func caller(tb testing.TB, s *gainsightsim.Sim) func(method, path, body string) int {
	transport := s.Transport()
	return func(method, path, body string) int {
		tb.Helper()
		req, err := http.NewRequestWithContext(tb.Context(), method, "https://acme.gainsightcloud.com"+path, strings.NewReader(body))
		if err != nil {
			tb.Fatal(err)
		}
		req.Header.Set("Accesskey", key)
		res, err := transport.RoundTrip(req)
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			tb.Fatalf("%s %s: %d %.200s %v", method, path, res.StatusCode, b, err)
		}
		return len(b)
	}
}

func BenchmarkInsert50(b *testing.B) {
	s := gainsightsim.New(gainsightsim.Options{AccessKey: key, Limits: gainsightsim.Limits{Off: true}})
	s.Prepare(4711)
	call := caller(b, s)
	for at := 0; b.Loop(); at += 50 {
		call("POST", companies, batch(at))
	}
}

func BenchmarkQuery(b *testing.B) {
	s, call := large(b)
	var ids []string
	var last string
	for row := range s.Rows("company") {
		if last = row["Gsid"].(string); len(ids) < 50 {
			ids = append(ids, fmt.Sprintf("%q", row["HubSpot_Account_ID_4711__gc"]))
		}
	}
	for name, body := range map[string]string{
		"50 of 100000 by IN": `{"select":["Gsid","Name"],"where":` + where(`HubSpot_Account_ID_4711__gc IN `+strings.Join(ids, ",")) + `}`,
		"page of 5000 by GSID": `{"select":["Gsid","HubSpot_Account_ID_4711__gc"],"orderBy":{"Gsid":"asc"},"limit":5000,"where":` +
			where(fmt.Sprintf(`Gsid GT %q`, last[:18]+"H")) + `}`,
		"100000 by CONTAINS": `{"select":["Gsid"],"where":` + where(`Name CONTAINS "nobody"`) + `}`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				call("POST", query+"company", body)
			}
		})
	}
}
