package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// User is a user of Gainsight.
type User struct {
	GSID     string `json:"gsid"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Username string `json:"username"`
}

// OwnerState says whether an owner has a user.
type OwnerState string

// What an OwnerState can be, in the order in which owners are listed.
const (
	Ambiguous  OwnerState = "Ambiguous"  // several users match, and none was chosen
	Unmatched  OwnerState = "Unmatched"  // no user is known
	Associated OwnerState = "Associated" // by an admin or by the job
)

// Owner is an owner of HubSpot with the user that it is in Gainsight.
type Owner struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Email    string     `json:"email"`
	Archived bool       `json:"archived"` // or inactive
	State    OwnerState `json:"state"`
	// User is known if the owner is associated; of one that Gainsight no longer has
	// only the GSID.
	User   User   `json:"user,omitzero"`
	By     string `json:"by,omitempty"`     // who associated it; "job" for the job
	Reason string `json:"reason,omitempty"` // why the last run did not deliver it
}

// users is the object of Gainsight that owners become.
const users = "gsuser"

// userFields are what is read of a user.
var userFields = []string{"Name", "Email", "SFDCUserName"} //nolint:gochecknoglobals // a constant

func userOf(row map[string]any) User {
	text := func(name string) string {
		s, _ := row[name].(string)
		return s
	}
	return User{GSID: text("Gsid"), Name: text("Name"), Email: text("Email"), Username: text("SFDCUserName")}
}

// Owners returns all owners of a connection: the ambiguous ones first, then those
// without a user, then the others, each by name. It costs a call to HubSpot for
// each 500 owners, and a call to Gainsight for each 50 that are associated.
func (s *Service) Owners(ctx context.Context, connection string) ([]Owner, error) {
	var all []Owner
	for after, more := "", true; more; more = after != "" {
		page, err := s.Connector.HubSpot.Page(ctx, connection, record.Query{Object: "owner", Properties: []string{"email", "firstName", "lastName"}, After: after})
		if err != nil {
			return nil, fmt.Errorf("list owners: %w", err)
		}
		for _, r := range page.Records {
			name := strings.TrimSpace(r.Text("firstName") + " " + r.Text("lastName"))
			all = append(all, Owner{ID: r.ID, Name: cmp.Or(name, r.Text("email"), r.ID), Email: r.Text("email"), Archived: r.Archived, State: Unmatched})
		}
		after = page.Next
	}
	if err := s.associated(ctx, connection, all); err != nil {
		return nil, err
	}
	if err := s.ambiguous(ctx, connection, all); err != nil {
		return nil, err
	}
	rank := []OwnerState{Ambiguous, Unmatched, Associated}
	slices.SortFunc(all, func(a, b Owner) int {
		return cmp.Or(slices.Index(rank, a.State)-slices.Index(rank, b.State), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// associated adds the users of owners that have one.
func (s *Service) associated(ctx context.Context, connection string, owners []Owner) error {
	list, err := s.Connector.Avatars.List(ctx, connection)
	if err != nil {
		return err
	}
	links, gsids := make(map[string]avatar.Avatar, len(list)), make([]string, len(list))
	for i, a := range list {
		links[a.Owner], gsids[i] = a, a.UserGSID
	}
	rows, err := s.Connector.Gainsight.Find(ctx, users, userFields, "Gsid", gsids)
	if err != nil {
		return fmt.Errorf("read users of owners: %w", err)
	}
	known := make(map[string]User, len(rows))
	for _, row := range rows {
		u := userOf(row)
		known[u.GSID] = u
	}
	for i, o := range owners {
		if a, ok := links[o.ID]; ok {
			owners[i].State, owners[i].By, owners[i].User = Associated, a.By, known[a.UserGSID]
			owners[i].User.GSID = a.UserGSID
		}
	}
	return nil
}

// ambiguous marks the owners for whom the jobs found several users.
func (s *Service) ambiguous(ctx context.Context, connection string, owners []Owner) error {
	ids := make([]string, len(owners))
	for i, o := range owners {
		ids[i] = o.ID
	}
	jobs, err := s.userJobs(ctx, connection)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		prints, err := s.Connector.Delta.Prints(ctx, j.ID, ids)
		if err != nil {
			return err
		}
		for i, o := range owners {
			p := prints[o.ID]
			if p.Outcome != run.Rejected || o.State == Associated && p.Code == record.AmbiguousUser {
				continue
			}
			owners[i].Reason = p.Reason
			if p.Code == record.AmbiguousUser {
				owners[i].State = Ambiguous
			}
		}
	}
	return nil
}

// userJobs are the jobs of a connection that make users of owners.
func (s *Service) userJobs(ctx context.Context, connection string) ([]job.Job, error) {
	jobs, err := s.Connector.Jobs.List(ctx)
	return slices.DeleteFunc(jobs, func(j job.Job) bool {
		return j.Connection != connection || j.Mapping.Source != "owner" || j.Mapping.Target != users
	}), err
}

// scanned bounds how many users are searched.
const scanned = 50_000

// Users returns users whose name, e-mail or username holds a text, without regard
// to case, at most limit. It costs a call to Gainsight for each 5,000 users.
func (s *Service) Users(ctx context.Context, search string, limit int) ([]User, error) {
	const page = 5000
	search = strings.ToLower(strings.TrimSpace(search))
	var found []User
	for after, seen := "", 0; seen < scanned; seen += page {
		rows, err := s.Connector.Gainsight.Scan(ctx, users, userFields, after, page)
		if err != nil {
			return nil, fmt.Errorf("search users: %w", err)
		}
		for _, row := range rows {
			u := userOf(row)
			after = u.GSID
			if strings.Contains(strings.ToLower(u.Name+"\n"+u.Email+"\n"+u.Username), search) {
				found = append(found, u)
			}
			if len(found) == limit {
				return found, nil
			}
		}
		if len(rows) < page {
			break
		}
	}
	return found, nil
}

// Associate links an owner to a user, whatever link there was, and tells the
// activity. It takes effect at the next run. An empty owner or user is
// fault.Invalid.
func (s *Service) Associate(ctx context.Context, connection, owner, userGSID, by string) error {
	if owner == "" || userGSID == "" {
		return fault.New(fault.Invalid, "Choose both the HubSpot owner and the Gainsight user to associate.")
	}
	return s.link(ctx, connection, owner, by, &avatar.Avatar{Owner: owner, UserGSID: userGSID, By: by})
}

// Dissociate removes the link of an owner, and tells the activity. An owner
// without one is left alone.
func (s *Service) Dissociate(ctx context.Context, connection, owner, by string) error {
	return s.link(ctx, connection, owner, by, nil)
}

// link makes what is given the link of an owner; nil removes it.
func (s *Service) link(ctx context.Context, connection, owner, by string, to *avatar.Avatar) error {
	if _, err := s.Connector.Connections.Get(ctx, connection); err != nil {
		return err
	}
	old, err := s.Connector.Avatars.GetMany(ctx, connection, []string{owner})
	if err != nil {
		return err
	}
	was, had := old[owner]
	if to == nil && !had || to != nil && had && was == *to {
		return nil
	}
	u := activity.Update{By: by, What: "avatar", ID: owner, Name: "HubSpot owner " + owner, Type: activity.Edited}
	if had {
		u.Before = activity.JSON(was)
	} else {
		u.Type = activity.Created
	}
	op := s.Connector.Avatars.PutOp(connection, avatar.Avatar{Owner: owner})
	if to == nil {
		u.Type, op.Verb = activity.Deleted, table.Delete
	} else {
		u.After, op = activity.JSON(*to), s.Connector.Avatars.PutOp(connection, *to)
	}
	if err := s.Connector.Delta.Table.Write(ctx, []table.Op{op, s.Connector.Activity.UpdateOp(u)}); err != nil {
		return fmt.Errorf("link owner %s: %w", owner, err)
	}
	return nil
}
