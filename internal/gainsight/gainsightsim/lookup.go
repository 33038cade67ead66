package gainsightsim

import (
	"maps"
	"slices"
	"strings"
)

// lookupSpec fills a field of each record by a look-up.
type lookupSpec struct {
	Fields           map[string]string `json:"fields"` // :: key in the record → field of the other object
	LookupField      string            `json:"lookupField"`
	ObjectName       string            `json:"objectName"`
	MultiMatchOption string            `json:"multiMatchOption"`
	OnNoMatch        string            `json:"onNoMatch"`
	ErrorMessage     *string           `json:"errorMessage"`
	DefaultValue     any               `json:"defaultValue"` // the key is [assumed]
}

// badLookup is the refusal of a whole call for its look-ups; the code is
// [assumed].
func badLookup(message string) *refusal { return &refusal{code: "GSOBJ_1002", message: message} }

// lookUp fills the fields that the body's look-ups name. A record's source keys
// that are no fields of the object are taken out. Rows of the same call are not
// found [assumed].
func (s *Sim) lookUp(o *object, body writeBody) *refusal {
	for _, name := range slices.Sorted(maps.Keys(body.Lookups)) {
		spec := body.Lookups[name]
		target, result, bad := s.lookupTarget(o, name, spec)
		if bad != nil {
			return bad
		}
		keys := slices.Sorted(maps.Keys(spec.Fields))
		fields := make([]*field, len(keys))
		for i, key := range keys {
			if fields[i] = target.byName[spec.Fields[key]]; fields[i] == nil {
				return badLookup("Lookup of " + name + ": invalid field " + spec.Fields[key])
			}
		}
		for _, record := range body.Records {
			v, bad := s.lookupValue(name, spec, target, result, fields, keys, record)
			if bad != nil {
				return bad
			}
			record[name] = v
		}
	}
	for _, spec := range body.Lookups {
		for key := range spec.Fields {
			if o.byName[key] != nil {
				continue
			}
			for _, record := range body.Records {
				delete(record, key)
			}
		}
	}
	return nil
}

// lookupTarget checks a look-up, and returns its object and the field that gives
// the value.
func (s *Sim) lookupTarget(o *object, name string, spec lookupSpec) (*object, *field, *refusal) {
	target := s.objects[strings.ToLower(spec.ObjectName)]
	switch {
	case o.byName[name] == nil:
		return nil, nil, badLookup("Lookup of " + name + ": no such field")
	case target == nil:
		return nil, nil, badLookup("Lookup of " + name + ": invalid object " + spec.ObjectName)
	case len(spec.Fields) == 0 || len(spec.Fields) > 6:
		return nil, nil, badLookup("Lookup of " + name + ": 1 to 6 fields are needed")
	case !slices.Contains([]string{"FIRSTMATCH", "MARKASERROR"}, spec.MultiMatchOption):
		return nil, nil, badLookup("Lookup of " + name + ": invalid multiMatchOption")
	case !slices.Contains([]string{"ERROR", "NULLABLE", "DEFAULTVALUE"}, spec.OnNoMatch):
		return nil, nil, badLookup("Lookup of " + name + ": invalid onNoMatch")
	case target.byName[spec.LookupField] == nil:
		return nil, nil, badLookup("Lookup of " + name + ": invalid lookupField " + spec.LookupField)
	}
	return target, target.byName[spec.LookupField], nil
}

func (s *Sim) lookupValue(name string, spec lookupSpec, target *object, result *field, fields []*field, keys []string, record map[string]any) (any, *refusal) {
	values := make([]any, len(keys))
	for i, key := range keys {
		values[i] = record[key] // without a value nothing matches
	}
	slots := target.matchValues(fields, values, s.switches.FoldCase)
	message := "Lookup of " + name + ": no match was found"
	if len(slots) > 1 {
		message = "Lookup of " + name + ": several matches were found"
	}
	if spec.ErrorMessage != nil {
		message = *spec.ErrorMessage
	}
	switch {
	case len(slots) == 1, len(slots) > 1 && spec.MultiMatchOption == "FIRSTMATCH": // the oldest [assumed]
		return plain(result, valueOf(target.rows[slots[0]], result.num)), nil
	case len(slots) > 1, spec.OnNoMatch == "ERROR":
		return nil, badLookup(message)
	case spec.OnNoMatch == "DEFAULTVALUE":
		return spec.DefaultValue, nil
	}
	return nil, nil // NULLABLE: the field becomes null
}

// plain is a value as JSON would hold it.
func plain(f *field, v value) any {
	switch {
	case v.kind == null:
		return nil
	case f.DataType == "DATE" || f.DataType == "DATETIME":
		return timeText(f, v)
	case v.kind == text:
		return v.s
	case v.kind == boolean:
		return v.n == 1
	}
	return v.n
}
