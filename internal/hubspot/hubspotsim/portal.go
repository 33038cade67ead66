package hubspotsim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Portal is one HubSpot account. Its methods edit it at the time Options.Now
// tells, and panic when they name an object, a property or a record that does
// not exist. An object is named by its plural or singular name or its type id.
type Portal struct {
	sim    *Sim
	id     int64
	domain string
	lacks  []string // scopes the plan does not have; under the sim's lock
	closed bool     // under the sim's lock

	mu      sync.Mutex
	random  *rand.Rand
	types   []*objectType
	pairs   map[[2]*objectType]*pair
	nextKey int // of association types and custom objects
	people  []Owner
	windows map[bucket]*window
	pages   int // of search; see Options.Disorder
}

// Property is the definition of a property. Without a Type it is a string;
// FieldType is display only and follows the type if empty.
type Property struct {
	Name, Label, Type, FieldType  string
	Group, Description            string
	Options                       []Option
	Calculated, Hidden, ReadOnly  bool
	ExternalOptions               bool
	ReferencedObjectType          string // OWNER, COMPANY…
	DataSensitivity               string // "" = non_sensitive
	CurrencyPropertyName          string
	HasUniqueValue, ShowsCurrency bool
}

// Option is a choice of an enumeration.
type Option struct {
	Label, Value string
	Hidden       bool
}

// property is a defined property. Its number in the type never changes, so
// stored values survive a new name or definition.
type property struct {
	Property
	custom   bool
	kind     kind
	archived time.Time
	created  time.Time
	updated  time.Time
}

// kind tells stored properties from those that come from the record itself.
type kind int

const (
	stored kind = iota
	recordID
	createdTime
	modifiedTime
)

// objectType is one type of objects with its records.
type objectType struct {
	id, plural, singular, label string
	scopes                      []string // one of them allows reading
	createdName, modifiedName   string
	defaults                    []string
	schema                      *Schema // of a custom object
	inactive                    bool
	props                       []*property
	byName                      map[string]int
	records
}

func newPortal(s *Sim, id int64, domain string) *Portal {
	p := &Portal{
		sim: s, id: id, domain: domain, random: chance(s.o.Seed, uint64(id)), //nolint:gosec // a seed: any bits will do
		pairs: map[[2]*objectType]*pair{}, windows: map[bucket]*window{}, nextKey: 3_453_932,
	}
	made := s.o.Now()
	for n, standard := range standardTypes() {
		t := standard
		t.init(28_710_000_000 + int64(n)*100_000_000 + p.random.Int64N(10_000_000))
		for _, d := range standardProperties(t.plural) {
			t.define(d, made, false)
		}
		p.types = append(p.types, t)
	}
	return p
}

// ID returns the portal's id.
func (p *Portal) ID() int64 { return p.id }

// take counts a call in a bucket of the portal.
func (p *Portal) take(b bucket, now time.Time, l Limit) (left int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.windows[b] == nil {
		p.windows[b] = &window{}
	}
	return p.windows[b].take(now, l)
}

// served finds an object type as the API names it: plural name, id or
// qualified name. Standard names win over a custom object that is called so.
func (p *Portal) served(name string) *objectType {
	for _, t := range p.types {
		if name == t.id || name == t.plural && t.schema == nil ||
			t.schema != nil && strings.EqualFold(name, p.qualified(t)) {
			if t.inactive {
				return nil
			}
			return t
		}
	}
	return nil
}

func (p *Portal) qualified(t *objectType) string {
	return "p" + strconv.FormatInt(p.id, 10) + "_" + t.plural
}

// must finds the type of an edit, which may also be named by a singular.
func (p *Portal) must(name string) *objectType {
	if t := p.served(name); t != nil {
		return t
	}
	for _, t := range p.types {
		if name == t.singular || name == t.plural {
			return t
		}
	}
	panic(fmt.Sprintf("hubspotsim: no object type %q", name))
}

// Activate switches on object types that a portal does not have at first:
// services, courses, listings, appointments and projects.
func (p *Portal) Activate(objects ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range objects {
		p.must(name).inactive = false
	}
}

// DefineProperty adds a property, or gives an existing one another definition
// and keeps the stored values.
func (p *Portal) DefineProperty(object string, d Property) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.must(object).define(d, p.sim.o.Now(), true)
}

// ArchiveProperty takes the property out of the definitions and the answers.
func (p *Portal) ArchiveProperty(object, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	d := t.props[t.number(name)]
	d.archived = p.sim.o.Now()
	t.changed()
}

