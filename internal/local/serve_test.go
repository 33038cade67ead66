package main_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	jobs "hubspotconnector/internal/job"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/truth"
)

// served is a serve command at work, and a browser that came in by its link.
type served struct {
	t      *testing.T
	cmd    *exec.Cmd
	origin string
	link   string
	stderr *strings.Builder
	rest   chan string // what it printed behind the link, at its end
	*http.Client
}

// startServe starts serve and opens the link that it prints.
func startServe(t *testing.T, cmd *exec.Cmd) *served {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, cmd: cmd, stderr: &strings.Builder{}, rest: make(chan string, 1), Client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	cmd.Stdout, cmd.Stderr = nil, s.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	for s.link == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = cmd.Wait()
			t.Fatalf("it ended: %v\n%s", err, s.stderr)
		}
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "http") {
			s.link = line
		}
	}
	go func() {
		rest, _ := io.ReadAll(lines)
		s.rest <- string(rest)
	}()
	s.origin, _, _ = strings.Cut(s.link, "/?")
	if status, _, _ := s.get(s.link); status != http.StatusOK {
		t.Fatalf("the link answers %d", status)
	}
	return s
}

func (s *served) do(req *http.Request) (status int, body, at string) {
	s.t.Helper()
	req.Header.Set("Accept", "text/html")
	resp, err := s.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Request.URL.String()
}

func (s *served) get(address string) (status int, body, at string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(req)
}

// post sends a form as the console's own page does.
func (s *served) post(path string, form url.Values) (status int, body, at string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.do(req)
}

// page returns a page, which must be there.
func (s *served) page(path string) string {
	s.t.Helper()
	status, body, _ := s.get(s.origin + path)
	if status != http.StatusOK {
		s.t.Fatalf("%s answers %d\n%s", path, status, body)
	}
	return body
}

// until asks for a page until it says something.
func (s *served) until(path string, says *regexp.Regexp) string {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		body := s.page(path)
		if says.MatchString(body) {
			return body
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s never says %s\n%s", path, says, body)
		}
	}
}

// end interrupts it as Ctrl-C does, and returns what it printed.
func (s *served) end() string {
	s.t.Helper()
	_ = s.cmd.Process.Signal(os.Interrupt)
	rest := <-s.rest
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("it ended with %v\n%s%s", err, rest, s.stderr)
	}
	return rest
}

var runButton = regexp.MustCompile(`/chains/([^/"]+)/run`)

// The newcomer's path, without a browser's script: connect, run the chain, see
// it; and all of it is there after a restart.
func TestServeTakesANewcomerFromEmptyToAFinishedChain(t *testing.T) {
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{Companies: 12, Contacts: 15})
	delete(w.env, "GAINSIGHT_URL")
	delete(w.env, "GAINSIGHT_ACCESS_KEY")
	gainsight := w.serve(w.target)
	start := func() *served {
		cmd, _, _ := w.command(context.WithoutCancel(t.Context()), "serve", "-no-browser")
		return startServe(t, cmd)
	}
	s := start()
	if status, _, at := s.post("/settings/destination", url.Values{"url": {gainsight}, "method": {"key"}, "accessKey": {accessKey}, "version": {"0"}}); status != http.StatusOK {
		t.Fatalf("the destination: %d at %s", status, at)
	}
	status, body, at := s.post("/connections", url.Values{"name": {"HubSpot"}}) // HubSpot leads back at once
	if status != http.StatusOK || !strings.HasPrefix(at, s.origin+"/connections/") {
		t.Fatalf("authorized: %d at %s\n%s", status, at, body)
	}
	if body := s.page("/api/v1/jobs"); !strings.Contains(body, "Company Sync_HubSpot") {
		t.Errorf("the API:\n%s", body)
	}
	chain := runButton.FindStringSubmatch(s.page("/chains"))
	if chain == nil {
		t.Fatal("there is no chain to run")
	}
	if status, body, _ = s.post("/chains/"+chain[1]+"/run", url.Values{"mode": {"changes"}, "key": {"once"}}); status != http.StatusOK {
		t.Fatalf("started: %d\n%s", status, body)
	}
	for end := time.Now().Add(time.Minute); len(truth.Compare(w.portal, w.target, false).Problems) > 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	w.right(false)
	s.until("/jobs", regexp.MustCompile(`(?s)Success.*Success`)) // both are closed
	if _, body, _ := s.get(s.origin + "/activity"); strings.Contains(body, accessKey) || strings.Contains(body, clientSecret) {
		t.Error("a page shows a secret")
	}
	if rest := s.end(); !strings.Contains(rest, "Stopped.") {
		t.Errorf("at its end it says %q", rest)
	}

	w.leaveABacklog()
	again := start()
	again.Jar = s.Jar // the session outlives the process
	again.until("/api/v1/runs", regexp.MustCompile(`"cause":"backlog","status":"Partial Success"`))
	if body := again.page("/jobs"); !strings.Contains(body, "Company Sync_HubSpot") || !strings.Contains(body, "Success") {
		t.Errorf("after a restart:\n%s", body)
	}
	again.end()
}

