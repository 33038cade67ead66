package runtimetest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamo "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/blob/s3blob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret/kmssealer"
	"hubspotconnector/internal/serve/runtimetest"
	"hubspotconnector/internal/table/dynamotable"
	"hubspotconnector/internal/truth"
)

const (
	portalID = 4711
	back     = "http://localhost:8976/oauth/callback"
)

// world is an engine with what the template makes, both vendors behind HTTP, and
// the functions, one process each.
type world struct {
	t         *testing.T
	env       map[string]string
	source    *hubspotsim.Sim
	portal    *hubspotsim.Portal
	target    *gainsightsim.Sim
	reader    *connector.Connector // what an admin sees
	functions map[string]*runtimetest.Function
}

func newWorld(t *testing.T, companies int) *world {
	t.Helper()
	engine := awstest.Start(t)
	w := &world{t: t, functions: map[string]*runtimetest.Function{}, source: hubspotsim.New(hubspotsim.Options{AutoApprove: true}), target: gainsightsim.New(gainsightsim.Options{AccessKey: "canary-key"})}
	w.source.AddApp("client", "canary-secret", []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	w.target.Prepare(portalID)
	for i := range companies {
		w.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)})
	}
	vendors := map[string]http.Handler{"HubSpot": w.source, "Gainsight": w.target}
	origins := map[string]string{}
	for name, sim := range vendors {
		server := httptest.NewServer(sim)
		t.Cleanup(server.Close)
		origins[name] = server.URL
	}
	config := awstest.Config(t, engine)
	w.env = map[string]string{
		"AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": engine.Endpoint,
		"TABLE": "table", "BUCKET": "bucket", "CHAIN_MACHINE": "arn:aws:states:" + awstest.Region + ":000000000000:stateMachine:chain",
		"HUBSPOT_CLIENT_ID": "client", "HUBSPOT_API_URL": origins["HubSpot"], "HUBSPOT_APP_URL": origins["HubSpot"], "REDIRECT_URL": back,
		"SCHEDULE_GROUP": "group", "SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/start", "SCHEDULE_DLQ": "arn:aws:sqs:us-east-1:000000000000:dead",
		"GAINSIGHT_URL": origins["Gainsight"], "MAIL_FROM": "sync@acme.example", "MAIL_TO": "ann@acme.example",
	}
	w.equip(config)
	w.reader = connector.New(connector.Settings{
		HubSpot: hubspot.Config{ClientID: "client", APIURL: origins["HubSpot"], AppURL: origins["HubSpot"], RedirectURL: back},
	}, connector.Ports{
		Table: dynamotable.New(dynamodb.NewFromConfig(config), "table", dynamotable.Options{}), Bucket: s3blob.New(s3.NewFromConfig(config), "bucket", s3blob.Options{}),
		Sealer: kmssealer.New(kms.NewFromConfig(config), w.env["KEY"]), NewID: func() string { return "01J00000000000000000000000" },
	})
	return w
}