// RenameProperty gives the property another name; its values stay.
func (p *Portal) RenameProperty(object, name, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	n := t.number(name)
	delete(t.byName, name)
	t.byName[to] = n
	t.props[n].Name, t.props[n].updated = to, p.sim.o.Now()
	t.changed()
}

// number returns the number of a property that must exist.
func (t *objectType) number(name string) int {
	n, ok := t.byName[name]
	if !ok {
		panic(fmt.Sprintf("hubspotsim: %s have no property %q", t.plural, name))
	}
	return n
}

// readable returns the number of a property that is not archived.
func (t *objectType) readable(name string) (int, bool) {
	n, ok := t.byName[name]
	return n, ok && t.props[n].archived.IsZero()
}

func (t *objectType) define(d Property, now time.Time, custom bool) {
	if d.Type == "" {
		d.Type = "string"
	}
	if d.FieldType == "" {
		d.FieldType = fieldType(d)
	}
	if d.Label == "" {
		d.Label = d.Name
	}
	if d.Group == "" {
		d.Group = t.singular + "information"
	}
	made := &property{Property: d, custom: custom, created: now, updated: now}
	switch d.Name {
	case "hs_object_id":
		made.kind = recordID
	case t.createdName:
		made.kind = createdTime
	case t.modifiedName:
		made.kind = modifiedTime
	}
	t.changed()
	if n, ok := t.byName[d.Name]; ok {
		made.created = t.props[n].created
		t.props[n] = made
		return
	}
	t.byName[d.Name] = len(t.props)
	t.props = append(t.props, made)
}

func fieldType(d Property) string {
	switch d.Type {
	case "number", "date":
		return d.Type
	case "datetime":
		return "date"
	case "bool":
		return "booleancheckbox"
	case "enumeration":
		return "select"
	}
	return "text"
}

// properties serves the definitions of a type.
func (c *call) properties() answer {
	p := c.portal
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.served(c.r.PathValue("type"))
	if t == nil {
		return c.unknownType(c.r.PathValue("type"))
	}
	if allowed := append(slices.Clone(t.scopes), t.schemaScope()); !c.granted(allowed...) {
		return c.missingScopes(allowed)
	}
	query := c.r.URL.Query()
	sensitivity := query.Get("dataSensitivity")
	if sensitivity == "" {
		sensitivity = "non_sensitive"
	}
	return reply(http.StatusOK, object{"results": t.definitions(query.Get("archived") == "true", sensitivity)})
}

// definitions are the property definitions in the order of their names.
func (t *objectType) definitions(archived bool, sensitivity string) []object {
	out := []object{}
	for _, d := range t.props {
		if archived == !d.archived.IsZero() && sensitivity == d.sensitivity() {
			out = append(out, d.json())
		}
	}
	slices.SortFunc(out, func(a, b object) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return out
}

func (d *property) sensitivity() string {
	if d.DataSensitivity == "" {
		return "non_sensitive"
	}
	return d.DataSensitivity
}

func (d *property) json() object {
	options := []object{}
	for i, o := range d.Options {
		options = append(options, object{"label": o.Label, "value": o.Value, "displayOrder": i, "hidden": o.Hidden, "description": ""})
	}
	out := object{
		"name": d.Name, "label": d.Label, "type": d.Type, "fieldType": d.FieldType, "groupName": d.Group,
		"description": d.Description, "options": options, "displayOrder": -1, "calculated": d.Calculated,
		"externalOptions": d.ExternalOptions, "hasUniqueValue": d.HasUniqueValue, "hidden": d.Hidden,
		"hubspotDefined": !d.custom, "formField": !d.ReadOnly && !d.Calculated, "dataSensitivity": d.sensitivity(),
		"modificationMetadata": object{
			"archivable": d.custom, "readOnlyDefinition": !d.custom, "readOnlyValue": d.ReadOnly || d.Calculated, "readOnlyOptions": false,
		},
		"createdAt": iso(d.created.UnixMilli()), "updatedAt": iso(d.updated.UnixMilli()), "archived": !d.archived.IsZero(),
	}
	if !d.archived.IsZero() {
		out["archivedAt"] = iso(d.archived.UnixMilli())
	}
	if d.ReferencedObjectType != "" {
		out["referencedObjectType"] = d.ReferencedObjectType
	}
	if d.ShowsCurrency {
		out["showCurrencySymbol"] = true
	}
	if d.CurrencyPropertyName != "" {
		out["currencyPropertyName"] = d.CurrencyPropertyName
	}
	return out
}
