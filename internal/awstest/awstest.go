// Package awstest starts engines that are not ours and answer like AWS, so that
// the adapters are tested without an account. Tests alone import it.
package awstest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"hubspotconnector/internal/awshttp"
)

// Engine is a running engine.
type Engine struct {
	// Endpoint is the origin of all its services, on this machine's loopback.
	Endpoint string
	// Log returns what it has written so far.
	Log func() string
}

// Region is the region that all engines take.
const Region = "us-east-1"

// patience is how long an engine may take to start on a busy machine.
const patience = 90 * time.Second

// Start starts an engine with DynamoDB, S3, KMS, SES, Scheduler, Step Functions,
// Lambda, CloudFormation and more, empty, and stops it at the end of the test.
// env are more variables of its environment, as NAME=value. If the engine is not
// installed the test is skipped; in CI it fails.
func Start(t testing.TB, env ...string) Engine {
	t.Helper()
	binary, dir, port := Tool(t, "engine/bin/ministack"), t.TempDir(), freePort(t)
	cmd := exec.Command(binary) //nolint:gosec,noctx // a pinned tool of this repository; ended by run
	cmd.Dir = dir
	outer := os.Environ() //nolint:forbidigo // that of the test, for the engine
	cmd.Env = append(outer, fmt.Sprint("GATEWAY_PORT=", port), "BIND_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0",
		fmt.Sprint("AWS_ENDPOINT_URL=http://127.0.0.1:", port), // leads the functions that it runs back to it
		"HOME="+dir, "TMPDIR="+dir, "PYTHONUNBUFFERED=1",
		"PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH")) //nolint:forbidigo // likewise
	cmd.Env = append(cmd.Env, env...)
	return run(t, cmd, port)
}

// Dynoxide starts an engine with DynamoDB alone, as a second opinion, empty, and
// stops it at the end of the test. Nothing installs it, as it takes minutes:
//
//	cargo install dynoxide-rs --version 3.2.0 --locked --root .tools/dynoxide
//
// Where it is not installed the test is skipped.
func Dynoxide(t testing.TB) Engine {
	t.Helper()
	binary := filepath.Join(Root(t), ".tools", "dynoxide", "bin", "dynoxide")
	if _, err := os.Stat(binary); err != nil {
		if binary, err = exec.LookPath("dynoxide"); err != nil {
			t.Skip("dynoxide is not installed")
		}
	}
	port := freePort(t)
	cmd := exec.Command(binary, "--host", "127.0.0.1", "--port", fmt.Sprint(port)) //nolint:gosec,noctx // a tool for tests; ended by run
	cmd.Dir = t.TempDir()
	return run(t, cmd, port)
}

// run starts an engine that listens at the port, waits until it answers, and
// ends it, with what it has started, at the end of the test.
func run(t testing.TB, cmd *exec.Cmd, port int) Engine {
	t.Helper()
	log := &buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() && testing.Verbose() {
			t.Logf("engine's log:\n%s", log)
		}
	})
	e := Engine{Endpoint: fmt.Sprint("http://127.0.0.1:", port), Log: log.String}
	wait(t, e, ended)
	return e
}

// Config is what SDK clients need to reach an engine. They try a call
// three times, as those of functions do.
func Config(_ testing.TB, e Engine) aws.Config {
	return aws.Config{
		Region:           Region,
		BaseEndpoint:     aws.String(e.Endpoint),
		Credentials:      credentials.NewStaticCredentialsProvider("000000000000", "test", ""),
		RetryMaxAttempts: 3,
		HTTPClient:       &http.Client{Transport: awshttp.Transport{}},
	}
}

// Tool returns the path of a tool that make tools installs, given below .tools.
// If it is missing the test is skipped; in CI it fails.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(t), ".tools", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" { //nolint:forbidigo // a test that skips must say so where nobody looks
			t.Fatalf("%s is not installed: run make tools", name)
		}
		t.Skipf("%s is not installed: run make tools", name)
	}
	return path
}

// Root returns the repository's root.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatalf("no go.mod above the working directory: %v", err)
	return ""
}

func wait(t testing.TB, e Engine, ended <-chan struct{}) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Endpoint+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < http.StatusInternalServerError {
				return
			}
		}
		select {
		case <-ended:
			t.Fatalf("the engine ended while it started:\n%s", e.Log())
		case <-ctx.Done():
			t.Fatalf("the engine did not answer within %s:\n%s", patience, e.Log())
		case <-tick.C:
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener's
}

// buffer keeps what a process writes. It is safe for concurrent use.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.buf.String())
}