// leaveABacklog leaves all companies to slices, at which nobody is.
func (w *world) leaveABacklog() {
	w.t.Helper()
	items, err := bolttable.Open(filepath.Join(w.data, "table.db"), bolttable.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	j, err := (&jobs.Store{Table: items}).Find(w.t.Context(), "Company Sync_HubSpot")
	if err == nil {
		err = items.Write(w.t.Context(), []table.Op{run.BacklogOp(run.Backlog{Job: j.ID, Opened: time.Now(), Spans: []run.Span{{Opened: time.Now()}}})})
	}
	if err := errors.Join(err, items.Close()); err != nil {
		w.t.Fatal(err)
	}
}

func TestServeLetsInNobodyWithoutTheLink(t *testing.T) {
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{})
	cmd, _, _ := w.command(context.WithoutCancel(t.Context()), "serve", "-no-browser")
	s := startServe(t, cmd)
	defer s.end()
	stranger := &served{t: t, origin: s.origin, Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for _, path := range []string{"/", "/jobs", "/settings", "/activity", "/api/v1/jobs"} {
		if status, _, _ := stranger.get(s.origin + path); status == http.StatusOK {
			t.Errorf("%s is open", path)
		}
	}
	if status, _, _ := stranger.get(s.link); status != http.StatusForbidden {
		t.Errorf("the link again: %d", status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.origin+"/connections", strings.NewReader("name=Evil"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _, _ := s.do(req); status != http.StatusForbidden {
		t.Errorf("another site's form: %d", status)
	}
}

func TestCommandsReachTheConsoleOfThisMachineByItsToken(t *testing.T) {
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{})
	file := filepath.Join(w.data, "token")
	if err := errors.Join(os.MkdirAll(w.data, 0o700), os.WriteFile(file, []byte("of a start that was killed"), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd, _, _ := w.command(context.WithoutCancel(t.Context()), "serve", "-no-browser")
	s := startServe(t, cmd)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token: %+v, %v", info, err)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	export := func(token string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, "export", "-", "-api", s.origin)
		cmd.Env = []string{"HOME=" + t.TempDir(), "HUBSPOT_GAINSIGHT_TOKEN=" + token}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, _ := export(strings.TrimSpace(string(token))); !strings.Contains(out, "There is no connection yet.") { // the console itself says so
		t.Errorf("with the token: %s", out)
	}
	if out, err := export("of a start that was killed"); err == nil || !strings.Contains(out, "does not accept the token") {
		t.Errorf("with another: %v\n%s", err, out)
	}
	if rest := s.end(); !strings.Contains(rest, file) {
		t.Errorf("it does not say where the token is: %s", rest)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its end: %v", err)
	}
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{})
	w.env["REDIRECT_URL"] = "https://sync.example.com/oauth/callback"
	if said := w.fail("serve", "-no-browser"); !strings.Contains(said, "REDIRECT_URL on this machine") {
		t.Error(said)
	}
	delete(w.env, "HUBSPOT_CLIENT_ID")
	if said := w.fail("serve", "-no-browser"); !strings.Contains(said, "HUBSPOT_CLIENT_ID") {
		t.Error(said)
	}
	if said := w.fail("serve", "more"); !strings.Contains(said, `"more" is not understood`) {
		t.Error(said)
	}
}

// The demo's HubSpot has a login page with two accounts; changes in it arrive by
// webhook.
func TestServeDemoSimulatesBothVendors(t *testing.T) {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "serve", "-demo", "-no-browser")
	cmd.Env = []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "REDIRECT_URL=http://" + freeAddress(t) + "/oauth/callback"}
	s := startServe(t, cmd)
	status, body, at := s.post("/connections", url.Values{"name": {"HubSpot"}})
	if status != http.StatusOK || !strings.Contains(body, "90210") || !strings.Contains(body, "90211") {
		t.Fatalf("HubSpot's page: %d at %s\n%s", status, at, body)
	}
	consent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader("decision=approve&account=90210"))
	if err != nil {
		t.Fatal(err)
	}
	consent.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, body, at = s.do(consent); status != http.StatusOK || !strings.HasPrefix(at, s.origin+"/connections/") {
		t.Fatalf("authorized: %d at %s\n%s", status, at, body)
	}
	if _, body, _ = s.post("/demo", url.Values{"change": {"add"}}); !strings.Contains(body, "Added 1") {
		t.Errorf("the page of the simulated accounts:\n%s", body)
	}
	if body := s.page("/demo"); !strings.Contains(body, "company: 0 rows") {
		t.Errorf("before a run:\n%s", body)
	}
	s.end()
}
