package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/schedule"
)

// TestLine is one thing that was tested.
type TestLine struct {
	Name    string
	OK      bool
	Message string // one sentence; what to do if it is not OK
}

// line is the test of what ended with err.
func line(name, good string, err error) TestLine {
	if err != nil {
		return TestLine{Name: name, Message: fault.MessageOf(err)}
	}
	return TestLine{Name: name, OK: true, Message: good}
}

// TestConnection tests a connection to HubSpot: its token, its portal, the scopes
// of each object, what is left of the limits. An error is ours; what HubSpot does
// not accept is a line.
func (s *Service) TestConnection(ctx context.Context, id string) ([]TestLine, error) {
	ctx = budget.Urgent(ctx)
	c, err := s.Connector.Connections.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.Connector.Connections.Usable(ctx, id); err != nil {
		return []TestLine{line("Permission", "", err)}, nil
	}
	t, err := s.Connector.Tokens.Token(ctx, id)
	lines := []TestLine{line("Token", "HubSpot's token is there and is renewed by itself.", err)}
	if err != nil {
		return lines, nil //nolint:nilerr // a line tells it
	}
	granted := c.Scopes
	switch now, err := s.Connector.HubSpot.Introspect(ctx, t.Access); {
	case err != nil:
		lines = append(lines, line("Token at HubSpot", "", err))
	case !now.Active:
		lines = append(lines, TestLine{Name: "Token at HubSpot", Message: "HubSpot does not accept the token any more. Re-authorize the connection."})
	default:
		lines = append(lines, TestLine{Name: "Token at HubSpot", OK: true, Message: "HubSpot accepts the token."})
		if len(now.Scopes) > 0 {
			granted = now.Scopes
		}
	}
	account, err := s.Connector.HubSpot.Account(ctx, id)
	lines = append(lines, line("Account", fmt.Sprintf("The HubSpot account %d answers.", account.PortalID), err))
	jobs, err := s.Connector.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	lines = append(lines, scopes(jobs, id, granted)...)
	return s.withQuotas(ctx, lines, connector.HubSpot)
}

// scopes tests what the jobs of a connection need to read, and the objects that
// jobs are usually made for.
func scopes(jobs []job.Job, id string, granted []string) []TestLine {
	var lines []TestLine
	used := func(o catalog.Object) bool {
		return slices.ContainsFunc(jobs, func(j job.Job) bool {
			source, _ := catalog.Find(j.Mapping.Source)
			return j.Connection == id && source.TypeID == o.TypeID
		})
	}
	objects := catalog.All()
	for _, j := range jobs { // custom objects are in no list
		if o, ok := catalog.Find(j.Mapping.Source); ok && !slices.ContainsFunc(objects, func(known catalog.Object) bool { return known.TypeID == o.TypeID }) {
			objects = append(objects, o)
		}
	}
	const usual = 5 // companies, contacts, owners, deals, tickets
	for i, o := range objects {
		missing := slices.DeleteFunc(slices.Clone(o.Scopes), func(scope string) bool { return slices.Contains(granted, scope) })
		needed := used(o)
		switch {
		case len(missing) == 0 && (needed || i < usual):
			lines = append(lines, TestLine{Name: o.Label, OK: true, Message: "May be read."})
		case len(missing) > 0 && needed:
			lines = append(lines, TestLine{Name: o.Label, Message: fmt.Sprintf("A job reads it, but the scope %s is not granted. Re-authorize the connection.", strings.Join(missing, ", "))})
		case len(missing) > 0 && i < usual:
			lines = append(lines, TestLine{Name: o.Label, OK: true, Message: "Is not granted, and no job reads it."})
		}
	}
	return lines
}

