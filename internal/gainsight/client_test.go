package gainsight_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

const (
	origin = "https://acme.gainsightcloud.com"
	key    = "canary-key"
)

// sent is one request that reached the double.
type sent struct {
	Line string // method and path with query
	Body string
}

// vendor is Gainsight's end of the wire. It notes what arrives and answers with
// what reply says.
type vendor struct {
	t       *testing.T
	reply   func(call int, r *http.Request, body string) (status int, answer string)
	sent    []sent
	headers []http.Header
}

// errLost, as an answer, loses it on the way.
const errLost = "the answer is lost"

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if got := r.URL.Scheme + "://" + r.URL.Host; got != origin {
		v.t.Errorf("a request left for %s", got)
	}
	v.sent = append(v.sent, sent{r.Method + " " + r.URL.RequestURI(), string(body)})
	v.headers = append(v.headers, r.Header.Clone())
	status, answer := v.reply(len(v.sent), r, string(body))
	if answer == errLost {
		return nil, io.ErrUnexpectedEOF
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if status/100 == 3 {
		header.Set("Location", "https://elsewhere.example.com/")
	}
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ContentLength: -1,
		Body: io.NopCloser(strings.NewReader(answer)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// answers replies with these bodies, one after the other, all with one status.
func answers(status int, bodies ...string) func(int, *http.Request, string) (int, string) {
	return func(call int, _ *http.Request, _ string) (int, string) {
		if call > len(bodies) {
			return 599, "more calls than answers"
		}
		return status, bodies[call-1]
	}
}

// noon is when the tests begin: 12:00:20.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 20, 0, time.UTC) }

// connect returns a client with an access key whose pauses cost no time.
func connect(t *testing.T, reply func(int, *http.Request, string) (int, string)) (*gainsight.Client, *vendor) {
	t.Helper()
	v := &vendor{t: t, reply: reply}
	now := noon()
	return &gainsight.Client{
		Config: gainsight.Config{URL: origin, AccessKey: key},
		API: apiclient.Client{
			HTTP: &http.Client{Transport: v},
			Now:  func() time.Time { return now },
			Sleep: func(ctx context.Context, d time.Duration) error {
				now = now.Add(d)
				return ctx.Err()
			},
			Jitter: func() float64 { return 0 },
		},
	}, v
}

// tokens hands out numbered tokens, as a broker does.
type tokens struct {
	n   int
	bad []secret.Text // what was renewed
}

func (k *tokens) Token(_ context.Context, connection string) (token.Token, error) {
	if connection != "gainsight" {
		return token.Token{}, errors.New("unknown connection")
	}
	return token.Token{Access: secret.Text("token-" + string(rune('1'+k.n)))}, nil
}

func (k *tokens) Renew(ctx context.Context, connection string, bad secret.Text) (token.Token, error) {
	k.bad = append(k.bad, bad)
	k.n++
	return k.Token(ctx, connection)
}

const noRows = `{"result":true,"errorCode":null,"errorDesc":null,"requestId":"r","data":{"records":[]},"message":null}`

func TestTheAccessKeyTravelsInItsHeader(t *testing.T) {
	c, v := connect(t, answers(200, noRows))
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := v.headers[0].Get("accesskey"); got != key {
		t.Errorf("accesskey = %q", got)
	}
	if got := v.headers[0].Get("Authorization"); got != "" {
		t.Errorf("Authorization = %q, want none", got)
	}
	if got := v.headers[0].Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	want := []sent{{
		"POST /v1/data/objects/query/company",
		`{"select":["Gsid"],"orderBy":{"Gsid":"asc"},"limit":1,"offset":0}`,
	}}
	if diff := cmp.Diff(want, v.sent); diff != "" {
		t.Error(diff)
	}
}

const unauthorized = `{"result":false,"errorCode":"GS_APIG_2401","errorDesc":"Unauthorized","requestId":"r","message":"Unauthorized"}`

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	c, v := connect(t, func(call int, _ *http.Request, _ string) (int, string) {
		if call == 1 {
			return 401, unauthorized
		}
		return 200, noRows
	})
	k := &tokens{}
	c.Config.AccessKey, c.Tokens = "", k
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]secret.Text{"token-1"}, k.bad); diff != "" {
		t.Error(diff)
	}
	if got := v.headers[1].Get("Authorization"); got != "Bearer token-2" {
		t.Errorf("Authorization = %q", got)
	}
	if got := v.headers[1].Get("accesskey"); got != "" {
		t.Errorf("accesskey = %q, want none", got)
	}
}

