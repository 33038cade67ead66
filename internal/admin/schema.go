package admin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

// schemaLife is how long what the vendors say of their objects is taken for true.
const schemaLife = 5 * time.Minute

// memory keeps answers of the vendors for a while. The zero memory is empty.
type memory[T any] struct {
	mu    sync.Mutex
	known map[string]remembered[T]
}

type remembered[T any] struct {
	at time.Time
	v  T
}

// get returns what is remembered, or asks.
func (m *memory[T]) get(now time.Time, key string, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	r, ok := m.known[key]
	m.mu.Unlock()
	if ok && now.Sub(r.at) < schemaLife {
		return r.v, nil
	}
	v, err := ask()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	const most = 500 // of objects that one account has
	if m.known == nil || len(m.known) >= most {
		m.known = map[string]remembered[T]{}
	}
	m.known[key] = remembered[T]{now, v}
	return v, nil
}

// Source describes HubSpot's objects from memory.
type source struct{ s *Service }

// Schema implements plan.Source.
func (o source) Schema(ctx context.Context, connection, object string) (record.Schema, error) {
	return o.s.schemas.get(o.s.now(), "source "+connection+" "+object, func() (record.Schema, error) {
		return o.s.Connector.HubSpot.Schema(ctx, connection, object)
	})
}

// target describes Gainsight's objects, likewise.
type target struct{ s *Service }

// Schema implements plan.Target.
func (o target) Schema(ctx context.Context, object string) (record.Schema, error) {
	return o.s.schemas.get(o.s.now(), "target "+object, func() (record.Schema, error) {
		return o.s.Connector.Gainsight.Schema(ctx, object)
	})
}

// SourceSchema returns the fields of a source object (catalog name or type id),
// archived ones left out. It may be 5 minutes old.
func (s *Service) SourceSchema(ctx context.Context, connection, object string) (record.Schema, error) {
	ctx = budget.Urgent(ctx)
	known, ok := catalog.Find(object)
	if !ok {
		return record.Schema{}, fault.New(fault.NotFound, "HubSpot has no object %.100q.", object)
	}
	schema, err := source{s}.Schema(ctx, connection, known.TypeID)
	schema.Fields = slices.DeleteFunc(slices.Clone(schema.Fields), func(f record.Field) bool { return f.Archived })
	return schema, err
}

// TargetSchema returns the fields of a target object; those of company_person hold
// the person's too, as "Person::…". It may be 5 minutes old.
func (s *Service) TargetSchema(ctx context.Context, object string) (record.Schema, error) {
	ctx = budget.Urgent(ctx)
	schema, err := target{s}.Schema(ctx, object)
	if err != nil || object != "company_person" {
		return schema, err
	}
	person, err := target{s}.Schema(ctx, "person")
	if err != nil {
		return schema, err
	}
	return mapping.PeopleSchema(person, schema), nil
}

// standard are the standard objects that jobs write. :: name → label
var standard = map[string]string{"company": "Company", "company_person": "Person and Company Person", "gsuser": "User"} //nolint:gochecknoglobals // a constant

// TargetObjects returns the objects that jobs can write: the standard ones, then
// custom objects by label. It may be 5 minutes old.
func (s *Service) TargetObjects(ctx context.Context) ([]gainsight.Object, error) {
	ctx = budget.Urgent(ctx)
	all, err := s.objects.get(s.now(), "", func() ([]gainsight.Object, error) { return s.Connector.Gainsight.Objects(ctx) })
	if err != nil {
		return nil, err
	}
	var objects []gainsight.Object
	for _, name := range []string{"company", "company_person", "gsuser"} {
		objects = append(objects, gainsight.Object{Name: name, Label: standard[name], Type: "STANDARD"})
	}
	n := len(objects)
	for _, o := range all {
		if o.Type == "CUSTOM" && o.LowVolume {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects[n:], func(a, b gainsight.Object) int {
		return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label))
	})
	return objects, nil
}

// targetLabels are the labels of target objects, as far as they are known without
// a call.
func (s *Service) targetLabels() map[string]string {
	labels := map[string]string{}
	s.objects.mu.Lock()
	for _, o := range s.objects.known[""].v {
		labels[o.Name] = o.Label
	}
	s.objects.mu.Unlock()
	for name, label := range standard {
		labels[name] = label
	}
	return labels
}

// Suggest returns direct mappings for target fields that are not mapped and whose
// name or label is that of a dataset, formula or case field, and whose type fits.
func (s *Service) Suggest(ctx context.Context, j job.Job) ([]mapping.Direct, error) {
	schema, err := s.SourceSchema(ctx, j.Connection, j.Mapping.Source)
	if err != nil {
		return nil, err
	}
	to, err := s.TargetSchema(ctx, j.Mapping.Target)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, d := range j.Mapping.Direct {
		taken[d.To] = true
	}
	for _, d := range j.Mapping.Derived {
		taken[d.To] = true
	}
	byName := map[string]record.Field{} // :: normalised name or label → dataset field
	for _, f := range columns(j.Mapping, schema) {
		for _, name := range []string{f.Label, f.Name} {
			if key := plainName(name); key != "" {
				if _, known := byName[key]; !known {
					byName[key] = f
				}
			}
		}
	}
	var found []mapping.Direct
	for _, f := range to.Fields {
		if taken[f.Name] || f.ReadOnly || f.Archived {
			continue
		}
		for _, name := range []string{f.Label, strings.TrimPrefix(f.Name, mapping.PersonPrefix)} {
			from, ok := byName[plainName(name)]
			if ok && mapping.Fits(from, f) {
				found = append(found, mapping.Direct{From: from.Name, To: f.Name})
				break
			}
		}
	}
	return found, nil
}

// columns describes the fields of a dataset as far as it is right.
func columns(cfg mapping.Config, schema record.Schema) []record.Field {
	if program, err := mapping.Dataset(cfg, schema); err == nil {
		return program.Columns()
	}
	var all []record.Field
	for _, f := range cfg.Fields {
		known, ok := schema.Field(firstOf(f.Property, f.Name))
		if !ok {
			known = record.Field{Type: record.String}
		}
		known.Name, known.Label = f.Name, firstOf(f.Label, known.Label)
		all = append(all, known)
	}
	return all
}

// plainName is the form in which names are compared: letters and digits alone,
// without what marks a custom field.
func plainName(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), "__gc")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127 {
			return r
		}
		return -1
	}, name)
}
