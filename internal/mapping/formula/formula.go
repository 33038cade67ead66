// Package formula computes a value from the fields of a record, by an expression
// such as `upper(left(name, 3)) + "-" + id`.
package formula
