package mapping

import (
	"hubspotconnector/internal/record"
)

// converter turns the text of a source value that is not empty into a value of
// the target, or says why it does not fit.
type converter func(s string) (any, *misfit)

// maker makes the converter between two fields.
type maker func(from, to record.Field) converter

// misfit says why a value does not fit.
type misfit struct {
	code record.Code
	why  string // ends the sentence: The value of "Amount" …
}

// typeMapping is the conversion table: type of the source → type of the target →
// how a value is converted. Types that do not meet in it do not fit.
//
// Text goes into text as it is; an item goes by its label. A date becomes a
// date-time at midnight UTC, a date-time becomes its day in UTC. What looks like
// a guess (a number as a date, several items as one) is left out.
func typeMapping() map[record.Type]map[record.Type]maker {
	return map[record.Type]map[record.Type]maker{
		record.String: {
			record.String:      toText,
			record.RichText:    toText,
			record.Number:      toNumber,
			record.Percentage:  toNumber,
			record.Currency:    toNumber,
			record.Boolean:     toBoolean,
			record.Date:        toDate,
			record.DateTime:    toDateTime,
			record.Enumeration: toItem,
			record.Multi:       toItems,
			record.Email:       toEmail,
			record.URL:         toURL,
			record.GSID:        toGSID,
			record.SFDCID:      toSFDCID,
		},
		record.Number: {
			record.String:      toText,
			record.RichText:    toText,
			record.Number:      toNumber,
			record.Percentage:  toNumber,
			record.Currency:    toNumber,
			record.Enumeration: toItem,
		},
		record.Boolean: {
			record.String:      toText,
			record.RichText:    toText,
			record.Boolean:     toBoolean,
			record.Enumeration: toItem,
		},
		record.Date: {
			record.String:   toText,
			record.RichText: toText,
			record.Date:     toDate,
			record.DateTime: toDateTime,
		},
		record.DateTime: {
			record.String:   toText,
			record.RichText: toText,
			record.Date:     toDate,
			record.DateTime: toDateTime,
		},
		record.Enumeration: {
			record.String:      toLabel,
			record.RichText:    toLabel,
			record.Number:      toNumber,
			record.Percentage:  toNumber,
			record.Currency:    toNumber,
			record.Boolean:     toBoolean,
			record.Enumeration: toItem,
			record.Multi:       toItems,
		},
		record.Multi: {
			record.String:   toLabels,
			record.RichText: toLabels,
			record.Multi:    toItems,
		},
	}
}

// fit returns the converter between two fields, nil if their types do not fit.
func fit(from, to record.Field) converter {
	from.Type = sourceType(from.Type)
	if convert := typeMapping()[from.Type][to.Type]; convert != nil {
		return convert(from, to)
	}
	return nil
}

// sourceType is the row of the table for a source field: special kinds of text
// and of numbers are read like all text and all numbers.
func sourceType(t record.Type) record.Type {
	switch t {
	case record.Email, record.URL, record.RichText, record.GSID, record.SFDCID:
		return record.String
	case record.Percentage, record.Currency:
		return record.Number
	case record.String, record.Number, record.Boolean, record.Date, record.DateTime, record.Enumeration, record.Multi,
		record.Unsupported:
	}
	return t
}

// typeName is what people call a type.
func typeName(t record.Type) string {
	switch t {
	case record.String:
		return "text"
	case record.Number:
		return "number"
	case record.Boolean:
		return "checkbox"
	case record.Date:
		return "date"
	case record.DateTime:
		return "date with time"
	case record.Enumeration:
		return "dropdown list"
	case record.Multi:
		return "multi-select dropdown list"
	case record.Email:
		return "e-mail address"
	case record.URL:
		return "URL"
	case record.RichText:
		return "rich text"
	case record.Percentage:
		return "percentage"
	case record.Currency:
		return "currency"
	case record.GSID:
		return "GSID"
	case record.SFDCID:
		return "Salesforce id"
	case record.Unsupported:
	}
	return "field of an unsupported type"
}
