package admin

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// Found is what became of a record in one job.
type Found struct {
	Job      job.Job
	SourceID string
	Link     string // to the record in HubSpot; "" if it has no page
	Outcome  run.Outcome
	Run      run.ID
	When     time.Time // when the run ended; zero while it runs, or if it is no longer kept
	GSID     string    // of its row; "" if it has none that we know
	Code     record.Code
	Reason   string
	Fix      string
}

// Find returns what became of records in each job: by HubSpot id, by link to the
// record in HubSpot, by e-mail address, or by the name that the record or its row
// has. Nothing found is an empty list.
func (s *Service) Find(ctx context.Context, query string) ([]Found, error) {
	ctx = budget.Urgent(ctx)
	query = strings.TrimSpace(query)
	if query == "" || len(query) > 1000 {
		return nil, nil
	}
	jobs, err := s.Connector.Jobs.List(ctx)
	if err != nil {
		return nil, err
	}
	object, id, isID := recordOf(query)
	var found []Found
	var failed error
	for _, j := range jobs {
		source, known := catalog.Find(j.Mapping.Source)
		if !known || object != "" && object != source.TypeID {
			continue
		}
		ids := []string{id}
		if !isID {
			if ids, err = s.named(ctx, j, source, query); err != nil {
				failed = errors.Join(failed, err) // another job may know it
			}
		}
		more, err := s.outcomes(ctx, j, source, ids)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	if len(found) == 0 {
		return nil, failed
	}
	return found, nil
}

// recordOf reads an id, or a link to a record: …/record/0-2/123. Older links name
// the object: …/company/123.
func recordOf(query string) (object, id string, ok bool) {
	parts := []string{query}
	if u, err := url.Parse(query); err == nil && u.Host != "" {
		parts = strings.Split(strings.Trim(u.Path, "/"), "/")
	}
	id = parts[len(parts)-1]
	if id == "" || strings.Trim(id, "0123456789") != "" {
		return "", "", false
	}
	if len(parts) > 1 {
		if known, found := catalog.Find(parts[len(parts)-2]); found {
			object = known.TypeID
		}
	}
	return object, id, true
}

// outcomes returns what became of records in a job.
func (s *Service) outcomes(ctx context.Context, j job.Job, source catalog.Object, ids []string) ([]Found, error) {
	prints, err := s.Connector.Delta.Prints(ctx, j.ID, ids)
	if err != nil {
		return nil, err
	}
	portal, err := s.portal(ctx, j.Connection)
	if err != nil {
		return nil, err
	}
	var all []Found
	for _, id := range ids {
		p, ok := prints[id]
		if !ok || p.Run == "" {
			continue
		}
		f := s.found(j, id, p)
		f.Link = source.Link(portal, id)
		r, err := s.Connector.Runs.Get(ctx, p.Run)
		if err != nil && !fault.Is(err, fault.NotFound) { // runs are kept for a year
			return nil, err
		}
		if err == nil && r.Status.Closed() {
			f.When = r.Ended
		}
		all = append(all, f)
	}
	return all, nil
}

func (s *Service) found(j job.Job, id string, p delta.Print) Found {
	return Found{Job: j, SourceID: id, Outcome: p.Outcome, Run: p.Run, GSID: p.GSID, Code: p.Code, Reason: p.Reason, Fix: p.Fix}
}

// portal returns the HubSpot account of a connection, 0 if it is not known.
func (s *Service) portal(ctx context.Context, connection string) (int64, error) {
	c, err := s.Connector.Connections.Get(ctx, connection)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	return c.PortalID, err
}

// mostNamed is how many records of one name are looked at.
const mostNamed = 20

// named returns the ids of records of a job's source by their e-mail address or
// name: as HubSpot knows them, and as their rows in Gainsight are called.
func (s *Service) named(ctx context.Context, j job.Job, source catalog.Object, name string) ([]string, error) {
	var ids []string
	var failed error
	if source.Name == "owner" {
		ids, failed = s.owners(ctx, j.Connection, name)
	} else if property := nameProperty(source.Name, name); property != "" {
		ids, failed = s.Connector.HubSpot.Search(ctx, j.Connection, source.TypeID, property, name)
	}
	rows, err := s.rowsNamed(ctx, j, name)
	for _, id := range rows {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, errors.Join(failed, err)
}

// nameProperty is the property in which records of an object have their name, or
// their e-mail address; "" if they have none.
func nameProperty(object, name string) string {
	if strings.Contains(name, "@") {
		return map[string]string{"contact": "email"}[object]
	}
	return map[string]string{"company": "name", "contact": "lastname", "deal": "dealname", "ticket": "subject"}[object]
}

// owners returns the owners with an e-mail address or a name.
func (s *Service) owners(ctx context.Context, connection, name string) ([]string, error) {
	var ids []string
	for q := (record.Query{Object: "owner", Properties: []string{"email", "firstName", "lastName"}}); ; {
		page, err := s.Connector.HubSpot.Page(ctx, connection, q)
		if err != nil {
			return ids, err
		}
		for _, r := range page.Records {
			full := strings.TrimSpace(r.Text("firstName") + " " + r.Text("lastName"))
			if (strings.EqualFold(r.Text("email"), name) || strings.EqualFold(full, name)) && len(ids) < mostNamed {
				ids = append(ids, r.ID)
			}
		}
		if q.After = page.Next; q.After == "" {
			return ids, nil
		}
	}
}

// idProperties are the properties that hold a record's own id.
var idProperties = []string{"hs_object_id", "ownerId"} //nolint:gochecknoglobals // a constant

// rowsNamed returns the source ids of the rows of a job's target that have the
// name, as far as the job maps the id of its records to a field of the target.
func (s *Service) rowsNamed(ctx context.Context, j job.Job, name string) ([]string, error) {
	object, field := j.Mapping.Target, "Name"
	if object == "company_person" || object == "gsuser" {
		return nil, nil // their rows have the name that HubSpot knows
	}
	idField := ""
	for _, d := range j.Mapping.Direct {
		i := slices.IndexFunc(j.Mapping.Fields, func(f mapping.Field) bool { return f.Name == d.From })
		if i >= 0 && slices.Contains(idProperties, firstOf(j.Mapping.Fields[i].Property, j.Mapping.Fields[i].Name)) {
			idField = d.To
		}
	}
	if idField == "" || !slices.ContainsFunc(j.Mapping.Direct, func(d mapping.Direct) bool { return d.To == field }) {
		return nil, nil
	}
	rows, err := s.Connector.Gainsight.Find(ctx, object, []string{idField}, field, []string{name})
	var ids []string
	for _, row := range rows {
		if id, ok := row[idField].(string); ok && id != "" && len(ids) < mostNamed {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
