package mapping

import "hubspotconnector/internal/record"

// TypeName is what people call a type, such as "date with time".
func TypeName(t record.Type) string { return typeName(t) }

// Fits reports whether values of a source field can be converted to those of a
// target field, as far as their types tell.
func Fits(from, to record.Field) bool { return fit(from, to) != nil }
