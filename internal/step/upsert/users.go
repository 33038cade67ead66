package upsert

import (
	"context"
	"fmt"
	"slices"

	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// defaultLicense is what a new user gets unless a field is mapped to it.
const defaultLicense = "Internal_Collaborator"

// writeUsers delivers owners to users. The avatar, a link made by an admin or by
// an earlier run, wins over the identifier; without one the identifier must
// match at most one user. Several are never guessed.
func (w *work) writeUsers(ctx context.Context, items []*item) error {
	var known, unknown []*item
	for _, it := range items {
		if it.avatar != "" {
			it.gsid = it.avatar
		}
		if it.gsid != "" {
			known = append(known, it)
		} else {
			unknown = append(unknown, it)
		}
	}
	found, err := w.locate(ctx, users, unknown, manyUsers)
	if err != nil {
		return err
	}
	var create []*item
	for _, it := range found.unknown {
		if it.entry.Archived { // nobody to create a user for
			it.outcome, it.changed = run.Filtered, it.was.Outcome != run.Filtered
			continue
		}
		create = append(create, it)
	}
	update, err := w.leavers(ctx, append(known, found.known...))
	if err != nil {
		return err
	}
	s := w.sender(w.updateUsers(update), w.createUsers)
	s.add(ctx, update, create)
	err = s.wait(ctx)
	for _, it := range update {
		if it.vanished {
			it.deny(noUser())
		}
	}
	return err
}

// leaves reports whether the item is an owner whose user is to be deactivated.
func (w *work) leaves(it *item) bool {
	return w.object == users && it.entry.Archived && w.plan.Job.Options.DeactivateLeavers
}

// leavers settles the users of archived owners, who are left as they are, or
// deactivated if the job says so. It returns the others.
func (w *work) leavers(ctx context.Context, items []*item) (stay []*item, err error) {
	var leave []*item
	var gsids []string
	for _, it := range items {
		if !it.entry.Archived {
			stay = append(stay, it)
			continue
		}
		it.sent = w.plan.Job.Options.DeactivateLeavers
		leave, gsids = append(leave, it), append(gsids, it.gsid)
	}
	if len(leave) == 0 {
		return stay, nil
	}
	if !w.plan.Job.Options.DeactivateLeavers {
		for _, it := range leave {
			w.delivered(it, run.Unchanged, it.gsid, it.was.Filled)
			it.changed = false
		}
		return stay, nil
	}
	results, err := w.Target.SetUserStatus(ctx, gsids, false)
	for i, res := range results {
		switch it := leave[i]; {
		case !res.Done: // err says why
		case res.Refusal != nil && res.Refusal.Code == gone:
			it.deny(noUser())
		case res.Refusal != nil:
			it.deny(record.Reject{
				Code:   record.RefusedByTarget,
				Reason: "Gainsight refused to deactivate the user.",
				Fix:    "Deactivate the user in Gainsight by hand, or associate the owner with another user in Users > Avatars, type HubSpot.",
			})
		default:
			w.delivered(it, run.Updated, it.gsid, it.was.Filled)
			it.changed = true
		}
	}
	for _, it := range leave {
		_ = it.unsent(err)
	}
	return stay, err
}

func noUser() record.Reject {
	return record.Reject{
		Code:   record.NoMatch,
		Reason: "The user that this owner is linked to does not exist in Gainsight any more.",
		Fix:    "Open Users > Avatars, type HubSpot, and associate the owner with another user.",
	}
}

// updateUsers sends users without their identifiers where those are what they
// were, or are not known to be ours: a username that another user has too would
// be refused, although nobody wants to change it.
func (w *work) updateUsers(items []*item) call {
	renamed := map[string]bool{} // :: GSID
	for _, it := range items {
		renamed[it.gsid] = len(it.was.Keys) > 0 && !slices.Equal(it.was.Keys, it.keys)
	}
	return func(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
		for _, row := range rows {
			if renamed[step.Text(row["Gsid"])] {
				continue
			}
			for _, field := range w.identifiers()[0] {
				delete(row, field)
			}
		}
		return w.Target.UpdateUsers(ctx, rows)
	}
}

func (w *work) createUsers(ctx context.Context, rows []map[string]any) ([]record.Result, error) {
	for _, row := range rows {
		if row["LicenseType"] == nil {
			row["LicenseType"] = defaultLicense
		}
		if row["Name"] == nil {
			row["Name"] = joinName(row)
		}
	}
	return w.Target.CreateUsers(ctx, rows)
}

func joinName(row map[string]any) string {
	first, last := step.Text(row["FirstName"]), step.Text(row["LastName"])
	switch {
	case first == "" && last == "":
		return step.Text(row["Email"])
	case first == "" || last == "":
		return first + last
	}
	return first + " " + last
}

func manyUsers(n int) record.Reject {
	return record.Reject{
		Code:   record.AmbiguousUser,
		Reason: fmt.Sprintf("%d users in Gainsight match this owner, and none was chosen.", n),
		Fix:    "Open Users > Avatars, type HubSpot, and associate the owner with one user by hand; the next run takes it.",
	}
}
