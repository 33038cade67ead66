package setting

import (
	"context"
	"fmt"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// The sort keys of the settings, and what people call them.
const (
	destination   = "destination"
	notifications = "notifications"
	limits        = "limits"
	retention     = "retention"
	recipients    = "recipients#" // and the owner
)

// names :: sort key → name in the activity
var names = map[string]string{ //nolint:gochecknoglobals // a constant
	destination: "Gainsight destination", notifications: "Notifications", limits: "Limits", retention: "Retention",
}

func key(sort string) table.Key { return table.Key{Partition: "SETTING", Sort: sort} }

// load reads a setting into v and returns its version; 0 and v untouched if it is
// not stored.
func (s *Store) load(ctx context.Context, sort string, v any) (int64, error) {
	version, err := table.Load(ctx, s.Table, key(sort), v)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read setting %s: %w", sort, err)
	}
	return version, nil
}

// change is what a write does to a setting.
type change struct {
	sort, name    string
	version       int64 // of what is replaced; 0 = there must be none
	stored        any   // nil = it is removed
	before, after any   // as the activity shows them; nil = nothing
	by            string
}

// save stores a setting with its activity.
func (s *Store) save(ctx context.Context, c change) error {
	u := activity.Update{By: c.by, What: "setting", ID: c.sort, Name: c.name, Type: activity.Created}
	op := table.Op{Verb: table.Put, If: table.Absent()}
	if c.version > 0 {
		u.Type, u.Before, op.If = activity.Edited, activity.JSON(c.before), table.VersionIs(c.version)
	}
	if c.stored == nil {
		u.Type, op.Verb, op.Item = activity.Deleted, table.Delete, table.Item{Key: key(c.sort)}
	} else {
		u.After, op.Item = activity.JSON(c.after), table.New(key(c.sort), c.stored)
	}
	err := s.Table.Write(ctx, []table.Op{op, s.Activity.UpdateOp(u)})
	if fault.Is(err, fault.Conflict) {
		return fault.Wrap(err, fault.Conflict, "Somebody else changed this setting meanwhile. Reload it, and make your change again.")
	}
	if err != nil {
		return fmt.Errorf("save setting %s: %w", c.sort, err)
	}
	return nil
}

// stale is the error of an edit that began with another version.
func stale(stored, given int64) error {
	if stored == given {
		return nil
	}
	return fault.New(fault.Conflict, "Somebody else changed this setting meanwhile. Reload it, and make your change again.")
}

// Limits returns what is stored; the zero Limits if nothing is.
func (s *Store) Limits(ctx context.Context) (l Limits, err error) {
	l.Version, err = s.load(ctx, limits, &l)
	return l, err
}

// PutLimits stores them; fault.Invalid names every one that cannot be, and
// fault.Conflict says that they changed since they were read. They hold from the
// next minute on.
func (s *Store) PutLimits(ctx context.Context, l Limits, by string) (Limits, error) {
	l.Gainsight.Fixed, l.GainsightDay.Fixed = l.Gainsight.Calls > 0, l.GainsightDay.Calls > 0
	l.HubSpot.Fixed, l.HubSpotSearch.Fixed = false, false
	if err := l.check(); err != nil {
		return l, err
	}
	old, err := s.Limits(ctx)
	if err != nil {
		return l, err
	}
	if err := stale(old.Version, l.Version); err != nil {
		return l, err
	}
	err = s.save(ctx, change{sort: limits, name: names[limits], version: l.Version, stored: l, before: old, after: l, by: by})
	if err == nil {
		l.Version++
	}
	return l, err
}

// Retention returns what is stored, or DefaultRetention.
func (s *Store) Retention(ctx context.Context) (r Retention, err error) {
	r = DefaultRetention
	r.Version, err = s.load(ctx, retention, &r)
	return r, err
}

// PutRetention stores it, likewise.
func (s *Store) PutRetention(ctx context.Context, r Retention, by string) (Retention, error) {
	if err := r.check(); err != nil {
		return r, err
	}
	old, err := s.Retention(ctx)
	if err != nil {
		return r, err
	}
	if err := stale(old.Version, r.Version); err != nil {
		return r, err
	}
	err = s.save(ctx, change{sort: retention, name: names[retention], version: r.Version, stored: r, before: old, after: r, by: by})
	if err == nil {
		r.Version++
	}
	return r, err
}
