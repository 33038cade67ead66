package gainsightsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

const key = "demo-key"

// org is a simulated organisation as a client sees it.
type org struct {
	*gainsightsim.Sim
	t    *testing.T
	http *http.Client
}

func open(t *testing.T, o gainsightsim.Options) *org {
	t.Helper()
	o.AccessKey, o.ClientID, o.ClientSecret = key, "id", "hush"
	s := gainsightsim.New(o)
	return &org{s, t, &http.Client{Transport: s.Transport()}}
}

// in is the organisation in a subtest.
func (o *org) in(t *testing.T) *org { return &org{o.Sim, t, o.http} }

// try makes a call with the access key.
func (o *org) try(method, path, body string) (*http.Response, []byte, error) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, "https://acme.gainsightcloud.com"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("AccessKey", key)
	res, err := o.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(res.Body)
	return res, b, errors.Join(err, res.Body.Close())
}

// call makes a call and returns its status and answer.
func (o *org) call(method, path, body string) (int, map[string]any) {
	o.t.Helper()
	res, b, err := o.try(method, path, body) //nolint:bodyclose // read and closed by try
	if err != nil {
		o.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(b, &answer); err != nil {
		o.t.Fatalf("answer %q: %v", b, err)
	}
	return res.StatusCode, answer
}

// want makes a call and compares its answer, without requestId and the keys that
// newer query answers add.
func (o *org) want(method, path, body string, status int, want string) {
	o.t.Helper()
	got, answer := o.call(method, path, body)
	delete(answer, "requestId")
	delete(answer, "localizedErrorDesc")
	delete(answer, "localizedMessage")
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		o.t.Fatalf("want %q: %v", want, err)
	}
	if diff := cmp.Diff(wanted, answer); got != status || diff != "" {
		o.t.Errorf("%s %s %s: status %d, want %d; answer -want +got:\n%s", method, path, body, got, status, diff)
	}
}

// code makes a call that is refused with a code.
func (o *org) code(method, path, body string, status int, code string) {
	o.t.Helper()
	got, answer := o.call(method, path, body)
	if got != status || answer["errorCode"] != code || answer["result"] != false {
		o.t.Errorf("%s %s %s: status %d, answer %v; want %d, %s", method, path, body, got, answer, status, code)
	}
}

const (
	nothing = `{"select":["Gsid"]}`
	query   = "/v1/data/objects/query/"
)

func TestCallsWithoutCredentialsAreUnauthorized(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	for _, header := range []http.Header{{}, {"Accesskey": {"other"}}, {"Authorization": {"Bearer demo-key"}}} {
		req := httptest.NewRequest("POST", query+"company", strings.NewReader(nothing))
		req.Header = header
		w := httptest.NewRecorder()
		o.ServeHTTP(w, req)
		if w.Code != 401 || !strings.Contains(w.Body.String(), `"errorCode":"GS_APIG_2401"`) || strings.Contains(w.Body.String(), `"data"`) {
			t.Errorf("%v: %d %s", header, w.Code, w.Body)
		}
	}
}

func TestEmptyKeyIsNoKey(t *testing.T) {
	w := httptest.NewRecorder()
	req := httptest.NewRequest("POST", query+"company", strings.NewReader(nothing))
	req.Header.Set("Accesskey", "")
	gainsightsim.New(gainsightsim.Options{}).ServeHTTP(w, req)
	if w.Code != 401 {
		t.Errorf("status %d", w.Code)
	}
}

func TestUnknownRoutesAreNotFound(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	o.want("GET", "/v1/nothing", "", 404, `{"result":false,"errorCode":"GS_APIG_1000","errorDesc":"Not Found","message":"Not Found"}`)
	o.code("PATCH", "/v1/data/objects/company", "", 404, "GS_APIG_1000")
	o.code("POST", query+"nothing", nothing, 400, "GSOBJ_1023")
}

func TestDeniedAddressesGetNothing(t *testing.T) {
	o := open(t, gainsightsim.Options{Switches: gainsightsim.Switches{IPDenied: true}})
	o.code("POST", query+"company", nothing, 403, "GS_APIG_2402")
}

func TestRequestIDIsAUUIDInBodyAndHeaders(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	res, b, err := o.try("POST", query+"company", nothing) //nolint:bodyclose // read and closed by try
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if id := answer.RequestID; !uuid.MatchString(id) || res.Header.Get("x-gs-request-id") != id || res.Header.Get("x-request-id") != id {
		t.Errorf("requestId %q, headers %v", id, res.Header)
	}
}

func TestTokenIsAcceptedUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := gainsightsim.New(gainsightsim.Options{ClientID: "id", ClientSecret: "hush", TokenLife: time.Hour})
		send := func(path, contentType, auth, body string) *httptest.ResponseRecorder {
			req := httptest.NewRequest("POST", path, strings.NewReader(body))
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("Authorization", auth)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			return w
		}
		const path, form = "/v1/users/m2m/oauth/token", "application/x-www-form-urlencoded"
		const basic = "Basic aWQ6aHVzaA==" // id:hush
		for name, refused := range map[string]*httptest.ResponseRecorder{
			"wrong secret": send(path, form, "Basic aWQ6b3RoZXI=", "grant_type=client_credentials"),
			"no header":    send(path, form, "", "grant_type=client_credentials"),
		} {
			if refused.Code != 401 {
				t.Errorf("%s: status %d", name, refused.Code)
			}
		}
		if w := send(path, form, basic, "grant_type=password"); w.Code != 400 {
			t.Errorf("other grant: status %d", w.Code)
		}
		for contentType, body := range map[string]string{form: "grant_type=client_credentials", "application/json": ""} {
			w := send(path, contentType, basic, body)
			var token struct {
				AccessToken string `json:"access_token"`
				TokenType   string `json:"token_type"`
				ExpiresIn   int    `json:"expires_in"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || token.TokenType != "Bearer" || token.ExpiresIn != 3600 {
				t.Fatalf("%s: %d %s", contentType, w.Code, w.Body)
			}
			bearer := "Bearer " + token.AccessToken
			if w := send(query+"company", "application/json", bearer, nothing); w.Code != 200 {
				t.Errorf("fresh token: status %d", w.Code)
			}
			time.Sleep(time.Hour)
			if w := send(query+"company", "application/json", bearer, nothing); w.Code != 401 {
				t.Errorf("old token: status %d", w.Code)
			}
		}
	})
}

func TestQuotasFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble starts at midnight UTC
		o := open(t, gainsightsim.Options{Limits: gainsightsim.Limits{CallsPerMinute: 3, CallsPerDay: 5}})
		send := func(want ...int) {
			t.Helper()
			for i, status := range want {
				res, b, err := o.try("POST", query+"company", nothing) //nolint:bodyclose // read and closed by try
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != status {
					t.Fatalf("call %d: status %d %s, want %d", i, res.StatusCode, b, status)
				}
				if status == 429 && (!strings.Contains(string(b), "GS_APIG_2404") || res.Header.Get("Retry-After") != "") {
					t.Errorf("429: %v %s", res.Header, b)
				}
			}
		}
		time.Sleep(59 * time.Second)
		send(200, 200, 200, 429, 429)
		time.Sleep(time.Second) // a new minute, not a minute later
		send(200, 200, 429)     // 5 of the day
		time.Sleep(time.Hour)
		send(429)
		time.Sleep(23*time.Hour - time.Minute)
		send(200)
		if got := o.Throttled(); got != 4 {
			t.Errorf("throttled %d, want 4", got)
		}
		o.SetLimits(gainsightsim.Limits{Off: true})
		send(200, 200, 200, 200, 200, 200)
	})
}

func TestUserCallsHaveTheirOwnQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, gainsightsim.Options{Limits: gainsightsim.Limits{CallsPerMinute: 1, UsersPerHour: 2, UsersPerDay: 3}})
		for _, step := range []struct {
			path   string
			status int
			wait   time.Duration
		}{
			{"/v1/users/services/list", 200, 0},
			{query + "gsuser", 200, 0}, // reads of users by the data API are ordinary calls
			{query + "gsuser", 429, 0},
			{"/v1/users/services/list", 200, 0},
			{"/v1/users/services/list", 429, time.Hour},
			{"/v1/users/services/list", 200, time.Hour},
			{"/v1/users/services/list", 429, 0}, // the day
		} {
			if status, answer := o.call("POST", step.path, nothing); status != step.status {
				t.Errorf("%v: status %d %v", step, status, answer)
			}
			time.Sleep(step.wait)
		}
	})
}

func TestDefaultQuotaIsAHundredAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, gainsightsim.Options{})
		for i := range 101 {
			if status, _ := o.call("POST", query+"company", nothing); (status == 200) != (i < 100) {
				t.Fatalf("call %d: status %d", i+1, status)
			}
		}
	})
}

// faults gives each fault of one call, whether the call takes effect, and what
// its client sees.
var faults = []struct {
	name      string
	fault     gainsightsim.Fault
	committed int
	saw       string
}{
	{"lost request", gainsightsim.Fault{Before: true}, 0, "no answer"},
	{"lost answer", gainsightsim.Fault{Lost: true}, 1, "no answer"},
	{"load balancer", gainsightsim.Fault{Status: 503, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, 0, "503 <html> text/html"},
	{"truncated", gainsightsim.Fault{Truncate: 4}, 1, "200 half"},
	{"slow", gainsightsim.Fault{Delay: time.Second}, 1, "200 whole"},
	{"none", gainsightsim.Fault{}, 1, "200 whole"},
}

func TestFaultsLoseTheCallOrItsAnswer(t *testing.T) {
	for _, f := range faults {
		for _, way := range []string{"transport", "sockets"} {
			t.Run(f.name+" over "+way, func(t *testing.T) {
				o := open(t, gainsightsim.Options{Sleep: func(context.Context, time.Duration) error { return nil }})
				if way == "sockets" {
					server := httptest.NewServer(o)
					t.Cleanup(server.Close)
					o.http = &http.Client{Transport: toServer(server.URL)}
				}
				o.SetFault(func(r *http.Request, call int) *gainsightsim.Fault {
					body, err := io.ReadAll(r.Body)
					if err != nil || call != 1 || !strings.Contains(string(body), "Acme") {
						t.Errorf("call %d %s %v", call, body, err)
					}
					return &f.fault
				})
				res, body, err := o.try("POST", "/v1/data/objects/company", `{"records":[{"Name":"Acme"}]}`) //nolint:bodyclose // read and closed by try
				if got := saw(res, body, err); got != f.saw {
					t.Errorf("saw %q, want %q (%v)", got, f.saw, err)
				}
				if got := o.Count("company"); got != f.committed {
					t.Errorf("%d rows, want %d", got, f.committed)
				}
				if got := o.Writes(); got != f.committed {
					t.Errorf("%d writes, want %d", got, f.committed)
				}
			})
		}
	}
}

func saw(res *http.Response, body []byte, err error) string {
	switch {
	case res == nil:
		return "no answer"
	case errors.Is(err, io.ErrUnexpectedEOF) && len(body) > 0 && !json.Valid(body):
		return fmt.Sprint(res.StatusCode, " half")
	case err == nil && json.Valid(body):
		return fmt.Sprint(res.StatusCode, " whole")
	}
	return fmt.Sprint(res.StatusCode, " ", string(body), " ", res.Header.Get("Content-Type"))
}

// toServer is a transport that sends every call to one server.
type toServer string

func (to toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(string(to), "http://")
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}

func TestCallEndsWithItsContext(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    gainsightsim.Options
		f    *gainsightsim.Fault
		rows int
	}{
		{"before it is served", gainsightsim.Options{Latency: time.Hour}, nil, 0},
		{"before its answer", gainsightsim.Options{}, &gainsightsim.Fault{Delay: time.Hour}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t, tt.o)
				o.SetFault(func(*http.Request, int) *gainsightsim.Fault { return tt.f })
				o.http.Timeout = time.Minute
				began := time.Now()
				_, _, err := o.try("POST", "/v1/data/objects/company", `{"records":[{"Name":"Acme"}]}`) //nolint:bodyclose // read and closed by try
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				if got := o.Count("company"); got != tt.rows {
					t.Errorf("%d rows, want %d", got, tt.rows)
				}
			})
		})
	}
}

func TestLatencyPassesBeforeEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, gainsightsim.Options{Latency: 30 * time.Millisecond})
		began := time.Now()
		o.call("POST", query+"company", nothing)
		if d := time.Since(began); d != 30*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestCallsAreCountedByClass(t *testing.T) {
	o := open(t, gainsightsim.Options{})
	_, answer := o.call("POST", "/v1/data/objects/company", `{"records":[{"Name":"Acme"},{"Name":"Borealis"}]}`)
	id := answer["data"].(map[string]any)["records"].([]any)[0].(map[string]any)["Gsid"].(string)
	o.call("POST", "/v1/data/objects/company", `{"records":[{}]}`) // refused
	o.call("PUT", "/v1/data/objects/company?keys=Gsid", `{"records":[{"Gsid":"`+id+`","Name":"A"}]}`)
	o.call("PUT", "/v1/peoplemgmt/v1.0/people", `{"Email":"sam@example.com","companies":[{"Company_ID":"`+id+`"}]}`)
	o.call("POST", query+"company", nothing)
	o.call("GET", "/v1/data/objects/company/"+id, "")
	o.call("GET", "/v1/meta/services/objects/company/describe", "")
	o.call("POST", "/v1/users/services/list", nothing)
	o.call("DELETE", "/v1/data/objects/company/"+id, "")
	o.call("GET", "/v1/nothing", "")
	want := map[string]int{"insert": 2, "update": 1, "people": 1, "query": 2, "describe": 1, "users": 1, "delete": 1, "other": 1}
	if diff := cmp.Diff(want, o.Calls()); diff != "" {
		t.Errorf("calls -want +got:\n%s", diff)
	}
	if got := o.Writes(); got != 5 {
		t.Errorf("%d writes, want 5", got)
	}
	if diff := cmp.Diff(map[string]int{"company": 4, "person": 1, "company_person": 1}, o.Written()); diff != "" {
		t.Errorf("rows written -want +got:\n%s", diff)
	}
}
