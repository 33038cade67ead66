package runtimetest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/serve/runtimetest"
)

// environment is a whole one, whose AWS is not there.
func environment() map[string]string {
	return map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"AWS_MAX_ATTEMPTS": "1",
		"TABLE":            "table", "BUCKET": "bucket", "KEY": "arn:aws:kms:us-east-1:000000000000:key/k",
		"SECRET": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s", "CHAIN_MACHINE": "arn:aws:states:us-east-1:000000000000:stateMachine:chain",
		"HUBSPOT_CLIENT_ID": "id", "REDIRECT_URL": "https://sync.example/oauth/callback", "MAIL_FROM": "sync@acme.example",
		"SCHEDULE_GROUP": "group", "SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/start", "SCHEDULE_DLQ": "arn:aws:sqs:us-east-1:000000000000:dead",
		"WEBHOOK_URL": "https://sync.example/webhook", "PUBLIC_URL": "https://sync.example", "OIDC_ISSUER": "https://issuer.example", "OIDC_CLIENT_ID": "console",
		"OTHER": "is none of ours",
	}
}

// events are one event that each step takes.
func events() map[string]string {
	return map[string]string{
		"plan":      `{"execution":"e1","round":1,"input":{"job":"Company Sync_HubSpot"}}`,
		"extract":   `{"run":"01J00000000000000000000001"}`,
		"transform": `{"run":"01J00000000000000000000001","part":1,"pass":1}`,
		"upsert":    `{"run":"01J00000000000000000000001","part":1,"pass":1}`,
		"finish":    `{"scope":"job","run":"01J00000000000000000000001","extract":{"status":"DONE","parts":1}}`,
		"notify":    `{"execution":"e1","round":1}`,
		"sweep":     `{"detail-type":"Step Functions Execution Status Change","detail":{"name":"e1","status":"FAILED"}}`,
	}
}

func TestEveryFunctionNamesWhatItsEnvironmentLacks(t *testing.T) {
	for _, folder := range functions(t) {
		name := filepath.Base(folder)
		t.Run(name, func(t *testing.T) {
			f := runtimetest.Start(t, built(t, name), nil)
			got := f.Refused()
			if !got.Init || got.ErrorType != "Invalid" || !strings.HasPrefix(got.ErrorMessage, "Set these settings: TABLE, BUCKET, KEY") {
				t.Errorf("%+v", got)
			}
			if status := f.Exit(); status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			if strings.Count(f.Log(), "\n") != 1 || !strings.Contains(f.Log(), got.ErrorMessage) {
				t.Errorf("log %s", f.Log())
			}
		})
	}
}

// Each step refuses events that are not its own as Invalid, says Transient while
// AWS cannot be reached, and stays the same process.
func TestEveryStepNamesItsErrors(t *testing.T) {
	for name, event := range events() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := runtimetest.Start(t, built(t, name), environment())
			for _, wrong := range []string{``, `null`, `{}`, `[]`, `"canary"`, `{"run":7,"execution":7,"scope":7}`, `{"run":`} {
				got := f.Invoke(wrong, time.Minute)
				if name == "sweep" && wrong != `{"run":` { // looks at everything, whatever it is told
					continue
				}
				if got.ErrorType != "Invalid" || !strings.HasPrefix(got.ErrorMessage, "The event") {
					t.Errorf("%s: %+v", wrong, got)
				}
			}
			got := f.Invoke(event, time.Minute)
			if got.ErrorType != "Transient" || !strings.Contains(got.ErrorMessage, "cannot be reached") {
				t.Errorf("%s: %+v\n%s", event, got, f.Log())
			}
			if strings.Contains(f.Log(), "canary") {
				t.Errorf("a secret or a value is in the log: %s", f.Log())
			}
			f.Stop()
			if status := f.Exit(); status != 0 {
				t.Errorf("status %d after SIGTERM, want 0", status)
			}
		})
	}
}

// What people, programs and HubSpot reach takes requests, and answers each.
func TestRequestsAreAnswered(t *testing.T) {
	tests := []struct{ function, method, path, want string }{
		{"oauthcallback", "GET", "/oauth/callback", `"statusCode":400`}, // without a state
		{"webhook", "POST", "/webhook", `"statusCode":4`},               // without a signature
		{"console", "GET", "/jobs", `"statusCode":303`},                 // leads to the sign-in
	}
	for _, tt := range tests {
		t.Run(tt.function, func(t *testing.T) {
			f := runtimetest.Start(t, built(t, tt.function), environment())
			for _, wrong := range []string{`{"path":"/jobs"}`, `{}`, ``, `[]`} {
				if got := f.Invoke(wrong, time.Minute); got.ErrorType != "Invalid" || !strings.Contains(got.ErrorMessage, "payload version 2.0") {
					t.Errorf("%s: %+v", wrong, got)
				}
			}
			event := fmt.Sprintf(`{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":%q,"path":%q},"stage":"$default"}}`, tt.path, tt.method, tt.path)
			if got := f.Invoke(event, time.Minute); !strings.Contains(got.Body, tt.want) {
				t.Errorf("%+v, want %s\n%s", got, tt.want, f.Log())
			}
		})
	}
}

// longestStart is the time from the start of a process to its first answer.
const longestStart = 100 * time.Millisecond

// The fastest of some starts counts: this machine may be busy with other tests.
func TestAFunctionStartsFast(t *testing.T) {
	for _, name := range []string{"plan", "upsert", "oauthcallback", "console"} {
		fastest := time.Hour
		for try := 0; try < 20 && fastest > longestStart; try++ {
			fastest = min(fastest, startOnce(t, name))
		}
		if fastest > longestStart {
			t.Errorf("%s: %s to the first answer, want at most %s", name, fastest, longestStart)
		}
	}
}

// startOnce returns how long a function took to its first answer.
func startOnce(t testing.TB, name string) time.Duration {
	t.Helper()
	binary := built(t, name)
	began := time.Now()
	f := runtimetest.Start(t, binary, environment())
	f.Invoke(`{}`, time.Minute)
	took := time.Since(began)
	f.Stop()
	f.Exit()
	return took
}

func BenchmarkColdStart(b *testing.B) {
	for _, name := range []string{"plan", "upsert", "console"} {
		built(b, name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				startOnce(b, name)
			}
		})
	}
}
