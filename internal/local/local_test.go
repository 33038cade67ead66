package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/truth"
)

// The secrets of the tests' world. Their text must be in no output and no file.
const (
	portalID     = 90210
	clientID     = "c0ffee00-0000-4000-8000-000000000002"
	clientSecret = "canary-client-secret-5f0c"
	accessKey    = "canary-access-key-77ab"
	m2mClient    = "m2m-client"
	m2mSecret    = "canary-m2m-secret-90d1"
)

// binary is the command, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "local-test-")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "local")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// world is both vendors as servers on this machine, and the settings and the data
// folder of the command.
type world struct {
	t      *testing.T
	source *hubspotsim.Sim
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	env    map[string]string
	data   string

	mu      sync.Mutex
	issued  []string // tokens and codes that the vendors gave out
	arrived func()   // called for each call to a vendor; may be nil
}

// newWorld returns a world with an account of that size.
func newWorld(t *testing.T, o hubspotsim.Options, size hubspotsim.DemoOptions) *world {
	t.Helper()
	w := &world{t: t, data: filepath.Join(t.TempDir(), "data")}
	o.AutoApprove = true
	o.Limits.Off = true
	back := "http://" + freeAddress(t) + "/oauth/callback"
	w.source = hubspotsim.New(o)
	w.source.AddApp(clientID, clientSecret, []string{back})
	w.portal = w.source.AddPortal(portalID, "customer.example")
	hubspotsim.Seed(w.portal, size)
	w.target = gainsightsim.New(gainsightsim.Options{
		AccessKey: accessKey, ClientID: m2mClient, ClientSecret: m2mSecret, Latency: o.Latency, Limits: gainsightsim.Limits{Off: true},
	})
	w.target.Prepare(portalID)
	hubspot, gainsight := w.serve(w.source), w.serve(w.target)
	w.env = map[string]string{
		"HUBSPOT_CLIENT_ID": clientID, "HUBSPOT_CLIENT_SECRET": clientSecret, "HUBSPOT_API_URL": hubspot, "HUBSPOT_APP_URL": hubspot,
		"GAINSIGHT_URL": gainsight, "GAINSIGHT_ACCESS_KEY": accessKey, "REDIRECT_URL": back,
		"HUBSPOT_LIMIT": "1000/1s", "HUBSPOT_SEARCH_LIMIT": "1000/1s", "GAINSIGHT_LIMIT": "5000/1s",
		"HOME": t.TempDir(), // and no PATH: no browser opens
	}
	return w
}

var secretField = regexp.MustCompile(`"(?:access_token|refresh_token)"\s*:\s*"([^"]+)"|[?&]code=([^&"]+)`)

// serve serves a vendor over HTTP and notes the tokens and codes in its answers.
func (w *world) serve(vendor http.Handler) string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		call := w.arrived
		w.mu.Unlock()
		if call != nil {
			call()
		}
		if !strings.Contains(r.URL.Path, "oauth") {
			vendor.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		vendor.ServeHTTP(answer, r)
		w.mu.Lock()
		for _, found := range secretField.FindAllStringSubmatch(answer.Body.String()+" "+answer.Header().Get("Location"), -1) {
			w.issued = append(w.issued, found[1]+found[2])
		}
		w.mu.Unlock()
		for name, values := range answer.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	}))
	w.t.Cleanup(server.Close)
	return server.URL
}

// on calls the function at each call to a vendor; nil = no more.
func (w *world) on(call func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrived = call
}

// strike runs a command and strikes its process at its n-th call to a vendor,
// before the call is served. It reports whether there were so many calls.
func (w *world) strike(cmd *exec.Cmd, n int64, blow func(*os.Process)) bool {
	w.t.Helper()
	var calls atomic.Int64
	reached, struck := make(chan struct{}), make(chan struct{})
	w.on(func() {
		if calls.Add(1) == n {
			close(reached)
			<-struck
		}
	})
	defer w.on(nil)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the state tells
	}()
	select {
	case <-reached:
		blow(cmd.Process)
		close(struck)
		<-ended
		return true
	case <-ended:
		close(struck) // of a call that came when the process had ended
		return false
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// command prepares a command of the world; args get the data folder.
func (w *world) command(ctx context.Context, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, binary, append(args, "-data", w.data)...)
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Dir = w.t.TempDir()
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// run runs a command to its end.
func (w *world) run(args ...string) result {
	w.t.Helper()
	cmd, stdout, stderr := w.command(w.t.Context(), args...)
	_ = cmd.Run() // the exit code tells
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// succeed runs a command that must succeed, and returns what it printed.
func (w *world) succeed(args ...string) string {
	w.t.Helper()
	r := w.run(args...)
	if r.code != 0 || r.stderr != "" {
		w.t.Fatalf("%v ended with %d\nstdout: %s\nstderr: %s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// fail runs a command that must fail with one sentence, and returns that.
func (w *world) fail(args ...string) string {
	w.t.Helper()
	r := w.run(args...)
	sentence := strings.TrimSuffix(r.stderr, "\n")
	switch {
	case r.code == 0:
		w.t.Fatalf("%v succeeded, but must fail\n%s", args, r.stdout)
	case r.code != 1, sentence == "", strings.Contains(sentence, "\n"), !strings.HasSuffix(sentence, "."):
		w.t.Fatalf("%v ended with %d, which must be 1, and said, which must be a sentence:\n%s", args, r.code, r.stderr)
	}
	for _, internal := range []string{"goroutine", "panic", ".go:", "0x", "Something went wrong"} {
		if strings.Contains(r.stdout+r.stderr, internal) {
			w.t.Errorf("%v says %q\nstdout: %s\nstderr: %s", args, internal, r.stdout, r.stderr)
		}
	}
	return sentence
}

// job is a run in a summary.
type job struct {
	Job            string         `json:"job"`
	Chain          string         `json:"chain"`
	Status         string         `json:"status"`
	Mode           string         `json:"mode"`
	Extracted      int            `json:"extracted"`
	Filtered       int            `json:"filtered"`
	Inserted       int            `json:"inserted"`
	Updated        int            `json:"updated"`
	Unchanged      int            `json:"unchanged"`
	Rejected       int            `json:"rejected"`
	HubSpotCalls   int            `json:"hubspotCalls"`
	GainsightCalls int            `json:"gainsightCalls"`
	Seconds        float64        `json:"seconds"`
	ErrorFile      string         `json:"errorFile"`
	Rejects        map[string]int `json:"rejects"`
}

// sync syncs and returns the summary, which must be in the form of the contract.
func (w *world) sync(args ...string) []job {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "summary.json")
	w.succeed(append([]string{"sync", "-summary", file}, args...)...)
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	var jobs []job
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&jobs); err != nil {
		w.t.Fatalf("summary: %v\n%s", err, text)
	}
	return jobs
}

// right compares the truth of both sides.
func (w *world) right(owners bool) {
	w.t.Helper()
	if problems := truth.Compare(w.portal, w.target, owners).Problems; len(problems) > 0 {
		slices.Sort(problems)
		w.t.Fatalf("%d differences, the first: %s", len(problems), problems[0])
	}
}
