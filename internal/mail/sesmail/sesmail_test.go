package sesmail_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/mailtest"
	"hubspotconnector/internal/mail/sesmail"
)

const from = "connector@acme.example"

func TestSender(t *testing.T) {
	engine := awstest.Start(t)
	client := sesv2.NewFromConfig(awstest.Config(t, engine))
	if _, err := client.CreateEmailIdentity(t.Context(), &sesv2.CreateEmailIdentityInput{EmailIdentity: aws.String(from)}); err != nil {
		t.Fatal(err)
	}
	s := sesmail.New(client, sesmail.Options{From: from, To: []string{mailtest.Ops}})
	mailtest.Run(t, s, func(t *testing.T) []mail.Message {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, engine.Endpoint+"/_ministack/ses/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var kept struct {
			Messages map[string][]struct {
				Source   string   `json:"Source"`
				To       []string `json:"To"`
				Subject  string   `json:"Subject"`
				BodyText string   `json:"BodyText"`
			} `json:"messages"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&kept); err != nil {
			t.Fatal(err)
		}
		var sent []mail.Message
		for _, m := range kept.Messages["000000000000"] {
			if m.Source != from || len(m.To) != 1 {
				t.Errorf("%q was sent from %s to %v, want from %s and to one", m.Subject, m.Source, m.To, from)
			}
			sent = append(sent, mail.Message{To: m.To, Subject: m.Subject, Body: m.BodyText})
		}
		return sent
	})
}

// ses answers in turn; no answer is a message that was taken.
type ses struct {
	answers []string // code and message
	status  int      // of the answers; 0 = 400
	calls   []string
	fail    error
}

func (s *ses) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	s.calls = append(s.calls, string(body))
	if s.fail != nil {
		return nil, s.fail
	}
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	text := `{"MessageId":"m"}`
	if len(s.answers) > 0 && s.answers[0] != "" {
		code, message, _ := strings.Cut(s.answers[0], " ")
		resp.StatusCode = max(s.status, 400)
		resp.Header.Set("X-Amzn-ErrorType", code)
		doc, _ := json.Marshal(map[string]string{"message": message})
		text = string(doc)
	}
	s.answers = s.answers[min(1, len(s.answers)):]
	resp.Body = io.NopCloser(strings.NewReader(text))
	return resp, nil
}

func open(s *ses, to ...string) *sesmail.Sender {
	return sesmail.New(sesv2.NewFromConfig(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: s},
	}), sesmail.Options{From: from, To: to})
}

func TestAMessageIsOneCallForEachAddress(t *testing.T) {
	s := &ses{}
	m := mail.Message{To: []string{"anna@x.example", "ben@x.example", "anna@x.example"}, Subject: "Größe", Body: "b"}
	if err := open(s, "ops@x.example").Send(t.Context(), "chain.é-1", m); err != nil {
		t.Fatal(err)
	}
	want := func(to string) string {
		return `{"Content":{"Simple":{"Body":{"Text":{"Charset":"UTF-8","Data":"b"}},"Subject":{"Charset":"UTF-8","Data":"Größe"}}},` +
			`"Destination":{"ToAddresses":["` + to + `"]},"EmailTags":[{"Name":"message","Value":"chain__-1"}],"FromEmailAddress":"` + from + `"}`
	}
	if diff := cmp.Diff([]string{want("anna@x.example"), want("ben@x.example")}, s.calls); diff != "" {
		t.Error(diff)
	}
}

func TestAMessageToNobodyIsNotSent(t *testing.T) {
	s := &ses{}
	if err := open(s).Send(t.Context(), "run-1", mail.Message{Subject: "s"}); err != nil || len(s.calls) != 0 {
		t.Errorf("%d calls, %v", len(s.calls), err)
	}
}

func TestOneAddressThatFailsKeepsNoOtherFromIt(t *testing.T) {
	unverified := "MessageRejected Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: ben@x.example"
	s := &ses{answers: []string{unverified, "", strings.ReplaceAll(unverified, "ben", "cleo")}}
	err := open(s).Send(t.Context(), "run-1", mail.Message{To: []string{"ben@x.example", "anna@x.example", "cleo@x.example"}})
	if message := fault.MessageOf(err); !fault.Is(err, fault.Invalid) || !strings.Contains(message, "ben@x.example") || !strings.Contains(message, "cleo@x.example") || len(s.calls) != 3 {
		t.Errorf("%d calls, %v", len(s.calls), err)
	}
}

func TestErrorsOfSESGetTheirKindAndTheWayOut(t *testing.T) {
	unverified := "MessageRejected Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: "
	for _, tt := range []struct {
		answer string
		status int
		want   fault.Kind
		says   []string
	}{
		{unverified + from, 0, fault.Invalid, []string{"from " + from, "verify"}},
		{unverified + "Anna@x.example", 0, fault.Invalid, []string{"to anna@x.example", "sandbox", "production access"}},
		{unverified + from + ", anna@x.example", 0, fault.Invalid, []string{from + " and anna@x.example", "sandbox"}},
		{unverified + "canary", 0, fault.Invalid, []string{"sender and recipient"}},
		{"MessageRejected canary", 0, fault.Invalid, []string{"rejected a message to anna@x.example"}},
		{"MailFromDomainNotVerifiedException canary", 0, fault.Invalid, []string{"MAIL FROM domain of " + from}},
		{"SendingPausedException canary", 0, fault.Invalid, []string{"account page"}},
		{"AccountSuspendedException canary", 0, fault.Invalid, []string{"account page"}},
		{"BadRequestException canary", 0, fault.Invalid, []string{"Check both addresses"}},
		{"AccessDeniedException canary", 403, fault.Invalid, []string{"permission"}},
		{"TooManyRequestsException canary", 429, fault.Throttled, nil},
		{"LimitExceededException canary", 0, fault.Throttled, []string{"sending quota"}},
		{"ExpiredTokenException canary", 403, fault.Transient, []string{"credentials"}},
		{"InternalServiceErrorException canary", 500, fault.Transient, nil},
	} {
		s := &ses{answers: []string{tt.answer}, status: tt.status}
		err := open(s, "anna@x.example").Send(t.Context(), "run-1", mail.Message{})
		message := fault.MessageOf(err)
		if !fault.Is(err, tt.want) || strings.Contains(message, "canary") {
			t.Errorf("%s: %s %q, want %s", tt.answer, fault.KindOf(err), message, tt.want)
		}
		for _, text := range tt.says {
			if !strings.Contains(message, text) {
				t.Errorf("%s: %q, want %q in it", tt.answer, message, text)
			}
		}
	}
	if err := open(&ses{fail: errors.New("canary")}, "a@x.example").Send(t.Context(), "run-1", mail.Message{}); !fault.Is(err, fault.Transient) {
		t.Errorf("no answer: %v, want Transient", err)
	}
}
