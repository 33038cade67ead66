// Package record holds the words for data on its way: a Record as the source
// sent it, a Row as the target wants it, the Schema of either side, and the
// JSON-lines codec in which both are staged.
package record

// Record is one record of the source.
type Record struct {
	ID string `json:"id"`
	// Version is the source's modified time in milliseconds since the epoch;
	// 0 means that the source does not say (owners). It orders two readings of
	// one record.
	Version int64 `json:"version,omitempty"`
	// Read is when the record was asked for, in milliseconds since the epoch; 0 =
	// nobody noted it. It orders two readings with one Version.
	Read int64 `json:"read,omitempty"`
	// Archived is true for a record that was archived in the source, and for an
	// owner whose user is inactive there.
	Archived bool `json:"archived,omitempty"`
	// Gone is set for a record that the source no longer has; such a record has no
	// values.
	Gone Gone `json:"gone,omitempty"`
	// Into is the record that it was merged into, with Gone Merged.
	Into string `json:"into,omitempty"`
	// Values :: property name → value in the source's own text form. An absent
	// key was not sent, nil is null, "" was cleared: three different things.
	Values map[string]*string `json:"values"`
}

// Gone says how a record left the source.
type Gone string

// What Gone can be; "" is a record that is there.
const (
	Archived Gone = "archived" // in the recycle bin, from which it may come back
	Merged   Gone = "merged"   // part of another record from now on
	Deleted  Gone = "deleted"  // gone for good
	Private  Gone = "private"  // gone for good, and nothing about it may be kept
)

// Text returns the value of a property, "" if it is absent, null or empty.
func (r Record) Text(name string) string {
	if v := r.Values[name]; v != nil {
		return *v
	}
	return ""
}

// Row is one row for the target.
type Row struct {
	SourceID string `json:"id"`
	Version  int64  `json:"version,omitempty"`
	// Fields :: target field → value to write: string, json.Number, bool,
	// []string, or nil for an empty source value. A field of the person in a
	// people job is written "Person::Email".
	Fields map[string]any `json:"fields"`
	// Keep names the empty fields (nil in Fields) that are left alone whoever
	// filled them; Null names those that are always written as null. An empty
	// field in neither is cleared only if this job filled it before.
	Keep []string `json:"keep,omitempty"`
	Null []string `json:"null,omitempty"`
	// Defer :: GSID field → the value keys of a self look-up that found nothing
	// yet. Such a row is written without the field in the first pass and again
	// in the second.
	Defer map[string][]string `json:"defer,omitempty"`
	// Merged are the ids of source records that were merged into this one: what
	// they held is its own.
	Merged []string `json:"merged,omitempty"`
	// Source :: dataset field → text, for the error file.
	Source map[string]*string `json:"source,omitempty"`
}

// Reject says why a record was not delivered.
type Reject struct {
	SourceID string `json:"id"`
	Step     string `json:"step"`  // transform or upsert
	Field    string `json:"field"` // target field, or "" if the whole record is meant
	Value    string `json:"value"`
	Code     Code   `json:"code"`
	// Reason is one sentence for the admin, Fix says what to do about it.
	Reason string             `json:"reason"`
	Fix    string             `json:"fix"`
	Source map[string]*string `json:"source,omitempty"` // the dataset's columns
}

// Code names a reason for a reject. It never changes once published.
type Code string

// The reasons for which a record can be rejected.
const (
	NoMatch             Code = "NO_MATCH"             // a look-up found nothing
	MultipleMatches     Code = "MULTIPLE_MATCHES"     // a look-up or identifier found several
	DuplicateIdentifier Code = "DUPLICATE_IDENTIFIER" // another record holds the same identifier
	MissingIdentifier   Code = "MISSING_IDENTIFIER"   // an identifier is empty
	BadValue            Code = "BAD_VALUE"            // a value does not fit its field's type
	TooLong             Code = "TOO_LONG"             // a text is longer than the field
	UnknownItem         Code = "UNKNOWN_ITEM"         // a picklist has no such item
	MissingValue        Code = "MISSING_VALUE"        // a required field is empty
	PersonConflict      Code = "PERSON_CONFLICT"      // resolution keys match different people
	AmbiguousUser       Code = "AMBIGUOUS_USER"       // several users match; an avatar decides
	RefusedByTarget     Code = "REFUSED_BY_TARGET"    // the target refused the row
	MergedRows          Code = "MERGED_ROWS"          // merged in the source, but each has a row
)

// Type is what a value means.
type Type string

// The types of source and target fields. Source fields use the first group,
// target fields may use all.
const (
	String      Type = "string"
	Number      Type = "number"
	Boolean     Type = "boolean"
	Date        Type = "date"
	DateTime    Type = "datetime"
	Enumeration Type = "enumeration" // one item
	Multi       Type = "multi"       // several items
	Email       Type = "email"
	URL         Type = "url"
	RichText    Type = "richtext"
	Percentage  Type = "percentage"
	Currency    Type = "currency"
	GSID        Type = "gsid"   // a GSID or look-up field
	SFDCID      Type = "sfdcid" // a Salesforce id
	Unsupported Type = "unsupported"
)

// Field describes one field of a Schema.
type Field struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	// Description tells people what the field is for, "" if nobody wrote it. Files do
	// not keep it.
	Description string `json:"-"`
	Type        Type   `json:"type"`
	// Length is the longest text in characters; 0 means no stated limit.
	Length   int  `json:"length,omitempty"`
	Required bool `json:"required,omitempty"`
	// ReadOnly fields cannot be mapped to.
	ReadOnly bool `json:"readOnly,omitempty"`
	// NotNull fields refuse null on update.
	NotNull bool `json:"notNull,omitempty"`
	// Options of an enumeration; empty means that any value is taken.
	Options []Option `json:"options,omitempty"`
	// Lookup is the object that a GSID field points at, "" if it does not say.
	Lookup string `json:"lookup,omitempty"`
	// Archived fields exist no more for new values.
	Archived bool `json:"archived,omitempty"`
}

// Option is one item of an enumeration.
type Option struct {
	Value  string `json:"value"` // what the API reads and writes
	Label  string `json:"label"` // what people see
	Active bool   `json:"active"`
}

// Schema is the fields of one object.
type Schema struct {
	Object string  `json:"object"`
	Label  string  `json:"label,omitempty"`
	Fields []Field `json:"fields"`
}

// Field returns the field of that name, case-sensitive.
func (s Schema) Field(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}
