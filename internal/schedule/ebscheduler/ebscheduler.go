// Package ebscheduler lets EventBridge Scheduler start what is due: a schedule
// per job or chain, named after it, in the group of this deployment.
//
// EventBridge starts within the minute, once or, rarely, twice, and more often
// than the schedule says where no expression says the same (timingOf). It cannot
// name an execution after the time that was due, so schedule.Store.Claim tells
// which starts count. The schedule itself is kept as JSON in the description;
// List compares all else with what Put would make of it.
package ebscheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
)

// Options say what is started, and how.
type Options struct {
	Group   string // of all schedules; nobody else puts any into it
	Machine string // ARN of the chain machine, or of its alias
	Role    string // ARN of the role that starts it
	// DeadLetters is the ARN of the queue for starts that failed; "" = they are lost.
	DeadLetters string
	Now         func() time.Time // nil = time.Now
}

// Scheduler is a schedule.Scheduler.
type Scheduler struct {
	client calls
	o      Options
}

// calls are the operations that are used. The client is not kept: beside
// libraries that look methods up by name, the linker would keep all of its methods.
type calls struct {
	CreateSchedule func(context.Context, *scheduler.CreateScheduleInput, ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error)
	UpdateSchedule func(context.Context, *scheduler.UpdateScheduleInput, ...func(*scheduler.Options)) (*scheduler.UpdateScheduleOutput, error)
	DeleteSchedule func(context.Context, *scheduler.DeleteScheduleInput, ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error)
	GetSchedule    func(context.Context, *scheduler.GetScheduleInput, ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error)
	ListSchedules  func(context.Context, *scheduler.ListSchedulesInput, ...func(*scheduler.Options)) (*scheduler.ListSchedulesOutput, error)
}

var _ schedule.Scheduler = (*Scheduler)(nil)

// New returns a scheduler. The group, the role and the queue exist already.
func New(client *scheduler.Client, o Options) *Scheduler {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Scheduler{
		client: calls{client.CreateSchedule, client.UpdateSchedule, client.DeleteSchedule, client.GetSchedule, client.ListSchedules},
		o:      o,
	}
}

// name is that of an owner's schedule: at most 64 characters if its id has at
// most 58.
func name(o schedule.Owner) *string { return aws.String(o.What + "-" + o.ID) }

// owner is the inverse of name, false for a name of somebody else.
func owner(name string) (schedule.Owner, bool) {
	what, id, ok := strings.Cut(name, "-")
	return schedule.Owner{What: what, ID: id}, ok && id != "" && (what == schedule.Job || what == schedule.Chain)
}

// due is replaced by the time that was due, in the form of RFC 3339 (user guide,
// Adding context attributes, November 2026).
const due = "<aws.scheduler.scheduled-time>"

// patience bounds how long and how often EventBridge tries to start an execution
// that could not be started. What comes later is left to the next occurrence.
const (
	patience = time.Hour
	tries    = 20
)

// wanted is what an owner's schedule is in EventBridge.
func (s *Scheduler) wanted(o schedule.Owner, sch schedule.Schedule) (*scheduler.UpdateScheduleInput, error) {
	when, err := timingOf(sch, s.o.Now())
	if err != nil {
		return nil, fmt.Errorf("schedule of %s %s: %w", o.What, o.ID, err)
	}
	text, err := json.Marshal(sch)
	if err != nil {
		return nil, fmt.Errorf("schedule of %s %s: %w", o.What, o.ID, err)
	}
	target := &types.Target{
		Arn: &s.o.Machine, RoleArn: &s.o.Role, Input: aws.String(string(schedule.Input(o, due))),
		RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(int32(patience / time.Second)), MaximumRetryAttempts: aws.Int32(tries)},
	}
	if s.o.DeadLetters != "" {
		target.DeadLetterConfig = &types.DeadLetterConfig{Arn: &s.o.DeadLetters}
	}
	return &scheduler.UpdateScheduleInput{
		GroupName: &s.o.Group, Name: name(o), Description: aws.String(string(text)), Target: target,
		ScheduleExpression: &when.expression, ScheduleExpressionTimezone: &when.zone, StartDate: when.start, EndDate: when.end,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, State: types.ScheduleStateEnabled,
	}, nil
}

// turns bounds how often Put decides again whether to create or to update, when
// others do the same at once.
const turns = 4

// Put implements schedule.Scheduler.
func (s *Scheduler) Put(ctx context.Context, o schedule.Owner, sch schedule.Schedule) error {
	if err := sch.Validate(); err != nil {
		return err
	}
	if _, more := sch.Next(s.o.Now()); !more {
		return s.Delete(ctx, o)
	}
	in, err := s.wanted(o, sch)
	if err != nil {
		return err
	}
	for range turns {
		_, err = s.client.UpdateSchedule(ctx, in)
		if code := codeOf(err); code != "ResourceNotFoundException" {
			if code == "ConflictException" {
				continue
			}
			return wrap(err)
		}
		_, err = s.client.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
			GroupName: in.GroupName, Name: in.Name, Description: in.Description, Target: in.Target, State: in.State,
			ScheduleExpression: in.ScheduleExpression, ScheduleExpressionTimezone: in.ScheduleExpressionTimezone,
			StartDate: in.StartDate, EndDate: in.EndDate, FlexibleTimeWindow: in.FlexibleTimeWindow,
		})
		if codeOf(err) != "ConflictException" {
			return wrap(err)
		}
	}
	return wrap(err)
}

