package e2e_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

const (
	chainName = "HUBSPOT_Company Person Sync"
	userJob   = "User Sync_HubSpot"
)

// TestTheDeployedConnectorKeepsGainsightInStepWithHubSpot is one story, because
// a deployment takes its time.
func TestTheDeployedConnectorKeepsGainsightInStepWithHubSpot(t *testing.T) {
	s := deploy(t)
	s.authorize()

	s.succeed("users", fmt.Sprintf(`{"job":%q}`, userJob))
	runs := s.succeed("first", fmt.Sprintf(`{"chain":%q}`, chainName))
	s.right()
	s.errorFile(runs)

	before := s.target.Writes()
	s.succeed("nothing-changed", fmt.Sprintf(`{"chain":%q}`, chainName))
	if after := s.target.Writes(); after != before {
		t.Errorf("%d calls wrote to Gainsight though nothing had changed", after-before)
	}

	s.edit()
	s.succeed("changes", fmt.Sprintf(`{"chain":%q}`, chainName))
	s.right()

	s.edit()
	s.killAtSecondWrite()
	s.succeed("killed", fmt.Sprintf(`{"chain":%q,"mode":"full"}`, chainName))
	s.right()
}

// authorize goes the way of an admin's browser: HubSpot's page, then back to the
// deployed function.
func (s *stack) authorize() {
	s.t.Helper()
	ctx := s.t.Context()
	c, err := s.admin.Connections.Create(ctx, "HubSpot", "e2e")
	if err != nil {
		s.t.Fatal(err)
	}
	page, err := s.admin.Flow.Begin(ctx, c.ID, "e2e")
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.browser().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the way back from HubSpot ends with %d: %s\n%s", resp.StatusCode, body, tail(s.engine.Log()))
	}
	jobs, err := s.admin.Jobs.List(ctx)
	if err != nil || len(jobs) != 3 {
		s.t.Fatalf("%d jobs after the authorization, %v; want 3", len(jobs), err)
	}
}

// succeed runs an execution to its end and returns its runs, none of which may
// have failed.
func (s *stack) succeed(execution, input string) []run.Run {
	s.t.Helper()
	s.start(execution, input)
	out := s.wait(execution)
	if out.Status != types.ExecutionStatusSucceeded {
		s.t.Fatalf("execution %s: %s %v\n%s", execution, out.Status, out.Cause, tail(s.engine.Log()))
	}
	round, err := s.admin.Runs.Round(s.t.Context(), execution, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	var runs []run.Run
	for _, id := range round.Jobs {
		r, err := s.admin.Runs.Get(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Status != run.Success && r.Status != run.Partial {
			s.t.Fatalf("execution %s: %s ended as %s: %s\n%s", execution, r.JobName, r.Status, r.Reason, tail(s.engine.Log()))
		}
		s.t.Logf("execution %s: %s: %s %+v", execution, r.JobName, r.Status, r.Counts)
		runs = append(runs, r)
	}
	return runs
}

// right compares both sides.
func (s *stack) right() {
	s.t.Helper()
	for _, problem := range truth.Compare(s.portal, s.target, true).Problems {
		s.t.Error(problem)
	}
}

// errorFile downloads the error files by their signed links: one line a rejected
// record.
func (s *stack) errorFile(runs []run.Run) {
	s.t.Helper()
	files := 0
	for _, r := range runs {
		if r.ErrorFile == "" {
			continue
		}
		files++
		link, err := s.admin.Bucket.Link(s.t.Context(), r.ErrorFile, "errors.csv", time.Hour)
		if err != nil {
			s.t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, link, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		resp, err := s.browser().Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		lines, err := csv.NewReader(resp.Body).ReadAll()
		_ = resp.Body.Close()
		if err != nil || int64(len(lines)-1) != int64(r.Counts.Rejected) {
			s.t.Errorf("%s: the error file has %d lines, %v; want a head and %d", r.JobName, len(lines), err, r.Counts.Rejected)
		}
	}
	if files == 0 {
		s.t.Error("no run has an error file, though some demo contacts have no company")
	}
}

// edit changes some records in HubSpot.
func (s *stack) edit() {
	n := 0
	for _, object := range []string{"companies", "contacts"} {
		property := map[string]string{"companies": "name", "contacts": "lastname"}[object]
		var ids []string
		s.portal.Each(object, func(r hubspotsim.Record) {
			if !r.Archived && r.MergedInto == "" && len(ids) < 8 {
				ids = append(ids, r.ID)
			}
		})
		for _, id := range ids {
			n++
			s.portal.Set(object, id, map[string]string{property: fmt.Sprintf("Edited %s %d %d", id, n, s.target.Writes())})
		}
	}
	s.portal.Create("companies", map[string]string{"name": fmt.Sprintf("New %d", s.target.Writes())})
}

// killAtSecondWrite kills the process of the upsert function when it writes to
// Gainsight for the second time; the call is served and its answer lost.
func (s *stack) killAtSecondWrite() {
	var writes, killed atomic.Int64
	s.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/query/") || writes.Add(1) != 2 {
			return nil
		}
		killed.Add(int64(kill(name + "-upsert")))
		return &gainsightsim.Fault{Lost: true}
	})
	s.t.Cleanup(func() {
		if killed.Load() == 0 {
			s.t.Error("no process was killed")
		}
	})
}

// kill kills the processes of a function on this machine, and tells how many.
func kill(function string) (killed int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environ, _ := os.ReadFile(filepath.Join(dir, "environ")) //nolint:gosec // of this machine's processes
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		var pid int
		if _, err := fmt.Sscan(filepath.Base(dir), &pid); err != nil || !strings.HasSuffix(exe, "bootstrap") {
			continue
		}
		if strings.Contains("\x00"+string(environ), "\x00AWS_LAMBDA_FUNCTION_NAME="+function+"\x00") && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}
