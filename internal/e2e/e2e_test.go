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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
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
	s.console()
	due := s.schedule()

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

	s.webhooks()
	s.right()

	s.edit()
	s.killAtSecondWrite()
	s.succeed("killed", fmt.Sprintf(`{"chain":%q,"mode":"full"}`, chainName))
	s.right()

	s.fired(due)
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

// schedule saves a schedule of User Sync for a minute that comes soon, and
// returns that minute.
func (s *stack) schedule() time.Time {
	s.t.Helper()
	ctx := s.t.Context()
	j, err := s.admin.Jobs.Find(ctx, userJob)
	if err != nil {
		s.t.Fatal(err)
	}
	due := time.Now().UTC().Add(90 * time.Second).Truncate(time.Minute)
	_, err = s.admin.Schedules.Put(ctx, schedule.Owner{What: schedule.Job, ID: j.ID, Name: j.Name},
		schedule.Schedule{Enabled: true, Kind: schedule.Daily, At: due.Format("15:04"), Zone: "UTC"}, "e2e")
	if err != nil {
		s.t.Fatal(err)
	}
	// The engine does not fill in the time of the start, so it is written here.
	client := scheduler.NewFromConfig(s.cfg)
	list, err := client.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: aws.String(name)})
	if err != nil || len(list.Schedules) != 1 {
		s.t.Fatalf("the saved schedule is not EventBridge's only one: %+v, %v", list, err)
	}
	got, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: aws.String(name), Name: list.Schedules[0].Name})
	if err != nil {
		s.t.Fatal(err)
	}
	const placeholder = "<aws.scheduler.scheduled-time>"
	if !strings.Contains(aws.ToString(got.Target.Input), placeholder) {
		s.t.Fatalf("the start does not tell when it was due: %s", aws.ToString(got.Target.Input))
	}
	got.Target.Input = aws.String(strings.ReplaceAll(aws.ToString(got.Target.Input), placeholder, due.Format(time.RFC3339)))
	_, err = client.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		GroupName: got.GroupName, Name: got.Name, ScheduleExpression: got.ScheduleExpression, ScheduleExpressionTimezone: got.ScheduleExpressionTimezone,
		FlexibleTimeWindow: got.FlexibleTimeWindow, Target: got.Target, State: got.State,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return due
}

// fired waits for the execution that the schedule started, and for its end.
func (s *stack) fired(due time.Time) {
	s.t.Helper()
	for deadline := due.Add(patience); ; {
		list, err := s.machine.ListExecutions(s.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.outputs["ChainMachineArn"])})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range list.Executions {
			out, err := s.machine.DescribeExecution(s.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
			if err != nil {
				s.t.Fatal(err)
			}
			if !strings.Contains(aws.ToString(out.Input), `"schedule"`) {
				continue
			}
			out = s.wait(aws.ToString(e.Name))
			if want := `"Success"`; !strings.Contains(aws.ToString(out.Output), want) {
				s.t.Errorf("the scheduled execution ended %s with %s, want %s", out.Status, aws.ToString(out.Output), want)
			}
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the schedule that was due at %s started nothing", due)
		}
		time.Sleep(time.Second) // a foreign process is polled
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
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
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
