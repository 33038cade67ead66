package mapping

import "hubspotconnector/internal/mapping/condition"

// Config says how records of one source object become rows of one target
// object. It is what an admin edits; Compile checks it against both schemas.
type Config struct {
	// Source is the source's object name as the catalog has it ("company",
	// "contact", "owner", "deal", "ticket", or a type id such as "2-3453932").
	Source string `json:"source"`
	// Target is the target's object name ("company", "company_person",
	// "gsuser", "hubspot_deal__gc"). Fields of the person in a company_person
	// job are written "Person::Email".
	Target string `json:"target"`
	// Fields is the dataset.
	Fields []Field `json:"fields"`
	// Filter chooses records; the zero Filter takes all.
	Filter condition.Filter `json:"filter,omitzero"`
	// Formulas are computed from the dataset, before the case fields, which may use
	// them.
	Formulas []Formula `json:"formulas,omitempty"`
	Cases    []Case    `json:"cases,omitempty"`
	Direct   []Direct  `json:"direct"`
	// Derived fill GSID fields by look-ups.
	Derived []Derived `json:"derived,omitempty"`
}

// Field is one field of the dataset: a property of the source, or the id of an
// associated record.
type Field struct {
	Name  string `json:"name"`            // the dataset's name for it, unique
	Label string `json:"label,omitempty"` // "" = the property's label
	// Property of the source; "" means Name. Not used with an Association.
	Property string `json:"property,omitempty"`
	// Association, if set, makes this the id of the associated record.
	Association *Association `json:"association,omitempty"`
}

// Association names the associated object whose id a Field holds.
type Association struct {
	Object string `json:"object"`          // as in Config.Source
	Label  string `json:"label,omitempty"` // "" = primary
}

// Formula is a field computed by an expression over the dataset; see package
// formula. A record for which it cannot be computed is rejected.
type Formula struct {
	Name       string `json:"name"`
	Type       string `json:"type"` // string, number, boolean, date, datetime
	Expression string `json:"expression"`
}

// Case is a field computed by the first condition that holds.
type Case struct {
	Name    string `json:"name"`
	Type    string `json:"type"` // string, number, boolean, date, datetime
	When    []When `json:"when"`
	Default Value  `json:"default"`
}

// When is one case: if the filter holds, the value is taken.
type When struct {
	If   condition.Filter `json:"if"`
	Then Value            `json:"then"`
}

// Value is a text, or the value of a dataset field. The zero Value is null.
type Value struct {
	Text  *string `json:"text,omitempty"`
	Field string  `json:"field,omitempty"`
}

// Empty says what to do with a field whose source value is empty.
type Empty string

// What WhenEmpty can be.
const (
	EmptyClear Empty = ""     // clear what this job wrote before, leave what others wrote
	EmptyKeep  Empty = "keep" // leave alone
	EmptyNull  Empty = "null" // always write null
)

// Direct maps a dataset or case field to a target field.
type Direct struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Identifier includes the field in the upsert key.
	Identifier bool  `json:"identifier,omitempty"`
	WhenEmpty  Empty `json:"whenEmpty,omitempty"`
	// Default is taken when the source is empty or invalid; nil means none.
	Default *string `json:"default,omitempty"`
}

// Derived fills a GSID field with the GSID of the row of Object in which every
// pair matches.
type Derived struct {
	To     string `json:"to"`
	Object string `json:"object"` // the target's own object for a self look-up
	// Match holds 1 to 6 pairs; all must match.
	Match    []Pair   `json:"match"`
	Multiple Multiple `json:"multiple"`
	None     None     `json:"none"`
	Default  string   `json:"default,omitempty"` // a GSID, with None "default"
}

// Pair is one comparison of a look-up.
type Pair struct {
	From  string `json:"from"`  // dataset or case field
	Field string `json:"field"` // field of the looked-up object
}

// Multiple says what to do when several rows match.
type Multiple string

// What Multiple can be.
const (
	MultipleAny   Multiple = "any"   // the one with the smallest GSID
	MultipleError Multiple = "error" // reject the record
)

// None says what to do when no row matches.
type None string

// What None can be.
const (
	NoneReject  None = "reject"
	NoneNull    None = "null"
	NoneDefault None = "default"
)
