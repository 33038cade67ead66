package record

import "time"

// Query asks a source for one page of an object's records.
type Query struct {
	// Object is the source's type id, such as "0-2", or "owner".
	Object     string   `json:"object"`
	Properties []string `json:"properties"`
	// Associations to read beside the properties.
	Associations []Association `json:"associations,omitempty"`
	// Since and Until bound the modified time: since ≤ modified < until. A zero
	// Since asks for all records; Until then does not count.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// IDs asks for these records alone instead; at most 100. Those that are not
	// found are missing in the page.
	IDs []string `json:"ids,omitempty"`
	// ArchivedSince asks for the records that were archived since then instead, as
	// records that are Gone; zero does not.
	ArchivedSince time.Time `json:"archivedSince,omitzero"`
	// After is "" for the first page, or the Next of the page before.
	After string `json:"after,omitempty"`
}

// Association asks for the id of the associated record as a field.
type Association struct {
	As     string `json:"as"`     // the dataset field that it becomes
	Object string `json:"object"` // the source's type id of the other side
	Label  string `json:"label"`  // "" = primary, else the label's text
}

// Page is one page of records.
type Page struct {
	Records []Record
	// Next is the cursor of the following page, "" at the end. It never equals
	// the After that led here.
	Next string
}
