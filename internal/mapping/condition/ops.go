package condition

import "hubspotconnector/internal/record"

// Ops returns the comparisons that fit fields of a type, in the order in which
// people choose from them; none for a type that cannot be compared.
func Ops(t record.Type) []Op { return kindOf(t).ops() }
