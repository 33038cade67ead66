package ebscheduler_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/schedule/ebscheduler"
	"hubspotconnector/internal/schedule/schedulertest"
	"hubspotconnector/internal/table/bolttable"
)

// eventBridge answers calls in turn: "" is a success, else a code. It notes them.
type eventBridge struct {
	answers []string
	status  int // of codes; 0 = 400

	mu    sync.Mutex
	calls []string // method, path, body
}

func (e *eventBridge) client() *scheduler.Client {
	return scheduler.NewFromConfig(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: e},
	})
}

func (e *eventBridge) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	e.calls = append(e.calls, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	code := ""
	switch {
	case len(e.answers) > 0:
		code, e.answers = e.answers[0], e.answers[1:]
	case r.Method == http.MethodPut:
		code = "ResourceNotFoundException"
	}
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	text := `{"ScheduleArn":"arn","Schedules":[]}`
	if code != "" {
		resp.StatusCode = max(e.status, 400)
		resp.Header.Set("X-Amzn-ErrorType", code)
		text = `{"Message":"canary"}`
	}
	resp.Body = io.NopCloser(strings.NewReader(text))
	return resp, nil
}

// created returns what the last call created.
func (e *eventBridge) created(t rapid.TB) *scheduler.CreateScheduleInput {
	method, rest, _ := strings.Cut(e.calls[len(e.calls)-1], " ")
	_, body, _ := strings.Cut(rest, " ")
	var in struct {
		scheduler.CreateScheduleInput

		StartDate *float64 `json:"StartDate"`
		EndDate   *float64 `json:"EndDate"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil || method != http.MethodPost {
		t.Fatalf("%s: %v", e.calls, err)
	}
	for from, to := range map[*float64]**time.Time{in.StartDate: &in.CreateScheduleInput.StartDate, in.EndDate: &in.CreateScheduleInput.EndDate} {
		if from != nil {
			at := time.Unix(int64(*from), 0).UTC()
			*to = &at
		}
	}
	return &in.CreateScheduleInput
}

var options = ebscheduler.Options{
	Group: "acme", Machine: "arn:aws:states:us-east-1:000000000000:stateMachine:chain:live", Role: "arn:aws:iam::000000000000:role/starter",
	DeadLetters: "arn:aws:sqs:us-east-1:000000000000:letters",
}

// onEngine returns a scheduler on an engine that is not ours, and its client.
func onEngine(t *testing.T, o ebscheduler.Options) (*ebscheduler.Scheduler, *scheduler.Client) {
	t.Helper()
	client := scheduler.NewFromConfig(awstest.Config(t, awstest.Start(t)))
	if _, err := client.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String("acme")}); err != nil {
		t.Fatal(err)
	}
	return ebscheduler.New(client, o), client
}

func TestScheduler(t *testing.T) {
	s, _ := onEngine(t, options)
	schedulertest.Run(t, s)
}

func chainOf(id string) schedule.Owner { return schedule.Owner{What: schedule.Chain, ID: id} }

func TestPutSaysAllToEventBridge(t *testing.T) {
	e, o := &eventBridge{}, options
	o.Now = func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	if err := ebscheduler.New(e.client(), o).Put(t.Context(), chainOf("01JD"), schedulertest.Daily()); err != nil {
		t.Fatal(err)
	}
	if len(e.calls) != 2 || !strings.HasPrefix(e.calls[0], "PUT /schedules/chain-01JD ") || !strings.HasPrefix(e.calls[1], "POST /schedules/chain-01JD ") {
		t.Fatalf("calls %s, want an update and a creation", e.calls)
	}
	for _, call := range e.calls {
		var got map[string]any
		if err := json.Unmarshal([]byte(call[strings.Index(call, "{"):]), &got); err != nil {
			t.Fatal(err)
		}
		if token, _ := got["ClientToken"].(string); token == "" {
			t.Error("no client token")
		}
		delete(got, "ClientToken")
		want := map[string]any{
			"Description":        `{"enabled":true,"kind":"daily","at":"06:30","zone":"Europe/Berlin"}`,
			"FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "GroupName": "acme",
			"ScheduleExpression": "cron(30 6 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin", "State": "ENABLED",
			"Target": map[string]any{
				"Arn": o.Machine, "RoleArn": o.Role, "DeadLetterConfig": map[string]any{"Arn": o.DeadLetters},
				"Input":       `{"cause":"schedule","chain":"01JD","due":"<aws.scheduler.scheduled-time>"}`,
				"RetryPolicy": map[string]any{"MaximumEventAgeInSeconds": 3600.0, "MaximumRetryAttempts": 20.0},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRepairUndoesWhateverSomebodyChanged changes each thing that matters on the
// engine, and what the template may change between two deploys.
func TestRepairUndoesWhateverSomebodyChanged(t *testing.T) {
	s, client := onEngine(t, options)
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	ids := 0
	store := &schedule.Store{Table: items, Activity: &activity.Store{Table: items, NewID: func() string { ids++; return time.Unix(int64(ids), 0).Format(time.RFC3339) }}}
	hourly := schedule.Schedule{Enabled: true, Kind: schedule.Hourly, At: "00:20", Zone: "UTC", End: "2090-12-31"}
	for id, sch := range map[string]schedule.Schedule{"daily": schedulertest.Daily(), "hourly": hourly} {
		if _, err := store.Put(t.Context(), chainOf(id), sch, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	repair := func(s schedule.Scheduler) map[string]bool {
		t.Helper()
		changes, err := (&schedule.Keeper{Store: store, Scheduler: s}).Repair(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		changed := map[string]bool{}
		for _, c := range changes {
			changed[c.Owner.ID] = c.Removed
		}
		return changed
	}
	both := map[string]bool{"daily": false, "hourly": false}
	if diff := cmp.Diff(both, repair(s)); diff != "" {
		t.Errorf("first:\n%s", diff)
	}
	if changed := repair(s); len(changed) > 0 {
		t.Errorf("again: %v, want no change", changed)
	}
	for name, edit := range map[string]func(*scheduler.UpdateScheduleInput){
		"the expression":  func(in *scheduler.UpdateScheduleInput) { in.ScheduleExpression = aws.String("cron(0 7 * * ? *)") },
		"the zone":        func(in *scheduler.UpdateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Asia/Tokyo") },
		"the state":       func(in *scheduler.UpdateScheduleInput) { in.State = types.ScheduleStateDisabled },
		"the description": func(in *scheduler.UpdateScheduleInput) { in.Description = nil },
		"a start": func(in *scheduler.UpdateScheduleInput) {
			in.StartDate = aws.Time(time.Date(2080, 1, 1, 0, 0, 1, 0, time.UTC))
		},
		"a start too far": func(in *scheduler.UpdateScheduleInput) {
			in.StartDate = aws.Time(time.Date(2080, 1, 1, 0, 20, 0, 0, time.UTC))
		},
		"an end": func(in *scheduler.UpdateScheduleInput) {
			in.EndDate = aws.Time(time.Date(2080, 1, 1, 0, 0, 0, 0, time.UTC))
		},
		"a flexible window": func(in *scheduler.UpdateScheduleInput) {
			in.FlexibleTimeWindow.Mode = types.FlexibleTimeWindowModeFlexible
		},
		"the target": func(in *scheduler.UpdateScheduleInput) {
			in.Target.Arn = aws.String("arn:aws:sqs:us-east-1:000000000000:q")
		},
		"the role": func(in *scheduler.UpdateScheduleInput) {
			in.Target.RoleArn = aws.String("arn:aws:iam::000000000000:role/other")
		},
		"the input":       func(in *scheduler.UpdateScheduleInput) { in.Target.Input = aws.String("{}") },
		"no dead letters": func(in *scheduler.UpdateScheduleInput) { in.Target.DeadLetterConfig = nil },
		"other letters": func(in *scheduler.UpdateScheduleInput) {
			in.Target.DeadLetterConfig.Arn = aws.String("arn:aws:sqs:us-east-1:000000000000:q")
		},
		"no retries":    func(in *scheduler.UpdateScheduleInput) { in.Target.RetryPolicy = nil },
		"other retries": func(in *scheduler.UpdateScheduleInput) { in.Target.RetryPolicy.MaximumRetryAttempts = aws.Int32(0) },
	} {
		for id := range both {
			found, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: aws.String("acme"), Name: aws.String("chain-" + id)})
			if err != nil {
				t.Fatal(err)
			}
			in := &scheduler.UpdateScheduleInput{
				GroupName: found.GroupName, Name: found.Name, Description: found.Description, Target: found.Target, State: found.State, StartDate: found.StartDate,
				EndDate: found.EndDate, FlexibleTimeWindow: found.FlexibleTimeWindow, ScheduleExpression: found.ScheduleExpression, ScheduleExpressionTimezone: found.ScheduleExpressionTimezone,
			}
			edit(in)
			if _, err := client.UpdateSchedule(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(both, repair(s)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if changed := repair(s); len(changed) > 0 {
			t.Errorf("%s, again: %v, want no change", name, changed)
		}
	}
	later := options
	later.Now = func() time.Time { return time.Now().AddDate(0, 7, 0) }
	if changed := repair(ebscheduler.New(client, later)); len(changed) > 0 {
		t.Errorf("seven months later: %v, want no change", changed)
	}
	later.Now = func() time.Time { return time.Date(2091, 1, 1, 0, 0, 0, 0, time.UTC) }
	if err := store.Delete(t.Context(), chainOf("daily"), "admin"); err != nil {
		t.Fatal(err)
	}
	changes, err := (&schedule.Keeper{Store: store, Scheduler: ebscheduler.New(client, later), Now: later.Now}).Repair(t.Context())
	if err != nil || len(changes) != 2 || !changes[0].Removed || !changes[1].Removed {
		t.Errorf("deleted and over: %v, %v, want both removed", changes, err)
	}
}

func TestSchedulesOfOthersAreLeftAlone(t *testing.T) {
	s, client := onEngine(t, options)
	for group, name := range map[string]string{"acme": "backup", "default": "job-x"} {
		_, err := client.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			GroupName: aws.String(group), Name: aws.String(name), ScheduleExpression: aws.String("rate(1 hour)"),
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, Target: &types.Target{Arn: aws.String("a"), RoleArn: aws.String("r")},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := s.List(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v, want none", entries, err)
	}
}

func TestAMissingGroupIsNamed(t *testing.T) {
	o := options
	o.Group = "none"
	s, _ := onEngine(t, o)
	err := s.Put(t.Context(), chainOf("c"), schedulertest.Daily())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), "the schedule group") {
		t.Errorf("%v", err)
	}
}

func TestErrorsOfEventBridgeGetTheirKind(t *testing.T) {
	const conflict, missing = "ConflictException", "ResourceNotFoundException"
	for _, tt := range []struct {
		name    string
		answers []string
		status  int
		want    fault.Kind // "" = no error
		calls   int
	}{
		{"there already", []string{""}, 0, "", 1},
		{"not there", []string{missing, ""}, 0, "", 2},
		{"created by another meanwhile", []string{missing, conflict, ""}, 0, "", 3},
		{"updated by another meanwhile", []string{conflict, ""}, 0, "", 2},
		{"changed by others all the time", []string{conflict, conflict, conflict, conflict, conflict}, 0, fault.Transient, 4},
		{"throttled", []string{"ThrottlingException"}, 429, fault.Throttled, 1},
		{"too many", []string{missing, "ServiceQuotaExceededException"}, 402, fault.Invalid, 2},
		{"not taken", []string{"ValidationException"}, 0, fault.Invalid, 1},
		{"no permission", []string{"AccessDeniedException"}, 403, fault.Invalid, 1},
		{"credentials that have expired", []string{"ExpiredTokenException"}, 403, fault.Transient, 1},
		{"down", []string{"InternalServerException"}, 500, fault.Transient, 1},
	} {
		e := &eventBridge{answers: tt.answers, status: tt.status}
		err := ebscheduler.New(e.client(), options).Put(t.Context(), chainOf("c"), schedulertest.Daily())
		if tt.want == "" && err != nil || tt.want != "" && !fault.Is(err, tt.want) || strings.Contains(fault.MessageOf(err), "canary") {
			t.Errorf("%s: %v (%s), want %q", tt.name, err, fault.KindOf(err), tt.want)
		}
		if len(e.calls) != tt.calls {
			t.Errorf("%s: %d calls, want %d", tt.name, len(e.calls), tt.calls)
		}
		if tt.want == "" || tt.answers[0] == missing || tt.answers[0] == conflict {
			continue
		}
		s := ebscheduler.New((&eventBridge{answers: tt.answers, status: tt.status}).client(), options)
		if err := s.Delete(t.Context(), chainOf("c")); !fault.Is(err, tt.want) {
			t.Errorf("%s, delete: %v", tt.name, err)
		}
		s = ebscheduler.New((&eventBridge{answers: tt.answers, status: tt.status}).client(), options)
		if _, err := s.List(t.Context()); !fault.Is(err, tt.want) {
			t.Errorf("%s, list: %v", tt.name, err)
		}
	}
}

// pages answers a list of one schedule a page.
type pages struct{ calls []string }

func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	p.calls = append(p.calls, r.Method+" "+r.URL.RequestURI())
	body := `{"Schedules":[{"Name":"job-a"}],"NextToken":"more+"}`
	switch {
	case r.URL.Path != "/schedules":
		body = `{"Description":"{}"}`
	case r.URL.Query().Get("NextToken") == "more+":
		body = `{"Schedules":[{"Name":"job-b"}]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestListReadsAllPages(t *testing.T) {
	p := &pages{}
	client := scheduler.NewFromConfig(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: p},
	})
	entries, err := ebscheduler.New(client, options).List(t.Context())
	want := []schedule.Entry{{Owner: schedule.Owner{What: schedule.Job, ID: "a"}}, {Owner: schedule.Owner{What: schedule.Job, ID: "b"}}}
	if diff := cmp.Diff(want, entries); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	calls := []string{
		"GET /schedules?MaxResults=100&ScheduleGroup=acme", "GET /schedules/job-a?groupName=acme",
		"GET /schedules?MaxResults=100&NextToken=more%2B&ScheduleGroup=acme", "GET /schedules/job-b?groupName=acme",
	}
	if diff := cmp.Diff(calls, p.calls); diff != "" {
		t.Error(diff)
	}
}
