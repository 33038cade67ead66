package gainsightsim

import (
	"fmt"
	"slices"
	"strings"
)

// Field defines a field of an object.
type Field struct {
	Name  string // API name; custom fields end in __gc
	Label string
	// DataType is one of STRING, RICHTEXTAREA, URL, EMAIL, NUMBER, PERCENTAGE,
	// CURRENCY, BOOLEAN, DATE, DATETIME, PICKLIST, MULTISELECTDROPDOWNLIST,
	// LOOKUP, GSID and SFDCID.
	DataType string
	// Length is the longest text in characters; 0 = 255, of RICHTEXTAREA 32,000.
	Length int
	// Required fields must be given on insert.
	Required bool
	// Nillable fields may be set to null.
	Nillable bool
	ReadOnly bool
	// Options are the labels of a picklist's items, Inactive those of them that
	// cannot be written any more.
	Options  []string
	Inactive []string
	// LookupObject is the object that a LOOKUP or GSID points at.
	LookupObject string
}

// field is a Field in an object.
type field struct {
	Field
	num    int // position in object.fields, and name in encoded rows
	object string
	group  string   // GSID of the picklist's category
	items  []string // GSIDs of Options, in their order
}

func (f *field) custom() bool { return strings.HasSuffix(f.Name, "__gc") }

// lookupName is the name by which a dotted field follows the field.
func (f *field) lookupName() string { return strings.TrimSuffix(f.Name, "__gc") + "__gr" }

// item returns the position of the picklist item with that GSID or label. Labels
// are compared exactly [assumed]; an item may also be named by its GSID [assumed].
func (f *field) item(text string) (int, bool) {
	i := slices.Index(f.Options, text)
	if i < 0 {
		i = slices.Index(f.items, text)
	}
	return i, i >= 0
}

func (f *field) active(i int) bool { return !slices.Contains(f.Inactive, f.Options[i]) }

// AddObject adds a custom object (name ends in __gc) or a standard one, with its
// system fields and Name. If there is one of that name, only its label changes.
func (s *Sim) AddObject(name, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[strings.ToLower(name)]; o != nil {
		o.label = label
		return
	}
	s.addObject(name, label, "1Z02")
	s.addField(name, Field{Name: "Name", Label: "Name", DataType: "STRING", Nillable: true})
}

// AddField adds a field to an object, or replaces the field of that name; stored
// values are kept if the data type stays. It panics if there is no such object
// or data type.
func (s *Sim) AddField(object string, f Field) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addField(object, f)
}

// RemoveField removes a field with its values; nothing happens if there is none.
func (s *Sim) RemoveField(object, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(object)
	if f := o.byName[name]; f != nil {
		o.drop(f)
	}
}

// Prepare adds the fields that the out-of-the-box jobs of the HubSpot account
// fill, where they are missing.
func (s *Sim) Prepare(portalID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := func(name, label string) Field {
		return Field{Name: name, Label: label, DataType: "STRING", Nillable: true}
	}
	for _, add := range []struct {
		object string
		field  Field
	}{
		{"company", text(accountField(portalID), fmt.Sprintf("HubSpot Account ID_%d", portalID))},
		{"company", Field{Name: "Employees", Label: "Employees", DataType: "NUMBER", Nillable: true}},
		{"person", text("Hubspot_Contact_ID__gc", "Hubspot Contact ID")},
		{"company_person", text("Hubspot_Contact_ID__gc", "Hubspot Contact ID")},
		{"company_person", text("Hubspot_Account_ID__gc", "Hubspot Account ID")},
		{"gsuser", text("HubSpot_User_Id__gc", "HubSpot User Id")},
	} {
		if s.must(add.object).byName[add.field.Name] == nil {
			s.addField(add.object, add.field)
		}
	}
}

// accountField is the name of the company field with the HubSpot company's id.
func accountField(portalID int64) string { return fmt.Sprintf("HubSpot_Account_ID_%d__gc", portalID) }

// must returns an object by its name, in any case.
func (s *Sim) must(name string) *object {
	o := s.objects[strings.ToLower(name)]
	if o == nil {
		panic("gainsightsim: no object " + name)
	}
	return o
}

// addObject makes an object whose GSIDs start with kind.
func (s *Sim) addObject(name, label, kind string) {
	o := &object{
		name: strings.ToLower(name), label: label, prefix: kind + s.random(14),
		byName: map[string]*field{}, byLookup: map[string]*field{}, indexes: map[int]*index{},
	}
	s.objects[o.name] = o
	s.names = append(s.names, o.name)
	for _, f := range []Field{
		{Name: "Gsid", Label: "GSID", DataType: "GSID"},
		{Name: "CreatedDate", Label: "Created Date", DataType: "DATETIME"},
		{Name: "ModifiedDate", Label: "Modified Date", DataType: "DATETIME"},
		// Who wrote a row is not kept: both read as null.
		{Name: "CreatedBy", Label: "Created By", DataType: "LOOKUP", LookupObject: "gsuser", Nillable: true},
		{Name: "ModifiedBy", Label: "Modified By", DataType: "LOOKUP", LookupObject: "gsuser", Nillable: true},
	} {
		f.ReadOnly = true
		s.addField(o.name, f)
	}
}

// Numbers of the system fields in every object.
const (
	numGsid = iota
	numCreated
	numModified
)

func (s *Sim) addField(name string, f Field) {
	o := s.must(name)
	if kindOf(f.DataType) == null {
		panic(fmt.Sprintf("gainsightsim: field %s.%s has no data type %q", name, f.Name, f.DataType))
	}
	if f.Length == 0 {
		f.Length = 255
		if f.DataType == "RICHTEXTAREA" {
			f.Length = 32000
		}
	}
	made := &field{Field: f, num: len(o.fields), object: o.name}
	old := o.byName[f.Name]
	switch {
	case old != nil && old.DataType == f.DataType:
		made.num = old.num
		o.fields[made.num] = made
	case old != nil:
		o.drop(old)
		o.fields = append(o.fields, made)
	default:
		o.fields = append(o.fields, made)
	}
	if len(f.Options) > 0 {
		s.addItems(made, old)
	}
	o.byName[f.Name] = made
	if f.LookupObject != "" && f.Name != "Gsid" {
		o.byLookup[made.lookupName()] = made
	}
}

// addItems gives GSIDs to the items of a picklist; those that were there before
// keep theirs.
func (s *Sim) addItems(f, old *field) {
	if old == nil || old.group == "" {
		old = &field{group: "1I00" + s.random(32)}
	}
	f.group = old.group
	for _, label := range f.Options {
		if i := slices.Index(old.Options, label); i >= 0 {
			f.items = append(f.items, old.items[i])
			continue
		}
		f.items = append(f.items, f.group[:18]+s.random(18))
	}
}

// random returns n characters of a GSID.
func (s *Sim) random(n int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	for i := 0; i < n; {
		for x, k := s.rand.Uint64(), 0; k < 12 && i < n; k++ {
			b[i] = digits[x%36]
			x /= 36
			i++
		}
	}
	return string(b)
}