// Delete implements schedule.Scheduler.
func (s *Scheduler) Delete(ctx context.Context, o schedule.Owner) error {
	_, err := s.client.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{GroupName: &s.o.Group, Name: name(o)})
	if codeOf(err) == "ResourceNotFoundException" {
		return nil
	}
	return wrap(err)
}

// List implements schedule.Scheduler. It is a call for every hundred schedules,
// and one for each.
func (s *Scheduler) List(ctx context.Context) ([]schedule.Entry, error) {
	var entries []schedule.Entry
	in := &scheduler.ListSchedulesInput{GroupName: &s.o.Group, MaxResults: aws.Int32(100)}
	for {
		page, err := s.client.ListSchedules(ctx, in)
		if err != nil {
			return nil, wrap(err)
		}
		for _, summary := range page.Schedules {
			o, ours := owner(aws.ToString(summary.Name))
			if !ours {
				continue
			}
			found, err := s.client.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &s.o.Group, Name: summary.Name})
			if codeOf(err) == "ResourceNotFoundException" {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, wrap(err)
			}
			entries = append(entries, schedule.Entry{Owner: o, Schedule: s.read(o, found)})
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			return entries, nil
		}
	}
}

// read returns the schedule that was put, or the zero Schedule if what was found
// is not what Put would make of it.
func (s *Scheduler) read(o schedule.Owner, found *scheduler.GetScheduleOutput) schedule.Schedule {
	var sch schedule.Schedule
	if json.Unmarshal([]byte(aws.ToString(found.Description)), &sch) != nil {
		return schedule.Schedule{}
	}
	if _, more := sch.Next(s.o.Now()); !more {
		return schedule.Schedule{}
	}
	in, err := s.wanted(o, sch)
	if err != nil || !same(in, found) || !s.sameStart(sch, in.StartDate, found.StartDate) {
		return schedule.Schedule{}
	}
	return sch
}

// same compares all but the start date, which depends on when it was put.
func same(in *scheduler.UpdateScheduleInput, found *scheduler.GetScheduleOutput) bool {
	a, b := in.Target, found.Target
	if b == nil || b.RetryPolicy == nil || found.FlexibleTimeWindow == nil || (a.DeadLetterConfig == nil) != (b.DeadLetterConfig == nil) {
		return false
	}
	if a.DeadLetterConfig != nil && aws.ToString(a.DeadLetterConfig.Arn) != aws.ToString(b.DeadLetterConfig.Arn) {
		return false
	}
	return found.State == in.State && found.FlexibleTimeWindow.Mode == in.FlexibleTimeWindow.Mode &&
		aws.ToString(in.ScheduleExpression) == aws.ToString(found.ScheduleExpression) &&
		aws.ToString(in.ScheduleExpressionTimezone) == aws.ToString(found.ScheduleExpressionTimezone) &&
		aws.ToString(a.Arn) == aws.ToString(b.Arn) && aws.ToString(a.RoleArn) == aws.ToString(b.RoleArn) &&
		aws.ToString(a.Input) == aws.ToString(b.Input) &&
		aws.ToInt32(a.RetryPolicy.MaximumEventAgeInSeconds) == aws.ToInt32(b.RetryPolicy.MaximumEventAgeInSeconds) &&
		aws.ToInt32(a.RetryPolicy.MaximumRetryAttempts) == aws.ToInt32(b.RetryPolicy.MaximumRetryAttempts) &&
		aws.ToTime(in.EndDate).Equal(aws.ToTime(found.EndDate))
}

// sameStart reports whether a start date that was found does as well as the one
// wanted now: for an interval any of its occurrences, which the start date counts
// from; else one that is past does as well as none.
func (s *Scheduler) sameStart(sch schedule.Schedule, want, found *time.Time) bool {
	switch {
	case found == nil:
		return want == nil
	case sch.Kind == schedule.Hourly || sch.Kind == schedule.Minutes:
		next, ok := sch.Next(found.Add(-time.Second))
		return ok && next.Equal(*found) && !found.After(aws.ToTime(want))
	case want == nil:
		return !found.After(s.o.Now())
	}
	return want.Equal(*found)
}

func wrap(err error) error {
	switch codeOf(err) {
	case "ConflictException":
		return fault.Wrap(err, fault.Transient, "EventBridge Scheduler is changing this schedule already. It is tried again.")
	case "ValidationException":
		return fault.Wrap(err, fault.Invalid, "EventBridge Scheduler does not take the schedule. Its time zone may be too new for it: choose another place of that zone.")
	case "ServiceQuotaExceededException":
		return fault.Wrap(err, fault.Invalid, "This AWS account may have no more schedules in EventBridge Scheduler. Raise its quota, or delete some.")
	}
	return awsfault.Wrap(err, "EventBridge Scheduler", "the schedule group")
}

// codeOf returns the code of a service's error, "" if there is none.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
