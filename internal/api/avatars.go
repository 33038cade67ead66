package api

import (
	"context"
	"slices"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/signin"
)

// Owner is an owner of HubSpot with the user that it is in Gainsight.
type Owner struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Email    string           `json:"email"`
	Archived bool             `json:"archived" doc:"Or inactive."`
	State    admin.OwnerState `json:"state"`
	User     *User            `json:"user,omitempty" doc:"Of one that Gainsight no longer has only the GSID is known."`
	By       string           `json:"by,omitempty" doc:"Who associated it; job for a job."`
	Reason   string           `json:"reason,omitempty" doc:"Why the last run did not deliver it."`
}

// User is a user of Gainsight.
type User struct {
	GSID     string `json:"gsid"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Username string `json:"username"`
}

func ownerOf(o admin.Owner) Owner {
	out := Owner{ID: o.ID, Name: o.Name, Email: o.Email, Archived: o.Archived, State: o.State, By: o.By, Reason: o.Reason}
	if o.User.GSID != "" {
		out.User = &User{GSID: o.User.GSID, Name: o.User.Name, Email: o.User.Email, Username: o.User.Username}
	}
	return out
}

// AvatarInput is the user that an owner is.
type AvatarInput struct {
	UserGSID string `json:"userGsid" minLength:"1" maxLength:"100"`
}

type ownersInput struct {
	ByID
	Paging
	State string `query:"state" enum:"Ambiguous,Unmatched,Associated"`
}

// OwnerPath is the path of an owner.
type OwnerPath struct {
	ByID
	Owner string `path:"owner" maxLength:"100" doc:"HubSpot's owner id."`
}

type usersInput struct {
	Search string `query:"search" minLength:"1" maxLength:"1000" required:"true" doc:"A part of the name, e-mail or username, without regard to case."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *api) avatars() {
	const of = "Users and people"
	register(a, operation{
		id: "listAvatars", method: "GET", path: "/connections/{id}/avatars", tag: of, summary: "List HubSpot's owners with their Gainsight users", vendor: true,
	}, func(ctx context.Context, in *ownersInput) (*answer[List[Owner]], error) {
		if _, err := a.Connections.Get(ctx, in.ID); err != nil {
			return nil, err
		}
		all, err := a.admin.Owners(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(o admin.Owner) bool { return in.State != "" && string(o.State) != in.State })
		return page(all, in.Paging, func(o admin.Owner) string { return o.ID }, ownerOf)
	})
	register(a, operation{
		id: "putAvatar", method: "PUT", path: "/connections/{id}/avatars/{owner}", tag: of, summary: "Associate an owner with a user", role: signin.Admin,
		description: "Whatever was associated before. It takes effect at the next run.",
	}, func(ctx context.Context, in *struct {
		OwnerPath
		Body AvatarInput
	},
	) (*nothing, error) {
		return nil, a.admin.Associate(ctx, in.ID, in.Owner, in.Body.UserGSID, by(ctx))
	})
	register(a, operation{
		id: "deleteAvatar", method: "DELETE", path: "/connections/{id}/avatars/{owner}", tag: of, summary: "Remove the user of an owner", role: signin.Admin, description: "Again, it does nothing.",
	}, func(ctx context.Context, in *OwnerPath) (*nothing, error) {
		return nil, a.admin.Dissociate(ctx, in.ID, in.Owner, by(ctx))
	})
	register(a, operation{id: "findUsers", method: "GET", path: "/users", tag: of, summary: "Find users of Gainsight", vendor: true, description: "It costs a call for each 5,000 users."},
		func(ctx context.Context, in *usersInput) (*answer[List[User]], error) {
			found, err := a.admin.Users(ctx, in.Search, in.Limit)
			return list(found, "", func(u admin.User) User { return User{GSID: u.GSID, Name: u.Name, Email: u.Email, Username: u.Username} }), err
		})
}