// withQuotas adds what is used of a vendor's limits.
func (s *Service) withQuotas(ctx context.Context, lines []TestLine, vendor string) ([]TestLine, error) {
	quotas, err := s.Quotas(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range quotas {
		if q.Vendor != vendor {
			continue
		}
		l := TestLine{Name: fmt.Sprintf("Limit: %s in %s", q.Name, span(q.Per)), OK: q.Used < q.Calls}
		if l.Message = fmt.Sprintf("%d of %d calls are used.", q.Used, q.Calls); !l.OK {
			l.Message = fmt.Sprintf("All %d calls are used. Runs go on by themselves when there are new ones.", q.Calls)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// span is a time in words.
func span(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d%unit.d == 0 && d >= unit.d {
			if n := d / unit.d; n > 1 {
				return fmt.Sprintf("%d %ss", n, unit.name)
			}
			return "a " + unit.name
		}
	}
	return d.String()
}

// TestGainsight tests the destination. If it answers, connections that were
// authorized before it was set up get their out-of-the-box jobs.
func (s *Service) TestGainsight(ctx context.Context) ([]TestLine, error) {
	ctx = budget.Urgent(ctx)
	err := s.Connector.Gainsight.Test(ctx)
	lines := []TestLine{line("Tenant", "Gainsight accepts the credentials, and its data can be read.", err)}
	if err != nil {
		return lines, nil //nolint:nilerr // a line tells it
	}
	connections, err := s.Connector.Connections.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range connections {
		if c.Equipped || c.Status != connection.Active {
			continue
		}
		err := s.Connector.Ready.Ready(ctx, c.ID)
		lines = append(lines, line("Jobs of "+c.Name, "The out-of-the-box jobs and their chain were created.", err))
	}
	return s.withQuotas(ctx, lines, connector.Gainsight)
}

// Consequences say in sentences what deleting (or, if revoke, revoking) a
// connection would do.
func (s *Service) Consequences(ctx context.Context, id string, revoke bool) ([]string, error) {
	if _, err := s.Connector.Connections.Get(ctx, id); err != nil {
		return nil, err
	}
	jobs, err := s.Connector.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	jobs = slices.DeleteFunc(jobs, func(j job.Job) bool { return j.Connection != id })
	mine := func(jobID string) bool {
		return slices.ContainsFunc(jobs, func(j job.Job) bool { return j.ID == jobID })
	}
	chains, err := s.Connector.Chains.List(ctx)
	if err != nil {
		return nil, err
	}
	chains = slices.DeleteFunc(chains, func(c chain.Chain) bool { return !slices.ContainsFunc(c.Jobs, mine) })
	scheduled, err := s.scheduled(ctx, mine, chains)
	if err != nil {
		return nil, err
	}
	if revoke {
		return []string{
			"HubSpot's permission is withdrawn, and the tokens are deleted here.",
			fmt.Sprintf("%s and %s stay, and fail at once when they run: nothing is called.", count(len(jobs), "job"), count(len(chains), "chain")),
			fmt.Sprintf("%s stay, too. Re-authorize the same HubSpot account to go on.", count(scheduled, "schedule")),
			"What is in Gainsight stays as it is.",
		}, nil
	}
	return []string{
		"HubSpot's permission is withdrawn, and the tokens are deleted here.",
		fmt.Sprintf("Deleted for good: %s, %s, %s.", named(len(jobs), "job", jobNames(jobs)), named(len(chains), "chain", chainNames(chains)), count(scheduled, "schedule")),
		"The activity with its error files is kept, and so are the avatars.",
		"What is in Gainsight stays as it is.",
	}, nil
}

// scheduled counts the schedules of jobs and chains.
func (s *Service) scheduled(ctx context.Context, isJob func(string) bool, chains []chain.Chain) (int, error) {
	all, err := s.Connector.Schedules.List(ctx)
	n := 0
	for _, e := range all {
		ofChain := func(c chain.Chain) bool { return e.Owner.What == schedule.Chain && c.ID == e.Owner.ID }
		if e.Owner.What == schedule.Job && isJob(e.Owner.ID) || slices.ContainsFunc(chains, ofChain) {
			n++
		}
	}
	return n, err
}

func jobNames(jobs []job.Job) []string {
	names := make([]string, len(jobs))
	for i, j := range jobs {
		names[i] = j.Name
	}
	return names
}

func chainNames(chains []chain.Chain) []string {
	names := make([]string, len(chains))
	for i, c := range chains {
		names[i] = c.Name
	}
	return names
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// named is a number with the names, if they are few.
func named(n int, what string, names []string) string {
	if n == 0 || n > 10 {
		return count(n, what)
	}
	return count(n, what) + ` ("` + strings.Join(names, `", "`) + `")`
}

// KeyEffect is what a new person resolution key does to one job.
type KeyEffect struct {
	person.Effect

	// Records is how many records of the job are stored; More says that there are
	// more than were counted.
	Records int
	More    bool
}

// maxCount is how many stored records are counted.
const maxCount = 100_000

var errEnough = errors.New("enough was counted")

// KeyEffects returns what a new person resolution key would change, by job name.
func (s *Service) KeyEffects(ctx context.Context, keys []string) ([]KeyEffect, error) {
	effects, err := s.Connector.People.Effects(ctx, keys)
	if err != nil {
		return nil, err
	}
	all := make([]KeyEffect, len(effects))
	for i, e := range effects {
		all[i].Effect = e
		err := s.Connector.Delta.Each(ctx, e.Before.ID, func(string, delta.Print) error {
			if all[i].Records++; all[i].Records >= maxCount {
				return errEnough
			}
			return nil
		})
		if all[i].More = errors.Is(err, errEnough); err != nil && !all[i].More {
			return nil, err
		}
	}
	return all, nil
}
