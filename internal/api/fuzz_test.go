package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/api"
	"hubspotconnector/internal/awstest"
)

// fuzzTime bounds the fuzzer.
const fuzzTime = 40 * time.Second

// The fuzzer knows the document alone. It sends what the document allows and what it
// does not, and looks whether answers are as the document says and ours is never
// the fault.
func TestAFuzzerFindsNoFault(t *testing.T) {
	tool := awstest.Tool(t, "schemathesis/bin/schemathesis")
	if testing.Short() {
		t.Skip("the fuzzer takes up to a minute")
	}
	w := newWorld(t)
	w.companies(3)
	c := w.connect()
	job, _ := w.job("Company Sync_HubSpot")
	run := w.ended(w.send("POST", "/jobs/"+job.ID+"/run", map[string]any{})).Runs[0]
	chain := into[api.List[api.ChainRow]](w.send("GET", "/chains", nil).want(200)).Items[0]
	// Half of the operations are given what exists, so that they are not all 404.
	var conf strings.Builder
	for _, o := range []struct{ path, id string }{{"/connections/", c.ID}, {"/jobs/", job.ID}, {"/chains/", chain.ID}, {"/runs/", run.Run}} {
		_, _ = fmt.Fprintf(&conf, "[[operations]]\ninclude-path-regex = '^%s\\{id\\}'\nexclude-method = 'DELETE'\nparameters = { id = '%s', 'If-Match' = '*' }\n", o.path, o.id)
	}
	_, _ = fmt.Fprintf(&conf, "[[operations]]\ninclude-path-regex = '^/(settings|person)'\nparameters = { 'If-Match' = '*' }\n")
	dir := t.TempDir()
	file := filepath.Join(dir, "schemathesis.toml")
	check(t, os.WriteFile(file, []byte(conf.String()), 0o600))

	server := httptest.NewServer(w.front)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*fuzzTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "--config-file", file, "run", server.URL+api.Prefix+"/openapi.json", "--url", server.URL+api.Prefix,
		"--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--max-time", fmt.Sprint(int(fuzzTime.Seconds())), "--seed", "1", "--workers", "1", // several share a cache that is not theirs alone, and some runs end in an error of the tool
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance",
		"--exclude-operation-id", "revokeConnection", "--exclude-operation-id", "deleteConnection", // after which nothing more can happen
		"--suppress-health-check", "all", "--request-timeout", "20", "--no-shrink", "--warnings", "off", "--continue-on-failure")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("something went wrong on our side:\n%.3000s", log)
	}
	t.Logf("%.3000s", out)
}
