package blob

import (
	"strings"

	"hubspotconnector/internal/fault"
)

// CheckName returns why a name cannot name a file, fault.Invalid. It is for
// adapters.
func CheckName(name string) error { return check(name, false) }

// CheckPrefix returns why no name can start so, fault.Invalid. A prefix may be
// empty or end anywhere. It is for adapters.
func CheckPrefix(prefix string) error { return check(prefix, true) }

func check(name string, prefix bool) error {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		open := prefix && i == len(parts)-1 // more of this part may follow
		if !open && (part == "" || part == "." || part == "..") || strings.ContainsFunc(part, forbidden) {
			return fault.New(fault.Invalid, "%q is no name for a file.", name)
		}
	}
	return nil
}

func forbidden(c rune) bool {
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !letter && c != '-' && c != '_' && c != '.'
}
