package localmachine_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/machine"
	"hubspotconnector/statemachines"
)

// account begins the names of the engine's machines and executions.
const account = "arn:aws:states:us-east-1:000000000000:"

// engineLacks names the scenarios that the engine cannot run as Step Functions
// would, and why.
var engineLacks = map[string]string{
	"a broken branch leads to SkipRest":                       "its children outlive a branch that failed",
	"a lost connection gives the run up, too":                 "a failing item of a Map does not stop the Map",
	"a lost lease gives the run up, and no other part begins": "the same",
}

// TestAnotherEngineGoesTheSameWays runs the scenarios' machine files on an engine
// that is not ours, with the same answers, and wants what the interpreter must
// give: output, payloads, number of calls, children, and the path of the chain.
func TestAnotherEngineGoesTheSameWays(t *testing.T) {
	code := forwarder(t)
	ran := 0
	for _, s := range scenarios() {
		if s.waits() || engineLacks[s.name] != "" {
			continue
		}
		ran++
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.checkOn(t, newEngine(t, s, code))
		})
	}
	if ran < 18 {
		t.Errorf("only %d scenarios ran", ran)
	}
}

// waits reports whether a scenario takes longer than a test may: a delay, or an
// error that is tried again later.
func (s scenario) waits() bool {
	for _, answers := range s.script {
		for _, a := range answers {
			if strings.HasPrefix(a, "@") || strings.HasPrefix(a, "!Transient") || strings.HasPrefix(a, "!Lambda") || a == "!panic" {
				return true
			}
		}
	}
	return strings.Contains(s.input, "waitUntil")
}

// forwarder builds the function's zip, in base64.
func forwarder(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", binary, "./testdata/forward")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	head := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	head.SetMode(0o755)
	w, err := z.CreateHeader(head)
	if err == nil {
		_, err = w.Write(program)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(file.Bytes())
}

// engine is the machines on an engine, over a world's scripted functions.
type engine struct {
	*world
	client *sfn.Client
}

func newEngine(t *testing.T, s scenario, code string) *engine {
	t.Helper()
	e := awstest.Start(t)
	w := &engine{world: newWorld(t, s.script, s.replace), client: sfn.NewFromConfig(awstest.Config(t, e))}
	functions := httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(functions.Close)
	names := map[string]string{"ExtractMachine": account + "stateMachine:extract", "LoadMachine": account + "stateMachine:load"}
	for _, name := range []string{"plan", "extract", "transform", "upsert", "finish", "notify"} {
		createFunction(t, e, name, code, functions.URL)
		names[strings.ToUpper(name[:1])+name[1:]+"Function"] = name
	}
	for _, name := range []string{"extract", "load", "chain"} {
		text, err := fs.ReadFile(statemachines.Files, name+".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		for old, other := range s.replace {
			text = []byte(strings.ReplaceAll(string(text), old, other))
		}
		definition := string(text)
		for variable, value := range names {
			definition = strings.ReplaceAll(definition, "${"+variable+"}", value)
		}
		_, err = w.client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
			Name: &name, Definition: &definition, RoleArn: aws.String("arn:aws:iam::000000000000:role/test"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// answer is the functions, over HTTP.
func (w *engine) answer(rw http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	answer, err := w.function(strings.TrimPrefix(r.URL.Path, "/"))(r.Context(), payload)
	var failure *asl.Error
	if errors.As(err, &failure) {
		var cause struct {
			Message string `json:"errorMessage"`
		}
		_ = json.Unmarshal([]byte(failure.Cause), &cause)
		answer, _ = json.Marshal(map[string]string{"Type": failure.Name, "Message": cause.Message})
		rw.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = rw.Write(answer)
}

// createFunction makes a Lambda function (Lambda API reference, CreateFunction).
func createFunction(t *testing.T, e awstest.Engine, name, code, target string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::000000000000:role/test", "Timeout": 60,
		"Code": map[string]string{"ZipFile": code}, "Environment": map[string]any{"Variables": map[string]string{"TARGET": target}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.Endpoint+"/2015-03-31/functions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=000000000000/20261124/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
		t.Fatalf("create function %s: %d %s", name, resp.StatusCode, answer)
	}
}

func (s scenario) checkOn(t *testing.T, w *engine) {
	input := s.input
	if input == "" {
		input = `{"chain":"c"}`
	}
	_, err := w.client.StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(account + "stateMachine:chain"), Name: aws.String("run"), Input: &input,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := w.wait(account + "execution:chain:run")
	want := s.status
	if want == "" {
		want = machine.Succeeded
	}
	name, _, _ := strings.Cut(s.failure, ":") // causes are each engine's own words
	output := ""
	if want == machine.Succeeded { // the engine gives the error as output, too
		output = aws.ToString(ended.Output)
	}
	if string(ended.Status) != string(want) || sameJSON(t, output) != sameJSON(t, s.output) || aws.ToString(ended.Error) != name {
		t.Errorf("ended %s %s %s\nwant  %s %s %s", ended.Status, output, aws.ToString(ended.Error), want, s.output, name)
	}
	for call, payload := range s.sent {
		if diff := cmp.Diff(sameJSON(t, payload), sameJSON(t, w.payloads[call])); diff != "" {
			t.Errorf("payload of %s: %s", call, diff)
		}
	}
	for call, n := range s.calls {
		if got := w.count(call); got != n {
			t.Errorf("%s was called %d times, want %d", call, got, n)
		}
	}
	var children []string
	for child := range s.traces {
		if child != "run" {
			children = append(children, child)
		}
	}
	slices.Sort(children)
	if diff := cmp.Diff(children, w.children()); diff != "" {
		t.Errorf("children (-want +got): %s", diff)
	}
	if diff := cmp.Diff(outside(s.traces["run"].Path), outside(w.path(account+"execution:chain:run"))); diff != "" {
		t.Errorf("path of the chain (-want +got): %s", diff)
	}
}

// outside leaves out the states within LoadAndExtractNext, of which the engine
// keeps no history.
func outside(path string) []string {
	within := []string{"NameLoad", "LoadJob", "NoteLoadFailed", "IsThereANextJob", "ExtractNext", "ExtractNothing", "NoteExtractFailed"}
	return slices.DeleteFunc(strings.Fields(path), func(state string) bool { return slices.Contains(within, state) })
}

// sameJSON writes equal documents equally. Causes are left out: they are each
// engine's own words.
func sameJSON(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	withoutCauses(v)
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func withoutCauses(v any) {
	doc, _ := v.(map[string]any)
	for name, inner := range doc {
		if name == "cause" {
			doc[name] = "a cause"
		}
		withoutCauses(inner)
	}
}

func (w *engine) wait(arn string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := w.client.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err != nil {
			w.t.Fatal(err)
		}
		if out.Status != "RUNNING" {
			return out
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the execution does not end")
		}
		time.Sleep(20 * time.Millisecond) // a foreign process is polled
	}
}

func (w *engine) children() []string {
	w.t.Helper()
	var names []string
	for _, name := range []string{"extract", "load"} {
		out, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(account + "stateMachine:" + name)})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range out.Executions {
			names = append(names, aws.ToString(e.Name))
		}
	}
	slices.Sort(names)
	return names
}

func (w *engine) path(arn string) string {
	w.t.Helper()
	var states []string
	in := &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: 1000}
	for {
		out, err := w.client.GetExecutionHistory(w.t.Context(), in)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range out.Events {
			if d := e.StateEnteredEventDetails; d != nil {
				states = append(states, aws.ToString(d.Name))
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return strings.Join(states, " ")
		}
	}
}
