// Package job keeps the jobs: how records of one source object become rows of
// one target object, and what is missing for it.
//
// A job is saved with its activity in one write, guarded by its version. Its
// name is unique without regard to case: an item per name says which job has it.
package job

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/record"
)

// Job is one job. Fields may be added, never renamed or removed: plans of runs
// hold jobs.
type Job struct {
	ID         string         `json:"id"` // set when it is created
	Name       string         `json:"name"`
	Connection string         `json:"connection"` // id
	Mapping    mapping.Config `json:"mapping"`
	Options    Options        `json:"options,omitzero"`
	// Missing are the target fields that an out-of-the-box job needs and that do
	// not exist yet. While there are any the job cannot run.
	Missing []Missing `json:"missing,omitempty"`
	// OOTB is the name, without the connection's, of the out-of-the-box job that
	// this is; "" for a job that somebody made.
	OOTB string `json:"ootb,omitempty"`
	// Edited is true once an admin changed an out-of-the-box job.
	Edited bool `json:"edited,omitempty"`
	// Creator is who created it, set by the store; "system" for out-of-the-box jobs.
	Creator string `json:"creator,omitempty"`

	Version int64 `json:"-"` // of the stored item; 0 if it is not stored
}

// Options are the settings of a job beside its mapping.
type Options struct {
	// DeactivateLeavers deactivates the users of archived owners; without it they
	// are left as they are.
	DeactivateLeavers bool `json:"deactivateLeavers,omitempty"`
	// RealTime lets HubSpot's webhooks start runs for just the changed records. The
	// out-of-the-box jobs of companies and contacts have it on.
	RealTime bool `json:"realTime,omitempty"`
	// NoComparison leaves out the weekly comparison of all records, which finds what
	// changed without HubSpot noting it on the record: associations, calculated values.
	NoComparison bool `json:"noComparison,omitempty"`
	// WhenDeleted is what becomes of the row of a record that HubSpot no longer
	// has; the zero WhenDeleted does nothing.
	WhenDeleted WhenDeleted `json:"whenDeleted,omitzero"`
}

// WhenDeleted says what to do with the row of a record that is gone.
type WhenDeleted struct {
	Do Do `json:"do,omitempty"`
	// Field of the target that Set writes, and its value as text: a field of the
	// person in a people job is "Person::Status__gc". Records that come back clear it.
	Field string `json:"field,omitempty"`
	Value string `json:"value,omitempty"`
}

// Do is what is done.
type Do string

// What Do can be.
const (
	DoNothing Do = ""
	DoSet     Do = "set"    // a field becomes a value
	DoDelete  Do = "delete" // the row is deleted; Company and custom objects alone
)

// Missing is a target field to create.
type Missing struct {
	Object string      `json:"object"` // label of the target's object, such as "Company"
	Label  string      `json:"label"`
	Type   record.Type `json:"type"`
}

// MissingSentence tells people which fields to create; "" if none is missing.
func (j Job) MissingSentence() string {
	if len(j.Missing) == 0 {
		return ""
	}
	fields := make([]string, len(j.Missing))
	for i, m := range j.Missing {
		fields[i] = fmt.Sprintf("%q (type %s) in the object %s", m.Label, m.Type, m.Object)
	}
	noun := "this field"
	if len(fields) > 1 {
		noun = "these fields"
	}
	return fmt.Sprintf("The job %q is incomplete: create %s in Gainsight under Data Management: %s.", j.Name, noun, strings.Join(fields, "; "))
}

// OOTBName is the name of an out-of-the-box job until an admin renames it.
func OOTBName(ootb, connectionName string) string { return ootb + "_" + connectionName }

// maxName is the longest name in characters.
const maxName = 200

// CleanName returns a name without outer spaces, or fault.Invalid if it cannot be
// one. what is for the message: "job", "chain".
func CleanName(what, name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", fault.New(fault.Invalid, "Give the %s a name.", what)
	case len([]rune(name)) > maxName:
		return "", fault.New(fault.Invalid, "The name of the %s is longer than %d characters.", what, maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return "", fault.New(fault.Invalid, "The name of the %s holds characters that cannot be shown.", what)
	}
	return name, nil
}

// NameKey is the form in which names are compared.
func NameKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// KnownNames ends a message about a name that is not known: it lists those that
// are, or says that there are none.
func KnownNames(what string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("There are no %ss yet.", what)
	}
	names = slices.Sorted(slices.Values(names))
	return fmt.Sprintf("The %ss are: %s.", what, strings.Join(names, ", "))
}
