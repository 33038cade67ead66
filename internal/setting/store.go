package setting

import (
	"context"

	"hubspotconnector/internal/fault"
)

type cache struct{}

var errNotYet = fault.New(fault.Internal, "not there yet")

// Destination returns the stored destination with its secrets, or
// fault.NotFound. It is for the client alone. What another process stored is
// seen within 10 seconds.
func (s *Store) Destination(ctx context.Context) (Destination, error) {
	return Destination{}, errNotYet
}

// Tenant returns what may be shown of the destination; the zero Tenant if none
// is stored.
func (s *Store) Tenant(ctx context.Context) (Tenant, error) { return Tenant{}, errNotYet }

// PutDestination stores the destination. A secret that is empty keeps the stored
// one if the URL and the client stay; an access key replaces the client, and the
// other way round. It is fault.Invalid if it is not complete, and fault.Conflict
// if what is stored has another Version.
func (s *Store) PutDestination(ctx context.Context, d Destination, by string) (Tenant, error) {
	return Tenant{}, errNotYet
}

// Notifications returns what is stored; the zero Notifications if nothing is.
func (s *Store) Notifications(ctx context.Context) (Notifications, error) {
	return Notifications{}, errNotYet
}

// PutNotifications stores them: fault.Invalid names every wrong address,
// fault.Conflict says that they changed since they were read.
func (s *Store) PutNotifications(ctx context.Context, n Notifications, by string) (Notifications, error) {
	return n, errNotYet
}

// Recipients returns the lists of a job or chain, or fault.NotFound if it has
// none of its own.
func (s *Store) Recipients(ctx context.Context, o Owner) (Recipients, error) {
	return Recipients{}, errNotYet
}

// PutRecipients stores the lists of a job or chain, likewise.
func (s *Store) PutRecipients(ctx context.Context, o Owner, r Recipients, by string) (Recipients, error) {
	return r, errNotYet
}

// DropRecipients gives the job or chain the lists of the deployment again.
func (s *Store) DropRecipients(ctx context.Context, o Owner, by string) error { return errNotYet }

// Limits returns what is stored; the zero Limits if nothing is.
func (s *Store) Limits(ctx context.Context) (Limits, error) { return Limits{}, errNotYet }

// PutLimits stores them, likewise. They hold from the next minute on.
func (s *Store) PutLimits(ctx context.Context, l Limits, by string) (Limits, error) {
	return l, errNotYet
}

// Retention returns what is stored, or DefaultRetention.
func (s *Store) Retention(ctx context.Context) (Retention, error) { return DefaultRetention, errNotYet }

// PutRetention stores it, likewise.
func (s *Store) PutRetention(ctx context.Context, r Retention, by string) (Retention, error) {
	return r, errNotYet
}
