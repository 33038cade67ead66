package mapping

import (
	"fmt"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
)

// Problem is one thing that is wrong with a Config.
type Problem struct {
	// Path leads to it, such as "direct[2].to".
	Path string `json:"path"`
	// Message is one sentence for the admin, with the way out.
	Message string `json:"message"`
}

// Problems is everything that is wrong with a Config. As an error it is
// fault.Invalid.
type Problems []Problem //nolint:errname // read as mapping.Problems

func (p Problems) Error() string {
	messages := make([]string, len(p))
	for i, one := range p {
		messages[i] = one.Message
	}
	return strings.Join(messages, " ")
}

// Unwrap gives the error its kind.
func (p Problems) Unwrap() error { return fault.New(fault.Invalid, "%s", p.Error()) }

// label is what people call a field.
func label(f record.Field) string {
	if f.Label != "" {
		return f.Label
	}
	return f.Name
}

func objectLabel(s record.Schema) string {
	if s.Label != "" {
		return s.Label
	}
	return s.Object
}

func unknownAssociation(f Field) string {
	return fmt.Sprintf("HubSpot has no object %q, which the dataset field %q is associated with: choose another object.", f.Association.Object, f.Name)
}

// and joins words for a sentence.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
