// Package secret keeps secrets sealed where they are stored and hidden where
// they are printed.
package secret

import (
	"context"
	"log/slog"
)

// Text is a secret in memory. It prints, logs and marshals as "***".
type Text string

// Expose returns the secret itself. Call it only where the secret leaves for
// its owner: a request header, a form field, a Sealer.
func (t Text) Expose() string { return string(t) }

// String hides the secret.
func (Text) String() string { return "***" }

// GoString hides the secret.
func (Text) GoString() string { return "***" }

// LogValue hides the secret.
func (Text) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalJSON hides the secret: a secret is stored sealed or not at all.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// Sealer turns secrets into sealed bytes that can be stored, and back. The
// context names what is sealed (such as connection and field); opening with
// another one fails with fault.Invalid, as does opening bytes that were changed.
type Sealer interface {
	Seal(ctx context.Context, about map[string]string, plain []byte) ([]byte, error)
	Open(ctx context.Context, about map[string]string, sealed []byte) ([]byte, error)
}