func TestATokenThatStaysRefusedNeedsReauthorization(t *testing.T) {
	c, v := connect(t, func(int, *http.Request, string) (int, string) { return 401, unauthorized })
	c.Config.AccessKey, c.Tokens = "", &tokens{}
	err := c.Test(t.Context())
	if !fault.Is(err, fault.Reauthorize) {
		t.Errorf("kind %s: %v", fault.KindOf(err), err)
	}
	if len(v.sent) != 2 {
		t.Errorf("%d calls, want 2", len(v.sent))
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	c, v := connect(t, answers(302, ""))
	err := c.Test(t.Context())
	if !fault.Is(err, fault.Invalid) || len(v.sent) != 1 {
		t.Errorf("%d calls, %v", len(v.sent), err)
	}
}

func TestGrantFollowsTheAnswer(t *testing.T) {
	const granted = `{"access_token":"canary-token","token_type":"Bearer","expires_in":86400}`
	form := sent{"POST /v1/users/m2m/oauth/token", "grant_type=client_credentials"}
	empty := sent{"POST /v1/users/m2m/oauth/token", "{}"}
	for _, tc := range []struct {
		name     string
		statuses []int
		answers  []string
		sent     []sent
		kind     fault.Kind // "" = a token
	}{
		{"a form is taken", []int{200}, []string{granted}, []sent{form}, ""},
		{"a refused form is followed by empty JSON", []int{400, 200}, []string{`{"error":"invalid_request"}`, granted}, []sent{form, empty}, ""},
		{"an unsupported form too", []int{415, 200}, []string{"{}", granted}, []sent{form, empty}, ""},
		{"empty JSON is tried once", []int{400, 400}, []string{"{}", "{}"}, []sent{form, empty}, fault.Reauthorize},
		{"wrong credentials are final", []int{401}, []string{unauthorized}, []sent{form}, fault.Reauthorize},
		{"a forbidden client is final", []int{403}, []string{"{}"}, []sent{form}, fault.Reauthorize},
		{"an address that is not allowed is no question of credentials", []int{403}, []string{`{"result":false,"errorCode":"GS_APIG_2402"}`}, []sent{form}, fault.Invalid},
		{"a server error is tried again", []int{503, 200}, []string{"<html>", granted}, []sent{form, form}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, v := connect(t, func(call int, _ *http.Request, _ string) (int, string) {
				return tc.statuses[call-1], tc.answers[call-1]
			})
			c.Config = gainsight.Config{URL: origin, ClientID: "id", ClientSecret: "canary-secret"}
			got, err := c.Grant(t.Context())
			if diff := cmp.Diff(tc.sent, v.sent); diff != "" {
				t.Error(diff)
			}
			// id:canary-secret
			if got := v.headers[0].Get("Authorization"); got != "Basic aWQ6Y2FuYXJ5LXNlY3JldA==" {
				t.Errorf("Authorization = %q", got)
			}
			if tc.kind != "" {
				if !fault.Is(err, tc.kind) {
					t.Errorf("kind %s: %v", fault.KindOf(err), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Access != "canary-token" || !got.Expires.After(got.Issued.Add(23*time.Hour)) || got.Expires.After(got.Issued.Add(24*time.Hour)) {
				t.Errorf("token %q from %s to %s", got.Access.Expose(), got.Issued, got.Expires)
			}
		})
	}
}

func TestATokenAnswerWithoutATokenIsBroken(t *testing.T) {
	c, _ := connect(t, func(int, *http.Request, string) (int, string) { return 200, `{"token_type":"Bearer"}` })
	if _, err := c.Grant(t.Context()); !fault.Is(err, fault.Transient) {
		t.Errorf("kind %s: %v", fault.KindOf(err), err)
	}
}

func TestAnswersAreClassified(t *testing.T) {
	fail := func(code, desc string) string {
		text, err := json.Marshal(map[string]any{"result": false, "errorCode": code, "errorDesc": desc, "requestId": "r"})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	minute, hour := noon().Truncate(time.Minute).Add(time.Minute), noon().Truncate(time.Hour).Add(time.Hour)
	for _, tc := range []struct {
		name   string
		status int
		answer string
		kind   fault.Kind
		calls  int
		says   string // part of the message
		users  bool
		resume time.Time
	}{
		{"a bad key", 401, unauthorized, fault.Invalid, 1, "Check the key", false, time.Time{}},
		{"a bad key without a body", 401, "", fault.Invalid, 1, "Check the key", false, time.Time{}},
		{"a bad key seen by the data service", 400, fail("GSOBJ_1024", "Invalid authorization headers"), fault.Invalid, 1, "Check the key", false, time.Time{}},
		{"an address that is not allowed", 403, fail("GS_APIG_2402", "IP Address does not lie in range of whitelisted ips"), fault.Invalid, 1, "M2M OAuth", false, time.Time{}},
		{"an address that is not allowed, with 200", 200, fail("GS_APIG_2402", "x"), fault.Invalid, 1, "M2M OAuth", false, time.Time{}},
		{"a spent minute", 429, fail("GS_APIG_2404", "unknown"), fault.Throttled, 1, "12:01:00", false, minute},
		{"a spent minute by its code alone", 200, fail("GS_APIG_2404", "unknown"), fault.Throttled, 1, "12:01:00", false, minute},
		{"a spent minute by its status alone", 429, "<html>slow down</html>", fault.Throttled, 1, "12:01:00", false, minute},
		{"too many requests", 400, fail("GU_2400", "Too many request(s)"), fault.Throttled, 1, "12:01:00", false, minute},
		{"a spent hour of the user API", 429, fail("GU_2400", "Too many request(s)"), fault.Throttled, 1, "13:00:00", true, hour},
		{"no route", 404, fail("GS_APIG_1000", "Not Found"), fault.Invalid, 1, "Check the Gainsight URL", false, time.Time{}},
		{"no route without a code", 404, `{"error":"Not Found"}`, fault.Invalid, 1, "Check the Gainsight URL", false, time.Time{}},
		{"a wrong path", 400, fail("GSOBJ_1023", "Invalid API called, please refer to API documentation"), fault.Invalid, 1, "Check the Gainsight URL", false, time.Time{}},
		{"an unknown object", 400, fail("GSOBJ_1023", "Requested object not found."), fault.Invalid, 1, `no object "company"`, false, time.Time{}},
		{"validation", 400, fail("GSOBJ_1002", "Invalid field canary-value"), fault.Invalid, 1, "GSOBJ_1002", false, time.Time{}},
		{"validation with 200", 200, fail("GSOBJ_1002", "Invalid field canary-value"), fault.Invalid, 1, "GSOBJ_1002", false, time.Time{}},
		{"a server error", 500, fail("GU_1101", "Oops, something went wrong..."), fault.Transient, 4, "error of its own", false, time.Time{}},
		{"a server error with 200", 200, fail("GU_1101", "Oops"), fault.Transient, 4, "error of its own", false, time.Time{}},
		{"a load balancer's page", 503, "<html>canary-value</html>", fault.Transient, 4, "HTTP 503", false, time.Time{}},
		{"a page with a 4xx", 403, "<html>canary-value</html>", fault.Transient, 4, "HTTP 403", false, time.Time{}},
		{"a page with a 200", 200, "<html>canary-value</html>", fault.Transient, 4, "not what it should be", false, time.Time{}},
		{"half an answer", 200, noRows[:60], fault.Transient, 4, "cut off", false, time.Time{}},
		{"nothing", 200, "", fault.Transient, 4, "cut off", false, time.Time{}},
		{"another JSON", 200, `{}`, fault.Transient, 4, "not what it should be", false, time.Time{}},
		{"a lost answer", 200, errLost, fault.Transient, 4, "broke", false, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, v := connect(t, func(int, *http.Request, string) (int, string) { return tc.status, tc.answer })
			var err error
			if tc.users {
				_, err = c.SetUserStatus(t.Context(), []string{"1P01"}, true)
			} else {
				err = c.Test(t.Context())
			}
			if !fault.Is(err, tc.kind) {
				t.Errorf("kind %s, want %s: %v", fault.KindOf(err), tc.kind, err)
			}
			if got := fault.MessageOf(err); !strings.Contains(got, tc.says) {
				t.Errorf("message %q lacks %q", got, tc.says)
			}
			if got := fault.ResumeAt(err); !got.Equal(tc.resume) {
				t.Errorf("resume at %s, want %s", got, tc.resume)
			}
			if len(v.sent) != tc.calls {
				t.Errorf("%d calls, want %d", len(v.sent), tc.calls)
			}
			if text := err.Error() + fault.MessageOf(err); strings.Contains(text, "canary") {
				t.Errorf("a secret or value in %q", text)
			}
		})
	}
}

func TestACodeThatIsNoCodeIsNotPrinted(t *testing.T) {
	c, _ := connect(t, answers(400, `{"result":false,"errorCode":"canary-value in a code","errorDesc":null}`))
	err := c.Test(t.Context())
	if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}
