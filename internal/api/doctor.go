package api

import (
	"context"

	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/signin"
)

// Report is how a vendor speaks where its documents leave it open.
type Report struct {
	OK       bool             `json:"ok" doc:"False if something found makes the connector wrong until somebody acts."`
	Findings []doctor.Finding `json:"findings" nullable:"false"`
}

func reportOf(r doctor.Report, err error) (*answer[Report], error) {
	return &answer[Report]{Report{!r.Wrong(), append([]doctor.Finding{}, r.Findings...)}}, err
}

func (a *api) examinations() {
	examine := func(id, path, tag, summary string) operation {
		return operation{
			id: id, method: "POST", path: path, tag: tag, summary: summary, role: signin.Admin, vendor: true,
			description: "Nothing is written there. What was found is kept, and the clients speak likewise within five minutes. It costs some 50 calls of the quota.",
		}
	}
	d := &doctor.Doctor{HubSpot: a.HubSpot, Gainsight: a.Gainsight, Store: a.Found, Now: a.now, Sleep: a.admin.Sleep}
	register(a, examine("examineConnection", "/connections/{id}/examine", "Connections", "Ask HubSpot how it speaks where its documents leave it open"),
		func(ctx context.Context, in *ByID) (*answer[Report], error) {
			if err := a.Connections.Usable(ctx, in.ID); err != nil {
				return nil, err
			}
			c, err := a.Connections.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return reportOf(d.Account(ctx, doctor.Connection{ID: c.ID, PortalID: c.PortalID, Scopes: c.Scopes}))
		})
	register(a, examine("examineDestination", "/settings/destination/examine", "Settings", "Ask Gainsight how it speaks where its documents leave it open"),
		func(ctx context.Context, _ *struct{}) (*answer[Report], error) { return reportOf(d.Organisation(ctx)) })
}
