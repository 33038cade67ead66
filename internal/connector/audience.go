package connector

import (
	"context"
	"net/http"
	"slices"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
	"hubspotconnector/internal/mail/slackhook"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/step/notify"
)

// audience is who wants to know how a round ended: the lists of its chain or job,
// else those of the deployment, else whoever created its jobs.
type audience struct {
	c    *Connector
	http *http.Client
	now  func() time.Time
}

func (a audience) of(ctx context.Context, round run.Round, runs []run.Run) (notify.Audience, error) {
	n, err := a.c.Settings.Notifications(ctx)
	if err != nil {
		return notify.Audience{}, err
	}
	all := notify.Audience{Set: n.Version > 0, Success: n.Success, Partial: n.Partial, Failure: n.Failure, Threshold: n.Threshold}
	if n.WebhookURL != "" {
		hook := slackhook.Hook{URL: n.WebhookURL, Secret: n.Secret, HTTP: a.http, Now: a.now}
		all.Post = func(ctx context.Context, m mail.Message) error { return hook.Post(ctx, m) }
	}
	owner, err := a.owner(ctx, round, runs)
	if err != nil || owner.ID == "" {
		return all, err
	}
	own, err := a.c.Settings.Recipients(ctx, owner)
	switch {
	case err == nil:
		all.Set, all.Success, all.Partial, all.Failure = true, own.Success, own.Partial, own.Failure
	case !fault.Is(err, fault.NotFound):
		return all, err
	case !all.Set || len(n.Success)+len(n.Partial)+len(n.Failure) == 0:
		creators, err := a.creators(ctx, runs)
		if err != nil {
			return all, err
		}
		all.Set = all.Set || len(creators) > 0
		all.Success, all.Partial, all.Failure = creators, creators, creators
	}
	return all, nil
}

// owner is the chain or job that a round was started for; the zero Owner if it is
// not there any more.
func (a audience) owner(ctx context.Context, round run.Round, runs []run.Run) (setting.Owner, error) {
	if round.Chain != "" {
		c, err := a.c.Chains.Find(ctx, round.Chain)
		if fault.Is(err, fault.NotFound) {
			return setting.Owner{}, nil
		}
		return setting.Owner{What: schedule.Chain, ID: c.ID, Name: c.Name}, err
	}
	if len(runs) == 0 {
		return setting.Owner{}, nil
	}
	return setting.Owner{What: schedule.Job, ID: runs[0].Job, Name: runs[0].JobName}, nil
}

// creators are the mail addresses of those who created the jobs of a round.
func (a audience) creators(ctx context.Context, runs []run.Run) ([]string, error) {
	var all []string
	for _, r := range runs {
		j, err := a.c.Jobs.Get(ctx, r.Job)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if err == nil && setting.IsAddress(j.Creator) && !slices.Contains(all, j.Creator) {
			all = append(all, j.Creator)
		}
	}
	return all, nil
}
