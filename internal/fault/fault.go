// Package fault classifies failures by what the system should do next.
//
// A fault crosses two boundaries: Step Functions sees its Kind, which is the
// name that Retry and Catch match on, and customers see its Message. Nothing
// else of an error leaves the process; causes are logged, never shown.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what to do about a failure. Its text is the error name in the ASL
// files, so renaming one is a breaking change.
type Kind string

const (
	// Internal is a bug or an unknown cause. The zero Kind means Internal.
	Internal Kind = "Internal"
	// Transient may succeed if tried again: timeouts, 5xx, dropped connections.
	Transient Kind = "Transient"
	// Throttled means that a quota is spent. Waiting helps, trying again does not.
	Throttled Kind = "Throttled"
	// Reauthorize needs a person to reconnect the account.
	Reauthorize Kind = "Reauthorize"
	// Invalid is wrong configuration or input. Retrying cannot help.
	Invalid Kind = "Invalid"
	// NotFound is a missing object that the caller named.
	NotFound Kind = "NotFound"
	// Conflict means that someone else changed it first. Read again, then decide.
	Conflict Kind = "Conflict"
	// Fenced means that another run owns the work now. Stop at once, write nothing.
	Fenced Kind = "Fenced"
)

// Error is a failure with a Kind and a message that is safe to show a customer.
type Error struct {
	Kind Kind
	// Message is one sentence for the customer. It holds no secret, no record
	// value and no vendor response body.
	Message string
	// ResumeAt, on a Throttled error, is when trying again makes sense. Zero
	// means unknown.
	ResumeAt time.Time

	err error // cause; may be nil
}

// New returns an error of kind with a customer message.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a kind and a customer message. It returns nil if err is nil.
func Wrap(err error, kind Kind, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), err: err}
}

// Until returns a Throttled error that says when the quota is free again.
func Until(at time.Time, format string, args ...any) error {
	return &Error{Kind: Throttled, Message: fmt.Sprintf(format, args...), ResumeAt: at}
}

func (e *Error) Error() string {
	if e.err == nil {
		return e.Message
	}
	return e.Message + ": " + e.err.Error()
}

func (e *Error) Unwrap() error { return e.err }

// KindOf returns the kind of the outermost Error in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != "" {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// ResumeAt returns when a Throttled err may be tried again. The zero time means
// that err is of another kind or does not say.
func ResumeAt(err error) time.Time {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Throttled {
		return e.ResumeAt
	}
	return time.Time{}
}

// MessageOf returns the sentence to show a customer. For errors without one it
// is a fixed text, so that an internal detail cannot leak.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && KindOf(err) != Internal {
		return e.Message
	}
	return "Something went wrong on our side. The run was stopped and nothing was lost."
}
