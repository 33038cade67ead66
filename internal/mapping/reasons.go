package mapping

import (
	"slices"

	"hubspotconnector/internal/record"
)

// Reason explains a reject code to people.
type Reason struct {
	Code    record.Code
	Meaning string // one sentence
	Fix     string // one sentence
}

// Reasons returns all codes in the order in which record declares them.
func Reasons() []Reason {
	return []Reason{
		{
			record.NoMatch, "A look-up found no row in Gainsight with the record's values.",
			"Fill the looked-up field in HubSpot, or sync the record that it points at first; or change what the look-up does when no matches are found.",
		},
		{
			record.MultipleMatches, "Several rows in Gainsight match the record, and none was chosen.",
			"Merge or delete the extra rows in Gainsight, match by a field that is unique, or let the look-up use any one match.",
		},
		{
			record.DuplicateIdentifier, "Another HubSpot record has the same identifier and keeps the row in Gainsight.",
			"Merge the two records in HubSpot, or give one of them another identifier.",
		},
		{
			record.MissingIdentifier, "The field by which the record is found in Gainsight is empty.",
			"Fill the field in HubSpot, or choose another identifier in the job.",
		},
		{
			record.BadValue, "A value does not fit the type of its field in Gainsight.",
			"Correct the value in HubSpot, or give the mapping a default value.",
		},
		{
			record.TooLong, "A text is longer than its field in Gainsight.",
			"Shorten the text in HubSpot, or make the field longer in Gainsight.",
		},
		{
			record.UnknownItem, "The dropdown list in Gainsight has no such active item.",
			"Add the item to the dropdown list in Gainsight, or map it with a case field.",
		},
		{
			record.MissingValue, "A field that must have a value in Gainsight is empty.",
			"Fill the field in HubSpot, or give the mapping a default value.",
		},
		{
			record.PersonConflict, "The record matches different people in Gainsight.",
			"Merge the two people in Gainsight, or correct the value that matches the wrong one.",
		},
		{
			record.AmbiguousUser, "Several users in Gainsight match the owner, and none was chosen.",
			"Open Users > Avatars, type HubSpot, and associate the owner with one user by hand; the next run takes it.",
		},
		{
			record.RefusedByTarget, "Gainsight refused the record for a reason of its own.",
			"Read the reason, then correct the value in HubSpot or change the mapping of the field.",
		},
		{
			record.MergedRows, "The record was merged into another one in HubSpot, and both have a row in Gainsight.",
			"Merge the two rows in Gainsight, or delete the one that is not needed; or let the job deal with rows whose record is gone.",
		},
	}
}

// Explain returns the reason of a code. ok is false for a code that record does
// not declare.
func Explain(code record.Code) (reason Reason, ok bool) {
	all := Reasons()
	i := slices.IndexFunc(all, func(r Reason) bool { return r.Code == code })
	if i < 0 {
		return Reason{Code: code}, false
	}
	return all[i], true
}