// equip makes what the functions find on AWS, and puts its names into env.
func (w *world) equip(config aws.Config) {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := dynamodb.NewFromConfig(config).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("table"), BillingMode: dynamo.BillingModePayPerRequest,
		AttributeDefinitions: []dynamo.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: dynamo.ScalarAttributeTypeS}, {AttributeName: aws.String("sk"), AttributeType: dynamo.ScalarAttributeTypeS},
		},
		KeySchema: []dynamo.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: dynamo.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: dynamo.KeyTypeRange}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(config).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		w.t.Fatal(err)
	}
	key, err := kms.NewFromConfig(config).CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	entry, err := secretsmanager.NewFromConfig(config).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("s"), SecretString: aws.String(`{"hubspotClientSecret":"canary-secret","gainsightAccessKey":"canary-key","gainsightClientSecret":""}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := sesv2.NewFromConfig(config).CreateEmailIdentity(ctx, &sesv2.CreateEmailIdentityInput{EmailIdentity: aws.String("sync@acme.example")}); err != nil {
		w.t.Fatal(err)
	}
	w.env["KEY"], w.env["SECRET"] = *key.KeyMetadata.Arn, *entry.ARN
}

// invoke sends an event to a function's one process, as Lambda would.
func (w *world) invoke(function, payload string, limit time.Duration) runtimetest.Answer {
	w.t.Helper()
	if w.functions[function] == nil {
		w.functions[function] = runtimetest.Start(w.t, built(w.t, function), w.env)
	}
	return w.functions[function].Invoke(payload, limit)
}

// turn is what all steps answer.
type turn struct {
	Status   string `json:"status"`
	Parts    int    `json:"parts"`
	Outcome  string `json:"outcome"`
	ResumeAt string `json:"resumeAt"`
	Jobs     []struct {
		Run string `json:"run"`
	} `json:"jobs"`
}

// step invokes a step that must succeed.
func (w *world) step(function, payload string, limit time.Duration) turn {
	w.t.Helper()
	got := w.invoke(function, payload, limit)
	var out turn
	if err := json.Unmarshal([]byte(got.Body), &out); err != nil || got.ErrorType != "" {
		w.t.Fatalf("%s: %+v, %v\n%s", function, got, err, w.functions[function].Log())
	}
	return out
}

// authorize connects the portal through the deployed callback.
func (w *world) authorize() {
	w.t.Helper()
	c, err := w.reader.Connections.Create(w.t.Context(), "HS", "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	page, err := w.reader.Flow.Begin(w.t.Context(), c.ID, "tester")
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, page, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // follows nothing
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": to.Path, "rawQueryString": to.RawQuery,
		"requestContext": map[string]any{"stage": "$default", "domainName": to.Host, "http": map[string]any{"method": "GET", "path": to.Path, "sourceIp": "192.0.2.7"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if got := w.invoke("oauthcallback", string(event), time.Minute); !strings.Contains(got.Body, `"statusCode":200`) {
		w.t.Fatalf("callback: %+v\n%s", got, w.functions["oauthcallback"].Log())
	}
}

// load does what the state machines do with a job, each step until it is done,
// and returns the outcome.
func (w *world) load(execution string) turn {
	w.t.Helper()
	round := fmt.Sprintf(`{"execution":%q,"round":1,"input":{"job":"Company Sync_HS"}}`, execution)
	plan := w.step("plan", round, time.Minute)
	if again := w.step("plan", round, time.Minute); plan.Status != "DONE" || len(plan.Jobs) != 1 || fmt.Sprint(again) != fmt.Sprint(plan) {
		w.t.Fatalf("plan %+v, again %+v", plan, again)
	}
	id := plan.Jobs[0].Run
	// Its time is nearly over: it says so with what it has read, and goes on.
	extracted := w.step("extract", fmt.Sprintf(`{"run":%q}`, id), 30*time.Second)
	if extracted.Status == "MORE" {
		extracted = w.step("extract", fmt.Sprintf(`{"run":%q}`, id), 15*time.Minute)
	}
	for part := 1; part <= extracted.Parts; part++ {
		payload := fmt.Sprintf(`{"run":%q,"part":%d,"pass":1}`, id, part)
		if got := w.step("transform", payload, 15*time.Minute); got.Status != "DONE" {
			w.t.Fatalf("transform %+v", got)
		}
		if got := w.step("upsert", payload, 30*time.Second); got.Status != "MORE" {
			w.t.Fatalf("upsert near its deadline: %+v, want MORE", got)
		}
		if got := w.step("upsert", payload, 15*time.Minute); got.Status != "DONE" {
			w.t.Fatalf("upsert %+v", got)
		}
	}
	out := w.step("finish", fmt.Sprintf(`{"scope":"job","run":%q,"extract":{"status":"DONE","parts":%d}}`, id, extracted.Parts), time.Minute)
	w.step("finish", fmt.Sprintf(`{"scope":"round","execution":%q,"round":1}`, execution), time.Minute)
	w.step("notify", fmt.Sprintf(`{"execution":%q,"round":1}`, execution), time.Minute)
	return out
}

// The built functions sync a job on an engine that is not ours.
func TestAJobRunsThroughTheBuiltFunctions(t *testing.T) {
	w := newWorld(t, 250)
	w.authorize()
	if out := w.load("e1"); out.Outcome != string(run.Success) {
		t.Errorf("first run: %+v", out)
	}
	for _, problem := range truth.Compare(w.portal, w.target, false).Problems {
		t.Error(problem)
	}
	w.step("sweep", `{"detail-type":"Scheduled Event"}`, time.Minute)
	for name, f := range w.functions {
		f.Stop()
		f.Exit() // then its log is whole
		if strings.Contains(f.Log(), "canary") {
			t.Errorf("%s logged a secret", name)
		}
	}
	w.wantMetrics()
}

// wantMetrics checks what the functions measured.
func (w *world) wantMetrics() {
	w.t.Helper()
	got := map[string]float64{}
	for _, f := range w.functions {
		for line := range strings.Lines(f.Log()) {
			var doc map[string]any
			if json.Unmarshal([]byte(line), &doc) != nil || doc["_aws"] == nil {
				continue
			}
			for _, name := range []string{"Records", "Runs", "VendorCalls", "RunAge"} {
				if value, ok := doc[name].(float64); ok {
					of := ""
					for _, dimension := range []string{"Outcome", "Status", "Vendor"} {
						if text, ok := doc[dimension].(string); ok {
							of = " " + text
						}
					}
					got[name+of] += value
				}
			}
		}
	}
	sent := -1 // the page that people see
	for _, n := range w.source.Calls() {
		sent += n
	}
	for name, want := range map[string]float64{"Records extracted": 250, "Records inserted": 250, "Runs Success": 1, "VendorCalls HubSpot": float64(sent), "RunAge": 0} {
		if value, measured := got[name]; !measured || value != want {
			w.t.Errorf("metric %s = %v, want %v of %v", name, value, want, got)
		}
	}
}

// What is wrong on AWS is one clear sentence of the right kind, for each step.
func TestWhatIsWrongOnAWSIsTold(t *testing.T) {
	w := newWorld(t, 1)
	tests := []struct {
		name, function string
		env            map[string]string
		kind, message  string
	}{
		{"no table", "plan", map[string]string{"TABLE": "none"}, "Invalid", "DynamoDB has no such thing as"},
		{"no bucket", "extract", map[string]string{"BUCKET": "none"}, "Invalid", "S3 has no such thing as"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := maps.Clone(w.env)
			maps.Copy(env, tt.env)
			f := runtimetest.Start(t, built(t, tt.function), env)
			got := f.Invoke(events()[tt.function], time.Minute)
			if got.ErrorType != tt.kind || !strings.Contains(got.ErrorMessage, tt.message) {
				t.Errorf("%+v, want %s %q\n%s", got, tt.kind, tt.message, f.Log())
			}
		})
	}
}
